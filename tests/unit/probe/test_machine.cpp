#include "tests/unit/probe/test_machine.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tools/xdna-probe/machine/capture.hpp"

namespace xdna::probe {

void TestMachine::file(const std::string& path, const std::string& content) {
    tree[path] = {{FileKind::kFile, 0644, 0, 0, content.size()}, content, 0};
}
void TestMachine::link(const std::string& path, const std::string& target) {
    tree[path] = {{FileKind::kLink, 0777}, target, 0};
}
void TestMachine::directory(const std::string& path) {
    tree[path] = {{FileKind::kDirectory, 0755}, "", 0};
}
void TestMachine::character_device(const std::string& path, unsigned mode, unsigned gid,
                                   unsigned major) {
    tree[path] = {{FileKind::kCharDevice, mode, 0, gid, 0, major, 0}, "", 0};
}

void TestMachine::remove(const std::string& path) {
    for (auto it = tree.lower_bound(path); it != tree.end() && it->first.starts_with(path);) {
        const bool below = it->first == path || it->first[path.size()] == '/';
        it = below ? tree.erase(it) : std::next(it);
    }
}

void TestMachine::open_fails(int error) {
    answers.process.uid = 1000;
    answers.process.cap_dac_override = false;
    NodeAnswers closed;
    closed.open_error = error;
    node() = closed;
}

void TestMachine::not_bound() {
    remove(kNode);
    directory("/dev/accel");
    remove(std::string(kFunction) + "/driver");
    remove(std::string(kFunction) + "/accel");
    remove(std::string(kFunction) + "/fw_version");
    answers.nodes.clear();
    answers.log_lines.clear();
}

void TestMachine::config_space(const std::vector<uint16_t>& capabilities) {
    std::string bytes(4096, '\0');
    const auto put = [&](size_t at, uint32_t value) {
        for (int i = 0; i < 4; ++i) {
            bytes[at + static_cast<size_t>(i)] = static_cast<char>(value >> (8 * i));
        }
    };
    put(0, 0x15021022);
    size_t at = 0x100;
    for (size_t i = 0; i < capabilities.size(); ++i) {
        const size_t next = i + 1 < capabilities.size() ? at + 0x20 : 0;
        put(at, capabilities[i] | 1U << 16 | static_cast<uint32_t>(next) << 20);
        at += 0x20;
    }
    file(std::string(kFunction) + "/config", bytes);
}

TestMachine healthy_machine() {
    TestMachine m;
    m.file("/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\n");
    m.file("/sys/class/dmi/id/product_name", "Laptop 13\n");
    m.file("/sys/class/dmi/id/bios_version", "3.05\n");
    m.file("/proc/cpuinfo",
           "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 116\n"
           "model name\t: AMD Ryzen 7 7840U w/ Radeon 780M Graphics\nflags\t\t:\n");
    m.file("/proc/cmdline", "iommu=on\n");
    m.file("/proc/self/uid_map", "0 0 4294967295\n");
    m.file("/proc/self/mountinfo", "25 1 0:6 / /dev rw - devtmpfs udev rw\n");
    m.file("/proc/modules", "amdxdna 196608 0 - Live 0x0000000000000000\n");
    m.file("/boot/config-7.2.0-test", "CONFIG_DRM_ACCEL=y\nCONFIG_DRM_ACCEL_AMDXDNA=m\n");
    m.file("/etc/group", "render:x:105:\nvideo:x:44:\n");
    m.file("/etc/security/limits.conf", "");
    m.directory("/sys/class/iommu/ivhd0");
    m.file("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
           std::string("\6\0\0\0\1", 5));
    m.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");

    const std::string modules = "/lib/modules/7.2.0-test";
    m.file(modules + "/modules.dep", "kernel/drivers/accel/amdxdna/amdxdna.ko: x.ko\n");
    m.file(modules + "/kernel/drivers/accel/amdxdna/amdxdna.ko",
           "srcversion=ABCDEF\nvermagic=7.2.0-test SMP mod_unload\nsigned=yes\n");
    m.file("/sys/module/amdxdna/srcversion", "ABCDEF\n");
    m.file("/sys/module/amdxdna/taint", "\n");
    m.file("/sys/module/amdxdna/parameters/force_iova", "N\n");
    m.file("/sys/module/amdxdna/parameters/tdr_timeout_ms", "2000\n");
    m.file("/sys/module/amdxdna/parameters/aie2_max_col", "128\n");

    const std::string function = kFunction;
    m.file(function + "/vendor", "0x1022\n");
    m.file(function + "/device", "0x1502\n");
    m.file(function + "/revision", "0x00\n");
    m.file(function + "/resource",
           "0x00000000dc600000 0x00000000dc67ffff 0x0000000000040200\n"
           "0x00000000dc680000 0x00000000dc681fff 0x0000000000040200\n"
           "0x0000007fc0000000 0x0000007fc003ffff 0x000000000014220c\n"
           "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
           "0x00000000dc6c0000 0x00000000dc6fffff 0x0000000000040200\n");
    m.config_space({0x0f, 0x13, 0x1b});
    m.file(function + "/power/runtime_status", "suspended\n");
    m.file(function + "/vbnv", "RyzenAI-npu1\n");
    m.file(function + "/fw_version", "1.5.5.391\n");
    m.link(function + "/driver", "../../../../bus/pci/drivers/amdxdna");
    m.link(function + "/iommu_group", "../../../../kernel/iommu_groups/27");
    m.file("/sys/kernel/iommu_groups/27/type", "DMA-FQ\n");
    m.directory(function + "/accel/accel0");
    m.character_device(kNode, 0660, 105);

    const std::string firmware(200 * 1024, 'f');
    m.file("/lib/firmware/amdnpu/1502_00/npu.sbin.1.5.5.391", firmware);
    m.link("/lib/firmware/amdnpu/1502_00/npu.sbin", "npu.sbin.1.5.5.391");

    m.file("/etc/ld.so.cache", "libxrt_core.so.2 => /usr/lib/x86_64-linux-gnu/libxrt_core.so.2\n");
    m.file("/usr/lib/x86_64-linux-gnu/libxrt_core.so.2.25.0", "");
    m.file("/usr/lib/x86_64-linux-gnu/libxrt_driver_xdna.so.2.25.0", "");
    m.file("/opt/xilinx/xrt/share/amdxdna/bins/xrt_smi_phx.a", "");
    m.link("/usr/bin/python3", "python3.13");
    m.file("/usr/lib/python3/dist-packages/pyxrt.cpython-313-x86_64-linux-gnu.so", "");
    m.file("/usr/share/vulkan/icd.d/radeon_icd.json", "{}");
    m.file("/sys/class/drm/renderD128/device/vendor", "0x1002\n");
    m.file("/sys/class/drm/renderD128/device/device", "0x15bf\n");
    m.link("/sys/class/drm/renderD128/device/driver", "../../bus/pci/drivers/amdgpu");

    Answers& a = m.answers;
    a.release = "7.2.0-test";
    a.machine = "x86_64";
    a.process.known = true;
    a.process.uid = 1000;
    a.process.gid = 1000;
    a.process.groups = {1000, 105};
    a.process.memlock_soft = a.process.memlock_hard = UINT64_MAX;
    a.log = LogState::kRead;
    m.log("[drm] Load firmware amdnpu/1502_00/npu.sbin");
    a.log_lines.push_back(
        "6,1001,2000001,-;[drm] Initialized amdxdna_accel_driver 0.10.0 for 0000:c5:00.1 on minor "
        "0");

    NodeAnswers& n = m.node();
    n.open_error = 0;
    n.second_open_error = 0;
    n.driver = {0, {"amdxdna_accel_driver", 0, 10, 0}};
    n.firmware = {0, "1.5.5.391"};
    n.metadata = {0, {5, 6, 4}};
    n.clocks = {0, {600, 1024}};
    n.power_mode = {0, 0};
    n.sensors = {EOPNOTSUPP, {}};
    n.contexts = {0, {{4242, 1, 0, 4, 100, 100, 0, 0}}};
    n.resources = {0, {1600, 6, 1}};
    n.async_error = {0, {}};
    Validation& v = n.validation;
    v.asked = true;
    v.allocate = v.data = v.context = v.command = 0;
    v.buffer_bytes = 16 << 20;
    v.commands = 601;
    v.first_ns = 500'000;
    v.warm_median_ns = 60'000;
    return m;
}

std::unique_ptr<Files> NoLive::files() {
    ADD_FAILURE() << "the live machine was asked for files";
    return memory_files({});
}
Answers NoLive::ask(Files& /*files*/) {
    ADD_FAILURE() << "the live machine was asked";
    return {};
}
void NoLive::validate(const std::string& /*node*/, NodeAnswers& /*answers*/) {
    ADD_FAILURE() << "the live machine was validated";
}
NodeAnswers NoLive::sample(const std::string& /*node*/) {
    ADD_FAILURE() << "the live machine was sampled";
    return {};
}
bool NoLive::wait(std::chrono::milliseconds /*time*/) {
    return false;
}
bool NoLive::write_file(const std::string& path, const std::string& /*bytes*/,
                        std::string& /*error*/) {
    ADD_FAILURE() << "written: " << path;
    return false;
}

RunResult run(const std::vector<std::string>& arguments, Live& live) {
    std::ostringstream out;
    std::ostringstream err;
    RunResult result;
    result.code = run_command(arguments, live, {}, out, err);
    result.out = out.str();
    result.err = err.str();
    result.json = nlohmann::json::parse(result.out, nullptr, false);
    return result;
}

RunResult probe(const TestMachine& machine, const std::vector<std::string>& arguments) {
    const TempFolder folder;
    const std::string path = folder.path() + "/machine.tar";
    std::ofstream(path, std::ios::binary)
        << write_tar(capture_tree(machine.tree, machine.answers, ""));
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"--root", path});
    NoLive live;
    return run(all, live);
}

nlohmann::json check(const RunResult& result, const std::string& id) {
    if (result.json.is_object()) {
        for (const auto& entry : result.json["checks"]) {
            if (entry["id"] == id) {
                return entry;
            }
        }
    }
    ADD_FAILURE() << "no check " << id << " in: " << result.out.substr(0, 400) << result.err;
    return nlohmann::json::object();
}

TempFolder::TempFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "xdna-probe-test.XXXXXX";
    path_ = mkdtemp(pattern.data()) == nullptr ? "" : pattern;
    EXPECT_FALSE(path_.empty());
}
TempFolder::~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

}  // namespace xdna::probe
