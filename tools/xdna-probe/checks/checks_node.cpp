#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr unsigned kAccelMajor = 261;    // ACCEL_MAJOR, Linux include/drm/drm_accel.h
constexpr unsigned kOverflowId = 65534;  // nobody, nogroup: an id that has no name in here

std::string describe_node(const Device& npu) {
    char text[96];
    const FileStat& stat = npu.node_stat.value;
    std::snprintf(text, sizeof text, "mode %04o, owner %u, group %u", stat.mode, stat.uid,
                  stat.gid);
    return npu.node + ": " + text;
}

// --- driver.bound
constexpr Outcome kBound[] = {
    {"other-driver", Status::kFail, "Another driver holds the NPU.",
     "Take the NPU off that driver's list (vfio-pci: its ids= option or driver_override), reload "
     "amdxdna.",
     "inferred"},
    {"probe-failed", Status::kFail, "The driver tried to start the NPU and gave up.",
     "Read the lines before this one: sudo dmesg | grep -i -e amdxdna -e amdnpu.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c"},
    {"unbound", Status::kFail, "The module is loaded, but bound no driver to the NPU.",
     "sudo dmesg | grep -i -e amdxdna -e amdnpu names the reason; then reload the module.",
     "amd/xdna-driver README"},
};
Verdict check_bound(const Machine& m) {
    const Device& npu = *m.npu();
    if (npu.bdf.empty()) {
        return skip("the PCI function is not visible");
    }
    if (npu.driver == "amdxdna") {
        return pass("amdxdna");
    }
    if (!npu.driver.empty()) {
        return bad("other-driver", npu.bdf + " is bound to " + npu.driver);
    }
    if (m.npu_works()) {
        return skip("the node answers; the binding is not visible");
    }
    if (const LogMatch* match = logged(m, "driver.bound")) {
        return bad(match->outcome, match->line);
    }
    return bad("unbound", npu.bdf + " has no driver");
}

// --- node.exists
constexpr Outcome kExists[] = {
    {"not-passed", Status::kFail, "This container was not given the device.",
     "Pass it as a device: --device /dev/accel/accel0 --group-add with the host's numeric render "
     "group. If that fails on the host, repair the host first.",
     "lemonade-sdk/lemonade issue 2742; amd/xdna-driver issue 282"},
    {"missing", Status::kFail, "The driver is bound, but /dev has no node for it.",
     "Check that udev or devtmpfs runs; mknod by hand only as a stopgap.",
     "amd/xdna-driver issue 282"},
};
Verdict check_exists(const Machine& m) {
    const Device& npu = *m.npu();
    if (!npu.node.empty()) {
        return pass(npu.node);
    }
    const std::string name = "/dev/accel/" + (npu.sysfs_node.empty() ? "accel0" : npu.sysfs_node);
    return bad(m.host.container.empty() ? "missing" : "not-passed",
               name + ": " + errno_text(npu.node_stat.error));
}

// --- node.device
constexpr Outcome kDevice[] = {
    {"not-a-device", Status::kFail,
     "The path is not a character device: a container runtime makes an empty directory or file "
     "when asked to mount a node that the host did not have.",
     "Remove it, load the driver, start the container again.", "amd/xdna-driver issue 282"},
    {"wrong-major", Status::kFail, "The node does not belong to the accel subsystem.",
     "Remove it; udev makes the right one when the module loads.", "include/drm/drm_accel.h"},
};
Verdict check_device(const Machine& m) {
    const Device& npu = *m.npu();
    const FileStat& stat = npu.node_stat.value;
    if (stat.kind != FileKind::kCharDevice) {
        return bad("not-a-device", npu.node + " is no character device");
    }
    const std::string numbers = std::to_string(stat.major) + ":" + std::to_string(stat.minor);
    return stat.major == kAccelMajor ? pass("character device " + numbers)
                                     : bad("wrong-major", npu.node + " is " + numbers);
}

