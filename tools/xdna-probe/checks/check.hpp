// A check is a row of data and one small function from facts to a verdict.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tools/xdna-probe/machine/machine.hpp"

namespace xdna::probe {

enum class Status { kPass, kWarn, kFail, kSkip };

/// One way in which a check can go wrong. Ids are stable within their check.
struct Outcome {
    const char* id;
    Status status;  ///< kWarn or kFail
    const char* cause;
    const char* remedy;
    const char* source;  ///< where it was seen or read; "inferred" where nobody has shown it
};

struct Verdict {
    Status status = Status::kPass;
    const char* outcome = nullptr;  ///< of the check's row; nullptr for pass and skip
    std::string seen;               ///< verbatim, or in words for pass and skip
};

/// Whether a failure is only a possible cause: once the NPU itself has answered, it is no more
/// than a warning, and under the virtual NPU, whose host it describes, nothing at all.
enum class Role { kCause, kSymptom };

/// What must be there before a check can say anything.
enum Need : unsigned {
    kNeedsNothing = 0,
    kNeedsNpu = 1,
    kNeedsAnswers = 2,
    kNeedsLog = 4,
    kProves = 8,  ///< its pass is evidence of its own, whatever an earlier check suspects
};

struct Check {
    const char* id;  ///< stable
    const char* layer;
    const char* title;
    const char* depends_on;  ///< ids, separated by spaces
    unsigned needs;          ///< of enum Need
    Role role;
    Verdict (*evaluate)(const Machine& machine);
    std::span<const Outcome> outcomes;
};

/// All checks, in the order in which they are shown: from the host to user space.
std::span<const Check> checks();

struct CheckResult {
    const Check* check = nullptr;
    Status status = Status::kPass;
    const Outcome* outcome = nullptr;
    std::string seen;
    std::string blocked_by;  ///< id of the failed check that kept this one from being reached
};

/// Results in the order of checks().
std::vector<CheckResult> evaluate(const Machine& machine);

/// 0 healthy, 1 a check failed, 2 no NPU.
int exit_code(const Machine& machine, const std::vector<CheckResult>& results);

// For the functions of the table.
Verdict pass(std::string seen);
Verdict skip(std::string why);
/// The status is the outcome's.
Verdict bad(const char* outcome, std::string seen);
/// The last line of the kernel log that bears on a check; nullptr if there is none.
const LogMatch* logged(const Machine& machine, const char* check);
/// As a verdict: the line's outcome, or pass with `otherwise`.
Verdict logged_or_pass(const Machine& machine, const char* check, const char* otherwise);

// The table, a file for each run of layers.
std::span<const Check> host_checks();
std::span<const Check> pci_checks();
std::span<const Check> module_checks();
std::span<const Check> firmware_checks();
std::span<const Check> node_checks();
std::span<const Check> driver_checks();
std::span<const Check> log_checks();
std::span<const Check> run_checks();
std::span<const Check> userspace_checks();

}  // namespace xdna::probe
