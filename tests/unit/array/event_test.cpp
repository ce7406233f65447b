// Events, performance counters, timers and broadcasts.
#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;

class Events : public Board {
  protected:
    // Event numbers of a core tile's memory module (Xilinx/aie-rt
    // driver/src/events/xaie_events_aieml.h).
    static constexpr uint32_t kStartMm2s0 = 21, kFinishedBdMm2s0 = 25, kFinishedTaskMm2s0 = 29,
                              kStarvedS2mm0 = 35;

    void loopback(uint32_t words, unsigned repeats = 1) {
        connect(kCoreTile, core::kDma, core::kDma);
        bd(kCoreTile, 0, {.base = 0, .length = words});
        bd(kCoreTile, 1, {.base = 0x800, .length = words * repeats});
        start(kCoreTile, kS2mm, 0, 1);
        start(kCoreTile, kMm2s, 0, 0, repeats);
    }
    bool happened(uint32_t event) {
        return (read(kCoreTile, 0x14200 + event / 32 * 4) >> (event % 32) & 1) != 0;
    }
};

TEST_F(Events, TimersCountArrayClocks) {
    const std::array<std::pair<Tile, uint32_t>, 4> timers = {
        {{kShimTile, 0x34000}, {kMemTile, 0x94000}, {kCoreTile, 0x34000}, {kCoreTile, 0x14000}}};
    for (const auto& [tile, base] : timers) {
        const uint32_t before = read(tile, base + 0xF8);
        array.run(1000);
        EXPECT_EQ(read(tile, base + 0xF8) - before, 1000U);
        array.run(uint64_t{1} << 33);
        EXPECT_GE(read(tile, base + 0xFC), 2U);
        write(tile, base, 1U << 31);
        array.run(5);
        EXPECT_EQ(read(tile, base + 0xF8), 5U);
        EXPECT_EQ(read(tile, base + 0xFC), 0U);
    }
}

TEST_F(Events, ATimerResetsOnAnEvent) {
    write(kCoreTile, 0x14000, kFinishedTaskMm2s0 << 8);
    array.run(5000);
    loopback(10);
    settle();
    const uint32_t low = read(kCoreTile, 0x140F8);
    array.run(7);
    EXPECT_EQ(read(kCoreTile, 0x140F8), low + 7);
    EXPECT_EQ(read(kCoreTile, 0x340F8), low + 7 + read(kCoreTile, 0x340F8) - low - 7);
    EXPECT_GT(read(kCoreTile, 0x340F8), read(kCoreTile, 0x140F8)) << "the core's own was not reset";
}

TEST_F(Events, StatusBitsTellWhatHappened) {
    EXPECT_FALSE(happened(kStartMm2s0));
    loopback(10);
    settle();
    EXPECT_TRUE(happened(kStartMm2s0));
    EXPECT_TRUE(happened(kFinishedBdMm2s0));
    EXPECT_TRUE(happened(kFinishedTaskMm2s0));
    EXPECT_TRUE(happened(kStarvedS2mm0)) << "the receiver was there first";
    write(kCoreTile, 0x14200, 1U << kFinishedBdMm2s0);
    EXPECT_FALSE(happened(kFinishedBdMm2s0));
    EXPECT_TRUE(happened(kFinishedTaskMm2s0));
}

TEST_F(Events, ACounterCountsAnEvent) {
    write(kCoreTile, 0x11000, kFinishedBdMm2s0 << 8 | kFinishedBdMm2s0);
    loopback(10, 7);
    settle();
    EXPECT_EQ(read(kCoreTile, 0x11020), 7U);
}

TEST_F(Events, ACounterMeasuresFromOneEventToAnother) {
    write(kCoreTile, 0x11000, (kFinishedTaskMm2s0 << 8 | kStartMm2s0) << 16);  // counter 1
    loopback(200);
    settle();
    const uint32_t cycles = read(kCoreTile, 0x11024);
    EXPECT_GE(cycles, 200U);
    EXPECT_LE(cycles, 220U);
    array.run(1000);
    EXPECT_EQ(read(kCoreTile, 0x11024), cycles) << "stopped";
    write(kCoreTile, 0x11024, 3);
    EXPECT_EQ(read(kCoreTile, 0x11024), 3U);
}

