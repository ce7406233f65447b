// The kernels that move data, over their sizes, against what they say they do.
#include <cstring>
#include <initializer_list>
#include <random>
#include <tuple>

#include <gtest/gtest.h>

#include "kernels/catalog.hpp"
#include "tests/kernels/session.hpp"

namespace xdna::test {
namespace {

using kernels::Shape;

constexpr uint64_t kMiB = 1 << 20;
// The largest that a kernel takes; with sanitizers passthrough alone is given that much.
#ifdef __SANITIZE_ADDRESS__
constexpr uint64_t kLarge = 4 * kMiB;
#else
constexpr uint64_t kLarge = 64 * kMiB;
#endif
constexpr uint64_t kBlock = 128 * 1024;  // what passthrough and broadcast stage at a time

Bytes noise(uint64_t bytes, uint64_t seed) {
    std::mt19937_64 random(seed);
    Bytes out(bytes);
    for (size_t i = 0; i < bytes; i += 8) {
        const uint64_t word = random();
        std::memcpy(&out[i], &word, std::min<size_t>(8, bytes - i));
    }
    return out;
}

void check(std::string_view name, const std::vector<Shape>& shapes) {
    const kernels::Kernel* kernel = kernels::find(name);
    ASSERT_NE(kernel, nullptr);
    const flow::Design design = kernel->design();
    Session session(design.columns(), design.pdi());
    for (const Shape& shape : shapes) {
        const kernels::Command command = kernel->command(shape);
        std::vector<Bytes> buffers;
        std::vector<Bytes> inputs;
        for (const kernels::Argument& argument : command.arguments) {
            buffers.push_back(argument.output ? Bytes(argument.bytes, 0xA5)
                                              : noise(argument.bytes, 7 + buffers.size()));
            if (!argument.output) {
                inputs.push_back(buffers.back());
            }
        }
        session.run(command.code, buffers);
        const std::vector<Bytes> expected = kernel->reference(shape, inputs);
        size_t output = 0;
        size_t input = 0;
        for (size_t i = 0; i < buffers.size(); ++i) {
            const kernels::Argument& argument = command.arguments[i];
            // Not EXPECT_EQ: it would print megabytes.
            EXPECT_TRUE(buffers[i] == (argument.output ? expected[output++] : inputs[input++]))
                << argument.name << " of " << shape.bytes << " bytes, " << shape.rows << " x "
                << shape.columns;
        }
    }
}

std::vector<Shape> sizes(std::initializer_list<uint64_t> all) {
    std::vector<Shape> shapes;
    for (const uint64_t bytes : all) {
        shapes.push_back({.bytes = bytes});
    }
    return shapes;
}

TEST(Catalog, PassthroughCopiesEverySize) {
    check("passthrough", sizes({1,
                                2,
                                3,
                                4,
                                5,
                                63,
                                64,
                                65,
                                4095,
                                4096,
                                4097,
                                kBlock - 1,
                                kBlock,
                                kBlock + 1,
                                2 * kBlock - 4,
                                2 * kBlock,
                                2 * kBlock + 3,
                                3 * kBlock + 5,
                                kMiB + 1,
                                64 * kMiB}));
}

TEST(Catalog, BroadcastCopiesEverySizeFourTimes) {
    check("broadcast", sizes({1, 6, 4096, kBlock - 1, kBlock + 1, 2 * kBlock, 2 * kBlock + 7,
                              3 * kBlock, kLarge}));
}

TEST(Catalog, JoinTakesBlocksInTurn) {
    // 64 KiB of each input at a time; 64 MiB are made of four inputs of 16 MiB.
    check("join", sizes({4, 8, 4092, kBlock / 2 - 4, kBlock / 2, kBlock / 2 + 4, kBlock, kBlock + 4,
                         3 * kBlock / 2, 2 * kBlock + 40, kLarge / 4}));
}

TEST(Catalog, TransposeTakesEveryShape) {
    std::vector<Shape> shapes;
    for (const auto& [rows, columns] :
         std::initializer_list<std::pair<uint64_t, uint64_t>>{{1, 1},
                                                              {1, 7},
                                                              {7, 1},
                                                              {3, 5},
                                                              {1, 1000},
                                                              {1000, 1},
                                                              {128, 256},
                                                              {129, 257},
                                                              {255, 127},
                                                              {256, 129},
                                                              {1023, 129},
                                                              {1024, 64},
                                                              {4096, kLarge / 4 / 4096}}) {
        shapes.push_back({.rows = rows, .columns = columns});
    }
    check("transpose", shapes);
}

TEST(Catalog, SizesThatAKernelCannotTakeAreNamed) {
    for (const auto& [name, shape, member] :
         std::initializer_list<std::tuple<const char*, Shape, const char*>>{
             {"passthrough", {.bytes = 0}, "bytes"},
             {"passthrough", {.bytes = 64 * kMiB + 1}, "bytes"},
             {"broadcast", {.bytes = 0}, "bytes"},
             {"join", {.bytes = 6}, "bytes"},
             {"transpose", {.rows = 0, .columns = 4}, "rows"},
             {"transpose", {.rows = 4, .columns = 0}, "columns"}}) {
        try {
            kernels::find(name)->command(shape);
            ADD_FAILURE() << name << " took it";
        } catch (const std::invalid_argument& error) {
            EXPECT_TRUE(std::string(error.what()).starts_with(member)) << error.what();
        }
    }
}

}  // namespace
}  // namespace xdna::test
