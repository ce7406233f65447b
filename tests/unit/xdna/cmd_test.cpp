// Commands: packets word by word, the two system calls, every way in which a command can end.
#include <gtest/gtest.h>
#include <time.h>

#include <cerrno>
#include <string>
#include <vector>

#include "tests/unit/xdna/kernels.hpp"
#include "tests/unit/xdna/script.hpp"

namespace xdna::test {
namespace {

using Words = std::vector<uint32_t>;

/// A machine with a context (handle 1, syncobj 101).
class Bench : public Machine {
  public:
    explicit Bench(const Kernel& which = kLinux73) : Machine(which) {
        hwctx = make_hwctx(1, 1, true);
    }
    ~Bench() {
        if (hwctx != nullptr) {
            Machine::destroy(hwctx);
        }
    }

    xdna_hwctx* hwctx;

    Words packet(uint32_t handle, size_t words) {
        const auto* begin = reinterpret_cast<const uint32_t*>(kernel_view(handle, 4096));
        return {begin, begin + words};
    }
    /// Scripts an EXEC_CMD; `run` plays the driver on the packet.
    void expect_exec(uint32_t handle, const Words& args, uint64_t sequence,
                     std::function<void(uint32_t* packet)> run = {}) {
        amdxdna_drm_exec_cmd exec{};
        exec.hwctx = 1;
        exec.cmd_handles = handle;
        exec.cmd_count = 1;
        exec.arg_count = static_cast<uint32_t>(args.size());
        const uint8_t* begin = reinterpret_cast<const uint8_t*>(args.data());
        auto* packet = reinterpret_cast<uint32_t*>(kernel_view(handle, 4096));
        script.expect(
            DRM_IOCTL_AMDXDNA_EXEC_CMD, without_seq(exec), exec, 0,
            {{offsetof(amdxdna_drm_exec_cmd, args), Bytes(begin, begin + args.size() * 4), {}},
             // Whatever the last submission left there.
             {offsetof(amdxdna_drm_exec_cmd, seq), {}, {}}},
            [=](void* argument) {
                static_cast<amdxdna_drm_exec_cmd*>(argument)->seq = sequence;
                if (run) {
                    run(packet);
                }
                return 0;
            });
    }
    /// Scripts a timeline wait for `sequence`; `run` plays what happens meanwhile.
    void expect_wait(uint64_t sequence, int64_t deadline, int error = 0,
                     std::function<void()> run = {}) {
        drm_syncobj_timeline_wait wait{};
        wait.timeout_nsec = deadline;
        wait.count_handles = 1;
        script.expect(DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, wait, 0,
                      {{offsetof(drm_syncobj_timeline_wait, handles), bytes_of(uint32_t{101}), {}},
                       {offsetof(drm_syncobj_timeline_wait, points), bytes_of(sequence), {}}},
                      [=](void*) {
                          if (run) {
                              run();
                          }
                          return -error;
                      });
    }
    /// A filled START_CU command of BO handle `handle`, with words 3, 4, 5.
    xdna_cmd* make_filled(uint32_t handle) {
        xdna_cmd* cmd = make_cmd(hwctx, handle);
        EXPECT_EQ(xdna_cmd_set_start_cu(cmd, 0, Words{3, 4, 5}.data(), 3), 0);
        return cmd;
    }
    void destroy(xdna_cmd* cmd, uint32_t handle) {
        expect_close(handle);
        xdna_cmd_destroy(cmd);
        script.check_done();
    }
    using Machine::destroy;

