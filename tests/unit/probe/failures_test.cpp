// One broken machine for every outcome of every check: what is said of it, and the exit code.
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <set>

#include "tests/unit/probe/test_machine.hpp"
#include "tools/xdna-probe/checks/check.hpp"

namespace xdna::probe {
namespace {

struct Failure {
    const char* check;
    const char* outcome;
    const char* status;
    int exit;
    const char* remedy;  ///< a word that the remedy must hold
    std::function<void(TestMachine&)> breaks;
};
using M = TestMachine;

/// The driver's start failed with these lines.
std::function<void(M&)> start_fails(std::vector<std::string> lines) {
    return [lines](M& m) {
        m.not_bound();
        for (const std::string& line : lines) {
            m.log(line);
        }
    };
}
/// The driver works, and has logged this.
std::function<void(M&)> logs(const std::string& line) {
    return [line](M& m) { m.log(line); };
}
std::function<void(M&)> open_fails(int error, const std::string& line = "") {
    return [error, line](M& m) {
        m.open_fails(error);
        if (!line.empty()) {
            m.log(line);
        }
    };
}
std::function<void(M&)> validation_fails(int Validation::*step, int error) {
    return [step, error](M& m) {
        m.node().validation.*step = error;
        m.node().validation.failed_call = "the call that failed";
    };
}
void unloaded(M& m) {
    m.not_bound();
    m.remove("/sys/module/amdxdna");
    m.directory("/sys/module");
}
void no_npu(M& m) {
    m.not_bound();
    m.remove(kFunction);
    m.directory("/sys/bus/pci/devices");
}
void strix(M& m) {
    const std::string function = kFunction;
    m.file(function + "/device", "0x17f0\n");
    m.file(function + "/revision", "0x10\n");
    m.file(function + "/resource",
           m.tree[function + "/resource"].content +
               "0x00000000dc700000 0x00000000dc73ffff 0x0000000000040200\n");
    m.file("/lib/firmware/amdnpu/17f0_10/npu.sbin", std::string(100000, 'f'));
    m.answers.log_lines.clear();
}
const std::string kFirmware = "/lib/firmware/amdnpu/1502_00/npu.sbin";
const std::string kModules = "/lib/modules/7.2.0-test/";

const std::vector<Failure>& failures() {
    static const std::vector<Failure> all = {
        // host and kernel
        {"host.arch", "not-x86-64", "fail", 1, "Ryzen", [](M& m) { m.answers.machine = "aarch64"; m.open_fails(EINVAL); }},
        {"host.cpu", "no-npu-known", "warn", 0, "8500G", [](M& m) { m.file("/proc/cpuinfo", "vendor_id : AuthenticAMD\ncpu family : 25\nmodel : 117\nmodel name : AMD Ryzen 5 8500G\nflags :\n"); }},
        {"host.hypervisor", "refused", "fail", 1, "host", start_fails({"[drm] *ERROR* aie2_init: Running under hypervisor not supported", "[drm] *ERROR* amdxdna_probe: Hardware init failed, ret -22"})},
        {"host.hypervisor", "guest", "warn", 0, "host", [](M& m) { m.file("/proc/cpuinfo", "vendor_id : AuthenticAMD\ncpu family : 25\nmodel : 116\nmodel name : x\nflags : hypervisor\n"); }},
        {"kernel.release", "too-old", "fail", 1, "6.14", [](M& m) { m.answers.release = "6.8.0-41-generic"; m.open_fails(ENOSPC); }},
        {"kernel.release", "before-driver", "warn", 1, "newer kernel", [](M& m) { unloaded(m); m.answers.release = "6.12.9"; }},
        {"kernel.regression", "sva-off", "fail", 1, "Update the kernel", [](M& m) { m.answers.release = "6.17.0-23-generic"; m.open_fails(EINVAL); }},
        {"kernel.cmdline", "iommu-off", "fail", 1, "Take the option out", [](M& m) { unloaded(m); m.file("/proc/cmdline", "amd_iommu=off\n"); }},
        {"kernel.cmdline", "module-blocked", "fail", 1, "reboot", [](M& m) { unloaded(m); m.file("/proc/cmdline", "module_blacklist=amdxdna\n"); }},
        {"kernel.cmdline", "no-such-value", "warn", 0, "Take it out", [](M& m) { m.file("/proc/cmdline", "amd_iommu=on\n"); }},
        {"kernel.config", "accel-off", "fail", 1, "CONFIG_DRM_ACCEL", [](M& m) { unloaded(m); m.file("/boot/config-7.2.0-test", "# CONFIG_DRM_ACCEL is not set\n"); }},
        {"kernel.config", "driver-off", "fail", 1, "out-of-tree", [](M& m) { unloaded(m); m.remove("/lib/modules"); m.file("/boot/config-7.2.0-test", "CONFIG_DRM_ACCEL=y\n"); }},

        // PCI and IOMMU
        {"pci.present", "cpu-has-one", "fail", 2, "BIOS", no_npu},
        {"pci.present", "none", "fail", 2, "Phoenix", [](M& m) { no_npu(m); m.file("/proc/cpuinfo", "vendor_id : GenuineIntel\nmodel name : Core\nflags :\n"); }},
        {"pci.present", "guest", "fail", 2, "xdna-emu", [](M& m) { no_npu(m); m.file("/proc/cpuinfo", "vendor_id : AuthenticAMD\nmodel name : EPYC\nflags : hypervisor\n"); }},
        {"pci.present", "hidden", "fail", 2, "/sys", [](M& m) { no_npu(m); m.remove("/sys/bus"); }},
        {"pci.known", "dropped", "fail", 1, "6.14", [](M& m) { m.not_bound(); m.file(std::string(kFunction) + "/device", "0x17f0\n"); }},
        {"pci.known", "unknown-revision", "fail", 1, "newer kernel", [](M& m) { m.not_bound(); m.file(std::string(kFunction) + "/revision", "0x77\n"); }},
        {"pci.alive", "gone", "fail", 1, "Power the machine off", [](M& m) { m.not_bound(); m.file(std::string(kFunction) + "/config", std::string(64, '\xff')); }},
        {"pci.bars", "unassigned", "fail", 1, "Above 4G", [](M& m) { m.not_bound(); m.file(std::string(kFunction) + "/resource", "0x0 0x0 0x0\n"); }},
        {"pci.bars", "unmapped", "fail", 1, "BIOS", start_fails({"[drm] *ERROR* aie2_init: map bar 2 failed"})},
        {"iommu.enabled", "off", "fail", 1, "AMD-Vi", [](M& m) { m.not_bound(); m.remove(std::string(kFunction) + "/iommu_group"); m.remove("/sys/class/iommu"); }},
        {"iommu.enabled", "driver-refused", "fail", 1, "AMD-Vi", [](M& m) { start_fails({"[drm] *ERROR* aie2_init: Running without IOMMU not supported"})(m); m.remove(std::string(kFunction) + "/iommu_group"); }},
        {"iommu.type", "invalid-pasid", "fail", 1, "iommu=pt", [](M& m) { m.answers.log_lines.push_back("3,1,2,-;pci 0000:c5:00.1: AMD-Vi: Event logged [INVALID_DEVICE_REQUEST device=0000:c5:00.1 pasid=0xfffff address=0x0]"); }},
        {"iommu.type", "page-fault", "warn", 0, "another kernel", logs("AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x001a address=0x7f00 flags=0x0000]")},
        {"iommu.type", "passthrough", "warn", 1, "iommu=pt", [](M& m) { m.open_fails(EINVAL); m.file("/sys/kernel/iommu_groups/27/type", "identity\n"); }},
        {"iommu.pasid", "missing", "fail", 1, "BIOS", [](M& m) { m.open_fails(EINVAL); m.config_space({0x0f}); }},
        {"iommu.pasid", "enable-failed", "fail", 1, "firmware setup", start_fails({"[drm] *ERROR* aie2_init: Enable PASID failed, ret -19"})},

        // module
        {"secureboot.module", "rejected", "fail", 1, "mokutil", [](M& m) { unloaded(m); m.answers.log_lines.push_back("[   5.0] Loading of module with unavailable key is rejected"); }},
        {"secureboot.module", "unsigned", "fail", 1, "mokutil", [](M& m) { unloaded(m); m.file(kModules + "kernel/drivers/accel/amdxdna/amdxdna.ko", "signed=no\n"); }},
        {"module.dkms", "build-failed", "fail", 1, "newer out-of-tree", [](M& m) { unloaded(m); m.file("/var/lib/dkms/xrt-amdxdna/2.19.0/build/make.log", "amdxdna_pm.c:3:5: error: implicit declaration of function 'from_timer'\n"); }},
        {"module.dkms", "not-built", "warn", 0, "headers", [](M& m) { m.directory("/var/lib/dkms/xrt-amdxdna/2.19.0/source"); }},
        {"module.installed", "missing", "fail", 1, "linux-modules-extra", [](M& m) { unloaded(m); m.remove(kModules + "kernel"); m.file(kModules + "modules.dep", ""); }},
        {"module.build", "relocation", "fail", 1, "headers", [](M& m) { unloaded(m); m.answers.log_lines.push_back("<3>[ 9.1] x86/modules: Invalid relocation target, existing value is nonzero for type 1"); }},
        {"module.build", "symbols", "fail", 1, "Rebuild", [](M& m) { unloaded(m); m.answers.log_lines.push_back("[ 9.1] amdxdna: disagrees about version of symbol drm_gem_mmap"); }},
        {"module.build", "vermagic", "fail", 1, "Rebuild", [](M& m) { unloaded(m); m.file(kModules + "kernel/drivers/accel/amdxdna/amdxdna.ko", "vermagic=6.17.0-35-generic SMP\nsigned=yes\n"); }},
        {"module.loaded", "not-loaded", "fail", 1, "modprobe amdxdna", unloaded},
        {"module.loaded", "blacklisted", "fail", 1, "Remove that line", [](M& m) { unloaded(m); m.file("/etc/modprobe.d/npu.conf", "blacklist amdxdna\n"); }},
        {"module.single", "two", "warn", 0, "Keep one", [](M& m) { m.file(kModules + "updates/dkms/amdxdna.ko", "srcversion=ABCDEF\nsigned=yes\n"); m.file("/sys/module/amdxdna/taint", "OE\n"); }},
        {"module.current", "other-build", "warn", 0, "initramfs", [](M& m) { m.file("/sys/module/amdxdna/srcversion", "000000\n"); }},
        {"module.params", "unusual", "warn", 0, "modprobe.d", [](M& m) { m.file("/sys/module/amdxdna/parameters/tdr_timeout_ms", "0\n"); }},
        {"module.params", "force-iova-refused", "fail", 1, "force_iova", start_fails({"[drm] *ERROR* amdxdna_iommu_init: Failed to alloc iommu domain"})},

        // firmware
        {"firmware.file", "missing", "fail", 1, "linux-firmware", [](M& m) { m.not_bound(); m.remove("/lib/firmware"); }},
        {"firmware.sound", "dangling", "fail", 1, "Reinstall", [](M& m) { m.not_bound(); m.remove(kFirmware + ".1.5.5.391"); }},
        {"firmware.sound", "truncated", "fail", 1, "Reinstall", [](M& m) { m.not_bound(); m.file(kFirmware, "version https://git-lfs\n"); }},
        {"firmware.sound", "not-a-file", "fail", 1, "Remove it", [](M& m) { m.not_bound(); m.directory(kFirmware); }},
        {"firmware.choice", "override", "warn", 0, "npu.dev.sbin", [](M& m) { m.file("/lib/firmware/amdnpu/1502_00/npu.dev.sbin", std::string(9000, 'x')); }},
        {"firmware.choice", "replaced", "warn", 0, "Reboot", [](M& m) { m.file("/lib/firmware/amdnpu/1502_00/npu_7.sbin", std::string(9000, 'x')); }},
        {"firmware.load", "not-found", "fail", 1, "initramfs", start_fails({"Direct firmware load for amdnpu/1502_00/npu_7.sbin failed with error -2", "Direct firmware load for amdnpu/1502_00/npu.sbin failed with error -2", "[drm] *ERROR* aie2_init: failed to request_firmware amdnpu/1502_00/npu.sbin, ret -2", "probe with driver amdxdna failed with error -2"})},
        {"firmware.load", "damaged", "fail", 1, "Reinstall", start_fails({"loading /lib/firmware/amdnpu/1502_00/npu.sbin failed with error -22"})},
        {"firmware.load", "other", "fail", 1, "error number", start_fails({"Direct firmware load for amdnpu/1502_00/npu.sbin failed with error -12"})},
        {"firmware.protocol", "incompatible", "fail", 1, "matching pair", start_fails({"[drm] *ERROR* aie2_check_protocol: Incompatible firmware protocol major 7 minor 2", "[drm] *ERROR* aie2_hw_start: firmware is not alive"})},
        {"firmware.protocol", "refused", "fail", 1, "matching pair", start_fails({"probe with driver amdxdna failed with error -95"})},
        {"firmware.start", "power-stuck", "fail", 1, "reboot", start_fails({"[drm] *ERROR* aie2_smu_exec: smu cmd 4 failed, 0xff", "[drm] *ERROR* aie2_smu_init: Access power failed, ret -22", "probe with driver amdxdna failed with error -22"})},
        {"firmware.start", "wrong-device", "fail", 1, "revision", start_fails({"[drm] *ERROR* aie2_get_mgmt_chann_info: Invalid mbox magic 0x30ec000"})},
        {"firmware.start", "psp-refused", "fail", 1, "BIOS", start_fails({"[drm] *ERROR* psp_exec: fw return error 0x4"})},
        {"firmware.start", "not-alive", "fail", 1, "matching pair", start_fails({"[drm] *ERROR* aie2_hw_start: firmware is not alive"})},
        {"firmware.running", "unknown", "warn", 0, "note the firmware", [](M& m) { m.node().firmware = {EINVAL, ""}; m.remove(std::string(kFunction) + "/fw_version"); }},
        {"firmware.runtimes", "too-old", "warn", 0, "Newer firmware", [](M& m) { strix(m); m.node().firmware = {0, "1.0.0.63"}; }},

        // binding, node, open
        {"driver.bound", "other-driver", "fail", 1, "vfio-pci", [](M& m) { m.not_bound(); m.link(std::string(kFunction) + "/driver", "../vfio-pci"); }},
        {"driver.bound", "probe-failed", "fail", 1, "dmesg", start_fails({"probe with driver amdxdna failed with error -12"})},
        {"driver.bound", "unbound", "fail", 1, "dmesg", [](M& m) { m.not_bound(); }},
        {"node.exists", "missing", "fail", 1, "udev", [](M& m) { m.remove(kNode); m.answers.nodes.clear(); }},
        {"node.exists", "not-passed", "fail", 1, "--device", [](M& m) { m.remove(kNode); m.answers.nodes.clear(); m.file("/.dockerenv", ""); }},
        {"node.device", "not-a-device", "fail", 1, "start the container", [](M& m) { m.remove(kNode); m.directory(kNode); m.open_fails(EISDIR); }},
        {"node.device", "wrong-major", "fail", 1, "udev", [](M& m) { m.character_device(kNode, 0660, 105, 226); m.open_fails(ENXIO); }},
        {"node.container", "cgroup", "fail", 1, "--device", [](M& m) { m.open_fails(EPERM); m.file("/run/.containerenv", ""); m.file("/proc/self/mountinfo", "99 1 0:6 /accel/accel0 /dev/accel/accel0 rw - devtmpfs udev rw\n"); }},
        {"node.container", "nogroup", "fail", 1, "keep-groups", [](M& m) { m.open_fails(EACCES); m.character_device(kNode, 0660, 65534); m.file("/proc/self/uid_map", "0 1000 1\n"); }},
        {"node.permission", "not-in-group", "fail", 1, "usermod -aG render", [](M& m) { m.open_fails(EACCES); m.answers.process.groups = {1000}; }},
        {"node.permission", "mode", "fail", 1, "udev", [](M& m) { m.open_fails(EACCES); m.character_device(kNode, 0600, 0); }},
        {"node.open", "disabled-by-kernel", "fail", 1, "series", open_fails(EINVAL, "[drm] *ERROR* amdxdna_drm_open: SVA bind device failed, ret -95")},
        {"node.open", "no-iommu", "fail", 1, "amd_iommu=off", open_fails(EINVAL, "[drm] *ERROR* amdxdna_sva_init: SVA bind device failed, ret -19")},
        {"node.open", "no-pasid-space", "fail", 1, "6.10", open_fails(ENOSPC)},
        {"node.open", "other", "fail", 1, "IOMMU", open_fails(EINVAL, "[drm] *ERROR* amdxdna_drm_open: PASID unavailable and carveout not configured")},
        {"node.open", "einval-hidden", "fail", 1, "dmesg", [](M& m) { m.open_fails(EINVAL); m.answers.log = LogState::kDenied; m.answers.log_lines.clear(); }},
        {"node.open", "einval", "fail", 1, "--collect", open_fails(EINVAL)},
        {"node.open", "no-permission", "fail", 1, "usermod", [](M& m) { m.open_fails(EACCES); m.answers.process.known = false; }},
        {"node.open", "busy", "fail", 1, "fuser", open_fails(EBUSY)},
        {"node.open", "busy-second", "warn", 0, "one runtime", [](M& m) { m.node().second_open_error = EBUSY; }},
        {"node.open", "no-memory", "fail", 1, "memory", open_fails(ENOMEM)},
        {"node.open", "no-device-behind", "fail", 1, "Reload", open_fails(ENXIO)},
        {"node.open", "too-many-files", "fail", 1, "ulimit", open_fails(EMFILE)},
        {"node.open", "unexpected", "fail", 1, "--collect", open_fails(EXDEV)},

        // driver
        {"driver.version", "not-amdxdna", "fail", 1, "own node", [](M& m) { m.node().driver.value.name = "intel_vpu"; }},
        {"driver.version", "other-major", "warn", 0, "6.14", [](M& m) { m.node().driver.value.major = 2; }},
        {"driver.version", "no-answer", "fail", 1, "Reload", [](M& m) { m.node().driver = {EINVAL, {}}; }},
        {"driver.minor", "old", "warn", 0, "newer kernel", [](M& m) { m.node().driver.value.minor = 0; }},
        {"driver.answers", "torn-down", "fail", 1, "Reload the module", [](M& m) { m.node().metadata = {ENODEV, {}}; }},
        {"driver.answers", "wedged", "fail", 1, "reboot", [](M& m) { m.node().metadata = {ETIME, {}}; }},
        {"driver.answers", "refused", "fail", 1, "--collect", [](M& m) { m.node().metadata = {EFAULT, {}}; }},
        {"driver.columns", "none", "fail", 1, "aie2_max_col", [](M& m) { m.node().metadata.value = {0, 6, 4}; }},
        {"driver.columns", "limited", "warn", 0, "aie2_max_col", [](M& m) { m.file("/sys/module/amdxdna/parameters/aie2_max_col", "2\n"); }},
        {"limits.memlock", "below-heap", "fail", 1, "limits.d", [](M& m) { m.answers.process.memlock_soft = 8192 * 1024; }},
        {"limits.memlock", "below-heap-no-xrt", "warn", 0, "limits.d", [](M& m) { m.answers.process.memlock_soft = 8192 * 1024; m.remove("/usr/lib"); m.remove("/etc/ld.so.cache"); }},
        {"limits.memlock", "stale-session", "fail", 1, "user@.service", [](M& m) { m.answers.process.memlock_soft = 65536; m.file("/etc/security/limits.d/99-npu.conf", "* - memlock unlimited\n"); }},
        {"context.slots", "full", "fail", 1, "Close one", [](M& m) { m.node().resources.value.task_current = 6; }},
        {"context.errors", "errors", "warn", 0, "program", [](M& m) { m.node().contexts.value[0].errors = 3; }},
        {"context.async", "error", "warn", 0, "kernel", [](M& m) { m.node().async_error = {0, {0x5, "core: instruction error"}}; }},
        {"power.mode", "low", "warn", 0, "root", [](M& m) { m.node().power_mode.value = 1; }},
        {"power.clock", "lowest-while-busy", "warn", 0, "power mode", [](M& m) { m.node().clocks.value = {400, 800}; m.node().contexts.value[0].completions = 90; }},
        {"power.sensors", "no-source", "warn", 0, "amd_pmf", [](M& m) { strix(m); m.node().sensors = {ENODEV, {}}; }},

        // log
        {"power.suspend", "runtime-error", "fail", 1, "Reload", [](M& m) { m.file(std::string(kFunction) + "/power/runtime_status", "error\n"); m.open_fails(EIO); }},
        {"power.suspend", "resume-failed", "fail", 1, "before sleep", [](M& m) { m.open_fails(EIO); m.log("[drm] *ERROR* aie2_hw_resume: Start hardware failed, -22"); }},
        {"power.suspend", "suspend-failed", "warn", 0, "newer driver", logs("[drm] *ERROR* amdxdna_do_suspend: suspend NPU firmware failed")},
        {"log.readable", "denied", "warn", 1, "sudo dmesg", [](M& m) { m.open_fails(EINVAL); m.answers.log = LogState::kDenied; }},
        {"log.hang", "timeout", "warn", 0, "tdr_timeout_ms", logs("[drm] *ERROR* aie2_tdr_work: TDR timeout detected")},
        {"log.wedged", "flr", "fail", 1, "Reboot", [](M& m) { m.open_fails(ENXIO); m.log("not ready 65535ms after FLR; giving up"); }},
        {"log.wedged", "mailbox", "fail", 1, "ebd297c", [](M& m) { m.node().metadata = {ENODEV, {}}; m.log("xdna_mailbox.12: Channel in bad state"); }},
        {"log.context", "slots", "warn", 0, "context.slots", logs("[drm] *ERROR* aie_send_mgmt_msg_wait: command opcode 0x2 failed, status 0x2000003")},
        {"log.context", "no-heap", "warn", 0, "heap", logs("[drm] *ERROR* aie2_hwctx_init: The client dev heap object not exist")},
        {"log.context", "heap-unmapped", "warn", 0, "64 MiB", logs("[drm] *ERROR* aie2_hwctx_init: Map host buffer failed, ret -22")},
        {"log.buffers", "cma", "warn", 0, "newer driver", logs("[drm] *ERROR* Heap BO is not supported on CMA platform")},
        {"log.buffers", "old-driver", "warn", 0, "Match", logs("[drm] *ERROR* amdxdna_drm_submit_execbuf: Invalid arg bo count 0")},
        {"log.buffers", "noncontiguous", "warn", 0, "force_iova", logs("[drm] *ERROR* amdxdna_dma_map_bo: noncontiguous dma addr, contig size:4096, expected size:8192")},
        {"log.buffers", "pin", "warn", 0, "mapped", logs("[drm] *ERROR* amdxdna_get_ubuf: Failed to pin pages ret -14")},
        {"log.unknown", "unknown", "warn", 0, "--collect", logs("[drm] *ERROR* aie9_frobnicate: the flux capacitor is empty")},

        // validation
        {"run.buffers", "no-memory", "fail", 1, "memlock", validation_fails(&Validation::allocate, ENOMEM)},
        {"run.buffers", "would-block", "fail", 1, "memlock", validation_fails(&Validation::allocate, EAGAIN)},
        {"run.buffers", "not-offered", "fail", 1, "newer driver", validation_fails(&Validation::allocate, EOPNOTSUPP)},
        {"run.buffers", "failed", "fail", 1, "dmesg", validation_fails(&Validation::allocate, EINVAL)},
        {"run.data", "corrupt", "fail", 1, "Do not trust", validation_fails(&Validation::data, EIO)},
        {"run.data", "failed", "fail", 1, "dmesg", validation_fails(&Validation::data, EINVAL)},
        {"run.context", "slots", "fail", 1, "Close a holder", validation_fails(&Validation::context, EINVAL)},
        {"run.context", "no-columns", "fail", 1, "another program", validation_fails(&Validation::context, ENODEV)},
        {"run.context", "no-heap", "fail", 1, "report", validation_fails(&Validation::context, ENOENT)},
        {"run.context", "hung", "fail", 1, "Reload", validation_fails(&Validation::context, ETIME)},
        {"run.context", "failed", "fail", 1, "dmesg", validation_fails(&Validation::context, EFAULT)},
        {"run.command", "timeout", "fail", 1, "Reload", validation_fails(&Validation::command, ETIME)},
        {"run.command", "ended-badly", "fail", 1, "Match firmware", validation_fails(&Validation::command, EIO)},
        {"run.command", "not-executable", "fail", 1, "virtual", validation_fails(&Validation::command, EOPNOTSUPP)},
        {"run.command", "failed", "fail", 1, "dmesg", validation_fails(&Validation::command, EINVAL)},
        {"run.latency", "slow", "warn", 0, "power.mode", [](M& m) { m.node().validation.warm_median_ns = 5e6; }},

        // user space
        {"xrt.plugin", "missing", "fail", 1, "plug-in", [](M& m) { m.remove("/usr/lib/x86_64-linux-gnu/libxrt_driver_xdna.so.2.25.0"); }},
        {"xrt.plugin", "elsewhere", "fail", 1, "LD_LIBRARY_PATH", [](M& m) { m.answers.environment["LD_LIBRARY_PATH"] = "/opt/other/lib"; m.file("/opt/other/lib/libxrt_core.so.2.19.0", ""); }},
        {"xrt.single", "several", "warn", 0, "Keep one", [](M& m) { m.file("/opt/xilinx/xrt/lib/libxrt_core.so.2.19.0", ""); }},
        {"xrt.archive", "missing", "warn", 0, "not tested", [](M& m) { m.remove("/opt/xilinx"); }},
        {"python.binding", "other-version", "warn", 0, "Python", [](M& m) { m.link("/usr/bin/python3", "python3.12"); }},
        {"apps.generation", "needs-xdna2", "warn", 0, "XDNA 1", [](M& m) { m.file("/usr/bin/flm", ""); }},
        {"vulkan.driver", "no-driver", "warn", 0, "mesa-vulkan-drivers", [](M& m) { m.remove("/usr/share/vulkan"); }},
    };
    return all;
}

TEST(ProbeFailures, EachIsNamedWithItsRemedyAndExitCode) {
    for (const Failure& failure : failures()) {
        SCOPED_TRACE(std::string(failure.check) + " / " + failure.outcome);
        TestMachine machine = healthy_machine();
        failure.breaks(machine);
        const RunResult result = probe(machine);
        const nlohmann::json entry = check(result, failure.check);
        EXPECT_EQ(entry.value("status", ""), failure.status) << entry;
        ASSERT_TRUE(entry["outcome"].is_string()) << entry;
        EXPECT_EQ(entry["outcome"], failure.outcome);
        EXPECT_FALSE(entry["seen"].get<std::string>().empty());
        EXPECT_FALSE(entry["cause"].get<std::string>().empty());
        EXPECT_FALSE(entry["source"].get<std::string>().empty());
        EXPECT_NE(entry["remedy"].get<std::string>().find(failure.remedy), std::string::npos)
            << entry["remedy"];
        EXPECT_EQ(result.code, failure.exit);
    }
}

TEST(ProbeFailures, EveryOutcomeOfEveryCheckHasAMachine) {
    std::set<std::string> covered;
    for (const Failure& failure : failures()) {
        covered.insert(std::string(failure.check) + "/" + failure.outcome);
    }
    for (const Check& each : checks()) {
        EXPECT_FALSE(each.outcomes.empty()) << each.id;
        for (const Outcome& outcome : each.outcomes) {
            const std::string key = std::string(each.id) + "/" + outcome.id;
            EXPECT_EQ(covered.erase(key), 1U) << key << " has no machine in this table";
        }
    }
    EXPECT_TRUE(covered.empty()) << *covered.begin() << " is no outcome";
}

TEST(ProbeFailures, EveryCheckPassesOnSomeMachine) {
    std::set<std::string> passed;
    TestMachine newer = healthy_machine();
    strix(newer);
    newer.node().firmware.value = "1.1.2.64";
    newer.node().sensors = {0, {{"Total Power", "mW", 1500, true}}};
    for (const TestMachine& machine : {healthy_machine(), newer}) {
        const RunResult result = probe(machine);
        for (const auto& entry : result.json["checks"]) {
            if (entry["status"] == "pass") {
                passed.insert(entry["id"].get<std::string>());
            }
        }
    }
    for (const Check& each : checks()) {
        EXPECT_EQ(passed.count(each.id), 1U) << each.id << " never passes";
    }
}

TEST(ProbeFailures, NoOutcomeSuggestsAFunctionLevelReset) {
    for (const Check& each : checks()) {
        for (const Outcome& outcome : each.outcomes) {
            const std::string remedy = outcome.remedy;
            EXPECT_EQ(remedy.find("FLR"), std::string::npos) << each.id << " " << outcome.id;
            EXPECT_EQ(remedy.find("/reset"), std::string::npos) << each.id << " " << outcome.id;
        }
    }
}

}  // namespace
}  // namespace xdna::probe
