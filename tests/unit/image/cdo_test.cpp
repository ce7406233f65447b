#include "libxdna/image/cdo.hpp"

#include <gtest/gtest.h>

#include "tests/unit/image/expect_error.hpp"

namespace xdna::image {
namespace {

using namespace cdo;

// The words after the header.
Words body(const std::vector<Command>& commands) {
    const Bytes bytes = serialize(Cdo{commands});
    Reader reader(bytes, "test");
    reader.seek(20, "body");
    return reader.words(reader.left() / 4, "body");
}

TEST(Cdo, EachCommandHasTheWordsThatBootgenGivesIt) {
    EXPECT_EQ(body({{Write{0x232000, 1}}}), (Words{0x00020103, 0x232000, 1}));
    EXPECT_EQ(body({{Write{0x100232000, 1, true}}}), (Words{0x00030108, 1, 0x232000, 1}));
    // Mask before value, unlike transaction control code.
    EXPECT_EQ(body({{MaskWrite{0x232000, 2, 3}}}), (Words{0x00030102, 0x232000, 2, 3}));
    EXPECT_EQ(body({{MaskWrite{0x232000, 2, 3, true}}}), (Words{0x00040107, 0, 0x232000, 2, 3}));
    EXPECT_EQ(body({{MaskPoll{0x10, 1, 2, 3, {}, {}}}}), (Words{0x00040101, 0x10, 1, 2, 3}));
    EXPECT_EQ(body({{MaskPoll{0x10, 1, 2, 3, 4, 5}}}), (Words{0x00060101, 0x10, 1, 2, 3, 4, 5}));
    EXPECT_EQ(body({{DmaWrite{0x220000, {7, 8}}}}), (Words{0x00040105, 0, 0x220000, 7, 8}));
    EXPECT_EQ(body({{Fill{0x220000, 16, 9}}}), (Words{0x0004010C, 0, 0x220000, 16, 9}));
    EXPECT_EQ(body({{Delay{5}}}), (Words{0x00010104, 5}));
    EXPECT_EQ(body({{Nop{{6}}}}), (Words{0x00010111, 6}));
}

TEST(Cdo, HeaderHasMagicVersionLengthAndChecksum) {
    const Bytes bytes = serialize(Cdo{{{Write{1, 2}}}});
    Reader reader(bytes, "test");
    const Words header = reader.words(5, "header");
    EXPECT_EQ(header[0], 4U);
    EXPECT_EQ(header[1], 0x004F4443U);
    EXPECT_EQ(header[2], 0x200U);
    EXPECT_EQ(header[3], 3U);
    EXPECT_EQ(header[4], ~(header[0] + header[1] + header[2] + header[3]));
}

TEST(Cdo, LengthsFrom255WordsOnStandInAWordOfTheirOwn) {
    const Words short_form = body({{DmaWrite{0, Words(252)}}});
    EXPECT_EQ(short_form[0], 254U << 16 | kDmaWrite);
    const Words long_form = body({{DmaWrite{0, Words(253)}}});
    EXPECT_EQ(long_form[0], 255U << 16 | kDmaWrite);
    EXPECT_EQ(long_form[1], 255U);

    // A short payload in long form is legal, and stays so.
    const Cdo forced{{{Write{1, 2}, true}}};
    EXPECT_EQ(body(forced.commands), (Words{0x00FF0103, 2, 1, 2}));
    EXPECT_EQ(parse_cdo(serialize(forced)), forced);
}

TEST(Cdo, UnknownCommandsAreKept) {
    const Cdo unknown{{{Other{0x7FF, {1, 2, 3}}}}};
    EXPECT_EQ(parse_cdo(serialize(unknown)), unknown);
    EXPECT_EQ(opcode_name(0x7FF), "");
    EXPECT_EQ(opcode_name(kDmaWrite), "DMA_WRITE");
}

TEST(Cdo, ErrorsSayWhereAndWhat) {
    Bytes bytes = serialize(Cdo{{{Write{1, 2}}}});
    const auto changed = [&](size_t at, uint8_t value) {
        Bytes copy = bytes;
        copy[at] = value;
        return copy;
    };
    EXPECT_FORMAT_ERROR(parse_cdo(changed(4, 'X')), 4, "magic", 0x004F4458);
    EXPECT_FORMAT_ERROR(parse_cdo(changed(9, 1)), 8, "version", 0x100);
    EXPECT_FORMAT_ERROR(parse_cdo(changed(16, 0)), 16, "checksum", 0xFFB0B900);
    // A length that the command cannot have, under a header that is right.
    EXPECT_FORMAT_ERROR(parse_cdo(changed(22, 1)), 20, "WRITE length", 1);
    EXPECT_FORMAT_ERROR(parse_cdo(changed(22, 3)), 20, "WRITE length", 3);
    EXPECT_FORMAT_ERROR(parse_cdo(changed(23, 0x80)), 20, "command", 0x80020103);
    EXPECT_FORMAT_ERROR(parse_cdo(changed(22, 0xFF)), 24, "WRITE length", 1);
    EXPECT_FORMAT_ERROR(parse_cdo(ByteView(bytes).first(19)), 16, "header", 4);
    EXPECT_FORMAT_ERROR(parse_cdo(ByteView(bytes).first(24)), 12, "body length in words", 3);
}

TEST(Cdo, AddressesBeyond32BitsNeedTheWideForm) {
    EXPECT_FORMAT_ERROR(serialize(Cdo{{{Write{1ULL << 32, 0}}}}), 0, "WRITE address", 1ULL << 32);
    EXPECT_FORMAT_ERROR(serialize(Cdo{{{MaskPoll{0, 0, 0, 0, {}, 1}}}}), 0, "MASK_POLL error_code",
                        1);
}

}  // namespace
}  // namespace xdna::image
