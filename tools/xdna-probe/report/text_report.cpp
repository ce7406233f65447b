#include <algorithm>
#include <cstdio>

#include "tools/xdna-probe/machine/text.hpp"
#include "tools/xdna-probe/report/report.hpp"

namespace xdna::probe {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kLabel = 10;

std::string decimal(double value, int digits) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", digits, value);
    return text;
}

class TextReport {
  public:
    TextReport(const Machine& machine, const std::vector<CheckResult>& results,
               const TextStyle& style, std::ostream& out)
        : m_(machine), results_(results), style_(style), out_(out) {}

    void print() {
        out_ << "xdna-probe " << XDNA_VERSION
             << (m_.captured ? ", of a captured machine\n\n" : "\n\n");
        facts();
        out_ << "\n";
        if (style_.verbose) {
            lines();
        } else {
            grid();
        }
        problems();
        measured();
        summary();
    }

  private:
    void fact(const char* label, const std::string& text) {
        if (text.empty()) {
            return;
        }
        std::string head = label;
        head.resize(kLabel, ' ');
        out_ << head << wrapped(text, std::string(kLabel, ' '), kWidth - kLabel) << "\n";
    }

    static std::string joined(std::initializer_list<std::string> parts) {
        std::string text;
        for (const std::string& part : parts) {
            text += part.empty() ? "" : (text.empty() ? "" : ", ") + part;
        }
        return text;
    }

    void facts() {
        const Host& host = m_.host;
        const auto prefixed = [](const char* prefix, const std::string& text) {
            return text.empty() ? "" : prefix + text;
        };
        fact("Machine", joined({host.os, prefixed("Linux ", printable(m_.answers.release)),
                                printable(m_.answers.machine), host.product,
                                prefixed("BIOS ", host.bios), prefixed("in ", host.container)}));
        fact("CPU", host.cpu.name);
        for (const Device& device : m_.devices) {
            device_facts(device);
        }
        module_facts();
        const Userspace& user = m_.userspace;
        for (const XrtInstall& xrt : user.xrt) {
            fact("XRT", xrt.version + " in " + xrt.core.substr(0, xrt.core.rfind('/')) +
                            (xrt.plugin.empty() ? ", no plug-in" : ", with plug-in"));
        }
        if (!user.python.empty()) {
            fact("Python", user.python + (user.pyxrt.empty() ? ", no pyxrt" : ", with pyxrt"));
        }
        for (const std::string& gpu : user.gpus) {
            fact("GPU",
                 gpu + ", " + std::to_string(user.vulkan_drivers.size()) + " Vulkan drivers");
        }
    }

    void device_facts(const Device& device) {
        char id[64] = "";
        if (!device.bdf.empty()) {
            std::snprintf(id, sizeof id, "%04x:%04x rev %02x at ", device.vendor, device.device,
                          device.revision);
        }
        fact("NPU", joined({device.generation + (m_.answers.virtual_npu ? " (virtual NPU)" : ""),
                            device.marketing_name, id + device.bdf}));
        const NodeAnswers& a = device.answers;
        std::string firmware = a.firmware ? printable(a.firmware.value) : device.sysfs_firmware;
        std::string driver;
        if (a.driver) {
            driver = printable(a.driver.value.name) + " " + std::to_string(a.driver.value.major) +
                     "." + std::to_string(a.driver.value.minor);
        }
        fact("Driver",
             joined({driver.empty() ? device.driver : driver,
                     firmware.empty() ? "" : "firmware " + firmware,
                     device.iommu_group ? "IOMMU group " + std::to_string(*device.iommu_group) +
                                              " " + device.iommu_type
                                        : ""}));
        if (!device.node.empty()) {
            char mode[64];
            const FileStat& stat = device.node_stat.value;
            std::snprintf(mode, sizeof mode, "mode %04o, owner %u, group %u", stat.mode, stat.uid,
                          stat.gid);
            fact("Node", joined({device.node, mode, memlock()}));
        }
        if (a.metadata) {
            fact("Array",
                 joined({std::to_string(a.metadata.value.columns) + " columns",
                         std::to_string(a.metadata.value.columns * a.metadata.value.core_rows) +
                             " cores",
                         a.resources
                             ? std::to_string(a.resources.value.task_current) + " of " +
                                   std::to_string(a.resources.value.task_max) + " contexts in use"
                             : ""}));
        }
        std::string power;
        for (const Sensor& sensor : a.sensors.value) {
            if (sensor.power) {
                power = std::to_string(sensor.input) + " " + printable(sensor.units, 16);
            }
        }
        fact("Power",
             joined({a.power_mode ? std::string("mode ") + power_mode_name(a.power_mode.value) : "",
                     a.clocks ? "MP-NPU " + std::to_string(a.clocks.value.mp_npu_mhz) + " MHz" : "",
                     a.clocks ? "H " + std::to_string(a.clocks.value.h_mhz) + " MHz" : "", power}));
    }

