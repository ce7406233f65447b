// Every field of a BD, by what it does to the data.
#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;

// Core tile MM2S 0 looped back through its own switch into S2MM 0: two BDs and nothing else.
class Loopback : public Board {
  protected:
    explicit Loopback(Tile tile = kCoreTile) : tile_(tile) {
        const unsigned dma = tile.kind() == TileKind::kMem ? mem::kDma : core::kDma;
        connect(tile, dma, dma);
    }
    // Runs one BD on each side and returns what arrived at word `to`.
    std::vector<uint32_t> send(const Bd& from, uint32_t to, uint32_t length) {
        bd(tile_, 0, from);
        bd(tile_, 1, {.base = to, .length = length});
        start(tile_, kS2mm, 0, 1);
        start(tile_, kMm2s, 0, 0);
        settle();
        return peek(tile_, to, length);
    }
    Tile tile_;
};

class MemLoopback : public Loopback {
  protected:
    MemLoopback() : Loopback(kMemTile) {}
};

// --- strides ---

// Xilinx/mlir-aie test/Targets/AIEGenerateCDODirect/30_aie2_nd_dma_transpose_repeat.mlir: sizes
// [2, 8, 8], strides [1, 1, 8], outermost first, over a counting buffer of 128 words.
TEST_F(Loopback, TransposesByStrides) {
    poke(tile_, 0, counting(128));
    const auto out =
        send({.base = 0, .length = 128, .d = {Dim{8, 8}, Dim{1, 8}, Dim{1, 0}}}, 0x800, 128);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < 2; ++i) {
        for (uint32_t j = 0; j < 8; ++j) {
            for (uint32_t k = 0; k < 8; ++k) {
                expected.push_back(i * 1 + j * 1 + k * 8);
            }
        }
    }
    EXPECT_EQ(out, expected);
}

// 29_aie2_nd_dma_even_odd.mlir in the same folder: sizes [8, 2, 8], strides [16, 1, 2].
TEST_F(Loopback, SplitsEvenAndOdd) {
    poke(tile_, 0, counting(128));
    const auto out =
        send({.base = 0, .length = 128, .d = {Dim{2, 8}, Dim{1, 2}, Dim{16, 0}}}, 0x800, 128);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < 8; ++i) {
        for (uint32_t j = 0; j < 2; ++j) {
            for (uint32_t k = 0; k < 8; ++k) {
                expected.push_back(16 * i + j + 2 * k);
            }
        }
    }
    EXPECT_EQ(out, expected);
}

TEST_F(Loopback, ScattersByStridesOnTheWayIn) {
    poke(tile_, 0, counting(64, 100));
    bd(tile_, 0, {.base = 0, .length = 64});
    bd(tile_, 1, {.base = 0x800, .length = 64, .d = {Dim{8, 8}, Dim{1, 8}}});
    start(tile_, kS2mm, 0, 1);
    start(tile_, kMm2s, 0, 0);
    settle();
    const auto out = peek(tile_, 0x800, 64);
    for (uint32_t i = 0; i < 64; ++i) {
        EXPECT_EQ(out[i % 8 * 8 + i / 8], 100 + i);
    }
}

TEST_F(MemLoopback, WalksFourDimensions) {
    poke(tile_, 0, counting(2048));
    const auto out = send({.base = 3,
                           .length = 2 * 3 * 4 * 5,
                           .d = {Dim{7, 5}, Dim{40, 4}, Dim{200, 3}, Dim{901, 0}}},
                          0x1000, 2 * 3 * 4 * 5);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < 2; ++i) {
        for (uint32_t j = 0; j < 3; ++j) {
            for (uint32_t k = 0; k < 4; ++k) {
                for (uint32_t l = 0; l < 5; ++l) {
                    expected.push_back(3 + 901 * i + 200 * j + 40 * k + 7 * l);
                }
            }
        }
    }
    EXPECT_EQ(out, expected);
}

