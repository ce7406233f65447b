#include "tools/xdna-probe/machine/answers.hpp"

#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

namespace xdna::probe {
namespace {

using Json = nlohmann::json;
using Out = nlohmann::ordered_json;

// A field is taken if it has the type that is wanted; anything else leaves the default.
void take(const Json& json, const char* key, std::string& out) {
    if (json.is_object() && json.contains(key) && json[key].is_string()) {
        out = json[key].get<std::string>();
    }
}
void take(const Json& json, const char* key, bool& out) {
    if (json.is_object() && json.contains(key) && json[key].is_boolean()) {
        out = json[key].get<bool>();
    }
}
template <typename T>
requires std::is_arithmetic_v<T>
void take(const Json& json, const char* key, T& out) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number()) {
        return;
    }
    const Json& value = json[key];
    if constexpr (std::is_floating_point_v<T>) {
        out = value.get<T>();
    } else if (value.is_number_unsigned()) {
        const auto number = value.get<uint64_t>();
        if (number <= static_cast<uint64_t>(std::numeric_limits<T>::max())) {
            out = static_cast<T>(number);
        }
    } else if (value.is_number_integer() && std::is_signed_v<T>) {
        const auto number = value.get<int64_t>();
        if (number >= static_cast<int64_t>(std::numeric_limits<T>::min()) &&
            number <= static_cast<int64_t>(std::numeric_limits<T>::max())) {
            out = static_cast<T>(number);
        }
    }
}

Out put(const DriverVersion& v) {
    return {{"name", v.name}, {"major", v.major}, {"minor", v.minor}, {"patch", v.patch}};
}
void get(const Json& json, DriverVersion& v) {
    take(json, "name", v.name);
    take(json, "major", v.major);
    take(json, "minor", v.minor);
    take(json, "patch", v.patch);
}
Out put(const std::string& v) {
    return v;
}
void get(const Json& json, std::string& v) {
    if (json.is_string()) {
        v = json.get<std::string>();
    }
}
Out put(const Metadata& v) {
    return {{"columns", v.columns}, {"rows", v.rows}, {"core_rows", v.core_rows}};
}
void get(const Json& json, Metadata& v) {
    take(json, "columns", v.columns);
    take(json, "rows", v.rows);
    take(json, "core_rows", v.core_rows);
}
Out put(const Clocks& v) {
    return {{"mp_npu_mhz", v.mp_npu_mhz}, {"h_mhz", v.h_mhz}};
}
void get(const Json& json, Clocks& v) {
    take(json, "mp_npu_mhz", v.mp_npu_mhz);
    take(json, "h_mhz", v.h_mhz);
}
Out put(uint32_t v) {
    return v;
}
void get(const Json& json, uint32_t& v) {
    if (json.is_number_unsigned()) {
        v = json.get<uint32_t>();
    }
}
Out put(const Sensor& v) {
    return {{"label", v.label}, {"units", v.units}, {"input", v.input}, {"power", v.power}};
}
void get(const Json& json, Sensor& v) {
    take(json, "label", v.label);
    take(json, "units", v.units);
    take(json, "input", v.input);
    take(json, "power", v.power);
}
Out put(const Context& v) {
    return {{"pid", v.pid},
            {"id", v.id},
            {"start_column", v.start_column},
            {"columns", v.columns},
            {"submissions", v.submissions},
            {"completions", v.completions},
            {"errors", v.errors},
            {"suspensions", v.suspensions}};
}
void get(const Json& json, Context& v) {
    take(json, "pid", v.pid);
    take(json, "id", v.id);
    take(json, "start_column", v.start_column);
    take(json, "columns", v.columns);
    take(json, "submissions", v.submissions);
    take(json, "completions", v.completions);
    take(json, "errors", v.errors);
    take(json, "suspensions", v.suspensions);
}
Out put(const Resources& v) {
    return {{"clock_max_mhz", v.clock_max_mhz},
            {"contexts_max", v.task_max},
            {"contexts_current", v.task_current}};
}
void get(const Json& json, Resources& v) {
    take(json, "clock_max_mhz", v.clock_max_mhz);
    take(json, "contexts_max", v.task_max);
    take(json, "contexts_current", v.task_current);
}
Out put(const AsyncError& v) {
    return {{"code", v.code}, {"what", v.what}};
}
void get(const Json& json, AsyncError& v) {
    take(json, "code", v.code);
    take(json, "what", v.what);
}
template <typename T>
Out put(const std::vector<T>& list) {
    Out out = Out::array();
    for (const T& item : list) {
        out.push_back(put(item));
    }
    return out;
}
template <typename T>
void get(const Json& json, std::vector<T>& list) {
    if (!json.is_array()) {
        return;
    }
    for (const Json& item : json) {
        get(item, list.emplace_back());
    }
}

