#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "tests/unit/probe/test_machine.hpp"
#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/capture.hpp"
#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/redact.hpp"
#include "tools/xdna-probe/machine/text.hpp"
#include "tools/xdna-probe/report/watch.hpp"

namespace xdna::probe {
namespace {

namespace fs = std::filesystem;

TEST(Probe, HealthyMachineExitsZeroWithoutFailureOrWarning) {
    const RunResult result = probe(healthy_machine());
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.json["summary"]["verdict"], "healthy");
    for (const auto& entry : result.json["checks"]) {
        EXPECT_TRUE(entry["status"] == "pass" || entry["status"] == "skip") << entry;
        EXPECT_TRUE(entry["blocked_by"].is_null()) << entry;
    }
    EXPECT_EQ(result.json["devices"].size(), 1U);
    EXPECT_EQ(result.json["devices"][0]["generation"], "npu1");
}

TEST(Probe, HealthyMachineFitsOneScreenOf80Columns) {
    TestMachine machine = healthy_machine();
    machine.node().validation = {};
    const RunResult result = probe(machine, {});
    const std::vector<std::string> lines = split_lines(result.out);
    EXPECT_LE(lines.size(), 40U) << result.out;
    for (const std::string& line : lines) {
        EXPECT_LE(line.size(), 80U) << line;
    }
    EXPECT_EQ(result.out.find('\033'), std::string::npos) << "colour without a terminal";
}

TEST(Probe, MissingPowerSensorOfPhoenixIsNoError) {
    const nlohmann::json entry = check(probe(healthy_machine()), "power.sensors");
    EXPECT_EQ(entry["status"], "skip");
    EXPECT_EQ(entry["seen"], "power sensor not offered by this NPU");
}

TEST(Probe, ChecksBehindAFailedOneAreNotReachedAndNameIt) {
    TestMachine machine = healthy_machine();
    machine.not_bound();
    machine.remove("/lib/firmware");
    const RunResult result = probe(machine);
    for (const char* id : {"firmware.sound", "driver.bound", "node.exists", "node.open",
                           "driver.answers", "run.command"}) {
        const nlohmann::json entry = check(result, id);
        EXPECT_EQ(entry["status"], "skip") << id;
        EXPECT_EQ(entry["seen"], "not reached") << id;
        EXPECT_EQ(entry["blocked_by"], "firmware.file") << id;
    }
    int failures = 0;
    for (const auto& entry : result.json["checks"]) {
        failures += entry["status"] == "fail" ? 1 : 0;
    }
    EXPECT_EQ(failures, 1) << "one cause, one failure";
}

TEST(Probe, NoErrnoOfOpenIsEverCalledNoDevice) {
    for (int error = 1; error < 134; ++error) {
        TestMachine machine = healthy_machine();
        machine.open_fails(error);
        const RunResult result = probe(machine);
        EXPECT_EQ(result.code, 1) << errno_text(error);
        EXPECT_EQ(result.json["summary"]["verdict"], "problem") << errno_text(error);
        EXPECT_EQ(check(result, "pci.present")["status"], "pass") << errno_text(error);
    }
}

TEST(Probe, OpenErrorIsExplainedByTheKernelLogWhereItSaysMore) {
    TestMachine machine = healthy_machine();
    machine.open_fails(EINVAL);
    machine.log("[drm] *ERROR* amdxdna_sva_init: SVA bind device failed, ret -28");
    machine.log("[drm] *ERROR* amdxdna_drm_open: PASID unavailable and carveout not configured");
    const nlohmann::json entry = check(probe(machine), "node.open");
    EXPECT_EQ(entry["outcome"], "no-pasid-space");
    const std::string seen = entry["seen"];
    EXPECT_NE(seen.find("EINVAL (22"), std::string::npos) << seen;
    EXPECT_NE(seen.find("SVA bind device failed, ret -28"), std::string::npos) << seen;
}

TEST(Probe, KnownHarmlessLinesAreNotReported) {
    TestMachine machine = healthy_machine();
    machine.log("[drm] *ERROR* aie2_get_info: Not supported request parameter 12");
    machine.log("Direct firmware load for amdnpu/1502_00/npu_7.sbin failed with error -2");
    machine.answers.log_lines.push_back(
        "5,7,9,-;amdxdna: module verification failed: signature and/or required key missing - "
        "tainting kernel");
    const RunResult result = probe(machine);
    EXPECT_EQ(result.code, 0);
    EXPECT_EQ(result.json["summary"]["warn"], 0);
}

TEST(Probe, ComplaintsOfAnEarlierStartAreVoidOnceTheDriverStarted) {
    TestMachine machine = healthy_machine();
    machine.answers.log_lines.insert(
        machine.answers.log_lines.begin(),
        std::string(kLogPrefix) + "[drm] *ERROR* aie2_smu_exec: smu cmd 4 failed, 0xff");
    EXPECT_EQ(check(probe(machine), "firmware.start")["status"], "pass");
}

TEST(Probe, VirtualNpuIsNamedAndItsHostIsNotBlamed) {
    TestMachine machine = healthy_machine();
    machine.answers.virtual_npu = true;
    machine.answers.log = LogState::kNotRecorded;
    machine.answers.log_lines.clear();
    machine.remove("/lib/firmware");
    machine.remove("/lib/modules");
    machine.remove("/sys/class/iommu");
    machine.file("/proc/cmdline", "amd_iommu=off\n");
    const RunResult result = probe(machine);
    EXPECT_EQ(result.code, 0) << result.out;
    EXPECT_EQ(result.json["summary"]["fail"], 0);
    EXPECT_EQ(result.json["machine"]["virtual_npu"], true);
    EXPECT_EQ(result.json["validation"]["virtual_npu"], true);
    EXPECT_NE(probe(machine, {}).out.find("virtual NPU"), std::string::npos);
}

TEST(Probe, JsonKeysAreStable) {
    const nlohmann::json json = probe(healthy_machine()).json;
    const auto keys = [](const nlohmann::json& object) {
        std::string all;
        for (const auto& item : object.items()) {
            all += item.key() + " ";
        }
        return all;
    };
    EXPECT_EQ(json["schema"], 1);
    EXPECT_EQ(keys(json), "checks devices machine schema summary tool userspace validation ");
    EXPECT_EQ(keys(json["checks"][0]),
              "blocked_by cause id layer outcome remedy seen source status ");
    EXPECT_EQ(keys(json["summary"]), "exit_code fail not_reached pass skip verdict warn ");
    EXPECT_EQ(keys(json["devices"][0]),
              "answers bars bdf bound_driver device firmware generation iommu marketing_name node "
              "revision runtime_status vbnv vendor ");
    EXPECT_EQ(keys(json["machine"]),
              "architecture bios boot_options captured container cpu cpu_family cpu_model groups "
              "iommus kernel kernel_log lockdown module os process product secure_boot "
              "user_namespace virtual_machine virtual_npu ");
}

TEST(Probe, BytesThatAreNoUtf8StillGiveValidJson) {
    TestMachine machine = healthy_machine();
    machine.file("/etc/os-release", "PRETTY_NAME=\"\xff\xfe\xc3\x28\"\n");
    machine.log("[drm] *ERROR* \x80\x81 \xed\xa0\x80 \033[31m");
    machine.answers.release = "7.2\xff";
    const RunResult result = probe(machine);
    EXPECT_TRUE(result.json.is_object());
    EXPECT_EQ(result.out.find('\033'), std::string::npos);
    EXPECT_EQ(probe(machine, {"--verbose"}).out.find('\033'), std::string::npos);
}

TEST(Probe, TreeWithoutFactsIsReadWithWhatItHas) {
    const TempFolder folder;
    fs::create_directories(folder.path() + "/sys/bus/pci/devices");
    NoLive live;
    const RunResult result = run({"--json", "--root", folder.path()}, live);
    EXPECT_EQ(result.code, 2);
    EXPECT_EQ(check(result, "kernel.release")["status"], "skip");
}

TEST(Probe, WrongUsageExitsThree) {
    NoLive live;
    for (const std::vector<std::string>& arguments :
         std::vector<std::vector<std::string>>{{"--nonsense"},
                                               {"--root"},
                                               {"--interval", "500"},
                                               {"--watch", "--interval", "1"},
                                               {"--root", "/nonexistent"},
                                               {"--root", "/dev/null"},
                                               {"--watch", "--validate"},
                                               {"--root", "/etc", "--collect", "x"}}) {
        EXPECT_EQ(run(arguments, live).code, 3) << arguments.front();
    }
}

TEST(Probe, CheckTableIsSound) {
    EXPECT_GE(checks().size(), 45U);
    std::set<std::string> ids;
    for (const Check& each : checks()) {
        EXPECT_TRUE(ids.insert(each.id).second) << each.id << " twice";
    }
    for (const Check& each : checks()) {
        for (const std::string& id : split_words(each.depends_on)) {
            EXPECT_EQ(ids.count(id), 1U) << each.id << " depends on unknown " << id;
        }
    }
    size_t count = 0;
    const LogLine* lines = known_log_lines(count);
    for (size_t i = 0; i < count; ++i) {
        if (lines[i].check == nullptr) {
            continue;
        }
        bool known = false;
        for (const Check& each : checks()) {
            for (const Outcome& outcome : each.outcomes) {
                known = known || (std::string(each.id) == lines[i].check &&
                                  std::string(outcome.id) == lines[i].outcome);
            }
        }
        EXPECT_TRUE(known) << lines[i].pattern << " means " << lines[i].check << "/"
                           << lines[i].outcome;
    }
}

// --- capturing

/// A "live" machine that is a tree in memory.
class TreeLive final : public Live {
  public:
    explicit TreeLive(TestMachine machine) : machine_(std::move(machine)) {}
    std::unique_ptr<Files> files() override { return memory_files(machine_.tree); }
    Answers ask(Files& /*files*/) override { return machine_.answers; }
    void validate(const std::string& /*node*/, NodeAnswers& answers) override {
        answers.validation.asked = true;
    }
    NodeAnswers sample(const std::string& /*node*/) override {
        ++samples;
        NodeAnswers answers = machine_.node();
        answers.contexts.value[0].submissions += 50U * static_cast<unsigned>(samples);
        return answers;
    }
    bool wait(std::chrono::milliseconds /*time*/) override { return samples < stop_after; }
    std::string home() const override { return "/home/alice"; }
    bool write_file(const std::string& path, const std::string& bytes,
                    std::string& error) override {
        std::ofstream(path, std::ios::binary) << bytes;
        error.clear();
        return true;
    }
    int samples = 0;
    int stop_after = 1000;

