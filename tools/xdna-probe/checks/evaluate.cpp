#include <algorithm>
#include <cstring>
#include <map>

#include "tools/xdna-probe/checks/check.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kPresent = "pci.present";

struct Missing {
    unsigned need;
    const char* why;
};
constexpr Missing kMissing[] = {
    {kNeedsAnswers, "the NPU's answers are not known here"},
    {kNeedsLog, "the kernel log cannot be read here (see log.readable)"},
};

unsigned available(const Machine& machine) {
    unsigned have = kNeedsNothing;
    if (const Device* npu = machine.npu()) {
        have |= kNeedsNpu | (npu->answers.open_error == kNotAsked ? 0U : unsigned{kNeedsAnswers});
    }
    return have | (machine.answers.log == LogState::kRead ? unsigned{kNeedsLog} : 0U);
}

const Outcome* find_outcome(const Check& check, const char* id) {
    const auto found =
        std::find_if(check.outcomes.begin(), check.outcomes.end(),
                     [&](const Outcome& outcome) { return std::strcmp(outcome.id, id) == 0; });
    return found == check.outcomes.end() ? nullptr : &*found;
}

class Evaluation {
  public:
    explicit Evaluation(const Machine& machine) : machine_(machine), have_(available(machine)) {}

    const CheckResult& result(const Check& check) {
        const auto known = results_.find(check.id);
        if (known != results_.end()) {
            return known->second;
        }
        results_[check.id] = {};  // a dependency loop would end here, as passed
        return results_[check.id] = compute(check);
    }

  private:
    // The id of the check that stands in the way of `check`; "" if none does.
    std::string blocker(const Check& check) {
        if ((check.needs & kNeedsNpu) != 0 && (have_ & kNeedsNpu) == 0) {
            return kPresent;
        }
        for (const std::string& id : split_words(check.depends_on)) {
            const auto all = checks();
            const auto found = std::find_if(all.begin(), all.end(),
                                            [&](const Check& other) { return other.id == id; });
            if (found == all.end()) {
                continue;
            }
            const CheckResult& before = result(*found);
            if (before.status == Status::kFail) {
                return id;
            }
            if (!before.blocked_by.empty()) {
                return before.blocked_by;
            }
        }
        return "";
    }

    CheckResult compute(const Check& check) {
        CheckResult result;
        result.check = &check;
        result.blocked_by = blocker(check);
        const unsigned needs = check.needs & ~unsigned{kProves};
        if ((check.needs & kProves) != 0 && (needs & ~have_) == 0 && !result.blocked_by.empty()) {
            Verdict verdict = check.evaluate(machine_);
            if (verdict.status == Status::kPass) {
                result.blocked_by.clear();
                result.seen = std::move(verdict.seen);
                return result;
            }
        }
        if (!result.blocked_by.empty()) {
            result.status = Status::kSkip;
            result.seen = "not reached";
            return result;
        }
        for (const Missing& missing : kMissing) {
            if ((check.needs & missing.need) != 0 && (have_ & missing.need) == 0) {
                result.status = Status::kSkip;
                result.seen = missing.why;
                return result;
            }
        }
        Verdict verdict = check.evaluate(machine_);
        result.status = verdict.status;
        result.seen = std::move(verdict.seen);
        if (verdict.outcome == nullptr) {
            return result;
        }
        result.outcome = find_outcome(check, verdict.outcome);
        result.status = result.outcome == nullptr ? Status::kWarn : result.outcome->status;
        if (check.role == Role::kCause && machine_.npu_works()) {
            if (machine_.answers.virtual_npu) {
                result.status = Status::kSkip;
                result.outcome = nullptr;
                result.seen = "the virtual NPU does not depend on it";
            } else if (result.status == Status::kFail) {
                result.status = Status::kWarn;
            }
        }
        return result;
    }

    const Machine& machine_;
    unsigned have_;
    std::map<std::string, CheckResult> results_;
};

}  // namespace

std::span<const Check> checks() {
    static const std::vector<Check> all = [] {
        std::vector<Check> table;
        for (const auto part :
             {host_checks(), pci_checks(), module_checks(), firmware_checks(), node_checks(),
              driver_checks(), log_checks(), run_checks(), userspace_checks()}) {
            table.insert(table.end(), part.begin(), part.end());
        }
        return table;
    }();
    return all;
}

std::vector<CheckResult> evaluate(const Machine& machine) {
    Evaluation evaluation(machine);
    std::vector<CheckResult> results;
    for (const Check& check : checks()) {
        results.push_back(evaluation.result(check));
    }
    return results;
}

int exit_code(const Machine& machine, const std::vector<CheckResult>& results) {
    if (machine.devices.empty()) {
        return 2;
    }
    const bool failed = std::any_of(results.begin(), results.end(), [](const CheckResult& result) {
        return result.status == Status::kFail;
    });
    return failed ? 1 : 0;
}

Verdict pass(std::string seen) {
    return {Status::kPass, nullptr, std::move(seen)};
}
Verdict skip(std::string why) {
    return {Status::kSkip, nullptr, std::move(why)};
}
Verdict bad(const char* outcome, std::string seen) {
    return {Status::kFail, outcome, std::move(seen)};
}

const LogMatch* logged(const Machine& machine, const char* check) {
    const auto found =
        std::find_if(machine.log.rbegin(), machine.log.rend(),
                     [&](const auto& match) { return std::strcmp(match.check, check) == 0; });
    return found == machine.log.rend() ? nullptr : &*found;
}

Verdict logged_or_pass(const Machine& machine, const char* check, const char* otherwise) {
    const LogMatch* match = logged(machine, check);
    return match == nullptr ? pass(otherwise) : bad(match->outcome, match->line);
}

}  // namespace xdna::probe
