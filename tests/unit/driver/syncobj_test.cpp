// Syncobjs: binary and timeline, waiting, watching, passing on.
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <thread>

#include "tests/unit/driver/harness.hpp"

namespace xdna::emu::test {
namespace {

class SyncobjTest : public DriverTest {
  protected:
    uint32_t make(bool signaled = false) {
        drm_syncobj_create args{0, signaled ? DRM_SYNCOBJ_CREATE_SIGNALED : 0U};
        EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_CREATE, args), 0);
        return args.handle;
    }
    int signal(uint32_t object, uint64_t point) {
        drm_syncobj_timeline_array args{};
        args.handles = reinterpret_cast<uint64_t>(&object);
        args.points = reinterpret_cast<uint64_t>(&point);
        args.count_handles = 1;
        return file->call(DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, args);
    }
    int reset(uint32_t object) {
        drm_syncobj_array args{reinterpret_cast<uint64_t>(&object), 1, 0};
        return file->call(DRM_IOCTL_SYNCOBJ_RESET, args);
    }
    uint64_t query(uint32_t object, uint32_t flags = 0) {
        uint64_t point = 77;
        drm_syncobj_timeline_array args{};
        args.handles = reinterpret_cast<uint64_t>(&object);
        args.points = reinterpret_cast<uint64_t>(&point);
        args.count_handles = 1;
        args.flags = flags;
        EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_QUERY, args), 0);
        return point;
    }
    int timeline_wait(std::vector<uint32_t> objects, std::vector<uint64_t> points, uint32_t flags,
                      int64_t timeout_ns, uint32_t* first = nullptr) {
        drm_syncobj_timeline_wait args{};
        args.handles = reinterpret_cast<uint64_t>(objects.data());
        args.points = reinterpret_cast<uint64_t>(points.data());
        args.count_handles = static_cast<uint32_t>(objects.size());
        args.flags = flags;
        args.timeout_nsec = timeout_ns;
        args.first_signaled = 99;
        const int error = file->call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, args);
        if (first != nullptr) {
            *first = args.first_signaled;
        }
        return error;
    }
    int transfer(uint32_t from, uint64_t from_point, uint32_t to, uint64_t to_point) {
        drm_syncobj_transfer args{};
        args.src_handle = from;
        args.src_point = from_point;
        args.dst_handle = to;
        args.dst_point = to_point;
        return file->call(DRM_IOCTL_SYNCOBJ_TRANSFER, args);
    }
    static constexpr uint32_t kSubmit = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT;
    static constexpr uint32_t kAll = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_ALL;
};

TEST_F(SyncobjTest, CreateAndDestroy) {
    drm_syncobj_create bad{0, 2};
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_CREATE, bad), -EINVAL);
    const uint32_t a = make();
    EXPECT_EQ(a, 1U);
    EXPECT_EQ(make(), 2U);
    drm_syncobj_destroy destroy{a, 1};
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_DESTROY, destroy), -EINVAL);
    destroy.pad = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_DESTROY, destroy), 0);
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_DESTROY, destroy), -EINVAL);
    EXPECT_EQ(make(), 1U);
}

TEST_F(SyncobjTest, WaitChecks) {
    const uint32_t empty = make();
    const uint32_t ready = make(true);
    EXPECT_EQ(timeline_wait({}, {}, 0, 0), 0);
    EXPECT_EQ(timeline_wait({ready}, {0}, 0x100, 0), -EINVAL);
    EXPECT_EQ(timeline_wait({77}, {0}, 0, 0), -ENOENT);
    EXPECT_EQ(timeline_wait({empty}, {0}, 0, 0), -EINVAL);  // nothing submitted
    EXPECT_EQ(timeline_wait({empty}, {0}, kSubmit, 0), -ETIME);
    EXPECT_EQ(timeline_wait({ready}, {0}, 0, 0), 0);
    EXPECT_EQ(timeline_wait({ready}, {5}, 0, 0), -EINVAL);  // not a timeline: no point 5
    drm_syncobj_timeline_wait args{};
    args.handles = 8;
    args.count_handles = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, args), -EFAULT);
    args.handles = reinterpret_cast<uint64_t>(&ready);
    args.points = 8;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, args), -EFAULT);
}

