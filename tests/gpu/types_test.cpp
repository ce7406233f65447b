#include <cmath>
#include <limits>

#include "tests/gpu/fixture.hpp"

namespace xdna::test {
namespace {

using gpu::Type;

TEST(Types, EveryHalfSurvivesTheRoundTrip) {
    for (std::uint32_t bits = 0; bits < 0x10000; bits++) {
        const auto half = static_cast<std::uint16_t>(bits);
        if (!std::isnan(gpu::from_f16(half))) {
            ASSERT_EQ(gpu::to_f16(gpu::from_f16(half)), half);
        }
        if (!std::isnan(gpu::from_bf16(half))) {
            ASSERT_EQ(gpu::to_bf16(gpu::from_bf16(half)), half);
        }
    }
}

TEST(Types, RoundsToNearestEven) {
    EXPECT_EQ(gpu::to_f16(1 + 0x1p-11F), 0x3c00);      // a tie, to even
    EXPECT_EQ(gpu::to_f16(1 + 3 * 0x1p-11F), 0x3c02);  // a tie, to even
    EXPECT_EQ(gpu::to_f16(1 + 0x1p-11F + 0x1p-20F), 0x3c01);
    EXPECT_EQ(gpu::to_f16(65519), 0x7bff);
    EXPECT_EQ(gpu::to_f16(65520), 0x7c00);
    EXPECT_EQ(gpu::to_f16(0x1p-25F), 0);  // a tie with zero
    EXPECT_EQ(gpu::to_f16(0x1.8p-25F), 1);
    EXPECT_EQ(gpu::to_f16(-0.0F), 0x8000);
    EXPECT_EQ(gpu::to_bf16(1 + 0x1p-8F), 0x3f80);
    EXPECT_EQ(gpu::to_bf16(1 + 3 * 0x1p-8F), 0x3f82);
    EXPECT_TRUE(std::isnan(gpu::from_f16(gpu::to_f16(NAN))));
    EXPECT_TRUE(std::isnan(gpu::from_bf16(gpu::to_bf16(NAN))));
}

TEST(Types, Sizes) {
    EXPECT_EQ(gpu::bytes_of(Type::kI4, 3), 2U);
    EXPECT_EQ(gpu::bytes_of(Type::kF16, 3), 6U);
    EXPECT_EQ(gpu::scale_bytes_of(Type::kQ4, 33), 4U);
    EXPECT_EQ(gpu::scale_bytes_of(Type::kF32, 33), 0U);
}

class Quantize : public testing::TestWithParam<Type> {};

TEST_P(Quantize, StaysWithinHalfAStepOfEachElement) {
    std::mt19937_64 random(testing::UnitTest::GetInstance()->random_seed());
    std::normal_distribution<float> normal;
    constexpr std::size_t kColumns = 45;  // a whole block, and a part
    std::vector<float> rows(kColumns * 3);
    for (float& value : rows) {
        value = normal(random);
    }
    const gpu::Quantized q = gpu::quantize(GetParam(), rows, kColumns);
    ASSERT_EQ(q.stride, 64U);
    ASSERT_EQ(q.scales.size(), 6U);
    const Matrix matrix{.layout = {.type = GetParam()},
                        .rows = 3,
                        .columns = kColumns,
                        .stride = q.stride,
                        .values = q.values,
                        .scales = q.scales};
    for (std::uint32_t row = 0; row < 3; row++) {
        for (std::uint32_t column = 0; column < q.stride; column++) {
            if (column >= kColumns) {
                ASSERT_EQ(matrix.at(0, row, column), 0);
                continue;
            }
            const float step = std::fabs(gpu::from_f16(q.scales[row * 2 + column / 32]));
            // Four bits end at +7 steps and begin at -8: the far end is a step off at most.
            const float off = GetParam() == Type::kQ4 ? 1.01F : 0.51F;
            ASSERT_NEAR(matrix.at(0, row, column), rows[row * kColumns + column], step * off);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(All, Quantize, testing::Values(Type::kQ4, Type::kQ8),
                         [](const auto& param) {
                             return std::string(gpu::to_string(param.param));
                         });

TEST(Types, QuantizeOfZerosIsZeros) {
    const std::vector<float> zeros(32);
    const gpu::Quantized q = gpu::quantize(Type::kQ4, zeros, 32);
    for (const std::byte byte : q.values) {
        EXPECT_EQ(byte, std::byte{0});
    }
}

TEST(Types, QuantizeRefusesWhatItCannotTake) {
    const std::vector<float> rows(32, 1);
    const std::vector<float> infinite(32, std::numeric_limits<float>::infinity());
    const std::vector<float> large(32, 1e30F);
    EXPECT_THROW(gpu::quantize(Type::kF16, rows, 32), gpu::Error);
    EXPECT_THROW(gpu::quantize(Type::kQ4, rows, 0), gpu::Error);
    EXPECT_THROW(gpu::quantize(Type::kQ4, rows, 31), gpu::Error);
    EXPECT_THROW(gpu::quantize(Type::kQ8, infinite, 32), gpu::Error);
    EXPECT_THROW(gpu::quantize(Type::kQ8, large, 32), gpu::Error);
}

}  // namespace
}  // namespace xdna::test
