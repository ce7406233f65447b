#include "tools/xdna-probe/machine/text.hpp"

#include <nlohmann/json.hpp>
#include "tools/xdna-probe/report/report.hpp"

namespace xdna::probe {
namespace {

std::string cell(std::string text) {
    for (size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) {
        text.replace(at, 1, "\\|");
    }
    return text;
}

nlohmann::ordered_json row_json(const Check& check) {
    nlohmann::ordered_json outcomes = nlohmann::ordered_json::array();
    for (const Outcome& outcome : check.outcomes) {
        outcomes.push_back({{"id", outcome.id},
                            {"status", outcome.status == Status::kFail ? "fail" : "warn"},
                            {"cause", outcome.cause},
                            {"remedy", outcome.remedy},
                            {"source", outcome.source}});
    }
    return {{"id", check.id},
            {"layer", check.layer},
            {"title", check.title},
            {"depends_on", split_words(check.depends_on)},
            {"outcomes", outcomes}};
}

}  // namespace

void list_checks(bool json, std::ostream& out) {
    if (json) {
        nlohmann::ordered_json list = nlohmann::ordered_json::array();
        for (const Check& check : checks()) {
            list.push_back(row_json(check));
        }
        out << dump({{"schema", kReportSchema}, {"checks", list}}, 2) << "\n";
        return;
    }
    out << "| check | outcome | status | cause | remedy | source |\n|---|---|---|---|---|---|\n";
    for (const Check& check : checks()) {
        for (const Outcome& outcome : check.outcomes) {
            out << "| `" << check.id << "` | `" << outcome.id << "` | "
                << status_name(outcome.status) << " | " << cell(outcome.cause) << " | "
                << cell(outcome.remedy) << " | " << cell(outcome.source) << " |\n";
        }
    }
}

}  // namespace xdna::probe
