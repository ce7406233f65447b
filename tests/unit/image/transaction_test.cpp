#include "libxdna/image/transaction.hpp"

#include <gtest/gtest.h>

#include "tests/unit/image/expect_error.hpp"

namespace xdna::image {
namespace {

using namespace txn;

Bytes bytes_of(const Words& words) {
    Writer writer;
    writer.words(words);
    return writer.take();
}

// The words of one operation.
Words encoded(const Operation& operation, bool optimized = false) {
    Transaction t;
    if (optimized) {
        t.major = 1;
        t.minor = 0;
    }
    t.operations = {operation};
    const Bytes bytes = serialize(t);
    Reader reader(bytes, "test");
    reader.seek(16, "operation");
    return reader.words(reader.left() / 4, "operation");
}

TEST(Transaction, TheWorkedExampleReadsAndWrites) {
    // notes/formats.md 4.4: start MM2S channel 0 with BD 0, then wait for S2MM 0.
    const Bytes bytes = bytes_of({0x06030100, 0x00000101, 0x00000002, 0x00000038,  //
                                  0x00000000, 0x00000000, 0x0001D214, 0x00000000, 0x00000000,
                                  0x00000018,  //
                                  0x00000080, 0x00000010, 0x00000000, 0x00010100});
    Transaction expected;
    expected.operations = {Write{0x1D214, 0}, Sync{0, 0, 0, 1, 1, 0}};
    EXPECT_EQ(parse_transaction(bytes), expected);
    EXPECT_EQ(serialize(expected), bytes);
    EXPECT_TRUE(looks_like_transaction(bytes));
}

TEST(Transaction, EachOperationHasItsWordsInBothVersions) {
    EXPECT_EQ(encoded(Write{0x1D214, 5}), (Words{0, 0, 0x1D214, 0, 5, 24}));
    EXPECT_EQ(encoded(Write{0x1D214, 5}, true), (Words{0, 0x1D214, 5}));
    EXPECT_EQ(encoded(BlockWrite{0x1D000, {7, 8}}), (Words{1, 0, 0x1D000, 24, 7, 8}));
    EXPECT_EQ(encoded(BlockWrite{0x1D000, {7, 8}}, true), (Words{1, 0x1D000, 20, 7, 8}));
    // Value before mask, unlike a CDO.
    EXPECT_EQ(encoded(MaskWrite{0x1D210, 1, 2}), (Words{3, 0, 0x1D210, 0, 1, 2, 28}));
    EXPECT_EQ(encoded(MaskWrite{0x1D210, 1, 2}, true), (Words{3, 0x1D210, 1, 2}));
    EXPECT_EQ(encoded(MaskPoll{0x1D210, 1, 2}), (Words{4, 0, 0x1D210, 0, 1, 2, 28}));
    EXPECT_EQ(encoded(MaskPoll{0x1D210, 1, 2, true})[0], 7U);
    EXPECT_EQ(encoded(Noop{}), (Words{5}));
    EXPECT_EQ(encoded(Preempt{2}), (Words{0x206}));
    EXPECT_EQ(encoded(LoadPdi{3, 64, 0x500000004}), (Words{0x00030008, 64, 4, 5}));
    EXPECT_EQ(encoded(LoadPmStart{0x010203, 9}), (Words{0x01020309, 9}));
    EXPECT_EQ(encoded(Sync{1, 2, 3, 4, 5, 6}), (Words{128, 16, 0x00030201, 0x06050400}));
    EXPECT_EQ(encoded(DdrPatch{0x1D004, 2, 0x40}),
              (Words{129, 48, 0, 0, 0, 0, 0x1D004, 0, 2, 0, 0x40, 0}));
    EXPECT_EQ(encoded(DdrPatch{0x1D004, 2, 0x40}, true), (Words{129, 24, 0x1D004, 2, 0x40, 0}));
    EXPECT_EQ(encoded(Sized{kRecordTimer, {1}}), (Words{131, 12, 1}));
}

TEST(Transaction, WhatTheEncodingLeavesUnusedIsKept) {
    // aie-rt leaves stale memory in unused bytes, pads MASKPOLL to 32 bytes, and has a DDR_PATCH of
    // 44 bytes.
    const Bytes bytes = bytes_of({0x06040100, 0x12340108, 3,       16 + 32 + 44 + 24,  //
                                  0xAABBCC04, 0x11,       0x1D210, 0,
                                  1,          2,          32,      0x99,  //
                                  0x203A2281, 44,         'X',     'A',
                                  'i',        'e',        0x1D004, 0,
                                  2,          0,          0x40,  //
                                  0x03000000, 0x77,       0x1D214, 0,
                                  5,          24});
    const Transaction t = parse_transaction(bytes);
    EXPECT_EQ(t.reserved, 0x1234);
    EXPECT_EQ(std::get<MaskPoll>(t.operations[0].body), (MaskPoll{0x1D210, 1, 2}));
    EXPECT_EQ(std::get<DdrPatch>(t.operations[1].body), (DdrPatch{0x1D004, 2, 0x40, true}));
    EXPECT_EQ(std::get<Write>(t.operations[2].body), (Write{0x1D214, 5}));
    EXPECT_EQ(serialize(t), bytes);
}

TEST(Transaction, BytesAfterTheHeadersSizeAreKept) {
    Transaction t;
    t.operations = {Noop{}};
    t.trailer = {1, 2, 3};
    const Bytes bytes = serialize(t);
    EXPECT_EQ(parse_transaction(bytes), t);
    EXPECT_EQ(bytes.size(), 23U);
}

TEST(Transaction, ErrorsSayWhereAndWhat) {
    Transaction t;
    t.operations = {Noop{}, Write{0x1D214, 0}};
    const Bytes good = serialize(t);
    const auto changed = [&](size_t at, uint8_t value) {
        Bytes copy = good;
        copy[at] = value;
        return copy;
    };
    EXPECT_FORMAT_ERROR(parse_transaction(changed(0, 9)), 0, "version", 0x901);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(12, 1)), 12, "size", 1);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(8, 1)), 8, "operation count", 1);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(8, 3)), 44, "operation 2", 4);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(16, 99)), 16, "operation 0 opcode", 99);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(20, kBlockSet)), 20, "operation 1 opcode", 2);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(40, 20)), 40, "operation 1 (WRITE) size", 20);
    EXPECT_FORMAT_ERROR(parse_transaction(changed(40, 28)), 44, "operation 1 (WRITE)", 1);
    EXPECT_FORMAT_ERROR(parse_transaction(ByteView(good).first(10)), 8, "operation count", 4);
}

