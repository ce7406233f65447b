#include <algorithm>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

// --- host.arch
constexpr Outcome kArch[] = {
    {"not-x86-64", Status::kFail, "The driver and the NPU exist on x86-64 only.",
     "Run it on an AMD Ryzen machine.", "Linux drivers/accel/amdxdna/Kconfig"},
};
Verdict check_arch(const Machine& m) {
    if (m.answers.machine.empty()) {
        return skip("not recorded");
    }
    return m.answers.machine == "x86_64" ? pass(m.answers.machine)
                                         : bad("not-x86-64", printable(m.answers.machine));
}

// --- host.cpu
// Families and models: Linux arch/x86/kernel/cpu/amd.c (bsp_init_amd). A range holds parts with
// and without an NPU, so this only says whether to look further.
struct CpuRange {
    unsigned family;
    unsigned first;
    unsigned last;
    const char* name;
};
constexpr CpuRange kNpuCpus[] = {
    {0x19, 0x70, 0x7f, "Phoenix or Hawk Point"},
    {0x1a, 0x20, 0x2f, "Strix Point"},
    {0x1a, 0x60, 0x6f, "Krackan Point"},
    {0x1a, 0x70, 0x7f, "Strix Halo"},
};
// Desktop parts of these families that were sold without the NPU (amd/IRON README).
constexpr const char* kWithoutNpu[] = {"8500G", "8300G", "8400F"};

const CpuRange* npu_cpu(const Cpu& cpu) {
    const bool without =
        std::any_of(std::begin(kWithoutNpu), std::end(kWithoutNpu),
                    [&](const char* part) { return cpu.name.find(part) != std::string::npos; });
    const auto* range = std::find_if(std::begin(kNpuCpus), std::end(kNpuCpus), [&](const auto& r) {
        return cpu.family == r.family && cpu.model >= r.first && cpu.model <= r.last;
    });
    return cpu.vendor != "AuthenticAMD" || without || range == std::end(kNpuCpus) ? nullptr : range;
}
constexpr Outcome kCpu[] = {
    {"no-npu-known", Status::kWarn,
     "No part of this CPU's family and model is known to hold an NPU.",
     "pci.present says which parts have one. Of the desktop 8000G series, the 8500G and 8300G have "
     "none.",
     "amd/IRON README; amd/RyzenAI-SW issue 5"},
};
Verdict check_cpu(const Machine& m) {
    const Cpu& cpu = m.host.cpu;
    if (cpu.vendor.empty()) {
        return skip("not recorded");
    }
    const CpuRange* range = npu_cpu(cpu);
    return range == nullptr ? bad("no-npu-known", cpu.name)
                            : pass(cpu.name + " (" + range->name + ")");
}

// --- host.hypervisor
constexpr Outcome kHypervisor[] = {
    {"refused", Status::kFail, "The driver refuses to run in a virtual machine.",
     "Use the NPU on the host, or the virtio route (amd/virtio-npu).",
     "amd/xdna-driver issues 178, 1578; drivers/accel/amdxdna/aie2_pci.c"},
    {"guest", Status::kWarn,
     "This is a virtual machine: the driver refuses an NPU that was passed through to it.",
     "Use the NPU on the host.", "amd/xdna-driver issue 178"},
};
Verdict check_hypervisor(const Machine& m) {
    if (const LogMatch* match = logged(m, "host.hypervisor")) {
        return bad(match->outcome, match->line);
    }
    if (m.host.cpu.guest == Known::kUnknown) {
        return skip("not recorded");
    }
    if (m.host.cpu.guest == Known::kNo || m.host.xen == "xen") {
        return pass(m.host.xen == "xen" ? "Xen, which newer drivers accept" : "bare metal");
    }
    return bad("guest", "the CPU has the flag 'hypervisor'");
}

// --- kernel.release
constexpr Outcome kRelease[] = {
    {"too-old", Status::kFail, "Shared virtual addressing with AMD's IOMMU came with Linux 6.10.",
     "Move to Linux 6.14 or newer, which brings the driver too.", "amd/xdna-driver issue 62"},
    {"before-driver", Status::kWarn, "The driver came into Linux with 6.14.",
     "Move to a newer kernel, or install the out-of-tree driver (amd/xdna-driver).",
     "Linux 6.14, drivers/accel/amdxdna"},
};
Verdict check_release(const Machine& m) {
    const std::string& release = m.answers.release;
    if (release.empty()) {
        return skip("not recorded");
    }
    if (compare_version(release, "6.10") < 0) {
        return bad("too-old", printable(release));
    }
    const bool has_module = !m.module.files.empty() || m.module.loaded == Known::kYes;
    return compare_version(release, "6.14") < 0 && !has_module
               ? bad("before-driver", printable(release))
               : pass(printable(release));
}

