// Commands that never end, what becomes of those behind them, and very many that do.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kTdr = "aie2_ctx.c: aie2_sched_job_timedout";
constexpr const char* kFini = "aie2_ctx.c: aie2_hwctx_fini";
constexpr size_t kInFlight = 4;  // aie2_pci.h: HWCTX_MAX_CMDS
// A word of struct amdxdna_cmd_chain in the packet.
constexpr size_t kErrorIndex = 3;

/// A Phoenix may not recover from a hung command, so hardware is asked for it on request only.
#define XDNA_NEED_HANGS()                                                             \
    XDNA_NEED(getenv("XDNA_EMU_SOCKET") != nullptr || getenv("XDNA_HANG") != nullptr, \
              "it hangs the NPU, which may not recover: XDNA_HANG=1 allows it")

class Hang : public ContextConformance {
  protected:
    void SetUp() override {
        ContextConformance::SetUp();
        hanging_code = dev_bo(hanging_transaction());
    }
    Words hanging_command() const { return command_of(hanging_code, hanging_transaction()); }
    Words command_of(const DevBo& code, const Words& transaction) const {
        return start_npu(code.address, static_cast<uint32_t>(transaction.size() * 4));
    }
    /// The fence of what timed out signals, and the scheduler goes on, before the context is made
    /// anew and its CUs are configured (aie2_ctx.c: aie2_hwctx_stop, aie2_hwctx_restart). A command
    /// that comes in between is not run; or it is sent at the same time as the CUs, on a channel
    /// that has no lock (amdxdna_mailbox.c: mailbox_send_msg), which then is broken. The driver's
    /// lock is held until it has done both, and a query waits for that. So must a client that
    /// leaves: its BOs go before its contexts do, and the CUs are configured from them.
    void await_restart() const { EXPECT_FALSE(device.contexts().empty()); }
    State run_after_timeout() const {
        await_restart();
        return run(context, command(empty_command()));
    }
    Context another() const {
        Context made;
        EXPECT_EQ(device.create_hwctx(column_tiles(), made), kOk);
        EXPECT_EQ(device.config_cus(made.handle, {{.cu_bo = pdi.handle}}), kOk);
        return made;
    }
    static void expect_filled(const Command& command) {
        for (size_t i = 1; i < kPage / 4; i++) {
            ASSERT_EQ(command.word(i), ~0U) << "word " << i;
        }
    }

    DevBo hanging_code;
};

TEST_F(Hang, TimesOutAbortsWhatIsBehindAndTheContextGoesOn) {
    rule(kTdr,
         "without an answer for tdr_timeout_ms the command ends in state 8, those in flight behind "
         "it in state 6; a fifth waits meanwhile; the context is made anew");
    XDNA_NEED_CURRENT();
    XDNA_NEED_HANGS();
    std::vector<Command> commands;
    while (commands.size() < kInFlight) {
        commands.push_back(command(commands.empty() ? hanging_command() : empty_command()));
    }
    uint64_t sequence = 0;
    for (const Command& each : commands) {
        ASSERT_EQ(device.exec(context.handle, each.handle, {}, sequence), kOk);
    }
    const Command fifth = command(empty_command());
    std::atomic<bool> submitted = false;
    Status submission = fails_with(EIO);
    uint64_t last = 0;
    std::thread submitter([&] {
        submission = device.exec(context.handle, fifth.handle, {}, last);
        submitted = true;
    });
    EXPECT_EQ(device.syncobj_wait(context.syncobj, 0, 100), fails_with(ETIME));
    EXPECT_FALSE(submitted) << "four in flight, and a fifth went in";
    EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
    submitter.join();
    ASSERT_EQ(submission, kOk);
    EXPECT_EQ(last, kInFlight);
    EXPECT_EQ(commands[0].state(), State::kTimeout);
    if (target().npu1) {
        expect_filled(commands[0]);  // newer firmware leaves a health record there
    }
    for (size_t i = 1; i < kInFlight; i++) {
        EXPECT_EQ(commands[i].state(), State::kAbort) << "command " << i;
    }
    // It may come between the old context and the new one: then it is not run, but not lost.
    EXPECT_EQ(device.syncobj_wait(context.syncobj, last, kPatienceMs), kOk);
    EXPECT_TRUE(fifth.state() == State::kCompleted || fifth.state() == State::kNew ||
                fifth.state() == State::kError)
        << static_cast<uint32_t>(fifth.state());
    EXPECT_EQ(run_after_timeout(), State::kCompleted);
}

TEST_F(Hang, InAChainTimesTheChainOut) {
    rule(kTdr, "npu1's firmware does not tell which command of a chain hangs: index 0");
    XDNA_NEED_CURRENT();
    XDNA_NEED_HANGS();
    XDNA_NEED(target().npu1, "firmware with health reports names the command");
    const Command good = command(empty_command());
    const Command bad = command(hanging_command());
    const Command whole = command(chain({good.handle, bad.handle, good.handle}));
    EXPECT_EQ(run(context, whole), State::kTimeout);
    EXPECT_EQ(whole.word(kErrorIndex), 0U);
    EXPECT_EQ(bad.state(), State::kNew);
    EXPECT_EQ(run_after_timeout(), State::kCompleted);
}

