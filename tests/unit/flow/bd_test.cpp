#include <gtest/gtest.h>

#include "kernels/flow/bd.hpp"

namespace xdna::flow {
namespace {

// Expected words are composed by hand from the field positions that AM025 gives.
TEST(Bd, ShimLinearLengthOnly) {
    Bd bd;
    bd.words = 4096;
    const auto words = encode_bd(TileKind::kShim, bd);
    ASSERT_EQ(words.size(), 8U);
    EXPECT_EQ(words[0], 4096U);
    for (size_t i = 1; i < 7; ++i) {
        EXPECT_EQ(words[i], 0U) << i;
    }
    EXPECT_EQ(words[7], 0x02000000U);  // valid
}

TEST(Bd, ShimStrides) {
    Bd bd;
    bd.words = 16 * 32 * 3;
    bd.dimensions = {{.step = 1, .size = 16}, {.step = 128, .size = 32}, {.step = 16}};
    const auto words = encode_bd(TileKind::kShim, bd);
    EXPECT_EQ(words[3], 16U << 20);
    EXPECT_EQ(words[4], 32U << 20 | 127U);
    EXPECT_EQ(words[5], 15U);
}

TEST(Bd, MemoryTileNamesItsOwnMemoryAndLocks) {
    Bd bd;
    bd.address = 0x1000;
    bd.words = 1024;
    bd.acquire = LockUse{0, 1};
    bd.release = LockUse{1, 1};
    bd.next = 1;
    const auto words = encode_bd(TileKind::kMem, bd);
    EXPECT_EQ(words[0], 1024U);
    EXPECT_EQ(words[1], (0x80000U + 0x1000U) / 4 | 1U << 19 | 1U << 20);
    // Valid, release 1 to lock 64 + 1, acquire -1 (at least one) of lock 64 + 0.
    EXPECT_EQ(words[7], 1U << 31 | 1U << 24 | 65U << 16 | 1U << 15 | 0x7FU << 8 | 64U);
}

TEST(Bd, CoreTileHasSixWords) {
    Bd bd;
    bd.address = 0x400;
    bd.words = 256;
    const auto words = encode_bd(TileKind::kCore, bd);
    ASSERT_EQ(words.size(), 6U);
    EXPECT_EQ(words[0], 0x100U << 14 | 256U);
    EXPECT_EQ(words[5], 1U << 25);
}

struct Refusal {
    const char* what;
    TileKind kind;
    Bd bd;
};

TEST(Bd, WhatDoesNotFitIsNamed) {
    const Refusal refusals[] = {
        {"length 0", TileKind::kShim, {}},
        {"address", TileKind::kMem, {.address = 2, .words = 1}},
        {"address 524288", TileKind::kMem, {.address = 512 * 1024, .words = 1}},
        {"length 131072", TileKind::kMem, {.words = 131072}},
        {"dimension count 4",
         TileKind::kShim,
         {.words = 1, .dimensions = {{1, 1}, {1, 1}, {1, 1}, {1, 1}}}},
        {"dimension 0 size", TileKind::kShim, {.words = 1, .dimensions = {{1, 1024}, {1, 1}}}},
        {"dimension 1 step",
         TileKind::kShim,
         {.words = 1, .dimensions = {{1, 1}, {(1 << 20) + 1, 1}}}},
        {"dimension 0 step 0", TileKind::kShim, {.words = 1, .dimensions = {{0, 1}}}},
        {"zeros before", TileKind::kCore, {.words = 1, .dimensions = {{1, 1, 1, 0}}}},
        {"acquired lock", TileKind::kCore, {.words = 1, .acquire = LockUse{16, 1}}},
        {"release count", TileKind::kCore, {.words = 1, .release = LockUse{0, 64}}},
        {"next BD", TileKind::kCore, {.words = 1, .next = 16}},
    };
    for (const Refusal& refusal : refusals) {
        try {
            encode_bd(refusal.kind, refusal.bd);
            ADD_FAILURE() << refusal.what << ": not refused";
        } catch (const std::invalid_argument& e) {
            EXPECT_NE(std::string(e.what()).find(refusal.what), std::string::npos) << e.what();
        }
    }
    EXPECT_THROW(bd_offset(TileKind::kShim, 16), std::invalid_argument);
    EXPECT_THROW(queue_offset(TileKind::kCore, Direction::kS2mm, 2), std::invalid_argument);
    EXPECT_THROW(task_word(TileKind::kMem, 0, 257, false), std::invalid_argument);
}

}  // namespace
}  // namespace xdna::flow
