// The probe's results for people and for programs.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "tools/xdna-probe/checks/check.hpp"

namespace xdna::probe {

/// Of --json. Keys are only added within one schema version; docs/probe.md lists them.
constexpr int kReportSchema = 1;

nlohmann::ordered_json json_report(const Machine& machine, const std::vector<CheckResult>& results);

struct TextStyle {
    bool colour = false;
    bool verbose = false;  ///< a line for every check with what was seen
};
void text_report(const Machine& machine, const std::vector<CheckResult>& results,
                 const TextStyle& style, std::ostream& out);

/// The table of checks and all their outcomes: Markdown for docs/probe.md, or JSON.
void list_checks(bool json, std::ostream& out);

const char* status_name(Status status);  ///< "PASS", ...

/// JSON text, valid whatever bytes the strings hold. indent < 0: one line.
std::string dump(const nlohmann::ordered_json& json, int indent);

/// `text` in lines of at most `width` columns, each but the first after `indent`.
std::string wrapped(const std::string& text, const std::string& indent, size_t width);

}  // namespace xdna::probe
