#include <algorithm>

#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr size_t kSmallFile = 64 * 1024;
constexpr size_t kConfigFile = 1024 * 1024;

// The value behind `key` in "key<separator>value" lines, without quotes.
std::string value_of(const std::string& content, const std::string& key, char separator) {
    for (const std::string& line : split_lines(content)) {
        const size_t at = line.find(separator);
        if (at != std::string::npos && trim(line.substr(0, at)) == key) {
            std::string value = trim(line.substr(at + 1));
            if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
                value = value.substr(1, value.size() - 2);
            }
            return printable(value);
        }
    }
    return "";
}

Cpu gather_cpu(Files& files) {
    Cpu cpu;
    const Result<std::string> content = files.read("/proc/cpuinfo", kSmallFile);
    if (!content) {
        return cpu;
    }
    const std::string first = content.value.substr(0, content.value.find("\n\n"));
    cpu.vendor = value_of(first, "vendor_id", ':');
    cpu.name = value_of(first, "model name", ':');
    cpu.family =
        static_cast<unsigned>(parse_number(value_of(first, "cpu family", ':')).value_or(0));
    cpu.model = static_cast<unsigned>(parse_number(value_of(first, "model", ':')).value_or(0));
    const std::vector<std::string> flags = split_words(value_of(first, "flags", ':'));
    if (!cpu.vendor.empty()) {
        cpu.guest =
            std::count(flags.begin(), flags.end(), "hypervisor") != 0 ? Known::kYes : Known::kNo;
    }
    return cpu;
}

Known secure_boot(Files& files) {
    // UEFI variable: four bytes of attributes, then 0 or 1. No efivars: not booted through UEFI.
    const Result<std::string> variable =
        files.read("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", 16);
    if (variable && variable.value.size() >= 5) {
        return variable.value[4] == 1 ? Known::kYes : Known::kNo;
    }
    return files.stat("/sys/firmware/efi").error == ENOENT && files.stat("/sys/firmware")
               ? Known::kNo
               : Known::kUnknown;
}

std::string lockdown_mode(const std::string& line) {
    // "none [integrity] confidentiality"
    const size_t open = line.find('[');
    const size_t close = line.find(']');
    return open != std::string::npos && close != std::string::npos && close > open
               ? line.substr(open + 1, close - open - 1)
               : "";
}

std::string container_kind(Files& files) {
    if (files.stat("/run/.containerenv")) {
        return "podman";
    }
    if (files.stat("/.dockerenv")) {
        return "docker";
    }
    return read_line(files, "/run/systemd/container");
}

// "0 0 4294967295" maps every user: no namespace of its own.
bool has_user_namespace(Files& files) {
    const std::vector<std::string> words = split_words(read_line(files, "/proc/self/uid_map"));
    return words.size() == 3 && !(words[0] == "0" && words[1] == "0" && words[2] == "4294967295");
}

}  // namespace

Host gather_host(Files& files, const Answers& answers) {
    Host host;
    host.os = value_of(files.read("/etc/os-release", kSmallFile).value, "PRETTY_NAME", '=');
    host.product = printable(read_line(files, "/sys/class/dmi/id/product_name"), 80);
    host.bios = printable(trim(read_line(files, "/sys/class/dmi/id/bios_version") + " " +
                               read_line(files, "/sys/class/dmi/id/bios_date")),
                          80);
    host.container = printable(container_kind(files), 40);
    host.user_namespace = has_user_namespace(files);
    host.xen = printable(read_line(files, "/sys/hypervisor/type"), 40);
    host.cpu = gather_cpu(files);
    host.secure_boot = secure_boot(files);
    host.lockdown = lockdown_mode(read_line(files, "/sys/kernel/security/lockdown"));

    const Result<std::string> cmdline = files.read("/proc/cmdline", kSmallFile);
    host.cmdline_known = bool(cmdline);
    host.cmdline = split_words(cmdline.value);

    const Result<std::string> config = files.read("/boot/config-" + answers.release, kConfigFile);
    host.config_known = bool(config) && !answers.release.empty();
    for (const std::string& line : split_lines(config.value)) {
        const size_t equals = line.find('=');
        if (line.starts_with("CONFIG_") && equals != std::string::npos) {
            host.config[line.substr(0, equals)] = trim(line.substr(equals + 1));
        } else if (line.starts_with("# CONFIG_") && line.ends_with(" is not set")) {
            host.config[split_words(line)[1]] = "n";
        }
    }

    const Result<std::vector<std::string>> iommus = files.list("/sys/class/iommu", "");
    if (iommus || (iommus.error == ENOENT && files.stat("/sys/class"))) {
        host.iommu = iommus.value.empty() ? Known::kNo : Known::kYes;
        host.iommus = iommus.value;
    }

    for (const std::string& line : split_lines(files.read("/etc/group", kConfigFile).value)) {
        const std::vector<std::string> fields = split(line, ':');
        if (fields.size() >= 3) {
            if (const auto gid = parse_number(fields[2]); gid && *gid <= UINT32_MAX) {
                host.groups[fields[0]] = static_cast<unsigned>(*gid);
            }
        }
    }

    std::vector<std::string> limit_files = {"/etc/security/limits.conf"};
    for (const std::string& name : files.list("/etc/security/limits.d", "").value) {
        limit_files.push_back("/etc/security/limits.d/" + name);
    }
    for (const std::string& path : limit_files) {
        for (const std::string& line : split_lines(files.read(path, kSmallFile).value)) {
            if (!line.starts_with('#') && line.find("memlock") != std::string::npos) {
                host.memlock_limits.push_back(printable(line, 80));
            }
        }
    }
    return host;
}

}  // namespace xdna::probe