  private:
    static amdxdna_drm_exec_cmd without_seq(amdxdna_drm_exec_cmd exec) {
        exec.seq = 0;
        return exec;
    }
};

void set_state(uint32_t* packet, uint32_t state) {
    packet[0] = (packet[0] & ~0xfU) | state;
}

/// amdxdna_cmd_set_error(): the payload of the whole BO becomes 0xff.
void fail_packet(uint32_t* packet, uint32_t state) {
    set_state(packet, state);
    std::memset(packet + 1, 0xff, 4092);
}

constexpr int64_t kForever = INT64_MAX;
const Words kFilled = {0x00004001, 1, 3, 4, 5};  // START_CU, CU 0, words 3, 4, 5

XDNA_ON_EVERY_KERNEL(CmdOn);

TEST_P(CmdOn, StartCuPacketIsTheOneOfMlirAieKernels) {
    Bench bench(GetParam());
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    Words registers(15);
    registers[0] = 3;
    ASSERT_EQ(xdna_cmd_set_start_cu(cmd, 0, registers.data(), 15), 0);
    // notes/uapi.md, section 12.
    EXPECT_EQ(bench.packet(9, 3), (Words{0x00010001, 1, 3}));
    ASSERT_EQ(xdna_cmd_set_start_cu(cmd, 31, registers.data(), 15), 0);
    EXPECT_EQ(bench.packet(9, 2), (Words{0x00010001, 0x80000000}));
    bench.destroy(cmd, 9);
}

TEST_P(CmdOn, SubmitAndWaitAreOneSystemCallEach) {
    Bench bench(GetParam());
    xdna_bo* tensor = bench.make_share(4096, 7);
    xdna_cmd* cmd = bench.make_filled(9);
    xdna_bo* const bos[] = {tensor, tensor};
    ASSERT_EQ(xdna_cmd_bind(cmd, bos, 2), 0);
    ASSERT_EQ(xdna_cmd_bind(cmd, bos, 1), 0);
    for (uint64_t sequence = 3; sequence < 6; sequence++) {
        uint32_t* seen = nullptr;
        bench.expect_exec(9, {7}, sequence, [&](uint32_t* packet) { seen = packet; });
        ASSERT_EQ(xdna_cmd_submit(cmd), 0) << xdna_error_message();
        EXPECT_EQ(bench.packet(9, 5), kFilled);
        bench.expect_wait(sequence, kForever, 0, [&] { set_state(seen, 4); });
        ASSERT_EQ(xdna_cmd_wait(cmd, -1), 0) << xdna_error_message();
        xdna_cmd_result result{};
        ASSERT_EQ(xdna_cmd_get_result(cmd, &result), 0);
        EXPECT_EQ(result.state, XDNA_CMD_COMPLETED);
        EXPECT_EQ(result.sequence, sequence);
        // Waiting again costs nothing.
        EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
        bench.script.check_done();
    }
    bench.destroy(cmd, 9);
    bench.destroy(tensor);
}

TEST(Cmd, StartNpuPacket) {
    Bench bench;
    xdna_bo* code = bench.make_dev(4096, 6, 32768, false);
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    const xdna_code where{code, 64, 128};
    const uint32_t arg = 3;
    ASSERT_EQ(xdna_cmd_set_start_npu(cmd, 0, &where, &arg, 1), 0);
    EXPECT_EQ(
        bench.packet(9, 7),
        (Words{0x0A006001, 1, static_cast<uint32_t>(kHeapAddress + 32768 + 64), 0, 128, 0, 3}));
    bench.expect_exec(9, {6}, 0, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
    bench.destroy(code);
}

TEST(Cmd, TransactionPacketAndItsBindings) {
    Bench bench;
    xdna_bo* code = bench.make_dev(4096, 6, 32768, false);
    xdna_bo* tensor = bench.make_share(4096, 11);
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    const xdna_code where{code, 64, 128};
    xdna_bo* const buffers[] = {tensor, code, tensor};
    ASSERT_EQ(xdna_cmd_set_transaction(cmd, 2, &where, buffers, 3), 0);
    const auto low = [](uint64_t address) { return static_cast<uint32_t>(address); };
    const auto high = [](uint64_t address) { return static_cast<uint32_t>(address >> 32); };
    const uint64_t at = xdna_bo_address(tensor);
    const uint64_t base = kHeapAddress + 32768;
    EXPECT_EQ(bench.packet(9, 13),
              (Words{12U << 12 | 1, 4, 3, 0, low(base + 64), high(base), 32, low(at), high(at),
                     low(base), high(base), low(at), high(at)}));
    bench.expect_exec(9, {6, 11}, 0, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
    bench.destroy(tensor);
    bench.destroy(code);
}

TEST(Cmd, StartNpuPreemptPacket) {
    Bench bench;
    xdna_bo* code = bench.make_dev(4096, 6, 32768, false);
    xdna_bo* spare = bench.make_dev(4096, 7, 65536, false);
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    const xdna_code inst{code, 0, 16};
    const xdna_code save{spare, 0, 32};
    const xdna_code restore{spare, 256, 48};
    const Words args = {8, 9};
    ASSERT_EQ(xdna_cmd_set_start_npu_preempt(cmd, 2, &inst, &save, &restore, args.data(), 2), 0);
    const uint32_t base = static_cast<uint32_t>(kHeapAddress);
    EXPECT_EQ(bench.packet(9, 14),
              (Words{21U << 23 | 13U << 12 | 1, 4, base + 32768, 0, base + 65536, 0,
                     base + 65536 + 256, 0, 16, 32, 48, 0, 8, 9}));
    bench.expect_exec(9, {6, 7}, 1, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
    bench.destroy(code);
    bench.destroy(spare);
}

TEST(Cmd, PreemptionNeedsDriver06) {
    Bench bench(kLinux614);
    xdna_bo* code = bench.make_dev(4096, 6, 0, false);
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    const xdna_code where{code, 0, 16};
    EXPECT_EQ(xdna_cmd_set_start_npu_preempt(cmd, 0, &where, &where, &where, nullptr, 0),
              -EOPNOTSUPP);
    EXPECT_NE(std::string(xdna_error_message()).find("0.6"), std::string::npos);
    bench.destroy(cmd, 9);
    bench.destroy(code);
}

TEST(Cmd, WordsAreChangedInPlace) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    ASSERT_EQ(xdna_cmd_set_words(cmd, 1, Words{40, 50}.data(), 2), 0);
    EXPECT_EQ(bench.packet(9, 5), (Words{0x00004001, 1, 3, 40, 50}));
    EXPECT_EQ(xdna_cmd_set_words(cmd, 2, Words{1, 2}.data(), 2), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_words(cmd, ~0U, Words{1, 2}.data(), 2), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_words(cmd, 0, nullptr, 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_words(cmd, 3, nullptr, 0), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, ArgumentWordsOfStartNpuBeginAfterThePropertyCount) {
    Bench bench;
    xdna_bo* code = bench.make_dev(4096, 6, 0, false);
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    const xdna_code where{code, 0, 16};
    ASSERT_EQ(xdna_cmd_set_start_npu(cmd, 0, &where, Words{1, 2}.data(), 2), 0);
    ASSERT_EQ(xdna_cmd_set_words(cmd, 1, Words{7}.data(), 1), 0);
    EXPECT_EQ(bench.packet(9, 8)[6], 1U);
    EXPECT_EQ(bench.packet(9, 8)[7], 7U);
    EXPECT_EQ(xdna_cmd_set_words(cmd, 2, Words{7}.data(), 1), -EINVAL);
    bench.destroy(cmd, 9);
    bench.destroy(code);
}

TEST(Cmd, WhatIsDoneIsNotWaitedFor) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_exec(9, {}, 8, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    // Submitting again without having waited sees the end by itself.
    bench.expect_exec(9, {}, 9, [](uint32_t* packet) { set_state(packet, 4); });
    bench.expect_exec(9, {}, 10, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, 0), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, ATimeoutIsNoEnd) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    uint32_t* packet = nullptr;
    bench.expect_exec(9, {}, 8, [&](uint32_t* seen) { packet = seen; });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    bench.expect_wait(8, 0, ETIME);
    EXPECT_EQ(xdna_cmd_wait(cmd, 0), -ETIME);
    EXPECT_NE(std::string(xdna_error_message()).find("still running"), std::string::npos);
    // It is in flight: it may be neither submitted nor changed.
    bench.expect_wait(8, 0, ETIME);
    EXPECT_EQ(xdna_cmd_submit(cmd), -EBUSY);
    bench.expect_wait(8, 0, ETIME);
    EXPECT_EQ(xdna_cmd_set_words(cmd, 0, Words{1}.data(), 1), -EBUSY);
    bench.expect_wait(8, 0, ETIME);
    EXPECT_EQ(xdna_cmd_bind(cmd, nullptr, 0), -EBUSY);
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(cmd, &result), 0);
    EXPECT_EQ(result.state, XDNA_CMD_NEW);
    bench.expect_wait(8, kForever, 0, [&] { set_state(packet, 4); });
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, TheDeadlineIsAbsolute) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_exec(9, {}, 8);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t before = now.tv_sec * 1'000'000'000 + now.tv_nsec;
    drm_syncobj_timeline_wait wait{};
    wait.count_handles = 1;
    bench.script.expect(
        DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, wait, 0,
        {{offsetof(drm_syncobj_timeline_wait, handles), bytes_of(uint32_t{101}), {}},
         {offsetof(drm_syncobj_timeline_wait, points), bytes_of(uint64_t{8}), {}},
         {offsetof(drm_syncobj_timeline_wait, timeout_nsec), {}, {}}},
        [&](void* argument) {
            const int64_t deadline =
                static_cast<drm_syncobj_timeline_wait*>(argument)->timeout_nsec;
            EXPECT_GE(deadline, before + 5'000'000'000);
            EXPECT_LT(deadline, before + 65'000'000'000);
            return -ETIME;
        });
    EXPECT_EQ(xdna_cmd_wait(cmd, 5'000'000'000), -ETIME);
    bench.expect_wait(8, kForever, ETIME);
    EXPECT_EQ(xdna_cmd_wait(cmd, INT64_MAX), -ETIME);
    bench.expect_wait(8, kForever, 0, [&] {
        set_state(reinterpret_cast<uint32_t*>(bench.kernel_view(9, 4096)), 4);
    });
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, TheFirstCommandsPointMayOutlastIt) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    uint32_t* packet = nullptr;
    bench.expect_exec(9, {}, 0, [&](uint32_t* seen) { packet = seen; });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    // Point 0 stands for the newest one, which is not done; the command itself is.
    bench.expect_wait(0, 0, ETIME, [&] { set_state(packet, 4); });
    EXPECT_EQ(xdna_cmd_wait(cmd, 0), 0);
    bench.destroy(cmd, 9);
}

struct Ending {
    uint32_t state;
    const char* word;
};

class Endings : public testing::TestWithParam<Ending> {};
INSTANTIATE_TEST_SUITE_P(All, Endings,
                         testing::Values(Ending{5, "error"}, Ending{6, "aborted"},
                                         Ending{8, "timed out"}, Ending{9, "no response"}),
                         [](const auto& row) { return "State" + std::to_string(row.param.state); });

TEST_P(Endings, AFailedPacketIsRestoredAndMaySimplyBeSubmittedAgain) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    ASSERT_EQ(xdna_cmd_set_words(cmd, 2, Words{77}.data(), 1), 0);
    const Words intact = {0x00004001, 1, 3, 4, 77};
    uint32_t* packet = nullptr;
    bench.expect_exec(9, {}, 2, [&](uint32_t* seen) { packet = seen; });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    bench.expect_wait(2, kForever, 0, [&] { fail_packet(packet, GetParam().state); });
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EIO);
    EXPECT_NE(std::string(xdna_error_message()).find(GetParam().word), std::string::npos)
        << xdna_error_message();
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(cmd, &result), 0);
    EXPECT_EQ(static_cast<uint32_t>(result.state), GetParam().state);
    EXPECT_EQ(result.sequence, 2U);
    EXPECT_EQ(result.has_health, 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EIO);
    bench.expect_exec(9, {}, 3, [&](uint32_t* seen) {
        EXPECT_EQ(Words(seen, seen + 5), intact);
        set_state(seen, 4);
    });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, ARefusedPacketStaysNew) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_exec(9, {}, 2);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    bench.expect_wait(2, kForever);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EIO);
    EXPECT_NE(std::string(xdna_error_message()).find("refused"), std::string::npos);
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(cmd, &result), 0);
    EXPECT_EQ(result.state, XDNA_CMD_NEW);
    bench.destroy(cmd, 9);
}

