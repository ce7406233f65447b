#include "libxdna/find.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "libxdna/error.hpp"
#include "libxdna/ids.hpp"
#include "libxdna/os.hpp"

namespace xdna {
namespace {

template <size_t N>
void copy_text(char (&to)[N], const std::string& from) {
    std::snprintf(to, N, "%s", from.c_str());
}

std::string last_part(const std::string& path) {
    return path.substr(path.find_last_of('/') + 1);
}

/// First line of a small file; "" if it cannot be read.
std::string read_line(const std::string& path) {
    char text[128];
    const int length = os::read_file(path.c_str(), text, sizeof text);
    const std::string line(text, length > 0 ? static_cast<size_t>(length) : 0);
    return line.substr(0, line.find('\n'));
}

/// A number as sysfs writes them ("0x1502"); false if there is none.
bool read_number(const std::string& path, unsigned long& out) {
    const std::string line = read_line(path);
    char* end = nullptr;
    out = std::strtoul(line.c_str(), &end, 0);
    return end != line.c_str();
}

/// "accel0" of a PCI device; "" if no driver has made it a node.
std::string accel_name(const std::string& root, const std::string& bdf) {
    std::vector<std::string> names;
    os::list_folder((root + "/sys/bus/pci/devices/" + bdf + "/accel").c_str(), names);
    for (const std::string& name : names) {
        if (name.rfind("accel", 0) == 0) {
            return name;
        }
    }
    const std::string classes = root + "/sys/class/accel";
    os::list_folder(classes.c_str(), names);
    for (const std::string& name : names) {
        std::string target;
        if (os::read_link((classes + "/" + name + "/device").c_str(), target) == 0 &&
            last_part(target) == bdf) {
            return name;
        }
    }
    return "";
}

/// The part's name. Newer firmware reports its exact part, and the driver shows that as vbnv
/// ("NPU Gorgon Point 1", drivers/accel/amdxdna/npu4_regs.c): the ids alone cannot tell those
/// apart.
std::string marketing_name(const std::string& folder, const NpuId* id) {
    const std::string vbnv = read_line(folder + "/vbnv");
    constexpr const char* kPrefix = "NPU ";
    if (vbnv.rfind(kPrefix, 0) == 0) {
        return "Ryzen AI (" + vbnv.substr(std::strlen(kPrefix)) + ")";
    }
    return id != nullptr ? id->marketing_name : "";
}

}  // namespace

int find_devices(const std::string& root, std::vector<xdna_device_info>& out) {
    out.clear();
    const std::string devices = root + "/sys/bus/pci/devices";
    std::vector<std::string> addresses;
    const int error = os::list_folder(devices.c_str(), addresses);
    if (error == -ENOENT) {
        return 0;  // no PCI bus: no NPU
    }
    if (error != 0) {
        return fail(error, "xdna_device_list: cannot read %s: %s (%s)", devices.c_str(),
                    errno_name(error), std::strerror(-error));
    }
    for (const std::string& bdf : addresses) {
        const std::string folder = devices + "/" + bdf;
        unsigned long vendor = 0;
        unsigned long device = 0;
        unsigned long revision = 0;
        if (!read_number(folder + "/vendor", vendor) || !read_number(folder + "/device", device)) {
            continue;
        }
        std::string driver;
        if (os::read_link((folder + "/driver").c_str(), driver) == 0) {
            driver = last_part(driver);
        }
        const auto vendor_id = static_cast<uint16_t>(vendor);
        const auto device_id = static_cast<uint16_t>(device);
        if (!is_npu(vendor_id, device_id) && driver != kDriverModule) {
            continue;
        }
        read_number(folder + "/revision", revision);
        const NpuId* id = find_npu_id(vendor_id, device_id, static_cast<uint8_t>(revision));

        xdna_device_info info{};
        info.vendor = vendor_id;
        info.device = device_id;
        info.revision = static_cast<uint8_t>(revision);
        copy_text(info.bdf, bdf);
        copy_text(info.driver, driver);
        copy_text(info.generation, id != nullptr ? id->generation : "unknown");
        copy_text(info.marketing_name, marketing_name(folder, id));
        const std::string name = accel_name(root, bdf);
        if (!name.empty()) {
            copy_text(info.node, "/dev/accel/" + name);
        }
        out.push_back(info);
    }
    return 0;
}

}  // namespace xdna

int xdna_device_list(struct xdna_device_info* list, size_t capacity) {
    return xdna::guarded("xdna_device_list", [&] {
        if (list == nullptr && capacity != 0) {
            return xdna::fail(-EINVAL, "xdna_device_list: list is NULL but capacity is %zu",
                              capacity);
        }
        std::vector<xdna_device_info> found;
        if (int error = xdna::find_devices("", found); error != 0) {
            return error;
        }
        for (size_t i = 0; i < found.size() && i < capacity; i++) {
            list[i] = found[i];
        }
        return static_cast<int>(found.size());
    });
}
