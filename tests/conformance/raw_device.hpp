// An open file of the NPU's node and its ioctls, one function each: no policy, no library between
// the test and the driver. Everything made through it goes when it is closed.
#pragma once

#include <drm/amdxdna_accel.h>
#include <drm/drm.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/conformance/status.hpp"

namespace xdna::conformance {

inline constexpr uint64_t kInvalidAddress = ~uint64_t{0};
inline constexpr uint64_t kPage = 4096;
inline constexpr uint64_t kHeapSize = 64ULL << 20;        // npu1_regs.c: dev_mem_size
inline constexpr uint64_t kHeapAddress = 0x400'0000;      // aie2_pci.h: AIE2_DEVM_BASE
inline constexpr uint64_t kDevBoAlignment = 32ULL << 10;  // npu1_regs.c: dev_mem_buf_shift

/// A mapping that goes with its object.
class Mapping {
  public:
    Mapping() = default;
    Mapping(void* address, uint64_t size) : address_(address), size_(size) {}
    Mapping(Mapping&& other) noexcept { *this = std::move(other); }
    Mapping& operator=(Mapping&& other) noexcept;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() { reset(); }

    void reset();
    /// Gives up ownership: something else unmaps it.
    void* release();
    explicit operator bool() const { return address_ != MAP_FAILED; }
    void* data() const { return address_; }
    uint64_t address() const { return reinterpret_cast<uint64_t>(address_); }
    uint64_t size() const { return size_; }
    uint8_t* bytes() const { return static_cast<uint8_t*>(address_); }
    uint32_t* words() const { return static_cast<uint32_t*>(address_); }

  private:
    void* address_ = MAP_FAILED;
    uint64_t size_ = 0;
};

/// Anonymous memory that any access faults on, or that can only be read: bad ioctl arguments.
Mapping inaccessible_page();
Mapping read_only_page();

struct Context {
    uint32_t handle = 0;
    uint32_t syncobj = 0;
    uint32_t doorbell = 0;
};

class RawDevice {
  public:
    RawDevice() = default;
    /// Takes over a descriptor.
    explicit RawDevice(int fd) : fd_(fd) {}
    RawDevice(RawDevice&& other) noexcept : fd_(other.release()) {}
    RawDevice& operator=(RawDevice&& other) noexcept;
    RawDevice(const RawDevice&) = delete;
    RawDevice& operator=(const RawDevice&) = delete;
    ~RawDevice() { close(); }

    static RawDevice open(int flags = O_RDWR | O_CLOEXEC);

    int fd() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    void close();
    int release();

    /// An ioctl with the argument's address as it stands.
    Status call(unsigned long request, void* argument) const;
    template <typename T>
    Status call(unsigned long request, T& argument) const {
        return call(request, static_cast<void*>(&argument));
    }
    template <typename T>
    Status call(unsigned long request, T&& argument) const
        requires(!std::is_lvalue_reference_v<T>) {
        return call(request, static_cast<void*>(&argument));
    }

    // BOs
    Status create_bo(uint32_t type, uint64_t size, uint32_t& handle) const;
    /// The handle, or 0.
    uint32_t bo(uint32_t type, uint64_t size) const;
    Status bo_info(uint32_t handle, amdxdna_drm_get_bo_info& info) const;
    /// All fields all-ones where the BO is not known.
    amdxdna_drm_get_bo_info bo_info(uint32_t handle) const;
    Status gem_close(uint32_t handle) const;
    Status sync_bo(uint32_t handle, uint32_t direction, uint64_t offset, uint64_t size) const;
    Status import_user(const std::vector<amdxdna_drm_va_entry>& entries, uint32_t& handle) const;
    Status map(uint64_t offset, uint64_t size, int prot, int flags, Mapping& out) const;
    /// Shared, readable and writable, the whole of a BO of `size` bytes; empty on failure.
    Mapping map_bo(uint32_t handle, uint64_t size) const;
    Status export_fd(uint32_t handle, uint32_t flags, int& fd) const;
    Status import_fd(int fd, uint32_t& handle) const;

    // Contexts
    Status create_hwctx(uint32_t num_tiles, Context& context, amdxdna_qos_info qos = {}) const;
    Status destroy_hwctx(uint32_t handle) const;
    Status config_hwctx(uint32_t handle, uint32_t type, uint64_t value, uint32_t size) const;
    /// CONFIG_CU with these entries.
    Status config_cus(uint32_t handle, const std::vector<amdxdna_cu_config>& cus) const;

    // Commands
    Status exec(uint32_t context, uint32_t command, const std::vector<uint32_t>& args,
                uint64_t& sequence) const;

    // Queries
    Status get_info(uint32_t param, void* buffer, uint32_t& size) const;
    template <typename T>
    Status get_info(uint32_t param, T& out) const {
        uint32_t size = sizeof(out);
        return get_info(param, static_cast<void*>(&out), size);
    }
    Status get_array(uint32_t param, void* buffer, uint32_t& element_size, uint32_t& count) const;
    Status set_state(uint32_t param, const void* buffer, uint32_t size) const;
    /// Every context of every process.
    std::vector<amdxdna_drm_query_hwctx> contexts() const;
    /// What HW_CONTEXT_ALL says of one context of this process; context_id 0 where there is none.
    amdxdna_drm_hwctx_entry context_entry(uint32_t handle) const;

    // Syncobjs
    Status syncobj_create(uint32_t flags, uint32_t& handle) const;
    uint32_t syncobj() const;
    Status syncobj_destroy(uint32_t handle) const;
    /// Timeline wait on one syncobj, at most `timeout_ms`.
    Status syncobj_wait(uint32_t handle, uint64_t point, int64_t timeout_ms,
                        uint32_t flags = 0) const;
    Status syncobj_signal(uint32_t handle, uint64_t point) const;
    Status syncobj_query(uint32_t handle, uint32_t flags, uint64_t& point) const;

  private:
    int fd_ = -1;
};

/// CLOCK_MONOTONIC, nanoseconds.
int64_t monotonic_ns();

}  // namespace xdna::conformance
