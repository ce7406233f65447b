#include <cstdio>
#include <nlohmann/json.hpp>

#include "tools/xdna-probe/report/report.hpp"

namespace xdna::probe {
namespace {

using Json = nlohmann::ordered_json;

Json known(Known value) {
    return value == Known::kUnknown ? Json(nullptr) : Json(value == Known::kYes);
}
Json text_or_null(const std::string& text) {
    return text.empty() ? Json(nullptr) : Json(text);
}
Json limit(uint64_t bytes) {
    return bytes == UINT64_MAX ? Json("unlimited") : Json(bytes);
}
std::string hex(unsigned value, int digits) {
    char text[16];
    std::snprintf(text, sizeof text, "%0*x", digits, value);
    return text;
}

Json module_json(const Module& module) {
    Json files = Json::array();
    for (const ModuleFile& file : module.files) {
        files.push_back({{"path", file.path},
                         {"in_tree", file.in_tree},
                         {"version", text_or_null(file.version)},
                         {"srcversion", text_or_null(file.srcversion)}});
    }
    Json parameters = Json::object();
    for (const auto& [name, value] : module.parameters) {
        parameters[name] = value;
    }
    const bool foreign = module.taint.find('O') != std::string::npos;
    return {{"loaded", known(module.loaded)},
            {"built_in", module.builtin},
            {"out_of_tree", module.loaded == Known::kYes ? Json(foreign) : Json(nullptr)},
            {"version", text_or_null(module.version)},
            {"srcversion", text_or_null(module.srcversion)},
            {"parameters", parameters},
            {"files", files}};
}

Json process_json(const Process& process) {
    if (!process.known) {
        return nullptr;
    }
    return {{"uid", process.uid},
            {"gid", process.gid},
            {"groups", process.groups},
            {"cap_sys_admin", process.cap_sys_admin},
            {"cap_ipc_lock", process.cap_ipc_lock},
            {"memlock_soft", limit(process.memlock_soft)},
            {"memlock_hard", limit(process.memlock_hard)}};
}

Json machine_json(const Machine& m) {
    const Host& host = m.host;
    Json groups = Json::object();
    for (const auto& [name, gid] : host.groups) {
        groups[name] = gid;
    }
    const LogState log = m.answers.log;
    return {{"os", text_or_null(host.os)},
            {"kernel", text_or_null(m.answers.release)},
            {"architecture", text_or_null(m.answers.machine)},
            {"boot_options", host.cmdline},
            {"product", text_or_null(host.product)},
            {"bios", text_or_null(host.bios)},
            {"cpu", text_or_null(host.cpu.name)},
            {"cpu_family", host.cpu.family},
            {"cpu_model", host.cpu.model},
            {"virtual_machine", known(host.cpu.guest)},
            {"container", text_or_null(host.container)},
            {"user_namespace", host.user_namespace},
            {"secure_boot", known(host.secure_boot)},
            {"lockdown", text_or_null(host.lockdown)},
            {"iommus", host.iommus},
            {"module", module_json(m.module)},
            {"process", process_json(m.answers.process)},
            {"groups", groups},
            {"kernel_log", log == LogState::kRead     ? "read"
                           : log == LogState::kDenied ? "denied"
                                                      : "not recorded"},
            {"virtual_npu", m.answers.virtual_npu},
            {"captured", m.captured}};
}

Json device_json(const Device& device) {
    Json bars = Json::array();
    for (const Bar& bar : device.bars) {
        bars.push_back({{"index", bar.index}, {"start", bar.start}, {"size", bar.size}});
    }
    Json candidates = Json::array();
    for (const FirmwareFile& file : device.firmware) {
        candidates.push_back({{"path", file.path},
                              {"target", text_or_null(file.target)},
                              {"size", file.error == 0 ? Json(file.size) : Json(nullptr)},
                              {"errno", file.error}});
    }
    const std::string& running =
        device.answers.firmware ? device.answers.firmware.value : device.sysfs_firmware;
    const FileStat& stat = device.node_stat.value;
    Json node = nullptr;
    if (!device.node.empty()) {
        node = {{"path", device.node}, {"mode", stat.mode},   {"uid", stat.uid},
                {"gid", stat.gid},     {"major", stat.major}, {"minor", stat.minor}};
    }
    Json json = {{"bdf", text_or_null(device.bdf)},
                 {"vendor", hex(device.vendor, 4)},
                 {"device", hex(device.device, 4)},
                 {"revision", hex(device.revision, 2)},
                 {"generation", device.generation},
                 {"marketing_name", text_or_null(device.marketing_name)},
                 {"vbnv", text_or_null(device.vbnv)},
                 {"bound_driver", text_or_null(device.driver)},
                 {"runtime_status", text_or_null(device.runtime_status)},
                 {"bars", bars},
                 {"iommu",
                  {{"group", device.iommu_group ? Json(*device.iommu_group) : Json(nullptr)},
                   {"type", text_or_null(device.iommu_type)},
                   {"pasid", known(device.pasid)},
                   {"ats", known(device.ats)},
                   {"pri", known(device.pri)}}},
                 {"firmware",
                  {{"running", text_or_null(running)},
                   {"directory", device.firmware_directory},
                   {"candidates", candidates}}},
                 {"node", node}};
    Json answers = to_json(device.answers);
    answers.erase("validation");
    answers.erase("firmware");
    json["answers"] = answers;
    return json;
}

Json userspace_json(const Userspace& user) {
    Json xrt = Json::array();
    for (const XrtInstall& each : user.xrt) {
        xrt.push_back({{"core", each.core},
                       {"version", each.version},
                       {"plugin", text_or_null(each.plugin)},
                       {"found_by", each.found_by}});
    }
    return {{"xrt", xrt},
            {"python", text_or_null(user.python)},
            {"pyxrt", user.pyxrt},
            {"vulkan_drivers", user.vulkan_drivers},
            {"gpus", user.gpus}};
}

Json check_json(const CheckResult& result) {
    const Outcome* outcome = result.outcome;
    static constexpr const char* kLower[] = {"pass", "warn", "fail", "skip"};
    return {{"id", result.check->id},
            {"layer", result.check->layer},
            {"status", kLower[static_cast<int>(result.status)]},
            {"outcome", outcome == nullptr ? Json(nullptr) : Json(outcome->id)},
            {"seen", result.seen},
            {"cause", outcome == nullptr ? Json(nullptr) : Json(outcome->cause)},
            {"remedy", outcome == nullptr ? Json(nullptr) : Json(outcome->remedy)},
            {"source", outcome == nullptr ? Json(nullptr) : Json(outcome->source)},
            {"blocked_by", text_or_null(result.blocked_by)}};
}

}  // namespace

Json json_report(const Machine& machine, const std::vector<CheckResult>& results) {
    Json devices = Json::array();
    for (const Device& device : machine.devices) {
        devices.push_back(device_json(device));
    }
    Json list = Json::array();
    int counts[4] = {};
    int not_reached = 0;
    for (const CheckResult& result : results) {
        list.push_back(check_json(result));
        if (result.blocked_by.empty()) {
            ++counts[static_cast<int>(result.status)];
        } else {
            ++not_reached;
        }
    }
    const Device* npu = machine.npu();
    Json validation = nullptr;
    if (npu != nullptr && npu->answers.validation.asked) {
        validation = to_json(npu->answers.validation);
        validation["figures"] = "measured";
        validation["virtual_npu"] = machine.answers.virtual_npu;
    }
    const int code = exit_code(machine, results);
    return {{"schema", kReportSchema},
            {"tool", {{"name", "xdna-probe"}, {"version", XDNA_VERSION}}},
            {"machine", machine_json(machine)},
            {"devices", devices},
            {"userspace", userspace_json(machine.userspace)},
            {"checks", list},
            {"validation", validation},
            {"summary",
             {{"pass", counts[0]},
              {"warn", counts[1]},
              {"fail", counts[2]},
              {"skip", counts[3]},
              {"not_reached", not_reached},
              {"exit_code", code},
              {"verdict", code == 0   ? "healthy"
                          : code == 1 ? "problem"
                                      : "no NPU"}}}};
}

std::string dump(const Json& json, int indent) {
    return json.dump(indent, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace xdna::probe