TEST_F(Events, ACounterMeasuresHowLongAStallLasts) {
    write(kCoreTile, 0x11000, kStarvedS2mm0 << 8 | kStarvedS2mm0);
    connect(kCoreTile, core::kDma, core::kDma);
    bd(kCoreTile, 0, {.base = 0, .length = 10});
    bd(kCoreTile, 1, {.base = 0x800, .length = 10});
    Bd slow{.base = 0, .length = 10};
    slow.acquire_lock = 0;
    slow.acquire = -1;
    bd(kCoreTile, 0, slow);
    start(kCoreTile, kS2mm, 0, 1);
    start(kCoreTile, kMm2s, 0, 0);
    array.run(400);
    set_lock(kCoreTile, 0, 1);
    settle();
    const uint32_t cycles = read(kCoreTile, 0x11020);
    EXPECT_GE(cycles, 390U);
    EXPECT_LE(cycles, 420U);
}

TEST_F(Events, ACounterRaisesAnEventAtItsValue) {
    write(kCoreTile, 0x11080, 500);
    write(kCoreTile, 0x11000, 1);  // counts from now on: event "true"
    EXPECT_FALSE(happened(5));
    array.run(499);
    EXPECT_FALSE(happened(5));
    array.run(2);
    EXPECT_TRUE(happened(5));
    EXPECT_EQ(read(kCoreTile, 0x11020), 501U);
}

TEST_F(Events, LockSelectorsWatchTheLockTheyAreSetTo) {
    // Reset state: selectors watch lock 0 (xdna-emu findings
    // 2026-06-27-lock-event-selection-indirection, silicon).
    constexpr uint32_t kAcquiredGe1 = 44 + 4 + 1, kReleased1 = 44 + 4 + 2, kEqual1 = 44 + 4 + 3;
    write(kCoreTile, 0x1F104, 7 << 16 | 2);  // selector 1: lock 7, value 2
    set_lock(kCoreTile, 7, 3);
    EXPECT_EQ(read(kCoreTile, 0x40000 + (7 << 10) + 0x200 + (0x7F << 2)), 1U);
    EXPECT_TRUE(happened(kAcquiredGe1));
    EXPECT_TRUE(happened(kEqual1));
    EXPECT_FALSE(happened(kReleased1));
    EXPECT_FALSE(happened(44 + 1)) << "selector 0 watches lock 0";
    EXPECT_EQ(read(kCoreTile, 0x40000 + (7 << 10) + (1 << 2)), 1U);
    EXPECT_TRUE(happened(kReleased1));
}

TEST_F(Events, ABroadcastReachesEveryTileAndIsHeldByBlocks) {
    write(kMemTile, 0x94010 + 4 * 3, 159);  // line 3 driven by user event 0
    write({3, 4}, 0x34050, 1 << 3);         // (3,4) lets line 3 not go south, west, north or east
    write({3, 4}, 0x34060, 1 << 3);
    write({3, 4}, 0x34070, 1 << 3);
    write({3, 4}, 0x34080, 1 << 3);
    const auto line3 = [&](Tile tile) {
        const uint32_t base = tile.kind() == TileKind::kMem ? 0x94200 : 0x34200;
        const uint32_t event = tile.kind() == TileKind::kMem    ? 142 + 3
                               : tile.kind() == TileKind::kShim ? 110 + 3
                                                                : 107 + 3;
        return (read(tile, base + event / 32 * 4) >> (event % 32) & 1) != 0;
    };
    write(kMemTile, 0x94008, 159);
    EXPECT_FALSE(line3({1, 2}));
    array.run(3);
    EXPECT_TRUE(line3({1, 2})) << "one hop up: two cycles";
    EXPECT_FALSE(line3({2, 1})) << "one hop aside: four cycles";
    array.run(100);
    for (unsigned t = 0; t < kTiles; ++t) {
        if (tile_of(t) != kMemTile) {
            EXPECT_TRUE(line3(tile_of(t))) << to_string(tile_of(t));
        }
    }
    EXPECT_EQ(read({3, 4}, 0x34058), 1U << 3);
}

}  // namespace
}  // namespace xdna::emu::test
