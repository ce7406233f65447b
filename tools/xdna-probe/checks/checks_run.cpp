#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kNotAskedFor = "not asked for (--validate)";

const Validation& validation(const Machine& m) {
    return m.npu()->answers.validation;
}

struct ErrorRow {
    int error;
    const char* outcome;
};

// The verdict of one step: passed, not asked, or the row of its errno.
template <size_t N>
Verdict step(const Machine& m, int error, const ErrorRow (&rows)[N], const char* otherwise,
             const std::string& passed) {
    const Validation& v = validation(m);
    if (!v.asked) {
        return skip(kNotAskedFor);
    }
    if (error == kNotAsked) {
        return skip("not run");
    }
    if (error == 0) {
        return pass(passed);
    }
    const auto* row = std::find_if(std::begin(rows), std::end(rows),
                                   [&](const ErrorRow& known) { return known.error == error; });
    const std::string words = v.failed_call.empty() ? "" : ": " + printable(v.failed_call);
    return bad(row == std::end(rows) ? otherwise : row->outcome, errno_text(error) + words);
}

// --- run.buffers
constexpr Outcome kBuffers[] = {
    {"no-memory", Status::kFail, "The kernel gave no memory for the buffers.",
     "Free memory; for buffers of a program's own memory raise the memlock limit (limits.memlock).",
     "drivers/accel/amdxdna/amdxdna_ubuf.c"},
    {"would-block", Status::kFail, "The heap could not be locked or mapped in time.",
     "Raise the memlock limit (limits.memlock).", "Xilinx/XRT pull 9132"},
    {"not-offered", Status::kFail, "This driver does not offer this kind of buffer.",
     "Allocate normally and copy; or a newer driver.", "Xilinx/XRT issue 8979"},
    {"failed", Status::kFail, "A buffer could not be made.",
     "The kernel log has the reason: sudo dmesg | grep amdxdna.", "inferred"},
};
Verdict check_buffers(const Machine& m) {
    static constexpr ErrorRow kRows[] = {
        {ENOMEM, "no-memory"}, {EAGAIN, "would-block"}, {EOPNOTSUPP, "not-offered"}};
    return step(m, validation(m).allocate, kRows, "failed",
                size_text(validation(m).buffer_bytes) + " allocated and mapped");
}

// --- run.data
constexpr Outcome kData[] = {
    {"corrupt", Status::kFail, "What was read back is not what was written.",
     "Do not trust results of this machine. Test the memory; try another kernel; report it.",
     "amd/xdna-driver issue 1646"},
    {"failed", Status::kFail, "A buffer could not be synchronised.",
     "The kernel log has the reason: sudo dmesg | grep amdxdna.", "inferred"},
};
Verdict check_data(const Machine& m) {
    static constexpr ErrorRow kRows[] = {{EIO, "corrupt"}};
    return step(m, validation(m).data, kRows, "failed", "patterns written and read back agree");
}

// --- run.context
constexpr Outcome kContext[] = {
    {"slots", Status::kFail, "The firmware has no context left, or is wedged.",
     "Close a holder (context.slots lists them); if none is alive, reload the module or reboot.",
     "FastFlowLM issue 655"},
    {"no-columns", Status::kFail, "No free or shareable columns of the array are left.",
     "Close another program that uses the NPU.", "drivers/accel/amdxdna/aie2_ctx.c"},
    {"no-heap", Status::kFail, "The device heap does not exist on this open file.",
     "An error of this probe or of libxdna: report it.", "drivers/accel/amdxdna/aie2_ctx.c"},
    {"hung", Status::kFail, "The NPU was hung by an earlier job: configuring a context timed out.",
     "Reload the module; if that does not free it, reboot.", "Xilinx/mlir-aie issue 1539"},
    {"failed", Status::kFail, "A context could not be made.",
     "The kernel log has the reason: sudo dmesg | grep amdxdna.", "inferred"},
};
Verdict check_context(const Machine& m) {
    static constexpr ErrorRow kRows[] = {{EINVAL, "slots"},      {ENODEV, "no-columns"},
                                         {ENOSPC, "no-columns"}, {ENOENT, "no-heap"},
                                         {ETIME, "hung"},        {ETIMEDOUT, "hung"}};
    char text[64];
    std::snprintf(text, sizeof text, "created in %.2f ms (measured)",
                  validation(m).context_ns / 1e6);
    return step(m, validation(m).context, kRows, "failed", text);
}

