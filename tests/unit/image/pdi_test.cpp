#include "libxdna/image/pdi.hpp"

#include <gtest/gtest.h>

#include "tests/unit/image/expect_error.hpp"

namespace xdna::image {
namespace {

uint32_t word(const Bytes& bytes, size_t offset) {
    Reader reader(bytes, "test");
    reader.seek(offset, "word");
    return reader.u32("word");
}

// 18 words with its header: the size of the CDO in the notes' sample.
Cdo cdo_of_18_words() {
    Cdo cdo;
    for (uint32_t i = 0; i < 4; ++i) {
        cdo.commands.push_back({cdo::Write{i, i}});
    }
    cdo.commands.push_back({cdo::Nop{}});
    return cdo;
}

TEST(Pdi, AnImageOfOneCdoHasBootgensHeaders) {
    // Values that bootgen v2023.2 gave for a CDO of this size: notes/formats.md 2.1 to 2.3.
    const Bytes bytes = serialize(make_pdi(cdo_of_18_words()));
    EXPECT_EQ(bytes.size(), 0x150U + 0x14 * 4);
    EXPECT_EQ(word(bytes, 0), 0xDDU);
    EXPECT_EQ(word(bytes, 0x10 + 0x28), 0x50504449U);
    EXPECT_EQ(word(bytes, 0x10 + 0x7C), 0x9AC12A78U) << "image header table checksum";
    EXPECT_EQ(word(bytes, 0x90 + 0x3C), 0x1D39289BU) << "image header checksum";
    EXPECT_EQ(word(bytes, 0xD0 + 0x00), 0x14U);
    EXPECT_EQ(word(bytes, 0xD0 + 0x04), 0x12U);
    EXPECT_EQ(word(bytes, 0xD0 + 0x08), 0x14U);
    EXPECT_EQ(word(bytes, 0xD0 + 0x20), 0x54U);
    EXPECT_EQ(word(bytes, 0xD0 + 0x7C), 0xFDFFFF6CU) << "partition header checksum";
    EXPECT_EQ(word(bytes, 0x154), 0x004F4443U);
}

TEST(Pdi, ReadingGivesBackTheCdo) {
    const Pdi pdi = parse_pdi(serialize(make_pdi(cdo_of_18_words(), "mine", 7)));
    ASSERT_EQ(cdos(pdi).size(), 1U);
    EXPECT_EQ(*cdos(pdi)[0], cdo_of_18_words());
    EXPECT_EQ(pdi.images.at(0).name.view(), "mine");
    EXPECT_EQ(pdi.images.at(0).image_id, 7U);
}

TEST(Pdi, WithoutBusWidthWordsEverythingStands16BytesEarlier) {
    Pdi pdi = make_pdi(cdo_of_18_words());
    pdi.bus_width_words = false;
    lay_out(pdi);
    const Bytes bytes = serialize(pdi);
    EXPECT_EQ(word(bytes, 0x28), 0x50504449U);
    EXPECT_EQ(word(bytes, 0x144), 0x004F4443U);
    EXPECT_EQ(parse_pdi(bytes), pdi);
}

TEST(Pdi, SeveralPartitionsAndOtherTypesComeBack) {
    Pdi pdi = make_pdi(cdo_of_18_words());
    Partition data;
    data.header.attributes = 0x01000000;
    data.data = Bytes{1, 2, 3, 4, 5, 6, 7, 8};
    pdi.partitions.push_back(data);
    lay_out(pdi);
    const Bytes bytes = serialize(pdi);
    const Pdi again = parse_pdi(bytes);
    EXPECT_EQ(again, pdi);
    EXPECT_EQ(again.partitions.at(0).header.next_header_offset, (0xD0U + 0x80) / 4);
    EXPECT_EQ(again.partitions.at(1).data, data.data);
    EXPECT_EQ(serialize(again), bytes);
}

TEST(Pdi, BytesOutsideEveryPartitionAreKept) {
    Bytes bytes = serialize(make_pdi(cdo_of_18_words()));
    bytes[0x150 + 0x12 * 4] = 0x5A;  // in the padding
    bytes.resize(bytes.size() + 24, 0x77);
    EXPECT_EQ(serialize(parse_pdi(bytes)), bytes);
}

TEST(Pdi, ErrorsSayWhereAndWhat) {
    const Bytes good = serialize(make_pdi(cdo_of_18_words()));
    const auto changed = [&](size_t at, uint8_t value) {
        Bytes copy = good;
        copy[at] = value;
        return copy;
    };
    EXPECT_FORMAT_ERROR(parse_pdi(changed(4, 0)), 4, "bus-width word", 0x11223300);
    EXPECT_FORMAT_ERROR(parse_pdi(changed(0x3B, 'F')), 0x38, "identification", 0x46504449);
    EXPECT_FORMAT_ERROR(parse_pdi(changed(0x10, 1)), 0x8C, "image header table checksum",
                        0x9AC12A78);
    EXPECT_FORMAT_ERROR(parse_pdi(changed(0xB0, 1)), 0xCC, "image header checksum", 0x1D39289B);
    EXPECT_FORMAT_ERROR(parse_pdi(changed(0xD0, 0)), 0x14C, "partition header checksum",
                        0xFDFFFF6C);
    // An error inside the CDO counts from the start of the file.
    EXPECT_FORMAT_ERROR(parse_pdi(changed(0x150, 5)), 0x150, "header length", 5);
    EXPECT_FORMAT_ERROR(parse_pdi(ByteView(good).first(0x190)), 0xD4, "unencrypted_length", 0x12);
    EXPECT_FORMAT_ERROR(parse_pdi(ByteView(good).first(0x80)), 0x10, "image header table", 128);
}

TEST(Pdi, HeadersThatDoNotFitTheDataAreNotWritten) {
    Pdi pdi = make_pdi(cdo_of_18_words());
    std::get<Cdo>(pdi.partitions[0].data).commands.push_back({cdo::Nop{}});
    EXPECT_FORMAT_ERROR(serialize(pdi), 0, "unencrypted_length", 18 * 4);
    lay_out(pdi);
    EXPECT_EQ(parse_pdi(serialize(pdi)), pdi);

    pdi.partitions[0].header.data_offset = 4;
    EXPECT_FORMAT_ERROR(serialize(pdi), 16, "partition data", 19 * 4);
}

}  // namespace
}  // namespace xdna::image
