// Streams: circuits, copies, packets, and what happens when nobody takes the words.
#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;

class Streams : public Board {};

constexpr Tile kCore2{1, 2}, kCore3{1, 3}, kCore4{1, 4}, kCore5{1, 5};

// One MM2S to all four cores of a column: the switch of each core copies the stream to its DMA and
// on to the north.
TEST_F(Streams, BroadcastsToAColumn) {
    const auto data = noise(300);
    poke(kMemTile, 0, data);
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    for (uint8_t row = 2; row < 6; ++row) {
        const Tile tile{1, row};
        connect(tile, core::kSouth, core::kDma);
        if (row < 5) {
            connect(tile, core::kSouth, core::kNorthMaster);
        }
        bd(tile, 0, {.base = 0, .length = 300});
        start(tile, kS2mm, 0, 0);
    }
    bd(kMemTile, 0, {.base = 0, .length = 300});
    start(kMemTile, kMm2s, 0, 0);
    settle();
    for (uint8_t row = 2; row < 6; ++row) {
        EXPECT_EQ(peek({1, row}, 0, 300), data) << int{row};
    }
}

// AM020 chapter 2: if one receiver of a multicast is not ready, the whole broadcast stops.
TEST_F(Streams, OneSlowReceiverHoldsTheBroadcast) {
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    connect(kCore2, core::kSouth, core::kDma);
    connect(kCore2, core::kSouth, core::kNorthMaster);
    connect(kCore3, core::kSouth, core::kDma);
    poke(kMemTile, 0, counting(200));
    bd(kMemTile, 0, {.base = 0, .length = 200});
    bd(kCore2, 0, {.base = 0, .length = 200});
    bd(kCore3, 0, {.base = 0, .length = 200});
    start(kCore2, kS2mm, 0, 0);
    start(kMemTile, kMm2s, 0, 0);
    settle();
    const uint32_t taken = read(kCore2, 0x1DF18);  // Current_Write_Count
    EXPECT_GT(taken, 0U);
    EXPECT_LT(taken, 40U) << "more than the way to the other receiver can hold";
    EXPECT_NE(read(kMemTile, status_offset(kMemTile, kMm2s, 0)) & 1 << 4, 0U)
        << "Stalled_Stream_Backpressure";
    start(kCore3, kS2mm, 0, 0);
    settle();
    EXPECT_EQ(peek(kCore2, 0, 200), counting(200));
    EXPECT_EQ(peek(kCore3, 0, 200), counting(200));
}

// A sender gets as far ahead as the ports on the way hold words, and not further: AM020's depths
// (4 in an external port, 4 in a local slave, 2 in a local master) and the S2MM's own 6.
TEST_F(Streams, BackPressureReachesTheSender) {
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    connect(kCore2, core::kSouth, core::kDma);
    bd(kMemTile, 0, {.base = 0, .length = 100});
    start(kMemTile, kMm2s, 0, 0);
    settle();
    const std::string waits = report();
    EXPECT_NE(waits.find("20 of 100 words"), std::string::npos) << waits;
    EXPECT_NE(waits.find("(1,1) MM2S 0"), std::string::npos) << waits;
    EXPECT_NE(waits.find("(1,2) DMA 0"), std::string::npos) << waits;
}

// Four producers of a column into one memory tile, each into its part of a buffer.
TEST_F(Streams, JoinsInAMemoryTile) {
    for (unsigned i = 0; i < 4; ++i) {
        const Tile from{1, static_cast<uint8_t>(2 + i)};
        poke(from, 0, noise(64, i));
        bd(from, 0, {.base = 0, .length = 64});
        connect(from, core::kDma, core::kSouth + i);
        for (uint8_t row = from.row - 1; row > 1; --row) {
            connect({1, row}, core::kNorthSlave + i, core::kSouth + i);
        }
        connect(kMemTile, mem::kNorthSlave + i, mem::kDma + i);
        const unsigned id = i % 2 == 0 ? i : 24 + i;
        bd(kMemTile, id, {.base = 64 * i, .length = 64});
        start(kMemTile, kS2mm, i, id);
        start(from, kMm2s, 0, 0);
    }
    settle();
    for (unsigned i = 0; i < 4; ++i) {
        EXPECT_EQ(peek(kMemTile, 64 * i, 64), noise(64, i));
    }
}

