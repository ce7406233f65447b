#include <algorithm>
#include <cerrno>
#include <iterator>

#include "libxdna/ids.hpp"
#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr uint64_t kHeapBytes = 64ULL << 20;  // the heap that XRT's shim maps and locks

// The ledger in drivers/accel/amdxdna/amdxdna_pci_drv.c (Linux 7.3), and amd/xdna-driver's copy of
// it for 11 and up: what each minor version added.
constexpr const char* kLedger[] = {
    "first set",
    "contexts of all processes",
    "last asynchronous error",
    "debug buffers",
    "resource limits",
    "telemetry",
    "preemption",
    "power and utilisation",
    "buffer usage",
    "physical functions",
    "user-managed queues",
    "core dump",
    "NPU3",
    "tile registers and memory",
    "firmware log",
    "firmware trace",
    "automatic core dump",
};
constexpr uint32_t kOldMinor = 4;    // below: no limits, no errors, no context list
constexpr uint32_t kNewestUsed = 8;  // the newest that libxdna has a call for
constexpr uint32_t kSensorsMinor = 7;

// --- driver.version
constexpr Outcome kVersion[] = {
    {"not-amdxdna", Status::kFail, "Another driver answers behind this node.",
     "Give the NPU's own node; unbind the other driver.", "inferred"},
    {"other-major", Status::kWarn,
     "The driver's major version is not 0: an interface of its own numbering.",
     "Use a driver from Linux 6.14 or newer, or a current out-of-tree one.",
     "drivers/accel/amdxdna/amdxdna_pci_drv.c"},
    {"no-answer", Status::kFail, "The driver did not even tell its version.",
     "Reload the module; if it stays, reboot.", "inferred"},
};
Verdict check_version(const Machine& m) {
    const Answer<DriverVersion>& answer = m.npu()->answers.driver;
    if (!answer) {
        return answer.asked() ? bad("no-answer", errno_text(answer.error)) : skip("not recorded");
    }
    const DriverVersion& v = answer.value;
    const std::string seen = printable(v.name) + " " + std::to_string(v.major) + "." +
                             std::to_string(v.minor) + "." + std::to_string(v.patch);
    if (v.name != kDrmDriverName) {
        return bad("not-amdxdna", seen);
    }
    return v.major == 0 ? pass(seen) : bad("other-major", seen);
}

// --- driver.minor
constexpr Outcome kMinor[] = {
    {"old", Status::kWarn,
     "An early driver: programs that ask for more get EOPNOTSUPP or EINVAL, and newer runtimes may "
     "fail on it. The kernel log then says 'Not supported request parameter', which is harmless.",
     "Move to a newer kernel (6.18 has 0.6, 7.1 has 0.8), or use a runtime of the driver's age.",
     "amd/xdna-driver issues 118, 323, 513"},
};
Verdict check_minor(const Machine& m) {
    const DriverVersion& v = m.npu()->answers.driver.value;
    std::string lacks;
    for (uint32_t minor = v.minor + 1; minor <= kNewestUsed; ++minor) {
        lacks += (lacks.empty() ? "" : ", ") + std::string(kLedger[minor]) + " (0." +
                 std::to_string(minor) + ")";
    }
    const std::string newest = v.minor < std::size(kLedger) ? kLedger[v.minor] : "newer than known";
    const std::string seen = "0." + std::to_string(v.minor) + " (" + newest + ")" +
                             (lacks.empty() ? "" : "; lacks " + lacks);
    return v.minor < kOldMinor ? bad("old", seen) : pass(seen);
}

