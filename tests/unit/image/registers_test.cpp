#include "libxdna/image/registers.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace xdna::image {
namespace {

TEST(Registers, EveryFieldLiesInItsRegisterAndNoTwoShareABit) {
    for (const Register& reg : registers()) {
        std::set<unsigned> taken;
        unsigned fields = 0;
        for_each_field(reg, [&](const Field& f) {
            ++fields;
            EXPECT_FALSE(f.name.empty()) << reg.name;
            EXPECT_LE(f.lsb + f.width, reg.bits) << reg.name << '.' << f.name;
            for (unsigned bit = f.lsb; bit < unsigned{f.lsb} + f.width; ++bit) {
                EXPECT_TRUE(taken.insert(bit).second)
                    << reg.name << '.' << f.name << " bit " << bit;
            }
        });
        EXPECT_GT(fields, 0U) << reg.name;
    }
}

TEST(Registers, EveryElementIsFoundAtItsOwnOffsetUnderAnUnambiguousName) {
    std::map<std::pair<TileKind, std::string>, uint32_t> names;
    size_t elements = 0;
    for (const Register& reg : registers()) {
        const TileKind tile = tile_kind(reg.module);
        for (uint32_t i = 0; i < reg.outer.count; ++i) {
            for (uint32_t j = 0; j < reg.inner.count; ++j) {
                const uint32_t offset = reg.offset_of(i, j);
                ASSERT_LT(offset, 1U << 20) << reg.name;
                const auto hit = find_register(tile, offset + reg.bits / 8 - 1);
                ASSERT_TRUE(hit) << reg.name << " at " << offset;
                EXPECT_EQ(hit->reg, &reg);
                EXPECT_EQ(hit->i, i);
                EXPECT_EQ(hit->j, j);
                EXPECT_EQ(hit->byte, reg.bits / 8U - 1);
                const auto [it, fresh] =
                    names.try_emplace({tile, register_name(tile, offset)}, offset);
                EXPECT_TRUE(fresh) << it->first.second << " also at " << it->second;
                ++elements;
            }
        }
    }
    EXPECT_GT(elements, 1800U);
}

TEST(Registers, NamesFollowTheNumbersOfTheirRepeats) {
    // Offsets: notes/array.md sections 1 to 5.
    EXPECT_EQ(register_name(TileKind::kShim, 0x1D000 + 3 * 0x20 + 4), "noc.DMA_BD3_1");
    EXPECT_EQ(register_name(TileKind::kShim, 0x1D214), "noc.DMA_MM2S_0_Task_Queue");
    EXPECT_EQ(register_name(TileKind::kMem, 0xA0000 + 47 * 0x20 + 0x1C), "memtile.DMA_BD47_7");
    EXPECT_EQ(register_name(TileKind::kMem, 0xC0000 + 63 * 16), "memtile.Lock63_value");
    EXPECT_EQ(register_name(TileKind::kCore, 0x32000), "core.Core_Control");
    EXPECT_EQ(register_name(TileKind::kCore, 0x1DE0C), "memory.DMA_S2MM_1_Start_Queue");
    EXPECT_EQ(register_name(TileKind::kCore, 0x3F2C0 + 8), "core.Stream_Switch_Slave_West_1_Slot2");
    EXPECT_EQ(register_name(TileKind::kCore, 0x30010), "core.Core_AMLL0_Part2");
    EXPECT_EQ(register_name(TileKind::kCore, 0x30014), "core.Core_AMLL0_Part2+0x4");
}

TEST(Registers, MemoriesAreNamedByByteOffset) {
    EXPECT_EQ(register_name(TileKind::kCore, 0), "memory.DataMemory");
    EXPECT_EQ(register_name(TileKind::kCore, 0xFFFF), "memory.DataMemory+0xffff");
    EXPECT_EQ(register_name(TileKind::kCore, 0x23FFC), "core.Program_Memory+0x3ffc");
    EXPECT_EQ(register_name(TileKind::kMem, 0x7FFFC), "memtile.DataMemory+0x7fffc");
    EXPECT_EQ(find_register(TileKind::kMem, 0x7FFFC)->i, 0x7FFFU);
}

TEST(Registers, AnOffsetOutsideEveryRegisterIsNotFound) {
    EXPECT_FALSE(find_register(TileKind::kShim, 0));
    EXPECT_FALSE(find_register(TileKind::kCore, 0x10000));
    EXPECT_FALSE(find_register(TileKind::kCore, 0x24000));
    EXPECT_FALSE(find_register(TileKind::kMem, 0xFFFFF));
    EXPECT_EQ(register_name(TileKind::kShim, 0x1D999), "0x1d999");
}

TEST(Registers, FieldsAreCompileTimeConstants) {
    constexpr Field kLength = field(Module::kMemory, "DMA_BD{}_0", "Buffer_Length");
    static_assert(kLength.mask() == 0x3FFF);
    constexpr Field kValid = field(Module::kNoc, "DMA_BD{}_7", "Valid_BD");
    static_assert(kValid.lsb == 25 && kValid.width == 1 && kValid.put(1) == 1U << 25);
    static_assert(field(Module::kMemory, "DMA_S2MM_Status_{}", "Cur_BD").access == Access::kRo);
    static_assert(register_row(Module::kCore, "Core_Control").reset == 2);
    static_assert(register_row(Module::kMemTile, "DMA_BD{}_7").offset_of(47) == 0xA05FC);
    EXPECT_EQ(kLength.get(0xFFFFFFFF), 0x3FFFU);
}

TEST(Registers, TileAddressesEncodeColumnRowAndOffset) {
    const TileAddress address = TileAddress::decode(0x0401D204);
    EXPECT_EQ(address.column, 2U);
    EXPECT_EQ(address.row, 0U);
    EXPECT_EQ(address.offset, 0x1D204U);
    EXPECT_EQ(address.kind(), TileKind::kShim);
    EXPECT_EQ(address.encode(), 0x0401D204U);
    EXPECT_EQ(TileAddress::decode(0x00132000).kind(), TileKind::kMem);
    EXPECT_EQ(TileAddress::decode(0x00232000).kind(), TileKind::kCore);
}

}  // namespace
}  // namespace xdna::image