TEST_F(Streams, GoesSidewaysAndThroughTheSwitchFifo) {
    const Tile east{2, 2};
    poke(kCore2, 0, counting(50));
    connect(kCore2, core::kDma, core::kFifo);
    connect(kCore2, core::kFifo, core::kEastMaster + 3);
    connect(east, core::kWestSlave + 3, core::kDma + 1);
    bd(kCore2, 0, {.base = 0, .length = 50});
    bd(east, 0, {.base = 0x100, .length = 50});
    start(kCore2, kMm2s, 0, 0);
    settle();
    // Slave and master to the FIFO (4 + 2), its 16, and on: 4 + 4, 4 + 2 + 6.
    EXPECT_NE(report().find("42 of 50 words"), std::string::npos) << report();
    start(east, kS2mm, 1, 0);
    settle();
    EXPECT_EQ(peek(east, 0x100, 50), counting(50));
}

// --- packets ---

class Packets : public Board {
  protected:
    // Cores 2 and 3 send packets with ids 2 and 3 down one lane into the memory tile's DMA 0.
    void merge(bool drop_header) {
        packet_slave(kCore3, core::kDma, 0, 3, 0x1F, 0, 0);
        packet_master(kCore3, core::kSouth, 0, 1, false);
        packet_slave(kCore2, core::kDma, 0, 2, 0x1F, 5, 3);
        packet_slave(kCore2, core::kNorthSlave, 0, 3, 0x1F, 5, 3);
        packet_master(kCore2, core::kSouth, 5, 1 << 3, false);
        packet_slave(kMemTile, mem::kNorthSlave, 2, 2, 0x1E, 1, 0);  // ids 2 and 3
        packet_master(kMemTile, mem::kDma, 1, 1, drop_header);
    }
};

TEST_F(Packets, TwoSourcesShareALaneWholePacketsAtATime) {
    merge(false);
    constexpr unsigned kPackets = 16, kWords = 10;
    for (const Tile tile : {kCore2, kCore3}) {
        poke(tile, 0, counting(kWords, 1000 * tile.row));
        Bd from{.base = 0, .length = kWords, .packet_id = tile.row};
        bd(tile, 0, from);
        start(tile, kMm2s, 0, 0, kPackets);
    }
    const uint32_t total = 2 * kPackets * (kWords + 1);
    bd(kMemTile, 0, {.base = 0, .length = total});
    start(kMemTile, kS2mm, 0, 0);
    settle();
    const auto out = peek(kMemTile, 0, total);
    std::array<unsigned, 2> seen{};
    unsigned alternations = 0;
    unsigned last = 0;
    for (unsigned p = 0; p < 2 * kPackets; ++p) {
        const uint32_t header = out[p * (kWords + 1)];
        const unsigned id = header & 0x1F;
        ASSERT_TRUE(id == 2 || id == 3) << p;
        EXPECT_EQ(header >> 16 & 0x1F, id) << "source row";
        ++seen[id - 2];
        alternations += id != last ? 1 : 0;
        last = id;
        for (unsigned i = 0; i < kWords; ++i) {
            ASSERT_EQ(out[p * (kWords + 1) + 1 + i], 1000 * id + i) << p;
        }
    }
    EXPECT_EQ(seen[0], kPackets);
    EXPECT_EQ(seen[1], kPackets);
    EXPECT_GE(alternations, 2 * kPackets - 4) << "a fair arbiter takes turns";
}

