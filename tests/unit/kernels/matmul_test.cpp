// matmul: bit for bit against the reference, on the modelled array.
#include "kernels/matmul/matmul.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "kernels/matmul/requantise.hpp"
#include "tests/support/npu.hpp"

namespace xdna::kernels::test {
namespace {

Bytes random_bytes(size_t count, uint64_t seed) {
    std::mt19937_64 random(seed);
    Bytes bytes(count);
    for (uint8_t& byte : bytes) {
        byte = static_cast<uint8_t>(random());
    }
    return bytes;
}

// Runs a shape on inputs and compares every element.
void expect_exact(const Kernel& kernel, Npu& npu, const Shape& shape,
                  const std::vector<Bytes>& inputs) {
    const Command command = kernel.command(shape);
    std::vector<Bytes> buffers;
    for (size_t i = 0; i < inputs.size(); ++i) {
        buffers.push_back(to_device(command.arguments[i].tensor, inputs[i]));
    }
    const auto outputs = npu.run(command, buffers);
    const auto expected = kernel.reference(shape, inputs);
    const Bytes got = from_device(command.arguments.back().tensor, outputs[0]);
    ASSERT_EQ(got.size(), expected[0].size());
    size_t wrong = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        if (got[i] != expected[0][i] && wrong++ < 4) {
            ADD_FAILURE() << shape.m << " x " << shape.n << " x " << shape.k << ", byte " << i
                          << ": " << int{got[i]} << ", should be " << int{expected[0][i]};
        }
    }
    EXPECT_EQ(wrong, 0U) << "of " << got.size();
}

std::vector<Bytes> random_inputs(const Shape& shape, uint64_t seed) {
    return {random_bytes(shape.m * shape.k, seed), random_bytes(shape.k * shape.n, seed + 1)};
}

// Shapes around a core's tile (64 x 64 x 128) and off every edge.
TEST(Matmul, OneCoreAnyShape) {
    const Kernel& kernel = matmul_on_one_core("matmul_int8");
    Npu npu(kernel.design());
    const Shape shapes[] = {{.m = 64, .n = 64, .k = 128},  {.m = 1, .n = 1, .k = 1},
                            {.m = 3, .n = 5, .k = 7},      {.m = 65, .n = 63, .k = 129},
                            {.m = 31, .n = 131, .k = 257}, {.m = 128, .n = 192, .k = 1024},
                            {.m = 2, .n = 320, .k = 1153}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_inputs(shape, shape.m));
    }
}

// One task of each channel for all blocks (2 x 2, 3 x 2, 6 x 1, 1 x 7), then several: 3 x 3 blocks
// make more rounds than there are sets of BDs. B of the last is a BD for each block.
TEST(Matmul, SixteenCoresAnyShape) {
    const Kernel& kernel = *find("matmul_int8");
    Npu npu(kernel.design());
    const Shape shapes[] = {{.m = 257, .n = 263, .k = 131}, {.m = 700, .n = 300, .k = 3},
                            {.m = 1290, .n = 8, .k = 2},    {.m = 8, .n = 1537, .k = 100},
                            {.m = 600, .n = 600, .k = 1},   {.m = 4, .n = 300, .k = 1025}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_inputs(shape, shape.m));
    }
}

// Rows of blocks of C that are further apart than a BD's step reaches are not in one round.
TEST(Matmul, WideShapesHaveCommands) {
    for (const Kernel* kernel : matmul_kernels()) {
        for (const uint64_t n : {4096, 4097, 65536}) {
            EXPECT_NO_THROW(kernel->command({.m = 1025, .n = n, .k = 1024, .scale = 1}))
                << kernel->name() << " " << n;
        }
    }
}

TEST(Matmul, ExtremeValuesWrapAtNothing) {
    const Kernel& kernel = matmul_on_one_core("matmul_int8");
    Npu npu(kernel.design());
    const Shape shape{.m = 64, .n = 64, .k = 512};
    for (const auto& [a, b] : {std::pair{0x80, 0x80}, {0x7F, 0x80}, {0x80, 0x7F}, {0, 0x80}}) {
        expect_exact(kernel, npu, shape,
                     {Bytes(shape.m * shape.k, static_cast<uint8_t>(a)),
                      Bytes(shape.k * shape.n, static_cast<uint8_t>(b))});
    }
}

