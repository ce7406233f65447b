// What the exposed pipeline shows a program: delays, loops, waiting, traps.
#include "tests/unit/core/machine.hpp"

namespace xdna::emu::test {
namespace {

using State = CoreProgress::State;

TEST(Pipeline, FiveDelaySlotsRunAndTheNextDoesNot) {
    Machine machine;
    machine.load(
        "mova r0, #0\nj #64\n"
        "add r0, r0, #1\nadd r0, r0, #1\nadd r0, r0, #1\nadd r0, r0, #1\nadd r0, r0, #1\n"
        "add r0, r0, #10\n.align 64\nadd r0, r0, #20\ndone\n",
        false);
    machine.finish();
    EXPECT_EQ(machine.r(0), 25U);
}

TEST(Pipeline, AnEarlyReaderGetsTheOldValue) {
    Machine machine;
    const uint32_t value[] = {77};
    machine.put<uint32_t>(0, value);
    // A load is there seven cycles after issue.
    machine.load(
        "movxm p0, #0x70000\nmova r0, #5\nlda r0, [p0, #0]\n"
        "nop\nnop\nnop\nnop\nnop\nadd r1, r0, #0\nadd r2, r0, #0\ndone\n",
        false);
    machine.finish();
    EXPECT_EQ(machine.r(1), 5U);
    EXPECT_EQ(machine.r(2), 77U);
}

TEST(Pipeline, PostModifyMovesThePointer) {
    Machine machine;
    const uint32_t values[] = {1, 2, 3, 4};
    machine.put<uint32_t>(0, values);
    machine.load(
        "movxm p0, #0x70000\nlda r0, [p0], #8\nlda r1, [p0], #4\nlda r2, [p0, #-12]\ndone\n");
    machine.finish();
    EXPECT_EQ(machine.r(0), 1U);
    EXPECT_EQ(machine.r(1), 3U);
    EXPECT_EQ(machine.r(2), 1U);
    EXPECT_EQ(machine.p(0), 0x7000CU);
}

TEST(Pipeline, PartialStoresKeepTheRestOfTheWord) {
    Machine machine;
    const uint32_t values[] = {0x11223344};
    machine.put<uint32_t>(0, values);
    machine.load("movxm p0, #0x70000\nmovxm r0, #0xAB\nst.s8 r0, [p0, #1]\ndone\n");
    machine.finish();
    EXPECT_EQ(machine.get<uint32_t>(0, 1)[0], 0x1122AB44U);
}

TEST(Pipeline, AnAcquireWaitsAndSaysForWhat) {
    Machine machine;
    machine.load("mova r0, #-1\nmova r1, #1\nacq #48, r0\nrel #49, r1\ndone\n");
    const CoreProgress waiting = machine.run();
    ASSERT_EQ(waiting.state, State::kStalled);
    EXPECT_EQ(waiting.waits_for(), "lock 48, at least 1");
    EXPECT_EQ(machine.locks[49], 0);
    machine.locks[48] = 1;
    machine.finish();
    EXPECT_EQ(machine.locks[48], 0);
    EXPECT_EQ(machine.locks[49], 1);
}

TEST(Pipeline, StreamsStallAndFlow) {
    Machine machine;
    machine.load("mov r0, SS\nmov r1, SS\nadd r2, r0, r1\nmov ms, r2\ndone\n");
    machine.input = {40};
    const CoreProgress waiting = machine.run();
    ASSERT_EQ(waiting.state, State::kStalled);
    EXPECT_EQ(waiting.waits_for(), "the input stream");
    machine.input = {2};
    machine.finish();
    ASSERT_EQ(machine.output.size(), 1U);
    EXPECT_EQ(machine.output[0], 42U);
}

// The array may let a core run far or a cycle at a time.
TEST(Pipeline, TheQuantumDoesNotShow) {
    const std::string source =
        "movxm p0, #0x70000\nmovxm p1, #0x70100\nmovxm lc, #20\nmovxm ls, #.first\nmovxm le, "
        "#.last\nmova r1, #0\nmova r2, #1\nnop\nnop\nnop\nnop\nnop\nnop\nnop\n.align 16\n"
        ".first: lda r0, [p0], #4\nrel #50, r2\nst r1, [p1], #4\nadd r1, r1, r0\n.align 16\n"
        ".last: nopb; nopa; nops; mul r1, r1, r2; nopm; nopv\ndone\n";
    std::vector<uint64_t> cycles;
    std::vector<std::vector<uint32_t>> results;
    for (const uint64_t quantum : {1, 2, 7, 100000}) {
        Machine machine;
        std::vector<uint32_t> values(20);
        for (uint32_t i = 0; i < 20; ++i) {
            values[i] = i * i + 1;
        }
        machine.put<uint32_t>(0, values);
        machine.load(source, false);
        EXPECT_EQ(machine.run(100000, quantum).state, State::kDone);
        cycles.push_back(machine.cycles);
        results.push_back(machine.get<uint32_t>(0x100, 20));
        EXPECT_EQ(machine.locks[50], 20);
    }
    for (size_t i = 1; i < cycles.size(); ++i) {
        EXPECT_EQ(cycles[i], cycles[0]);
        EXPECT_EQ(results[i], results[0]);
    }
}

struct Trap {
    const char* source;
    const char* text;
};

TEST(Pipeline, WhatIsNotModelledTrapsByName) {
    const Trap traps[] = {
        {"vmul.f bml0, x2, qx0, r0\n", "not modelled: vmul.f bml0, x2, qx0, r0 at pc 0x0"},
        {"movxm p0, #0x70001\nlda r0, [p0, #0]\nnop\nnop\nnop\nnop\nnop\n",
         "misaligned 4-byte access to 0x70001 in 'lda r0, [p0, #0]' at pc 0x6"},
        {"movxm p0, #0x10\nlda r0, [p0, #0]\nnop\nnop\nnop\nnop\nnop\n", "no data memory"},
        {"movxm p0, #0x40000\nlda r0, [p0, #0]\nnop\nnop\nnop\nnop\nnop\n",
         "no neighbour's memory"},
        {"mova r0, #7\nmovx crRnd, r0\nnop\nvsrs.s16.s64 wl0, cm0, s0\n",
         "reserved rounding mode 7"},
    };
    for (const Trap& trap : traps) {
        Machine machine;
        machine.load(std::string(trap.source) + "done\n", false);
        try {
            machine.run();
            ADD_FAILURE() << trap.source << "did not trap";
        } catch (const CoreTrap& caught) {
            EXPECT_NE(caught.what.find(trap.text), std::string::npos) << caught.what;
        }
    }
}

}  // namespace
}  // namespace xdna::emu::test