// An answer is {"value": ...} or {"errno": n}; one that was never asked for is null.
template <typename T>
Out put(const Answer<T>& answer) {
    if (!answer.asked()) {
        return nullptr;
    }
    return answer ? Out{{"value", put(answer.value)}} : Out{{"errno", answer.error}};
}
template <typename T>
void take(const Json& json, const char* key, Answer<T>& answer) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_object()) {
        return;
    }
    const Json& object = json[key];
    if (object.contains("value")) {
        answer.error = 0;
        get(object["value"], answer.value);
    } else {
        take(object, "errno", answer.error);
    }
}

Out put_errno(int error) {
    return error == kNotAsked ? Out(nullptr) : Out(error);
}

Validation validation_from_json(const Json& json) {
    Validation v;
    take(json, "asked", v.asked);
    take(json, "failed_call", v.failed_call);
    take(json, "allocate", v.allocate);
    take(json, "data", v.data);
    take(json, "context", v.context);
    take(json, "command", v.command);
    take(json, "command_state", v.command_state);
    take(json, "buffer_bytes", v.buffer_bytes);
    take(json, "commands", v.commands);
    take(json, "open_ns", v.open_ns);
    take(json, "context_ns", v.context_ns);
    take(json, "first_ns", v.first_ns);
    take(json, "warm_median_ns", v.warm_median_ns);
    take(json, "warm_min_ns", v.warm_min_ns);
    take(json, "warm_max_ns", v.warm_max_ns);
    take(json, "commands_per_second", v.commands_per_second);
    take(json, "depth", v.depth);
    take(json, "write_bytes_per_second", v.write_bytes_per_second);
    take(json, "read_bytes_per_second", v.read_bytes_per_second);
    take(json, "sync_bytes_per_second", v.sync_bytes_per_second);
    return v;
}

NodeAnswers node_from_json(const Json& json) {
    NodeAnswers node;
    take(json, "open", node.open_error);
    take(json, "second_open", node.second_open_error);
    take(json, "driver", node.driver);
    take(json, "firmware", node.firmware);
    take(json, "array", node.metadata);
    take(json, "clocks", node.clocks);
    take(json, "power_mode", node.power_mode);
    take(json, "sensors", node.sensors);
    take(json, "contexts", node.contexts);
    take(json, "resources", node.resources);
    take(json, "async_error", node.async_error);
    if (json.is_object() && json.contains("validation")) {
        node.validation = validation_from_json(json["validation"]);
    }
    return node;
}

// Sizes without a limit are written as null: JSON numbers of readers elsewhere are doubles.
Out put_limit(uint64_t bytes) {
    return bytes == UINT64_MAX ? Out(nullptr) : Out(bytes);
}
void take_limit(const Json& json, const char* key, uint64_t& out) {
    if (json.is_object() && json.contains(key) && json[key].is_null()) {
        out = UINT64_MAX;
    }
    take(json, key, out);
}

const char* log_state_name(LogState state) {
    return state == LogState::kRead     ? "read"
           : state == LogState::kDenied ? "denied"
                                        : "not recorded";
}

}  // namespace