// --- run.command
constexpr Outcome kCommand[] = {
    {"timeout", Status::kFail, "An empty command did not end in time: the NPU hangs.",
     "Reload the module; if that does not help, reboot. If it happens right after a load of the "
     "module, the firmware does not fit the driver.",
     "Xilinx/mlir-aie issue 2501; FastFlowLM issue 536"},
    {"ended-badly", Status::kFail,
     "An empty command ended in another state than completed. Aborted right after loading the "
     "module means stale firmware.",
     "Match firmware and driver; look at the kernel log.", "FastFlowLM issue 536"},
    {"not-executable", Status::kFail, "The device took the command but cannot execute it yet.",
     "Under the virtual NPU: its array does not execute this kind of command in this version.",
     "docs of xdna-emu"},
    {"failed", Status::kFail, "An empty command could not be submitted.",
     "The kernel log has the reason: sudo dmesg | grep amdxdna.", "inferred"},
};
Verdict check_command(const Machine& m) {
    static constexpr ErrorRow kRows[] = {
        {ETIME, "timeout"}, {EIO, "ended-badly"}, {EOPNOTSUPP, "not-executable"}};
    const Validation& v = validation(m);
    return step(m, v.command, kRows, "failed",
                std::to_string(v.commands) + " empty commands completed");
}

// --- run.latency
// Published medians of an empty command are 32 to 160 us (notes of peers: amd/xdna-driver pull 135,
// issue 321); ten times the slowest is out of the ordinary.
constexpr double kSlowNs = 1.6e6;
constexpr Outcome kLatency[] = {
    {"slow", Status::kWarn,
     "Warm commands take far longer than on other machines: low clocks, a power mode that saves, "
     "or "
     "a driver that polls.",
     "Look at power.mode and power.clock; measure again on mains.",
     "amd/xdna-driver pull 1416; FastFlowLM issue 514"},
};
Verdict check_latency(const Machine& m) {
    const Validation& v = validation(m);
    if (!v.asked || v.command != 0) {
        return skip(v.asked ? "not run" : kNotAskedFor);
    }
    char text[160];
    std::snprintf(text, sizeof text, "first %.1f us, warm median %.1f us (measured%s)",
                  v.first_ns / 1e3, v.warm_median_ns / 1e3,
                  m.answers.virtual_npu ? ", virtual NPU: says nothing about hardware" : "");
    return v.warm_median_ns > kSlowNs && !m.answers.virtual_npu ? bad("slow", text) : pass(text);
}

constexpr unsigned kOpened = kNeedsNpu | kNeedsAnswers;
constexpr Check kChecks[] = {
    {"run.buffers", "run", "allocate buffers", "driver.answers", kOpened, Role::kSymptom,
     check_buffers, kBuffers},
    {"run.data", "run", "buffer contents", "run.buffers", kOpened, Role::kSymptom, check_data,
     kData},
    {"run.context", "run", "create a context", "run.buffers context.slots", kOpened, Role::kSymptom,
     check_context, kContext},
    {"run.command", "run", "run an empty command", "run.context", kOpened, Role::kSymptom,
     check_command, kCommand},
    {"run.latency", "run", "time of a command", "run.command", kOpened, Role::kSymptom,
     check_latency, kLatency},
};

}  // namespace

std::span<const Check> run_checks() {
    return kChecks;
}

}  // namespace xdna::probe
