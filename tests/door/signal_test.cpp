// A blocking call and signals: as the kernel's, EINTR where the handler asks for it.
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tests/door/node.hpp"

namespace xdna::door {
namespace {

std::atomic<int> handled{0};
std::atomic<int> node_in_handler{-1};

void count(int) {
    ++handled;
}

void call_in_handler(int) {
    drm_version version{};
    if (::ioctl(node_in_handler, DRM_IOCTL_VERSION, &version) == 0)
        ++handled;
}

class Signal : public ::testing::Test {
  protected:
    void install(void (*handler)(int), int flags) {
        handled = 0;
        struct sigaction action {};
        action.sa_handler = handler;
        action.sa_flags = flags;
        ASSERT_EQ(0, ::sigaction(SIGUSR1, &action, &before_));
    }
    ~Signal() override { ::sigaction(SIGUSR1, &before_, nullptr); }

    /// Sends SIGUSR1 to a thread that waits, again and again until the handler has run.
    static void send_until_handled(pthread_t thread, int times) {
        while (handled < times) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            ::pthread_kill(thread, SIGUSR1);
        }
    }

    struct sigaction before_ {};
};

int64_t in_ms(int64_t ms) {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec + ms * 1'000'000;
}

TEST_F(Signal, EndsABlockingCall) {
    install(count, 0);
    Fd fd = open_node();
    const uint32_t syncobj = make_syncobj(fd);
    std::atomic<int> result{-1};
    std::thread waiter([&] { result = wait_syncobj(fd, syncobj); });
    while (result == -1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        ::pthread_kill(waiter.native_handle(), SIGUSR1);
    }
    waiter.join();
    EXPECT_EQ(EINTR, result);
    EXPECT_GE(handled, 1);
    EXPECT_EQ("amdxdna_accel_driver", driver_name(fd));
}

TEST_F(Signal, WithRestartTheCallGoesOn) {
    install(count, SA_RESTART);
    Fd fd = open_node();
    const uint32_t syncobj = make_syncobj(fd);
    std::atomic<int> result{-1};
    std::thread waiter([&] { result = wait_syncobj(fd, syncobj, in_ms(500)); });
    send_until_handled(waiter.native_handle(), 3);
    waiter.join();
    EXPECT_EQ(ETIME, result);
}

TEST_F(Signal, HandlerMayCallTheDevice) {
    install(call_in_handler, SA_RESTART);
    Fd fd = open_node();
    node_in_handler = fd;
    const uint32_t syncobj = make_syncobj(fd);
    std::atomic<int> result{-1};
    std::thread waiter([&] { result = wait_syncobj(fd, syncobj, in_ms(500)); });
    send_until_handled(waiter.native_handle(), 3);
    waiter.join();
    EXPECT_EQ(ETIME, result);
    EXPECT_EQ("amdxdna_accel_driver", driver_name(fd));
}

TEST_F(Signal, OneBlockedThreadDoesNotHoldUpAnother) {
    Fd fd = open_node();
    const uint32_t syncobj = make_syncobj(fd);
    std::atomic<bool> returned{false};
    std::thread waiter([&] {
        wait_syncobj(fd, syncobj, in_ms(400));
        returned = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (int i = 0; i < 50; ++i) {
        uint32_t handle = 0;
        EXPECT_EQ(0, create_bo(fd, kPage, handle));
        EXPECT_EQ(0, close_bo(fd, handle));
    }
    EXPECT_FALSE(returned);
    waiter.join();
}

}  // namespace
}  // namespace xdna::door
