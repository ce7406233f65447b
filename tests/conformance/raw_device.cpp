#include "tests/conformance/raw_device.hpp"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/conformance/target.hpp"

namespace xdna::conformance {

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        size_ = other.size_;
        address_ = other.release();
    }
    return *this;
}

void Mapping::reset() {
    if (address_ != MAP_FAILED) {
        munmap(release(), size_);
    }
}

void* Mapping::release() {
    void* address = address_;
    address_ = MAP_FAILED;
    return address;
}

namespace {
Mapping anonymous_page(int prot) {
    return {mmap(nullptr, kPage, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), kPage};
}
}  // namespace

Mapping inaccessible_page() {
    return anonymous_page(PROT_NONE);
}

Mapping read_only_page() {
    return anonymous_page(PROT_READ);
}

int64_t monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

RawDevice RawDevice::open(int flags) {
    return RawDevice(::open(target().node.c_str(), flags));
}

RawDevice& RawDevice::operator=(RawDevice&& other) noexcept {
    if (this != &other) {
        close();
        fd_ = other.release();
    }
    return *this;
}

void RawDevice::close() {
    if (fd_ >= 0) {
        ::close(release());
    }
}

int RawDevice::release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
}

Status RawDevice::call(unsigned long request, void* argument) const {
    return Status::of_call(ioctl(fd_, request, argument));
}

Status RawDevice::create_bo(uint32_t type, uint64_t size, uint32_t& handle) const {
    amdxdna_drm_create_bo args{.size = size, .type = type};
    Status status = call(DRM_IOCTL_AMDXDNA_CREATE_BO, args);
    handle = status.is_ok() ? args.handle : 0;
    return status;
}

uint32_t RawDevice::bo(uint32_t type, uint64_t size) const {
    uint32_t handle = 0;
    create_bo(type, size, handle);
    return handle;
}

Status RawDevice::bo_info(uint32_t handle, amdxdna_drm_get_bo_info& info) const {
    info = {.handle = handle};
    return call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info);
}

amdxdna_drm_get_bo_info RawDevice::bo_info(uint32_t handle) const {
    amdxdna_drm_get_bo_info info{};
    if (!bo_info(handle, info).is_ok()) {
        info.map_offset = info.vaddr = info.xdna_addr = kInvalidAddress;
    }
    return info;
}

Status RawDevice::gem_close(uint32_t handle) const {
    return call(DRM_IOCTL_GEM_CLOSE, drm_gem_close{.handle = handle});
}

Status RawDevice::sync_bo(uint32_t handle, uint32_t direction, uint64_t offset,
                          uint64_t size) const {
    return call(DRM_IOCTL_AMDXDNA_SYNC_BO,
                amdxdna_drm_sync_bo{
                    .handle = handle, .direction = direction, .offset = offset, .size = size});
}

Status RawDevice::import_user(const std::vector<amdxdna_drm_va_entry>& entries,
                              uint32_t& handle) const {
    // struct amdxdna_drm_va_tbl: {fd, count}, then the entries.
    static_assert(sizeof(amdxdna_drm_va_tbl) == sizeof(uint64_t));
    std::vector<uint64_t> table(1 + 2 * entries.size());
    amdxdna_drm_va_tbl head{.dmabuf_fd = -1, .num_entries = static_cast<uint32_t>(entries.size())};
    memcpy(table.data(), &head, sizeof(head));
    memcpy(table.data() + 1, entries.data(), entries.size() * sizeof(amdxdna_drm_va_entry));
    amdxdna_drm_create_bo args{.vaddr = reinterpret_cast<uint64_t>(table.data()),
                               .type = AMDXDNA_BO_SHARE};
    Status status = call(DRM_IOCTL_AMDXDNA_CREATE_BO, args);
    handle = status.is_ok() ? args.handle : 0;
    return status;
}

Status RawDevice::map(uint64_t offset, uint64_t size, int prot, int flags, Mapping& out) const {
    void* address = mmap(nullptr, size, prot, flags, fd_, static_cast<off_t>(offset));
    if (address == MAP_FAILED) {
        return Status(-errno);
    }
    out = Mapping(address, size);
    return kOk;
}

Mapping RawDevice::map_bo(uint32_t handle, uint64_t size) const {
    Mapping mapping;
    map(bo_info(handle).map_offset, size, PROT_READ | PROT_WRITE, MAP_SHARED, mapping);
    return mapping;
}

Status RawDevice::export_fd(uint32_t handle, uint32_t flags, int& fd) const {
    drm_prime_handle args{.handle = handle, .flags = flags, .fd = -1};
    Status status = call(DRM_IOCTL_PRIME_HANDLE_TO_FD, args);
    fd = status.is_ok() ? args.fd : -1;
    return status;
}

Status RawDevice::import_fd(int fd, uint32_t& handle) const {
    drm_prime_handle args{.fd = fd};
    Status status = call(DRM_IOCTL_PRIME_FD_TO_HANDLE, args);
    handle = status.is_ok() ? args.handle : 0;
    return status;
}

Status RawDevice::create_hwctx(uint32_t num_tiles, Context& context, amdxdna_qos_info qos) const {
    amdxdna_drm_create_hwctx args{.qos_p = reinterpret_cast<uint64_t>(&qos),
                                  .num_tiles = num_tiles};
    Status status = call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args);
    context =
        status.is_ok() ? Context{args.handle, args.syncobj_handle, args.umq_doorbell} : Context{};
    return status;
}

Status RawDevice::destroy_hwctx(uint32_t handle) const {
    return call(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, amdxdna_drm_destroy_hwctx{.handle = handle});
}