// --- driver.answers
constexpr Outcome kAnswersOutcomes[] = {
    {"torn-down", Status::kFail,
     "The driver has cut its channel to the firmware after a message that was not answered in "
     "time; "
     "every call that needs the firmware now fails.",
     "Reload the module with no program using the NPU; if that does not help, reboot. Newer "
     "drivers "
     "(upstream ebd297c) do not lose the channel to a missed interrupt.",
     "1bit-MONSTER issue 2459; drivers/accel/amdxdna/aie.c"},
    {"wedged", Status::kFail, "The firmware does not answer.",
     "Reload the module; if that does not help, reboot. A reset of the PCI function does not bring "
     "it back reliably, so do not try one.",
     "amd/xdna-driver pulls 1101, 1585"},
    {"refused", Status::kFail, "The driver refused the simplest query.",
     "Compare driver and kernel versions; report it with the output of --collect.", "inferred"},
};
Verdict check_answers(const Machine& m) {
    const Answer<Metadata>& answer = m.npu()->answers.metadata;
    if (!answer.asked()) {
        return skip("not recorded");
    }
    const std::string seen = "query of the array: " + errno_text(answer.error);
    switch (answer.error) {
        case 0:
            return pass("array of " + std::to_string(answer.value.columns) + " columns, " +
                        std::to_string(answer.value.rows) + " rows");
        case ENODEV:
            return bad("torn-down", seen);
        case ETIME:
        case ETIMEDOUT:
        case EIO:
        case EAGAIN:
            return bad("wedged", seen);
        default:
            return bad("refused", seen);
    }
}

// --- driver.columns
// Columns of the array: npu1 5, npu4 to npu6 8 (amd/xdna-driver,
// drivers/accel/amdxdna/npu*_regs.c).
constexpr Outcome kColumns[] = {
    {"none", Status::kFail, "The driver reports an array without columns or cores.",
     "Reload the module; check aie2_max_col.", "inferred"},
    {"limited", Status::kWarn, "The parameter aie2_max_col keeps columns from being used.",
     "Remove aie2_max_col from /etc/modprobe.d and reload the module.",
     "drivers/accel/amdxdna/aie2_pci.c"},
};
Verdict check_columns(const Machine& m) {
    const Metadata& array = m.npu()->answers.metadata.value;
    if (array.columns == 0 || array.core_rows == 0) {
        return bad("none", std::to_string(array.columns) + " columns, " +
                               std::to_string(array.core_rows) + " rows of cores");
    }
    const auto parameter = m.module.parameters.find("aie2_max_col");
    const auto limit =
        parameter == m.module.parameters.end() ? std::nullopt : parse_number(parameter->second);
    if (limit && *limit < array.columns) {
        return bad("limited", "aie2_max_col=" + parameter->second + " of " +
                                  std::to_string(array.columns) + " columns");
    }
    return pass(std::to_string(array.columns * array.core_rows) + " cores");
}

// --- limits.memlock
constexpr Outcome kMemlock[] = {
    {"below-heap", Status::kFail,
     "XRT locks a heap of 64 MiB into memory, and this process may not lock as much: its programs "
     "fail with EAGAIN, or say that there is no device.",
     "A file in /etc/security/limits.d with '* - memlock unlimited' and a new login; "
     "LimitMEMLOCK=infinity for a service.",
     "Xilinx/XRT pull 9132; FastFlowLM issue 490"},
    {"below-heap-no-xrt", Status::kWarn,
     "Programs on XRT lock 64 MiB, and buffers made from a program's own memory count against this "
     "limit (ENOMEM without a line in the log). libxdna's own buffers do not.",
     "If you need either: '* - memlock unlimited' in /etc/security/limits.d and a new login; "
     "LimitMEMLOCK=infinity for a service.",
     "Xilinx/XRT pull 9132; drivers/accel/amdxdna/amdxdna_ubuf.c"},
    {"stale-session", Status::kFail,
     "The limits files allow more than this process has: its session began before they were "
     "changed, or it was started through su, sudo or the systemd user manager, which read other "
     "files.",
     "Log out of all sessions and in again; for systemd: a drop-in for user@.service with "
     "LimitMEMLOCK=infinity.",
     "FastFlowLM issue 437"},
};
bool files_allow_more(const Machine& m) {
    constexpr uint64_t kWantedKiB = kHeapBytes / 1024;
    for (const std::string& line : m.host.memlock_limits) {
        const std::vector<std::string> words = split_words(line);
        const uint64_t kib = words.size() == 4 ? parse_number(words[3]).value_or(0) : 0;
        const bool unlimited = words.size() == 4 && (words[3] == "unlimited" || words[3] == "-1" ||
                                                     words[3] == "infinity");
        if (unlimited || kib >= kWantedKiB) {
            return true;
        }
    }
    return false;
}
Verdict check_memlock(const Machine& m) {
    const Process& process = m.answers.process;
    if (!process.known) {
        return skip("not recorded");
    }
    const std::string seen = "RLIMIT_MEMLOCK of this process: " + size_text(process.memlock_soft);
    if (process.cap_ipc_lock) {
        return pass("CAP_IPC_LOCK: no limit applies");
    }
    if (process.memlock_soft >= kHeapBytes) {
        return pass(seen);
    }
    if (m.userspace.xrt.empty()) {
        return bad("below-heap-no-xrt", seen);
    }
    return files_allow_more(m)
               ? bad("stale-session", seen + "; limits file: " + m.host.memlock_limits.back())
               : bad("below-heap", seen);
}