TEST_F(SyncobjTest, FirstSignaledAmongMany) {
    const uint32_t a = make();
    const uint32_t b = make(true);
    uint32_t first = 0;
    EXPECT_EQ(timeline_wait({a, b}, {0, 0}, kSubmit, 0, &first), 0);
    EXPECT_EQ(first, 1U);
    EXPECT_EQ(timeline_wait({a, b}, {0, 0}, kSubmit | kAll, 0, &first), -ETIME);
    EXPECT_EQ(first, 99U);
    signal(a, 3);
    EXPECT_EQ(timeline_wait({a, b}, {3, 0}, kAll, 0, &first), 0);
    EXPECT_EQ(first, 0U);
}

TEST_F(SyncobjTest, BinaryWaitUsesTheWholeObject) {
    const uint32_t object = make();
    drm_syncobj_wait args{};
    args.handles = reinterpret_cast<uint64_t>(&object);
    args.count_handles = 1;
    args.flags = DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_WAIT, args), -EINVAL);
    args.flags = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_WAIT, args), -EINVAL);
    drm_syncobj_array signal_args{reinterpret_cast<uint64_t>(&object), 1, 0};
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_SIGNAL, signal_args), 0);
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_WAIT, args), 0);
    EXPECT_EQ(reset(object), 0);
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_WAIT, args), -EINVAL);
    signal_args.pad = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_RESET, signal_args), -EINVAL);
    signal_args = {0, 0, 0};
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_RESET, signal_args), -EINVAL);
}

TEST_F(SyncobjTest, TimelinePointsAndQuery) {
    const uint32_t object = make();
    EXPECT_EQ(query(object), 0U);
    EXPECT_EQ(signal(object, 5), 0);
    EXPECT_EQ(query(object), 5U);
    EXPECT_EQ(timeline_wait({object}, {5}, 0, 0), 0);
    EXPECT_EQ(timeline_wait({object}, {3}, 0, 0), 0);
    EXPECT_EQ(timeline_wait({object}, {6}, 0, 0), -EINVAL);
    EXPECT_EQ(signal(object, 9), 0);
    EXPECT_EQ(query(object), 9U);
    EXPECT_EQ(query(object, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED), 9U);
    EXPECT_EQ(signal(object, 2), 0);  // out of order: the number stays
    EXPECT_EQ(query(object, DRM_SYNCOBJ_QUERY_FLAGS_LAST_SUBMITTED), 9U);
}

TEST_F(SyncobjTest, AnUnsignaledPointHoldsBackLaterOnes) {
    const uint32_t source = make();
    const uint32_t target = make();
    EXPECT_EQ(transfer(source, 0, target, 1), -EINVAL);
    EXPECT_EQ(transfer(77, 0, target, 1), -ENOENT);
    EXPECT_EQ(transfer(source, 0, 77, 1), -ENOENT);
    signal(source, 4);
    EXPECT_EQ(transfer(source, 4, target, 7), 0);
    EXPECT_EQ(query(target), 7U);
    EXPECT_EQ(transfer(source, 4, target, 0), 0);  // binary: the fence itself
    EXPECT_EQ(timeline_wait({target}, {0}, 0, 0), 0);
}

TEST_F(SyncobjTest, WaitAvailableIsForSubmission) {
    const uint32_t object = make();
    EXPECT_EQ(timeline_wait({object}, {1}, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE, 0), -ETIME);
    signal(object, 1);
    EXPECT_EQ(timeline_wait({object}, {1}, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_AVAILABLE, 0), 0);
}

