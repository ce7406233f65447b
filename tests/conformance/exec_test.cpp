// EXEC_CMD: what is checked in the call, what comes back later in the packet, and the order.
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kSubmit = "amdxdna_ctx.c: amdxdna_cmd_submit";
constexpr const char* kExecbuf = "amdxdna_ctx.c: amdxdna_drm_submit_execbuf";
constexpr const char* kRun = "aie2_ctx.c: aie2_sched_job_run";
constexpr const char* kSlot = "aie2_message.c: aie2_cmdlist_fill_slot";

class ExecCmd : public ContextConformance {
  protected:
    void SetUp() override {
        ContextConformance::SetUp();
        cmd = command(empty_command());
    }
    amdxdna_drm_exec_cmd good() const {
        return {.hwctx = context.handle, .cmd_handles = cmd.handle, .cmd_count = 1};
    }
    Status exec(amdxdna_drm_exec_cmd args) const {
        return device.call(DRM_IOCTL_AMDXDNA_EXEC_CMD, args);
    }
    Status exec_with_args(std::vector<uint32_t> handles) const {
        uint64_t sequence = 0;
        return device.exec(context.handle, cmd.handle, handles, sequence);
    }
    Command cmd;
};

// ---- checks in the call

TEST_F(ExecCmd, ReservedFieldsMustBeZero) {
    rule("amdxdna_ctx.c: amdxdna_drm_submit_cmd_ioctl", "ext or ext_flags other than 0 are EINVAL");
    auto args = good();
    args.ext = 1;
    EXPECT_EQ(exec(args), fails_with(EINVAL));
    args = good();
    args.ext_flags = 1;
    EXPECT_EQ(exec(args), fails_with(EINVAL));
}

TEST_F(ExecCmd, TypeMustBeExecBuf) {
    rule("amdxdna_ctx.c: amdxdna_drm_submit_cmd_ioctl", "types but 0 (EXEC_BUF) are EINVAL");
    for (uint32_t type :
         {uint32_t{AMDXDNA_CMD_SUBMIT_DEPENDENCY}, uint32_t{AMDXDNA_CMD_SUBMIT_SIGNAL}, 3U, ~0U}) {
        auto args = good();
        args.type = type;
        EXPECT_EQ(exec(args), fails_with(EINVAL)) << type;
    }
}

TEST_F(ExecCmd, OneCommandAtATime) {
    rule(kExecbuf, "a cmd_count other than 1 is EINVAL");
    for (uint32_t count : {0U, 2U, ~0U}) {
        auto args = good();
        args.cmd_count = count;
        EXPECT_EQ(exec(args), fails_with(EINVAL)) << count;
    }
}

TEST_F(ExecCmd, ArgumentCountIsLimited) {
    rule(kExecbuf, "more than 4095 arguments are EINVAL, before they are read");
    Mapping bad = inaccessible_page();
    auto args = good();
    args.arg_count = 4096;
    args.args = bad.address();
    EXPECT_EQ(exec(args), fails_with(EINVAL));
    args.arg_count = 4095;
    EXPECT_EQ(exec(args), fails_with(EFAULT));
}

TEST_F(ExecCmd, ArgumentsMustBeReadable) {
    rule(kExecbuf, "an unreadable argument list is EFAULT; with a count of 0 it is not read");
    Mapping bad = inaccessible_page();
    auto args = good();
    args.args = bad.address();
    args.arg_count = 1;
    EXPECT_EQ(exec(args), fails_with(EFAULT));
    args.arg_count = 0;
    EXPECT_EQ(exec(args), kOk);
}

TEST_F(ExecCmd, ArgumentsMustExist) {
    rule("amdxdna_ctx.c: amdxdna_arg_bos_lookup", "an unknown argument BO is ENOENT");
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(exec_with_args({4242}), fails_with(ENOENT));
    EXPECT_EQ(exec_with_args({share, 0}), fails_with(ENOENT));
    EXPECT_EQ(exec_with_args({share}), kOk);
}

