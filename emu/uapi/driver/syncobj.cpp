// DRM syncobj ioctls (linux drivers/gpu/drm/drm_syncobj.c).
#include "emu/uapi/driver/syncobj.hpp"

#include <drm/drm.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

constexpr auto kSubmitTimeout = std::chrono::seconds(5);
// Arrays of handles are copied whole; one larger than this could not be allocated in the kernel
// either (kmalloc of more than 4 MiB).
constexpr uint32_t kMaxHandles = 1U << 20;

void fire(const UniqueFd& event) {
    const uint64_t one = 1;
    // A full counter stays readable, which is all that the watcher needs.
    [[maybe_unused]] const ssize_t written = ::write(event.get(), &one, sizeof one);
}

/// Puts a fence, or nothing, in place of what the object had, and tells those who wait for it.
void replace(Device& device, Syncobj& object, FencePtr fence) {
    const bool same = object.fence == fence;
    object.fence = std::move(fence);
    if (same) {
        return;
    }
    for (auto watch = object.watches.begin(); watch != object.watches.end();) {
        if (watch->poll(object.fence)) {
            watch = object.watches.erase(watch);
        } else if (watch->fence) {
            device.arm(std::move(*watch));
            watch = object.watches.erase(watch);
        } else {
            ++watch;
        }
    }
    device.notify();
}

Device::Clock::time_point deadline_at(int64_t nanoseconds) {
    return Device::Clock::time_point(std::chrono::nanoseconds(std::max<int64_t>(nanoseconds, 0)));
}

uint64_t inode_of(const UniqueFd& fd) {
    struct stat info {};
    return ::fstat(fd.get(), &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

/// A descriptor for the client that stands for `object`.
int give(Device& device, Device::Given object, UniqueFd& out) {
    device.reap_given_fds();
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
        return -errno;
    }
    out.reset(ends[0]);
    object.ours.reset(ends[1]);
    device.given_fds.insert_or_assign(inode_of(out), std::move(object));
    device.notify();
    return 0;
}

}  // namespace

bool PointWatch::poll(const FencePtr& timeline) {
    if (!fence) {
        FencePtr found = timeline;
        if (!found || !find_point(found, point)) {
            return false;
        }
        fence = found ? found : std::make_shared<Event>(true);
    }
    if (!available && !fence->signaled()) {
        return false;
    }
    fire(event);
    return true;
}

void add_point(Device& device, Syncobj& object, FencePtr fence, uint64_t point) {
    const auto chain = std::make_shared<Chain>(object.fence, std::move(fence), point);
    replace(device, object, chain);
    // One walk, to drop what is signalled.
    for (FencePtr at = chain; at;) {
        auto* node = dynamic_cast<Chain*>(at.get());
        at = node != nullptr ? node->walk() : nullptr;
    }
}

int Client::syncobj_create(Caller& /*caller*/, void* arg) {
    auto& args = *static_cast<drm_syncobj_create*>(arg);
    if ((args.flags & ~DRM_SYNCOBJ_CREATE_SIGNALED) != 0) {
        return -EINVAL;
    }
    const Lock lock(device_->mutex);
    auto object = std::make_shared<Syncobj>();
    if ((args.flags & DRM_SYNCOBJ_CREATE_SIGNALED) != 0) {
        object->fence = std::make_shared<Event>(true);
    }
    args.handle = syncobjs_.insert(std::move(object));
    return 0;
}

int Client::syncobj_destroy(Caller& /*caller*/, void* arg) {
    const auto& args = *static_cast<drm_syncobj_destroy*>(arg);
    if (args.pad != 0) {
        return -EINVAL;
    }
    const Lock lock(device_->mutex);
    if (syncobjs_.remove(args.handle)) {
        return 0;
    }
    if (args.handle == 0) {
        syncobjs_.unmark_zero();
    }
    return -EINVAL;
}

