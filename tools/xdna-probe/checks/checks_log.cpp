#include <algorithm>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kQuiet = "no complaint logged";

// --- log.readable
constexpr Outcome kReadable[] = {
    {"denied", Status::kWarn,
     "The kernel log is closed to this user, and it holds the cause of what failed above.",
     "Run: sudo dmesg | grep -i -e amdxdna -e amdnpu -e AMD-Vi; or run this probe as root.",
     "Linux Documentation/admin-guide/sysctl/kernel.rst (dmesg_restrict)"},
};
Verdict check_readable(const Machine& m) {
    if (m.answers.log == LogState::kRead) {
        return pass(std::to_string(m.answers.log_lines.size()) + " lines concern the NPU");
    }
    if (m.answers.log == LogState::kNotRecorded) {
        return skip("not recorded");
    }
    return m.npu_works() ? skip("closed to this user; nothing is hidden that is needed")
                         : bad("denied", "reading /dev/kmsg and syslog: not permitted");
}

// --- power.suspend
constexpr Outcome kSuspend[] = {
    {"runtime-error", Status::kFail,
     "The kernel could not switch the NPU's power state and gave up.",
     "Reload the module; if that does not help, reboot.", "drivers/accel/amdxdna/amdxdna_pm.c"},
    {"resume-failed", Status::kFail, "The NPU did not come back from sleep.",
     "Reload the module; if that does not help, reboot. Until a newer driver: unload the module "
     "before sleep.",
     "amd/xdna-driver issue 18, pulls 787, 1420"},
    {"suspend-failed", Status::kWarn, "The NPU could not be put to sleep: a bug of older drivers.",
     "Use a newer driver; until then unload the module before sleep.",
     "amd/xdna-driver issue 18, pulls 787, 1420"},
};
Verdict check_suspend(const Machine& m) {
    if (m.npu()->runtime_status == "error") {
        return bad("runtime-error", "power/runtime_status: error");
    }
    return logged_or_pass(
        m, "power.suspend",
        m.npu()->runtime_status.empty() ? kQuiet : m.npu()->runtime_status.c_str());
}

// --- log.hang
constexpr Outcome kHang[] = {
    {"timeout", Status::kWarn,
     "A command ran longer than the driver's hang detection (2000 ms), or never ended: the driver "
     "stopped its context (ERT_CMD_STATE_TIMEOUT).",
     "Shorter work per command, or a larger tdr_timeout_ms (module parameter). If an earlier "
     "version of the same program worked, compare versions. If nothing runs since: reload the "
     "module, else reboot.",
     "Xilinx/mlir-aie issues 1539, 2501; amd/IRON issue 43"},
};
Verdict check_hang(const Machine& m) {
    return logged_or_pass(m, "log.hang", kQuiet);
}

// --- log.wedged
constexpr Outcome kWedged[] = {
    {"flr", Status::kFail,
     "Somebody reset the PCI function, and the NPU did not come back. The hardware does not do "
     "this "
     "reset reliably.",
     "Reboot; if that does not help, power off and on. A newer driver recovers by power cycling.",
     "amd/xdna-driver pulls 1101, 1585; 1bit-MONSTER issue 1920"},
    {"mailbox", Status::kFail,
     "The driver's channel to the firmware broke down; every call after that fails, with -ENODEV "
     "in "
     "many cases.",
     "Reload the module with no program using the NPU; if that does not help, reboot. Newer "
     "drivers "
     "(upstream ebd297c) do not lose the channel to a missed interrupt.",
     "1bit-MONSTER issue 2459"},
};
Verdict check_wedged(const Machine& m) {
    return logged_or_pass(m, "log.wedged", kQuiet);
}

// --- log.context
constexpr Outcome kContext[] = {
    {"slots", Status::kWarn,
     "A context could not be created: all slots were taken, or the firmware is wedged "
     "(status 0x2000003, EINVAL).",
     "See context.slots for the holders; close one. If none is alive: reload the module or reboot.",
     "FastFlowLM issue 655; noamsto/nix-amd-ai issue 79"},
    {"no-heap", Status::kWarn, "A program created a context before its device heap (ENOENT).",
     "An error of that program: the heap comes first.", "drivers/accel/amdxdna/aie2_ctx.c"},
    {"heap-unmapped", Status::kWarn,
     "A program created a context before it mapped its heap, or mapped it elsewhere than at a "
     "multiple of 64 MiB.",
     "An error of that program, or of its runtime: map the heap, 64 MiB aligned, then create the "
     "context.",
     "amd/xdna-driver issue 1066 (inferred)"},
};
Verdict check_context(const Machine& m) {
    return logged_or_pass(m, "log.context", kQuiet);
}

// --- log.buffers
constexpr Outcome kBuffers[] = {
    {"cma", Status::kWarn, "A bug of one driver release refuses the heap.",
     "Use a newer driver; in a container: the same release inside and outside.",
     "amd/xdna-driver issue 923"},
    {"old-driver", Status::kWarn, "A newer runtime talks to the first in-tree driver.",
     "Match them: a newer kernel, or the runtime of that time.",
     "amd/xdna-driver issue 513 (inferred)"},
    {"noncontiguous", Status::kWarn,
     "Without SVA or an address space of its own, the NPU takes "
     "contiguous buffers only.",
     "Make SVA work (see node.open), or load the module with force_iova=1.",
     "drivers/accel/amdxdna/amdxdna_iommu.c"},
    {"pin", Status::kWarn, "Memory that a program gave to the NPU could not be pinned.",
     "The memory must be mapped and writable for the buffer's whole life.",
     "drivers/accel/amdxdna/amdxdna_ubuf.c"},
};
Verdict check_buffers(const Machine& m) {
    return logged_or_pass(m, "log.buffers", kQuiet);
}

// --- log.unknown
constexpr Outcome kUnknown[] = {
    {"unknown", Status::kWarn, "The driver logged an error that this probe does not know.",
     "Search for its text in the issues of amd/xdna-driver; report it with the output of "
     "--collect.",
     "drivers/accel/amdxdna"},
};
Verdict check_unknown(const Machine& m) {
    return logged_or_pass(m, "log.unknown", kQuiet);
}

constexpr unsigned kLogged = kNeedsNpu | kNeedsLog;
constexpr Check kChecks[] = {
    {"power.suspend", "power", "sleep and wake", "driver.bound", kNeedsNpu, Role::kCause,
     check_suspend, kSuspend},
    {"log.readable", "log", "kernel log", "", kNeedsNpu, Role::kSymptom, check_readable, kReadable},
    {"log.wedged", "log", "firmware channel", "", kLogged, Role::kCause, check_wedged, kWedged},
    {"log.hang", "log", "hangs", "", kLogged, Role::kCause, check_hang, kHang},
    {"log.context", "log", "context creation", "", kLogged, Role::kCause, check_context, kContext},
    {"log.buffers", "log", "buffers", "", kLogged, Role::kCause, check_buffers, kBuffers},
    {"log.unknown", "log", "other errors", "", kLogged, Role::kCause, check_unknown, kUnknown},
};

}  // namespace

std::span<const Check> log_checks() {
    return kChecks;
}

}  // namespace xdna::probe
