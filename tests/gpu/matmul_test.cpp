// Every product, layout and kernel family against float64 or exact integers, at shapes that fill no
// tile.
#include <cstdlib>

#include "tests/gpu/fixture.hpp"

namespace xdna::test {
namespace {

using gpu::Layout;
using gpu::MatmulShape;
using gpu::Type;

struct Product {
    const char* name;
    Type a, b, c;
};
constexpr Product kProducts[] = {
    {"f32", Type::kF32, Type::kF32, Type::kF32},
    {"f32_to_f16", Type::kF32, Type::kF32, Type::kF16},
    {"f16", Type::kF16, Type::kF16, Type::kF32},
    {"f16_to_f16", Type::kF16, Type::kF16, Type::kF16},
    {"bf16", Type::kBf16, Type::kBf16, Type::kF32},
    {"bf16_to_f16", Type::kBf16, Type::kBf16, Type::kF16},
    {"q4_f16", Type::kQ4, Type::kF16, Type::kF32},
    {"q8_f16", Type::kQ8, Type::kF16, Type::kF16},
    {"q4_f32", Type::kQ4, Type::kF32, Type::kF32},
    {"f32_q8", Type::kF32, Type::kQ8, Type::kF32},
    {"i8", Type::kI8, Type::kI8, Type::kI32},
    {"i4_i8", Type::kI4, Type::kI8, Type::kI32},
    {"i8_i4", Type::kI8, Type::kI4, Type::kI32},
};

bool is_block(Type type) {
    return type == Type::kQ4 || type == Type::kQ8;
}

/// A block type's blocks lie along k.
MatmulShape shape_of(const Product& product, std::uint32_t m, std::uint32_t n, std::uint32_t k,
                     bool transposed) {
    MatmulShape shape{.m = m,
                      .n = n,
                      .k = k,
                      .a = {.type = product.a, .transposed = transposed},
                      .b = {.type = product.b, .transposed = !transposed},
                      .c = {.type = product.c, .transposed = transposed}};
    if (is_block(product.a)) {
        shape.a.transposed = false;
    }
    if (is_block(product.b)) {
        shape.b.transposed = true;
    }
    return shape;
}

class Products : public GpuTest, public testing::WithParamInterface<Product> {
  protected:
    static void compare(const MatmulShape& shape) {
        for (const std::string& kernel : kernel_of_each_family(shape)) {
            EXPECT_EQ(multiply_and_compare(shape, kernel, random()), "");
        }
    }
};

TEST_P(Products, OddSizesAndStrides) {
    for (const bool transposed : {false, true}) {
        MatmulShape shape = shape_of(GetParam(), 67, 45, 77, transposed);
        for (Layout* layout : {&shape.a, &shape.b, &shape.c}) {
            layout->stride = is_block(layout->type) ? 128 : 83;
        }
        compare(shape);
    }
}

TEST_P(Products, RowsOfWholeVectors) {
    for (const bool transposed : {false, true}) {
        compare(shape_of(GetParam(), 80, 48, 112, transposed));
    }
}

TEST_P(Products, Vectors) {
    for (const std::uint32_t n : {1U, 5U}) {
        compare(shape_of(GetParam(), 37, n, 96, false));
        compare(shape_of(GetParam(), n, 37, 77, false));
    }
}

TEST_P(Products, Batches) {
    MatmulShape shape = shape_of(GetParam(), 33, 34, 64, false);
    shape.batch = 3;
    shape.b.batch_stride = gpu::kShared;
    EXPECT_EQ(multiply_and_compare(shape, "", random()), "");
}

INSTANTIATE_TEST_SUITE_P(All, Products, testing::ValuesIn(kProducts),
                         [](const auto& param) { return std::string(param.param.name); });

using MatmulTest = GpuTest;

TEST_F(MatmulTest, SplitsOfK) {
    for (const Product& product : {kProducts[2], kProducts[3], kProducts[10]}) {
        MatmulShape shape = shape_of(product, 35, 30, 400, false);
        shape.batch = 2;
        EXPECT_EQ(multiply_and_compare(shape, "splits 3", random()), "");
        shape.c.transposed = true;
        EXPECT_EQ(multiply_and_compare(shape, "splits 3", random()), "");
    }
}

TEST_F(MatmulTest, WholeTiles) {
    EXPECT_EQ(multiply_and_compare(shape_of(kProducts[2], 128, 128, 128, false), "", random()), "");
    EXPECT_EQ(multiply_and_compare(shape_of(kProducts[6], 128, 128, 128, true), "", random()), "");
    EXPECT_EQ(multiply_and_compare(shape_of(kProducts[10], 128, 128, 128, true), "", random()), "");
}

// Tiles of 128 x 256 and edges within them.
TEST_F(MatmulTest, HopperTiles) {
    if (!device()->info().wgmma) {
        GTEST_SKIP() << "no PTX for Hopper here";
    }
    const auto compare = [](const MatmulShape& shape, const std::string& splits) {
        for (const std::string& kernel : gpu::Matmul::kernels(*device(), shape)) {
            if (kernel.starts_with("wgmma") && kernel.ends_with(splits)) {
                EXPECT_EQ(multiply_and_compare(shape, kernel, random()), "");
            }
        }
    };
    for (const Product& product : kProducts) {
        for (const bool turned : {false, true}) {
            for (const std::uint32_t stride : {262U, 261U}) {
                MatmulShape shape = shape_of(product, 141, 259, 192, false);
                shape.c.transposed = turned;
                shape.c.stride = stride;
                compare(shape, "splits 1");
            }
            MatmulShape shape = shape_of(product, 130, 257, 1088, false);
            shape.c.transposed = turned;
            compare(shape, "splits 2");
            shape.k = 256;
            shape.batch = 2;
            compare(shape, "splits 1");
        }
    }
}

TEST_F(MatmulTest, OneElement) {
    for (const Product& product : kProducts) {
        EXPECT_EQ(multiply_and_compare(shape_of(product, 1, 1, 1, false), "", random()), "");
    }
}

// In kernels that share k out: llvmpipe ends a shader's loops after 65535 turns.
TEST_F(MatmulTest, IntegerSumsWrap) {
    constexpr std::uint32_t kLong = 140000;  // x 128 x 128 is more than 2^31
    for (const auto& [n, kernel] :
         {std::pair{1U, "matvec"}, {9U, "plain 32x32x16 part 4x4 splits 8"}}) {
        const MatmulShape shape{
            .m = 9, .n = n, .k = kLong, .a = {Type::kI8}, .b = {Type::kI8}, .c = {Type::kI32}};
        const std::vector<std::byte> lowest(std::size_t{9} * kLong, std::byte{0x80});
        const gpu::Buffer operand(*device(), lowest.size());
        operand.write(lowest);
        std::vector<std::int32_t> sums(std::size_t{9} * n);
        const gpu::Buffer c(*device(), 4 * sums.size());
        gpu::multiply(*device(), gpu::Matmul(*device(), shape, {.kernel = kernel}),
                      {{&operand}, {&operand}, {&c}, {}});
        c.read(std::as_writable_bytes(std::span(sums)));
        for (const std::int32_t sum : sums) {
            ASSERT_EQ(sum, static_cast<std::int32_t>(std::uint32_t{kLong} * 128U * 128U)) << kernel;
        }
    }
}

// What is not finite is not lost on its way.
TEST_F(MatmulTest, InfinityAndNan) {
    const MatmulShape shape{
        .m = 16, .n = 16, .k = 16, .a = {Type::kF16}, .b = {Type::kF16}, .c = {Type::kF32}};
    std::vector<std::uint16_t> a(256, gpu::to_f16(1));
    a[0] = 0x7c00;
    a[16] = 0x7e00;
    const std::vector<std::uint16_t> b(256, gpu::to_f16(1));
    const gpu::Buffer buffer_a(*device(), 512);
    const gpu::Buffer buffer_b(*device(), 512);
    const gpu::Buffer buffer_c(*device(), 1024);
    buffer_a.write(std::as_bytes(std::span(a)));
    buffer_b.write(std::as_bytes(std::span(b)));
    for (const std::string& kernel : kernel_of_each_family(shape)) {
        gpu::multiply(*device(), gpu::Matmul(*device(), shape, {.kernel = kernel}),
                      {{&buffer_a}, {&buffer_b}, {&buffer_c}, {}});
        std::vector<float> c(256);
        buffer_c.read(std::as_writable_bytes(std::span(c)));
        EXPECT_TRUE(std::isinf(c[0])) << kernel << ": " << c[0];
        EXPECT_TRUE(std::isnan(c[16])) << kernel << ": " << c[16];
        EXPECT_EQ(c[32], 16) << kernel;
    }
}

// Long on a CPU device: `make gpu-sweep`.
class Sweep : public Products {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(Sweep);

TEST_P(Sweep, EverySizeTo257) {
    for (std::uint32_t size = 1; size <= 257; size++) {
        // Each size in each place, with other sizes in the others.
        const std::uint32_t other = 1 + size * 7 % 97;
        const std::uint32_t third = 1 + size * 13 % 61;
        const bool transposed = size % 2 != 0;
        for (const MatmulShape& shape : {shape_of(GetParam(), size, other, third, transposed),
                                         shape_of(GetParam(), third, size, other, !transposed),
                                         shape_of(GetParam(), other, third, size, transposed)}) {
            for (const std::string& kernel : kernel_of_each_family(shape)) {
                ASSERT_EQ(multiply_and_compare(shape, kernel, random()), "")
                    << shape.m << " x " << shape.n << " x " << shape.k;
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Sweep,
                         testing::ValuesIn(kProducts,
                                           kProducts + (std::getenv("XDNA_GPU_SWEEP") != nullptr
                                                            ? std::size(kProducts)
                                                            : 0)),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace xdna::test
