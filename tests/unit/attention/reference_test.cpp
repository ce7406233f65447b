// How far the integers' attention is from float64's.
#include "kernels/attention/reference.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/attention/samples.hpp"

namespace xdna::kernels::attention {
namespace {

using test::Sample;

TEST(AttentionReference, IsCloseToFloat64) {
    struct Case {
        const char* data;
        double dequantised, original;
    };
    for (const auto& [data, dequantised, original] :
         {Case{"normal", 0.999, 0.999}, {"peaky", 0.999, 0.99}, {"flat", 0.999, 0.999}}) {
        for (const uint32_t d : {32U, 64U, 128U}) {
            const Sample sample = test::make_sample(data, d, 128, false, d);
            const auto bits = reference(sample.head());
            const Error quantised = compare(test::values(bits), sample.exact_of_integers());
            const Error floats = compare(sample.scaled(bits), sample.exact_of_floats());
            EXPECT_GE(quantised.cosine, dequantised) << data << d;
            EXPECT_GE(floats.cosine, original) << data << d;
            RecordProperty(std::string(data) + std::to_string(d), std::to_string(floats.cosine));
        }
    }
}

}  // namespace
}  // namespace xdna::kernels::attention
