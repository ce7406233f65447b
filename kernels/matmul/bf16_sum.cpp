#include "kernels/matmul/bf16_sum.hpp"

#include <algorithm>
#include <bit>

namespace xdna::kernels {
namespace {

constexpr size_t kProducts = 8;

// (-1)^negative x significand x 2^(exponent - 127 - 23); a significand of 0: no term.
struct Term {
    int64_t significand = 0;
    int exponent = 0;
    bool negative = false;
};

Term product(uint16_t a, uint16_t b) {
    const int a_exponent = a >> 7 & 0xFF;
    const int b_exponent = b >> 7 & 0xFF;
    if (a_exponent == 0 || b_exponent == 0) {
        return {};
    }
    const int64_t significand =
        int64_t{(a & 0x7F) | 0x80} * ((b & 0x7F) | 0x80);  // 14 fraction bits
    return {significand << 9, a_exponent + b_exponent - 127, ((a ^ b) & 0x8000) != 0};
}

Term term_of(uint32_t fp32) {
    const int exponent = static_cast<int>(fp32 >> 23 & 0xFF);
    const int64_t fraction = fp32 & 0x7FFFFF;
    return {exponent ? fraction | 0x800000 : fraction, std::max(exponent, 1), fp32 >> 31 != 0};
}

// value / 2^shift, to nearest even.
int64_t shift_even(int64_t value, int shift) {
    if (shift == 0) {
        return value;
    }
    if (shift > 40) {
        return 0;
    }
    const int64_t kept = value >> shift;
    const int64_t rest = value - (kept << shift);
    const int64_t half = int64_t{1} << (shift - 1);
    return kept + (rest > half || (rest == half && kept % 2 != 0));
}

}  // namespace

uint32_t add_bf16_products(uint32_t sum, const uint16_t* a, const uint16_t* b, size_t b_step) {
    constexpr uint32_t kInfinity = 0x7F800000;
    if ((sum & kInfinity) == kInfinity) {
        return sum;
    }
    Term terms[kProducts + 1];
    for (size_t i = 0; i < kProducts; ++i) {
        terms[i] = product(a[i], b[i * b_step]);
    }
    terms[kProducts] = term_of(sum);
    int largest = INT32_MIN;
    for (const Term& term : terms) {
        if (term.significand != 0) {
            largest = std::max(largest, term.exponent);
        }
    }
    int64_t total = 0;
    for (const Term& term : terms) {
        if (term.significand != 0) {
            const int64_t aligned = shift_even(term.significand, largest - term.exponent);
            total += term.negative ? -aligned : aligned;
        }
    }
    if (total == 0) {
        return 0;
    }
    const uint32_t sign = total < 0 ? 0x80000000 : 0;
    auto magnitude = static_cast<int64_t>(total < 0 ? -total : total);
    const int bits = std::bit_width(static_cast<uint64_t>(magnitude));
    int exponent = largest + bits - 24;
    if (bits > 24) {
        magnitude = shift_even(magnitude, bits - 24);
        if (magnitude >> 24) {
            magnitude >>= 1;
            ++exponent;
        }
    } else {
        magnitude <<= 24 - bits;
    }
    if (exponent <= 0) {
        return sign;
    }
    if (exponent >= 0xFF) {
        return sign | kInfinity;
    }
    return sign | static_cast<uint32_t>(exponent) << 23 |
           static_cast<uint32_t>(magnitude & 0x7FFFFF);
}

}  // namespace xdna::kernels