TEST_F(ExecCmd, ArgumentsMustDiffer) {
    rule("drm_gem.c: drm_gem_lock_reservations", "the same BO twice is EALREADY");
    XDNA_NEED_CURRENT();
    uint32_t one = device.bo(AMDXDNA_BO_SHARE, kPage);
    uint32_t two = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(exec_with_args({one, two, one}), fails_with(EALREADY));
    EXPECT_EQ(exec_with_args({one, two}), kOk) << "the refusal left no lock";
}

TEST_F(ExecCmd, RefusalTakesNoNumber) {
    rule("aie2_ctx.c: aie2_cmd_submit",
         "a refused submission takes no sequence number, nor a place");
    for (int i = 0; i < 10; i++) {
        EXPECT_EQ(exec_with_args({4242}), fails_with(ENOENT));
    }
    uint64_t sequence = 99;
    EXPECT_EQ(run(context, cmd, {}, &sequence), State::kCompleted);
    EXPECT_EQ(sequence, 0U);
}

TEST_F(ExecCmd, ArgumentsOfEveryKind) {
    rule("amdxdna_ctx.c: amdxdna_arg_bos_lookup", "SHARE, CMD, DEV BOs and the heap may be listed");
    XDNA_NEED_CURRENT();
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    Mapping mapped = device.map_bo(share, kPage);
    uint32_t unmapped = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(run(context, cmd, {share, unmapped, cmd.handle, empty_code.handle, pdi.handle, heap}),
              State::kCompleted);
}

TEST_F(ExecCmd, ManyArguments) {
    rule("amdxdna_ctx.c: amdxdna_arg_bos_lookup", "hundreds of BOs may be listed");
    std::vector<uint32_t> handles;
    for (int i = 0; i < 300; i++) {
        handles.push_back(device.bo(AMDXDNA_BO_SHARE, kPage));
    }
    EXPECT_EQ(run(context, cmd, handles), State::kCompleted);
}

TEST_F(ExecCmd, CommandMustBeAShareBo) {
    rule(kSubmit, "a command handle that is unknown, a DEV BO or the heap is EINVAL");
    for (uint32_t handle : {4242U, empty_code.handle, heap}) {
        auto args = good();
        args.cmd_handles = handle;
        EXPECT_EQ(exec(args), fails_with(EINVAL)) << handle;
    }
}

TEST_F(ExecCmd, CommandMustBeGiven) {
    rule(kSubmit, "command handle 0 is the driver's own: EINVAL");
    XDNA_NEED_CURRENT();
    XDNA_NEED(target().hardened, "kernels before 7.3 may crash here");
    auto args = good();
    args.cmd_handles = 0;
    EXPECT_EQ(exec(args), fails_with(EINVAL));
}

TEST_F(ExecCmd, CommandHandleIsItsLowHalf) {
    rule(kExecbuf, "cmd_handles is the handle itself; its upper 32 bits are not read");
    auto args = good();
    args.cmd_handles |= uint64_t{7} << 32;
    EXPECT_EQ(exec(args), kOk);
}

TEST_F(ExecCmd, CommandMayBeAShareBo) {
    rule(kSubmit, "a SHARE BO serves as a command");
    XDNA_NEED_CURRENT();
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    Command made{share, device.map_bo(share, kPage)};
    made.write(empty_command());
    EXPECT_EQ(run(context, made), State::kCompleted);
}

TEST_F(ExecCmd, CommandNeedNotBeMapped) {
    rule("amdxdna_gem.c: amdxdna_gem_vmap", "the driver reads a command through its own mapping");
    XDNA_NEED_CURRENT();
    cmd.memory.reset();
    EXPECT_EQ(run(context, {cmd.handle, device.map_bo(cmd.handle, kPage)}), State::kCompleted);
    uint64_t sequence = 0;
    EXPECT_EQ(device.exec(context.handle, cmd.handle, {}, sequence), kOk);
    EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
}

TEST_F(ExecCmd, ContextMustExist) {
    rule(kSubmit, "an unknown, destroyed or foreign context is EINVAL");
    auto args = good();
    args.hwctx = 200;
    EXPECT_EQ(exec(args), fails_with(EINVAL));
    args.hwctx = 0;
    EXPECT_EQ(exec(args), fails_with(EINVAL));
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    EXPECT_EQ(exec(good()), fails_with(EINVAL));
}

