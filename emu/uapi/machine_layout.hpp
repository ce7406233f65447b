// Where the virtual NPU stands in the machine that a client sees. One table, two readers: machine
// builds the tree of entries by it, the interposer looks paths up by it.
#pragma once

#include <string_view>

namespace xdna::emu {

/// Our choice: the only function of a root bus of its own, so that no bridge needs to be shown.
inline constexpr char kPciAddress[] = "0000:c5:00.1";
inline constexpr char kPciHome[] = "/sys/devices/pci0000:c5/0000:c5:00.1";

/// Character device 261 is the accel major (include/drm/drm_accel.h, ACCEL_MAJOR).
inline constexpr unsigned kNodeMajor = 261;
inline constexpr unsigned kNodeMinor = 0;
inline constexpr unsigned kNodeMode = 0666;  ///< as systemd's udev rules for accel nodes
inline constexpr char kNodePath[] = "/dev/accel/accel0";

/// Directories whose entries are the virtual machine's alone. In any other directory of the tree
/// the host's entries are there as well.
inline constexpr std::string_view kExclusive[] = {
    "/dev/accel",
    "/sys/class/accel",
    "/sys/devices/pci0000:c5",
    "/sys/bus/pci/drivers/amdxdna",
    "/sys/module/amdxdna",
};

/// Directories that are only passed through on the way to an entry of the tree: opened or listed,
/// they are the host's own.
inline constexpr std::string_view kTransparent[] = {"/", "/proc"};

/// True if `path` is `directory` or in it.
constexpr bool is_within(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
}

constexpr bool is_exclusive(std::string_view path) {
    for (std::string_view directory : kExclusive)
        if (is_within(path, directory))
            return true;
    return false;
}

constexpr bool is_transparent(std::string_view path) {
    for (std::string_view directory : kTransparent)
        if (path == directory)
            return true;
    return false;
}

/// Top directories under which the tree has entries.
inline constexpr std::string_view kTops[] = {"dev", "sys", "proc"};

}  // namespace xdna::emu
