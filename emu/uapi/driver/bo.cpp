#include "emu/uapi/driver/bo.hpp"

#include <drm/amdxdna_accel.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

constexpr uint64_t kMaxFileSize = INT64_MAX;

/// True if all of a range may be written by its process: what pin_user_pages() with FOLL_WRITE
/// asks.
bool writable(pid_t pid, uint64_t address, uint64_t length, bool& first) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/maps", static_cast<int>(pid));
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen(path, "re"),
                                                               &std::fclose);
    uint64_t at = address;
    const uint64_t end = address + length;
    char line[512];
    while (maps && at < end && std::fgets(line, sizeof line, maps.get()) != nullptr) {
        uint64_t from = 0;
        uint64_t to = 0;
        char permissions[5] = {};
        if (std::sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, permissions) != 3 ||
            to <= at) {
            continue;
        }
        if (from > at || permissions[1] != 'w') {
            break;
        }
        at = to;
    }
    first = at > address;
    return at >= end;
}

}  // namespace

bool Reservation::idle() {
    std::erase_if(fences, [](const FencePtr& fence) { return fence->signaled(); });
    return fences.empty();
}

Bo::~Bo() {
    if (map_page != 0) {
        device.bo_at_page.erase(map_page);
        device.map_pages.remove(map_page);
    }
    device.unmap_iova(*this);
    if (dev_ranges) {
        dev_ranges->ranges.remove(dev_address);
        dev_ranges->used -= size;
    }
    if (user_pages) {
        // The process may be gone, and another have its number: never below zero.
        uint64_t& pinned = device.mm(user_pages->pid)->pinned_pages;
        pinned -= std::min(pinned, user_pages->pages);
    }
}

uint64_t Bo::device_address() const {
    if (type == AMDXDNA_BO_DEV_HEAP || type == AMDXDNA_BO_DEV) {
        return dev_address;
    }
    return iova != kInvalidAddress ? iova : user_address;
}

std::byte* Bo::data() {
    std::byte* base = memory ? memory->data() : nullptr;
    return base == nullptr ? nullptr : base + memory_offset;
}

BoPtr Client::find_bo(uint32_t handle, uint32_t type) const {
    BoPtr bo = bos_.find(handle);
    return bo && bo->type == type ? bo : nullptr;
}

int Client::add_map_offset(Bo& bo) {
    const auto page = device_->map_pages.insert(bo.size / kPageSize);
    if (!page) {
        return -ENOSPC;
    }
    bo.map_page = *page;
    device_->bo_at_page[*page] = &bo;
    return 0;
}

int Client::create_user_pages(Caller& caller, uint64_t table, BoPtr& out) {
    amdxdna_drm_va_tbl header;  // to clang an initializer of its entries would be an extension
    if (caller.copy_in(&header, table, sizeof header) != 0) {
        return -EINVAL;
    }
    if (header.num_entries == 0) {
        UniqueFd fd = caller.take_fd(header.dmabuf_fd);
        if (!fd) {
            return -EBADF;
        }
        const Lock lock(device_->mutex);
        const int error = import(std::move(fd), out);
        if (out) {
            // Made by CREATE_BO, not by PRIME: the object does not remember its dma-buf, so it
            // cannot be exported again.
            out->private_buffer = true;
            out->dma_buf.reset();
        }
        return error;
    }

    // can_do_mlock(): a limit of zero and no capability means not even asking.
    if (caller.memlock_limit() == 0 && !caller.capable_ipc_lock()) {
        return -EPERM;
    }
    // A table larger than the address space can hold is refused before it is read.
    if (header.num_entries > (1U << 24)) {
        return -ENOMEM;
    }
    std::vector<amdxdna_drm_va_entry> entries(header.num_entries);
    if (caller.copy_in(entries.data(), table + sizeof header, entries.size() * sizeof entries[0]) !=
        0) {
        return -EINVAL;
    }
    auto pages = std::make_unique<UserPages>();
    pages->pid = caller.pid();
    uint64_t size = 0;
    for (const auto& entry : entries) {
        if (entry.vaddr % kPageSize != 0 || entry.len % kPageSize != 0) {
            device_->log(LogLine::Level::kError,
                         "user-pointer BO: address 0x%llx or length 0x%llx not page aligned",
                         static_cast<unsigned long long>(entry.vaddr),
                         static_cast<unsigned long long>(entry.len));
            return -EINVAL;
        }
        if (__builtin_add_overflow(size, entry.len, &size)) {
            return -EINVAL;
        }
        pages->ranges.push_back({entry.vaddr, entry.len});
    }
    pages->pages = size / kPageSize;

    const Lock lock(device_->mutex);
    const auto mm = device_->mm(caller.pid());
    const uint64_t limit = caller.memlock_limit() / kPageSize;
    if (mm->pinned_pages + pages->pages > limit && !caller.capable_ipc_lock()) {
        return -ENOMEM;
    }
    for (const auto& range : pages->ranges) {
        const auto vma = mm->vmas.upper_bound(range.address);
        const bool device_memory =
            vma != mm->vmas.begin() && std::prev(vma)->second.end > range.address;
        bool first = false;
        if (range.length == 0) {
            continue;
        }
        if (range.address > UINT64_MAX - range.length || device_memory ||
            !writable(caller.pid(), range.address, range.length, first)) {
            return first ? -ENOMEM : -EFAULT;
        }
    }
    if (size == 0) {
        return -ENOSPC;  // no map offset for an empty object
    }
    auto bo = std::make_shared<Bo>(*device_, AMDXDNA_BO_SHARE, size);
    bo->imported = true;
    bo->private_buffer = true;
    mm->pinned_pages += pages->pages;
    bo->user_pages = std::move(pages);
    if (const int error = add_map_offset(*bo); error != 0) {
        bo.reset();
        return error;
    }
    out = std::move(bo);
    return 0;
}