TEST(Cmd, TheHealthRecordOfATimeoutIsDecoded) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_exec(9, {}, 2);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    bench.expect_wait(2, kForever, 0, [&] {
        auto* packet = reinterpret_cast<uint32_t*>(bench.kernel_view(9, 4096));
        fail_packet(packet, 8);
        const Words health = {1, 0, 11, 12, 13, 14, 15, 16};
        std::memcpy(packet + 1, health.data(), 32);
    });
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EIO);
    EXPECT_NE(std::string(xdna_error_message()).find("operation 11"), std::string::npos);
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(cmd, &result), 0);
    EXPECT_EQ(result.has_health, 1);
    EXPECT_EQ(result.failed_operation, 11U);
    EXPECT_EQ(result.context_pc, 12U);
    EXPECT_EQ(result.fatal_error_type, 13U);
    EXPECT_EQ(result.exception_type, 14U);
    EXPECT_EQ(result.exception_pc, 15U);
    EXPECT_EQ(result.app_module, 16U);
    EXPECT_EQ(bench.packet(9, 5)[1], 1U);
    bench.destroy(cmd, 9);
}

TEST(Cmd, ASubmissionThatFailsIsSaidAndMayBeRepeated) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    amdxdna_drm_exec_cmd exec{};
    exec.hwctx = 1;
    exec.cmd_handles = 9;
    exec.cmd_count = 1;
    bench.script.expect(DRM_IOCTL_AMDXDNA_EXEC_CMD, exec, ENODEV);
    EXPECT_EQ(xdna_cmd_submit(cmd), -ENODEV);
    EXPECT_NE(std::string(xdna_error_message()).find("EXEC_CMD"), std::string::npos);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EINVAL);
    bench.expect_exec(9, {}, 2, [](uint32_t* packet) { set_state(packet, 4); });
    EXPECT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