    std::string memlock() const {
        return m_.answers.process.known ? "memlock " + size_text(m_.answers.process.memlock_soft)
                                        : "";
    }

    void module_facts() {
        const Module& module = m_.module;
        if (module.loaded == Known::kYes) {
            fact("Module",
                 joined({"amdxdna", module.version,
                         module.taint.find('O') != std::string::npos ? "out-of-tree" : "in-tree",
                         module.files.empty() ? "" : module.files.front().path}));
        }
    }

    // Every check with its status, in columns that read downwards.
    void grid() {
        std::vector<const CheckResult*> shown;
        std::vector<std::string> missed;
        std::string blocker;
        for (const CheckResult& result : results_) {
            if (result.blocked_by.empty()) {
                shown.push_back(&result);
            } else {
                missed.emplace_back(result.check->id);
                blocker = result.blocked_by;
            }
        }
        constexpr size_t kColumns = 3;
        constexpr size_t kCell = 26;
        const size_t rows = (shown.size() + kColumns - 1) / kColumns;
        for (size_t row = 0; row < rows; ++row) {
            for (size_t column = 0; column < kColumns; ++column) {
                const size_t index = column * rows + row;
                if (index >= shown.size()) {
                    continue;
                }
                const std::string id = shown[index]->check->id;
                out_ << coloured(shown[index]->status) << " " << id;
                if (index + rows < shown.size()) {
                    out_ << std::string(kCell - 5 - std::min(id.size(), kCell - 6), ' ');
                }
            }
            out_ << "\n";
        }
        if (missed.empty()) {
            return;
        }
        if (m_.devices.empty()) {
            out_ << "\nnot reached: " << missed.size() << " more checks, because " << blocker
                 << " failed\n";
            return;
        }
        // Grouped by what stood in the way.
        std::vector<std::string> blockers;
        for (const CheckResult& result : results_) {
            if (!result.blocked_by.empty() &&
                std::count(blockers.begin(), blockers.end(), result.blocked_by) == 0) {
                blockers.push_back(result.blocked_by);
            }
        }
        for (const std::string& each : blockers) {
            std::string ids;
            for (const CheckResult& result : results_) {
                if (result.blocked_by == each) {
                    ids += std::string(ids.empty() ? "" : ", ") + result.check->id;
                }
            }
            out_ << "\n"
                 << wrapped("not reached, because " + each + " failed: " + ids, "  ", kWidth - 2)
                 << "\n";
        }
    }

    void lines() {
        for (const CheckResult& result : results_) {
            std::string id = result.check->id;
            id.resize(std::max<size_t>(id.size(), 18), ' ');
            std::string seen = result.seen;
            if (!result.blocked_by.empty()) {
                seen = "not reached: " + result.blocked_by + " failed";
            }
            out_ << coloured(result.status) << "  " << id << " "
                 << wrapped(seen, std::string(25, ' '), kWidth - 25) << "\n";
        }
    }

    void problems() {
        for (const Status wanted : {Status::kFail, Status::kWarn}) {
            for (const CheckResult& result : results_) {
                if (result.status == wanted && result.outcome != nullptr) {
                    problem(result);
                }
            }
        }
    }

