#include "libxdna/bo.hpp"

#include <fcntl.h>
#include <xf86drm.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "libxdna/cache.hpp"
#include "libxdna/error.hpp"
#include "libxdna/os.hpp"

namespace xdna {
namespace {

using ull = unsigned long long;

uint64_t round_to_page(uint64_t size) {
    const uint64_t page = os::page_size();
    return (size + page - 1) & ~(page - 1);
}

/// What the kernel calls the NPU's address of a BO depends on its age and mode (amdxdna_gem.c): its
/// own number where it has one, else the process's address, which the IOMMU translates (SVA).
uint64_t npu_address(const amdxdna_drm_get_bo_info& info, const void* memory) {
    return info.xdna_addr != kInvalidAddress ? info.xdna_addr : reinterpret_cast<uintptr_t>(memory);
}

/// Enters a BO into the device's table. From then on unref() closes its handle.
void enroll(xdna_bo* bo) {
    const std::lock_guard lock(bo->device->bos_mutex);
    bo->device->bos.emplace(bo->handle, bo);
}

/// Maps a fresh SHARE or CMD BO and learns its address. The driver knows the address only once it
/// is mapped, and the NPU needs the mapping until the last command has ended.
int map_bo(xdna_bo* bo, const char* who) {
    amdxdna_drm_get_bo_info info{};
    if (int error = get_bo_info(bo->device, bo->handle, who, info); error != 0) {
        return error;
    }
    const uint64_t mapped = round_to_page(bo->size);
    void* memory = nullptr;
    if (int error = os::map(bo->device->fd, info.map_offset, mapped, os::page_size(), &memory);
        error != 0) {
        return fail_call(Call::kMap, error, "%s: mapping %s BO of %llu bytes", who,
                         bo_type_name(bo->type), static_cast<ull>(bo->size));
    }
    bo->memory = static_cast<uint8_t*>(memory);
    bo->is_mapped = true;
    if (int error = get_bo_info(bo->device, bo->handle, who, info); error != 0) {
        return error;
    }
    bo->address = npu_address(info, bo->memory);
    return 0;
}

/// A DEV BO is not mapped: it is seen through the heap's mapping.
int place_in_heap(xdna_bo* bo, const char* who) {
    amdxdna_drm_get_bo_info info{};
    if (int error = get_bo_info(bo->device, bo->handle, who, info); error != 0) {
        return error;
    }
    const Heap& heap = bo->device->heap;
    if (info.xdna_addr < heap.address || info.xdna_addr - heap.address > heap.size ||
        bo->size > heap.size - (info.xdna_addr - heap.address)) {
        return fail(-EIO, "%s: the driver put a DEV BO of %llu bytes at 0x%llx, outside the heap",
                    who, static_cast<ull>(bo->size), static_cast<ull>(info.xdna_addr));
    }
    bo->address = info.xdna_addr;
    bo->memory = heap.memory + (info.xdna_addr - heap.address);
    // The heap's pages are used again and again.
    std::memset(bo->memory, 0, bo->size);
    return 0;
}

/// Makes `bo` a view of the device's heap, which there must be.
void show_heap(xdna_bo* bo, const Heap& heap) {
    bo->type = XDNA_BO_DEV_HEAP;
    bo->is_heap = true;
    bo->handle = heap.handle;
    bo->memory = heap.memory;
    bo->size = heap.size;
    bo->address = heap.address;
}

int create_heap_bo(xdna_device* device, uint64_t size, const char* who, xdna_bo** out) {
    if (size == 0 || size % kHeapAlignment != 0) {
        return fail(-EINVAL, "%s: a device heap of %llu bytes: it must be a multiple of %llu", who,
                    static_cast<ull>(size), static_cast<ull>(kHeapAlignment));
    }
    auto bo = std::make_unique<xdna_bo>();
    if (int error = make_heap(device, size, true, who); error != 0) {
        return error;
    }
    bo->device = device;
    show_heap(bo.get(), device->heap);
    enroll(bo.get());
    ref(device);
    *out = bo.release();
    return 0;
}

/// The BO of a dma-buf's handle: the one that has it already, with a reference more, or `fresh`.
/// Under the lock, so that no other thread closes the handle between asking for it and entering it.
int adopt_dmabuf(xdna_device* device, int fd, std::unique_ptr<xdna_bo>& fresh, xdna_bo** out) {
    const std::lock_guard lock(device->bos_mutex);
    uint32_t handle = 0;
    if (drmPrimeFDToHandle(device->fd, fd, &handle) != 0) {
        return fail_call(Call::kPrimeImport, -errno, "xdna_bo_import_dmabuf: descriptor %d", fd);
    }
    if (auto known = device->bos.find(handle); known != device->bos.end()) {
        known->second->refs++;
        *out = known->second;
        return 0;
    }
    fresh->device = device;
    fresh->handle = handle;
    if (handle == device->heap.handle) {
        show_heap(fresh.get(), device->heap);
    }
    try {
        device->bos.emplace(handle, fresh.get());
    } catch (...) {
        if (!fresh->is_heap) {
            close_gem(device, handle);
        }
        throw;
    }
    ref(device);
    *out = fresh.release();
    return 0;
}

/// A new BO for `handle`, which it owns from now on, also on failure.
template <class Prepare>
int finish_bo(xdna_device* device, uint32_t handle, xdna_bo_type type, uint64_t size, xdna_bo** out,
              Prepare&& prepare) {
    std::unique_ptr<xdna_bo> bo(new (std::nothrow) xdna_bo);
    if (bo == nullptr) {
        close_gem(device, handle);
        return fail_with(-ENOMEM, "out of memory for a BO");
    }
    bo->device = device;
    bo->handle = handle;
    bo->type = type;
    bo->size = size;
    ref(device);
    xdna_bo* raw = bo.release();
    try {
        enroll(raw);
    } catch (...) {
        close_gem(device, handle);
        unref(device);
        delete raw;
        throw;
    }
    if (int error = prepare(raw); error != 0) {
        unref(raw);
        return error;
    }
    *out = raw;
    return 0;
}

}  // namespace

void ref(xdna_bo* bo) {
    const std::lock_guard lock(bo->device->bos_mutex);
    bo->refs++;
}

void unref(xdna_bo* bo) {
    xdna_device* device = bo->device;
    {
        const std::lock_guard lock(device->bos_mutex);
        if (--bo->refs != 0) {
            return;
        }
        device->bos.erase(bo->handle);
        if (!bo->is_heap) {
            close_gem(device, bo->handle);
        }
    }
    // Not under the lock: the driver lets munmap wait for commands that use the BO.
    if (bo->is_mapped) {
        os::unmap(bo->memory, round_to_page(bo->size));
    }
    delete bo;
    unref(device);
}

int get_bo_info(xdna_device* device, uint32_t handle, const char* who,
                amdxdna_drm_get_bo_info& out) {
    out = {};
    out.handle = handle;
    const int error = os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_GET_BO_INFO, &out);
    return error == 0 ? 0 : fail_call(Call::kGetBoInfo, error, "%s: BO handle %u", who, handle);
}

