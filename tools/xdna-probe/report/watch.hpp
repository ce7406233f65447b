// --watch: what changes from one look at the NPU to the next.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "tools/xdna-probe/machine/answers.hpp"

namespace xdna::probe {

/// A frame of --watch --json, one line each. `seconds` is the time since `before`; rates are null
/// for contexts that were not there before, and in the first frame (before == nullptr).
nlohmann::ordered_json watch_json(const NodeAnswers* before, const NodeAnswers& now, double seconds,
                                  uint64_t frame);

/// The same for people, some lines that end in a newline.
std::string watch_text(const NodeAnswers* before, const NodeAnswers& now, double seconds);

}  // namespace xdna::probe
