#include "emu/core/numeric.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace xdna::emu::core {
namespace {

constexpr uint32_t kPositiveInfinity = 0x7F800000;
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

bool is_infinite_or_nan(uint32_t fp32) {
    return (fp32 & kPositiveInfinity) == kPositiveInfinity;
}
bool is_nan(uint32_t fp32) {
    return is_infinite_or_nan(fp32) && fp32 << 9;
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

}  // namespace xdna::emu::core