TEST_F(ExecCmd, ArgumentsAreCheckedBeforeTheContext) {
    rule(kSubmit, "command, then arguments, then context: each with its error");
    XDNA_NEED_CURRENT();
    uint64_t sequence = 0;
    EXPECT_EQ(device.exec(200, cmd.handle, {4242}, sequence), fails_with(ENOENT));
    EXPECT_EQ(device.exec(200, 4242, {4242}, sequence), fails_with(EINVAL));
}

// ---- results

TEST_F(ExecCmd, EmptyStartNpuCompletes) {
    rule("aie2_ctx.c: aie2_sched_cmdlist_resp_handler",
         "success is state 4, the rest of the packet stays");
    const Words words = empty_command();
    EXPECT_EQ(run(context, cmd), State::kCompleted);
    for (size_t i = 1; i < words.size(); i++) {
        EXPECT_EQ(cmd.word(i), words[i]) << "word " << i;
    }
    EXPECT_EQ(cmd.word(0) & ~0xFU, words[0] & ~0xFU) << "only the state changed";
}

TEST_F(ExecCmd, EmptyStartCuCompletes) {
    rule("aie2_message.c: aie2_cmdlist_fill_npu_cf",
         "START_CU runs the transaction of its register map");
    cmd.write(start_cu(empty_code.address, kEmptyCodeBytes / 4));
    EXPECT_EQ(run(context, cmd), State::kCompleted);
}

TEST_F(ExecCmd, RunsAgain) {
    rule(kRun, "a packet may be submitted again: the driver sets its state to NEW first");
    EXPECT_EQ(run(context, cmd), State::kCompleted);
    EXPECT_EQ(run(context, cmd), State::kCompleted);
    cmd.memory.words()[0] |= 0xF;
    EXPECT_EQ(run(context, cmd), State::kCompleted);
}

TEST_F(ExecCmd, UpperHeaderBitsAreIgnored) {
    rule("amdxdna_ctx.h: AMDXDNA_CMD_OPCODE", "header bits 4 to 9 and 28 to 31 mean nothing");
    cmd.memory.words()[0] |= 0xF000'03F0;
    EXPECT_EQ(run(context, cmd), State::kCompleted);
}

TEST_F(ExecCmd, ExtraCuMasksAreSkipped) {
    rule("amdxdna_ctx.c: amdxdna_cmd_get_payload",
         "1 to 3 extra mask words stand before the payload");
    for (uint32_t extra = 1; extra <= 3; extra++) {
        Words words = empty_command();
        words.insert(words.begin() + 2, extra, 0);
        words[0] = packet_header(Opcode::kStartNpu, static_cast<uint32_t>(words.size() - 1),
                                 State::kNew, extra);
        cmd.write(words);
        EXPECT_EQ(run(context, cmd), State::kCompleted) << extra << " extra masks";
    }
}

TEST_F(ExecCmd, CuIndexRestartsInEachMask) {
    rule("amdxdna_ctx.c: amdxdna_cmd_get_cu_idx", "bit 0 of the second mask is CU 0, not CU 32");
    Words words = empty_command();
    words[1] = 0;
    words.insert(words.begin() + 2, 1);
    words[0] =
        packet_header(Opcode::kStartNpu, static_cast<uint32_t>(words.size() - 1), State::kNew, 1);
    cmd.write(words);
    EXPECT_EQ(run(context, cmd), State::kCompleted);
}

TEST_F(ExecCmd, CorruptControlCodeIsAnError) {
    rule("amdxdna_ctx.c: amdxdna_cmd_set_error",
         "a firmware error is state 5, and 0xFF all over the payload");
    const Words corrupt = corrupt_transaction();
    DevBo code = dev_bo(corrupt);
    cmd.write(start_npu(code.address, static_cast<uint32_t>(corrupt.size() * 4)));
    EXPECT_EQ(run(context, cmd), State::kError);
    XDNA_NEED_CURRENT();
    for (size_t i = 1; i < kPage / 4; i++) {
        ASSERT_EQ(cmd.word(i), ~0U) << "word " << i;
    }
}

