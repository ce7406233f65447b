// The DRM core's own ioctls (linux drivers/gpu/drm/drm_ioctl.c, drm_auth.c).
#include <drm/drm.h>

#include <cctype>
#include <cerrno>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

constexpr char kDriverDescription[] = "AMD XDNA DRM implementation";
constexpr uint32_t kOverflowUid = 65534;
constexpr size_t kMaxClientName = 64;  // DRM_CLIENT_NAME_MAX_LEN

int copy_field(Caller& caller, char* to, __kernel_size_t& length, const char* value) {
    const size_t full = std::strlen(value);
    const size_t part = length < full ? length : full;
    length = full;
    if (part == 0 || to == nullptr) {
        return 0;
    }
    return caller.copy_out(reinterpret_cast<uint64_t>(to), value, part);
}

}  // namespace

int Client::version(Caller& caller, void* arg) {
    auto& args = *static_cast<drm_version*>(arg);
    args.version_major = 0;
    args.version_minor = 10;
    args.version_patchlevel = 0;
    int error = copy_field(caller, args.name, args.name_len, kDriverName);
    if (error == 0) {
        error = copy_field(caller, args.date, args.date_len, "0");
    }
    if (error == 0) {
        error = copy_field(caller, args.desc, args.desc_len, kDriverDescription);
    }
    return error;
}

int Client::get_unique(Caller& /*caller*/, void* /*arg*/) {
    // The kernel has no master for a file of an accel node and dereferences it all the same: an
    // oops. There is nothing to imitate; the call is refused.
    device_->log(LogLine::Level::kWarning,
                 "GET_UNIQUE or GET_MAGIC on an accel node: Linux 7.3 oopses here");
    return -EINVAL;
}

int Client::get_client(Caller& caller, void* arg) {
    auto& args = *static_cast<drm_client*>(arg);
    if (args.idx != 0) {
        return -EINVAL;
    }
    args.auth = authenticated_ ? 1 : 0;
    args.pid = static_cast<unsigned long>(caller.pid());
    args.uid = kOverflowUid;
    args.magic = 0;
    args.iocs = 0;
    return 0;
}

int Client::get_stats(Caller& /*caller*/, void* arg) {
    std::memset(arg, 0, sizeof(drm_stats));
    return 0;
}

int Client::get_cap(Caller& /*caller*/, void* arg) {
    auto& args = *static_cast<drm_get_cap*>(arg);
    args.value = 0;
    switch (args.capability) {
        case DRM_CAP_TIMESTAMP_MONOTONIC:
        case DRM_CAP_SYNCOBJ:
        case DRM_CAP_SYNCOBJ_TIMELINE:
            args.value = 1;
            return 0;
        case DRM_CAP_PRIME:
            args.value = DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT;
            return 0;
        default:
            return -EOPNOTSUPP;  // the rest belongs to display drivers
    }
}

int Client::set_master(Caller& caller, void* /*arg*/) {
    return caller.capable_sys_admin() ? -EINVAL : -EACCES;
}

int Client::drop_master(Caller& caller, void* /*arg*/) {
    return caller.capable_sys_admin() ? -EINVAL : -EACCES;
}

int Client::set_client_name(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_set_client_name*>(arg);
    if (args.name_len > kMaxClientName) {
        return -EINVAL;
    }
    std::string name(args.name_len, '\0');
    if (args.name_len != 0) {
        if (caller.copy_in(name.data(), args.name, name.size()) != 0) {
            return -EFAULT;
        }
        for (const char c : name) {
            if (c <= ' ' || c > '~') {
                return -EINVAL;
            }
        }
    }
    const Lock lock(device_->mutex);
    name_ = std::move(name);
    return 0;
}

}  // namespace xdna::emu::driver
