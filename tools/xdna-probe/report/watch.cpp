#include "tools/xdna-probe/report/watch.hpp"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

using Json = nlohmann::ordered_json;

struct Rates {
    std::optional<double> submissions;
    std::optional<double> completions;
};

Rates rates(const NodeAnswers* before, const Context& now, double seconds) {
    if (before == nullptr || seconds <= 0) {
        return {};
    }
    const auto& list = before->contexts.value;
    const auto old = std::find_if(list.begin(), list.end(), [&](const Context& context) {
        return context.pid == now.pid && context.id == now.id;
    });
    // A count that went back belongs to another context of the same number.
    if (old == list.end() || old->submissions > now.submissions ||
        old->completions > now.completions) {
        return {};
    }
    return {static_cast<double>(now.submissions - old->submissions) / seconds,
            static_cast<double>(now.completions - old->completions) / seconds};
}

Json number(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

std::string rate_text(const std::optional<double>& value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.0f", value.value_or(0));
    return value ? text : "-";
}

std::string columns_of(const Context& context) {
    if (context.columns == 0) {
        return "-";
    }
    return std::to_string(context.start_column) +
           (context.columns > 1 ? "-" + std::to_string(context.start_column + context.columns - 1)
                                : "");
}

}  // namespace

Json watch_json(const NodeAnswers* before, const NodeAnswers& now, double seconds, uint64_t frame) {
    Json contexts = Json::array();
    for (const Context& context : now.contexts.value) {
        const Rates rate = rates(before, context, seconds);
        contexts.push_back({{"pid", context.pid},
                            {"id", context.id},
                            {"start_column", context.start_column},
                            {"columns", context.columns},
                            {"submissions", context.submissions},
                            {"completions", context.completions},
                            {"submissions_per_second", number(rate.submissions)},
                            {"completions_per_second", number(rate.completions)},
                            {"errors", context.errors}});
    }
    Json power = nullptr;
    Json utilisation = nullptr;
    for (const Sensor& sensor : now.sensors.value) {
        if (sensor.power) {
            power = {{"value", sensor.input}, {"units", sensor.units}};
        } else {
            if (utilisation.is_null()) {
                utilisation = Json::array();
            }
            utilisation.push_back(sensor.input);
        }
    }
    return {{"schema", 1},
            {"frame", frame},
            {"seconds", seconds},
            {"contexts", contexts},
            {"mp_npu_mhz", now.clocks ? Json(now.clocks.value.mp_npu_mhz) : Json(nullptr)},
            {"h_mhz", now.clocks ? Json(now.clocks.value.h_mhz) : Json(nullptr)},
            {"power", power},
            {"column_utilisation_percent", utilisation}};
}

std::string watch_text(const NodeAnswers* before, const NodeAnswers& now, double seconds) {
    std::string out;
    char line[256];
    if (now.clocks) {
        std::snprintf(line, sizeof line, "MP-NPU %u MHz, H %u MHz", now.clocks.value.mp_npu_mhz,
                      now.clocks.value.h_mhz);
        out += line;
    } else {
        out += "clocks not readable";
    }
    std::string power;
    std::string busy;
    for (const Sensor& sensor : now.sensors.value) {
        if (sensor.power) {
            power = ", power " + std::to_string(sensor.input) + " " + printable(sensor.units, 16);
        } else {
            busy += " " + std::to_string(sensor.input) + "%";
        }
    }
    out += power.empty() ? ", power not offered" : power;
    out += busy.empty() ? "" : ", columns busy" + busy;
    out += "\n";
    std::snprintf(line, sizeof line, "%8s %4s %-7s %12s %12s %14s %7s\n", "PID", "ctx", "columns",
                  "submitted/s", "completed/s", "completed", "errors");
    out += line;
    for (const Context& context : now.contexts.value) {
        const Rates rate = rates(before, context, seconds);
        std::snprintf(line, sizeof line, "%8lld %4u %-7s %12s %12s %14llu %7llu\n",
                      static_cast<long long>(context.pid), context.id, columns_of(context).c_str(),
                      rate_text(rate.submissions).c_str(), rate_text(rate.completions).c_str(),
                      static_cast<unsigned long long>(context.completions),
                      static_cast<unsigned long long>(context.errors));
        out += line;
    }
    if (now.contexts.value.empty()) {
        out += now.contexts ? "     no contexts\n" : "     contexts not readable\n";
    }
    return out;
}

}  // namespace xdna::probe
