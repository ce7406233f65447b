#include "emu/core/dot_products.hpp"

#include <algorithm>
#include <bit>

// Lanes are shifted by different amounts, for which the oldest x86-64 has no instruction. Sanitized
// programs cannot choose between versions of a function at start-up.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define XDNA_ALSO_FOR_AVX2 __attribute__((target_clones("avx2", "default")))
#else
#define XDNA_ALSO_FOR_AVX2
#endif

namespace xdna::emu::core {
namespace {

constexpr size_t kLanes = Bf16Sums::kLanes;
constexpr int32_t kAbsent = -1000;  // exponent of a term that is zero

// Terms of the sums: biased exponents, and significands with 23 fraction bits.
struct Terms {
    int32_t exponent[10][kLanes];
    int32_t significand[10][kLanes];
    int32_t negative[10][kLanes];  // 0 or -1
    int32_t largest[kLanes];
    int32_t nan[kLanes];  // 0 or -1, as are the next
    int32_t positive_infinity[kLanes];
    int32_t negative_infinity[kLanes];
};

}  // namespace

XDNA_ALSO_FOR_AVX2 void sum_bf16(const Bf16Sums& sums, uint32_t* out) {
    Terms terms;
    for (size_t i = 0; i < kLanes; ++i) {
        terms.largest[i] = kAbsent;
        terms.nan[i] = terms.positive_infinity[i] = terms.negative_infinity[i] = 0;
    }
    const int32_t flip = sums.negate ? 1 : 0;
    for (size_t t = 0; t < sums.terms; ++t) {
        for (size_t i = 0; i < kLanes; ++i) {
            const int32_t a = sums.a[t][i];
            const int32_t b = sums.b[t][i];
            const int32_t ea = a >> 7 & 0xFF;
            const int32_t eb = b >> 7 & 0xFF;
            const int32_t absent = -((ea == 0) | (eb == 0));
            const int32_t negative = -((((a ^ b) >> 15) & 1) ^ flip);
            // 8 x 8 bits with 14 fraction bits.
            const int32_t product = (((a & 0x7F) | 0x80) * ((b & 0x7F) | 0x80)) << 9;
            const int32_t exponent = absent ? kAbsent : ea + eb - 127;
            const int32_t special = -((ea == 0xFF) | (eb == 0xFF));
            const int32_t nan =
                -(((ea == 0xFF) & ((a & 0x7F) != 0)) | ((eb == 0xFF) & ((b & 0x7F) != 0)) | 0);
            terms.exponent[t][i] = exponent;
            terms.significand[t][i] = product & ~absent;
            terms.negative[t][i] = negative;
            terms.largest[i] = std::max(terms.largest[i], exponent);
            terms.nan[i] |= nan | (special & absent);  // infinity times zero
            terms.positive_infinity[i] |= special & ~negative;
            terms.negative_infinity[i] |= special & negative;
        }
    }
    size_t count = sums.terms;
    for (size_t t = 0; t < sums.accumulators; ++t, ++count) {
        for (size_t i = 0; i < kLanes; ++i) {
            const auto bits = static_cast<int32_t>(sums.accumulator[t][i]);
            const int32_t e = bits >> 23 & 0xFF;
            const int32_t fraction = bits & 0x7FFFFF;
            const int32_t negative = bits >> 31;
            const int32_t exponent = (e | fraction) == 0 ? kAbsent : std::max(e, 1);
            const int32_t special = -(e == 0xFF);
            terms.exponent[count][i] = exponent;
            terms.significand[count][i] = fraction | (e ? 0x800000 : 0);
            terms.negative[count][i] = negative;
            terms.largest[i] = std::max(terms.largest[i], exponent);
            terms.nan[i] |= special & -(fraction != 0);
            terms.positive_infinity[i] |= special & ~negative;
            terms.negative_infinity[i] |= special & negative;
        }
    }
    int32_t total[kLanes] = {};
    for (size_t t = 0; t < count; ++t) {
        for (size_t i = 0; i < kLanes; ++i) {
            // To nearest, ties to even; a shift by 27 leaves nothing of 25 bits.
            const int32_t shift = std::min(terms.largest[i] - terms.exponent[t][i], 27);
            const int32_t significand = terms.significand[t][i];
            const int32_t odd = shift ? significand >> shift & 1 : 0;
            const int32_t aligned = (significand + (((1 << shift) - 1) >> 1) + odd) >> shift;
            total[i] += (aligned ^ terms.negative[t][i]) - terms.negative[t][i];
        }
    }
    for (size_t i = 0; i < kLanes; ++i) {
        // The host's conversion rounds as the core does, and finds the highest bit.
        const auto rounded = std::bit_cast<int32_t>(static_cast<float>(total[i]));
        const int32_t exponent = terms.largest[i] + (rounded >> 23 & 0xFF) - 127 - 23;
        const int32_t sign = rounded & INT32_MIN;
        const int32_t fraction = rounded & 0x7FFFFF;
        constexpr int32_t kInfinity = 0x7F800000;
        int32_t result = sign | exponent << 23 | fraction;
        result = exponent <= 0 ? sign : result;
        result = exponent >= 0xFF ? sign | kInfinity : result;
        result = total[i] == 0 ? 0 : result;
        const int32_t infinite = terms.positive_infinity[i] | terms.negative_infinity[i];
        const int32_t nan =
            terms.nan[i] | (terms.positive_infinity[i] & terms.negative_infinity[i]);
        result = infinite ? (terms.negative_infinity[i] & INT32_MIN) | kInfinity : result;
        result = nan ? sign | kInfinity | (exponent >= 0xFF ? 0 : fraction) | 1 : result;
        out[i] = static_cast<uint32_t>(result);
    }
}

}  // namespace xdna::emu::core
