// Locks: the rules of acquire and release, from DMA channels and through the request window.
#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;

class Locks : public Board, public testing::WithParamInterface<Tile> {
  protected:
    static uint32_t request_base(Tile tile) {
        return tile.kind() == TileKind::kMem ? 0xD0000 : 0x40000;
    }
    // Xilinx/aie-rt driver/src/locks/xaie_locks_aieml.c: id << 10, + 0x200 to acquire, 7-bit value
    // at bit 2.
    uint32_t acquire(Tile tile, unsigned id, int value) {
        return read(tile, request_base(tile) + (id << 10) + 0x200 +
                              ((static_cast<uint32_t>(value) & 0x7F) << 2));
    }
    uint32_t release(Tile tile, unsigned id, int value) {
        return read(tile,
                    request_base(tile) + (id << 10) + ((static_cast<uint32_t>(value) & 0x7F) << 2));
    }
};

TEST_P(Locks, WindowAcquiresAndReleases) {
    const Tile tile = GetParam();
    const unsigned last = tile.kind() == TileKind::kMem ? 63 : 15;
    for (const unsigned id : {0U, 5U, last}) {
        set_lock(tile, id, 3);
        EXPECT_EQ(acquire(tile, id, -4), 0U) << "3 is not >= 4";
        EXPECT_EQ(lock(tile, id), 3U);
        EXPECT_EQ(acquire(tile, id, -2), 1U);
        EXPECT_EQ(lock(tile, id), 1U) << "greater-or-equal takes what it asked for";
        EXPECT_EQ(acquire(tile, id, 2), 0U) << "1 is not = 2";
        EXPECT_EQ(acquire(tile, id, 1), 1U);
        EXPECT_EQ(lock(tile, id), 0U);
        EXPECT_EQ(acquire(tile, id, 0), 1U) << "0 = 0";
        EXPECT_EQ(release(tile, id, 5), 1U);
        EXPECT_EQ(lock(tile, id), 5U);
        EXPECT_EQ(release(tile, id, -2), 1U);
        EXPECT_EQ(lock(tile, id), 3U);
    }
}

TEST_P(Locks, BoundsStickInTheStatusBits) {
    const Tile tile = GetParam();
    const bool mem = tile.kind() == TileKind::kMem;
    const unsigned id = mem ? 33 : 9;
    const uint32_t base = lock_base(tile);
    const uint32_t overflow = mem ? 0xC0424 : base + 0x120;
    const uint32_t underflow = mem ? 0xC042C : base + 0x128;
    const uint32_t bit = 1U << (id % 32);
    set_lock(tile, id, 60);
    release(tile, id, 3);
    EXPECT_EQ(lock(tile, id), 63U);
    EXPECT_EQ(read(tile, overflow), 0U);
    release(tile, id, 1);
    EXPECT_EQ(lock(tile, id), 63U);
    EXPECT_EQ(read(tile, overflow), bit);
    set_lock(tile, id, 1);
    release(tile, id, -2);
    EXPECT_EQ(lock(tile, id), 0U);
    EXPECT_EQ(read(tile, underflow), bit);
    write(tile, overflow, bit);  // write to clear
    EXPECT_EQ(read(tile, overflow), 0U);
    EXPECT_EQ(read(tile, underflow), bit);
}

TEST_P(Locks, ValueRegisterHasSixBits) {
    set_lock(GetParam(), 1, 0xFF);
    EXPECT_EQ(lock(GetParam(), 1), 0x3FU);
}

INSTANTIATE_TEST_SUITE_P(Tiles, Locks, testing::Values(Tile{1, 0}, Tile{2, 1}, Tile{4, 5}));

class DmaLocks : public Board {};

TEST_F(DmaLocks, EqualityWaitsForExactlyTheValue) {
    connect(kCoreTile, core::kDma, core::kDma);
    Bd from{.base = 0, .length = 1};
    from.acquire_lock = 4;
    from.acquire = 3;
    bd(kCoreTile, 0, from);
    bd(kCoreTile, 1, {.base = 0x100, .length = 1});
    set_lock(kCoreTile, 4, 5);
    start(kCoreTile, kS2mm, 0, 1);
    start(kCoreTile, kMm2s, 0, 0);
    settle();
    EXPECT_NE(report().find("lock 4 (4 of (1,2)): value 5, wants = 3"), std::string::npos)
        << report();
    EXPECT_NE(read(kCoreTile, 0x1DF10) & 1 << 2, 0U) << "Stalled_Lock_Acq";
    set_lock(kCoreTile, 4, 3);
    settle();
    EXPECT_EQ(lock(kCoreTile, 4), 0U);
    EXPECT_TRUE(array.waits().empty()) << report();
}

TEST_F(DmaLocks, NoAcquireWithoutTheEnableBit) {
    connect(kCoreTile, core::kDma, core::kDma);
    const Bd from{.base = 0, .length = 1, .acquire = -1};  // Lock_Acq_Enable = 0
    bd(kCoreTile, 0, from);
    bd(kCoreTile, 1, {.base = 0x100, .length = 1});
    start(kCoreTile, kS2mm, 0, 1);
    start(kCoreTile, kMm2s, 0, 0);
    settle();
    EXPECT_TRUE(array.waits().empty()) << report();
}

// The release comes after the data: whoever acquires sees all of it.
TEST_F(DmaLocks, ReleaseFollowsTheLastWord) {
    connect(kMemTile, mem::kDma, mem::kDma);
    connect(kMemTile, mem::kDma + 2, mem::kDma + 2);
    poke(kMemTile, 0, noise(500));
    bd(kMemTile, 0, {.base = 0, .length = 500});
    Bd into{.base = 0x1000, .length = 500};
    into.release_lock = 64;
    into.release = 1;
    bd(kMemTile, 1, into);
    Bd on{.base = 0x1000, .length = 500};
    on.acquire_lock = 64;
    on.acquire = -1;
    bd(kMemTile, 2, on);
    bd(kMemTile, 3, {.base = 0x2000, .length = 500});
    start(kMemTile, kMm2s, 2, 2);
    start(kMemTile, kS2mm, 2, 3);
    start(kMemTile, kS2mm, 0, 1);
    start(kMemTile, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(peek(kMemTile, 0x2000, 500), noise(500));
}

// Two readers of one semaphore: each gets its turn, none is starved.
TEST_F(DmaLocks, WaitersTakeTurns) {
    for (unsigned c = 0; c < 2; ++c) {
        connect(kMemTile, mem::kDma + 2 * c, mem::kDma + 2 * c);
        Bd from{.base = 0, .length = 8, .next = c};
        from.acquire_lock = 64;
        from.acquire = -1;
        from.release_lock = 65 + c;
        from.release = 1;
        bd(kMemTile, c, from);
        bd(kMemTile, 4 + c, {.base = 0x1000, .length = 8, .next = 4 + c});
        start(kMemTile, kS2mm, 2 * c, 4 + c);
        start(kMemTile, kMm2s, 2 * c, c);
    }
    settle();
    for (unsigned i = 0; i < 10; ++i) {
        set_lock(kMemTile, 0, 1);
        settle();
    }
    EXPECT_EQ(lock(kMemTile, 1), 5U);
    EXPECT_EQ(lock(kMemTile, 2), 5U);
}

}  // namespace
}  // namespace xdna::emu::test
