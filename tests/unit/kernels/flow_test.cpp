// Cores, objects and sizes as a kernel's author writes them with kernels/flow: two cores of a
// column add a number that each command brings to words that a memory tile gives to both.
#include <gtest/gtest.h>

#include <numeric>

#include "kernels/as/assembler.hpp"
#include "kernels/flow/sequence.hpp"
#include "tests/support/npu.hpp"

namespace xdna::kernels::test {
namespace {

using flow::Bd;
using flow::Buffers;
using flow::Design;
using flow::Direction;
using flow::Sequence;
using flow::Tile;

constexpr Tile kShim{0, 0};
constexpr Tile kMemory{0, 1};
constexpr Tile kCores[] = {{0, 2}, {0, 3}};
constexpr uint32_t kWords = 16;
constexpr uint32_t kNumber = 0x4000;  // where the command puts what is to be added

Bytes assemble(const std::string& source) {
    as::Options options;
    options.insert_nops = true;
    as::Diagnostics diagnostics;
    const auto object = as::assemble("test.s", source, options, diagnostics);
    for (const auto& each : diagnostics.list()) {
        ADD_FAILURE() << each.message;
    }
    return object ? as::flat_program(as::link(*object)) : Bytes{};
}

// One buffer in, one out; words 0 to 15 one after the other.
std::string adder() {
    std::string source =
        "mova r10, #-1\nmova r11, #1\nmovxm p2, #0x74000\n"
        ".align 16\nobject:\n"
        "movxm p0, #0x70000\nmovxm p1, #0x71000\n"
        "acq #48, r10\nacq #50, r10\nnop\nnop\nnop\nlda r2, [p2, #0]\n";
    for (uint32_t i = 0; i < kWords; ++i) {
        source += "lda r0, [p0], #4\nadd r0, r0, r2\nst r0, [p1], #4\n";
    }
    return source +
           "nop\nnop\nnop\nnop\nnop\nrel #49, r11\nrel #51, r11\nj #object\n"
           "nop\nnop\nnop\nnop\nnop\n";
}

Design design() {
    Design design(1);
    const Buffers staged{{0, 4 * kWords}, kWords, 0, 1};
    design.stream({kShim, Direction::kMm2s, 0}, {{kMemory, Direction::kS2mm, 0}});
    design.loop({kMemory, Direction::kS2mm, 0}, {staged});
    design.stream({kMemory, Direction::kMm2s, 0},
                  {{kCores[0], Direction::kS2mm, 0}, {kCores[1], Direction::kS2mm, 0}});
    design.loop({kMemory, Direction::kMm2s, 0}, {staged});

    const Bytes code = assemble(adder());
    std::vector<Buffers> results;
    for (int i = 0; i < 2; ++i) {
        // The core takes the full lock of its input as 48 + 0, and so on.
        design.core(kCores[i], code);
        design.loop({kCores[i], Direction::kS2mm, 0}, {{{0}, kWords, 1, 0}});
        design.loop({kCores[i], Direction::kMm2s, 0}, {{{0x1000}, kWords, 2, 3}});
        design.stream({kCores[i], Direction::kMm2s, 0}, {{kMemory, Direction::kS2mm, 1 + i}});
        const auto at = static_cast<uint32_t>(0x1000 * (1 + i));
        results.push_back({{at, at + 4 * kWords}, kWords, 2 + 2 * i, 3 + 2 * i});
        design.loop({kMemory, Direction::kS2mm, 1 + i}, {results.back()});
    }
    // Joined: a buffer of the first core, one of the second, and so on.
    design.stream({kMemory, Direction::kMm2s, 1}, {{kShim, Direction::kS2mm, 0}});
    design.loop({kMemory, Direction::kMm2s, 1}, results);
    return design;
}

Command command(uint32_t objects, std::array<uint32_t, 2> numbers) {
    Sequence sequence(1);
    for (size_t i = 0; i < 2; ++i) {
        sequence.data(kCores[i], kNumber, {numbers[i]});
    }
    Bd bd;
    bd.words = objects * kWords;
    sequence.bd(0, 0, bd, 0);
    bd.words *= 2;
    sequence.bd(0, 1, bd, 1);
    sequence.start(kShim, Direction::kMm2s, 0, 0);
    sequence.start(kShim, Direction::kS2mm, 0, 1, 1, true);
    sequence.wait(kShim, Direction::kS2mm, 0);
    return {sequence.code(),
            {{"in", objects * kWords * 4, false}, {"out", objects * kWords * 8, true}}};
}

TEST(Flow, CoresTakeObjectsAndSizesOfEachCommand) {
    Npu npu(design());
    // Any number of objects, command after command, without another set-up.
    for (const uint32_t objects : {1U, 2U, 7U}) {
        std::vector<uint32_t> in(objects * kWords);
        std::iota(in.begin(), in.end(), 1000 * objects);
        const auto* bytes = reinterpret_cast<const uint8_t*>(in.data());
        const std::vector<Bytes> inputs = {{bytes, bytes + in.size() * 4}};
        const std::array<uint32_t, 2> numbers = {objects, 0x10000 * objects};
        const auto outputs = npu.run(command(objects, numbers), inputs);
        std::vector<uint32_t> out(2 * in.size());
        std::memcpy(out.data(), outputs.at(0).data(), out.size() * 4);
        for (size_t i = 0; i < out.size(); ++i) {
            const size_t block = i / kWords;
            ASSERT_EQ(out[i], in[block / 2 * kWords + i % kWords] + numbers[block % 2]) << i;
        }
    }
}

TEST(Flow, RefusesWhatATileCannotHold) {
    Design design(1);
    EXPECT_THROW(design.core(kMemory, Bytes(16)), std::invalid_argument);
    EXPECT_THROW(design.core(kCores[0], Bytes(16 * 1024 + 1)), std::invalid_argument);
    EXPECT_THROW(design.data(kCores[0], 0xFFFC, {1, 2}), std::invalid_argument);
    EXPECT_THROW(design.loop({kCores[0], Direction::kS2mm, 0}, {}), std::invalid_argument);
    const Buffers many{std::vector<uint32_t>(17, 0), 4, 0, 1};
    EXPECT_THROW(design.loop({kCores[0], Direction::kS2mm, 0}, {many}), std::invalid_argument);
    // Three buffers are not taken two in a row; and all objects of a loop have as many.
    const Buffers three{{0, 64, 128}, 4, 0, 1};
    EXPECT_THROW(design.loop({kCores[0], Direction::kMm2s, 0}, {three}, {}, 2),
                 std::invalid_argument);
    EXPECT_THROW(design.loop({kCores[0], Direction::kMm2s, 0}, {three, {{192}, 4, 2, 3}}),
                 std::invalid_argument);
    Sequence sequence(1);
    EXPECT_THROW(sequence.data(kShim, 0, {1}), std::invalid_argument);
}

}  // namespace
}  // namespace xdna::kernels::test