// --- context.slots
std::string holders(const NodeAnswers& answers) {
    std::string list;
    for (const Context& context : answers.contexts.value) {
        list += (list.empty() ? "" : ", ") + std::string("pid ") + std::to_string(context.pid);
    }
    return list.empty() ? "no holder is listed" : "held by " + list;
}
constexpr Outcome kSlots[] = {
    {"full", Status::kFail,
     "All hardware contexts are taken: creating one gives EINVAL (firmware status 0x2000003).",
     "Close one of the holders. If none is alive, the firmware has lost count: reload the module "
     "or "
     "reboot.",
     "FastFlowLM issue 655; Xilinx/mlir-aie issue 3594"},
};
Verdict check_slots(const Machine& m) {
    const NodeAnswers& answers = m.npu()->answers;
    if (!answers.resources || answers.resources.value.task_max == 0) {
        return skip("this driver does not report limits (0.4 does)");
    }
    const Resources& r = answers.resources.value;
    const std::string seen =
        std::to_string(r.task_current) + " of " + std::to_string(r.task_max) + " in use";
    return r.task_current >= r.task_max ? bad("full", seen + "; " + holders(answers)) : pass(seen);
}

// --- context.errors
constexpr Outcome kErrors[] = {
    {"errors", Status::kWarn, "Commands of a running context have failed.",
     "Look at the program that owns it; compare its results with the CPU's.",
     "Xilinx/mlir-aie issue 2501"},
};
Verdict check_errors(const Machine& m) {
    const auto& contexts = m.npu()->answers.contexts;
    if (!contexts) {
        return skip("contexts not readable");
    }
    std::string seen;
    for (const Context& context : contexts.value) {
        if (context.errors != 0) {
            seen += (seen.empty() ? "" : "; ") + std::string("pid ") + std::to_string(context.pid) +
                    ": " + std::to_string(context.errors) + " errors in " +
                    std::to_string(context.submissions) + " commands";
        }
    }
    return seen.empty() ? pass(std::to_string(contexts.value.size()) + " contexts, no errors")
                        : bad("errors", seen);
}

// --- context.async
constexpr Outcome kAsync[] = {
    {"error", Status::kWarn, "The array reported an error since the driver was loaded.",
     "If a program misbehaves, this is where its kernel went wrong; reload the module to clear it.",
     "drivers/accel/amdxdna/aie2_error.c"},
};
Verdict check_async(const Machine& m) {
    const auto& error = m.npu()->answers.async_error;
    if (!error) {
        return skip("this driver does not report it (0.2 does)");
    }
    return error.value.code == 0 ? pass("none") : bad("error", printable(error.value.what));
}

// --- power.mode
constexpr Outcome kMode[] = {
    {"low", Status::kWarn, "The power mode keeps the clocks down: healthy, but slow.",
     "As root: xrt-smi configure --pmode default (or performance); xdna_set_power_mode() does it "
     "too. Only root may: others get EACCES.",
     "amd/xdna-driver issue 307, pull 1416"},
};
Verdict check_mode(const Machine& m) {
    const auto& mode = m.npu()->answers.power_mode;
    if (!mode) {
        return skip(mode.asked() ? "not offered by this NPU (" + errno_text(mode.error) + ")"
                                 : "not recorded");
    }
    const std::string name = power_mode_name(mode.value);
    return name == "low" ? bad("low", "mode low") : pass("mode " + name);
}

