#include <algorithm>
#include <cstdio>

#include "libxdna/ids.hpp"
#include "tools/xdna-probe/machine/machine.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kPciDevices = "/sys/bus/pci/devices";
constexpr size_t kSmallFile = 64 * 1024;
constexpr size_t kConfigSpace = 4096;

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

uint64_t read_hex(Files& files, const std::string& path) {
    return parse_number(read_line(files, path), 16).value_or(0);
}

std::vector<Bar> parse_resources(const std::string& content) {
    // "0xstart 0xend 0xflags" a line; the first six are BARs.
    constexpr size_t kBars = 6;
    std::vector<Bar> bars;
    const std::vector<std::string> lines = split_lines(content);
    for (size_t i = 0; i < lines.size() && i < kBars; ++i) {
        const std::vector<std::string> words = split_words(lines[i]);
        const uint64_t start = words.size() == 3 ? parse_number(words[0], 16).value_or(0) : 0;
        const uint64_t end = words.size() == 3 ? parse_number(words[1], 16).value_or(0) : 0;
        if (end > start) {
            bars.push_back({static_cast<unsigned>(i), start, end - start + 1});
        }
    }
    return bars;
}

// PCI Express extended capabilities: ids in include/uapi/linux/pci_regs.h.
Known has_capability(const std::string& config, uint16_t wanted) {
    constexpr size_t kFirst = 0x100;
    if (config.size() < kConfigSpace) {
        return Known::kUnknown;
    }
    size_t at = kFirst;
    for (int hops = 0; hops < 64 && at >= kFirst && at + 4 <= config.size(); ++hops) {
        const uint32_t header = le32(config, at);
        if (header == 0 || header == UINT32_MAX) {
            break;
        }
        if ((header & 0xffff) == wanted) {
            return Known::kYes;
        }
        at = header >> 20;
    }
    return Known::kNo;
}

std::vector<FirmwareFile> gather_firmware(Files& files, const std::string& release,
                                          const std::string& directory) {
    // Folders: drivers/base/firmware_loader/main.c (fw_path). Names: the driver's npu_fw and the
    // out-of-tree driver's npu.dev.sbin. The kernel tries each folder and each compression for one
    // name before the next name.
    std::vector<std::string> folders;
    const std::string custom = read_line(files, "/sys/module/firmware_class/parameters/path");
    if (custom.starts_with('/')) {
        folders.push_back(custom);
    }
    folders.insert(folders.end(), {"/lib/firmware/updates/" + release, "/lib/firmware/updates",
                                   "/lib/firmware/" + release, "/lib/firmware"});
    std::vector<FirmwareFile> candidates;
    for (const char* name : {"npu.dev.sbin", "npu_7.sbin", "npu.sbin"}) {
        for (const char* suffix : {"", ".zst", ".xz"}) {
            for (const std::string& folder : folders) {
                std::string path = folder;
                path += "/" + directory + "/" + name + suffix;
                const Result<FileStat> itself = files.stat(path);
                if (!itself) {
                    continue;
                }
                FirmwareFile file;
                file.path = path;
                file.compressed = suffix[0] != '\0';
                const Result<std::string> real = resolve(files, path);
                file.error = real.error;
                if (real) {
                    file.target = real.value == path ? "" : real.value;
                    const Result<FileStat> stat = files.stat(real.value);
                    file.error = stat.error;
                    file.size = stat.value.size;
                    file.regular = stat && stat.value.kind == FileKind::kFile;
                }
                candidates.push_back(std::move(file));
            }
        }
    }
    return candidates;
}

// /dev/accel/accelN that sysfs ties to the PCI function; the driver makes one.
std::string sysfs_node_of(Files& files, const std::string& function) {
    const Result<std::vector<std::string>> nodes = files.list(function + "/accel", "accel");
    return nodes.value.empty() ? "" : nodes.value.front();
}

bool is_mount_point(Files& files, const std::string& path) {
    for (const std::string& line :
         split_lines(files.read("/proc/self/mountinfo", kSmallFile).value)) {
        const std::vector<std::string> words = split_words(line);
        if (words.size() > 4 && (words[4] == path || words[4] == "/dev/accel")) {
            return true;
        }
    }
    return false;
}

void gather_node(Files& files, const Answers& answers, const std::string& path, Device& device) {
    device.node_stat = files.stat(path);
    device.node = device.node_stat ? path : "";
    device.node_mounted = device.node_stat && is_mount_point(files, path);
    if (const auto found = answers.nodes.find(path); found != answers.nodes.end()) {
        device.answers = found->second;
    }
}