TEST_F(SyncobjTest, AWaiterIsWoken) {
    const uint32_t object = make();
    std::thread signaler([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        signal(object, 1);
    });
    EXPECT_EQ(timeline_wait({object}, {1}, kSubmit, deadline(5000)), 0);
    signaler.join();
}

TEST_F(SyncobjTest, AWaiterIsInterrupted) {
    const uint32_t object = make();
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        caller.interrupt();
    });
    EXPECT_EQ(timeline_wait({object}, {1}, kSubmit, deadline(5000)), -EINTR);
    other.join();
    EXPECT_EQ(timeline_wait({object}, {1}, kSubmit, 0), -ETIME);  // a look needs no sleep
}

TEST_F(SyncobjTest, DeadlinesAreAbsolute) {
    const uint32_t object = make();
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(timeline_wait({object}, {1}, kSubmit, deadline(50)), -ETIME);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(49));
    EXPECT_EQ(timeline_wait({object}, {1}, kSubmit, -5), -ETIME);
    EXPECT_EQ(timeline_wait({object}, {1}, kSubmit, 1), -ETIME);
}

TEST_F(SyncobjTest, EventfdFiresAtItsPoint) {
    const uint32_t object = make();
    const UniqueFd event(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    drm_syncobj_eventfd args{};
    args.handle = object;
    args.point = 2;
    args.fd = event.get();
    args.pad = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_EVENTFD, args), -EINVAL);
    args.pad = 0;
    args.handle = 77;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_EVENTFD, args), -ENOENT);
    args.handle = object;
    args.fd = 9999;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_EVENTFD, args), -EBADF);
    args.fd = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_EVENTFD, args), -EINVAL);
    args.fd = event.get();
    ASSERT_EQ(file->call(DRM_IOCTL_SYNCOBJ_EVENTFD, args), 0);
    const auto fired = [&] {
        uint64_t count = 0;
        return ::read(event.get(), &count, sizeof count) == sizeof count ? count : 0;
    };
    signal(object, 1);
    EXPECT_EQ(fired(), 0U);
    signal(object, 2);
    EXPECT_EQ(fired(), 1U);
    signal(object, 3);
    EXPECT_EQ(fired(), 0U);
}

TEST_F(SyncobjTest, FdsCarryTheObjectAcrossFiles) {
    const uint32_t object = make();
    drm_syncobj_handle args{};
    args.handle = 77;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args), -EINVAL);
    args.handle = object;
    args.flags = 8;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args), -EINVAL);
    args.flags = 0;
    ASSERT_EQ(file->call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args), 0);
    EXPECT_TRUE(caller.given_cloexec);
    const UniqueFd fd = std::move(caller.given);

    TestFile other(*driver, caller);
    drm_syncobj_handle import{};
    import.fd = fd.get();
    ASSERT_EQ(other.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, import), 0);
    signal(object, 4);
    EXPECT_EQ(other.wait(import.handle, 4, 0), 0);
    import.fd = 0;
    EXPECT_EQ(other.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, import), -EINVAL);
    import.fd = 9999;
    EXPECT_EQ(other.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, import), -EINVAL);
}

TEST_F(SyncobjTest, SyncFilesArePollable) {
    const uint32_t object = make();
    drm_syncobj_handle args{};
    args.handle = object;
    args.flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args), -EINVAL);  // no fence yet
    signal(object, 1);
    ASSERT_EQ(file->call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, args), 0);
    const UniqueFd fd = std::move(caller.given);
    pollfd poll{fd.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&poll, 1, 1000), 1);
    const uint32_t target = make();
    drm_syncobj_handle import{};
    import.handle = target;
    import.fd = fd.get();
    import.flags = DRM_SYNCOBJ_FD_TO_HANDLE_FLAGS_IMPORT_SYNC_FILE;
    ASSERT_EQ(file->call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, import), 0);
    EXPECT_EQ(timeline_wait({target}, {0}, 0, 0), 0);
    import.flags = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, import), -EINVAL);  // not a syncobj
}

}  // namespace
}  // namespace xdna::emu::test