// --- kernel.regression
// Stable kernels with upstream 72f98ef9a4be (SVA off on x86), without the series that makes SVA
// safe again (amd/xdna-driver issue 1028, endlessm/linux pull 640).
constexpr const char* kBrokenSva[] = {"6.17.0-23", "6.18.5", "6.18.7"};
constexpr Outcome kRegression[] = {
    {"sva-off", Status::kFail,
     "This stable kernel disabled SVA on x86 without the series that "
     "makes it safe: open() of the NPU fails with -95.",
     "Update the kernel (Ubuntu 6.17.0-29 is good), or go back (Ubuntu 6.14.0-20).",
     "amd/xdna-driver issue 1028"},
};
Verdict check_regression(const Machine& m) {
    const std::string& release = m.answers.release;
    if (release.empty()) {
        return skip("not recorded");
    }
    for (const char* broken : kBrokenSva) {
        const std::string prefix = broken;
        const bool whole = release.size() == prefix.size() ||
                           (release.starts_with(prefix) && release[prefix.size()] == '-');
        if (release.starts_with(prefix) && whole) {
            return bad("sva-off", printable(release));
        }
    }
    return pass("not one of the releases known to break the NPU");
}

// --- kernel.cmdline
constexpr Outcome kCmdline[] = {
    {"iommu-off", Status::kFail,
     "The IOMMU is switched off at boot, and the driver needs it. "
     "Recipes for a large GTT of the iGPU often add this.",
     "Take the option out; size the GTT with ttm.pages_limit instead.",
     "datawhalechina hello-rocm; ROCm/FastFlowLM issue 403"},
    {"module-blocked", Status::kFail, "The boot options keep the module from loading.",
     "Take the option out and reboot.", "Linux Documentation/admin-guide/kernel-parameters"},
    {"no-such-value", Status::kWarn, "amd_iommu takes no value 'on'; the option does nothing.",
     "Take it out: the IOMMU is on by default.", "openshift/openshift-docs pull 118945"},
};
Verdict check_cmdline(const Machine& m) {
    if (!m.host.cmdline_known) {
        return skip("not recorded");
    }
    std::string harmless;
    for (const std::string& option : m.host.cmdline) {
        const bool blocks =
            option.starts_with("module_blacklist=") || option.starts_with("modprobe.blacklist=");
        if (option == "amd_iommu=off" || option == "iommu=off") {
            return bad("iommu-off", option);
        }
        if (blocks && option.find("amdxdna") != std::string::npos) {
            return bad("module-blocked", printable(option));
        }
        harmless = option == "amd_iommu=on" ? option : harmless;
    }
    return harmless.empty() ? pass("nothing that concerns the NPU is off")
                            : bad("no-such-value", harmless);
}

// --- kernel.config
constexpr Outcome kConfig[] = {
    {"accel-off", Status::kFail, "This kernel was built without the accel subsystem.",
     "Use a kernel with CONFIG_DRM_ACCEL=y.", "jaminmc/pve-kernel issue 1"},
    {"driver-off", Status::kFail,
     "This kernel was built without the driver, and no out-of-tree one is installed.",
     "Use a kernel with CONFIG_DRM_ACCEL_AMDXDNA=m, or install the out-of-tree driver.",
     "jaminmc/pve-kernel issue 1; drivers/accel/amdxdna/Kconfig"},
};
Verdict check_config(const Machine& m) {
    if (!m.host.config_known) {
        return skip("the kernel's configuration is not in /boot");
    }
    const auto value = [&](const char* key) {
        const auto found = m.host.config.find(key);
        return found == m.host.config.end() ? std::string("n") : found->second;
    };
    const std::string accel = value("CONFIG_DRM_ACCEL");
    const std::string driver = value("CONFIG_DRM_ACCEL_AMDXDNA");
    if (accel == "n") {
        return bad("accel-off", "CONFIG_DRM_ACCEL is not set");
    }
    if (driver == "n" && m.module.files.empty()) {
        return bad("driver-off", "CONFIG_DRM_ACCEL_AMDXDNA is not set");
    }
    return pass("CONFIG_DRM_ACCEL=" + accel + ", CONFIG_DRM_ACCEL_AMDXDNA=" + driver);
}

constexpr Check kChecks[] = {
    {"host.arch", "host", "architecture", "", kNeedsNothing, Role::kCause, check_arch, kArch},
    {"host.cpu", "host", "CPU", "", kNeedsNothing, Role::kCause, check_cpu, kCpu},
    {"host.hypervisor", "host", "virtual machine", "", kNeedsNothing, Role::kCause,
     check_hypervisor, kHypervisor},
    {"kernel.release", "kernel", "kernel version", "", kNeedsNothing, Role::kCause, check_release,
     kRelease},
    {"kernel.regression", "kernel", "known bad kernels", "", kNeedsNothing, Role::kCause,
     check_regression, kRegression},
    {"kernel.cmdline", "kernel", "boot options", "", kNeedsNothing, Role::kCause, check_cmdline,
     kCmdline},
    {"kernel.config", "kernel", "kernel configuration", "", kNeedsNpu, Role::kCause, check_config,
     kConfig},
};

}  // namespace

std::span<const Check> host_checks() {
    return kChecks;
}

}  // namespace xdna::probe