void close_gem(xdna_device* device, uint32_t handle) {
    drm_gem_close close{};
    close.handle = handle;
    os::ioctl(device->fd, DRM_IOCTL_GEM_CLOSE, &close);
}

const char* bo_type_name(xdna_bo_type type) {
    switch (type) {
        case XDNA_BO_SHARE:
            return "SHARE";
        case XDNA_BO_DEV_HEAP:
            return "DEV_HEAP";
        case XDNA_BO_DEV:
            return "DEV";
        case XDNA_BO_CMD:
            return "CMD";
    }
    return "unknown";
}

int create_bo(xdna_device* device, xdna_bo_type type, uint64_t size, const char* who,
              xdna_bo** out) {
    if (type < XDNA_BO_SHARE || type > XDNA_BO_CMD) {
        return fail(-EINVAL, "%s: no BO type %d", who, static_cast<int>(type));
    }
    if (size == 0 || size > (uint64_t{1} << 47)) {
        return fail(-EINVAL, "%s: a %s BO of %llu bytes", who, bo_type_name(type),
                    static_cast<ull>(size));
    }
    if (type == XDNA_BO_DEV_HEAP) {
        return create_heap_bo(device, size, who, out);
    }
    if (type == XDNA_BO_DEV) {
        if (int error = make_heap(device, kHeapAlignment, false, who); error != 0) {
            return error;
        }
    }
    amdxdna_drm_create_bo create{};
    create.type = type;
    create.size = round_to_page(size);
    if (int error = os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_CREATE_BO, &create); error != 0) {
        return fail_call(type == XDNA_BO_DEV ? Call::kCreateDevBo : Call::kCreateBo, error,
                         "%s: %s BO of %llu bytes", who, bo_type_name(type),
                         static_cast<ull>(size));
    }
    return finish_bo(device, create.handle, type, size, out, [&](xdna_bo* bo) {
        return type == XDNA_BO_DEV ? place_in_heap(bo, who) : map_bo(bo, who);
    });
}

}  // namespace xdna