TEST(Matmul, Requantised) {
    const Kernel& kernel = matmul_on_one_core("matmul_int8_q");
    Npu npu(kernel.design());
    // Scales with and without a first shift; some sums saturate in each.
    const Shape shapes[] = {{.m = 64, .n = 128, .k = 128, .scale = 1.0 / 2000},
                            {.m = 70, .n = 131, .k = 300, .scale = 0.3},
                            {.m = 30, .n = 17, .k = 131, .scale = 20}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_inputs(shape, shape.m));
    }
}

TEST(Requantise, NearTheRealProduct) {
    std::mt19937 random(1);
    for (const double scale : {1e-7, 0.00031, 1.0 / 256, 0.01, 0.99, 1.0, 3.7, 16384.0}) {
        const auto by = Requantise::by(scale);
        EXPECT_LT(by.first, 32U);
        EXPECT_LT(by.second, 32U);
        for (int i = 0; i < 1000; ++i) {
            const double wanted = std::uniform_real_distribution(-140.0, 140.0)(random);
            const auto sum = static_cast<int32_t>(
                std::clamp(std::round(wanted / scale), -2147483648.0, 2147483647.0));
            const double exact = std::clamp(sum * scale, -128.0, 127.0);
            EXPECT_NEAR(by(sum), exact, 0.51) << scale << " " << sum;
        }
    }
    EXPECT_THROW(Requantise::by(0), std::invalid_argument);
    EXPECT_THROW(Requantise::by(1e6), std::invalid_argument);
}

std::vector<Bytes> random_int4_inputs(const Shape& shape, uint64_t seed) {
    auto inputs = random_inputs(shape, seed);
    for (uint8_t& value : inputs[1]) {
        value = static_cast<uint8_t>(value % 16 - 8);
    }
    return inputs;
}

// Shapes around a core's tile (64 x 128 x 128); tiles of one object, of two, of several.
TEST(Matmul, Int4) {
    const Kernel& kernel = matmul_on_one_core("matmul_int8_int4");
    Npu npu(kernel.design());
    const Shape shapes[] = {{.m = 64, .n = 128, .k = 128},  {.m = 1, .n = 1, .k = 1},
                            {.m = 3, .n = 5, .k = 7},       {.m = 65, .n = 131, .k = 260},
                            {.m = 17, .n = 130, .k = 1153}, {.m = 200, .n = 300, .k = 100}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_int4_inputs(shape, shape.m));
    }
}

TEST(Matmul, Int4ExtremeValues) {
    const Kernel& kernel = matmul_on_one_core("matmul_int8_int4");
    Npu npu(kernel.design());
    const Shape shape{.m = 64, .n = 128, .k = 512};
    for (const auto& [a, b] : {std::pair{0x80, 0xF8}, {0x7F, 0xF8}, {0x80, 0x07}, {0, 0xF8}}) {
        expect_exact(kernel, npu, shape,
                     {Bytes(shape.m * shape.k, static_cast<uint8_t>(a)),
                      Bytes(shape.k * shape.n, static_cast<uint8_t>(b))});
    }
}

TEST(Matmul, Int4SixteenCores) {
    for (const char* name : {"matmul_int8_int4", "matmul_int8_int4_q"}) {
        const Kernel& kernel = *find(name);
        Npu npu(kernel.design());
        const Shape shapes[] = {{.m = 1, .n = 1, .k = 1, .scale = 20},
                                {.m = 257, .n = 1030, .k = 131, .scale = 1.0 / 300}};
        for (const Shape& shape : shapes) {
            expect_exact(kernel, npu, shape, random_int4_inputs(shape, shape.m));
        }
    }
}

