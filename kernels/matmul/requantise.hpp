// int32 sums to int8 by a factor, in the integer arithmetic of the cores' shift-round-saturate
// unit: exact, so that a reference can be compared bit for bit.
#pragma once

#include <cstdint>

namespace xdna::kernels {

/// c = sat8(round(sat16(round(sum / 2^first)) x multiplier / 2^second)), halves rounded up.
struct Requantise {
    uint32_t first = 0;
    int32_t multiplier = 0;  ///< 0 to 32767
    uint32_t second = 0;

    /// The one nearest to c = sum x scale: sums that give 127 or more fill the 16 bits in between.
    /// Throws std::invalid_argument for a scale outside 2^-24 to 2^14.
    static Requantise by(double scale);

    int8_t operator()(int32_t sum) const;
};

}  // namespace xdna::kernels