// Stops in the middle of a dimension when the length says so, and a wrap of 1 is a dimension too.
TEST_F(MemLoopback, LengthEndsAnyDimension) {
    poke(tile_, 0, counting(512));
    EXPECT_EQ(send({.base = 0, .length = 7, .d = {Dim{1, 1}, Dim{9, 2}, Dim{100, 0}}}, 0x1000, 7),
              (std::vector<uint32_t>{0, 9, 100, 109, 200, 209, 300}));
}

class ShimStrides : public Board {
  protected:
    ShimStrides() {
        open_shim(1);
        turn_around(1);
    }
};

// Shim BD words of Xilinx/mlir-aie's own lowering of npu.dma_memcpy_nd (a whole-array matrix
// multiplication for npu1, B matrix: `[2048, 0, 0, 8388608, -2113929153, 7, 0, 33554432]`), run as
// they stand: D0 8 words of step 1, D1 32 rows of step 64, then D2 of step 8. What the words mean
// is checked on the data: 256 words a step of D2, tile after tile of a 32 x 64 word matrix.
TEST_F(ShimStrides, RunsADescriptorThatMlirAieEmitted) {
    constexpr uint32_t kLength = 2048;
    auto& in = ram.map(0x10'0000, 4096);
    in = counting(4096);
    auto& out = ram.map(0x8000'0000, kLength);
    const uint64_t address = 0x10'0000 + 0x8000'0000ULL;
    const std::vector<uint32_t> emitted = {2048,
                                           static_cast<uint32_t>(address),
                                           0,
                                           8388608,
                                           static_cast<uint32_t>(-2113929153),
                                           7,
                                           0,
                                           33554432};
    const auto fault = array.write_block(at(kShimTile, 0x1D000), emitted);
    ASSERT_FALSE(fault);
    bd(kShimTile, 1, {.base = 0x8000'0000, .length = kLength});
    start(kShimTile, kS2mm, 0, 1, 1, true);
    start(kShimTile, kMm2s, 0, 0);
    ASSERT_EQ(array.run_until_token(100'000).stop, Stop::kToken) << report();
    const uint32_t d0_wrap = 8388608 >> 20;
    const uint32_t d1_wrap = static_cast<uint32_t>(-2113929153) >> 20 & 0x3FF;
    const uint32_t d1_step = (static_cast<uint32_t>(-2113929153) & 0xFFFFF) + 1;
    ASSERT_EQ(d0_wrap, 8U);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; expected.size() < kLength; ++i) {
        for (uint32_t j = 0; j < d1_wrap; ++j) {
            for (uint32_t k = 0; k < d0_wrap; ++k) {
                expected.push_back(i * 8 + j * d1_step + k);
            }
        }
    }
    expected.resize(kLength);
    EXPECT_EQ(out, expected);
}

TEST_F(ShimStrides, ScattersIntoHostMemoryByCopiesToo) {
    for (const bool spans : {true, false}) {
        ram.spans = spans;
        ram.map(0x10'0000, 64) = counting(64);
        auto& out = ram.map(0x8000'0000, 64 * 5);
        bd(kShimTile, 0, {.base = 0x10'0000, .length = 64});
        bd(kShimTile, 1, {.base = 0x8000'0000, .length = 64, .d = {Dim{5, 0}}});
        start(kShimTile, kS2mm, 0, 1);
        start(kShimTile, kMm2s, 0, 0);
        settle();
        for (uint32_t i = 0; i < out.size(); ++i) {
            EXPECT_EQ(out[i], i % 5 == 0 ? i / 5 : 0);
        }
    }
}

// --- zero padding ---

// nod-ai/iree-amd-aie, compiler test add_12_i8_using_2d_dma_op_with_padding.mlir: 61 rows of 14
// words (56 bytes), one row before and two after, one word on either side, length 1024 = 64 x 16.
TEST_F(MemLoopback, PadsRowsAndColumnsWithinTheLength) {
    poke(tile_, 0, counting(61 * 14, 1));
    const auto out =
        send({.base = 0, .length = 1024, .d = {Dim{1, 14, 1, 1}, Dim{14, 61, 1, 2}}}, 0x1000, 1024);
    for (uint32_t row = 0; row < 64; ++row) {
        for (uint32_t column = 0; column < 16; ++column) {
            const bool inside = row >= 1 && row < 62 && column >= 1 && column < 15;
            ASSERT_EQ(out[row * 16 + column], inside ? 1 + (row - 1) * 14 + column - 1 : 0)
                << row << "," << column;
        }
    }
}

// Xilinx/mlir-aie test/npu-xrt/dma_op_pad_value_i32 (run on hardware): 13 words, two before and one
// after, `len = 16`. Here the padding is zero, the value that Phoenix has.
TEST_F(MemLoopback, PadsOneDimension) {
    poke(tile_, 0, counting(13, 1));
    EXPECT_EQ(send({.base = 0, .length = 16, .d = {Dim{1, 13, 2, 1}}}, 0x1000, 16),
              (std::vector<uint32_t>{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 0}));
}

TEST_F(MemLoopback, PadsThreeDimensions) {
    poke(tile_, 0, counting(2 * 2 * 2 * 2, 1));
    const Bd from{.base = 0,
                  .length = 2 * (1 + 2 + 3) * (2 + 2 + 1) * (1 + 2 + 1),
                  .d = {Dim{1, 2, 1, 1}, Dim{2, 2, 2, 1}, Dim{4, 2, 1, 3}, Dim{8, 0}}};
    const auto out = send(from, 0x1000, from.length);
    size_t at = 0;
    for (uint32_t i = 0; i < 2; ++i) {
        for (int j = -1; j < 5; ++j) {
            for (int k = -2; k < 3; ++k) {
                for (int l = -1; l < 3; ++l) {
                    const bool inside = j >= 0 && j < 2 && k >= 0 && k < 2 && l >= 0 && l < 2;
                    const auto value = 1 + i * 8 + static_cast<uint32_t>(j * 4 + k * 2 + l);
                    ASSERT_EQ(out[at++], inside ? value : 0) << i << j << k << l;
                }
            }
        }
    }
}

// --- iteration, chains, repeats ---

// Xilinx/mlir-aie test/npu-xrt/bd_iteration_dma_task (run on hardware): one S2MM BD, size 4, stride
// 1024, current 2, repeat_count 3 takes four chunks; chunk k lands in slot (2 + k) % 4.
TEST_F(MemLoopback, IterationMovesTheBaseAndWrapsAround) {
    poke(tile_, 0, noise(4096));
    bd(tile_, 0, {.base = 0, .length = 4096});
    Bd into{.base = 0x4000, .length = 1024};
    into.iteration_step = 1024;
    into.iteration_wrap = 4;
    into.iteration = 2;
    bd(tile_, 1, into);
    start(tile_, kS2mm, 0, 1, 4);
    start(tile_, kMm2s, 0, 0);
    settle();
    const auto in = peek(tile_, 0, 4096);
    const auto out = peek(tile_, 0x4000, 4096);
    for (uint32_t chunk = 0; chunk < 4; ++chunk) {
        for (uint32_t i = 0; i < 1024; ++i) {
            ASSERT_EQ(out[(2 + chunk) % 4 * 1024 + i], in[chunk * 1024 + i]) << chunk;
        }
    }
    // Four uses later Iteration_Current is where it was: word 6, bits 28:23.
    EXPECT_EQ(read(tile_, 0xA0000 + 0x20 + 24) >> 23 & 0x3F, 2U);
}

TEST_F(Loopback, IterationCountsOnAcrossTasks) {
    poke(tile_, 0, counting(40));
    Bd from{.base = 0, .length = 4};
    from.iteration_step = 10;
    from.iteration_wrap = 3;
    bd(tile_, 0, from);
    bd(tile_, 1, {.base = 0x800, .length = 20});
    start(tile_, kS2mm, 0, 1);
    start(tile_, kMm2s, 0, 0, 2);
    start(tile_, kMm2s, 0, 0, 3);
    settle();
    EXPECT_EQ(peek(tile_, 0x800, 20),
              (std::vector<uint32_t>{0,  1,  2, 3, 10, 11, 12, 13, 20, 21,
                                     22, 23, 0, 1, 2,  3,  10, 11, 12, 13}));
}

TEST_F(Loopback, FollowsChainsAndRepeatsThem) {
    poke(tile_, 0, counting(64));
    bd(tile_, 4, {.base = 0, .length = 2, .next = 9});
    bd(tile_, 9, {.base = 32, .length = 1, .next = 5});
    bd(tile_, 5, {.base = 16, .length = 3});
    bd(tile_, 1, {.base = 0x800, .length = 18});
    start(tile_, kS2mm, 0, 1);
    start(tile_, kMm2s, 0, 4, 3);
    settle();
    std::vector<uint32_t> expected;
    for (int i = 0; i < 3; ++i) {
        expected.insert(expected.end(), {0, 1, 32, 16, 17, 18});
    }
    EXPECT_EQ(peek(tile_, 0x800, 18), expected);
}

// --- packet header, TLAST ---

TEST_F(Loopback, PacketBdSendsAHeaderFirst) {
    poke(tile_, 0, counting(4, 50));
    Bd from{.base = 0, .length = 4, .packet_id = 21};
    from.packet_type = 5;
    from.out_of_order_id = 0x2A;
    const auto out = send(from, 0x800, 5);
    // AM020 table 2: id 4:0, type 14:12, row 20:16, column 27:21; bit 31 makes the parity odd. The
    // out-of-order id in 10:5 is choices.hpp's.
    const uint32_t header = 21U | 0x2AU << 5 | 5U << 12 | 2U << 16 | 1U << 21;
    EXPECT_EQ(out[0] & 0x7FFFFFFF, header);
    EXPECT_EQ(__builtin_popcount(out[0]) % 2, 1);
    EXPECT_EQ(std::vector<uint32_t>(out.begin() + 1, out.end()), counting(4, 50));
}

TEST_F(Loopback, FinishOnTlastEndsABdEarly) {
    poke(tile_, 0, counting(64, 1));
    bd(tile_, 0, {.base = 0, .length = 5, .next = 2});
    bd(tile_, 2, {.base = 16, .length = 3});
    bd(tile_, 1, {.base = 0x800, .length = 32, .next = 3});
    bd(tile_, 3, {.base = 0x900, .length = 32});
    write(tile_, 0x1DE00, 1 << 16);
    start(tile_, kS2mm, 0, 1);
    start(tile_, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(peek(tile_, 0x800, 6), (std::vector<uint32_t>{1, 2, 3, 4, 5, 0}));
    EXPECT_EQ(peek(tile_, 0x900, 4), (std::vector<uint32_t>{17, 18, 19, 0}));
    EXPECT_TRUE(array.waits().empty()) << report();
}

TEST_F(Loopback, SuppressedTlastJoinsTwoBds) {
    poke(tile_, 0, counting(64, 1));
    Bd first{.base = 0, .length = 5, .next = 2};
    first.tlast_suppress = true;
    bd(tile_, 0, first);
    bd(tile_, 2, {.base = 16, .length = 3});
    bd(tile_, 1, {.base = 0x800, .length = 32});
    write(tile_, 0x1DE00, 1 << 16);
    start(tile_, kS2mm, 0, 1);
    start(tile_, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(peek(tile_, 0x800, 9), (std::vector<uint32_t>{1, 2, 3, 4, 5, 17, 18, 19, 0}));
    EXPECT_TRUE(array.waits().empty()) << report();
}

TEST_F(Loopback, FinishOnTlastReportsALengthThatIsTooShort) {
    bd(tile_, 0, {.base = 0, .length = 8});
    bd(tile_, 1, {.base = 0x800, .length = 4});
    write(tile_, 0x1DE00, 1 << 16);
    start(tile_, kS2mm, 0, 1);
    start(tile_, kMm2s, 0, 0);
    EXPECT_EQ(array.run(1000).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_NE(faults[0].what.find("TLAST"), std::string::npos) << faults[0].what;
    EXPECT_NE(read(tile_, 0x1DF00) & 1 << 12, 0U);  // Error_FoT_Length_Exceeded
}

// --- memory tile neighbours ---

class Neighbours : public Board {
  protected:
    static constexpr Tile kWest{1, 1}, kOwn{2, 1}, kEast{3, 1};
};

TEST_F(Neighbours, MemoryTileReachesBothSides) {
    poke(kWest, 0x100, counting(8, 1));
    poke(kOwn, 0x100, counting(8, 11));
    poke(kEast, 0x100, counting(8, 21));
    connect(kOwn, mem::kDma, mem::kDma);
    for (unsigned view = 0; view < 3; ++view) {
        Bd from{.base = 0x100, .length = 8};
        from.memtile_view = view;
        if (view < 2) {
            from.next = view + 1;
        }
        bd(kOwn, view, from);
    }
    Bd into{.base = 0x2000, .length = 24};
    into.memtile_view = 2;
    bd(kOwn, 3, into);
    start(kOwn, kS2mm, 0, 3);
    start(kOwn, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(peek(kEast, 0x2000, 24),
              (std::vector<uint32_t>{1,  2,  3,  4,  5,  6,  7,  8,  11, 12, 13, 14,
                                     15, 16, 17, 18, 21, 22, 23, 24, 25, 26, 27, 28}));
}

TEST_F(Neighbours, NeighboursLocksCount) {
    connect(kOwn, mem::kDma, mem::kDma);
    set_lock(kWest, 7, 1);
    Bd from{.base = 0, .length = 4};
    from.acquire_lock = 7;  // west's
    from.acquire = -1;
    from.release_lock = 128 + 9;  // east's
    from.release = 2;
    bd(kOwn, 0, from);
    bd(kOwn, 1, {.base = 0x100, .length = 4});
    start(kOwn, kS2mm, 0, 1);
    start(kOwn, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(lock(kWest, 7), 0U);
    EXPECT_EQ(lock(kEast, 9), 2U);
}

TEST_F(Neighbours, ChannelsAboveThreeAndIsolatedTilesAreCutOff) {
    connect(kOwn, mem::kDma + 4, mem::kDma + 4);
    Bd from{.base = 0, .length = 4};
    from.memtile_view = 0;
    bd(kOwn, 0, from);
    start(kOwn, kMm2s, 4, 0);
    EXPECT_EQ(array.run(1000).stop, Stop::kFault);
    auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, FaultKind::kBadMemory) << faults[0].what;
    EXPECT_NE(read(kOwn, status_offset(kOwn, kMm2s, 4)) & 1 << 9, 0U);

    write(kWest, 0x96030, 1 << 3);  // isolated from the east
    connect(kOwn, mem::kDma, mem::kDma);
    start(kOwn, kMm2s, 0, 0);
    EXPECT_EQ(array.run(1000).stop, Stop::kFault);
    faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, FaultKind::kBadMemory);
}

// --- what a channel cannot run ---

struct Bad {
    const char* name;
    TileKind kind;
    void (*spoil)(Bd&);
    unsigned bd;
    uint32_t control;
    FaultKind fault;
    const char* says;
    uint32_t status;  // error bit
};

class BadDescriptor : public Board, public testing::WithParamInterface<Bad> {};

TEST_P(BadDescriptor, HaltsTheChannelAndNamesIt) {
    const Bad& bad = GetParam();
    const Tile tile = bad.kind == TileKind::kShim  ? kShimTile
                      : bad.kind == TileKind::kMem ? kMemTile
                                                   : kCoreTile;
    open_shim(1);
    if (bad.kind == TileKind::kShim) {
        turn_around(1);
    } else {
        const unsigned dma = bad.kind == TileKind::kMem ? mem::kDma : core::kDma;
        connect(tile, dma, dma);
    }
    ram.map(0x10'0000, 16);
    Bd from{.base = bad.kind == TileKind::kShim ? 0x10'0000U : 0U, .length = 4};
    bad.spoil(from);
    bd(tile, bad.bd, from);
    write(tile, channel_base(tile, kMm2s, 0), bad.control);
    start(tile, kMm2s, 0, bad.bd);
    ASSERT_EQ(array.run(10'000).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, bad.fault) << faults[0].what;
    EXPECT_EQ(faults[0].tile, tile);
    EXPECT_NE(faults[0].what.find(bad.says), std::string::npos) << faults[0].what;
    EXPECT_NE(faults[0].what.find("MM2S 0"), std::string::npos) << faults[0].what;
    const uint32_t status = read(tile, status_offset(tile, kMm2s, 0));
    EXPECT_EQ(status & bad.status, bad.status);
    EXPECT_EQ(status & 1 << 19, 0U) << "still running";
    // It stays halted: only a reset helps.
    EXPECT_EQ(array.run(10'000).stop, Stop::kQuiescent);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadDescriptor,
    testing::Values(Bad{"Invalid", TileKind::kCore, [](Bd& b) { b.valid = false; }, 0, 0,
                        FaultKind::kBadDescriptor, "Valid_BD", 1 << 11},
                    Bad{"OddBd", TileKind::kMem, [](Bd&) {}, 24, 0, FaultKind::kBadDescriptor,
                        "BD 24", 1 << 10},
                    Bad{"Compressed", TileKind::kMem, [](Bd& b) { b.compression = true; }, 0,
                        1 << 4, FaultKind::kNotModelled, "compress", 0},
                    Bad{"EmptyPacket", TileKind::kCore,
                        [](Bd& b) {
                            b.packet_id = 1;
                            b.length = 0;
                        },
                        0, 0, FaultKind::kBadDescriptor, "Buffer_Length", 0},
                    Bad{"NoSuchLock", TileKind::kMem,
                        [](Bd& b) {
                            b.acquire_lock = 192;
                            b.acquire = -1;
                        },
                        0, 0, FaultKind::kBadMemory, "lock 192", 1 << 8},
                    Bad{"PastTheMemory", TileKind::kCore, [](Bd& b) { b.base = 0x3FFE; }, 0, 0,
                        FaultKind::kBadMemory, "0x10000", 1 << 9},
                    Bad{"Unmapped", TileKind::kShim, [](Bd& b) { b.base = 0x20'0000; }, 0, 0,
                        FaultKind::kHostMemory, "0x200000", 1 << 16},
                    Bad{"PastTheMapping", TileKind::kShim, [](Bd& b) { b.length = 17; }, 0, 0,
                        FaultKind::kHostMemory, "0x100", 1 << 16}),
    [](const auto& bad) { return bad.param.name; });

// A compressed BD on a channel without compression is an ordinary one: AM025.
TEST_F(MemLoopback, CompressionNeedsTheChannelsConsent) {
    poke(tile_, 0, counting(4, 1));
    Bd from{.base = 0, .length = 4};
    from.compression = true;
    EXPECT_EQ(send(from, 0x1000, 4), counting(4, 1));
}

TEST_F(Loopback, ABdOfNoWordsIsDoneAtOnce) {
    poke(tile_, 0, counting(4, 1));
    Bd empty{.base = 0, .length = 0, .next = 2};
    empty.release_lock = 3;
    empty.release = 1;
    bd(tile_, 2, {.base = 0, .length = 4});
    EXPECT_EQ(send(empty, 0x800, 4), counting(4, 1));
    EXPECT_EQ(lock(tile_, 3), 1U);
}

TEST_F(Board, NothingAttachedIsAnUnmappedAddress) {
    array.attach_host_memory(0, kColumns, nullptr);
    open_shim(1);
    connect(kShimTile, shim::kMm2s0, shim::kNorthMaster);
    bd(kShimTile, 0, {.base = 0x10'0000, .length = 4});
    start(kShimTile, kMm2s, 0, 0);
    EXPECT_EQ(array.run(10'000).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, FaultKind::kHostMemory);
}

}  // namespace
}  // namespace xdna::emu::test
