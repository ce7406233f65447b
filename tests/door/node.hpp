// The device node through raw system calls: what any program does, with no library between.
#pragma once

#include <drm/amdxdna_accel.h>
#include <drm/drm.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace xdna::door {

constexpr char kNode[] = "/dev/accel/accel0";
constexpr size_t kPage = 4096;
constexpr size_t kHeap = size_t{64} << 20;  // the heap of npu1, and its alignment

/// 0, or errno of a failed call.
template <typename T>
int ioctl_errno(int fd, unsigned long request, T& argument) {
    return ::ioctl(fd, request, &argument) == 0 ? 0 : errno;
}

/// A descriptor that closes itself.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Fd() { reset(); }
    operator int() const { return fd_; }  // NOLINT(google-explicit-constructor)
    void reset(int fd = -1) {
        if (fd_ >= 0)
            ::close(fd_);
        fd_ = fd;
    }

  private:
    int fd_ = -1;
};

inline Fd open_node(int flags = O_RDWR | O_CLOEXEC) {
    return Fd(::open(kNode, flags));
}

/// DRM_IOCTL_VERSION's name, or the errno in words.
inline std::string driver_name(int fd) {
    char name[64] = {};
    drm_version version{};
    version.name = name;
    version.name_len = sizeof name - 1;
    const int err = ioctl_errno(fd, DRM_IOCTL_VERSION, version);
    return err == 0 ? name : std::string("errno ") + std::strerror(err);
}

inline int create_bo(int fd, size_t size, uint32_t& handle, uint32_t type = AMDXDNA_BO_SHARE) {
    amdxdna_drm_create_bo create{};
    create.size = size;
    create.type = type;
    const int err = ioctl_errno(fd, DRM_IOCTL_AMDXDNA_CREATE_BO, create);
    handle = create.handle;
    return err;
}

inline amdxdna_drm_get_bo_info bo_info(int fd, uint32_t handle) {
    amdxdna_drm_get_bo_info info{};
    info.handle = handle;
    EXPECT_EQ(0, ioctl_errno(fd, DRM_IOCTL_AMDXDNA_GET_BO_INFO, info));
    return info;
}

inline void* map_bo(int fd, uint32_t handle, size_t size, void* at = nullptr) {
    return ::mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at != nullptr ? MAP_FIXED : 0),
                  fd, static_cast<off_t>(bo_info(fd, handle).map_offset));
}

inline int close_bo(int fd, uint32_t handle) {
    drm_gem_close close{};
    close.handle = handle;
    return ioctl_errno(fd, DRM_IOCTL_GEM_CLOSE, close);
}

/// A 64 MiB heap, mapped where the driver wants it; MAP_FAILED when a step failed.
inline void* make_heap(int fd) {
    uint32_t heap = 0;
    if (create_bo(fd, kHeap, heap, AMDXDNA_BO_DEV_HEAP) != 0)
        return MAP_FAILED;
    void* room = ::mmap(nullptr, 2 * kHeap, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return room;
    const auto aligned = (reinterpret_cast<uintptr_t>(room) + kHeap - 1) / kHeap * kHeap;
    return map_bo(fd, heap, kHeap, reinterpret_cast<void*>(aligned));
}

/// A context of one column, and the heap that it needs, left mapped; 0 or errno.
inline int make_context(int fd, uint32_t& handle, void** mapped_heap = nullptr) {
    void* heap = make_heap(fd);
    if (heap == MAP_FAILED)
        return errno;
    if (mapped_heap != nullptr)
        *mapped_heap = heap;
    amdxdna_qos_info qos{};
    amdxdna_drm_create_hwctx create{};
    create.qos_p = reinterpret_cast<uint64_t>(&qos);
    create.num_tiles = 4;
    const int err = ioctl_errno(fd, DRM_IOCTL_AMDXDNA_CREATE_HWCTX, create);
    handle = create.handle;
    return err;
}

/// Processes that hold a context now, one entry a context: every client sees all of them.
inline std::vector<pid_t> context_owners(int fd) {
    std::vector<amdxdna_drm_hwctx_entry> entries(64);
    amdxdna_drm_get_array query{};
    query.param = DRM_AMDXDNA_HW_CONTEXT_ALL;
    query.element_size = sizeof entries[0];
    query.num_element = static_cast<uint32_t>(entries.size());
    query.buffer = reinterpret_cast<uint64_t>(entries.data());
    EXPECT_EQ(0, ioctl_errno(fd, DRM_IOCTL_AMDXDNA_GET_ARRAY, query));
    std::vector<pid_t> owners;
    for (uint32_t i = 0; i < query.num_element && i < entries.size(); ++i)
        owners.push_back(static_cast<pid_t>(entries[i].pid));
    return owners;
}

inline uint32_t make_syncobj(int fd) {
    drm_syncobj_create create{};
    EXPECT_EQ(0, ioctl_errno(fd, DRM_IOCTL_SYNCOBJ_CREATE, create));
    return create.handle;
}

/// Waits until something signals the syncobj, which may be never; 0 or errno.
inline int wait_syncobj(int fd, uint32_t handle, int64_t deadline_ns = INT64_MAX) {
    drm_syncobj_wait wait{};
    wait.handles = reinterpret_cast<uint64_t>(&handle);
    wait.timeout_nsec = deadline_ns;
    wait.count_handles = 1;
    wait.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    return ioctl_errno(fd, DRM_IOCTL_SYNCOBJ_WAIT, wait);
}

/// Runs `body` in a forked child: true if it returned true. Expectations in it print, but only the
/// return value counts.
template <typename Body>
bool in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0)
        ::_exit(body() && !::testing::Test::HasFailure() ? 0 : 1);
    int status = 0;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace xdna::door
