#include "libxdna/image/xclbin.hpp"

#include <gtest/gtest.h>

#include "libxdna/image/xclbin_recipe.hpp"
#include "tests/unit/image/expect_error.hpp"
#include "tests/unit/image/samples.hpp"

namespace xdna::image {
namespace {

Xclbin two_sections() {
    Xclbin x;
    x.sections.resize(2);
    x.sections[0].kind = SectionKind::kBuildMetadata;
    x.sections[0].name = "first";
    x.sections[0].data = {1, 2, 3};
    x.sections[1].kind = static_cast<SectionKind>(77);
    x.sections[1].data = {4, 5};
    lay_out(x);
    return x;
}

TEST(Xclbin, HeaderAndSectionsStandWhereXrtLooksForThem) {
    const Xclbin x = two_sections();
    const Bytes bytes = serialize(x);
    Reader reader(bytes, "test");
    EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 7), "xclbin2");
    reader.seek(8, "signature length");
    EXPECT_EQ(reader.u32("signature length"), 0xFFFFFFFFU);
    reader.seek(304, "length");
    EXPECT_EQ(reader.u64("length"), bytes.size());
    reader.seek(448, "sections");
    EXPECT_EQ(reader.u32("sections"), 2U);
    reader.seek(456 + 24, "offset");
    EXPECT_EQ(reader.u64("offset"), 456U + 80);
    EXPECT_EQ(reader.u64("size"), 3U);
    EXPECT_EQ(x.sections[1].offset % 8, 0U);
    EXPECT_EQ(parse_xclbin(bytes), x);
    EXPECT_EQ(x.section(static_cast<SectionKind>(77)), &x.sections[1]);
    EXPECT_EQ(section_kind_name(SectionKind::kAiePartition), "AIE_PARTITION");
    EXPECT_EQ(section_kind_name(static_cast<SectionKind>(77)), "");
}

TEST(Xclbin, BytesAfterTheSectionsAreKept) {
    // xclbinutil leaves a copy of the metadata there, within the length.
    Xclbin x = two_sections();
    x.loose = {{x.sections[1].offset + 2, {'X', 'C', 0, 0}}};
    EXPECT_EQ(parse_xclbin(serialize(x)), x);
    // A signature follows the length.
    x.header.signature_length = 4;
    const Bytes bytes = serialize(x);
    Reader reader(bytes, "test");
    reader.seek(304, "length");
    EXPECT_EQ(reader.u64("length"), bytes.size() - 4);
    EXPECT_EQ(parse_xclbin(bytes), x);
}

TEST(Xclbin, SectionsInAnyOrderComeBack) {
    Xclbin x = two_sections();
    std::swap(x.sections[0].offset, x.sections[1].offset);
    const Bytes bytes = serialize(x);
    EXPECT_EQ(parse_xclbin(bytes).sections, x.sections);
    EXPECT_EQ(serialize(parse_xclbin(bytes)), bytes);
}

TEST(Xclbin, ErrorsSayWhereAndWhat) {
    const Bytes good = serialize(two_sections());
    const auto changed = [&](size_t at, uint8_t value) {
        Bytes copy = good;
        copy[at] = value;
        return copy;
    };
    EXPECT_FORMAT_ERROR(parse_xclbin(changed(0, 'X')), 0, "magic", 0x326E69626C6358);
    EXPECT_FORMAT_ERROR(parse_xclbin(changed(304, 1)), 304, "length",
                        (good.size() & ~size_t{0xFF}) | 1);
    EXPECT_FORMAT_ERROR(parse_xclbin(changed(450, 2)), 448, "section count", 0x20002);
    EXPECT_FORMAT_ERROR(parse_xclbin(changed(456 + 33, 9)), 456 + 24, "section 0 offset", 456 + 80);
    // The second section moved onto the first.
    EXPECT_FORMAT_ERROR(parse_xclbin(changed(496 + 24, 0x18)), 456 + 80, "section 1", 2);
}