TEST(Transaction, Version10HasAddressesOf32Bits) {
    Transaction t;
    t.operations = {Write{1ULL << 33, 0}};
    EXPECT_EQ(parse_transaction(serialize(t)), t);
    t.major = 1;
    t.minor = 0;
    EXPECT_FORMAT_ERROR(serialize(t), 0, "WRITE address", 1ULL << 33);
}

TEST(Transaction, PatchingAddsTheBuffersAddressToTheBd) {
    Transaction t;
    const uint32_t bd = 0x1D020;
    t.operations = {
        BlockWrite{bd, {256, 0x100, 0xC0000000, 0, 0, 0, 0, 0x02000000}},
        DdrPatch{bd + 4, 1, 0x20},
        Write{0x1D214, 1},
    };
    const auto sites = patch_sites(t);
    ASSERT_EQ(sites.size(), 1U);
    EXPECT_EQ(sites[0].write, 0U);
    EXPECT_EQ(sites[0].word, 0U);

    const uint64_t addresses[] = {0, 0x7FFF12345670};
    apply_patches(t, addresses);
    // 0x7FFF12345670 + 0x20 + 0x100 + 0x80000000, the packet bits of word 2 untouched.
    const Words& data = std::get<BlockWrite>(t.operations[0].body).data;
    EXPECT_EQ(data[1], 0x92345790U);
    EXPECT_EQ(data[2], 0xC0007FFFU);
    ASSERT_EQ(t.operations.size(), 2U) << "the patch has been done";
    EXPECT_TRUE(std::holds_alternative<Write>(t.operations[1].body));
}

TEST(Transaction, ThePatchedBdIsTheLatestOneWritten) {
    Transaction t;
    // One block of two BDs; then the second one again on its own.
    t.operations = {
        BlockWrite{0x1D000, Words(16)},
        DdrPatch{0x1D024, 0, 0},
        BlockWrite{0x1D020, Words(8)},
        DdrPatch{0x1D020, 0, 0},
    };
    const auto sites = patch_sites(t);
    ASSERT_EQ(sites.size(), 2U);
    EXPECT_EQ(sites[0].write, 0U);
    EXPECT_EQ(sites[0].word, 8U);
    EXPECT_EQ(sites[1].write, 2U);
    EXPECT_EQ(sites[1].word, 0U);
}

TEST(Transaction, APatchWithoutItsBdOrItsBufferIsAnError) {
    Transaction t;
    t.operations = {DdrPatch{0x1D004, 0, 0}, BlockWrite{0x1D000, Words(8)}};
    EXPECT_FORMAT_ERROR(patch_sites(t), 0, "operation 0 (DDR_PATCH) address", 0x1D004);
    std::swap(t.operations[0], t.operations[1]);
    std::get<DdrPatch>(t.operations[1].body).argument = 3;
    const uint64_t addresses[] = {1, 2, 3};
    EXPECT_FORMAT_ERROR(apply_patches(t, addresses), 0, "operation 1 (DDR_PATCH) argument", 3);
}

TEST(Transaction, ShimBdAddressesHave48BitsAndWordAlignment) {
    uint32_t low = 0xFFFFFFFC;
    uint32_t high = 0xABCDFFFF;
    add_to_shim_bd_address(low, high, 4);
    EXPECT_EQ(low, 0U);
    EXPECT_EQ(high, 0xABCD0000U);
    add_to_shim_bd_address(low, high, 7);
    EXPECT_EQ(low, 4U);
}

}  // namespace
}  // namespace xdna::image