Status RawDevice::config_hwctx(uint32_t handle, uint32_t type, uint64_t value,
                               uint32_t size) const {
    return call(
        DRM_IOCTL_AMDXDNA_CONFIG_HWCTX,
        amdxdna_drm_config_hwctx{
            .handle = handle, .param_type = type, .param_val = value, .param_val_size = size});
}

Status RawDevice::config_cus(uint32_t handle, const std::vector<amdxdna_cu_config>& cus) const {
    std::vector<uint64_t> buffer(1 + cus.size());
    static_assert(sizeof(amdxdna_cu_config) == sizeof(uint64_t));
    buffer[0] = cus.size();
    if (!cus.empty()) {
        memcpy(buffer.data() + 1, cus.data(), cus.size() * sizeof(amdxdna_cu_config));
    }
    return config_hwctx(handle, DRM_AMDXDNA_HWCTX_CONFIG_CU,
                        reinterpret_cast<uint64_t>(buffer.data()),
                        static_cast<uint32_t>(buffer.size() * sizeof(uint64_t)));
}

Status RawDevice::exec(uint32_t context, uint32_t command, const std::vector<uint32_t>& args,
                       uint64_t& sequence) const {
    amdxdna_drm_exec_cmd exec{.hwctx = context,
                              .type = AMDXDNA_CMD_SUBMIT_EXEC_BUF,
                              .cmd_handles = command,
                              .args = reinterpret_cast<uint64_t>(args.data()),
                              .cmd_count = 1,
                              .arg_count = static_cast<uint32_t>(args.size())};
    Status status = call(DRM_IOCTL_AMDXDNA_EXEC_CMD, exec);
    sequence = exec.seq;
    return status;
}

Status RawDevice::get_info(uint32_t param, void* buffer, uint32_t& size) const {
    amdxdna_drm_get_info args{
        .param = param, .buffer_size = size, .buffer = reinterpret_cast<uint64_t>(buffer)};
    Status status = call(DRM_IOCTL_AMDXDNA_GET_INFO, args);
    size = args.buffer_size;
    return status;
}

Status RawDevice::get_array(uint32_t param, void* buffer, uint32_t& element_size,
                            uint32_t& count) const {
    amdxdna_drm_get_array args{.param = param,
                               .element_size = element_size,
                               .num_element = count,
                               .buffer = reinterpret_cast<uint64_t>(buffer)};
    Status status = call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args);
    element_size = args.element_size;
    count = args.num_element;
    return status;
}

Status RawDevice::set_state(uint32_t param, const void* buffer, uint32_t size) const {
    return call(
        DRM_IOCTL_AMDXDNA_SET_STATE,
        amdxdna_drm_set_state{
            .param = param, .buffer_size = size, .buffer = reinterpret_cast<uint64_t>(buffer)});
}

std::vector<amdxdna_drm_query_hwctx> RawDevice::contexts() const {
    std::vector<amdxdna_drm_query_hwctx> list(256);
    const auto capacity = static_cast<uint32_t>(list.size() * sizeof(list[0]));
    uint32_t left = capacity;
    if (!get_info(DRM_AMDXDNA_QUERY_HW_CONTEXTS, list.data(), left).is_ok()) {
        return {};
    }
    list.resize((capacity - left) / sizeof(list[0]));
    return list;
}

amdxdna_drm_hwctx_entry RawDevice::context_entry(uint32_t handle) const {
    std::vector<amdxdna_drm_hwctx_entry> list(256);
    uint32_t size = sizeof(list[0]);
    auto count = static_cast<uint32_t>(list.size());
    if (get_array(DRM_AMDXDNA_HW_CONTEXT_ALL, list.data(), size, count).is_ok()) {
        list.resize(count);
        for (const auto& entry : list) {
            if (entry.context_id == handle && entry.pid == getpid()) {
                return entry;
            }
        }
    }
    return {};
}

Status RawDevice::syncobj_create(uint32_t flags, uint32_t& handle) const {
    drm_syncobj_create args{.flags = flags};
    Status status = call(DRM_IOCTL_SYNCOBJ_CREATE, args);
    handle = status.is_ok() ? args.handle : 0;
    return status;
}

uint32_t RawDevice::syncobj() const {
    uint32_t handle = 0;
    syncobj_create(0, handle);
    return handle;
}

Status RawDevice::syncobj_destroy(uint32_t handle) const {
    return call(DRM_IOCTL_SYNCOBJ_DESTROY, drm_syncobj_destroy{.handle = handle});
}

Status RawDevice::syncobj_wait(uint32_t handle, uint64_t point, int64_t timeout_ms,
                               uint32_t flags) const {
    return call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT,
                drm_syncobj_timeline_wait{
                    .handles = reinterpret_cast<uint64_t>(&handle),
                    .points = reinterpret_cast<uint64_t>(&point),
                    .timeout_nsec = timeout_ms == 0 ? 0 : monotonic_ns() + timeout_ms * 1'000'000,
                    .count_handles = 1,
                    .flags = flags});
}

Status RawDevice::syncobj_signal(uint32_t handle, uint64_t point) const {
    return call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL,
                drm_syncobj_timeline_array{.handles = reinterpret_cast<uint64_t>(&handle),
                                           .points = reinterpret_cast<uint64_t>(&point),
                                           .count_handles = 1});
}

Status RawDevice::syncobj_query(uint32_t handle, uint32_t flags, uint64_t& point) const {
    return call(DRM_IOCTL_SYNCOBJ_QUERY,
                drm_syncobj_timeline_array{.handles = reinterpret_cast<uint64_t>(&handle),
                                           .points = reinterpret_cast<uint64_t>(&point),
                                           .count_handles = 1,
                                           .flags = flags});
}

}  // namespace xdna::conformance