TEST_F(ExecCmd, ContextGoesOnAfterAnError) {
    rule("aie2_ctx.c: aie2_sched_cmdlist_resp_handler", "an error ends its command only");
    const Words corrupt = corrupt_transaction();
    DevBo code = dev_bo(corrupt);
    Command bad = command(start_npu(code.address, static_cast<uint32_t>(corrupt.size() * 4)));
    EXPECT_EQ(run(context, bad), State::kError);
    EXPECT_EQ(run(context, cmd), State::kCompleted);
}

TEST_F(ExecCmd, BadPdiShowsAtTheFirstCommand) {
    rule("aie2_message.c: aie2_config_cu",
         "a PDI that is none fails the first command, not the configuration");
    DevBo bad = dev_bo(bad_pdi());
    Context other;
    ASSERT_EQ(device.create_hwctx(column_tiles(), other), kOk);
    ASSERT_EQ(device.config_cus(other.handle, {{.cu_bo = bad.handle}}), kOk);
    EXPECT_EQ(run(other, cmd), State::kError);
}

struct Refusal {
    const char* name;
    Words packet;
    const char* reason;
    bool npu1_only = false;
};

class RefusedPacket : public ExecCmd, public testing::WithParamInterface<Refusal> {};

TEST_P(RefusedPacket, StaysNew) {
    const Refusal& row = GetParam();
    rule(kSlot, std::string("refused unseen by the NPU: the fence signals, the state stays NEW: ") +
                    row.reason);
    XDNA_NEED(!row.npu1_only || target().npu1, "npu1 has no preemption");
    cmd = command(row.packet, 2 * kPage);
    uint64_t sequence = 99;
    EXPECT_EQ(run(context, cmd, {}, &sequence), State::kNew);
    EXPECT_EQ(sequence, 0U) << "it has a number all the same";
    for (size_t i = 1; i < row.packet.size(); i++) {
        EXPECT_EQ(cmd.word(i), row.packet[i]) << "word " << i;
    }
    // The context goes on.
    cmd.write(empty_command());
    EXPECT_EQ(run(context, cmd, {}, &sequence), State::kCompleted);
    EXPECT_EQ(sequence, 1U);
}

Words with_header(uint32_t header, Words packet) {
    packet[0] = header;
    return packet;
}

Words opcode(uint32_t number) {
    return packet(static_cast<Opcode>(number), {1, 0, 0, 16, 0});
}

const Refusal kRefusals[] = {
    {"NoCu", start_npu(kHeapAddress, 16, {}, 0), "no CU in the mask"},
    {"NoCuOfStartCu", start_cu(kHeapAddress, 4, 0), "no CU in the mask"},
    {"NoPayload", with_header(packet_header(Opcode::kStartNpu, 1), start_npu(kHeapAddress, 16)),
     "a count that ends with the mask"},
    {"CountZero", with_header(packet_header(Opcode::kStartNpu, 0), start_npu(kHeapAddress, 16)),
     "a count of 0"},
    {"CutPayload", with_header(packet_header(Opcode::kStartNpu, 4), start_npu(kHeapAddress, 16)),
     "a payload shorter than START_NPU's"},
    {"CountBeyondTheMasks",
     with_header(packet_header(Opcode::kStartNpu, 3, State::kNew, 3), start_npu(kHeapAddress, 16)),
     "fewer words than masks"},
    {"TooManyArguments", start_npu(kHeapAddress, 16, Words(40)), "more arguments than a slot has"},
    {"TooManyRegisters", packet(Opcode::kStartCu, Words(1200, 1)),
     "more register-map words than the chain buffer holds"},
    {"StartDpu", opcode(18), "opcode 18"},
    {"Preempt", packet(Opcode::kStartNpuPreempt, {1, 0, 4, 0, 4, 0, 4, 0, 16, 16, 16, 0}),
     "opcode 21 where there is no preemption", true},
    {"PreemptElf", packet(Opcode::kStartNpuPreemptElf, {1, 0, 4, 0, 4, 0, 4, 0, 16, 16, 16, 0}),
     "opcode 22 where there is no preemption", true},
    {"Opcode1", opcode(1), "opcode 1"},
    {"Opcode4", opcode(4), "opcode 4 (ERT_ABORT)"},
    {"Opcode17", opcode(17), "opcode 17"},
    {"Opcode23", opcode(23), "opcode 23"},
    {"Opcode31", opcode(31), "opcode 31"},
    {"EmptyChain", chain({}), "a chain of no command"},
    {"ChainOfNothing", chain({4242}), "a chain of an unknown BO"},
    {"ChainOfZero", chain({0}), "a chain of handle 0"},
    {"ChainCut", with_header(packet_header(Opcode::kCmdChain, 7), chain({1, 2})),
     "a chain whose count holds fewer handles than it says"},
    {"ChainCountZero", with_header(packet_header(Opcode::kCmdChain, 0), chain({1})),
     "a chain without words"},
};