TEST(AiePartition, HoldsWhatTheRecipeSays) {
    const Xclbin x = samples::xclbin();
    const Bytes& section = x.section(SectionKind::kAiePartition)->data;
    const AiePartition p = parse_aie_partition(section);
    EXPECT_EQ(p.columns, 2);
    EXPECT_EQ(p.start_columns, (std::vector<uint16_t>{1, 2, 3}));
    ASSERT_EQ(p.pdis.size(), 1U);
    EXPECT_EQ(p.pdis[0].image, serialize(samples::pdi()));
    EXPECT_EQ(p.pdis[0].groups.at(0).pre_groups, std::vector<uint64_t>{0xC1});
    EXPECT_EQ(p.pdi_for(0x901), &p.pdis[0]);
    EXPECT_EQ(p.pdi_for(0x902), nullptr);
    EXPECT_EQ(serialize(p), section);
}

TEST(AiePartition, SeveralPdisAndGroupsComeBack) {
    AiePartition p;
    p.name = "QoS";
    p.kernel_commit_id = "0123abcd";
    p.columns = 4;
    p.pdis.resize(2);
    p.pdis[0].image = {1, 2, 3};
    p.pdis[0].groups = {{"a", CdoGroup::kPrimary, 1, {0x101, 0x102}, {}},
                        {"b", CdoGroup::kLite, 2, {}, {1, 2, 3}}};
    p.pdis[1].uuid[0] = 9;
    EXPECT_EQ(parse_aie_partition(serialize(p)), p);
    p.kernel_commit_id.reset();
    EXPECT_EQ(parse_aie_partition(serialize(p)), p);
}

TEST(AiePartition, ErrorsSayWhereAndWhat) {
    AiePartition p;
    p.pdis.resize(1);
    p.pdis[0].image = Bytes(64, 7);
    const Bytes good = serialize(p);
    const auto changed = [&](size_t at, uint8_t value) {
        Bytes copy = good;
        copy[at] = value;
        return copy;
    };
    EXPECT_FORMAT_ERROR(parse_aie_partition(changed(6, 9)), 4, "name", 0x900B8);
    EXPECT_FORMAT_ERROR(parse_aie_partition(changed(0x79, 1)), 0x100, "PDIs count", 0x101);
    EXPECT_FORMAT_ERROR(parse_aie_partition(ByteView(good).first(100)), 4, "name", 0xB8);
}

TEST(IpLayout, PropertiesCarryTheKernelId) {
    const IpLayout layout =
        parse_ip_layout(samples::xclbin().section(SectionKind::kIpLayout)->data);
    ASSERT_EQ(layout.ips.size(), 1U);
    EXPECT_EQ(layout.ips[0].properties, 0x09010001U);
    EXPECT_EQ(layout.ips[0].kernel_id(), 0x901U);
    EXPECT_EQ(layout.ips[0].subtype(), Ip::kDpu);
    EXPECT_EQ(layout.ips[0].name.view(), "MLIR_AIE:MLIRAIE");
    Bytes section = serialize(layout);
    section.push_back(0);
    EXPECT_FORMAT_ERROR(parse_ip_layout(section), 0, "count", 1);
}

TEST(EmbeddedMetadata, IsWrittenAsXclbinutilWritesIt) {
    const Bytes section = samples::xclbin().section(SectionKind::kEmbeddedMetadata)->data;
    const std::string xml(section.begin(), section.end());
    EXPECT_NE(
        xml.find("<kernel name=\"MLIR_AIE\" language=\"c\" type=\"dpu\">\n"
                 "          <extended-data subtype=\"1\" functional=\"0\" "
                 "dpu_kernel_id=\"0x901\"/>\n"
                 "          <arg name=\"opcode\" addressQualifier=\"0\" id=\"0\" size=\"0x8\" "
                 "offset=\"0x00\" hostOffset=\"0x0\" hostSize=\"0x8\" type=\"uint64_t\"/>\n"),
        std::string::npos)
        << xml;
    EXPECT_EQ(serialize(parse_embedded_metadata(section)), section);
}

