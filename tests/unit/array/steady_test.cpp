// Runs of words against single cycles: random programs of channels, locks, copies and packets give
// the same memories, at the same times, whichever steps they are run in.
#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;

class Steady : public Board, public testing::WithParamInterface<uint32_t> {
  protected:
    struct Outcome {
        std::vector<uint64_t> tokens;  // cycles at which they arrived
        std::vector<uint32_t> memory;
        std::vector<std::string> waits;
        uint64_t progress = 0;
    };

    // Three cores send packets down one lane into two memory tile channels, which share a
    // semaphore with a third that sends as often, with strides, to the shim and, copied in the
    // switch, to a core.
    void program(uint32_t seed) {
        std::mt19937 random(seed);
        const auto pick = [&](uint32_t from, uint32_t to) {
            return static_cast<uint32_t>(from + random() % (to - from + 1));
        };
        open_shim(1);
        const uint32_t block = pick(1, 40);
        const uint32_t blocks = pick(1, 12);
        for (uint8_t row = 2; row < 5; ++row) {
            const Tile tile{1, row};
            poke(tile, 0, noise(2 * block, row));
            const uint32_t first = pick(1, 2 * block);
            Bd a{.base = 0, .length = first, .packet_id = row};
            if (first != 2 * block) {
                a.next = 1;
                bd(tile, 1, {.base = first, .length = 2 * block - first, .packet_id = row});
            }
            bd(tile, 0, a);
            packet_slave(tile, core::kDma, 0, row, 0x1F, 0, 0);
            if (row != 4) {
                packet_slave(tile, core::kNorthSlave, 0, 0, 0, 0, 0);
            }
            packet_master(tile, core::kSouth, 0, 1, false);
            start(tile, kMm2s, 0, 0, pick(1, 8));
        }
        const bool drop = random() % 2 == 0;
        packet_slave(kMemTile, mem::kNorthSlave, 0, 4, 0x1F, 1, 0);
        packet_slave(kMemTile, mem::kNorthSlave, 1, 2, 0x1E, 2, 0);
        packet_master(kMemTile, mem::kDma, 1, 1, drop);
        packet_master(kMemTile, mem::kDma + 2, 2, 1, drop);
        set_lock(kMemTile, 0, pick(1, 4));
        for (unsigned c = 0; c < 2; ++c) {
            Bd into{.base = 0x1000 * c, .length = block, .next = c};
            into.acquire_lock = 64;
            into.acquire = -1;
            into.release_lock = 65;
            into.release = 1;
            into.iteration_step = block;
            into.iteration_wrap = pick(1, 5);
            bd(kMemTile, c, into);
            start(kMemTile, kS2mm, 2 * c, c);
        }
        // Not from the buffer that is being filled: that would be a race, whose outcome is
        // nobody's.
        poke(kMemTile, 0x2000, noise(512, seed));
        Bd out{.base = 0x2000,
               .length = block,
               .d = {Dim{pick(1, 3), pick(1, 5)}, Dim{pick(1, 50), 0}}};
        out.next = 4;
        out.acquire_lock = 65;
        out.acquire = -1;
        out.release_lock = 64;
        out.release = 1;
        bd(kMemTile, 4, out);
        start(kMemTile, kMm2s, 4, 4);
        const unsigned lane = random() % 2;
        connect(kMemTile, mem::kDma + 4, mem::kSouthMaster + lane);
        connect(kShimTile, shim::kNorthSlave + lane, shim::kS2mm0);
        if (random() % 2 == 0) {
            connect(kMemTile, mem::kDma + 4, mem::kNorthMaster + 5);
            connect(kCoreTile, core::kSouth + 5, core::kDma + 1);
            bd(kCoreTile, 5, {.base = 0x400, .length = block});
            start(kCoreTile, kS2mm, 1, 5, pick(1, 12));
        }
        bd(kShimTile, 0, {.base = 0x8000'0000, .length = block * pick(1, 2)});
        for (uint32_t i = pick(1, 4); i != 0; --i) {
            start(kShimTile, kS2mm, 0, 0, blocks, true);
        }
    }

    Outcome outcome(uint32_t seed, uint64_t step) {
        Outcome result;
        array.reset_partition(0, kColumns);
        auto& out = ram.map(0x8000'0000, 128);
        program(seed);
        const uint64_t begin = array.cycle();
        constexpr uint64_t kCycles = 20'000;
        for (uint64_t passed = 0; passed < kCycles; passed += step) {
            array.run(step);
            while (const auto token = array.take_token()) {
                result.tokens.push_back(token->cycle - begin);
            }
        }
        for (const Fault& fault : array.take_faults()) {
            ADD_FAILURE() << fault.what;
        }
        result.memory = out;
        for (const Tile tile : {kMemTile, kCoreTile}) {
            const auto words = peek(tile, 0, 0x1200);
            result.memory.insert(result.memory.end(), words.begin(), words.end());
        }
        for (const Wait& wait : array.waits()) {
            result.waits.push_back(to_string(wait));
        }
        result.progress = array.last_progress(0, kColumns) - begin;
        return result;
    }
};

TEST_P(Steady, AnyStepsGiveTheSameResultAtTheSameTime) {
    const Outcome at_once = outcome(GetParam(), 20'000);
    EXPECT_GT(at_once.progress, 0U);
    for (const uint64_t step : {20'000, 1, 32}) {
        const Outcome again = outcome(GetParam(), step);
        EXPECT_EQ(again.tokens, at_once.tokens) << step;
        EXPECT_EQ(again.waits, at_once.waits) << step;
        EXPECT_EQ(again.progress, at_once.progress) << step;
        EXPECT_TRUE(again.memory == at_once.memory) << step;
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Steady, testing::Range(0U, 40U));

}  // namespace
}  // namespace xdna::emu::test
