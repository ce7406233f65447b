// DRM syncobjs on the node: binary and timeline, their waits, descriptors and eventfds.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class Syncobj : public Conformance {
  protected:
    Status wait(const std::vector<uint32_t>& handles, uint32_t flags, int64_t timeout_nsec,
                uint32_t* first = nullptr) const {
        drm_syncobj_wait args{.handles = reinterpret_cast<uint64_t>(handles.data()),
                              .timeout_nsec = timeout_nsec,
                              .count_handles = static_cast<uint32_t>(handles.size()),
                              .flags = flags};
        Status status = device.call(DRM_IOCTL_SYNCOBJ_WAIT, args);
        if (first != nullptr) {
            *first = args.first_signaled;
        }
        return status;
    }
    Status array(unsigned long request, const std::vector<uint32_t>& handles) const {
        return device.call(
            request, drm_syncobj_array{.handles = reinterpret_cast<uint64_t>(handles.data()),
                                       .count_handles = static_cast<uint32_t>(handles.size())});
    }
    uint32_t signalled() const {
        uint32_t handle = 0;
        device.syncobj_create(DRM_SYNCOBJ_CREATE_SIGNALED, handle);
        return handle;
    }
    uint64_t point_of(uint32_t handle, uint32_t flags = 0) const {
        uint64_t point = ~uint64_t{0};
        EXPECT_EQ(device.syncobj_query(handle, flags, point), kOk);
        return point;
    }
    Status to_fd(uint32_t handle, uint32_t flags, int& fd) const {
        drm_syncobj_handle args{.handle = handle, .flags = flags, .fd = -1};
        Status status = device.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args);
        fd = status.is_ok() ? args.fd : -1;
        return status;
    }
    static Status from_fd(const RawDevice& into, int fd, uint32_t flags, uint32_t& handle) {
        drm_syncobj_handle args{.handle = handle, .flags = flags, .fd = fd};
        Status status = into.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, args);
        handle = args.handle;
        return status;
    }
    static bool readable(int fd, int timeout_ms = 0) {
        pollfd watch{.fd = fd, .events = POLLIN};
        return poll(&watch, 1, timeout_ms) == 1 && (watch.revents & POLLIN) != 0;
    }

    static constexpr uint32_t kForSubmit = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    static constexpr uint32_t kAll = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL;
    static constexpr uint32_t kAvailable = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE;
};

TEST_F(Syncobj, CreatesAndDestroys) {
    rule("drm_syncobj.c: drm_syncobj_get_handle", "handles count from 1 and are destroyed once");
    EXPECT_EQ(device.syncobj(), 1U);
    EXPECT_EQ(device.syncobj(), 2U);
    EXPECT_EQ(device.syncobj_destroy(1), kOk);
    EXPECT_EQ(device.syncobj_destroy(1), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj(), 1U) << "the lowest free number";
}

TEST_F(Syncobj, DestroyingHandleZeroGivesItAway) {
    rule("lib/xarray.c: xas_create; drm_syncobj.c: drm_syncobj_destroy",
         "while there is a syncobj, handle 0 holds a mark that a failed destroy takes away");
    EXPECT_EQ(device.syncobj_destroy(0), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj(), 1U) << "nothing was in the table";
    EXPECT_EQ(device.syncobj_destroy(0), fails_with(EINVAL));
    uint32_t handle = ~0U;
    EXPECT_EQ(device.syncobj_create(0, handle), kOk);
    EXPECT_EQ(handle, 0U);
    EXPECT_EQ(device.syncobj(), 2U);
    EXPECT_EQ(device.syncobj_destroy(0), kOk);
    EXPECT_EQ(device.syncobj_destroy(2), kOk);
    EXPECT_EQ(device.syncobj_destroy(1), kOk);
    EXPECT_EQ(device.syncobj_create(0, handle), kOk);
    EXPECT_EQ(handle, 0U) << "nor does the mark come back once the table was empty";
}

TEST_F(Syncobj, CreateFlagsAreChecked) {
    rule("drm_syncobj.c: drm_syncobj_create_ioctl", "flags but CREATE_SIGNALED are EINVAL");
    uint32_t handle = 0;
    EXPECT_EQ(device.syncobj_create(2, handle), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj_create(DRM_SYNCOBJ_CREATE_SIGNALED | 4, handle), fails_with(EINVAL));
}

