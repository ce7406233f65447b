// The ioctls of the node, and what drm_ioctl() does around each: which struct sizes are accepted,
// what is copied, who may call (linux drivers/gpu/drm/drm_ioctl.c, amdxdna_pci_drv.c).
#include <drm/amdxdna_accel.h>
#include <drm/drm.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

enum Flags : unsigned { kAnyone = 0, kAuth = 1, kMaster = 2, kRoot = 4 };

using Handler = int (Client::*)(Caller&, void*);

struct Row {
    unsigned long command = 0;
    Handler handler = nullptr;
    unsigned flags = kAnyone;
    int result = 0;  ///< where there is no handler
};

constexpr Row kRows[] = {
    {DRM_IOCTL_VERSION, &Client::version},
    {DRM_IOCTL_GET_UNIQUE, &Client::get_unique},
    {DRM_IOCTL_GET_MAGIC, &Client::get_unique},
    {DRM_IOCTL_GET_CLIENT, &Client::get_client},
    {DRM_IOCTL_GET_STATS, &Client::get_stats},
    {DRM_IOCTL_GET_CAP, &Client::get_cap},
    {DRM_IOCTL_SET_CLIENT_CAP, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_SET_VERSION, nullptr, kMaster},
    {DRM_IOCTL_SET_UNIQUE, nullptr, kAuth | kMaster | kRoot},
    {DRM_IOCTL_BLOCK, nullptr, kAuth | kMaster | kRoot},
    {DRM_IOCTL_UNBLOCK, nullptr, kAuth | kMaster | kRoot},
    {DRM_IOCTL_AUTH_MAGIC, nullptr, kMaster},
    {DRM_IOCTL_SET_MASTER, &Client::set_master},
    {DRM_IOCTL_DROP_MASTER, &Client::drop_master},
    {DRM_IOCTL_ADD_DRAW, nullptr, kAuth | kMaster | kRoot},
    {DRM_IOCTL_RM_DRAW, nullptr, kAuth | kMaster | kRoot},
    {DRM_IOCTL_FINISH, nullptr, kAuth, 0},
    {DRM_IOCTL_WAIT_VBLANK, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_UPDATE_DRAW, nullptr, kAuth | kMaster | kRoot},
    {DRM_IOCTL_GEM_CLOSE, &Client::gem_close},
    {DRM_IOCTL_GEM_FLINK, &Client::gem_flink, kAuth},
    {DRM_IOCTL_GEM_OPEN, &Client::gem_open, kAuth},
    {DRM_IOCTL_GEM_CHANGE_HANDLE, nullptr, kAnyone, -EINVAL},
    {DRM_IOCTL_MODE_GETRESOURCES, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_PRIME_HANDLE_TO_FD, &Client::prime_handle_to_fd},
    {DRM_IOCTL_PRIME_FD_TO_HANDLE, &Client::prime_fd_to_handle},
    {DRM_IOCTL_SET_CLIENT_NAME, &Client::set_client_name},
    {DRM_IOCTL_MODE_GETPLANERESOURCES, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_GETCRTC, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_SETCRTC, nullptr, kMaster},
    {DRM_IOCTL_MODE_GETPLANE, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_SETPLANE, nullptr, kMaster},
    {DRM_IOCTL_MODE_CURSOR, nullptr, kMaster},
    {DRM_IOCTL_MODE_GETGAMMA, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_SETGAMMA, nullptr, kMaster},
    {DRM_IOCTL_MODE_GETENCODER, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_GETCONNECTOR, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_ATTACHMODE, nullptr, kMaster},
    {DRM_IOCTL_MODE_DETACHMODE, nullptr, kMaster},
    {DRM_IOCTL_MODE_GETPROPERTY, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_SETPROPERTY, nullptr, kMaster},
    {DRM_IOCTL_MODE_GETPROPBLOB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_GETFB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_GETFB2, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_ADDFB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_ADDFB2, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_RMFB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_CLOSEFB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_PAGE_FLIP, nullptr, kMaster},
    {DRM_IOCTL_MODE_DIRTYFB, nullptr, kMaster},
    {DRM_IOCTL_MODE_CREATE_DUMB, nullptr, kAnyone, -ENOSYS},
    {DRM_IOCTL_MODE_MAP_DUMB, nullptr, kAnyone, -ENOSYS},
    {DRM_IOCTL_MODE_DESTROY_DUMB, nullptr, kAnyone, -ENOSYS},
    {DRM_IOCTL_MODE_OBJ_GETPROPERTIES, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_OBJ_SETPROPERTY, nullptr, kMaster},
    {DRM_IOCTL_MODE_CURSOR2, nullptr, kMaster},
    {DRM_IOCTL_MODE_ATOMIC, nullptr, kMaster},
    {DRM_IOCTL_MODE_CREATEPROPBLOB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_DESTROYPROPBLOB, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_SYNCOBJ_CREATE, &Client::syncobj_create},
    {DRM_IOCTL_SYNCOBJ_DESTROY, &Client::syncobj_destroy},
    {DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &Client::syncobj_handle_to_fd},
    {DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &Client::syncobj_fd_to_handle},
    {DRM_IOCTL_SYNCOBJ_TRANSFER, &Client::syncobj_transfer},
    {DRM_IOCTL_SYNCOBJ_WAIT, &Client::syncobj_wait},
    {DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &Client::syncobj_timeline_wait},
    {DRM_IOCTL_SYNCOBJ_EVENTFD, &Client::syncobj_eventfd},
    {DRM_IOCTL_SYNCOBJ_RESET, &Client::syncobj_reset},
    {DRM_IOCTL_SYNCOBJ_SIGNAL, &Client::syncobj_signal},
    {DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, &Client::syncobj_timeline_signal},
    {DRM_IOCTL_SYNCOBJ_QUERY, &Client::syncobj_query},
    {DRM_IOCTL_CRTC_GET_SEQUENCE, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_CRTC_QUEUE_SEQUENCE, nullptr, kAnyone, -EOPNOTSUPP},
    {DRM_IOCTL_MODE_CREATE_LEASE, nullptr, kMaster},
    {DRM_IOCTL_MODE_LIST_LESSEES, nullptr, kMaster},
    {DRM_IOCTL_MODE_GET_LEASE, nullptr, kMaster},
    {DRM_IOCTL_MODE_REVOKE_LEASE, nullptr, kMaster},

    {DRM_IOCTL_AMDXDNA_CREATE_HWCTX, &Client::create_hwctx},
    {DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, &Client::destroy_hwctx},
    {DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, &Client::config_hwctx},
    {DRM_IOCTL_AMDXDNA_CREATE_BO, &Client::create_bo},
    {DRM_IOCTL_AMDXDNA_GET_BO_INFO, &Client::get_bo_info},
    {DRM_IOCTL_AMDXDNA_SYNC_BO, &Client::sync_bo},
    {DRM_IOCTL_AMDXDNA_EXEC_CMD, &Client::exec_cmd},
    {DRM_IOCTL_AMDXDNA_WAIT_CMD, &Client::wait_cmd},
    {DRM_IOCTL_AMDXDNA_GET_INFO, &Client::get_info},
    {DRM_IOCTL_AMDXDNA_GET_ARRAY, &Client::get_array},
    {DRM_IOCTL_AMDXDNA_SET_STATE, &Client::set_state, kRoot},
};

