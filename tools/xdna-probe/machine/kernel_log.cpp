#include "tools/xdna-probe/machine/kernel_log.hpp"

#include <regex.h>

#include <algorithm>
#include <deque>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr bool kAtStart = true;
constexpr bool kAnyTime = false;
constexpr bool kAnyone = true;
constexpr bool kDriver = false;

// Texts: Linux 7.3 drivers/accel/amdxdna/, older ones as reported in the issues that the outcomes
// in checks/ name. The first row that matches a line wins.
constexpr LogLine kLines[] = {
    // Known harmless: a taint notice; queries newer than the driver; the first of several firmware
    // names; a warning that repeats the line before it.
    {"module verification failed", nullptr, nullptr, kAnyTime, kAnyone},
    {"Not supported request parameter", nullptr, nullptr, kAnyTime, kDriver},
    {"npu_7\\.sbin|npu\\.dev\\.sbin", nullptr, nullptr, kAnyTime, kDriver},
    {"PASID not available for pid", nullptr, nullptr, kAnyTime, kDriver},

    // Opening. A later start does not void these: they belong to open().
    {"SVA bind device failed, ret -95", "node.open", "disabled-by-kernel", kAnyTime, kDriver},
    {"SVA bind device failed, ret -19", "node.open", "no-iommu", kAnyTime, kDriver},
    {"SVA bind device failed, ret -28", "node.open", "no-pasid-space", kAnyTime, kDriver},
    {"SVA bind device failed|SVA get pasid failed|PASID unavailable and carveout not configured",
     "node.open", "other", kAnyTime, kDriver},
    {"Enable PASID failed", "iommu.pasid", "enable-failed", kAtStart, kDriver},
    {"Running without IOMMU not supported", "iommu.enabled", "driver-refused", kAtStart, kDriver},
    {"Running under hypervisor not supported", "host.hypervisor", "refused", kAtStart, kDriver},
    {"Failed to alloc iommu domain", "module.params", "force-iova-refused", kAtStart, kDriver},
    {"AMD-Vi: Event logged \\[INVALID_(DEVICE|PPR)_REQUEST", "iommu.type", "invalid-pasid",
     kAnyTime, kAnyone},
    {"AMD-Vi: Event logged \\[IO_PAGE_FAULT", "iommu.type", "page-fault", kAnyTime, kAnyone},

    // Firmware
    {"Direct firmware load for amdnpu/.* failed with error -2\\b", "firmware.load", "not-found",
     kAtStart, kDriver},
    {"failed to request_firmware .*ret -2\\b", "firmware.load", "not-found", kAtStart, kDriver},
    {"loading .*amdnpu.* failed with error -22", "firmware.load", "damaged", kAtStart, kDriver},
    {"Direct firmware load for amdnpu/|failed to request_firmware", "firmware.load", "other",
     kAtStart, kDriver},
    {"Incompatible firmware protocol", "firmware.protocol", "incompatible", kAtStart, kDriver},
    {"probe .* failed with error -95", "firmware.protocol", "refused", kAtStart, kDriver},
    {"Invalid mbox magic", "firmware.start", "wrong-device", kAtStart, kDriver},
    {"smu cmd [0-9]+ (failed|timed out)|Access power failed", "firmware.start", "power-stuck",
     kAtStart, kDriver},
    {"PSP is not ready|failed to start psp|failed to validate fw|fw return error", "firmware.start",
     "psp-refused", kAtStart, kDriver},
    {"firmware is not alive", "firmware.start", "not-alive", kAtStart, kDriver},

    // Module loading
    {"Loading of .*module.* is rejected|unsigned module loading is restricted|"
     "PKCS#7 signature not signed with a trusted key",
     "secureboot.module", "rejected", kAtStart, kAnyone},
    {"Invalid relocation target", "module.build", "relocation", kAtStart, kAnyone},
    {"amdxdna: (disagrees about version of symbol|Unknown symbol|version magic)", "module.build",
     "symbols", kAtStart, kDriver},
    {"map bar [0-9]+ failed|BAR [0-9]+.*failed to assign", "pci.bars", "unmapped", kAtStart,
     kDriver},

    // Contexts and buffers
    {"The client dev heap object not exist", "log.context", "no-heap", kAnyTime, kDriver},
    {"Map host buf(fer)? failed|opcode 0x106 failed, status 0x4000003|Heap [0-9]+ is not mapped",
     "log.context", "heap-unmapped", kAnyTime, kDriver},
    {"opcode 0x2 failed, status 0x2000003|Alloc hw resource failed|[Cc]reate (hwctx|context) "
     "failed",
     "log.context", "slots", kAnyTime, kDriver},
    {"Heap BO is not supported on CMA platform", "log.buffers", "cma", kAnyTime, kDriver},
    {"Invalid arg bo count 0", "log.buffers", "old-driver", kAnyTime, kDriver},
    {"noncontiguous dma addr", "log.buffers", "noncontiguous", kAnyTime, kDriver},
    {"Failed to pin pages|Partially pinned pages", "log.buffers", "pin", kAnyTime, kDriver},

    // Hangs, a wedged NPU, sleep
    {"TDR timeout detected|Firmware timeout state capture|Timer expired", "log.hang", "timeout",
     kAnyTime, kDriver},
    {"after FLR", "log.wedged", "flr", kAnyTime, kDriver},
    {"[Ss]uspend_?\\s?(NPU )?(fw|firmware) failed|pci_pm_suspend.*returns -", "power.suspend",
     "suspend-failed", kAnyTime, kDriver},
    {"aie2_hw_resume|Start hardware failed|Resume failed|Resume firmware failed", "power.suspend",
     "resume-failed", kAnyTime, kDriver},
    {"Channel in bad state|Wait for completion timeout|xdna_mailbox\\.[0-9]+: Unexpected ret|"
     "device is already stopped",
     "log.wedged", "mailbox", kAnyTime, kDriver},

    // Consequences of what the rows above name
    {"Hardware init failed|start npu failed|Create amdxdna attrs|probe .* failed with error",
     "driver.bound", "probe-failed", kAtStart, kDriver},
};