TEST_F(Syncobj, DestroyPadMustBeZero) {
    rule("drm_syncobj.c: drm_syncobj_destroy_ioctl", "a pad other than 0 is EINVAL");
    EXPECT_EQ(device.call(DRM_IOCTL_SYNCOBJ_DESTROY,
                          drm_syncobj_destroy{.handle = device.syncobj(), .pad = 1}),
              fails_with(EINVAL));
}

TEST_F(Syncobj, WaitOnSignalledReturnsAtOnce) {
    rule("drm_syncobj.c: drm_syncobj_array_wait_timeout",
         "a signalled syncobj ends the wait, 0 or not");
    uint32_t handle = signalled();
    uint32_t first = 99;
    EXPECT_EQ(wait({handle}, 0, 0, &first), kOk);
    EXPECT_EQ(first, 0U);
    EXPECT_EQ(wait({handle}, 0, INT64_MAX), kOk);
}

TEST_F(Syncobj, WaitNeedsAFence) {
    rule("drm_syncobj.c: drm_syncobj_array_wait_timeout",
         "nothing submitted is EINVAL, or, with WAIT_FOR_SUBMIT, a wait until ETIME");
    uint32_t handle = device.syncobj();
    EXPECT_EQ(wait({handle}, 0, 0), fails_with(EINVAL));
    EXPECT_EQ(wait({handle}, kForSubmit, 0), fails_with(ETIME));
    // The kernel counts the time in ticks from the last one: where ticks come late, in a guest on a
    // busy machine, it is short by that, once.
    constexpr int64_t kWait = 50'000'000;
    int64_t waited = 0;
    for (int attempt = 0; attempt < 5 && waited < kWait; attempt++) {
        const int64_t start = monotonic_ns();
        EXPECT_EQ(wait({handle}, kForSubmit, start + kWait), fails_with(ETIME));
        waited = monotonic_ns() - start;
    }
    EXPECT_GE(waited, kWait) << "not before the deadline";
}

TEST_F(Syncobj, WaitDeadlinePassed) {
    rule("drm_syncobj.c: drm_timeout_abs_to_jiffies",
         "a deadline in the past, or negative, only looks");
    uint32_t handle = device.syncobj();
    EXPECT_EQ(wait({handle}, kForSubmit, 1), fails_with(ETIME));
    EXPECT_EQ(wait({handle}, kForSubmit, -1), fails_with(ETIME));
    EXPECT_EQ(wait({signalled()}, 0, -1), kOk);
}

TEST_F(Syncobj, WaitArgumentsAreChecked) {
    rule("drm_syncobj.c: drm_syncobj_wait_ioctl", "flags EINVAL, handles ENOENT, pointers EFAULT");
    uint32_t handle = signalled();
    EXPECT_EQ(wait({handle}, 0x80, 0), fails_with(EINVAL));
    EXPECT_EQ(wait({handle}, kAvailable, 0), fails_with(EINVAL)) << "a timeline flag";
    EXPECT_EQ(wait({handle, 4242}, 0, 0), fails_with(ENOENT));
    EXPECT_EQ(wait({}, 0, 0), kOk) << "no handles, nothing to wait for";
    Mapping bad = inaccessible_page();
    EXPECT_EQ(device.call(DRM_IOCTL_SYNCOBJ_WAIT,
                          drm_syncobj_wait{.handles = bad.address(), .count_handles = 1}),
              fails_with(EFAULT));
}

TEST_F(Syncobj, WaitAnyAndAll) {
    rule("drm_syncobj.c: drm_syncobj_array_wait_timeout",
         "one is enough, unless WAIT_ALL; first_signaled names it");
    uint32_t open = device.syncobj();
    uint32_t done = signalled();
    uint32_t first = 99;
    EXPECT_EQ(wait({open, done}, kForSubmit, 0, &first), kOk);
    EXPECT_EQ(first, 1U);
    EXPECT_EQ(wait({open, done}, kForSubmit | kAll, 0), fails_with(ETIME));
    ASSERT_EQ(array(DRM_IOCTL_SYNCOBJ_SIGNAL, {open}), kOk);
    EXPECT_EQ(wait({open, done}, kAll, 0), kOk);
}

TEST_F(Syncobj, SignalAndReset) {
    rule("drm_syncobj.c: drm_syncobj_reset_ioctl",
         "SIGNAL makes it signalled, RESET takes its fence");
    uint32_t handle = device.syncobj();
    ASSERT_EQ(array(DRM_IOCTL_SYNCOBJ_SIGNAL, {handle}), kOk);
    EXPECT_EQ(wait({handle}, 0, 0), kOk);
    ASSERT_EQ(array(DRM_IOCTL_SYNCOBJ_RESET, {handle}), kOk);
    EXPECT_EQ(wait({handle}, 0, 0), fails_with(EINVAL));
}

