// Programs of cores inside a PDI.

#include "kernels/as/cores.hpp"

#include <gtest/gtest.h>

#include "libxdna/image/registers.hpp"
#include "tests/unit/as/assemble.hpp"

namespace xdna::as {
namespace {

TEST(Cores, AreFoundInWhatAPdiWrites) {
    const auto program = run_good("movxm sp, #458752\nmova r0, #1; movx r1, #2\ndone\nnop\n");
    std::vector<std::uint8_t> bytes = program.section().bytes;
    while (bytes.size() % 4 != 0)
        bytes.push_back(0);
    image::Words words;
    for (std::size_t i = 0; i < bytes.size(); i += 4)
        words.push_back(bytes[i] | bytes[i + 1] << 8 | bytes[i + 2] << 16 |
                        static_cast<std::uint32_t>(bytes[i + 3]) << 24);
    const auto tile = [](std::uint32_t column, std::uint32_t row, std::uint32_t offset) {
        return std::uint64_t{image::TileAddress{column, row, offset}.encode()};
    };
    image::Cdo cdo;
    using namespace image::cdo;
    cdo.commands.push_back({Fill{tile(0, 2, 0x20000), 4, 0xffffffff}});
    cdo.commands.push_back({DmaWrite{tile(0, 2, 0x20000), words}});
    cdo.commands.push_back({Write{tile(0, 2, 0x20100), 1}});  // a piece of its own
    cdo.commands.push_back({Write{tile(1, 3, 0x23ffc), 1}});  // the last word
    cdo.commands.push_back({Write{tile(1, 3, 0x24000), 1}});  // past it
    cdo.commands.push_back({Write{tile(0, 2, 0x0), 1}});      // data memory
    cdo.commands.push_back({Write{tile(0, 1, 0x20000), 1}});  // a memory tile
    const auto cores = core_programs(image::make_pdi(cdo));
    ASSERT_EQ(cores.size(), 2U);
    EXPECT_EQ(cores[0].column, 0U);
    EXPECT_EQ(cores[0].row, 2U);
    ASSERT_EQ(cores[0].pieces.size(), 2U);
    EXPECT_EQ(cores[0].pieces[0].address, 0U);
    EXPECT_EQ(cores[0].pieces[0].bytes, bytes);
    EXPECT_EQ(cores[0].pieces[1].address, 0x100U);
    EXPECT_EQ(cores[1].column, 1U);
    EXPECT_EQ(cores[1].pieces[0].address, 0x3ffcU);
    EXPECT_EQ(cores[1].pieces[0].bytes.size(), 4U);
}

}  // namespace
}  // namespace xdna::as
