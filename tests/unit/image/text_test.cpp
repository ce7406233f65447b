#include "libxdna/image/text.hpp"

#include <gtest/gtest.h>

namespace xdna::image {
namespace {

TEST(Text, WritesNameTileRegisterAndFields) {
    EXPECT_EQ(to_text(cdo::Command{cdo::MaskWrite{0x232000, 3, 1}}),
              "MASK_WRITE    (0,2) core.Core_Control & 0x3 = 0x1 {Enable 1}");
    EXPECT_EQ(to_text(txn::Operation{txn::Write{0x0201D214, 0x80010003}}),
              "WRITE         (1,0) noc.DMA_MM2S_0_Task_Queue = 0x80010003 {Enable_Token_Issue 1, "
              "Repeat_Count 1, Start_BD_ID 3}");
}

TEST(Text, BlocksOfRegistersAreListedAndMemoriesCounted) {
    EXPECT_EQ(to_text(txn::Operation{txn::BlockWrite{0x1D000, {256, 0x10}}}),
              "BLOCKWRITE    (0,0) noc.DMA_BD0_0, 2 words\n"
              "    (0,0) noc.DMA_BD0_0 = 0x100\n"
              "    (0,0) noc.DMA_BD0_1 = 0x10 {Base_Address_Low 4}");
    EXPECT_EQ(to_text(cdo::Command{cdo::DmaWrite{0x220000, Words(128)}}),
              "DMA_WRITE     (0,2) core.Program_Memory, 128 words");
}

TEST(Text, UnknownRegistersAndOpcodesAreNumbers) {
    EXPECT_EQ(address_text(0x1DFFF), "(0,0) 0x1dfff");
    EXPECT_EQ(address_text(0x123456789), "0x123456789");
    EXPECT_EQ(to_text(cdo::Command{cdo::Other{0x7FF, {1, 2}}}), "0x7ff         0x1 0x2");
}

TEST(Text, SyncPatchAndPacketSayWhatTheyDo) {
    EXPECT_EQ(to_text(txn::Operation{txn::Sync{0, 0, 2, 1, 1, 1}}),
              "TCT           wait for S2MM channel 1 of (2,0)");
    EXPECT_EQ(to_text(txn::Operation{txn::DdrPatch{0x1D004, 2, 0x40}}),
              "DDR_PATCH     (0,0) noc.DMA_BD0_1 += buffer 2 + 0x40");
    EXPECT_EQ(to_text(ert::Packet{ert::StartNpu{{1, {}}, 0x4001000, 512, {}, {3}}}),
              "START_NPU, new, CU mask 0x1, 512 bytes of instructions at 0x4001000, arguments 0x3");
}

}  // namespace
}  // namespace xdna::image
