// GEM: handles, names, dma-bufs and mappings (linux drivers/gpu/drm/drm_gem.c, drm_prime.c).
#include <drm/drm.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

/// drm_vma_manager.h, DRM_FILE_PAGE_OFFSET_START: below are a driver's own mappings.
constexpr uint64_t kFirstMapOffset = 1ULL << 32;
constexpr int kMapType = 0xf;  // MAP_TYPE

uint32_t lowest_free_name(const std::map<uint32_t, Bo*>& names) {
    uint32_t name = 1;
    for (const auto& [used, bo] : names) {
        if (used != name) {
            break;
        }
        ++name;
    }
    return name;
}

}  // namespace

int Client::open_bo(const BoPtr& bo, uint32_t& handle) {
    if (++bo->opens == 1) {
        bo->client = this;
        if (device_->options.force_iova) {
            if (const int error = device_->map_iova(*bo); error != 0) {
                --bo->opens;
                bo->client = nullptr;
                return error;
            }
        }
        if (bo->type != AMDXDNA_BO_DEV) {
            total_usage += bo->size;
            internal_usage += bo->internal ? bo->size : 0;
        }
    }
    ++bo->handles;
    ++bo->allowed[this];
    handle = bos_.insert(bo);
    return 0;
}

void Client::close_bo(uint32_t handle, const BoPtr& bo) {
    if (--bo->opens == 0) {
        if (bo->type != AMDXDNA_BO_DEV && bo->client != nullptr) {
            bo->client->total_usage -= bo->size;
            bo->client->internal_usage -= bo->internal ? bo->size : 0;
        }
        bo->client = nullptr;
    }
    if (const auto exported = dma_buf_of_handle_.find(handle);
        exported != dma_buf_of_handle_.end()) {
        handle_of_dma_buf_.erase(exported->second);
        dma_buf_of_handle_.erase(exported);
    }
    if (--bo->allowed[this] == 0) {
        bo->allowed.erase(this);
    }
    if (--bo->handles == 0) {
        if (bo->name != 0) {
            device_->named_bos.erase(bo->name);
            bo->name = 0;
        }
        bo->dma_buf.reset();
    }
}

int Client::gem_close(Caller& /*caller*/, void* arg) {
    const auto& args = *static_cast<drm_gem_close*>(arg);
    const Lock lock(device_->mutex);
    const BoPtr bo = bos_.remove(args.handle);
    if (!bo) {
        return -EINVAL;
    }
    close_bo(args.handle, bo);
    return 0;
}

int Client::gem_flink(Caller& /*caller*/, void* arg) {
    auto& args = *static_cast<drm_gem_flink*>(arg);
    const Lock lock(device_->mutex);
    const BoPtr bo = bos_.find(args.handle);
    if (!bo) {
        return -ENOENT;
    }
    if (bo->name == 0) {
        bo->name = lowest_free_name(device_->named_bos);
        device_->named_bos[bo->name] = bo.get();
    }
    args.name = bo->name;
    return 0;
}

int Client::gem_open(Caller& /*caller*/, void* arg) {
    auto& args = *static_cast<drm_gem_open*>(arg);
    const Lock lock(device_->mutex);
    const auto named = device_->named_bos.find(args.name);
    if (named == device_->named_bos.end()) {
        return -ENOENT;
    }
    const BoPtr bo = named->second->shared_from_this();
    if (const int error = open_bo(bo, args.handle); error != 0) {
        return error;
    }
    args.size = bo->size;
    return 0;
}

int Client::prime_handle_to_fd(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_prime_handle*>(arg);
    if ((args.flags & ~(DRM_CLOEXEC | DRM_RDWR)) != 0) {
        return -EINVAL;
    }
    UniqueFd fd;
    {
        const Lock lock(device_->mutex);
        const BoPtr bo = bos_.find(args.handle);
        if (!bo) {
            return -ENOENT;
        }
        if (!bo->dma_buf) {
            if (bo->private_buffer || bo->type == AMDXDNA_BO_DEV || !bo->memory) {
                return -EOPNOTSUPP;
            }
            // The mode is fixed by the first export, as that makes the dma-buf.
            const std::string path = "/proc/self/fd/" + std::to_string(bo->memory->fd());
            const int mode = (args.flags & DRM_RDWR) != 0 ? O_RDWR : O_RDONLY;
            bo->dma_buf.reset(::open(path.c_str(), mode | O_CLOEXEC));
            if (!bo->dma_buf) {
                return -errno;
            }
        }
        handle_of_dma_buf_[bo->memory->inode()] = args.handle;
        dma_buf_of_handle_[args.handle] = bo->memory->inode();
        fd.reset(::fcntl(bo->dma_buf.get(), F_DUPFD_CLOEXEC, 0));
        if (!fd) {
            return -errno;
        }
    }
    caller.give_fd(std::move(fd), offsetof(drm_prime_handle, fd), (args.flags & DRM_CLOEXEC) != 0);
    return 0;
}