void expect_wait_cmd(Bench& bench, uint64_t sequence, uint32_t timeout_ms, int error = 0,
                     std::function<void()> run = {}) {
    amdxdna_drm_wait_cmd wait{};
    wait.hwctx = 1;
    wait.timeout = timeout_ms;
    wait.seq = sequence;
    bench.script.expect(DRM_IOCTL_AMDXDNA_WAIT_CMD, wait, 0, {}, [=](void*) {
        if (run) {
            run();
        }
        return -error;
    });
}

TEST(Cmd, AKernelWithoutTimelinesIsAskedByWaitCmdFromThenOn) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    uint32_t* packet = nullptr;
    const auto complete = [&] { set_state(packet, 4); };
    bench.expect_exec(9, {}, 2, [&](uint32_t* seen) { packet = seen; });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    bench.expect_wait(2, 0, EOPNOTSUPP);
    expect_wait_cmd(bench, 2, 1, ETIME);  // 0 would be for ever
    EXPECT_EQ(xdna_cmd_wait(cmd, 0), -ETIME);
    expect_wait_cmd(bench, 2, 2, ETIME);
    EXPECT_EQ(xdna_cmd_wait(cmd, 1'000'001), -ETIME);
    expect_wait_cmd(bench, 2, 0, 0, complete);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.expect_exec(9, {}, 3);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    // And back, where that stops serving.
    expect_wait_cmd(bench, 3, 0, EINVAL);
    bench.expect_wait(3, kForever, 0, complete);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, AKernelWithNeitherWaitSaysSo) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_exec(9, {}, 2);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    bench.expect_wait(2, kForever, EOPNOTSUPP);
    expect_wait_cmd(bench, 2, 0, EOPNOTSUPP);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EOPNOTSUPP);
    EXPECT_NE(std::string(xdna_error_message()).find("neither"), std::string::npos);
    bench.expect_wait(2, kForever, 0, [&] {
        set_state(reinterpret_cast<uint32_t*>(bench.kernel_view(9, 4096)), 4);
    });
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, DestroyingTheContextEndsItsCommands) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_exec(9, {}, 2);
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = 1;
    bench.script.expect(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy, 0, {}, [&](void*) {
        fail_packet(reinterpret_cast<uint32_t*>(bench.kernel_view(9, 4096)), 6);
        return 0;
    });
    xdna_hwctx_destroy(bench.hwctx);
    bench.hwctx = nullptr;
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), -EIO);
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(cmd, &result), 0);
    EXPECT_EQ(result.state, XDNA_CMD_ABORTED);
    bench.expect_close(9);
    drm_syncobj_destroy syncobj{};
    syncobj.handle = 101;
    bench.script.expect(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj);
    xdna_cmd_destroy(cmd);
}