const std::array<const Row*, 256>& rows_by_number() {
    static const auto table = [] {
        std::array<const Row*, 256> rows{};
        for (const Row& row : kRows) {
            rows[_IOC_NR(row.command)] = &row;
        }
        return rows;
    }();
    return table;
}

constexpr unsigned direction(unsigned long command, unsigned bit) {
    return _IOC_DIR(command) & bit;
}

}  // namespace

int Client::ioctl(Caller& caller, unsigned long request, void* arg) {
    if (_IOC_TYPE(request) != DRM_IOCTL_BASE) {
        return -ENOTTY;
    }
    const Row* row = rows_by_number()[_IOC_NR(request)];
    if (row == nullptr) {
        return -EINVAL;
    }
    const size_t user_size = _IOC_SIZE(request);
    const bool in = direction(request & row->command, _IOC_WRITE) != 0;
    const bool out = direction(request & row->command, _IOC_READ) != 0;

    // The kernel works on its own copy, as long as the longer of the two structs, zero-extended.
    alignas(8) std::array<std::byte, 256> small{};
    std::vector<std::byte> large;
    std::byte* data = small.data();
    const size_t size = std::max<size_t>(user_size, _IOC_SIZE(row->command));
    if (size > small.size()) {
        large.resize(size);
        data = large.data();
    }
    if (in && user_size != 0) {
        std::memcpy(data, arg, user_size);
    }

    int result = row->result;
    if (((row->flags & kRoot) != 0 && !caller.capable_sys_admin()) ||
        ((row->flags & kAuth) != 0 && !authenticated_) || (row->flags & kMaster) != 0) {
        result = -EACCES;  // no file of an accel node is ever master
    } else if (row->handler != nullptr) {
        result = (this->*row->handler)(caller, data);
    }
    if (out && user_size != 0) {
        std::memcpy(arg, data, user_size);
    }
    return result;
}

}  // namespace xdna::emu::driver