// --- node.container
constexpr Outcome kContainer[] = {
    {"cgroup", Status::kFail,
     "The node was mounted into the container as a file, so the container's device list does not "
     "allow it: open() gives EPERM whatever the permissions.",
     "Pass it as a device (--device /dev/accel/accel0), not as a volume; add the host's numeric "
     "render group (--group-add).",
     "lemonade-sdk/lemonade issue 2742"},
    {"nogroup", Status::kFail,
     "The node's owner or group has no counterpart in this user namespace, so its permissions "
     "cannot apply to anybody here.",
     "Give the container the group: podman --group-add keep-groups, docker --group-add with the "
     "host's numeric render group.",
     "lemonade-sdk/lemonade issue 2742"},
};
Verdict check_container(const Machine& m) {
    const Device& npu = *m.npu();
    const FileStat& stat = npu.node_stat.value;
    const int error = npu.answers.open_error;
    if (error == 0) {
        return pass(m.host.container.empty() ? "not in a container" : "open() works in here");
    }
    if (error == EPERM) {
        return bad("cgroup", "open: " + errno_text(error) + "; " + describe_node(npu) +
                                 (npu.node_mounted ? "; a mount of its own" : ""));
    }
    const bool nobodys = stat.gid == kOverflowId || stat.uid == kOverflowId;
    const bool contained = m.host.user_namespace || !m.host.container.empty() || npu.node_mounted;
    return nobodys && contained
               ? bad("nogroup", describe_node(npu))
               : pass(contained ? "in a container; no trap found" : "not in a container");
}

// --- node.permission
constexpr Outcome kPermission[] = {
    {"not-in-group", Status::kFail,
     "This process may not open the node: it is not in the node's group, or the session began "
     "before the user was added to it.",
     "sudo usermod -aG render $USER; then log out of all sessions and in again (id must list the "
     "group).",
     "FastFlowLM issue 400"},
    {"mode", Status::kFail, "The node's mode allows no group to open it.",
     "Let udev set it: SUBSYSTEM==\"accel\", GROUP=\"render\", MODE=\"0660\"; then udevadm "
     "trigger.",
     "inferred"},
};
Verdict check_permission(const Machine& m) {
    const Device& npu = *m.npu();
    const Process& process = m.answers.process;
    const FileStat& stat = npu.node_stat.value;
    if (npu.answers.open_error == 0) {
        return pass(describe_node(npu));
    }
    if (!process.known) {
        return skip("not recorded who asked");
    }
    const bool member = process.gid == stat.gid ||
                        std::count(process.groups.begin(), process.groups.end(), stat.gid) != 0;
    constexpr unsigned kReadWrite = 6;
    const unsigned bits = process.uid == stat.uid ? stat.mode >> 6
                          : member                ? stat.mode >> 3
                                                  : stat.mode;
    if (process.cap_dac_override || (bits & kReadWrite) == kReadWrite) {
        return npu.answers.open_error == EACCES
                   ? bad("mode", "open: " + errno_text(EACCES) + "; " + describe_node(npu))
                   : pass(describe_node(npu));
    }
    const bool group_would_do = (stat.mode >> 3 & kReadWrite) == kReadWrite && !member;
    return bad(group_would_do ? "not-in-group" : "mode",
               describe_node(npu) + "; this is user " + std::to_string(process.uid) +
                   (member ? ", in that group" : ", not in that group"));
}