TEST_F(Hang, DestroyAbortsWhatHangs) {
    rule(kFini, "DESTROY_HWCTX waits two seconds, then aborts: state 6, and every point signals");
    XDNA_NEED_CURRENT();
    XDNA_NEED_HANGS();
    const Command hanging = command(hanging_command());
    const Command behind = command(empty_command());
    const Context other = another();
    uint64_t sequence = 0;
    ASSERT_EQ(device.exec(other.handle, hanging.handle, {}, sequence), kOk);
    ASSERT_EQ(device.exec(other.handle, behind.handle, {}, sequence), kOk);
    EXPECT_EQ(device.destroy_hwctx(other.handle), kOk);
    EXPECT_EQ(device.syncobj_wait(other.syncobj, sequence, 0), kOk);
    EXPECT_EQ(hanging.state(), State::kAbort);
    EXPECT_EQ(behind.state(), State::kAbort);
    EXPECT_EQ(run(context, command(empty_command())), State::kCompleted) << "another context";
}

TEST_F(Hang, OfOneContextLeavesTheOthers) {
    rule(kTdr, "while any context makes progress no other one is timed out");
    XDNA_NEED_CURRENT();
    XDNA_NEED_HANGS();
    const Context other = another();
    const Command hanging = command(hanging_command());
    uint64_t sequence = 0;
    ASSERT_EQ(device.exec(other.handle, hanging.handle, {}, sequence), kOk);
    const Command good = command(empty_command());
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(2500);
    while (std::chrono::steady_clock::now() < until) {
        ASSERT_EQ(run(context, good), State::kCompleted);
        usleep(20'000);
    }
    EXPECT_EQ(hanging.state(), State::kNew) << "hung for longer than the limit";
    // Now nothing does.
    EXPECT_EQ(device.syncobj_wait(other.syncobj, sequence, kPatienceMs), kOk);
    EXPECT_EQ(hanging.state(), State::kTimeout);
    await_restart();
}

TEST_F(Hang, ErrorOfTheArrayIsKept) {
    rule("aie2_error.c: aie2_update_last_async_error",
         "the firmware's event becomes the last asynchronous error, with number, column and row");
    XDNA_NEED_CURRENT();
    XDNA_NEED_HANGS();
    XDNA_NEED(target().npu1, "control code for a Phoenix");
    constexpr uint64_t kShimDma = 0x0000'0207'0304'000B;  // class, module, severity, driver, DMA
    const DevBo code = dev_bo(faulting_transaction());
    EXPECT_EQ(run(context, command(command_of(code, faulting_transaction()))), State::kError);
    amdxdna_async_error error{};
    const auto kept = [&] {
        amdxdna_drm_get_array args{.param = DRM_AMDXDNA_HW_LAST_ASYNC_ERR,
                                   .element_size = sizeof(error),
                                   .num_element = 1,
                                   .buffer = reinterpret_cast<uintptr_t>(&error)};
        return device.call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args).is_ok() && error.err_code == kShimDma;
    };
    EXPECT_TRUE(eventually(kept)) << std::hex << error.err_code;
    EXPECT_EQ(error.ex_err_code, device.context_entry(context.handle).start_col);
    EXPECT_NE(error.ts_us, 0U);
    EXPECT_EQ(run(context, command(empty_command())), State::kCompleted);
}

TEST_F(Hang, ManyContextsComeAndGoAtWork) {
    rule(kFini, "contexts end whatever they are at, and others take their columns");
    XDNA_NEED_CURRENT();
    const Command cmd = command(empty_command());
    const size_t descriptors = open_descriptors();
    for (int round = 0; round < 40; round++) {
        std::vector<Context> contexts;
        contexts.reserve(4);
        for (int i = 0; i < 4; i++) {
            contexts.push_back(another());
        }
        uint64_t sequence = 0;
        for (const Context& each : contexts) {
            ASSERT_EQ(device.exec(each.handle, cmd.handle, {}, sequence), kOk);
            ASSERT_EQ(device.exec(each.handle, cmd.handle, {}, sequence), kOk);
        }
        for (const Context& each : contexts) {
            EXPECT_EQ(device.destroy_hwctx(each.handle), kOk);
            EXPECT_EQ(device.syncobj_wait(each.syncobj, sequence, 0), kOk);
            EXPECT_EQ(device.syncobj_destroy(each.syncobj), kOk);
        }
    }
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_EQ(device.contexts().size(), 1U);
}

uint64_t resident_kib() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("VmRSS:")) {
            return std::stoull(line.substr(6));
        }
    }
    return 0;
}

TEST_F(Hang, TenThousandSubmissionsLeaveNothing) {
    rule("amdxdna_ctx.c: amdxdna_sched_job_cleanup",
         "a command that has ended holds nothing: no descriptor, memory, number or place");
    constexpr uint64_t kMany = 10'000;
    constexpr uint64_t kGrowthKib = 2048;  // a page a command would be twenty times that
    const Command cmd = command(empty_command());
    const uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    uint64_t sequence = 0;
    run(context, cmd, {share}, &sequence);
    const size_t descriptors = open_descriptors();
    const uint64_t resident = resident_kib();
    for (uint64_t i = 1; i < kMany; i++) {
        ASSERT_EQ(device.exec(context.handle, cmd.handle, {share}, sequence), kOk);
        ASSERT_EQ(sequence, i);
    }
    ASSERT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
    EXPECT_EQ(cmd.state(), State::kCompleted);
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_LT(resident_kib(), resident + kGrowthKib);
    uint64_t point = 0;
    ASSERT_EQ(device.syncobj_query(context.syncobj, 0, point), kOk);
    EXPECT_EQ(point, kMany - 1);
    const auto entry = device.context_entry(context.handle);
    EXPECT_EQ(entry.command_submissions, kMany);
    EXPECT_EQ(entry.command_completions, kMany);
}

}  // namespace
}  // namespace xdna::conformance
