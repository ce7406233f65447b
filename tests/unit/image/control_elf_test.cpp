#include "libxdna/image/control_elf.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/image/expect_error.hpp"
#include "tests/unit/image/samples.hpp"

namespace xdna::image {
namespace {

uint32_t word(const ControlElf& elf, size_t index) {
    Reader reader(elf.section(".ctrltext")->data, "test");
    reader.seek(4 * index, "word");
    return reader.u32("word");
}

TEST(ControlElf, SectionsSymbolsAndRelocationsAreRead) {
    const ControlElf elf = parse_control_elf(samples::control_elf());
    EXPECT_EQ(elf.machine, 1);
    EXPECT_EQ(elf.os_abi, 64);
    ASSERT_NE(elf.section(".ctrltext"), nullptr);
    EXPECT_EQ(elf.section(".ctrltext")->data.size(), 64U);
    EXPECT_EQ(elf.section(".nothing"), nullptr);
    ASSERT_EQ(elf.symbols.size(), 3U);
    EXPECT_EQ(elf.symbols[1].name, "3");
    ASSERT_EQ(elf.relocations.size(), 4U);
    EXPECT_EQ(elf.relocations[0].schema, PatchSchema::kShimDma48);
    EXPECT_EQ(elf.relocations[0].addend, 64);
    EXPECT_EQ(schema_name(elf.relocations[3].schema), "address_64");
}

TEST(ControlElf, EachSchemaPatchesItsWords) {
    ControlElf elf = parse_control_elf(samples::control_elf());
    const auto& r = elf.relocations;
    // Base 0x1000 with bits of packet configuration above it, + 64 + the host memory offset.
    apply_relocation(elf, r[0], 0x7FFF00000100);
    EXPECT_EQ(word(elf, 1), 0x80001140U);
    EXPECT_EQ(word(elf, 2), 0x40008000U) << "carried out of word 1 into 0x7FFF + 1";
    apply_relocation(elf, r[1], 0x100000000);
    EXPECT_EQ(word(elf, 10), 0x80000020U);
    EXPECT_EQ(word(elf, 11), 0x7001U & 0xFFFU);
    apply_relocation(elf, r[2], 0x00550000);
    EXPECT_EQ(word(elf, 12), 0xBB55AAAAU);
    apply_relocation(elf, r[3], 0x123456789ABCDEF0);
    EXPECT_EQ(word(elf, 14), 0x9ABCDEF0U);
    EXPECT_EQ(word(elf, 15), 0x12345678U);
}

TEST(ControlElf, APlaceOutsideItsSectionIsNotPatched) {
    ControlElf elf = parse_control_elf(samples::control_elf());
    ElfRelocation r = elf.relocations[0];
    r.offset = 56;
    EXPECT_FORMAT_ERROR(apply_relocation(elf, r, 0), 56, "relocation offset", 56);
    r.offset = 0;
    r.schema = static_cast<PatchSchema>(1);
    EXPECT_FORMAT_ERROR(apply_relocation(elf, r, 0), 0, "relocation schema", 1);
}

TEST(ControlElf, OtherFilesAreRefusedByName) {
    Bytes bytes = samples::control_elf();
    bytes[4] = 2;
    EXPECT_FORMAT_ERROR(parse_control_elf(bytes), 4, "class", 2);
    bytes[0] = 'X';
    EXPECT_FORMAT_ERROR(parse_control_elf(bytes), 0, "magic", 0x464C4558);
}

TEST(ControlElf, CompiledCoreProgramsAreReadToo) {
    const std::filesystem::path folder = "../shared/isa/elf";
    if (!std::filesystem::is_directory(folder)) {
        GTEST_SKIP() << folder << " is not there";
    }
    size_t read = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".elf") {
            std::ifstream file(entry.path(), std::ios::binary);
            const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
            const ControlElf elf = parse_control_elf(bytes);
            EXPECT_EQ(elf.machine, 264) << entry.path();  // notes/formats.md 5
            EXPECT_NE(elf.section(".text"), nullptr) << entry.path();
            ++read;
        }
    }
    EXPECT_GT(read, 0U);
}

}  // namespace
}  // namespace xdna::image