  private:
    TestMachine machine_;
};

std::map<std::string, std::string> verdicts(const nlohmann::json& report) {
    std::map<std::string, std::string> all;
    for (const auto& entry : report["checks"]) {
        all[entry["id"]] = entry["status"].get<std::string>() + " " + entry["outcome"].dump() +
                           " " + entry["seen"].get<std::string>();
    }
    return all;
}

TEST(Capture, CollectedMachineGivesTheSameVerdicts) {
    TestMachine healthy = healthy_machine();
    healthy.node().validation = {};
    TestMachine broken = healthy;
    broken.open_fails(EACCES);
    broken.answers.process.groups = {1000};
    TestMachine unbound = healthy;
    unbound.not_bound();
    unbound.remove("/lib/firmware/amdnpu/1502_00/npu.sbin.1.5.5.391");
    for (const TestMachine& machine : {healthy, broken, unbound}) {
        const TempFolder folder;
        TreeLive live(machine);
        const std::string tar = folder.path() + "/m.tar";
        EXPECT_EQ(run({"--collect", tar}, live).code, 0);
        const RunResult direct = run({"--json"}, live);
        const RunResult captured = run({"--json", "--root", tar}, live);
        EXPECT_EQ(captured.code, direct.code);
        EXPECT_EQ(verdicts(captured.json), verdicts(direct.json));

        // The same, unpacked by tar.
        const std::string command =
            "cd " + folder.path() + " && mkdir tree && tar xf m.tar -C tree";
        ASSERT_EQ(std::system(command.c_str()), 0);
        const RunResult unpacked = run({"--json", "--root", folder.path() + "/tree"}, live);
        EXPECT_EQ(verdicts(unpacked.json), verdicts(direct.json));
    }
}

TEST(Capture, HomeIsWrittenAsNobodys) {
    TestMachine machine = healthy_machine();
    machine.answers.environment["LD_LIBRARY_PATH"] = "/home/alice/xrt/lib";
    machine.file("/home/alice/xrt/lib/libxrt_core.so.2.19.0", "");
    const TempFolder folder;
    TreeLive live(machine);
    const std::string tar = folder.path() + "/m.tar";
    run({"--collect", tar}, live);
    std::ifstream in(tar, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    EXPECT_EQ(bytes.find("alice"), std::string::npos);
    EXPECT_NE(run({"--root", tar}, live).out.find("2.19.0"), std::string::npos);
}

TEST(Capture, NamesAndSerialNumbersAreCutOut) {
    EXPECT_EQ(redact("/etc/group", "root:x:0:\nrender:x:105:alice,bob\n"), "render:x:105:\n");
    EXPECT_EQ(redact("/proc/cmdline", "root=UUID=1-2 amd_iommu=off ip=10.0.0.1 quiet\n"),
              "amd_iommu=off\n");
    EXPECT_EQ(redact("/etc/security/limits.d/x.conf",
                     "alice - memlock unlimited\n* - nofile 4\n* hard memlock 65536\n"),
              "(name) - memlock unlimited\n* hard memlock 65536\n");
    std::string config(4096, '\0');
    config[0x100] = 0x03;  // device serial number
    config[0x102] = 0x01;
    config.replace(0x104, 8, "SERIALNO");
    const std::string kept = redact("/sys/bus/pci/devices/0000:01:00.0/config", config);
    EXPECT_EQ(kept.find("SERIAL"), std::string::npos);
    EXPECT_EQ(kept.size(), config.size());
    EXPECT_FALSE(concerns_npu("usb 1-1: SerialNumber: 12345"));
}

TEST(Capture, TarOfLongNamesComesBack) {
    Tree tree;
    const std::string name = "/" + std::string(90, 'a') + "/" + std::string(120, 'b');
    tree[name] = {{FileKind::kFile, 0644}, "content", 0};
    tree["/link"] = {{FileKind::kLink, 0777}, std::string(150, 'c'), 0};
    Tree back;
    std::string error;
    ASSERT_TRUE(read_tar(write_tar(tree), back, error)) << error;
    EXPECT_EQ(back[name].content, "content");
    EXPECT_EQ(back["/link"].content, std::string(150, 'c'));
}

// --- garbage

std::string random_bytes(std::mt19937& random, size_t size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(random());
    }
    return bytes;
}

TEST(Garbage, RandomContentsAndKindsNeverCrash) {
    std::mt19937 random(1);  // NOLINT: the same trees every time
    for (int round = 0; round < 150; ++round) {
        TestMachine machine = healthy_machine();
        for (auto& [path, entry] : machine.tree) {
            switch (random() % 8) {
                case 0:
                    entry.content = random_bytes(random, random() % 300);
                    break;
                case 1:
                    entry.content = entry.content.substr(0, entry.content.size() / 2);
                    break;
                case 2:
                    entry = {{FileKind::kDirectory, 0755}, "", 0};
                    break;
                case 3:
                    entry = {{FileKind::kLink, 0777}, path, 0};
                    break;
                case 4:
                    entry.read_error = EIO;
                    break;
                default:
                    break;
            }
        }
        machine.answers.log_lines.push_back("amdxdna *ERROR* " +
                                            random_bytes(random, random() % 3000));
        const Machine gathered = gather(*memory_files(machine.tree), machine.answers, true);
        const std::vector<CheckResult> results = evaluate(gathered);
        EXPECT_EQ(results.size(), checks().size());
    }
}

TEST(Garbage, DamagedArchivesAndFactsAreErrorsThatNameThem) {
    std::mt19937 random(2);  // NOLINT: the same bytes every time
    TestMachine machine = healthy_machine();
    const std::string good = write_tar(capture_tree(machine.tree, machine.answers, ""));
    const TempFolder folder;
    const std::string path = folder.path() + "/m.tar";
    NoLive live;
    for (int round = 0; round < 60; ++round) {
        std::string bytes = good;
        if (round % 2 == 0) {
            bytes.resize(random() % bytes.size());
        }
        for (int i = 0; i < round && !bytes.empty(); ++i) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
        const RunResult result = run({"--json", "--root", path}, live);
        if (result.code == 3) {
            EXPECT_NE(result.err.find("m.tar"), std::string::npos) << result.err;
        } else {
            EXPECT_TRUE(result.json.is_object());
        }
    }
    for (const char* facts : {"", "[]", "{", "{\"schema\":99}", "null"}) {
        fs::create_directories(folder.path() + "/t/xdna-probe");
        std::ofstream(folder.path() + "/t/xdna-probe/facts.json") << facts;
        EXPECT_EQ(run({"--root", folder.path() + "/t"}, live).code, 3) << facts;
    }
    std::ofstream(folder.path() + "/t/xdna-probe/facts.json")
        << R"({"schema":1,"uname":7,"process":{"uid":-1,"groups":"x","memlock_soft":1e99},)"
        << R"("nodes":{"/dev/accel/accel0":{"open":"no","driver":{"value":3}}},"stat":{"/x":[]}})";
    EXPECT_EQ(run({"--root", folder.path() + "/t"}, live).code, 2);
}

TEST(Garbage, LinkLoopsFifosAndFilesForFoldersOnDisk) {
    const TempFolder folder;
    const std::string root = folder.path();
    fs::create_directories(root + "/sys/bus/pci");
    fs::create_symlink("devices", root + "/sys/bus/pci/devices");
    fs::create_directories(root + "/proc");
    fs::create_symlink("../proc/cpuinfo", root + "/proc/cpuinfo");
    fs::create_directories(root + "/etc/os-release");
    std::ofstream(root + "/sys/class") << "a file";
    ASSERT_EQ(std::system(("mkfifo " + root + "/proc/cmdline").c_str()), 0);
    fs::create_directories(root + "/usr");
    fs::create_symlink("/etc/passwd", root + "/usr/escape");
    NoLive live;
    EXPECT_EQ(run({"--json", "--root", root}, live).code, 2);
    const auto files = directory_files(root);
    EXPECT_EQ(files->read("/usr/escape", 100).error, ENOENT) << "links stay inside the tree";
    EXPECT_EQ(files->read("/../../../../etc/passwd", 100).error, ENOENT);
}

// --- watching

TEST(Watch, RatesAreTakenBetweenTwoLooks) {
    NodeAnswers before = healthy_machine().node();
    NodeAnswers now = before;
    now.contexts.value[0].submissions += 500;
    now.contexts.value[0].completions += 400;
    now.contexts.value.push_back({77, 2, 4, 1, 9, 9, 0, 0});
    const auto json = watch_json(&before, now, 0.5, 3);
    EXPECT_DOUBLE_EQ(json["contexts"][0]["submissions_per_second"], 1000.0);
    EXPECT_DOUBLE_EQ(json["contexts"][0]["completions_per_second"], 800.0);
    EXPECT_TRUE(json["contexts"][1]["submissions_per_second"].is_null()) << "was not there before";
    EXPECT_TRUE(json["power"].is_null()) << "not offered";
    const std::string text = watch_text(&before, now, 0.5);
    EXPECT_NE(text.find("4242"), std::string::npos);
    EXPECT_NE(text.find("1000"), std::string::npos);
    EXPECT_NE(text.find("0-3"), std::string::npos) << "columns of the context: " << text;
    EXPECT_NE(text.find("power not offered"), std::string::npos);
}

TEST(Watch, PrintsOneJsonObjectALineAndStops) {
    TreeLive live(healthy_machine());
    const RunResult result = run({"--watch", "--json", "--count", "3"}, live);
    EXPECT_EQ(result.code, 0);
    const std::vector<std::string> lines = split_lines(result.out);
    ASSERT_EQ(lines.size(), 3U);
    for (const std::string& line : lines) {
        EXPECT_TRUE(nlohmann::json::parse(line, nullptr, false).is_object()) << line;
    }
    live.samples = 0;
    live.stop_after = 2;
    EXPECT_EQ(run({"--watch"}, live).code, 0) << "Ctrl-C is a clean end";
    EXPECT_EQ(live.samples, 2);
}

TEST(Watch, SaysWhyThereIsNothingToWatch) {
    TestMachine closed = healthy_machine();
    closed.open_fails(EACCES);
    TreeLive live(closed);
    const RunResult result = run({"--watch"}, live);
    EXPECT_EQ(result.code, 1);
    EXPECT_NE(result.err.find("EACCES"), std::string::npos);
}

}  // namespace
}  // namespace xdna::probe