INSTANTIATE_TEST_SUITE_P(Of, RefusedPacket, testing::ValuesIn(kRefusals), RowName());

TEST_F(ExecCmd, CountBeyondTheBoIsRefused) {
    rule("amdxdna_ctx.c: amdxdna_cmd_get_payload",
         "a count that passes the BO's end leaves the state NEW");
    cmd.memory.words()[0] = packet_header(Opcode::kStartNpu, kPage / 4);
    EXPECT_EQ(run(context, cmd), State::kNew);
}

TEST_F(ExecCmd, RefusedStateIsOverwritten) {
    rule(kRun, "the driver writes NEW before it looks: a stale state does not survive a refusal");
    cmd.write(opcode(1));
    cmd.memory.words()[0] = (cmd.memory.words()[0] & ~0xFU) | 4;
    EXPECT_EQ(run(context, cmd), State::kNew);
}

// ---- order and numbers

TEST_F(ExecCmd, SequenceCountsFromZero) {
    rule("aie2_ctx.c: aie2_cmd_submit", "a context's commands are numbered 0, 1, 2, ...");
    for (uint64_t i = 0; i < 10; i++) {
        uint64_t sequence = 99;
        EXPECT_EQ(run(context, cmd, {}, &sequence), State::kCompleted);
        EXPECT_EQ(sequence, i);
    }
    Context other;
    ASSERT_EQ(device.create_hwctx(column_tiles(), other), kOk);
    ASSERT_EQ(device.config_cus(other.handle, {{.cu_bo = pdi.handle}}), kOk);
    uint64_t sequence = 99;
    EXPECT_EQ(run(other, cmd, {}, &sequence), State::kCompleted);
    EXPECT_EQ(sequence, 0U) << "each context counts its own";
}

TEST_F(ExecCmd, TimelinePointIsTheSequence) {
    rule("aie2_ctx.c: aie2_cmd_submit", "the syncobj's point n signals when command n has ended");
    uint64_t point = 99;
    for (uint64_t i = 0; i < 4; i++) {
        uint64_t sequence = 99;
        run(context, cmd, {}, &sequence);
        ASSERT_EQ(device.syncobj_query(context.syncobj, 0, point), kOk);
        EXPECT_EQ(point, i);
    }
    EXPECT_EQ(device.syncobj_wait(context.syncobj, 2, 0), kOk) << "an earlier point";
    EXPECT_EQ(device.syncobj_wait(context.syncobj, 4, 0), fails_with(EINVAL)) << "not submitted";
    EXPECT_EQ(device.syncobj_wait(context.syncobj, 4, 10, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT),
              fails_with(ETIME));
}

TEST_F(ExecCmd, NoPointBeforeTheFirst) {
    rule("drm_syncobj.c: drm_syncobj_array_wait_timeout",
         "before any command even point 0 is not there");
    EXPECT_EQ(device.syncobj_wait(context.syncobj, 0, 0), fails_with(EINVAL));
    EXPECT_EQ(device.syncobj_wait(context.syncobj, 0, 10, DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT),
              fails_with(ETIME));
}