Out to_json(const Validation& v) {
    return {{"asked", v.asked},
            {"failed_call", v.failed_call},
            {"allocate", put_errno(v.allocate)},
            {"data", put_errno(v.data)},
            {"context", put_errno(v.context)},
            {"command", put_errno(v.command)},
            {"command_state", v.command_state},
            {"buffer_bytes", v.buffer_bytes},
            {"commands", v.commands},
            {"open_ns", v.open_ns},
            {"context_ns", v.context_ns},
            {"first_ns", v.first_ns},
            {"warm_median_ns", v.warm_median_ns},
            {"warm_min_ns", v.warm_min_ns},
            {"warm_max_ns", v.warm_max_ns},
            {"commands_per_second", v.commands_per_second},
            {"depth", v.depth},
            {"write_bytes_per_second", v.write_bytes_per_second},
            {"read_bytes_per_second", v.read_bytes_per_second},
            {"sync_bytes_per_second", v.sync_bytes_per_second}};
}

Out to_json(const NodeAnswers& node) {
    return {
        {"open", put_errno(node.open_error)},   {"second_open", put_errno(node.second_open_error)},
        {"driver", put(node.driver)},           {"firmware", put(node.firmware)},
        {"array", put(node.metadata)},          {"clocks", put(node.clocks)},
        {"power_mode", put(node.power_mode)},   {"sensors", put(node.sensors)},
        {"contexts", put(node.contexts)},       {"resources", put(node.resources)},
        {"async_error", put(node.async_error)}, {"validation", to_json(node.validation)}};
}

Out to_json(const Answers& a) {
    const Process& p = a.process;
    Out nodes = Out::object();
    for (const auto& [path, node] : a.nodes) {
        nodes[path] = to_json(node);
    }
    Out environment = Out::object();
    for (const auto& [name, value] : a.environment) {
        environment[name] = value;
    }
    Out out = {{"schema", kFactsSchema},
               {"uname", {{"release", a.release}, {"machine", a.machine}}},
               {"kernel_log", log_state_name(a.log)},
               {"virtual_npu", a.virtual_npu},
               {"environment", environment},
               {"nodes", nodes}};
    if (p.known) {
        out["process"] = {{"uid", p.uid},
                          {"gid", p.gid},
                          {"groups", p.groups},
                          {"cap_sys_admin", p.cap_sys_admin},
                          {"cap_ipc_lock", p.cap_ipc_lock},
                          {"cap_dac_override", p.cap_dac_override},
                          {"memlock_soft", put_limit(p.memlock_soft)},
                          {"memlock_hard", put_limit(p.memlock_hard)}};
    }
    return out;
}

Answers answers_from_json(const Json& json) {
    Answers a;
    if (!json.is_object()) {
        return a;
    }
    if (json.contains("uname")) {
        take(json["uname"], "release", a.release);
        take(json["uname"], "machine", a.machine);
    }
    if (json.contains("process") && json["process"].is_object()) {
        const Json& process = json["process"];
        Process& p = a.process;
        p.known = true;
        take(process, "uid", p.uid);
        take(process, "gid", p.gid);
        take(process, "cap_sys_admin", p.cap_sys_admin);
        take(process, "cap_ipc_lock", p.cap_ipc_lock);
        take(process, "cap_dac_override", p.cap_dac_override);
        take_limit(process, "memlock_soft", p.memlock_soft);
        take_limit(process, "memlock_hard", p.memlock_hard);
        if (process.contains("groups")) {
            get(process["groups"], p.groups);
        }
    }
    std::string log;
    take(json, "kernel_log", log);
    a.log = log == "read"     ? LogState::kRead
            : log == "denied" ? LogState::kDenied
                              : LogState::kNotRecorded;
    take(json, "virtual_npu", a.virtual_npu);
    if (json.contains("environment") && json["environment"].is_object()) {
        for (const auto& [name, value] : json["environment"].items()) {
            get(value, a.environment[name]);
        }
    }
    if (json.contains("nodes") && json["nodes"].is_object()) {
        for (const auto& [path, node] : json["nodes"].items()) {
            a.nodes[path] = node_from_json(node);
        }
    }
    return a;
}

const char* power_mode_name(uint32_t mode) {
    // enum amdxdna_power_mode_type, include/uapi/drm/amdxdna_accel.h
    static constexpr const char* kNames[] = {"default", "low", "medium", "high", "turbo"};
    return mode < std::size(kNames) ? kNames[mode] : "unknown";
}

}  // namespace xdna::probe
