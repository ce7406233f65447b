// Data for attention tests: floats, and what a caller makes of them for the kernel.
#pragma once

#include <cmath>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/attention/quantise.hpp"
#include "kernels/attention/reference.hpp"

namespace xdna::kernels::attention::test {

/// bf16 as numbers.
inline std::vector<double> values(const std::vector<uint16_t>& bits) {
    std::vector<double> out;
    for (const uint16_t each : bits) {
        out.push_back(value_of_bf16(each));
    }
    return out;
}

/// One head, quantised with one scale for each of Q, K and V; 4 bits wide elements are bytes here,
/// too.
struct Sample {
    uint32_t d = 0;
    uint32_t length = 0;
    bool causal = false;
    Widths widths;
    std::vector<double> q, k, v;
    double q_scale = 0, k_scale = 0, v_scale = 0;
    std::vector<int8_t> q8, k8, v8;
    std::vector<QueryHeader> headers;

    Head head() const { return {d, widths, headers, q8, k8, v8}; }

    std::vector<uint32_t> visible() const {
        std::vector<uint32_t> out;
        for (const QueryHeader& header : headers) {
            out.push_back(header.visible);
        }
        return out;
    }
    std::vector<double> exact_of_integers() const {
        const std::vector<double> scale(length, q_scale * k_scale / std::sqrt(d));
        const auto wide = [](const std::vector<int8_t>& in) {
            return std::vector<double>(in.begin(), in.end());
        };
        return exact(d, scale, visible(), wide(q8), wide(k8), wide(v8));
    }
    std::vector<double> exact_of_floats() const {
        return exact(d, std::vector<double>(length, 1 / std::sqrt(d)), visible(), q, k, v);
    }
    std::vector<double> scaled(const std::vector<uint16_t>& bits) const {
        std::vector<double> out = values(bits);
        for (double& each : out) {
            each *= v_scale;
        }
        return out;
    }
    void quantise() {
        const auto one = [](const std::vector<double>& in, uint32_t bits, double& scale,
                            std::vector<int8_t>& out) {
            scale = best_scale(in, bits);
            out.clear();
            for (const double each : in) {
                out.push_back(quantised(each, scale, bits));
            }
        };
        one(q, 8, q_scale, q8);
        one(k, widths.k, k_scale, k8);
        one(v, widths.v, v_scale, v8);
        set_headers(q_scale * k_scale / std::sqrt(d));
    }
    void set_headers(double scale) {
        headers.assign(length, score_scale(d, widths, scale, scale));
        for (uint32_t i = 0; i < length; ++i) {
            headers[i].visible = static_cast<uint16_t>(causal ? i + 1 : length);
        }
    }
};

/// normal: N(0, 1). peaky: scores of standard deviation 6. flat: queries of 0. one-hot: one key
/// that every query matches with a huge score. saturating: nothing but -128 and 127. huge, tiny:
/// normal, with multipliers at the ends of their range.
inline Sample make_sample(std::string_view data, uint32_t d, uint32_t length, bool causal,
                          unsigned seed, Widths widths = {}) {
    std::mt19937 random(seed);
    std::normal_distribution<double> normal;
    Sample s;
    s.d = d;
    s.length = length;
    s.causal = causal;
    s.widths = widths;
    for (std::vector<double>* each : {&s.q, &s.k, &s.v}) {
        each->resize(size_t{length} * d);
        for (double& value : *each) {
            value = normal(random);
        }
    }
    if (data == "peaky") {
        for (double& value : s.q) {
            value *= 6;
        }
    } else if (data == "flat") {
        std::fill(s.q.begin(), s.q.end(), 0);
    } else if (data == "one-hot") {
        const size_t key = length / 2;
        for (uint32_t j = 0; j < d; ++j) {
            s.k[key * d + j] = 4;
        }
        for (double& value : s.q) {
            value = 4 + value / 8;
        }
    } else if (data == "saturating") {
        for (std::vector<double>* each : {&s.q, &s.k, &s.v}) {
            for (double& value : *each) {
                value = value < 0 ? -1 : 1;
            }
        }
    }
    s.quantise();
    if (data == "saturating") {
        const auto saturate = [](std::vector<int8_t>& all, uint32_t bits) {
            for (int8_t& value : all) {
                value = static_cast<int8_t>(value < 0 ? -(1 << (bits - 1)) : (1 << (bits - 1)) - 1);
            }
        };
        saturate(s.q8, 8);
        saturate(s.k8, widths.k);
        saturate(s.v8, widths.v);
    }
    if (data == "huge" || data == "tiny") {
        for (QueryHeader& header : s.headers) {
            header.multiplier = data == "huge" ? INT16_MAX : 1;
            header.shift = data == "huge" ? 0 : 15;
        }
    }
    return s;
}

}  // namespace xdna::kernels::attention::test