TEST(Cmd, BoundBosOutliveTheirOwners) {
    Bench bench;
    xdna_bo* tensor = bench.make_share(4096, 7);
    xdna_cmd* cmd = bench.make_filled(9);
    ASSERT_EQ(xdna_cmd_bind(cmd, &tensor, 1), 0);
    xdna_bo_destroy(tensor);  // no system call: the command has it
    bench.expect_exec(9, {7}, 2, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    // Filling anew forgets it.
    bench.expect_close(7);
    ASSERT_EQ(xdna_cmd_set_start_cu(cmd, 0, Words{1}.data(), 1), 0);
    bench.expect_exec(9, {}, 3, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(cmd), 0);
    EXPECT_EQ(xdna_cmd_wait(cmd, -1), 0);
    bench.destroy(cmd, 9);
}

TEST(Cmd, BadFillsAreNamedAndCostNoSystemCall) {
    Bench bench;
    xdna_bo* code = bench.make_dev(4096, 6, 0, false);
    xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 9);
    const Words words(64);
    EXPECT_EQ(xdna_cmd_submit(cmd), -EINVAL);
    EXPECT_EQ(xdna_cmd_wait(cmd, 0), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_words(cmd, 0, words.data(), 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_bind(cmd, &code, 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_start_cu(cmd, 32, words.data(), 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_start_cu(cmd, 0, words.data(), 0), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_start_cu(cmd, 0, nullptr, 4), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_start_cu(cmd, 0, words.data(), 20), -E2BIG);
    EXPECT_EQ(xdna_cmd_set_start_cu(nullptr, 0, words.data(), 1), -EINVAL);
    const xdna_code good{code, 0, 16};
    EXPECT_EQ(xdna_cmd_set_start_npu(cmd, 0, &good, words.data(), 27), -E2BIG);
    EXPECT_EQ(xdna_cmd_set_start_npu(cmd, 0, nullptr, nullptr, 0), -EINVAL);
    xdna_bo* share = bench.make_share(4096, 11);
    for (const xdna_code& bad :
         {xdna_code{nullptr, 0, 16}, xdna_code{share, 0, 16}, xdna_code{code, 2, 16},
          xdna_code{code, 0, 15}, xdna_code{code, 0, 0}, xdna_code{code, 4096, 4},
          xdna_code{code, 4, 4096}, xdna_code{code, ~uint64_t{3}, 8}}) {
        EXPECT_EQ(xdna_cmd_set_start_npu(cmd, 0, &bad, nullptr, 0), -EINVAL);
    }
    EXPECT_EQ(xdna_cmd_set_transaction(cmd, 32, &good, &share, 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_transaction(cmd, 0, nullptr, &share, 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_transaction(cmd, 0, &good, nullptr, 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_set_transaction(cmd, 0, &good, nullptr, 0), 0);
    const std::vector<xdna_bo*> many(8, share);
    EXPECT_EQ(xdna_cmd_set_transaction(cmd, 0, &good, many.data(), 8), -E2BIG);
    xdna_bo* const hole[] = {share, nullptr};
    EXPECT_EQ(xdna_cmd_set_transaction(cmd, 0, &good, hole, 2), -EINVAL);
    EXPECT_NE(std::string(xdna_error_message()).find("BO 1 is NULL"), std::string::npos);
    xdna_cmd* small = nullptr;
    EXPECT_EQ(xdna_cmd_create(bench.hwctx, 1 << 20, &small), -EINVAL);
    bench.expect_mapped_bo(AMDXDNA_BO_CMD, 16, 10);
    ASSERT_EQ(xdna_cmd_create(bench.hwctx, 16, &small), 0);
    EXPECT_EQ(xdna_cmd_set_start_cu(small, 0, words.data(), 3), -E2BIG);
    EXPECT_EQ(xdna_cmd_set_start_cu(small, 0, words.data(), 2), 0);
    bench.destroy(small, 10);
    bench.destroy(cmd, 9);
    bench.destroy(share);
    bench.destroy(code);
}

TEST(Cmd, BosOfAnotherDeviceAreRefused) {
    Bench bench;
    Bench other;
    xdna_bo* foreign = other.make_dev(4096, 6, 0, false);
    xdna_cmd* cmd = bench.make_filled(9);
    EXPECT_EQ(xdna_cmd_bind(cmd, &foreign, 1), -EINVAL);
    EXPECT_NE(std::string(xdna_error_message()).find("another device"), std::string::npos);
    const xdna_code code{foreign, 0, 16};
    EXPECT_EQ(xdna_cmd_set_start_npu(cmd, 0, &code, nullptr, 0), -EINVAL);
    EXPECT_EQ(xdna_hwctx_attach_debug_bo(bench.hwctx, foreign), -EINVAL);
    bench.destroy(cmd, 9);
    other.destroy(foreign);
}

TEST(Cmd, CmdBosAreNotBound) {
    Bench bench;
    xdna_cmd* cmd = bench.make_filled(9);
    bench.expect_mapped_bo(AMDXDNA_BO_CMD, 4096, 10);
    xdna_bo* packet = nullptr;
    ASSERT_EQ(xdna_bo_create(bench.device, XDNA_BO_CMD, 4096, &packet), 0);
    EXPECT_EQ(xdna_cmd_bind(cmd, &packet, 1), -EINVAL);
    xdna_bo* none = nullptr;
    EXPECT_EQ(xdna_cmd_bind(cmd, &none, 1), -EINVAL);
    EXPECT_EQ(xdna_cmd_bind(cmd, nullptr, 1), -EINVAL);
    bench.destroy(packet);
    bench.destroy(cmd, 9);
}

// ---- chains
// --------------------------------------------------------------------------------------

TEST(Chain, HoldsHandlesAndBindsWhatItsMembersBind) {
    Bench bench;
    xdna_bo* shared = bench.make_share(4096, 7);
    xdna_bo* own = bench.make_share(4096, 8);
    xdna_cmd* first = bench.make_filled(10);
    xdna_cmd* second = bench.make_filled(11);
    ASSERT_EQ(xdna_cmd_bind(first, &shared, 1), 0);
    xdna_bo* const both[] = {own, shared};
    ASSERT_EQ(xdna_cmd_bind(second, both, 2), 0);
    xdna_cmd* chain = bench.make_cmd(bench.hwctx, 12);
    xdna_cmd* const members[] = {first, second};
    ASSERT_EQ(xdna_cmd_set_chain(chain, members, 2), 0) << xdna_error_message();
    EXPECT_EQ(bench.packet(12, 11),
              (Words{19U << 23 | 10U << 12 | 1, 2, 0, 0, 0, 0, 0, 10, 0, 11, 0}));
    bench.expect_exec(12, {7, 8}, 5, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(chain), 0);
    EXPECT_EQ(xdna_cmd_wait(chain, -1), 0);
    // The chain has its members; their owner may go.
    xdna_cmd_destroy(first);
    xdna_cmd_destroy(second);
    xdna_bo_destroy(shared);
    xdna_bo_destroy(own);
    bench.expect_exec(12, {7, 8}, 6, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(chain), 0);
    EXPECT_EQ(xdna_cmd_wait(chain, -1), 0);
    bench.script.check_done();
    bench.expect_close(10);
    bench.expect_close(11);
    bench.expect_close(7);
    bench.expect_close(8);
    bench.expect_close(12);
    xdna_cmd_destroy(chain);
}

TEST(Chain, AFailureNamesItsCommandAndRestoresTheFirst) {
    Bench bench;
    xdna_cmd* first = bench.make_filled(10);
    xdna_cmd* second = bench.make_filled(11);
    xdna_cmd* chain = bench.make_cmd(bench.hwctx, 12);
    xdna_cmd* const members[] = {first, second};
    ASSERT_EQ(xdna_cmd_set_chain(chain, members, 2), 0);
    bench.expect_exec(12, {}, 5);
    ASSERT_EQ(xdna_cmd_submit(chain), 0);
    // While it is in flight, its members may not be changed or submitted.
    bench.expect_wait(5, 0, ETIME);
    EXPECT_EQ(xdna_cmd_set_words(first, 0, Words{1}.data(), 1), -EBUSY);
    bench.expect_wait(5, kForever, 0, [&] {
        auto* packet = reinterpret_cast<uint32_t*>(bench.kernel_view(12, 4096));
        set_state(packet, 5);
        packet[3] = 1;
        // amdxdna_cmd_set_error(): the fill hits the first command's payload, its header stays.
        std::memset(bench.kernel_view(10, 4096) + 4, 0xff, 4092);
    });
    EXPECT_EQ(xdna_cmd_wait(chain, -1), -EIO);
    EXPECT_NE(std::string(xdna_error_message()).find("command 1 of the chain"), std::string::npos);
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(chain, &result), 0);
    EXPECT_EQ(result.state, XDNA_CMD_ERROR);
    EXPECT_EQ(result.failed_index, 1U);
    EXPECT_EQ(bench.packet(10, 5), kFilled);
    EXPECT_EQ(bench.packet(12, 4)[3], 0U);
    EXPECT_EQ(xdna_cmd_set_words(first, 0, Words{8}.data(), 1), 0);
    EXPECT_EQ(bench.packet(10, 5)[2], 8U);
    bench.expect_exec(12, {}, 6, [](uint32_t* packet) { set_state(packet, 4); });
    ASSERT_EQ(xdna_cmd_submit(chain), 0);
    EXPECT_EQ(xdna_cmd_wait(chain, -1), 0);
    bench.destroy(chain, 12);
    bench.destroy(first, 10);
    bench.destroy(second, 11);
}

TEST(Chain, AHealthRecordIsInTheFirstCommand) {
    Bench bench;
    xdna_cmd* first = bench.make_filled(10);
    xdna_cmd* chain = bench.make_cmd(bench.hwctx, 12);
    ASSERT_EQ(xdna_cmd_set_chain(chain, &first, 1), 0);
    bench.expect_exec(12, {}, 5);
    ASSERT_EQ(xdna_cmd_submit(chain), 0);
    bench.expect_wait(5, kForever, 0, [&] {
        set_state(reinterpret_cast<uint32_t*>(bench.kernel_view(12, 4096)), 8);
        const Words health = {1, 0, 21, 22, 23, 24, 25, 26};
        std::memcpy(bench.kernel_view(10, 4096) + 4, health.data(), 32);
    });
    EXPECT_EQ(xdna_cmd_wait(chain, -1), -EIO);
    xdna_cmd_result result{};
    ASSERT_EQ(xdna_cmd_get_result(chain, &result), 0);
    EXPECT_EQ(result.has_health, 1);
    EXPECT_EQ(result.failed_operation, 21U);
    EXPECT_EQ(bench.packet(10, 5), kFilled);
    bench.destroy(chain, 12);
    bench.destroy(first, 10);
}

TEST(Chain, TakesWhatItsContractSays) {
    Bench bench;
    xdna_bo* code = bench.make_dev(4096, 6, 0, false);
    xdna_cmd* first = bench.make_filled(10);
    xdna_cmd* empty = bench.make_cmd(bench.hwctx, 11);
    xdna_cmd* chain = bench.make_cmd(bench.hwctx, 12);
    const auto set = [&](xdna_cmd* to, Words::value_type count, xdna_cmd* a, xdna_cmd* b) {
        xdna_cmd* const members[] = {a, b};
        return xdna_cmd_set_chain(to, members, count);
    };
    EXPECT_EQ(xdna_cmd_set_chain(chain, nullptr, 1), -EINVAL);
    EXPECT_EQ(set(chain, 0, first, first), -EINVAL);
    EXPECT_EQ(set(chain, 2, first, nullptr), -EINVAL);
    EXPECT_EQ(set(chain, 2, first, empty), -EINVAL);
    EXPECT_EQ(set(chain, 2, first, first), -EINVAL);
    EXPECT_EQ(set(chain, 1, chain, chain), -EINVAL);
    const xdna_code where{code, 0, 16};
    ASSERT_EQ(xdna_cmd_set_start_npu(empty, 0, &where, nullptr, 0), 0);
    EXPECT_EQ(set(chain, 2, first, empty), -EINVAL);  // mixed opcodes
    xdna_hwctx* other = bench.make_hwctx(1, 2, false);
    xdna_cmd* foreign = bench.make_cmd(other, 13);
    ASSERT_EQ(xdna_cmd_set_start_cu(foreign, 0, Words{1}.data(), 1), 0);
    EXPECT_EQ(set(chain, 2, first, foreign), -EINVAL);
    ASSERT_EQ(set(chain, 1, first, first), 0);
    xdna_cmd* second_chain = bench.make_cmd(bench.hwctx, 14);
    EXPECT_EQ(set(second_chain, 1, first, first), -EBUSY);
    EXPECT_EQ(set(second_chain, 1, chain, chain), -EINVAL);  // a chain within
    EXPECT_EQ(xdna_cmd_set_start_cu(first, 0, Words{1}.data(), 1), -EBUSY);
    EXPECT_EQ(xdna_cmd_bind(first, &code, 1), -EBUSY);
    EXPECT_EQ(xdna_cmd_set_words(chain, 0, Words{1}.data(), 1), -EINVAL);
    // Chained anew, the old member is free again.
    ASSERT_EQ(set(chain, 1, first, first), 0);
    ASSERT_EQ(xdna_cmd_set_start_cu(chain, 0, Words{1}.data(), 1), 0);
    EXPECT_EQ(xdna_cmd_set_start_cu(first, 0, Words{1}.data(), 1), 0);
    bench.destroy(second_chain, 14);
    bench.destroy(foreign, 13);
    bench.destroy(other);
    bench.destroy(chain, 12);
    bench.destroy(empty, 11);
    bench.destroy(first, 10);
    bench.destroy(code);
}

TEST(Chain, SlotsMustFitTheDriversBuffer) {
    Bench bench;
    std::vector<xdna_cmd*> members;
    // 52 bytes and 19 words a slot: 31 of 128 bytes fit into 4096, 32 do as well, 33 do not.
    const Words words(19);
    for (uint32_t i = 0; i < 33; i++) {
        xdna_cmd* cmd = bench.make_cmd(bench.hwctx, 20 + i);
        ASSERT_EQ(xdna_cmd_set_start_cu(cmd, 0, words.data(), 19), 0);
        members.push_back(cmd);
    }
    xdna_cmd* chain = bench.make_cmd(bench.hwctx, 12);
    EXPECT_EQ(xdna_cmd_set_chain(chain, members.data(), 33), -E2BIG);
    EXPECT_EQ(xdna_cmd_set_chain(chain, members.data(), 32), 0);
    bench.destroy(chain, 12);
    for (uint32_t i = 0; i < 33; i++) {
        bench.destroy(members[i], 20 + i);
    }
}

TEST(CmdState, Names) {
    EXPECT_STREQ(xdna_cmd_state_name(XDNA_CMD_COMPLETED), "completed");
    EXPECT_STREQ(xdna_cmd_state_name(XDNA_CMD_TIMEOUT), "timed out");
    EXPECT_STREQ(xdna_cmd_state_name(static_cast<xdna_cmd_state>(0)), "unknown state");
    EXPECT_STREQ(xdna_cmd_state_name(static_cast<xdna_cmd_state>(10)), "unknown state");
}

}  // namespace
}  // namespace xdna::test
