// A healthy Phoenix machine as a captured tree, for tests to break one thing of.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "tools/xdna-probe/command/command.hpp"
#include "tools/xdna-probe/machine/answers.hpp"
#include "tools/xdna-probe/machine/files.hpp"

namespace xdna::probe {

constexpr const char* kBdf = "0000:c5:00.1";
constexpr const char* kFunction = "/sys/bus/pci/devices/0000:c5:00.1";
constexpr const char* kNode = "/dev/accel/accel0";
constexpr const char* kLogPrefix = "6,1000,2000000,-;amdxdna 0000:c5:00.1: ";

struct TestMachine {
    Tree tree;
    Answers answers;

    void file(const std::string& path, const std::string& content);
    void link(const std::string& path, const std::string& target);
    void directory(const std::string& path);
    void character_device(const std::string& path, unsigned mode, unsigned gid,
                          unsigned major = 261);
    /// Takes the path away, and everything below it.
    void remove(const std::string& path);
    /// A line of the driver's.
    void log(const std::string& text) { answers.log_lines.push_back(kLogPrefix + text); }
    NodeAnswers& node() { return answers.nodes[kNode]; }
    /// As if the node gave `error` to open(), asked by an ordinary user of the group render.
    void open_fails(int error);
    /// As if the driver had not bound: no node, no answers.
    void not_bound();
    /// The configuration space with these extended capabilities.
    void config_space(const std::vector<uint16_t>& capabilities);
};

TestMachine healthy_machine();

struct RunResult {
    int code = 0;
    std::string out;
    std::string err;
    nlohmann::json json;  ///< of `out`; discarded if it is none
};

/// A Live that fails the test when it is asked for anything.
class NoLive : public Live {
  public:
    std::unique_ptr<Files> files() override;
    Answers ask(Files& files) override;
    void validate(const std::string& node, NodeAnswers& answers) override;
    NodeAnswers sample(const std::string& node) override;
    bool wait(std::chrono::milliseconds time) override;
    std::string home() const override { return ""; }
    bool write_file(const std::string& path, const std::string& bytes, std::string& error) override;
};

RunResult run(const std::vector<std::string>& arguments, Live& live);
/// xdna-probe --root on the machine written to a .tar.
RunResult probe(const TestMachine& machine, const std::vector<std::string>& arguments = {"--json"});

/// The check's entry in a --json report.
nlohmann::json check(const RunResult& result, const std::string& id);

/// A folder that goes with the object.
class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

}  // namespace xdna::probe
