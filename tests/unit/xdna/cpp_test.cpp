// The C++ interface: ownership, exceptions, spans and durations. What it calls is tested elsewhere.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <span>
#include <type_traits>
#include <vector>

#include "tests/unit/xdna/script.hpp"
#include "xdna/xdna.hpp"

namespace xdna::test {
namespace {

using namespace std::chrono_literals;

template <class T>
constexpr bool kMovesOnly =
    std::is_nothrow_move_constructible_v<T>&& std::is_nothrow_move_assignable_v<T> &&
    !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T>;
static_assert(kMovesOnly<Device> && kMovesOnly<Bo> && kMovesOnly<HwContext> && kMovesOnly<Command>);

TEST(Cpp, ErrorCarriesErrnoAndWords) {
    try {
        const Device device("/dev/null");
        FAIL() << "opened";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), EINVAL);
        EXPECT_STREQ(error.what(), xdna_error_message());
        EXPECT_NE(std::string(error.what()).find("/dev/null"), std::string::npos);
    }
}

TEST(Cpp, ObjectsMoveAndGiveBackOnce) {
    Machine machine(kLinux73);
    Device device = Device::from_fd([&] {
        machine.script.answer_all(answer_version("amdxdna_accel_driver", 0, 10));
        return machine.script.fd();
    }());
    machine.script.answer_all({});
    EXPECT_EQ(device.driver_version().minor, 10U);
    EXPECT_TRUE(device.has(XDNA_FEATURE_BO_USAGE));
    {
        machine.expect_mapped_bo(AMDXDNA_BO_SHARE, 10000, 7);
        Bo bo(device, XDNA_BO_SHARE, 10000);
        EXPECT_EQ(bo.span<uint32_t>().size(), 2500U);
        EXPECT_EQ(bo.span().size(), 10000U);
        EXPECT_EQ(bo.address(), kLinux73.share_address);
        bo.sync_to_device();
        bo.sync_from_device(9999);
        EXPECT_THROW(bo.sync_to_device(10001), Error);
        const Bo moved = std::move(bo);
        EXPECT_EQ(moved.handle(), 7U);
        machine.expect_close(7);
    }
    machine.script.check_done();
}

TEST(Cpp, CommandsRunAndTimeOut) {
    Machine machine(kLinux73);
    machine.close();  // the device of this test is its own
    machine.script.answer_all(answer_version("amdxdna_accel_driver", 0, 10));
    const Device device = Device::from_fd(machine.script.fd());
    machine.script.answer_all({});
    machine.expect_metadata();
    machine.expect_heap();
    amdxdna_drm_create_hwctx create{};
    create.num_tiles = 16;
    amdxdna_drm_create_hwctx created = create;
    created.handle = 1;
    created.syncobj_handle = 101;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, create, created, 0,
                          {{offsetof(amdxdna_drm_create_hwctx, qos_p), {}, {}}});
    const HwContext hwctx(device, 4);
    machine.expect_mapped_bo(AMDXDNA_BO_CMD, 4096, 5);
    Command command(hwctx);
    EXPECT_THROW(command.submit(), Error);
    command.set_start_cu(0, std::array<uint32_t, 3>{1, 2, 3});
    command.set_words(1, std::vector<uint32_t>{9});
    auto* packet = reinterpret_cast<uint32_t*>(machine.kernel_view(5, 4096));
    EXPECT_EQ(packet[3], 9U);
    amdxdna_drm_exec_cmd exec{};
    exec.hwctx = 1;
    exec.cmd_handles = 5;
    exec.cmd_count = 1;
    amdxdna_drm_exec_cmd executed = exec;
    executed.seq = 4;
    machine.script.expect(DRM_IOCTL_AMDXDNA_EXEC_CMD, exec, executed);
    command.submit();
    const auto expect_wait = [&](int error, std::function<void()> run) {
        drm_syncobj_timeline_wait wait{};
        wait.count_handles = 1;
        machine.script.expect(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, wait, 0,
                              {{offsetof(drm_syncobj_timeline_wait, handles), {}, {}},
                               {offsetof(drm_syncobj_timeline_wait, points), {}, {}},
                               {offsetof(drm_syncobj_timeline_wait, timeout_nsec), {}, {}}},
                              [=](void*) {
                                  run();
                                  return -error;
                              });
    };
    expect_wait(ETIME, [] {});
    EXPECT_FALSE(command.poll());
    expect_wait(ETIME, [] {});
    EXPECT_FALSE(command.wait_for(1us));
    expect_wait(ETIME, [] {});
    EXPECT_FALSE(command.wait_for(-1s));  // no wait at all, and not for ever
    expect_wait(0, [=] { packet[0] = (packet[0] & ~0xfU) | 5; });
    EXPECT_THROW(command.wait(), Error);
    EXPECT_EQ(command.result().state, XDNA_CMD_ERROR);
    EXPECT_EQ(command.result().sequence, 4U);
    // What goes out of scope, in order.
    machine.expect_close(5);
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = 1;
    machine.script.expect(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy);
    drm_syncobj_destroy syncobj{};
    syncobj.handle = 101;
    machine.script.expect(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj);
    machine.expect_close(1);
}

}  // namespace
}  // namespace xdna::test