TEST_F(Syncobj, SignalAndResetArgumentsAreChecked) {
    rule("drm_syncobj.c: drm_syncobj_signal_ioctl",
         "none, or a pad, is EINVAL; unknown handles ENOENT");
    for (unsigned long request : {DRM_IOCTL_SYNCOBJ_SIGNAL, DRM_IOCTL_SYNCOBJ_RESET}) {
        EXPECT_EQ(array(request, {}), fails_with(EINVAL));
        EXPECT_EQ(array(request, {4242}), fails_with(ENOENT));
        uint32_t handle = device.syncobj();
        EXPECT_EQ(
            device.call(request, drm_syncobj_array{.handles = reinterpret_cast<uint64_t>(&handle),
                                                   .count_handles = 1,
                                                   .pad = 1}),
            fails_with(EINVAL));
        Mapping bad = inaccessible_page();
        EXPECT_EQ(
            device.call(request, drm_syncobj_array{.handles = bad.address(), .count_handles = 1}),
            fails_with(EFAULT));
    }
}

TEST_F(Syncobj, SignalWakesAWaiter) {
    rule("drm_syncobj.c: syncobj_wait_syncobj_func", "a signal from another thread ends a wait");
    uint32_t handle = device.syncobj();
    std::thread signaller([&] {
        usleep(20'000);
        array(DRM_IOCTL_SYNCOBJ_SIGNAL, {handle});
    });
    EXPECT_EQ(wait({handle}, kForSubmit, monotonic_ns() + kPatienceMs * 1'000'000), kOk);
    signaller.join();
}

TEST_F(Syncobj, TimelineSignalsInOrder) {
    rule("drm_syncobj.c: drm_syncobj_timeline_signal_ioctl", "a point signals all up to it");
    uint32_t handle = device.syncobj();
    ASSERT_EQ(device.syncobj_signal(handle, 5), kOk);
    EXPECT_EQ(device.syncobj_wait(handle, 3, 0), kOk);
    EXPECT_EQ(device.syncobj_wait(handle, 5, 0), kOk);
    EXPECT_EQ(device.syncobj_wait(handle, 6, 0), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj_wait(handle, 6, 0, kForSubmit), fails_with(ETIME));
    ASSERT_EQ(device.syncobj_signal(handle, 9), kOk);
    EXPECT_EQ(device.syncobj_wait(handle, 6, 0), kOk);
}

TEST_F(Syncobj, TimelineWaitWakes) {
    rule("drm_syncobj.c: drm_syncobj_add_point",
         "a new point ends the waits for it and those before");
    uint32_t handle = device.syncobj();
    std::thread signaller([&] {
        usleep(20'000);
        device.syncobj_signal(handle, 3);
    });
    EXPECT_EQ(device.syncobj_wait(handle, 2, kPatienceMs, kForSubmit), kOk);
    signaller.join();
}

TEST_F(Syncobj, TimelineWaitAvailable) {
    rule("drm_syncobj.c: drm_syncobj_timeline_wait_ioctl",
         "WAIT_AVAILABLE waits for the point to exist");
    uint32_t handle = device.syncobj();
    EXPECT_EQ(device.syncobj_wait(handle, 1, 0, kAvailable), fails_with(ETIME));
    ASSERT_EQ(device.syncobj_signal(handle, 1), kOk);
    EXPECT_EQ(device.syncobj_wait(handle, 1, 0, kAvailable), kOk);
}

TEST_F(Syncobj, TimelineArgumentsAreChecked) {
    rule("drm_syncobj.c: drm_syncobj_timeline_wait_ioctl",
         "flags EINVAL, handles ENOENT, pointers EFAULT");
    uint32_t handle = device.syncobj();
    EXPECT_EQ(device.syncobj_wait(handle, 0, 0, 0x80), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj_wait(4242, 0, 0), fails_with(ENOENT));
    Mapping bad = inaccessible_page();
    EXPECT_EQ(device.call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT,
                          drm_syncobj_timeline_wait{.handles = reinterpret_cast<uint64_t>(&handle),
                                                    .points = bad.address(),
                                                    .count_handles = 1}),
              fails_with(EFAULT));
    EXPECT_EQ(device.call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL,
                          drm_syncobj_timeline_array{.handles = reinterpret_cast<uint64_t>(&handle),
                                                     .points = bad.address(),
                                                     .count_handles = 1}),
              fails_with(EFAULT));
    EXPECT_EQ(device.call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL,
                          drm_syncobj_timeline_array{.handles = reinterpret_cast<uint64_t>(&handle),
                                                     .count_handles = 1,
                                                     .flags = 1}),
              fails_with(EINVAL));
    EXPECT_EQ(device.call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, drm_syncobj_timeline_array{}),
              fails_with(EINVAL))
        << "no handles";
}