int Client::syncobj_handle_to_fd(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_handle*>(arg);
    constexpr uint32_t kFlags =
        DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE | DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
    if (args.pad != 0 || (args.flags & ~kFlags) != 0) {
        return -EINVAL;
    }
    UniqueFd fd;
    {
        Lock lock(device_->mutex);
        Device::Given object;
        if ((args.flags & DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE) != 0) {
            const uint64_t point =
                (args.flags & DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_TIMELINE) != 0 ? args.point : 0;
            const int error = find_fence(lock, caller, args.handle, point, 0, object.fence);
            if (error != 0) {
                return error;
            }
        } else {
            if (args.point != 0) {
                return -EINVAL;
            }
            object.syncobj = syncobjs_.find(args.handle);
            if (!object.syncobj) {
                return -EINVAL;
            }
        }
        if (const int error = give(*device_, std::move(object), fd); error != 0) {
            return error;
        }
    }
    caller.give_fd(std::move(fd), offsetof(drm_syncobj_handle, fd), true);
    return 0;
}

int Client::syncobj_fd_to_handle(Caller& caller, void* arg) {
    auto& args = *static_cast<drm_syncobj_handle*>(arg);
    constexpr uint32_t kFlags =
        DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_TIMELINE | DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
    if (args.pad != 0 || (args.flags & ~kFlags) != 0) {
        return -EINVAL;
    }
    const bool sync_file = (args.flags & DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE) != 0;
    if (!sync_file && args.point != 0) {
        return -EINVAL;
    }
    const UniqueFd fd = caller.take_fd(args.fd);
    if (!fd) {
        return -EINVAL;
    }
    const Lock lock(device_->mutex);
    const auto given = device_->given_fds.find(inode_of(fd));
    if (given == device_->given_fds.end()) {
        return -EINVAL;
    }
    if (!sync_file) {
        if (!given->second.syncobj) {
            return -EINVAL;
        }
        args.handle = syncobjs_.insert(given->second.syncobj);
        return 0;
    }
    const FencePtr fence = given->second.fence;
    if (!fence) {
        return -EINVAL;
    }
    const SyncobjPtr object = syncobjs_.find(args.handle);
    if (!object) {
        return -ENOENT;
    }
    const uint64_t point =
        (args.flags & DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_TIMELINE) != 0 ? args.point : 0;
    if (point != 0) {
        add_point(*device_, *object, fence, point);
    } else {
        replace(*device_, *object, fence);
    }
    return 0;
}

int Client::find_fence(Lock& lock, Caller& caller, uint32_t handle, uint64_t point, uint64_t flags,
                       FencePtr& out) {
    const SyncobjPtr object = syncobjs_.find(handle);
    if (!object) {
        return -ENOENT;
    }
    if ((flags & ~static_cast<uint64_t>(DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT)) != 0) {
        return -EINVAL;
    }
    const auto present = [&] {
        FencePtr fence = object->fence;
        if (!fence || !find_point(fence, point)) {
            return false;
        }
        out = fence ? fence : std::make_shared<Event>(true);
        return true;
    };
    if (present()) {
        return 0;
    }
    if ((flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT) == 0) {
        return -EINVAL;
    }
    switch (device_->wait(lock, caller, Device::Clock::now() + kSubmitTimeout, present)) {
        case Wake::kTimeout:
            return -ETIME;
        case Wake::kInterrupted:
            return -EINTR;
        default:
            return 0;
    }
}

int Client::syncobj_transfer(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_transfer*>(arg);
    if (args.pad != 0) {
        return -EINVAL;
    }
    Lock lock(device_->mutex);
    const SyncobjPtr target = syncobjs_.find(args.dst_handle);
    if (!target) {
        return -ENOENT;
    }
    FencePtr fence;
    const int error = find_fence(lock, caller, args.src_handle, args.src_point, args.flags, fence);
    if (error != 0) {
        return error;
    }
    if (args.dst_point != 0) {
        add_point(*device_, *target, unwrap(fence), args.dst_point);
    } else {
        replace(*device_, *target, fence);
    }
    return 0;
}

int Client::find_syncobjs(Caller& caller, uint64_t handles, uint32_t count,
                          std::vector<SyncobjPtr>& out) {
    if (count > kMaxHandles) {
        return -ENOMEM;
    }
    std::vector<uint32_t> numbers(count);
    if (caller.copy_in(numbers.data(), handles, count * sizeof numbers[0]) != 0) {
        return -EFAULT;
    }
    const Lock lock(device_->mutex);
    for (const uint32_t number : numbers) {
        SyncobjPtr object = syncobjs_.find(number);
        if (!object) {
            return -ENOENT;
        }
        out.push_back(std::move(object));
    }
    return 0;
}

