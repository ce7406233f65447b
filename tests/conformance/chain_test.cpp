// CMD_CHAIN packets: several commands, one submission.
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kMulti = "aie2_message.c: aie2_cmdlist_multi_execbuf";
constexpr const char* kSlot = "aie2_message.c: aie2_cmdlist_fill_slot";
constexpr const char* kError = "amdxdna_ctx.c: amdxdna_cmd_set_error";
// Words of struct amdxdna_cmd_chain in the packet.
constexpr size_t kErrorIndex = 3;

class Chain : public ContextConformance {
  protected:
    /// A chain packet of these commands, in a BO of its own.
    Command chain_of(const std::vector<const Command*>& commands) const {
        std::vector<uint32_t> handles;
        handles.reserve(commands.size());
        for (const Command* each : commands) {
            handles.push_back(each->handle);
        }
        return command(chain(handles));
    }
    Command empty() const { return command(empty_command()); }
    Command corrupt() {
        const Words words = corrupt_transaction();
        DevBo code = dev_bo(words);
        return command(start_npu(code.address, static_cast<uint32_t>(words.size() * 4)));
    }
};

TEST_F(Chain, OfOneCompletes) {
    rule(kMulti,
         "a chain of one command completes; the state is the chain's, the command's stays NEW");
    Command one = empty();
    Command whole = chain_of({&one});
    EXPECT_EQ(run(context, whole), State::kCompleted);
    EXPECT_EQ(one.state(), State::kNew);
}

TEST_F(Chain, OfSeveralCompletes) {
    rule(kMulti, "a chain of START_NPU commands is one submission with one number");
    std::vector<Command> commands;
    std::vector<const Command*> list;
    for (int i = 0; i < 24; i++) {
        commands.push_back(empty());
    }
    for (const Command& each : commands) {
        list.push_back(&each);
    }
    uint64_t sequence = 99;
    Command whole = chain_of(list);
    EXPECT_EQ(run(context, whole, {}, &sequence), State::kCompleted);
    EXPECT_EQ(sequence, 0U);
    run(context, whole, {}, &sequence);
    EXPECT_EQ(sequence, 1U);
}

TEST_F(Chain, OfStartCuCompletes) {
    rule(kSlot, "START_CU commands chain, too");
    Command one = command(start_cu(empty_code.address, kEmptyCodeBytes / 4));
    Command two = command(start_cu(empty_code.address, kEmptyCodeBytes / 4));
    EXPECT_EQ(run(context, chain_of({&one, &two})), State::kCompleted);
}

TEST_F(Chain, MayNameACommandTwice) {
    rule(kMulti, "the same command may stand in a chain more than once");
    Command one = empty();
    EXPECT_EQ(run(context, chain_of({&one, &one, &one})), State::kCompleted);
}

TEST_F(Chain, OpcodesMustAgree) {
    rule(kSlot, "a second opcode in a chain is refused: state NEW");
    Command npu = empty();
    Command cu = command(start_cu(empty_code.address, kEmptyCodeBytes / 4));
    EXPECT_EQ(run(context, chain_of({&npu, &cu})), State::kNew);
    EXPECT_EQ(run(context, chain_of({&cu, &npu})), State::kNew);
}

TEST_F(Chain, DoesNotNest) {
    rule(kSlot, "a chain inside a chain is refused: state NEW");
    Command one = empty();
    Command inner = chain_of({&one});
    EXPECT_EQ(run(context, chain_of({&inner})), State::kNew);
}

TEST_F(Chain, OfBadPacketsIsRefused) {
    rule(kSlot, "one command that the driver cannot take refuses the chain: state NEW");
    Command good = empty();
    Command no_cu = command(start_npu(empty_code.address, kEmptyCodeBytes, {}, 0));
    EXPECT_EQ(run(context, chain_of({&good, &no_cu})), State::kNew);
    XDNA_NEED(target().npu1, "npu1 has no preemption");
    Command preempt =
        command(packet(Opcode::kStartNpuPreempt, {1, 0, 4, 0, 4, 0, 4, 0, 16, 16, 16, 0}));
    EXPECT_EQ(run(context, chain_of({&preempt})), State::kNew);
}

TEST_F(Chain, CommandsMustBeShareBos) {
    rule(kMulti, "a chain that names a DEV BO, the heap or nothing is refused: state NEW");
    Command good = empty();
    for (uint32_t handle : {empty_code.handle, heap, 4242U}) {
        Command whole = command(chain({good.handle, handle}));
        EXPECT_EQ(run(context, whole), State::kNew) << handle;
    }
}

TEST_F(Chain, SlotsMustFitTheBuffer) {
    rule(kMulti, "slots beyond the 4 KiB chain buffer are refused: state NEW");
    // 20 words of arguments: 88 bytes a slot for the older firmware message, 132 for the newer.
    Command one = command(start_npu(empty_code.address, kEmptyCodeBytes, Words(20)));
    const std::vector<const Command*> sixty(60, &one);
    EXPECT_EQ(run(context, chain_of(sixty)), State::kNew);
    const std::vector<const Command*> thirty(30, &one);
    EXPECT_EQ(run(context, chain_of(thirty)), State::kCompleted);
}

TEST_F(Chain, NamesTheCommandThatFailed) {
    rule(kError, "an error is the chain's state 5 and the failing command's index");
    Command good = empty();
    Command bad = corrupt();
    Command whole = chain_of({&good, &good, &bad, &good});
    EXPECT_EQ(run(context, whole), State::kError);
    EXPECT_EQ(whole.word(kErrorIndex), 2U);
}

TEST_F(Chain, FillsTheFirstCommandOnError) {
    rule(kError,
         "the 0xFF fill hits the first command's BO, whichever failed, and not the chain's");
    XDNA_NEED_CURRENT();
    Command first = empty();
    Command bad = corrupt();
    const uint32_t bad_word = bad.word(2);
    Command whole = chain_of({&first, &bad});
    EXPECT_EQ(run(context, whole), State::kError);
    EXPECT_EQ(whole.word(1), 2U) << "the chain's own words stay";
    for (size_t i = 1; i < kPage / 4; i++) {
        ASSERT_EQ(first.word(i), ~0U) << "word " << i;
    }
    EXPECT_EQ(bad.word(2), bad_word);
}

TEST_F(Chain, CommandsMayBeListedAsArguments) {
    rule("amdxdna_ctx.c: amdxdna_arg_bos_lookup",
         "the chained commands' BOs may be listed as arguments");
    Command one = empty();
    Command two = empty();
    Command whole = chain_of({&one, &two});
    EXPECT_EQ(run(context, whole, {one.handle, two.handle, empty_code.handle}), State::kCompleted);
}

}  // namespace
}  // namespace xdna::conformance