int Client::create_share(Caller& caller, const amdxdna_drm_create_bo& args, BoPtr& out) {
    if (args.vaddr != 0) {
        if (const int error = create_user_pages(caller, args.vaddr, out); error != 0) {
            return error;
        }
    } else {
        const uint64_t size = page_align(args.size);
        if (size > kMaxFileSize) {
            return -EINVAL;
        }
        int error = 0;
        std::shared_ptr<BoMemory> memory;
        if (size != 0) {
            memory = BoMemory::create(size, error);
        }
        const Lock lock(device_->mutex);
        auto bo = std::make_shared<Bo>(*device_, AMDXDNA_BO_SHARE, size);
        if (error == 0) {
            error = add_map_offset(*bo);
        }
        if (error != 0) {
            bo.reset();
            return error;
        }
        bo->memory = std::move(memory);
        out = std::move(bo);
    }
    const Lock lock(device_->mutex);
    out->type = args.type == AMDXDNA_BO_DEV_HEAP ? AMDXDNA_BO_DEV_HEAP : AMDXDNA_BO_SHARE;
    out->internal = args.type != AMDXDNA_BO_SHARE;
    return 0;
}

int Client::create_heap(Caller& caller, const amdxdna_drm_create_bo& args, BoPtr& out) {
    if (args.size == 0 || args.size % kDevHeapSize != 0) {
        device_->log(LogLine::Level::kError, "The dev heap size 0x%llx is not multiple of 0x%llx",
                     static_cast<unsigned long long>(args.size),
                     static_cast<unsigned long long>(kDevHeapSize));
        return -EINVAL;
    }
    if (const int error = create_share(caller, args, out); error != 0) {
        return error;
    }
    const Lock lock(device_->mutex);
    if (total_heap_size_ + out->size > kDevHeapSize) {
        device_->log(LogLine::Level::kError, "Heap size 0x%llx + 0x%llx exceeds max 0x%llx",
                     static_cast<unsigned long long>(total_heap_size_),
                     static_cast<unsigned long long>(out->size),
                     static_cast<unsigned long long>(kDevHeapSize));
        out.reset();
        return -ENOSPC;
    }
    out->dev_address = kDevBase + total_heap_size_;
    total_heap_size_ += out->size;
    heaps_.push_back(out);
    return 0;
}