int Client::wait_array(Caller& caller, const std::vector<SyncobjPtr>& objects, uint64_t points,
                       uint32_t flags, int64_t timeout, uint32_t& first) {
    std::vector<uint64_t> numbers(objects.size());
    if (points != 0 &&
        caller.copy_in(numbers.data(), points, numbers.size() * sizeof numbers[0]) != 0) {
        return -EFAULT;
    }
    const bool available = (flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE) != 0;
    const bool for_submit = available || (flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT) != 0;
    const bool all = (flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL) != 0;

    Lock lock(device_->mutex);
    // Each point's fence is looked up once: what replaces it later is not waited for.
    std::vector<FencePtr> fences(objects.size());
    const auto look_up = [&](size_t i) {
        FencePtr fence = objects[i]->fence;
        if (!fence || !find_point(fence, numbers[i])) {
            return false;
        }
        fences[i] = fence ? fence : std::make_shared<Event>(true);
        return true;
    };
    for (size_t i = 0; i < objects.size(); ++i) {
        if (!look_up(i) && !for_submit) {
            return -EINVAL;
        }
    }
    bool initial = true;
    const auto done = [&] {
        size_t signaled = 0;
        for (size_t i = 0; i < objects.size(); ++i) {
            if (!fences[i] && (!for_submit || !look_up(i))) {
                continue;
            }
            if (available || fences[i]->signaled()) {
                // The first look notes the first signalled one even when all are waited for.
                if (signaled == 0 && (initial || !all)) {
                    first = static_cast<uint32_t>(i);
                }
                ++signaled;
            }
        }
        initial = false;
        return all ? signaled == objects.size() : signaled != 0;
    };
    switch (device_->wait(lock, caller, deadline_at(timeout), done)) {
        case Wake::kTimeout:
            return -ETIME;
        case Wake::kInterrupted:
            return -EINTR;
        default:
            return 0;
    }
}

int Client::syncobj_wait(Caller& caller, void* arg) {
    auto& args = *static_cast<drm_syncobj_wait*>(arg);
    constexpr uint32_t kFlags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL |
                                DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT |
                                DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE;
    if ((args.flags & ~kFlags) != 0) {
        return -EINVAL;
    }
    if (args.count_handles == 0) {
        return 0;
    }
    std::vector<SyncobjPtr> objects;
    int error = find_syncobjs(caller, args.handles, args.count_handles, objects);
    uint32_t first = ~0U;
    if (error == 0) {
        error = wait_array(caller, objects, 0, args.flags, args.timeout_nsec, first);
    }
    if (error == 0) {
        args.first_signaled = first;
    }
    const Lock lock(device_->mutex);
    objects.clear();
    return error;
}

int Client::syncobj_timeline_wait(Caller& caller, void* arg) {
    auto& args = *static_cast<drm_syncobj_timeline_wait*>(arg);
    constexpr uint32_t kFlags =
        DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL | DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT |
        DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE | DRM_SYNCOBJ_WAIT_FLAGS_WAIT_DEADLINE;
    if ((args.flags & ~kFlags) != 0) {
        return -EINVAL;
    }
    if (args.count_handles == 0) {
        return 0;
    }
    std::vector<SyncobjPtr> objects;
    int error = find_syncobjs(caller, args.handles, args.count_handles, objects);
    uint32_t first = ~0U;
    if (error == 0) {
        error = wait_array(caller, objects, args.points, args.flags, args.timeout_nsec, first);
    }
    if (error == 0) {
        args.first_signaled = first;
    }
    const Lock lock(device_->mutex);
    objects.clear();
    return error;
}

