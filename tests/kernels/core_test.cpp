// Cores at work between DMAs: data comes in, is computed on, and goes out.
#include <numeric>

#include "kernels/flow/design.hpp"
#include "kernels/flow/sequence.hpp"
#include "tests/kernels/session.hpp"
#include "tests/support/assemble.hpp"

namespace xdna::test {
namespace {

using flow::Bd;
using flow::Direction;

constexpr flow::Tile kShim{0, 0};
constexpr uint32_t kWords = 64;
constexpr uint32_t kOut = 0x1000;  // bytes into the core tile's memory

// The locks of the tile, and as its own core numbers them: from 48 on.
enum Lock { kInFree, kInFull, kOutFree, kOutFull };

/// Blocks of kWords words from the shim into `tile`, and others from there back, between which its
/// core runs `program`.
Bytes around_core(flow::Tile tile, const char* program) {
    flow::Design design(1);
    design.stream({kShim, Direction::kMm2s, 0}, {{tile, Direction::kS2mm, 0}});
    design.stream({tile, Direction::kMm2s, 0}, {{kShim, Direction::kS2mm, 0}});
    design.lock(tile, kInFree, 1);
    design.lock(tile, kOutFree, 1);
    Bd in;
    in.words = kWords;
    in.acquire = {kInFree, 1};
    in.release = {kInFull, 1};
    in.next = 0;
    Bd out;
    out.address = kOut;
    out.words = kWords;
    out.acquire = {kOutFull, 1};
    out.release = {kOutFree, 1};
    out.next = 1;
    design.bd(tile, 0, in);
    design.bd(tile, 1, out);
    design.start(tile, Direction::kS2mm, 0, 0);
    design.start(tile, Direction::kMm2s, 0, 1);
    design.core(tile, assemble(program));
    return design.pdi();
}

/// Sends buffer 0, of `words` words, and waits for as many in buffer 1.
std::vector<uint8_t> there_and_back(uint32_t words) {
    flow::Sequence sequence(1);
    Bd bd;
    bd.words = words;
    sequence.bd(0, 0, bd, 0);
    sequence.bd(0, 1, bd, 1);
    sequence.start(kShim, Direction::kS2mm, 0, 1, 1, true);
    sequence.start(kShim, Direction::kMm2s, 0, 0);
    sequence.wait(kShim, Direction::kS2mm, 0);
    return sequence.code();
}

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

Bytes bytes_of(const std::vector<uint32_t>& words) {
    const auto* first = reinterpret_cast<const uint8_t*>(words.data());
    return {first, first + words.size() * 4};
}

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
