// matmul: bit for bit against the reference, on the modelled array.
#include "kernels/matmul/matmul.hpp"

#include <gtest/gtest.h>

#include <random>

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
    const Kernel& kernel = matmul_int8_one_core();
    Npu npu(kernel.design());
    const Shape shapes[] = {{.m = 64, .n = 64, .k = 128},  {.m = 1, .n = 1, .k = 1},
                            {.m = 3, .n = 5, .k = 7},      {.m = 65, .n = 63, .k = 129},
                            {.m = 31, .n = 131, .k = 257}, {.m = 128, .n = 192, .k = 1024},
                            {.m = 2, .n = 320, .k = 1153}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_inputs(shape, shape.m));
    }
}

TEST(Matmul, SixteenCoresAnyShape) {
    const Kernel& kernel = matmul_int8();
    Npu npu(kernel.design());
    // The last has more rounds than the shims have sets of BDs.
    const Shape shapes[] = {
        {.m = 1, .n = 1, .k = 1}, {.m = 257, .n = 263, .k = 131}, {.m = 520, .n = 300, .k = 384}};
    for (const Shape& shape : shapes) {
        expect_exact(kernel, npu, shape, random_inputs(shape, shape.m));
    }
}

TEST(Matmul, ExtremeValuesWrapAtNothing) {
    const Kernel& kernel = matmul_int8_one_core();
    Npu npu(kernel.design());
    const Shape shape{.m = 64, .n = 64, .k = 512};
    for (const auto& [a, b] : {std::pair{0x80, 0x80}, {0x7F, 0x80}, {0x80, 0x7F}, {0, 0x80}}) {
        expect_exact(kernel, npu, shape,
                     {Bytes(shape.m * shape.k, static_cast<uint8_t>(a)),
                      Bytes(shape.k * shape.n, static_cast<uint8_t>(b))});
    }
}

TEST(Matmul, RefusesShapesByName) {
    for (const auto& [shape, what] : {std::pair{Shape{.m = 0, .n = 1, .k = 1}, "m: 0"},
                                      {Shape{.m = 1, .n = 1 << 20, .k = 1}, "n: 1048576"},
                                      {Shape{.m = 1, .n = 1, .k = 0}, "k: 0"}}) {
        try {
            matmul_int8().command(shape);
            ADD_FAILURE() << what;
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
        }
    }
}

// The figure that int8.s gives beside its loop: cycles that one more object of A and B takes. Its
// 2,048 multiplies take as many cycles at best.
TEST(Matmul, InnerLoopInt8) {
    const Kernel& kernel = matmul_int8_one_core();
    Npu npu(kernel.design());
    const auto cycles = [&](uint64_t objects) {
        const Shape shape{.m = 64, .n = 64, .k = 128 * objects};
        expect_exact(kernel, npu, shape, random_inputs(shape, objects));
        return npu.cycles();
    };
    const uint64_t first = cycles(4);
    EXPECT_EQ((cycles(12) - first) / 8, 2165U);
}

}  // namespace
}  // namespace xdna::kernels::test