int Client::syncobj_eventfd(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_eventfd*>(arg);
    if ((args.flags & ~DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE) != 0 || args.pad != 0) {
        return -EINVAL;
    }
    {
        const Lock lock(device_->mutex);
        if (!syncobjs_.find(args.handle)) {
            return -ENOENT;
        }
    }
    PointWatch watch;
    watch.event = caller.take_fd(args.fd);
    if (!watch.event) {
        return -EBADF;
    }
    const std::string link = "/proc/self/fd/" + std::to_string(watch.event.get());
    char target[64] = {};
    if (::readlink(link.c_str(), target, sizeof target - 1) < 0 ||
        std::string(target) != "anon_inode:[eventfd]") {
        return -EINVAL;
    }
    watch.point = args.point;
    watch.available = (args.flags & DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE) != 0;
    const Lock lock(device_->mutex);
    const SyncobjPtr object = syncobjs_.find(args.handle);
    if (!object) {
        return -ENOENT;
    }
    if (!watch.poll(object->fence)) {
        if (watch.fence) {
            device_->arm(std::move(watch));
        } else {
            object->watches.push_back(std::move(watch));
        }
    }
    return 0;
}

int Client::syncobj_reset(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_array*>(arg);
    if (args.pad != 0 || args.count_handles == 0) {
        return -EINVAL;
    }
    std::vector<SyncobjPtr> objects;
    const int error = find_syncobjs(caller, args.handles, args.count_handles, objects);
    const Lock lock(device_->mutex);
    if (error == 0) {
        for (const auto& object : objects) {
            replace(*device_, *object, nullptr);
        }
    }
    objects.clear();
    return error;
}

int Client::syncobj_signal(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_array*>(arg);
    if (args.pad != 0 || args.count_handles == 0) {
        return -EINVAL;
    }
    std::vector<SyncobjPtr> objects;
    const int error = find_syncobjs(caller, args.handles, args.count_handles, objects);
    const Lock lock(device_->mutex);
    if (error == 0) {
        for (const auto& object : objects) {
            replace(*device_, *object, std::make_shared<Event>(true));
        }
    }
    objects.clear();
    return error;
}

int Client::syncobj_timeline_signal(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_timeline_array*>(arg);
    if (args.flags != 0 || args.count_handles == 0) {
        return -EINVAL;
    }
    std::vector<SyncobjPtr> objects;
    int error = find_syncobjs(caller, args.handles, args.count_handles, objects);
    std::vector<uint64_t> points(args.count_handles <= kMaxHandles ? args.count_handles : 0);
    if (error == 0 && args.points != 0 &&
        caller.copy_in(points.data(), args.points, points.size() * sizeof points[0]) != 0) {
        error = -EFAULT;
    }
    const Lock lock(device_->mutex);
    if (error == 0) {
        for (size_t i = 0; i < objects.size(); ++i) {
            add_point(*device_, *objects[i], std::make_shared<Event>(true), points[i]);
        }
    }
    objects.clear();
    return error;
}

int Client::syncobj_query(Caller& caller, void* arg) {
    const auto& args = *static_cast<drm_syncobj_timeline_array*>(arg);
    if ((args.flags & ~DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED) != 0 || args.count_handles == 0) {
        return -EINVAL;
    }
    std::vector<SyncobjPtr> objects;
    int error = find_syncobjs(caller, args.handles, args.count_handles, objects);
    if (error != 0) {
        const Lock lock(device_->mutex);
        objects.clear();
        return error;
    }
    std::vector<uint64_t> points;
    {
        const Lock lock(device_->mutex);
        for (const auto& object : objects) {
            const FencePtr head_fence = object->fence;
            auto* head = dynamic_cast<Chain*>(head_fence.get());
            if (head == nullptr) {
                points.push_back(0);
                continue;
            }
            if ((args.flags & DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED) != 0) {
                points.push_back(head->seqno());
                continue;
            }
            // The oldest point of this context that is still there bounds what has signalled.
            FencePtr oldest = head_fence;
            for (FencePtr at = head_fence; at;) {
                auto* node = dynamic_cast<Chain*>(at.get());
                if (node == nullptr || node->context() != head->context()) {
                    break;
                }
                oldest = at;
                at = node->walk();
            }
            auto* last = static_cast<Chain*>(oldest.get());
            points.push_back(last->signaled() ? last->seqno() : last->previous_seqno());
        }
        objects.clear();
    }
    return caller.copy_out(args.points, points.data(), points.size() * sizeof points[0]) == 0
               ? 0
               : -EFAULT;
}

}  // namespace xdna::emu::driver
