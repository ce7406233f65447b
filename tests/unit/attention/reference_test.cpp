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
        Widths widths;
        double original;  // what quantisation itself may cost; 0: reported only
    };
    for (const auto& [data, widths, original] : {Case{"normal", {8, 8}, 0.999},
                                                 {"peaky", {8, 8}, 0.99},
                                                 {"flat", {8, 8}, 0.999},
                                                 {"normal", {4, 8}, 0.99},
                                                 {"peaky", {4, 8}, 0},
                                                 {"flat", {4, 8}, 0.999},
                                                 {"one-hot", {4, 8}, 0},
                                                 {"normal", {4, 4}, 0.98},
                                                 {"peaky", {4, 4}, 0},
                                                 {"flat", {4, 4}, 0.98},
                                                 {"one-hot", {4, 4}, 0}}) {
        for (const uint32_t d : {32U, 64U, 128U}) {
            const Sample sample = test::make_sample(data, d, 128, false, d, widths);
            const auto bits = reference(sample.head());
            const Error quantised = compare(test::values(bits), sample.exact_of_integers());
            const Error floats = compare(sample.scaled(bits), sample.exact_of_floats());
            const std::string what = std::string(data) + "_k" + std::to_string(widths.k) + "_v" +
                                     std::to_string(widths.v) + "_d" + std::to_string(d);
            EXPECT_GE(quantised.cosine, 0.999) << what;
            EXPECT_GE(floats.cosine, original) << what;
            RecordProperty(what, std::to_string(quantised.cosine) + " of the integers, " +
                                     std::to_string(floats.cosine) + " of the originals");
        }
    }
}

}  // namespace
}  // namespace xdna::kernels::attention