int Client::import(UniqueFd fd, BoPtr& out) {
    UniqueFd dma_buf(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    auto memory = BoMemory::adopt(std::move(fd));
    if (!memory || !dma_buf) {
        return -EINVAL;
    }
    return import(std::move(memory), std::move(dma_buf), out);
}

int Client::import(std::shared_ptr<BoMemory> memory, UniqueFd dma_buf, BoPtr& out) {
    auto bo = std::make_shared<Bo>(*device_, AMDXDNA_BO_SHARE, memory->size());
    // One dma-buf, one reservation: whoever else has this memory open.
    for (const auto& [page, other] : device_->bo_at_page) {
        if (other->memory && other->memory->inode() == memory->inode()) {
            bo->reservation = other->reservation;
            memory = other->memory;
            break;
        }
    }
    if (const int error = add_map_offset(*bo); error != 0) {
        bo.reset();
        return error;
    }
    bo->memory = std::move(memory);
    bo->imported = true;
    bo->dma_buf = std::move(dma_buf);
    out = std::move(bo);
    return 0;
}

int Client::prime_fd_to_handle(Caller& caller, void* arg) {
    auto& args = *static_cast<drm_prime_handle*>(arg);
    UniqueFd fd = caller.take_fd(args.fd);
    if (!fd) {
        return -EBADF;
    }
    UniqueFd dma_buf(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0));
    auto memory = BoMemory::adopt(std::move(fd));
    if (!memory || !dma_buf) {
        return -EINVAL;
    }
    const uint64_t inode = memory->inode();
    const Lock lock(device_->mutex);
    if (const auto known = handle_of_dma_buf_.find(inode); known != handle_of_dma_buf_.end()) {
        args.handle = known->second;
        return 0;
    }
    BoPtr bo;
    int error = import(std::move(memory), std::move(dma_buf), bo);
    if (error == 0) {
        error = open_bo(bo, args.handle);
    }
    if (error == 0) {
        handle_of_dma_buf_[inode] = args.handle;
        dma_buf_of_handle_[args.handle] = inode;
    }
    bo.reset();
    return error;
}

int Client::mmap(Caller& caller, uint64_t offset, uint64_t length, int prot, int flags,
                 Mapping& out) {
    if (offset < kFirstMapOffset) {
        return -EOPNOTSUPP;  // amdxdna has no doorbells to map on this device
    }
    const uint64_t size = page_align(length);
    if (offset % kPageSize != 0 || size == 0) {
        return -EINVAL;
    }
    const Lock lock(device_->mutex);
    const auto at = device_->bo_at_page.find(offset / kPageSize);
    if (at == device_->bo_at_page.end() || size > at->second->size) {
        return -EINVAL;
    }
    Bo& bo = *at->second;
    if (bo.allowed.count(this) == 0) {
        return -EACCES;
    }
    const int type = flags & kMapType;
    if (!bo.memory || (type != MAP_SHARED && type != MAP_SHARED_VALIDATE)) {
        return -EINVAL;
    }
    // The driver faults every page in at once: more than there is cannot work.
    const auto pages = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES));
    if (bo.size / kPageSize > pages) {
        return -ENOMEM;
    }
    (void)prot;
    UniqueFd fd(::fcntl(bo.memory->fd(), F_DUPFD_CLOEXEC, 0));
    if (!fd) {
        return -errno;
    }
    pending_maps_.insert({caller.pid(), {offset, size}});
    out.memory = std::move(fd);
    out.offset = 0;
    return 0;
}

void Client::mapped(pid_t pid, uint64_t offset, uint64_t address, uint64_t length) {
    const uint64_t size = page_align(length);
    const Lock lock(device_->mutex);
    const auto range = device_->map_pages.find(offset / kPageSize);
    if (!range || size == 0 || size > UINT64_MAX - address) {
        return;
    }
    const auto found = device_->bo_at_page.find(range->first);
    if (found == device_->bo_at_page.end()) {
        return;
    }
    const BoPtr bo = found->second->shared_from_this();
    const uint64_t into = offset - range->first * kPageSize;
    if (!bo->memory || into + size > bo->size) {
        return;
    }
    const auto mm = device_->mm(pid);
    mm->vmas[address] = {address + size, bo};
    mm->space->map(address, size, bo->memory, into);

    // Only mmap() tells the driver where; after mremap() or fork() it does not know.
    const auto pending = pending_maps_.find({pid, {offset, size}});
    if (pending == pending_maps_.end()) {
        return;
    }
    pending_maps_.erase(pending);
    if (bo->iova != kInvalidAddress) {
        bo->user_address = address;
        return;
    }
    for (const auto& umap : bo->umaps) {
        if (umap.pid == pid && umap.start == address && umap.end == address + size) {
            return;
        }
    }
    if (bo->umaps.empty()) {
        bo->user_address = address;
    }
    bo->umaps.push_back({pid, address, address + size});
}

void Client::unmapped(pid_t pid, uint64_t address, uint64_t length) {
    Lock lock(device_->mutex);
    device_->unmap(lock, pid, address, length);
}

}  // namespace xdna::emu::driver