using xdna::Call;
using xdna::fail;
using xdna::fail_call;
using xdna::guarded;

int xdna_bo_create(struct xdna_device* device, enum xdna_bo_type type, uint64_t size,
                   struct xdna_bo** out) {
    return guarded("xdna_bo_create", [&] {
        if (device == nullptr || out == nullptr) {
            return fail(-EINVAL, "xdna_bo_create: %s is NULL",
                        device == nullptr ? "device" : "out");
        }
        *out = nullptr;
        return xdna::create_bo(device, type, size, "xdna_bo_create", out);
    });
}

int xdna_bo_import_user(struct xdna_device* device, void* memory, uint64_t size,
                        struct xdna_bo** out) {
    return guarded("xdna_bo_import_user", [&] {
        if (device == nullptr || memory == nullptr || out == nullptr) {
            return fail(-EINVAL, "xdna_bo_import_user: %s is NULL",
                        device == nullptr   ? "device"
                        : memory == nullptr ? "memory"
                                            : "out");
        }
        *out = nullptr;
        const uint64_t page = xdna::os::page_size();
        if (size == 0 || size % page != 0 || reinterpret_cast<uintptr_t>(memory) % page != 0) {
            return fail(-EINVAL,
                        "xdna_bo_import_user: %llu bytes at %p: both must be multiples of the page "
                        "(%llu), and the size not 0",
                        static_cast<unsigned long long>(size), memory,
                        static_cast<unsigned long long>(page));
        }
        // struct amdxdna_drm_va_tbl with one entry; its own array is flexible.
        struct {
            int32_t dmabuf_fd;
            uint32_t num_entries;
            amdxdna_drm_va_entry entry;
        } table{-1, 1, {reinterpret_cast<uintptr_t>(memory), size}};
        static_assert(offsetof(decltype(table), entry) == offsetof(amdxdna_drm_va_tbl, va_entries));
        amdxdna_drm_create_bo create{};
        create.type = AMDXDNA_BO_SHARE;
        create.vaddr = reinterpret_cast<uintptr_t>(&table);
        int error = xdna::os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_CREATE_BO, &create);
        if (error == -EINVAL && device->version.major == 0 && device->version.minor == 0) {
            // Linux 6.14 wants a vaddr of 0; the arguments themselves were checked above.
            error = -EOPNOTSUPP;
        }
        if (error != 0) {
            return fail_call(Call::kCreateUserBo, error, "xdna_bo_import_user: %llu bytes at %p",
                             static_cast<unsigned long long>(size), memory);
        }
        return xdna::finish_bo(device, create.handle, XDNA_BO_SHARE, size, out, [&](xdna_bo* bo) {
            amdxdna_drm_get_bo_info info{};
            int info_error = xdna::get_bo_info(device, bo->handle, "xdna_bo_import_user", info);
            bo->memory = static_cast<uint8_t*>(memory);
            bo->address = xdna::npu_address(info, memory);
            return info_error;
        });
    });
}