TEST_F(ExecCmd, WaiterMayComeFirst) {
    rule("drm_syncobj.c: drm_syncobj_add_point",
         "WAIT_FOR_SUBMIT waits for the submission, then its end");
    Status waited = fails_with(EIO);
    std::thread waiter([&] {
        waited = device.syncobj_wait(context.syncobj, 1, kPatienceMs,
                                     DRM_SYNCOBJ_WAIT_FLAGS_WAIT_FOR_SUBMIT);
    });
    usleep(10'000);
    run(context, cmd);
    run(context, cmd);
    waiter.join();
    EXPECT_EQ(waited, kOk);
}

TEST_F(ExecCmd, ManyWithoutWaiting) {
    rule("aie2_pci.h: HWCTX_MAX_CMDS",
         "beyond four in flight a submission waits for room: none is lost");
    constexpr size_t kMany = 64;
    std::vector<Command> commands;
    for (size_t i = 0; i < kMany; i++) {
        commands.push_back(command(empty_command()));
    }
    uint64_t sequence = 0;
    for (size_t i = 0; i < kMany; i++) {
        ASSERT_EQ(device.exec(context.handle, commands[i].handle, {}, sequence), kOk);
        EXPECT_EQ(sequence, i);
    }
    ASSERT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
    for (const Command& each : commands) {
        EXPECT_EQ(each.state(), State::kCompleted);
    }
}

TEST_F(ExecCmd, ThreadsShareAContext) {
    rule("aie2_ctx.c: aie2_cmd_submit",
         "threads may submit to one context at once: numbers are distinct");
    constexpr size_t kThreads = 4;
    constexpr uint64_t kEach = 32;
    std::array<std::atomic<uint32_t>, kThreads * kEach> seen{};
    std::vector<Command> commands;
    for (size_t i = 0; i < kThreads; i++) {
        commands.push_back(command(empty_command()));
    }
    std::vector<std::thread> threads;
    std::atomic<int> failures = 0;
    for (size_t i = 0; i < kThreads; i++) {
        threads.emplace_back([&, i] {
            for (uint64_t n = 0; n < kEach; n++) {
                uint64_t sequence = 0;
                if (!device.exec(context.handle, commands[i].handle, {}, sequence).is_ok() ||
                    sequence >= seen.size() ||
                    !device.syncobj_wait(context.syncobj, sequence, kPatienceMs).is_ok() ||
                    commands[i].state() != State::kCompleted) {
                    failures++;
                    return;
                }
                seen[sequence]++;
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failures, 0);
    for (size_t i = 0; i < seen.size(); i++) {
        EXPECT_EQ(seen[i], 1U) << "number " << i;
    }
}

TEST_F(ExecCmd, ContextsRunAtOnce) {
    rule("aie2_ctx.c: aie2_hwctx_init", "each context has a queue of its own");
    constexpr size_t kContexts = 4;
    std::vector<Context> contexts{context};
    std::vector<Command> commands;
    for (size_t i = 1; i < kContexts; i++) {
        Context other;
        ASSERT_EQ(device.create_hwctx(column_tiles(), other), kOk);
        ASSERT_EQ(device.config_cus(other.handle, {{.cu_bo = pdi.handle}}), kOk);
        contexts.push_back(other);
    }
    std::vector<uint64_t> last(kContexts);
    constexpr size_t kRounds = 16;
    for (size_t i = 0; i < kContexts * kRounds; i++) {
        commands.push_back(command(empty_command()));
        ASSERT_EQ(device.exec(contexts[i % kContexts].handle, commands.back().handle, {},
                              last[i % kContexts]),
                  kOk);
    }
    for (size_t i = 0; i < kContexts; i++) {
        EXPECT_EQ(last[i], kRounds - 1);
        EXPECT_EQ(device.syncobj_wait(contexts[i].syncobj, last[i], kPatienceMs), kOk);
    }
    for (const Command& each : commands) {
        EXPECT_EQ(each.state(), State::kCompleted);
    }
}

TEST_F(ExecCmd, WorksWithoutTheSyncobjHandle) {
    rule("aie2_ctx.c: aie2_ctx_syncobj_create",
         "the context keeps its syncobj when the caller's handle goes");
    uint32_t keeper = device.syncobj();
    drm_syncobj_handle out{.handle = context.syncobj, .fd = -1};
    ASSERT_EQ(device.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, out), kOk);
    RawDevice carrier(out.fd);
    ASSERT_EQ(device.syncobj_destroy(context.syncobj), kOk);
    uint64_t sequence = 0;
    ASSERT_EQ(device.exec(context.handle, cmd.handle, {}, sequence), kOk);
    drm_syncobj_handle back{.handle = keeper, .fd = carrier.fd()};
    ASSERT_EQ(device.call(DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, back), kOk);
    EXPECT_EQ(device.syncobj_wait(back.handle, sequence, kPatienceMs), kOk);
    EXPECT_EQ(cmd.state(), State::kCompleted);
}

TEST_F(ExecCmd, BoMayCloseInFlight) {
    rule("amdxdna_ctx.c: amdxdna_arg_bos_lookup",
         "a command holds its BOs: closing them at once is fine");
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    uint64_t sequence = 0;
    ASSERT_EQ(device.exec(context.handle, cmd.handle, {share, empty_code.handle}, sequence), kOk);
    EXPECT_EQ(device.gem_close(share), kOk);
    EXPECT_EQ(device.gem_close(cmd.handle), kOk);
    EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
    EXPECT_EQ(cmd.state(), State::kCompleted);
}

TEST_F(ExecCmd, UnmapWaitsForTheCommand) {
    rule("aie2_ctx.c: aie2_hmm_invalidate",
         "munmap of a bound BO returns after its commands have ended");
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    Mapping mapped = device.map_bo(share, kPage);
    ASSERT_TRUE(mapped);
    uint64_t sequence = 0;
    ASSERT_EQ(device.exec(context.handle, cmd.handle, {share}, sequence), kOk);
    mapped.reset();
    if (target().sva()) {
        EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, 0), kOk) << "already over";
    }
    EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
}

TEST_F(ExecCmd, DestroyEndsWhatIsInFlight) {
    rule("aie2_ctx.c: aie2_hwctx_fini",
         "DESTROY_HWCTX drains the queue: afterwards every point has signalled");
    std::vector<Command> commands;
    uint64_t sequence = 0;
    for (int i = 0; i < 4; i++) {
        commands.push_back(command(empty_command()));
        ASSERT_EQ(device.exec(context.handle, commands.back().handle, {}, sequence), kOk);
    }
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, 0), kOk);
    for (const Command& each : commands) {
        EXPECT_EQ(each.state(), State::kCompleted);
    }
}

