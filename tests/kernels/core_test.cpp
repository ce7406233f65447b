// Cores at work between DMAs: data comes in, is computed on, and goes out.
#include <numeric>

#include "tests/kernels/one_core.hpp"
#include "tests/kernels/session.hpp"

namespace xdna::test {
namespace {

constexpr const char* kAddOne = R"(
        mova r0, #-1
        mova r1, #1
block:  acq #49, r0
        acq #50, r0
        movxm p0, #0x70000
        movxm p1, #0x71000
        mova r2, #64
word:   lda r3, [p0], #4
        add r3, r3, #1
        st r3, [p1], #4
        add r2, r2, #-1
        jnz r2, #word
        nop
        nop
        nop
        nop
        nop
        rel #48, r1
        rel #51, r1
        j #block
        nop
        nop
        nop
        nop
        nop
)";

TEST(Core, AddsOneToWhatTheDmaBringsAndTheDmaTakes) {
    for (const int row : {2, 5}) {
        const flow::Tile tile{0, row};
        Session session(1, around_core(tile, kAddOne));
        // One block, then many: the program goes on from command to command.
        for (const uint32_t blocks : {1U, 40U}) {
            std::vector<uint32_t> in(kWords * blocks);
            std::iota(in.begin(), in.end(), 0xFFFFFFF0U + blocks);
            std::vector<uint32_t> expected = in;
            for (uint32_t& word : expected) {
                ++word;
            }
            std::vector<Bytes> buffers = {bytes_of(in), Bytes(in.size() * 4)};
            session.run(there_and_back(kWords * blocks), buffers);
            EXPECT_EQ(buffers[1], bytes_of(expected)) << "row " << row << ", " << blocks;
        }
    }
}

TEST(Core, OneThatTrapsEndsTheCommandInAnError) {
    const flow::Tile tile{0, 2};
    Session session(1, around_core(tile, "movxm p0, #0x70001\nlda r0, [p0, #0]\ndone\n"));
    std::vector<Bytes> buffers(2, Bytes(kWords * 4));
    try {
        session.run(there_and_back(kWords), buffers);
        ADD_FAILURE() << "the command completed";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), EIO);
        EXPECT_NE(std::string(error.what()).find("'error'"), std::string::npos) << error.what();
    }
}

}  // namespace
}  // namespace xdna::test