TEST_F(Syncobj, QueryGivesTheLastPoint) {
    rule("drm_syncobj.c: drm_syncobj_query_ioctl",
         "the last signalled point; 0 where there is no timeline");
    uint32_t handle = device.syncobj();
    EXPECT_EQ(point_of(handle), 0U);
    EXPECT_EQ(point_of(signalled()), 0U) << "binary";
    ASSERT_EQ(device.syncobj_signal(handle, 4), kOk);
    EXPECT_EQ(point_of(handle), 4U);
    ASSERT_EQ(device.syncobj_signal(handle, 8), kOk);
    EXPECT_EQ(point_of(handle), 8U);
    EXPECT_EQ(point_of(handle, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED), 8U);
    uint64_t point = 0;
    EXPECT_EQ(device.syncobj_query(handle, 2, point), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj_query(4242, 0, point), fails_with(ENOENT));
}

TEST_F(Syncobj, TransferCopiesAFence) {
    rule("drm_syncobj.c: drm_syncobj_transfer_ioctl",
         "a fence moves between points and binary syncobjs");
    uint32_t source = device.syncobj();
    uint32_t binary = device.syncobj();
    uint32_t timeline = device.syncobj();
    auto transfer = [&](uint32_t to, uint64_t to_point, uint32_t from, uint64_t from_point,
                        uint32_t pad = 0) {
        return device.call(DRM_IOCTL_SYNCOBJ_TRANSFER, drm_syncobj_transfer{.src_handle = from,
                                                                            .dst_handle = to,
                                                                            .src_point = from_point,
                                                                            .dst_point = to_point,
                                                                            .pad = pad});
    };
    EXPECT_EQ(transfer(binary, 0, source, 1), fails_with(EINVAL)) << "no such point yet";
    ASSERT_EQ(device.syncobj_signal(source, 1), kOk);
    EXPECT_EQ(transfer(binary, 0, source, 1), kOk);
    EXPECT_EQ(wait({binary}, 0, 0), kOk);
    EXPECT_EQ(transfer(timeline, 7, source, 1), kOk);
    EXPECT_EQ(point_of(timeline), 7U);
    EXPECT_EQ(transfer(4242, 0, source, 1), fails_with(ENOENT));
    EXPECT_EQ(transfer(binary, 0, 4242, 1), fails_with(ENOENT));
    EXPECT_EQ(transfer(binary, 0, source, 1, 1), fails_with(EINVAL)) << "pad";
}

TEST_F(Syncobj, PassesAsADescriptor) {
    rule("drm_syncobj.c: drm_syncobj_handle_to_fd",
         "a descriptor carries the syncobj to another file");
    uint32_t handle = device.syncobj();
    int fd = -1;
    ASSERT_EQ(to_fd(handle, 0, fd), kOk);
    RawDevice carrier(fd);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    RawDevice other = RawDevice::open();
    uint32_t theirs = 0;
    ASSERT_EQ(from_fd(other, fd, 0, theirs), kOk);
    uint32_t mine_again = 0;
    ASSERT_EQ(from_fd(device, fd, 0, mine_again), kOk);
    EXPECT_NE(mine_again, handle) << "a new handle each time";
    ASSERT_EQ(other.syncobj_signal(theirs, 1), kOk);
    EXPECT_EQ(device.syncobj_wait(handle, 1, 0), kOk);
    EXPECT_EQ(device.syncobj_wait(mine_again, 1, 0), kOk);
}

TEST_F(Syncobj, DescriptorArgumentsAreChecked) {
    rule("drm_syncobj.c: drm_syncobj_handle_to_fd_ioctl",
         "bad flags, handles, descriptors are EINVAL");
    uint32_t handle = device.syncobj();
    int fd = -1;
    EXPECT_EQ(to_fd(handle, 0x80, fd), fails_with(EINVAL));
    EXPECT_EQ(to_fd(4242, 0, fd), fails_with(EINVAL));
    EXPECT_EQ(
        device.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, drm_syncobj_handle{.handle = handle, .pad = 1}),
        fails_with(EINVAL));
    uint32_t from = 0;
    EXPECT_EQ(from_fd(device, -1, 0, from), fails_with(EINVAL));
    RawDevice null(open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(from_fd(device, null.fd(), 0, from), fails_with(EINVAL));
    EXPECT_EQ(from_fd(device, device.fd(), 0, from), fails_with(EINVAL));
}