Device gather_function(Files& files, const Answers& answers, const std::string& bdf) {
    const std::string function = std::string(kPciDevices) + "/" + bdf;
    Device device;
    device.bdf = printable(bdf, 20);
    device.vendor = static_cast<uint16_t>(read_hex(files, function + "/vendor"));
    device.device = static_cast<uint16_t>(read_hex(files, function + "/device"));
    device.revision = static_cast<uint8_t>(read_hex(files, function + "/revision"));
    const NpuId* id = find_npu_id(device.vendor, device.device, device.revision);
    device.generation = id == nullptr ? "unknown" : id->generation;
    device.marketing_name = id == nullptr ? "" : id->marketing_name;
    device.driver = printable(base_name(files.read_link(function + "/driver").value), 40);
    device.vbnv = printable(read_line(files, function + "/vbnv"), 40);
    device.sysfs_firmware = printable(read_line(files, function + "/fw_version"), 40);
    device.runtime_status = printable(read_line(files, function + "/power/runtime_status"), 20);

    const Result<std::string> config = files.read(function + "/config", kConfigSpace);
    device.config_known = bool(config) && !config.value.empty();
    device.config = config.value;
    device.ats = has_capability(config.value, 0x0f);
    device.pri = has_capability(config.value, 0x13);
    device.pasid = has_capability(config.value, 0x1b);

    const Result<std::string> resources = files.read(function + "/resource", kSmallFile);
    device.bars_known = bool(resources);
    device.bars = parse_resources(resources.value);

    const std::string group = base_name(files.read_link(function + "/iommu_group").value);
    if (const auto number = parse_number(group); number && *number <= UINT32_MAX) {
        device.iommu_group = static_cast<unsigned>(*number);
        device.iommu_type =
            printable(read_line(files, "/sys/kernel/iommu_groups/" + group + "/type"), 20);
    }

    char directory[32];
    // The driver's per-device paths: drivers/accel/amdxdna/npu*_regs.c, MODULE_FIRMWARE lines.
    std::snprintf(directory, sizeof directory, "amdnpu/%04x_%02x", device.device, device.revision);
    device.firmware_directory = directory;
    device.firmware = gather_firmware(files, answers.release, directory);

    device.sysfs_node = printable(sysfs_node_of(files, function), 20);
    if (!device.sysfs_node.empty()) {
        gather_node(files, answers, "/dev/accel/" + device.sysfs_node, device);
    }
    return device;
}

}  // namespace

std::vector<std::string> accel_nodes(Files& files) {
    std::vector<std::string> paths;
    for (const std::string& name : files.list("/dev/accel", "accel").value) {
        paths.push_back("/dev/accel/" + name);
    }
    return paths;
}

std::vector<Device> gather_devices(Files& files, const Answers& answers) {
    std::vector<Device> devices;
    for (const std::string& bdf : files.list(kPciDevices, "").value) {
        const std::string function = std::string(kPciDevices) + "/" + bdf;
        const auto vendor = static_cast<uint16_t>(read_hex(files, function + "/vendor"));
        if (vendor == kVendorAmd &&
            is_npu(vendor, static_cast<uint16_t>(read_hex(files, function + "/device")))) {
            devices.push_back(gather_function(files, answers, bdf));
        }
    }
    // A node without a visible PCI function: /sys is hidden, as in some containers.
    for (const std::string& path : accel_nodes(files)) {
        const bool known = std::any_of(devices.begin(), devices.end(), [&](const Device& device) {
            return device.node == path || "/dev/accel/" + device.sysfs_node == path;
        });
        const uint64_t vendor =
            read_hex(files, "/sys/class/accel/" + base_name(path) + "/device/vendor");
        if (known || (vendor != 0 && vendor != kVendorAmd)) {
            continue;
        }
        const auto found = answers.nodes.find(path);
        const bool npu = found != answers.nodes.end() && found->second.driver &&
                         found->second.driver.value.name == kDrmDriverName;
        const bool silent = found != answers.nodes.end() && !found->second.driver.asked();
        if (npu || (devices.empty() && silent)) {
            Device device;
            device.generation = "unknown";
            gather_node(files, answers, path, device);
            devices.push_back(std::move(device));
        }
    }
    return devices;
}

}  // namespace xdna::probe