TEST_F(Packets, HeaderIsDroppedWhereTheMasterSaysSo) {
    merge(true);
    poke(kCore3, 0, counting(5, 7));
    bd(kCore3, 0, {.base = 0, .length = 5, .packet_id = 3});
    bd(kMemTile, 0, {.base = 0, .length = 5});
    start(kMemTile, kS2mm, 0, 0);
    start(kCore3, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(peek(kMemTile, 0, 5), counting(5, 7));
}

// One packet source to two receivers by id, and to both by a third id whose arbiter feeds both.
TEST_F(Packets, IdsChooseReceivers) {
    packet_slave(kMemTile, mem::kDma, 0, 4, 0x1F, 0, 0);
    packet_slave(kMemTile, mem::kDma, 1, 5, 0x1F, 0, 1);
    packet_slave(kMemTile, mem::kDma, 2, 6, 0x1F, 0, 2);
    packet_master(kMemTile, mem::kNorthMaster, 0, 0b101, true);
    packet_master(kMemTile, mem::kNorthMaster + 1, 0, 0b110, true);
    connect(kCore2, core::kSouth, core::kDma);
    connect(kCore2, core::kSouth + 1, core::kDma + 1);
    for (unsigned i = 0; i < 3; ++i) {
        poke(kMemTile, 16 * i, counting(4, 100 * i));
        Bd from{.base = 16 * i, .length = 4, .packet_id = 4 + i};
        if (i < 2) {
            from.next = i + 1;
        }
        bd(kMemTile, i, from);
    }
    bd(kCore2, 0, {.base = 0, .length = 8});
    bd(kCore2, 1, {.base = 0x100, .length = 8});
    start(kCore2, kS2mm, 0, 0);
    start(kCore2, kS2mm, 1, 1);
    start(kMemTile, kMm2s, 0, 0);
    settle();
    EXPECT_EQ(peek(kCore2, 0, 8), (std::vector<uint32_t>{0, 1, 2, 3, 200, 201, 202, 203}));
    EXPECT_EQ(peek(kCore2, 0x100, 8),
              (std::vector<uint32_t>{100, 101, 102, 103, 200, 201, 202, 203}));
}

TEST_F(Packets, AControlPacketIsReportedAsNotModelled) {
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    connect(kCore2, core::kSouth, core::kCtrl);
    bd(kMemTile, 0, {.base = 0, .length = 2, .packet_id = 9});
    start(kMemTile, kMm2s, 0, 0);
    EXPECT_EQ(array.run(1000).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, FaultKind::kNotModelled);
    EXPECT_EQ(faults[0].tile, kCore2);
    EXPECT_NE(faults[0].what.find("control packet"), std::string::npos) << faults[0].what;
    EXPECT_EQ(array.run(1000).stop, Stop::kQuiescent);
}

TEST_F(Packets, AnIdWithoutASlotIsReported) {
    merge(false);
    bd(kCore3, 0, {.base = 0, .length = 5, .packet_id = 9});
    start(kCore3, kMm2s, 0, 0);
    EXPECT_EQ(array.run(1000).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, FaultKind::kBadRoute);
    EXPECT_EQ(faults[0].tile, kCore3);
    EXPECT_NE(faults[0].what.find("packet id 9"), std::string::npos) << faults[0].what;
}

// Xilinx/mlir-aie test/npu-xrt/deadlock_model_head_of_line (run on hardware, npu2): two transfers
// take turns on shim MM2S 0 by packet id into a core tile. The first has one word more than its
// receiver takes and the way behind the core's switch holds 8: with 9 words the second gets past,
// with 10 it hangs.
class HeadOfLine : public Board, public testing::WithParamInterface<uint32_t> {};

TEST_P(HeadOfLine, EightWordsWaitBehindTheSwitch) {
    const uint32_t words = GetParam();
    ram.map(0x10'0000, 64) = counting(64);
    open_shim(1);
    connect(kShimTile, shim::kMm2s0, shim::kNorthMaster);
    connect(kMemTile, mem::kSouthSlave, mem::kNorthMaster);
    packet_slave(kCoreTile, core::kSouth, 0, 0, 0x1F, 0, 0);
    packet_slave(kCoreTile, core::kSouth, 1, 1, 0x1F, 1, 0);
    packet_master(kCoreTile, core::kDma, 0, 1, true);
    packet_master(kCoreTile, core::kDma + 1, 1, 1, true);
    bd(kCoreTile, 0, {.base = 0, .length = 1});
    Bd taken{.base = 0x100, .length = 4};
    taken.release_lock = 3;
    taken.release = 1;
    bd(kCoreTile, 1, taken);
    start(kCoreTile, kS2mm, 0, 0);
    start(kCoreTile, kS2mm, 1, 1);
    bd(kShimTile, 0, {.base = 0x10'0000, .length = words, .packet_id = 0});
    bd(kShimTile, 1, {.base = 0x10'0000, .length = 4, .packet_id = 1});
    start(kShimTile, kMm2s, 0, 0);
    start(kShimTile, kMm2s, 0, 1);
    settle();
    EXPECT_EQ(lock(kCoreTile, 3), words <= 9 ? 1U : 0U) << report();
    if (words > 9) {
        EXPECT_NE(report().find("(1,2) switch, slave South 0 waits: full: stream to (1,2) DMA 0"),
                  std::string::npos)
            << report();
    }
}

INSTANTIATE_TEST_SUITE_P(Words, HeadOfLine, testing::Values(2, 8, 9, 10, 11));

// Xilinx/mlir-aie test/npu-xrt/dma_s2mm_ooo_core (run on hardware): two shim senders, headers kept,
// BDs that only release; sender 0 stamps id 1, sender 1 id 0; repeat_count 2.
TEST_F(Packets, OutOfOrderChannelTakesTheBdThatTheHeaderNames) {
    const Tile other{3, 0};
    ram.map(0x10'0000, 32) = noise(32);
    open_shim(1);
    open_shim(3);
    // Shim 1 up to core (1,2) by lane 0; shim 3 westward along row 0 into shim 1, then by the same
    // arbiter.
    packet_slave(kShimTile, shim::kMm2s0, 0, 0, 0x1F, 0, 0);
    connect(other, shim::kMm2s0, shim::kWestMaster);
    connect({2, 0}, shim::kEastSlave, shim::kWestMaster);
    packet_slave(kShimTile, shim::kEastSlave, 0, 0, 0x1F, 0, 0);
    packet_master(kShimTile, shim::kNorthMaster, 0, 1, false);
    connect(kMemTile, mem::kSouthSlave, mem::kNorthMaster);
    connect(kCoreTile, core::kSouth, core::kDma);
    for (unsigned i = 0; i < 2; ++i) {
        Bd into{.base = 16 * i, .length = 16, .next = 1 - i, .packet_id = 0};
        into.release_lock = 0;
        into.release = 1;
        bd(kCoreTile, i, into);
    }
    write(kCoreTile, 0x1DE00, 1 << 3);
    start(kCoreTile, kS2mm, 0, 0, 2);
    Bd from{.base = 0x10'0000, .length = 16, .packet_id = 0};
    from.out_of_order_id = 1;
    bd(kShimTile, 0, from);
    from.base += 64;
    from.out_of_order_id = 0;
    bd(other, 0, from);
    start(kShimTile, kMm2s, 0, 0);
    start(other, kMm2s, 0, 0);
    settle();
    const auto in = noise(32);
    const auto out = peek(kCoreTile, 0, 32);
    for (unsigned i = 0; i < 16; ++i) {
        EXPECT_EQ(out[16 + i], in[i]);
        EXPECT_EQ(out[i], in[16 + i]);
    }
    EXPECT_EQ(lock(kCoreTile, 0), 2U);
    EXPECT_EQ(read(kCoreTile, 0x1DF00) & 1 << 19, 0U) << "the task of two packets is over";
}

// --- routes that are none ---

TEST_F(Streams, WordsStopWhereTheRouteDoes) {
    connect(kMemTile, mem::kDma, mem::kNorthMaster + 2);
    poke(kMemTile, 0, counting(100));
    bd(kMemTile, 0, {.base = 0, .length = 100});
    start(kMemTile, kMm2s, 0, 0);
    settle();
    EXPECT_NE(report().find("(1,2) South 2 (slave port not enabled)"), std::string::npos)
        << report();
    // Once the next switch is configured the words go on, none lost.
    connect(kCore2, core::kSouth + 2, core::kDma);
    bd(kCore2, 0, {.base = 0, .length = 100});
    start(kCore2, kS2mm, 0, 0);
    settle();
    EXPECT_EQ(peek(kCore2, 0, 100), counting(100));
}

TEST_F(Streams, WordsCutOffByANewRouteAreReported) {
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    connect(kCore2, core::kSouth, core::kDma);
    bd(kMemTile, 0, {.base = 0, .length = 10});
    start(kMemTile, kMm2s, 0, 0);
    settle();
    connect(kCore2, core::kSouth, core::kDma + 1);
    write(kCore2, 0x3F000 + 4 * core::kDma, 0);
    EXPECT_EQ(array.run(10).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].kind, FaultKind::kBadRoute);
    EXPECT_NE(faults[0].what.find("10 words"), std::string::npos) << faults[0].what;
}

TEST_F(Streams, AChannelWithoutAPortSaysSo) {
    bd(kMemTile, 0, {.base = 0, .length = 1});
    start(kMemTile, kMm2s, 0, 0);
    bd(kCore2, 0, {.base = 0, .length = 1});
    start(kCore2, kS2mm, 1, 0);
    bd(kShimTile, 0, {.base = 0x10'0000, .length = 1});
    start(kShimTile, kS2mm, 0, 0);
    settle();
    const std::string waits = report();
    EXPECT_NE(waits.find("slave port DMA 0 is not enabled"), std::string::npos) << waits;
    EXPECT_NE(waits.find("no stream ends in master port DMA 1"), std::string::npos) << waits;
    EXPECT_NE(waits.find("Demux_Config does not connect the DMA to South 2"), std::string::npos)
        << waits;
}

// Xilinx/aie-rt driver/src/stream_switch/xaie_ss_aieml.c: between ports of one side only equal
// numbers.
TEST_F(Streams, SwitchesHaveNoTurnWithinASideButStraightBack) {
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    connect(kCore2, core::kSouth, core::kSouth + 1);
    bd(kMemTile, 0, {.base = 0, .length = 100});
    start(kMemTile, kMm2s, 0, 0);
    settle();
    EXPECT_NE(report().find("the switch has no connection to South 1"), std::string::npos)
        << report();
}

}  // namespace
}  // namespace xdna::emu::test