int Client::create_dev(uint64_t requested, BoPtr& out) {
    const uint64_t size = page_align(requested);
    if (size == 0 || size > kDevHeapSize) {
        device_->log(LogLine::Level::kError, "Invalid dev bo size 0x%llx",
                     static_cast<unsigned long long>(requested));
        return -EINVAL;
    }
    const auto address = dev_ranges_->ranges.insert(size, kDevAlignment);
    if (!address) {
        device_->log(LogLine::Level::kError, "Failed to alloc dev bo memory, ret %d", -ENOSPC);
        return -ENOSPC;
    }
    const BoPtr heap = heaps_.empty() ? nullptr : heaps_.front();
    if (!heap || heap->user_address == kInvalidAddress) {
        device_->log(heap ? LogLine::Level::kError : LogLine::Level::kDebug,
                     heap ? "Heap 0 is not mapped" : "No heap");
        dev_ranges_->ranges.remove(*address);
        return -EAGAIN;
    }
    if (*address + size > kDevBase + heap->size) {
        dev_ranges_->ranges.remove(*address);
        return -EAGAIN;
    }
    auto bo = std::make_shared<Bo>(*device_, AMDXDNA_BO_DEV, size);
    bo->internal = true;
    bo->heap = heap;
    bo->memory = heap->memory;
    bo->memory_offset = *address - heap->dev_address;
    bo->dev_address = *address;
    bo->dev_ranges = dev_ranges_;
    bo->user_address = heap->user_address + bo->memory_offset;
    dev_ranges_->used += size;
    out = std::move(bo);
    return 0;
}

int Client::create_bo(Caller& caller, void* arg) {
    auto& args = *static_cast<amdxdna_drm_create_bo*>(arg);
    if (args.flags != 0) {
        return -EINVAL;
    }
    BoPtr bo;
    int error = 0;
    switch (args.type) {
        case AMDXDNA_BO_CMD:
        case AMDXDNA_BO_SHARE:
            error = create_share(caller, args, bo);
            break;
        case AMDXDNA_BO_DEV_HEAP:
            error = create_heap(caller, args, bo);
            break;
        case AMDXDNA_BO_DEV: {
            const Lock lock(device_->mutex);
            error = create_dev(args.size, bo);
            break;
        }
        default:
            return -EINVAL;
    }
    const Lock lock(device_->mutex);
    if (error == 0) {
        error = open_bo(bo, args.handle);
    }
    bo.reset();
    return error;
}

int Client::get_bo_info(Caller& /*caller*/, void* arg) {
    auto& args = *static_cast<amdxdna_drm_get_bo_info*>(arg);
    if (args.ext != 0 || args.ext_flags != 0 || args.pad != 0) {
        return -EINVAL;
    }
    const Lock lock(device_->mutex);
    const BoPtr bo = bos_.find(args.handle);
    if (!bo) {
        return -ENOENT;
    }
    args.vaddr = bo->user_address;
    args.xdna_addr = bo->device_address();
    args.map_offset = bo->type == AMDXDNA_BO_DEV ? kInvalidAddress : bo->map_page * kPageSize;
    return 0;
}

int Client::flush(const Bo& bo, uint64_t offset, uint64_t size) const {
    if (bo.imported) {
        return -EOPNOTSUPP;
    }
    uint64_t end = 0;
    if (offset >= bo.size || __builtin_add_overflow(offset, size, &end)) {
        return -EINVAL;
    }
    return 0;  // the device reads the memory itself: there is no cache between
}

int Client::sync_bo(Caller& caller, void* arg) {
    const auto& args = *static_cast<amdxdna_drm_sync_bo*>(arg);
    Lock lock(device_->mutex);
    {
        const BoPtr bo = bos_.find(args.handle);
        if (!bo) {
            return -ENOENT;
        }
        int error = 0;
        if (bo->type == AMDXDNA_BO_DEV) {
            // The range is clipped to the heap, not to the BO.
            const uint64_t start = bo->dev_address + args.offset;
            const uint64_t from = std::max(start, bo->heap->dev_address);
            const uint64_t to =
                std::min<uint64_t>(start + args.size, bo->heap->dev_address + bo->heap->size);
            if (from < to) {
                error = flush(*bo->heap, from - bo->heap->dev_address, to - from);
            }
        } else {
            error = flush(*bo, args.offset, args.size);
            if (error != 0) {
                device_->log(LogLine::Level::kWarning, "Can not get flush memory");
            }
        }
        if (error != 0) {
            return error;
        }
    }
    return args.direction == SYNC_DIRECT_FROM_DEVICE ? sync_debug_bo(lock, caller, args.handle) : 0;
}

}  // namespace xdna::emu::driver