int xdna_bo_import_dmabuf(struct xdna_device* device, int fd, struct xdna_bo** out) {
    return guarded("xdna_bo_import_dmabuf", [&] {
        if (device == nullptr || out == nullptr) {
            return fail(-EINVAL, "xdna_bo_import_dmabuf: %s is NULL",
                        device == nullptr ? "device" : "out");
        }
        *out = nullptr;
        const int64_t size = xdna::os::seek_size(fd);
        if (size <= 0) {
            return fail(size == 0 ? -EINVAL : static_cast<int>(size),
                        "xdna_bo_import_dmabuf: descriptor %d is not a dma-buf: it has no size",
                        fd);
        }
        auto fresh = std::make_unique<xdna_bo>();
        fresh->size = static_cast<uint64_t>(size);
        // Another import of the same dma-buf must find this BO mapped.
        const std::lock_guard lock(device->import_mutex);
        xdna_bo* bo = nullptr;
        if (int error = xdna::adopt_dmabuf(device, fd, fresh, &bo); error != 0) {
            return error;
        }
        if (bo->memory == nullptr) {
            if (int error = xdna::map_bo(bo, "xdna_bo_import_dmabuf"); error != 0) {
                xdna::unref(bo);
                return error;
            }
        }
        *out = bo;
        return 0;
    });
}

int xdna_bo_export_dmabuf(struct xdna_bo* bo, int* fd) {
    if (bo == nullptr || fd == nullptr) {
        return fail(-EINVAL, "xdna_bo_export_dmabuf: %s is NULL", bo == nullptr ? "bo" : "fd");
    }
    *fd = -1;
    if (drmPrimeHandleToFD(bo->device->fd, bo->handle, DRM_CLOEXEC | DRM_RDWR, fd) != 0) {
        return fail_call(Call::kPrimeExport, -errno, "xdna_bo_export_dmabuf: %s BO of handle %u",
                         xdna::bo_type_name(bo->type), bo->handle);
    }
    return 0;
}

void xdna_bo_destroy(struct xdna_bo* bo) {
    if (bo != nullptr) {
        xdna::unref(bo);
    }
}

void* xdna_bo_memory(const struct xdna_bo* bo) {
    return bo != nullptr ? bo->memory : nullptr;
}

uint64_t xdna_bo_size(const struct xdna_bo* bo) {
    return bo != nullptr ? bo->size : 0;
}

uint64_t xdna_bo_address(const struct xdna_bo* bo) {
    return bo != nullptr ? bo->address : 0;
}

enum xdna_bo_type xdna_bo_get_type(const struct xdna_bo* bo) {
    return bo != nullptr ? bo->type : XDNA_BO_SHARE;
}

uint32_t xdna_bo_handle(const struct xdna_bo* bo) {
    return bo != nullptr ? bo->handle : 0;
}

int xdna_bo_sync(struct xdna_bo* bo, enum xdna_sync direction, uint64_t offset, uint64_t size) {
    if (bo == nullptr) {
        return fail(-EINVAL, "xdna_bo_sync: bo is NULL");
    }
    if (direction != XDNA_SYNC_TO_DEVICE && direction != XDNA_SYNC_FROM_DEVICE) {
        return fail(-EINVAL, "xdna_bo_sync: no direction %d", static_cast<int>(direction));
    }
    if (offset > bo->size || size > bo->size - offset) {
        return fail(-EINVAL, "xdna_bo_sync: %llu bytes at offset %llu of a BO of %llu",
                    static_cast<unsigned long long>(size), static_cast<unsigned long long>(offset),
                    static_cast<unsigned long long>(bo->size));
    }
    if (direction == XDNA_SYNC_FROM_DEVICE && bo->is_debug.load(std::memory_order_relaxed)) {
        // The firmware writes a debug buffer out when asked to, and this is how it is asked.
        amdxdna_drm_sync_bo sync{};
        sync.handle = bo->handle;
        sync.direction = SYNC_DIRECT_FROM_DEVICE;
        sync.offset = offset;
        sync.size = size;
        const int error = xdna::os::ioctl(bo->device->fd, DRM_IOCTL_AMDXDNA_SYNC_BO, &sync);
        if (error != 0) {
            return fail_call(Call::kSyncBo, error, "xdna_bo_sync: debug BO of handle %u",
                             bo->handle);
        }
    }
    xdna::flush_cache(bo->memory + offset, size);
    return 0;
}
