// The command line, apart from the machine: what it reads and asks comes in through Live.
#pragma once

#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "tools/xdna-probe/machine/answers.hpp"
#include "tools/xdna-probe/machine/files.hpp"

namespace xdna::probe {

/// The running machine, as far as it is not files.
class Live {
  public:
    virtual ~Live() = default;
    virtual std::unique_ptr<Files> files() = 0;
    /// Who asks, the kernel log, and what each node answers; nodes are found through `files`.
    virtual Answers ask(Files& files) = 0;
    /// Opens `node`, allocates, submits; fills `answers.validation`.
    virtual void validate(const std::string& node, NodeAnswers& answers) = 0;
    /// Contexts, clocks and sensors of `node`, for --watch.
    virtual NodeAnswers sample(const std::string& node) = 0;
    /// Waits; false when the user asked to stop (Ctrl-C).
    virtual bool wait(std::chrono::milliseconds time) = 0;
    /// The home directory, which --collect writes as /home/user; "" if there is none.
    virtual std::string home() const = 0;
    virtual bool write_file(const std::string& path, const std::string& bytes,
                            std::string& error) = 0;
};

struct Terminal {
    bool tty = false;
    bool colour = false;
};

enum ExitCode { kHealthy = 0, kProblem = 1, kNoNpu = 2, kUsage = 3 };

/// Runs one command line (without the program's name). Returns the exit code.
int run_command(const std::vector<std::string>& arguments, Live& live, const Terminal& terminal,
                std::ostream& out, std::ostream& err);

}  // namespace xdna::probe