TEST_F(ExecCmd, SyncFileOfACommand) {
    rule("drm_syncobj.c: drm_syncobj_eventfd_ioctl",
         "a command's end may be had as a descriptor: a sync_file");
    uint64_t sequence = 0;
    run(context, cmd);
    ASSERT_EQ(device.exec(context.handle, cmd.handle, {}, sequence), kOk);
    drm_syncobj_handle out{.handle = context.syncobj,
                           .flags = DRM_SYNCOBJ_HANDLE_TO_FD_FLAGS_EXPORT_SYNC_FILE,
                           .fd = -1};
    ASSERT_EQ(device.call(DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, out), kOk);
    RawDevice sync_file(out.fd);
    EXPECT_EQ(device.syncobj_wait(context.syncobj, sequence, kPatienceMs), kOk);
}

TEST_F(ExecCmd, WaitCmdIsNotForAie2) {
    rule("amdxdna_ctx.c: amdxdna_drm_wait_cmd_ioctl",
         "AIE2 has no cmd_wait: EOPNOTSUPP; before 0.10 no such ioctl");
    uint64_t sequence = 0;
    run(context, cmd, {}, &sequence);
    for (uint32_t on : {context.handle, 200U}) {
        EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_WAIT_CMD,
                              amdxdna_drm_wait_cmd{.hwctx = on, .timeout = 1, .seq = sequence}),
                  fails_with(target().current() ? EOPNOTSUPP : EINVAL));
    }
}

TEST_F(ExecCmd, CountersFollow) {
    rule("aie2_pci.c: aie2_hwctx_status_cb",
         "a context's submissions count all, its completions what the NPU did");
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    for (int i = 0; i < 3; i++) {
        run(context, cmd);
    }
    Command refused = command(opcode(1));
    run(context, refused);
    auto entry = device.context_entry(context.handle);
    EXPECT_EQ(entry.command_submissions, 4U);
    EXPECT_EQ(entry.command_completions, 3U);
}

}  // namespace
}  // namespace xdna::conformance
