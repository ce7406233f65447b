#include "tools/xdna-probe/machine/redact.hpp"

#include <algorithm>
#include <iterator>

#include "tools/xdna-probe/machine/loader_cache.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

bool has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

template <typename Keep>
std::string keep_lines(const std::string& content, Keep keep) {
    std::string out;
    for (const std::string& line : split_lines(content)) {
        if (keep(line)) {
            out += line + "\n";
        }
    }
    return out;
}

std::string keep_boot_options(std::string content) {
    std::string out;
    for (const std::string& word : split_words(content)) {
        const bool wanted = has(word, "iommu") || has(word, "amdxdna") || has(word, "blacklist") ||
                            word.starts_with("module.sig") || word.starts_with("lockdown") ||
                            word.starts_with("efi=");
        if (wanted) {
            out += out.empty() ? word : " " + word;
        }
    }
    return out + "\n";
}

std::string keep_one_cpu(std::string content) {
    const std::string first = content.substr(0, content.find("\n\n"));
    std::string out;
    for (const std::string& line : split_lines(first)) {
        for (const char* key : {"vendor_id", "cpu family", "model", "model name"}) {
            if (trim(line.substr(0, line.find(':'))) == key) {
                out += line + "\n";
            }
        }
        if (line.starts_with("flags")) {
            const std::vector<std::string> flags = split_words(line);
            const bool guest = std::count(flags.begin(), flags.end(), "hypervisor") != 0;
            out += guest ? "flags : hypervisor\n" : "flags :\n";
        }
    }
    return out;
}

std::string keep_group_numbers(std::string content) {
    std::string out;
    for (const std::string& line : split_lines(content)) {
        const std::vector<std::string> fields = split(line, ':');
        if (fields.size() >= 3 && (fields[0] == "render" || fields[0] == "video")) {
            out += fields[0] + ":x:" + fields[2] + ":\n";
        }
    }
    return out;
}

std::string keep_memlock(std::string content) {
    std::string out;
    for (const std::string& line : split_lines(content)) {
        std::vector<std::string> words = split_words(line);
        if (words.size() != 4 || words[0].starts_with('#') || words[2] != "memlock") {
            continue;
        }
        const bool general = words[0] == "*" || words[0] == "@render" || words[0] == "@video";
        out += (general ? words[0] : "(name)") + " " + words[1] + " memlock " + words[3] + "\n";
    }
    return out;
}

std::string keep_driver(std::string content) {
    return keep_lines(content, [](const std::string& line) { return has(line, "amdxdna"); });
}
std::string keep_device_mounts(std::string content) {
    return keep_lines(content, [](const std::string& line) {
        const std::vector<std::string> words = split_words(line);
        return words.size() > 4 && (words[4] == "/dev" || words[4].starts_with("/dev/accel") ||
                                    words[4].starts_with("/dev/dri"));
    });
}
std::string keep_kernel_options(std::string content) {
    return keep_lines(content, [](const std::string& line) {
        return has(line, "CONFIG_DRM_ACCEL") || has(line, "CONFIG_AMD_IOMMU") ||
               has(line, "CONFIG_AMD_PMF") || has(line, "CONFIG_MODULE_SIG");
    });
}
std::string keep_errors(std::string content) {
    return keep_lines(content, [](const std::string& line) { return has(line, "error:"); });
}
std::string keep_log(std::string content) {
    return keep_lines(content, concerns_npu);
}

// The strings of a module's .modinfo section that tell builds apart, and whether a signature
// follows the file (scripts/sign-file.c in Linux appends this marker).
std::string keep_modinfo(std::string content) {
    std::string out;
    for (const char* key : {"version=", "srcversion=", "vermagic="}) {
        const std::string wanted = std::string(1, '\0') + key;
        const size_t at = content.find(wanted);
        if (at != std::string::npos) {
            const size_t end = content.find('\0', at + 1);
            out +=
                printable(content.substr(at + 1, end == std::string::npos ? 128 : end - at - 1)) +
                "\n";
        }
    }
    const bool signed_module = content.find("~Module signature appended~") != std::string::npos;
    return out + (signed_module ? "signed=yes\n" : "signed=no\n");
}

