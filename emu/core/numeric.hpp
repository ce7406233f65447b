// The number formats of the vector unit as pure functions: rounding, saturation, bf16. Rules and
// their evidence: notes of silicon vectors in tests/data/silicon; open points in
// docs/silicon-questions.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace xdna::emu::core {

/// crRnd. Nearest modes differ in ties only. 4 to 7, 14 and 15 are reserved.
enum class Rounding : uint8_t {
    kDown = 0,
    kUp = 1,
    kTowardZero = 2,
    kAwayFromZero = 3,
    kNearestDown = 8,
    kNearestUp = 9,
    kNearestTowardZero = 10,
    kNearestAwayFromZero = 11,
    kNearestEven = 12,
    kNearestOdd = 13,
};
bool is_rounding(uint32_t value);

/// crSat. 2 is reserved.
enum class Saturation : uint8_t { kWrap = 0, kSaturate = 1, kSymmetric = 3 };
bool is_saturation(uint32_t value);

/// When a number between two others goes to the upper one, by what is cut off: always and only if
/// that is above half (`nearest`) or at all (else), these say when else.
struct RoundingRule {
    bool nearest;
    bool negative;  ///< the number is negative: at the half (`nearest`), or whatever is cut off
    bool positive;
    bool odd;  ///< at the half, and the lower number is odd
    bool even;
};
const RoundingRule& rule(Rounding rounding);

/// lanes / 2^shift, rounded. `shift` is less than the lanes' bits.
template <typename Lane, size_t N>
void shift_round(std::array<Lane, N>& lanes, unsigned shift, Rounding rounding) {
    if (shift == 0) {
        return;
    }
    using Bits = std::make_unsigned_t<Lane>;
    const RoundingRule& when = rule(rounding);
    const auto half = static_cast<Lane>(Bits{1} << (shift - 1));
    const auto mask = static_cast<Lane>((Bits{1} << shift) - 1);
    const Lane negative = when.negative;
    const Lane positive = when.positive;
    if (when.nearest) {
        const Lane odd = when.odd;
        const Lane even = when.even;
        for (Lane& lane : lanes) {
            const Lane floor = lane >> shift;
            const Lane rest = lane & mask;
            const Lane tie = (lane < 0 ? negative : positive) | (floor & 1 ? odd : even);
            lane = floor + (rest > half ? 1 : rest == half ? tie : 0);
        }
    } else {
        for (Lane& lane : lanes) {
            const Lane up = lane < 0 ? negative : positive;
            lane = (lane >> shift) + (lane & mask ? up : 0);
        }
    }
}

/// lanes x 2^shift, for up to 4; beyond 64 bits they wrap if `saturation` is kWrap, else are the
/// nearest that there is.
template <size_t N>
void shift_up(std::array<int64_t, N>& lanes, unsigned shift, Saturation saturation) {
    const int64_t limit = std::numeric_limits<int64_t>::max() >> shift;
    for (int64_t& lane : lanes) {
        if (saturation == Saturation::kWrap || (lane >= -limit - 1 && lane <= limit)) {
            lane = static_cast<int64_t>(static_cast<uint64_t>(lane) << shift);
        } else {
            lane = lane < 0 ? std::numeric_limits<int64_t>::min()
                            : std::numeric_limits<int64_t>::max();
        }
    }
}

/// The lanes as integers of `bits` bits, fewer than a lane has. Sets `overflow` if one does not
/// fit.
template <typename Lane, size_t N>
void saturate(std::array<Lane, N>& lanes, unsigned bits, bool is_signed, Saturation saturation,
              bool& overflow) {
    const auto maximum = static_cast<Lane>((Lane{1} << (is_signed ? bits - 1 : bits)) - 1);
    const auto lowest = static_cast<Lane>(is_signed ? -maximum - 1 : 0);
    const auto minimum =
        static_cast<Lane>(is_signed && saturation == Saturation::kSymmetric ? -maximum : lowest);
    Lane differ = 0;
    if (saturation == Saturation::kWrap) {
        for (const Lane lane : lanes) {
            differ |= std::clamp(lane, minimum, maximum) ^ lane;
        }
    } else {
        for (Lane& lane : lanes) {
            const Lane limited = std::clamp(lane, minimum, maximum);
            differ |= limited ^ lane;
            lane = limited;
        }
    }
    overflow |= differ != 0;
}

/// fp32 bits to bf16 bits. Denormals round like others; a NaN keeps its top 7 fraction bits, or
/// becomes ...1 if those are 0.
uint16_t bf16_of_fp32(uint32_t value, const RoundingRule& when);
constexpr uint32_t fp32_of_bf16(uint16_t value) {
    return uint32_t{value} << 16;
}

/// floor(value x 2^shift) as int32, saturated; NaN gives 0.
int32_t floor_bf16(uint16_t value, int shift);

}  // namespace xdna::emu::core