TEST(EmbeddedMetadata, XmlOfOthersIsReadWithinReason) {
    const auto parse = [](const std::string& xml) {
        return parse_embedded_metadata({reinterpret_cast<const uint8_t*>(xml.data()), xml.size()});
    };
    const EmbeddedMetadata m = parse(
        "<?xml version='1.0'?><!-- a --><project name=\"x\"><platform><device><core>"
        "<connection/><kernel\n name='a&lt;b' vlnv=\"v\"><arg name='n' id='' size='12' "
        "offset='0x1C'/>"
        "<string value='s'/></kernel></core></device></platform></project>");
    ASSERT_EQ(m.kernels.size(), 1U);
    EXPECT_EQ(m.kernels[0].name, "a<b");
    ASSERT_EQ(m.kernels[0].arguments.size(), 1U);
    EXPECT_FALSE(m.kernels[0].arguments[0].id);
    EXPECT_EQ(m.kernels[0].arguments[0].size, 12U);
    EXPECT_EQ(m.kernels[0].arguments[0].offset, 0x1CU);

    EXPECT_FORMAT_ERROR(parse("<a><b></a>"), 9, "end tag", '>');
    EXPECT_FORMAT_ERROR(parse("<a>"), 3, "element", 0);
    EXPECT_FORMAT_ERROR(parse("<!DOCTYPE a>"), 0, "declaration", '<');
    EXPECT_FORMAT_ERROR(parse("<a b='&x;'>"), 6, "attribute", '&');
    EXPECT_FORMAT_ERROR(parse("<project><platform><device><core><kernel><arg size='9z'/>"), 42,
                        "arg size", '9');
}

TEST(XclbinRecipe, TheSameRecipeGivesTheSameBytes) {
    const XclbinRecipe recipe = transaction_recipe(serialize(samples::pdi()), 1);
    const Xclbin x = make_xclbin(recipe);
    EXPECT_EQ(serialize(x), serialize(make_xclbin(recipe)));
    EXPECT_NE(x.header.uuid, Uuid{});
    EXPECT_EQ(parse_xclbin(serialize(x)), x);

    XclbinRecipe other = recipe;
    other.pdis[0].image.back() ^= 1;
    EXPECT_NE(make_xclbin(other).header.uuid, x.header.uuid);
}

TEST(XclbinRecipe, IsFoundAgainInItsXclbin) {
    XclbinRecipe recipe = transaction_recipe(serialize(samples::pdi()), 3, 2);
    recipe.kernels[0].instances = {"one", "two"};
    recipe.time_stamp = 1234;
    const Xclbin x = make_xclbin(recipe);
    EXPECT_EQ(make_xclbin(recipe_of(x)), x);

    const Connectivity c = parse_connectivity(x.section(SectionKind::kConnectivity)->data);
    EXPECT_EQ(c.connections, (std::vector<Connection>{{1, 0, 1},
                                                      {3, 0, 0},
                                                      {4, 0, 0},  // instr, bo0, bo1
                                                      {1, 1, 1},
                                                      {3, 1, 0},
                                                      {4, 1, 0}}));
}

TEST(XclbinRecipe, ContradictionsAreNamed) {
    const XclbinRecipe good = transaction_recipe(serialize(samples::pdi()), 1, 1);
    XclbinRecipe recipe = good;
    recipe.kernels[0].kernel_id = 0x123;
    EXPECT_FORMAT_ERROR(make_xclbin(recipe), 0, "kernel id of MLIR_AIE", 0x123);
    recipe = good;
    recipe.kernels.push_back(recipe.kernels[0]);
    EXPECT_FORMAT_ERROR(make_xclbin(recipe), 0, "kernel name", 0);
    recipe = good;
    recipe.kernels[0].arguments[1].bank = "DDR";
    EXPECT_FORMAT_ERROR(make_xclbin(recipe), 0, "bank of argument instr", 0);
    recipe = good;
    recipe.kernels[0].arguments[0].type = "float4";
    EXPECT_FORMAT_ERROR(make_xclbin(recipe), 0, "type of argument opcode", 0);
    recipe = good;
    recipe.kernels[0].instances = {std::string(60, 'x')};
    EXPECT_FORMAT_ERROR(make_xclbin(recipe), 0, "kernel and instance name", 69);
    recipe = good;
    recipe.columns = 0;
    EXPECT_FORMAT_ERROR(make_xclbin(recipe), 0, "columns", 0);
    EXPECT_FORMAT_ERROR(recipe_of(two_sections()), 0, "section", 32);
}

}  // namespace
}  // namespace xdna::image