// --- power.clock
// Lowest levels: npu1_dpm_clk_table, npu4_dpm_clk_table in drivers/accel/amdxdna (H clock, MHz).
constexpr uint32_t kLowestH1 = 800;
constexpr uint32_t kLowestH4 = 792;
constexpr Outcome kClock[] = {
    {"lowest-while-busy", Status::kWarn,
     "Contexts are at work, yet the clock is at its lowest level: one driver state left that level "
     "as its default.",
     "Set the power mode (xrt-smi configure --pmode performance, as root); use a newer driver.",
     "amd/xdna-driver pull 1416; FastFlowLM issue 514"},
};
Verdict check_clock(const Machine& m) {
    const NodeAnswers& answers = m.npu()->answers;
    if (!answers.clocks) {
        return skip("clocks not readable");
    }
    const Clocks& clocks = answers.clocks.value;
    const std::string seen = "MP-NPU " + std::to_string(clocks.mp_npu_mhz) + " MHz, H " +
                             std::to_string(clocks.h_mhz) + " MHz";
    const auto& contexts = answers.contexts.value;
    const bool busy = std::any_of(contexts.begin(), contexts.end(), [](const Context& context) {
        return context.submissions > context.completions;
    });
    const uint32_t lowest = m.npu()->xdna2() ? kLowestH4 : kLowestH1;
    const bool low_mode = answers.power_mode && answers.power_mode.value == 1;
    return busy && !low_mode && clocks.h_mhz != 0 && clocks.h_mhz <= lowest
               ? bad("lowest-while-busy", seen)
               : pass(seen);
}

// --- power.sensors
constexpr Outcome kSensors[] = {
    {"no-source", Status::kWarn,
     "The driver has the query, but its source, the platform's power driver (amd_pmf), gives "
     "nothing.",
     "Load amd_pmf; some kernels (7.2-next) broke it. Everything else works without.",
     "OpenGamingCollective/kernel-packages issue 39; drivers/accel/amdxdna/aie2_pci.c"},
};
Verdict check_sensors(const Machine& m) {
    const NodeAnswers& answers = m.npu()->answers;
    if (!answers.sensors.asked()) {
        return skip("not recorded");
    }
    if (answers.sensors) {
        std::string power = "no power reading";
        for (const Sensor& sensor : answers.sensors.value) {
            if (sensor.power) {
                power = std::to_string(sensor.input) + " " + printable(sensor.units, 20);
            }
        }
        return pass(power);
    }
    if (!m.npu()->xdna2()) {
        return skip("power sensor not offered by this NPU");
    }
    if (!answers.driver || answers.driver.value.minor < kSensorsMinor) {
        return skip("this driver does not report it (0.7 does)");
    }
    return bad("no-source", "query of the sensors: " + errno_text(answers.sensors.error));
}

constexpr unsigned kOpened = kNeedsNpu | kNeedsAnswers;
constexpr Check kChecks[] = {
    {"driver.version", "driver", "driver", "node.open", kOpened, Role::kSymptom, check_version,
     kVersion},
    {"driver.minor", "driver", "what it supports", "driver.version", kOpened, Role::kSymptom,
     check_minor, kMinor},
    {"driver.answers", "driver", "NPU answers", "driver.version", kOpened, Role::kSymptom,
     check_answers, kAnswersOutcomes},
    {"driver.columns", "driver", "array", "driver.answers", kOpened, Role::kSymptom, check_columns,
     kColumns},
    {"limits.memlock", "limits", "locked memory", "", kNeedsNpu, Role::kSymptom, check_memlock,
     kMemlock},
    {"context.slots", "contexts", "hardware contexts", "driver.answers", kOpened, Role::kSymptom,
     check_slots, kSlots},
    {"context.errors", "contexts", "failed commands", "driver.answers", kOpened, Role::kSymptom,
     check_errors, kErrors},
    {"context.async", "contexts", "array errors", "driver.answers", kOpened, Role::kSymptom,
     check_async, kAsync},
    {"power.mode", "power", "power mode", "driver.answers", kOpened, Role::kSymptom, check_mode,
     kMode},
    {"power.clock", "power", "clocks", "driver.answers", kOpened, Role::kSymptom, check_clock,
     kClock},
    {"power.sensors", "power", "power sensor", "driver.answers", kOpened, Role::kSymptom,
     check_sensors, kSensors},
};

}  // namespace

std::span<const Check> driver_checks() {
    return kChecks;
}

}  // namespace xdna::probe