TEST(Matmul, Int4Requantised) {
    const Kernel& kernel = matmul_on_one_core("matmul_int8_int4_q");
    Npu npu(kernel.design());
    const Shape shapes[] = {{.m = 64, .n = 128, .k = 128, .scale = 1.0 / 200},
                            {.m = 70, .n = 131, .k = 300, .scale = 0.3},
                            {.m = 150, .n = 270, .k = 129, .scale = 1.0 / 2000},
                            {.m = 30, .n = 17, .k = 131, .scale = 20}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_int4_inputs(shape, shape.m));
    }
    // Every sum saturates, upwards and downwards.
    const Shape shape{.m = 64, .n = 128, .k = 256, .scale = 1};
    for (const int b : {0xF8, 0x07}) {
        expect_exact(
            kernel, npu, shape,
            {Bytes(shape.m * shape.k, 0x80), Bytes(shape.k * shape.n, static_cast<uint8_t>(b))});
    }
}

// Floats of this many octaves around 1, both signs; some zeros and denormals.
Bytes random_bf16(size_t count, int octaves, uint64_t seed) {
    std::mt19937_64 random(seed);
    Bytes bytes(2 * count);
    for (size_t i = 0; i < count; ++i) {
        const uint64_t r = random();
        const auto exponent = 127 + static_cast<int>(r >> 16 & 0xFF) % (2 * octaves + 1) - octaves;
        auto bits = static_cast<uint16_t>((r & 0x807F) | static_cast<uint64_t>(exponent) << 7);
        if ((r >> 32) % 16 == 0) {
            bits &= 0x807F;
        }
        std::memcpy(&bytes[2 * i], &bits, sizeof bits);
    }
    return bytes;
}

TEST(Matmul, Bf16) {
    const Kernel& kernel = matmul_on_one_core("matmul_bf16");
    Npu npu(kernel.design());
    const Shape shapes[] = {{.m = 64, .n = 64, .k = 64},
                            {.m = 1, .n = 1, .k = 1},
                            {.m = 5, .n = 3, .k = 7},
                            {.m = 67, .n = 61, .k = 131},
                            {.m = 33, .n = 70, .k = 200}};
    for (const Shape& shape : shapes) {
        // Sums that cancel, and terms that the largest shifts out; overflow to infinity.
        for (const int octaves : {2, 20, 60}) {
            expect_exact(kernel, npu, shape,
                         {random_bf16(shape.m * shape.k, octaves, shape.m),
                          random_bf16(shape.k * shape.n, octaves, shape.n + 1)});
        }
    }
}

TEST(Matmul, Bf16SixteenCores) {
    const Kernel& kernel = *find("matmul_bf16");
    Npu npu(kernel.design());
    const Shape shape{.m = 300, .n = 290, .k = 70};
    expect_exact(kernel, npu, shape,
                 {random_bf16(shape.m * shape.k, 3, 1), random_bf16(shape.k * shape.n, 3, 2)});
}

TEST(Matmul, RefusesShapesByName) {
    for (const auto& [shape, what] : {std::pair{Shape{.m = 0, .n = 1, .k = 1}, "m: 0"},
                                      {Shape{.m = 1, .n = 1 << 20, .k = 1}, "n: 1048576"},
                                      {Shape{.m = 1, .n = 1, .k = 0}, "k: 0"}}) {
        try {
            find("matmul_int8")->command(shape);
            ADD_FAILURE() << what;
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
        }
    }
}

// The figures that the programs give beside their loops: cycles that one more object of A and B
// takes. Its multiplies (2,048 in each program) take as many cycles at best.
uint64_t cycles_of_object(const Kernel& kernel, uint64_t k) {
    Npu npu(kernel.design());
    const auto cycles = [&](uint64_t objects) {
        const Command command = kernel.command({.m = 64, .n = 64, .k = k * objects});
        npu.run(command,
                std::vector{Bytes(command.arguments[0].bytes), Bytes(command.arguments[1].bytes)});
        return npu.cycles();
    };
    const uint64_t first = cycles(4);
    return (cycles(12) - first) / 8;
}

TEST(Matmul, InnerLoopInt8) {
    EXPECT_EQ(cycles_of_object(matmul_on_one_core("matmul_int8"), 128), 2166U);
}

TEST(Matmul, InnerLoopInt4) {
    EXPECT_EQ(cycles_of_object(matmul_on_one_core("matmul_int8_int4"), 128), 2115U);
}

TEST(Matmul, InnerLoopBf16) {
    EXPECT_EQ(cycles_of_object(matmul_on_one_core("matmul_bf16"), 64), 2163U);
}

}  // namespace
}  // namespace xdna::kernels::test
