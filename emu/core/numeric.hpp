// The number formats of the vector unit as pure functions: rounding, saturation, bf16. Rules and
// their evidence: notes of silicon vectors in tests/data/silicon; open points in
// docs/silicon-questions.md.
#pragma once

#include <cstdint>
#include <span>

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

/// value / 2^shift, rounded. `shift` -4 to 63; a product beyond 64 bits wraps if `saturation` is
/// kWrap, else is the nearest that there is.
int64_t shift_round(int64_t value, int shift, Rounding rounding, Saturation saturation);

/// `value` as an integer of `bits` bits (at most 32). Sets `overflow` if it does not fit.
int64_t saturate(int64_t value, unsigned bits, bool is_signed, Saturation saturation,
                 bool& overflow);

/// fp32 bits to bf16 bits. Denormals round like others; a NaN keeps its top 7 fraction bits, or
/// becomes ...1 if those are 0.
uint16_t bf16_of_fp32(uint32_t value, Rounding rounding);
constexpr uint32_t fp32_of_bf16(uint16_t value) {
    return uint32_t{value} << 16;
}

/// floor(value x 2^shift) as int32, saturated; NaN gives 0.
int32_t floor_bf16(uint16_t value, int shift);

/// The fp32 of a dot product of bf16 pairs plus accumulators, as the multiplier computes it: terms
/// aligned to the largest exponent with 23 fraction bits, added exactly, rounded once. Zero and
/// denormal bf16 count as zero. `negate` flips every product.
uint32_t dot_bf16(std::span<const uint16_t> a, std::span<const uint16_t> b, bool negate,
                  std::span<const uint32_t> accumulators);

}  // namespace xdna::emu::core