    void problem(const CheckResult& result) {
        const auto part = [&](const char* label, const std::string& text) {
            std::string head = std::string("  ") + label;
            head.resize(kLabel, ' ');
            out_ << head << wrapped(text, std::string(kLabel, ' '), kWidth - kLabel) << "\n";
        };
        out_ << "\n"
             << coloured(result.status) << "  " << result.check->id << ": " << result.check->title
             << "\n";
        part("seen", result.seen);
        part("cause", result.outcome->cause);
        part("remedy", result.outcome->remedy);
        part("source", result.outcome->source);
    }

    void measured() {
        const Device* npu = m_.npu();
        if (npu == nullptr || !npu->answers.validation.asked) {
            return;
        }
        const Validation& v = npu->answers.validation;
        out_ << "\nMeasured"
             << (m_.answers.virtual_npu ? " on a virtual NPU (no hardware figures)" : "") << ":\n";
        const auto row = [&](const char* what, const std::string& figures) {
            std::string head = std::string("  ") + what;
            head.resize(20, ' ');
            out_ << head << figures << "\n";
        };
        if (v.data == 0) {
            row("open", decimal(v.open_ns / 1e6, 2) + " ms");
            row("copy to buffer", decimal(v.write_bytes_per_second / 1e9, 2) + " GB/s, " +
                                      size_text(v.buffer_bytes) + " at a time");
            row("copy from buffer", decimal(v.read_bytes_per_second / 1e9, 2) + " GB/s");
            row("cache sync", decimal(v.sync_bytes_per_second / 1e9, 2) + " GB/s");
        }
        if (v.context == 0) {
            row("context", decimal(v.context_ns / 1e6, 2) + " ms");
        }
        if (v.command == 0) {
            row("first command", decimal(v.first_ns / 1e3, 1) + " us");
            row("warm command", decimal(v.warm_median_ns / 1e3, 1) + " us median (" +
                                    decimal(v.warm_min_ns / 1e3, 1) + " to " +
                                    decimal(v.warm_max_ns / 1e3, 1) + ")");
            row("throughput", decimal(v.commands_per_second, 0) + " commands/s, " +
                                  std::to_string(v.depth) + " in flight");
        }
    }

    void summary() {
        int counts[4] = {};
        int not_reached = 0;
        for (const CheckResult& result : results_) {
            if (result.blocked_by.empty()) {
                ++counts[static_cast<int>(result.status)];
            } else {
                ++not_reached;
            }
        }
        const int code = exit_code(m_, results_);
        out_ << "\n"
             << (code == 0   ? (counts[1] == 0 ? "Healthy" : "Healthy, with warnings")
                 : code == 1 ? "A problem was found"
                             : "No NPU")
             << ": " << counts[0] << " passed, " << counts[1] << " warnings, " << counts[2]
             << " failed, " << counts[3] << " skipped, " << not_reached << " not reached.\n";
    }

    std::string coloured(Status status) const {
        static constexpr const char* kColours[] = {"\033[32m", "\033[33m", "\033[31m", "\033[2m"};
        const std::string name = status_name(status);
        return style_.colour ? kColours[static_cast<int>(status)] + name + "\033[0m" : name;
    }

    const Machine& m_;
    const std::vector<CheckResult>& results_;
    const TextStyle& style_;
    std::ostream& out_;
};

}  // namespace

const char* status_name(Status status) {
    static constexpr const char* kNames[] = {"PASS", "WARN", "FAIL", "SKIP"};
    return kNames[static_cast<int>(status)];
}

std::string wrapped(const std::string& text, const std::string& indent, size_t width) {
    std::string out;
    size_t column = 0;
    for (const std::string& word : split_words(text)) {
        if (column != 0 && column + 1 + word.size() > width) {
            out += "\n" + indent;
            column = 0;
        } else if (column != 0) {
            out += " ";
            ++column;
        }
        out += word;
        column += word.size();
    }
    return out;
}

void text_report(const Machine& machine, const std::vector<CheckResult>& results,
                 const TextStyle& style, std::ostream& out) {
    TextReport(machine, results, style, out).print();
}

}  // namespace xdna::probe