// --- node.open
constexpr Outcome kOpen[] = {
    {"disabled-by-kernel", Status::kFail,
     "This kernel does not let the NPU share a process's address space: stable kernels took the "
     "change that disables SVA on x86 without the series that makes it safe.",
     "Move to a kernel with the whole series (Ubuntu 6.17.0-29, Linux 6.19), or back one.",
     "amd/xdna-driver issue 1028; endlessm/linux pull 640"},
    {"no-iommu", Status::kFail,
     "The NPU has no usable IOMMU or PASID: AMD-Vi is off in the firmware setup, or "
     "amd_iommu=off is on the boot options.",
     "Enable IOMMU in the firmware setup; remove amd_iommu=off.",
     "amd/xdna-driver issue 704; ROCm/FastFlowLM issue 403"},
    {"no-pasid-space", Status::kFail,
     "No PASID can be had for the NPU: the kernel lacks shared virtual addressing with AMD's "
     "IOMMU.",
     "Linux 6.10 or newer.", "amd/xdna-driver issue 62; drivers/iommu/iommu-sva.c"},
    {"other", Status::kFail, "Binding the process's address space to the NPU failed.",
     "Compare IOMMU mode and kernel version with the lines above; the error number in the log is "
     "the IOMMU driver's.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c"},
    {"einval-hidden", Status::kFail,
     "Newer drivers answer EINVAL for every failure to bind the address space (IOMMU, PASID) and "
     "put the real error into the kernel log, which cannot be read here.",
     "sudo dmesg | grep amdxdna: the line 'SVA bind device failed, ret N' names it; or run this "
     "probe as root.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c (amdxdna_drm_open)"},
    {"einval", Status::kFail,
     "The driver refused to open the NPU for this process, and the kernel log has no line about "
     "it.",
     "Reload the module and try again; if it stays, report it with the output of --collect.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c"},
    {"no-permission", Status::kFail, "The kernel denies this process access to the node.",
     "sudo usermod -aG render $USER; then log out and in again. If the group is right already, a "
     "security module (AppArmor, SELinux) or a nodev mount stands in the way.",
     "FastFlowLM issue 400"},
    {"busy", Status::kFail,
     "Another open file of this or another program holds the NPU exclusively.",
     "Close the other program (fuser -v /dev/accel/accel0 lists it) and try again.",
     "ROCm/FastFlowLM release v1.0.9"},
    {"busy-second", Status::kWarn,
     "The NPU opens once in a process; a second open, as by two runtimes in one program, is "
     "refused.",
     "Use one runtime per process.", "ROCm/FastFlowLM release v1.0.9"},
    {"no-memory", Status::kFail, "The kernel had no memory for another client of the NPU.",
     "Free memory; see the kernel log for the allocation that failed.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c (amdxdna_drm_open)"},
    {"no-device-behind", Status::kFail,
     "The node is there, but no driver serves it any more: the driver was unbound, or its start "
     "failed after an earlier one had made the node.",
     "Reload the module; if it fails, the kernel log names the reason.", "include/drm/drm_accel.h"},
    {"too-many-files", Status::kFail, "The limit of open files is reached.",
     "Raise it (ulimit -n), or close files.", "open(2)"},
    {"unexpected", Status::kFail, "open() failed in a way that no known problem explains.",
     "Look into the kernel log; report it with the output of --collect.", "open(2)"},
};
struct OpenError {
    int error;
    const char* outcome;
};
// Older drivers handed the bind's error straight through; newer ones turn all of them into EINVAL
// and the log has it. Nothing here ever means "no device".
constexpr OpenError kOpenErrors[] = {
    {EOPNOTSUPP, "disabled-by-kernel"},
    {ENODEV, "no-iommu"},
    {ENOSPC, "no-pasid-space"},
    {EACCES, "no-permission"},
    {EPERM, "no-permission"},
    {EBUSY, "busy"},
    {ENOMEM, "no-memory"},
    {ENXIO, "no-device-behind"},
    {EMFILE, "too-many-files"},
    {ENFILE, "too-many-files"},
};
Verdict check_open(const Machine& m) {
    const NodeAnswers& answers = m.npu()->answers;
    const int error = answers.open_error;
    if (error == 0) {
        return answers.second_open_error == EBUSY
                   ? bad("busy-second",
                         "second open of " + m.npu()->node + ": " + errno_text(EBUSY))
                   : pass("open works");
    }
    const std::string seen = "open " + m.npu()->node + ": " + errno_text(error);
    const bool may_be_sva =
        error == EINVAL || error == EOPNOTSUPP || error == ENODEV || error == ENOSPC;
    // The line with the bind's own error says more than the one that follows it.
    const LogMatch* match = nullptr;
    for (const LogMatch& line : m.log) {
        const bool ours = std::string(line.check) == "node.open";
        if (ours && (match == nullptr || std::string(line.outcome) != "other")) {
            match = &line;
        }
    }
    if (may_be_sva && match != nullptr) {
        return bad(match->outcome, seen + "; kernel log: " + match->line);
    }
    if (error == EINVAL) {
        return bad(m.answers.log == LogState::kRead ? "einval" : "einval-hidden", seen);
    }
    const auto* row = std::find_if(std::begin(kOpenErrors), std::end(kOpenErrors),
                                   [&](const OpenError& known) { return known.error == error; });
    return bad(row == std::end(kOpenErrors) ? "unexpected" : row->outcome, seen);
}

constexpr Check kChecks[] = {
    {"driver.bound", "module", "driver bound",
     "host.hypervisor pci.known pci.alive pci.bars iommu.enabled iommu.pasid module.loaded "
     "module.params "
     "firmware.file firmware.sound firmware.load firmware.protocol firmware.start",
     kNeedsNpu | kProves, Role::kCause, check_bound, kBound},
    {"node.exists", "node", "device node", "driver.bound", kNeedsNpu | kProves, Role::kSymptom,
     check_exists, kExists},
    {"node.device", "node", "node is a device", "node.exists", kNeedsNpu | kProves, Role::kCause,
     check_device, kDevice},
    {"node.container", "node", "container traps", "node.device", kNeedsNpu, Role::kSymptom,
     check_container, kContainer},
    {"node.permission", "node", "permission", "node.container", kNeedsNpu, Role::kSymptom,
     check_permission, kPermission},
    {"node.open", "node", "open()", "node.permission iommu.enabled iommu.pasid",
     kNeedsNpu | kNeedsAnswers | kProves, Role::kSymptom, check_open, kOpen},
};

}  // namespace

std::span<const Check> node_checks() {
    return kChecks;
}

}  // namespace xdna::probe
