#include "emu/core/numeric.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

namespace xdna::emu::core {
namespace {

constexpr uint32_t kPositiveInfinity = 0x7F800000;
constexpr uint32_t kNan = 0x7F800001;  // what the multiplier makes (captured on Phoenix)
constexpr uint32_t kSignBit = 0x80000000;

// The number above floor: whether to round up, by what is cut off (0 exact, 1 below, 2 at, 3 above
// half).
bool rounds_up(const RoundingRule& when, bool negative, bool odd, int cut) {
    const bool by_sign = negative ? when.negative : when.positive;
    if (when.nearest) {
        return cut == 3 || (cut == 2 && (by_sign || (odd ? when.odd : when.even)));
    }
    return cut && by_sign;
}

// magnitude / 2^shift, to nearest, ties to even.
uint64_t shift_nearest(uint64_t magnitude, unsigned shift) {
    if (shift == 0) {
        return magnitude;
    }
    if (shift > 63) {
        return 0;
    }
    const uint64_t whole = magnitude >> shift;
    const uint64_t rest = magnitude & ((1ULL << shift) - 1);
    const uint64_t half = 1ULL << (shift - 1);
    return whole + (rest > half || (rest == half && whole & 1));
}

// A term of a sum: sign, biased exponent, significand with 23 fraction bits.
struct Term {
    bool negative;
    int exponent;
    uint64_t significand;
};

bool is_infinite_or_nan(uint32_t fp32) {
    return (fp32 & kPositiveInfinity) == kPositiveInfinity;
}
bool is_nan(uint32_t fp32) {
    return is_infinite_or_nan(fp32) && fp32 << 9;
}

uint32_t round_sum(std::span<const Term> terms) {
    int largest = std::numeric_limits<int>::min();
    for (const Term& term : terms) {
        largest = std::max(largest, term.exponent);
    }
    int64_t sum = 0;
    for (const Term& term : terms) {
        const auto aligned = static_cast<int64_t>(
            shift_nearest(term.significand, static_cast<unsigned>(largest - term.exponent)));
        sum += term.negative ? -aligned : aligned;
    }
    if (sum == 0) {
        return 0;
    }
    const bool negative = sum < 0;
    auto magnitude = static_cast<uint64_t>(negative ? -sum : sum);
    int top = 63 - std::countl_zero(magnitude);
    if (top > 23) {
        magnitude = shift_nearest(magnitude, static_cast<unsigned>(top - 23));
        if (magnitude >> 24) {
            magnitude >>= 1;
            ++top;
        }
    } else {
        magnitude <<= 23 - top;
    }
    const int exponent = largest + top - 23;
    const uint32_t sign = negative ? kSignBit : 0;
    if (exponent >= 255) {
        return sign | kPositiveInfinity;
    }
    if (exponent <= 0) {
        return sign;
    }
    return sign | static_cast<uint32_t>(exponent) << 23 |
           (static_cast<uint32_t>(magnitude) & 0x7FFFFF);
}

}  // namespace

bool is_rounding(uint32_t value) {
    return value <= 3 || (value >= 8 && value <= 13);
}

bool is_saturation(uint32_t value) {
    return value <= 1 || value == 3;
}

const RoundingRule& rule(Rounding rounding) {
    static constexpr RoundingRule kRules[] = {
        {false, false, false, false, false},  // down
        {false, true, true, false, false},    // up
        {false, true, false, false, false},   // toward zero
        {false, false, true, false, false},   // away from zero
        {},
        {},
        {},
        {},
        {true, false, false, false, false},  // nearest, ties down
        {true, true, true, false, false},    // up
        {true, true, false, false, false},   // toward zero
        {true, false, true, false, false},   // away from zero
        {true, false, false, true, false},   // even
        {true, false, false, false, true},   // odd
    };
    return kRules[static_cast<size_t>(rounding)];
}

uint16_t bf16_of_fp32(uint32_t value, const RoundingRule& when) {
    auto top = static_cast<uint16_t>(value >> 16);
    if (is_infinite_or_nan(value)) {
        return is_nan(value) && !(top & 0x7F) ? top | 1 : top;
    }
    // On the magnitude: rounding down a negative number is away from zero.
    const bool negative = value & kSignBit;
    const uint32_t rest = value & 0xFFFF;
    const int cut = rest == 0 ? 0 : rest < 0x8000 ? 1 : rest == 0x8000 ? 2 : 3;
    bool up;  // in magnitude
    if (!negative) {
        up = rounds_up(when, false, top & 1, cut);
    } else {
        // The floor of a negative number is one step further out than its truncation.
        const int mirrored = cut == 1 ? 3 : cut == 3 ? 1 : cut;
        up = cut && !rounds_up(when, true, !(top & 1), mirrored);
    }
    return static_cast<uint16_t>(top + up);
}

int32_t floor_bf16(uint16_t value, int shift) {
    const uint32_t bits = fp32_of_bf16(value);
    if (is_nan(bits)) {
        return 0;
    }
    const double scaled = std::floor(std::ldexp(double{std::bit_cast<float>(bits)}, shift));
    return static_cast<int32_t>(std::clamp(scaled, -2147483648.0, 2147483647.0));
}

uint32_t dot_bf16(std::span<const uint16_t> a, std::span<const uint16_t> b, bool negate,
                  std::span<const uint32_t> accumulators) {
    std::array<Term, 20> terms;
    size_t count = 0;
    bool nan = false;
    bool infinite[2] = {};  // by sign
    for (size_t i = 0; i < a.size(); ++i) {
        const int ea = a[i] >> 7 & 0xFF;
        const int eb = b[i] >> 7 & 0xFF;
        const bool negative = ((a[i] ^ b[i]) >> 15 & 1) != negate;
        if (ea == 0xFF || eb == 0xFF) {
            nan |= (ea == 0xFF && a[i] & 0x7F) || (eb == 0xFF && b[i] & 0x7F) || ea == 0 || eb == 0;
            infinite[negative] = true;
            continue;
        }
        if (ea == 0 || eb == 0) {
            continue;
        }
        // 8 x 8 bits with 14 fraction bits.
        const uint64_t product = ((a[i] & 0x7FULL) | 0x80) * ((b[i] & 0x7FULL) | 0x80);
        terms[count++] = {negative, ea + eb - 127, product << 9};
    }
    for (const uint32_t accumulator : accumulators) {
        const bool negative = accumulator & kSignBit;
        const int exponent = accumulator >> 23 & 0xFF;
        const uint32_t fraction = accumulator & 0x7FFFFF;
        if (exponent == 0xFF) {
            nan |= fraction != 0;
            infinite[negative] = true;
        } else if (exponent || fraction) {
            terms[count++] = {negative, std::max(exponent, 1),
                              exponent ? fraction | 0x800000ULL : fraction};
        }
    }
    if (nan || (infinite[0] && infinite[1])) {
        return kNan;
    }
    if (infinite[0] || infinite[1]) {
        return infinite[1] ? kSignBit | kPositiveInfinity : kPositiveInfinity;
    }
    return count ? round_sum({terms.data(), count}) : 0;
}

}  // namespace xdna::emu::core