TEST_F(Syncobj, SyncFileCarriesAFence) {
    rule("drm_syncobj.c: drm_syncobj_export_sync_file",
         "a sync_file of a fence polls, and imports");
    uint32_t handle = device.syncobj();
    int fd = -1;
    EXPECT_EQ(to_fd(handle, DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE, fd),
              fails_with(EINVAL))
        << "there is no fence to export";
    ASSERT_EQ(array(DRM_IOCTL_SYNCOBJ_SIGNAL, {handle}), kOk);
    ASSERT_EQ(to_fd(handle, DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE, fd), kOk);
    RawDevice sync_file(fd);
    EXPECT_TRUE(readable(fd));
    uint32_t target_handle = device.syncobj();
    ASSERT_EQ(from_fd(device, fd, DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE, target_handle),
              kOk);
    EXPECT_EQ(wait({target_handle}, 0, 0), kOk);
    uint32_t unknown = 4242;
    EXPECT_EQ(from_fd(device, fd, DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE, unknown),
              fails_with(ENOENT));
}

TEST_F(Syncobj, EventfdIsSignalled) {
    rule("drm_syncobj.c: drm_syncobj_eventfd_ioctl", "an eventfd counts when the point signals");
    RawDevice event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    uint32_t handle = device.syncobj();
    drm_syncobj_eventfd args{.handle = handle, .point = 2, .fd = event.fd()};
    if (device.call(DRM_IOCTL_SYNCOBJ_EVENTFD, args) == fails_with(EINVAL) && target().minor < 1) {
        GTEST_SKIP() << "this kernel has no syncobj eventfds";
    }
    ASSERT_EQ(device.syncobj_signal(handle, 1), kOk);
    EXPECT_FALSE(readable(event.fd(), 20));
    ASSERT_EQ(device.syncobj_signal(handle, 2), kOk);
    EXPECT_TRUE(readable(event.fd(), 5000));
    uint64_t count = 0;
    ASSERT_EQ(read(event.fd(), &count, sizeof(count)), static_cast<ssize_t>(sizeof(count)));
    EXPECT_EQ(count, 1U);
    // A point that has signalled already.
    ASSERT_EQ(device.call(DRM_IOCTL_SYNCOBJ_EVENTFD, args), kOk);
    EXPECT_TRUE(readable(event.fd(), 5000));
}

TEST_F(Syncobj, EventfdArgumentsAreChecked) {
    rule("drm_syncobj.c: drm_syncobj_eventfd_ioctl",
         "flags, pad EINVAL; handle ENOENT; not an eventfd EINVAL");
    RawDevice event(eventfd(0, EFD_CLOEXEC));
    uint32_t handle = device.syncobj();
    auto call = [&](drm_syncobj_eventfd args) {
        return device.call(DRM_IOCTL_SYNCOBJ_EVENTFD, args);
    };
    EXPECT_EQ(call({.handle = handle, .flags = 1, .fd = event.fd()}), fails_with(EINVAL));
    EXPECT_EQ(call({.handle = handle, .fd = event.fd(), .pad = 1}), fails_with(EINVAL));
    EXPECT_EQ(call({.handle = 4242, .fd = event.fd()}), fails_with(ENOENT));
    EXPECT_EQ(call({.handle = handle, .fd = -1}), fails_with(EBADF));
    EXPECT_EQ(call({.handle = handle, .fd = device.fd()}), fails_with(EINVAL));
}

TEST_F(Syncobj, SignalFromAnotherProcess) {
    rule("drm_syncobj.c: drm_syncobj_fd_to_handle", "a syncobj joins two processes");
    uint32_t handle = device.syncobj();
    int fd = -1;
    ASSERT_EQ(to_fd(handle, 0, fd), kOk);
    RawDevice carrier(fd);
    Child child([&] {
        RawDevice own = RawDevice::open();
        uint32_t theirs = 0;
        XDNA_CHILD_CHECK(from_fd(own, fd, 0, theirs) == kOk);
        XDNA_CHILD_CHECK(own.syncobj_signal(theirs, 1) == kOk);
        return 0;
    });
    EXPECT_EQ(device.syncobj_wait(handle, 1, kPatienceMs, kForSubmit), kOk);
    EXPECT_EQ(child.wait(), 0);
}

}  // namespace
}  // namespace xdna::conformance
