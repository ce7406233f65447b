// Data through shim, memory tile and shim: the path of every program.
#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;

class Passthrough : public Board, public testing::WithParamInterface<uint32_t> {};

// Ping-pong buffers in the memory tile, locks 0/1 (free, full) for each: what an object FIFO of
// depth two is made of.
class PingPong : public Board {
  protected:
    void program(uint32_t words, uint32_t buffer) {
        open_shim(1);
        route_in(1);
        route_out(1);
        set_lock(kMemTile, 0, 2);
        for (unsigned i = 0; i < 2; ++i) {
            Bd fill{.base = i * buffer, .length = buffer, .next = 1 - i};
            fill.acquire_lock = 64;
            fill.acquire = -1;
            fill.release_lock = 65;
            fill.release = 1;
            bd(kMemTile, i, fill);
            Bd drain = fill;
            drain.next = 3 - i;
            drain.acquire_lock = 65;
            drain.release_lock = 64;
            bd(kMemTile, 2 + i, drain);
        }
        start(kMemTile, kS2mm, 0, 0);
        start(kMemTile, kMm2s, 0, 2);
        bd(kShimTile, 0, {.base = 0x10'0000, .length = words});
        bd(kShimTile, 1, {.base = 0x8000'0000, .length = words});
        start(kShimTile, kS2mm, 0, 1, 1, true);
        start(kShimTile, kMm2s, 0, 0);
    }
};

TEST_P(Passthrough, MovesEveryWordIntact) {
    const uint32_t words = GetParam();
    auto& in = ram.map(0x10'0000, words);
    auto& out = ram.map(0x8000'0000, words);
    in = noise(words);
    open_shim(1);
    route_in(1);
    route_out(1);
    // One BD each way through the memory tile's 512 KiB, joined by a lock.
    Bd fill{.base = 0, .length = words};
    fill.release_lock = 64 + 5;
    fill.release = 1;
    bd(kMemTile, 0, fill);
    Bd drain{.base = 0, .length = words};
    drain.acquire_lock = 64 + 5;
    drain.acquire = -1;
    bd(kMemTile, 1, drain);
    bd(kShimTile, 0, {.base = 0x10'0000, .length = words});
    bd(kShimTile, 1, {.base = 0x8000'0000, .length = words});
    start(kMemTile, kS2mm, 0, 0);
    start(kMemTile, kMm2s, 0, 1);
    start(kShimTile, kS2mm, 0, 1, 1, true);
    start(kShimTile, kMm2s, 0, 0);
    const RunResult result = array.run_until_token(10'000'000);
    ASSERT_EQ(result.stop, Stop::kToken) << report();
    EXPECT_EQ(out, in);
    const auto token = array.take_token();
    ASSERT_TRUE(token);
    EXPECT_EQ(token->tile, kShimTile);
    EXPECT_EQ(token->direction, kS2mm);
    EXPECT_EQ(token->channel, 0);
    // Two passes at a word a cycle, one after the other, and the overheads of timing.hpp.
    EXPECT_GE(result.cycles, 2 * words);
    EXPECT_LE(result.cycles, 2 * words + 2'000);
}

// Source: Xilinx/aie-rt, driver/src/stream_switch/xaie_ss_aieml.c: no port is barred to what comes
// from the south of a shim.
TEST_P(Passthrough, TurnsAroundInTheShimItself) {
    const uint32_t words = GetParam();
    auto& in = ram.map(0x10'0000, words);
    auto& out = ram.map(0x8000'0000, words);
    in = noise(words);
    open_shim(1);
    connect(kShimTile, shim::kMm2s0, shim::kS2mm0);
    bd(kShimTile, 0, {.base = 0x10'0000, .length = words});
    bd(kShimTile, 1, {.base = 0x8000'0000, .length = words});
    start(kShimTile, kS2mm, 0, 1, 1, true);
    start(kShimTile, kMm2s, 0, 0);
    ASSERT_EQ(array.run_until_token(10'000'000).stop, Stop::kToken) << report();
    EXPECT_EQ(out, in);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Passthrough,
                         testing::Values(1, 2, 3, 7, 64, 1023, 4096, 5000, 100'000));

TEST_F(PingPong, StreamsMoreThanTheMemoryHolds) {
    constexpr uint32_t kWords = 1 << 20;
    auto& in = ram.map(0x10'0000, kWords);
    auto& out = ram.map(0x8000'0000, kWords);
    in = noise(kWords);
    program(kWords, 1024);
    const RunResult result = array.run_until_token(100'000'000);
    ASSERT_EQ(result.stop, Stop::kToken) << report();
    EXPECT_EQ(out, in);
    // Both ways at once: about a cycle a word and one or two for each of the 1024 BDs.
    EXPECT_GE(result.cycles, kWords);
    EXPECT_LE(result.cycles, kWords + 1024 * 8 + 10'000);
}

TEST_F(PingPong, TakesTheSameCyclesEveryTimeAndInAnySteps) {
    constexpr uint32_t kWords = 80 * 256;
    enum Way { kAtOnce, kAgain, kThroughCopies, kCycleByCycle, kWays };
    std::array<uint64_t, kWays> cycles{};
    for (unsigned way = 0; way < kWays; ++way) {
        ram.map(0x10'0000, kWords) = noise(kWords);
        const auto& out = ram.map(0x8000'0000, kWords);
        ram.spans = way != kThroughCopies;
        array.reset_partition(0, kColumns);
        const uint64_t begin = array.cycle();
        program(kWords, 256);
        RunResult result;
        do {
            result = array.run_until_token(way == kCycleByCycle ? 1 : 10'000'000);
        } while (way == kCycleByCycle && result.stop == Stop::kBudget);
        ASSERT_EQ(result.stop, Stop::kToken) << report();
        cycles[way] = array.take_token()->cycle - begin;
        EXPECT_EQ(out, noise(kWords));
    }
    EXPECT_EQ(cycles[kAtOnce], cycles[kAgain]);
    EXPECT_EQ(cycles[kAtOnce], cycles[kThroughCopies]);
    EXPECT_EQ(cycles[kAtOnce], cycles[kCycleByCycle]);
}

}  // namespace
}  // namespace xdna::emu::test
