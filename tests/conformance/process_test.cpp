// Several processes: each its own client, none a danger to the others.
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class Processes : public ContextConformance {
  protected:
    /// A client's life: a file, a heap, a context, and `count` commands; 0 if all completed.
    int work(int count) const {
        RawDevice own = RawDevice::open();
        XDNA_CHILD_CHECK(static_cast<bool>(own));
        const uint32_t own_heap = own.bo(AMDXDNA_BO_DEV_HEAP, kHeapSize);
        Mapping memory = map_heap(own, own_heap);
        XDNA_CHILD_CHECK(static_cast<bool>(memory));
        auto place = [&](const Words& words, uint64_t& address) {
            const uint32_t bo = own.bo(AMDXDNA_BO_DEV, words.size() * 4);
            address = own.bo_info(bo).xdna_addr;
            memcpy(memory.bytes() + (address - kHeapAddress), words.data(), words.size() * 4);
            (void)own.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 0, words.size() * 4);
            return bo;
        };
        uint64_t address = 0;
        const uint32_t own_pdi = place(minimal_pdi(), address);
        place(empty_transaction(), address);
        Context own_context;
        XDNA_CHILD_CHECK(own.create_hwctx(column_tiles(), own_context).is_ok());
        XDNA_CHILD_CHECK(own.config_cus(own_context.handle, {{.cu_bo = own_pdi}}).is_ok());
        const uint32_t bo = own.bo(AMDXDNA_BO_CMD, kPage);
        Command own_command{bo, own.map_bo(bo, kPage)};
        for (int i = 0; i < count; i++) {
            own_command.write(start_npu(address, kEmptyCodeBytes));
            uint64_t sequence = 99;
            XDNA_CHILD_CHECK(own.exec(own_context.handle, bo, {}, sequence).is_ok());
            XDNA_CHILD_CHECK(sequence == static_cast<uint64_t>(i));
            XDNA_CHILD_CHECK(own.syncobj_wait(own_context.syncobj, sequence, kPatienceMs).is_ok());
            XDNA_CHILD_CHECK(own_command.state() == State::kCompleted);
        }
        return 0;
    }
};

TEST_F(Processes, WorkAtOnce) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_open",
         "processes with a context each run commands side by side");
    constexpr int kCommands = 20;
    Child one([&] { return work(kCommands); });
    Child two([&] { return work(kCommands); });
    Command mine = command(empty_command());
    for (int i = 0; i < kCommands; i++) {
        ASSERT_EQ(run(context, mine), State::kCompleted);
    }
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(two.wait(), 0);
}

TEST_F(Processes, AreAllSeen) {
    rule("aie2_pci.c: aie2_get_hwctx_status",
         "every client sees every client's contexts, with their pids");
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    RawDevice read_end(ends[0]);
    RawDevice write_end(ends[1]);
    const size_t before = device.contexts().size();
    Child child([&] {
        RawDevice own = RawDevice::open();
        Mapping memory = map_heap(own, own.bo(AMDXDNA_BO_DEV_HEAP, kHeapSize));
        Context theirs;
        char byte = own.create_hwctx(column_tiles(), theirs).is_ok() ? 'y' : 'n';
        XDNA_CHILD_CHECK(write(write_end.fd(), &byte, 1) == 1);
        pause();
        return 0;
    });
    char byte = 0;
    ASSERT_EQ(read(read_end.fd(), &byte, 1), 1);
    ASSERT_EQ(byte, 'y');
    auto contexts = device.contexts();
    EXPECT_EQ(contexts.size(), before + 1);
    bool seen = false;
    for (const auto& each : contexts) {
        seen |= each.pid == child.pid();
    }
    EXPECT_TRUE(seen);
    // A killed client's contexts go.
    child.kill();
    EXPECT_EQ(child.wait(), 1000 + SIGKILL);
    EXPECT_TRUE(eventually([&] { return device.contexts().size() == before; }));
}

TEST_F(Processes, KilledClientLeavesNothing) {
    rule("amdxdna_pci_drv.c: amdxdna_client_cleanup",
         "a client killed with commands in flight is cleaned up");
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    const size_t before = device.contexts().size();
    for (int round = 0; round < 5; round++) {
        Child child([&] {
            for (;;) {
                XDNA_CHILD_CHECK(work(1000) == 0);
            }
            return 0;
        });
        ASSERT_TRUE(eventually([&] {
            for (const auto& each : device.contexts()) {
                if (each.pid == child.pid() && each.command_submissions > 0) {
                    return true;
                }
            }
            return false;
        }));
        child.kill();
        child.wait();
        ASSERT_TRUE(eventually([&] { return device.contexts().size() == before; }));
    }
    Command mine = command(empty_command());
    EXPECT_EQ(run(context, mine), State::kCompleted);
}

TEST_F(Processes, SignalDoesNotLoseAWait) {
    rule("drm_syncobj.c: drm_syncobj_array_wait_timeout",
         "a signal without SA_RESTART ends a wait with EINTR; the file works on");
    struct sigaction action {};
    action.sa_handler = [](int) {};
    struct sigaction before {};
    ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
    const uint32_t never = device.syncobj();
    itimerval timer{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_usec = 50'000}};
    setitimer(ITIMER_REAL, &timer, nullptr);
    Status status = device.syncobj_wait(never, 1, 5000, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT);
    EXPECT_EQ(status, fails_with(EINTR));
    sigaction(SIGALRM, &before, nullptr);
    Command mine = command(empty_command());
    EXPECT_EQ(run(context, mine), State::kCompleted);
}

TEST_F(Processes, ForkedChildSubmitsForItsParent) {
    rule("amdxdna_ctx.c: amdxdna_cmd_submit",
         "a child may submit to a context of the inherited file");
    XDNA_NEED(target().minor >= 7, "this driver cleans up at a child's close");
    XDNA_NEED(!target().sva(), "SVA translates the opener's memory: the rest is undefined");
    Command mine = command(empty_command());
    EXPECT_EQ(
        in_child([&] {
            uint64_t sequence = 99;
            XDNA_CHILD_CHECK(device.exec(context.handle, mine.handle, {}, sequence).is_ok());
            XDNA_CHILD_CHECK(sequence == 0);
            XDNA_CHILD_CHECK(device.syncobj_wait(context.syncobj, sequence, kPatienceMs).is_ok());
            return 0;
        }),
        0);
    EXPECT_EQ(mine.state(), State::kCompleted);
}

TEST_F(Processes, ChildsExitLeavesTheContext) {
    rule("amdxdna_pci_drv.c: amdxdna_fops",
         "a forked child's exit does not end its parent's contexts");
    XDNA_NEED(target().minor >= 7, "drivers up to 0.6 clean up at the first close");
    EXPECT_EQ(in_child([] { return 0; }), 0);
    Command mine = command(empty_command());
    EXPECT_EQ(run(context, mine), State::kCompleted);
}

}  // namespace
}  // namespace xdna::conformance