// A device serial number (extended capability 3) names one machine.
std::string drop_pci_serial(std::string content) {
    constexpr uint16_t kDeviceSerialNumber = 0x0003;
    size_t at = 0x100;
    for (int hops = 0; hops < 64 && at >= 0x100 && at + 12 <= content.size(); ++hops) {
        const uint32_t header = le32(content, at);
        if ((header & 0xffff) == kDeviceSerialNumber) {
            std::fill_n(content.begin() + static_cast<ptrdiff_t>(at) + 4, 8, '\0');
        }
        at = header >> 20;
    }
    return content;
}

std::string keep_loader_cache(std::string content) {
    std::string out;
    for (const LoaderEntry& entry : loader_cache(content)) {
        if (entry.name.starts_with("libxrt") || entry.name.starts_with("libxdna") ||
            entry.name.starts_with("libvulkan")) {
            out += entry.name + " => " + entry.path + "\n";
        }
    }
    return out;
}

constexpr Redaction kRedactions[] = {
    {"/proc/cmdline", "options about the IOMMU, module loading and amdxdna", keep_boot_options},
    {"/proc/cpuinfo", "vendor, family, model and name of the first CPU; whether virtual",
     keep_one_cpu},
    {"/proc/modules", "the line of amdxdna", keep_driver},
    {"/proc/self/mountinfo", "mounts on /dev, /dev/accel and /dev/dri", keep_device_mounts},
    {"/etc/group", "numbers of the groups render and video, without members", keep_group_numbers},
    {"/etc/security/limits*", "memlock lines, without names", keep_memlock},
    {"*/modules.dep", "lines of amdxdna", keep_driver},
    {"*/modules.builtin", "lines of amdxdna", keep_driver},
    {"*/modprobe.d/*", "lines of amdxdna", keep_driver},
    {"/boot/config-*", "options of the accel subsystem, IOMMU and module signing",
     keep_kernel_options},
    {"/var/lib/dkms/*", "compiler errors of amdxdna builds", keep_errors},
    {"*.ko", "version, srcversion, vermagic, whether signed", keep_modinfo},
    {"/sys/bus/pci/devices/*/config", "all but the device serial number", drop_pci_serial},
    {"/etc/ld.so.cache", "entries of XRT, libxdna and Vulkan", keep_loader_cache},
    {"/var/log/dmesg", "lines about the NPU, module loading and the IOMMU", keep_log},
};

// `pattern` has '*' for any text.
bool matches(const std::string& path, const char* pattern) {
    const std::vector<std::string> parts = split(pattern, '*');
    if (!path.starts_with(parts.front()) || !path.ends_with(parts.back())) {
        return false;
    }
    if (parts.size() == 1) {
        return path == parts.front();
    }
    size_t at = parts.front().size();
    for (size_t i = 1; i + 1 < parts.size(); ++i) {
        at = path.find(parts[i], at);
        if (at == std::string::npos) {
            return false;
        }
        at += parts[i].size();
    }
    return at + parts.back().size() <= path.size();
}

}  // namespace

std::string redact(const std::string& path, std::string content) {
    for (const Redaction& row : kRedactions) {
        if (matches(path, row.path)) {
            return row.keep(std::move(content));
        }
    }
    return content;
}

bool concerns_npu(const std::string& line) {
    static constexpr const char* kWords[] = {"amdxdna",
                                             "amdnpu",
                                             "AMD-Vi",
                                             "iommu",
                                             "DMAR",
                                             "xdna",
                                             "after FLR",
                                             "module verification failed",
                                             "Loading of ",
                                             "Lockdown:",
                                             "relocation target",
                                             "PKCS#7"};
    return std::any_of(std::begin(kWords), std::end(kWords),
                       [&](const char* word) { return has(line, word); });
}

const Redaction* redactions(size_t& count) {
    count = std::size(kRedactions);
    return kRedactions;
}

}  // namespace xdna::probe
