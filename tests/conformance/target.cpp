#include "tests/conformance/target.hpp"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "tests/conformance/raw_device.hpp"

namespace xdna::conformance {

namespace {

bool identify(Target& found, const std::string& node) {
    RawDevice device(open(node.c_str(), O_RDWR | O_CLOEXEC));
    if (!device) {
        return false;
    }
    std::array<char, 64> name{};
    drm_version version{.name_len = name.size() - 1, .name = name.data()};
    if (!device.call(DRM_IOCTL_VERSION, version).is_ok()) {
        return false;
    }
    found.name = name.data();
    if (found.name != "amdxdna_accel_driver") {
        return false;
    }
    found.node = node;
    found.major = version.version_major;
    found.minor = version.version_minor;

    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    if (device.bo_info(share).xdna_addr != kInvalidAddress) {
        found.addressing = Addressing::kIova;
        // amdxdna_gem_create_cbuf_object looks at the size itself; shmem says ENOSPC.
        uint32_t none = 0;
        found.carve_out = device.create_bo(AMDXDNA_BO_SHARE, 0, none) == fails_with(EINVAL);
    } else {
        Mapping mapping = device.map_bo(share, kPage);
        if (mapping && device.bo_info(share).xdna_addr == mapping.address()) {
            found.addressing = Addressing::kSva;
        }
    }
    amdxdna_drm_query_aie_metadata metadata{};
    if (device.get_info(DRM_AMDXDNA_QUERY_AIE_METADATA, metadata).is_ok()) {
        found.columns = metadata.cols;
        found.core_rows = metadata.core.row_count;
    }
    struct stat status {};
    if (fstat(device.fd(), &status) == 0) {
        found.sysfs = "/sys/dev/char/" + std::to_string(major(status.st_rdev)) + ":" +
                      std::to_string(minor(status.st_rdev)) + "/device";
        std::string id;
        if (std::ifstream(found.sysfs + "/device") >> id) {
            found.npu1 = id == "0x1502";
        } else {
            found.sysfs.clear();
        }
    }
    return true;
}

// The door shows its node to raw system calls, too: only its own environment tells it from a
// kernel's.
bool is_virtual() {
    return getenv("XDNA_EMU_SOCKET") != nullptr;
}

bool kernel_at_least(int major, int minor) {
    utsname kernel{};
    int is_major = 0;
    int is_minor = 0;
    return uname(&kernel) == 0 && sscanf(kernel.release, "%d.%d", &is_major, &is_minor) == 2 &&
           (is_major > major || (is_major == major && is_minor >= minor));
}

Target find() {
    Target found;
    if (const char* node = getenv("XDNA_NODE"); node != nullptr) {
        identify(found, node);
    } else {
        constexpr int kMaxNodes = 64;
        for (int i = 0; i < kMaxNodes && found.node.empty(); i++) {
            identify(found, "/dev/accel/accel" + std::to_string(i));
        }
    }
    found.hardened = is_virtual() || kernel_at_least(7, 3);
    return found;
}

}  // namespace

const Target& target() {
    static const Target found = find();
    return found;
}

}  // namespace xdna::conformance