// Ends every earlier start's complaints.
constexpr const char* kStarted = "Initialized amdxdna";

// A POSIX expression rather than std::regex, which recurses once a character and which g++ 12 warns
// about under the sanitizers.
class Pattern {
  public:
    explicit Pattern(const char* text) {
        if (regcomp(&compiled_, text, REG_EXTENDED | REG_NOSUB) != 0) {
            throw std::logic_error(std::string("not a regular expression: ") + text);
        }
    }
    Pattern(const Pattern&) = delete;
    Pattern& operator=(const Pattern&) = delete;
    ~Pattern() { regfree(&compiled_); }

    bool in(const std::string& text) const {
        return regexec(&compiled_, text.c_str(), 0, nullptr, 0) == 0;
    }

  private:
    regex_t compiled_{};
};

const std::deque<Pattern>& patterns() {
    static const std::deque<Pattern> all = [] {
        std::deque<Pattern> list;
        for (const LogLine& row : kLines) {
            list.emplace_back(row.pattern);
        }
        return list;
    }();
    return all;
}

}  // namespace

std::string log_text(const std::string& line) {
    constexpr size_t kLongest = 400;
    std::string text = line;
    const size_t semicolon = text.find(';');
    if (!text.empty() && text[0] >= '0' && text[0] <= '9' && semicolon != std::string::npos &&
        text.find(' ') > semicolon) {
        text.erase(0, semicolon + 1);  // /dev/kmsg: "6,123,4567,-;text"
    }
    if (text.starts_with('<') && text.find('>') < 5) {
        text.erase(0, text.find('>') + 1);  // syslog(2): "<6>[    1.0] text"
    }
    if (text.starts_with('[') && text.find("] ") != std::string::npos) {
        const std::string stamp = text.substr(1, text.find(']') - 1);
        if (stamp.find_first_not_of(" 0123456789.") == std::string::npos) {
            text.erase(0, stamp.size() + 2);
        }
    }
    return printable(text, kLongest);
}

std::vector<LogMatch> match_log(const std::vector<std::string>& lines) {
    size_t last_start = 0;
    for (size_t i = 0; i < lines.size(); ++i) {
        if (lines[i].find(kStarted) != std::string::npos) {
            last_start = i;
        }
    }
    std::vector<LogMatch> matches;
    for (size_t i = 0; i < lines.size(); ++i) {
        const std::string text = log_text(lines[i]);
        const bool ours =
            text.find("amdxdna") != std::string::npos || text.find("amdnpu") != std::string::npos;
        const LogLine* known = nullptr;
        for (size_t row = 0; row < std::size(kLines) && known == nullptr; ++row) {
            if ((ours || kLines[row].anyone) && patterns()[row].in(text)) {
                known = &kLines[row];
            }
        }
        if (known == nullptr) {
            if (ours && text.find("*ERROR*") != std::string::npos) {
                matches.push_back({text, "log.unknown", "unknown"});
            }
        } else if (known->check != nullptr && !(known->at_start && i < last_start)) {
            matches.push_back({text, known->check, known->outcome});
        }
    }
    return matches;
}

const LogLine* known_log_lines(size_t& count) {
    count = std::size(kLines);
    return kLines;
}

std::string loaded_firmware(const std::vector<std::string>& lines) {
    static constexpr const char* kLoad = "Load firmware ";
    for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
        const size_t at = line->find(kLoad);
        if (at != std::string::npos) {
            return trim(printable(line->substr(at + std::string(kLoad).size())));
        }
    }
    return "";
}

}  // namespace xdna::probe
