// Numbers to integers of some bits, as a caller of attention may do it.
#pragma once

#include <cstdint>
#include <span>

namespace xdna::kernels::attention {

/// The integer nearest to value / scale, -2^(bits - 1) to 2^(bits - 1) - 1 for 4 bits; of 8 bits
/// -128 is not used.
int8_t quantised(double value, double scale, uint32_t bits);

/// A scale for numbers that are quantised together. 8 bits: the largest gets 127. 4 bits: with the
/// least squared error of a few; large numbers may be cut off. 1 where all numbers are 0.
double best_scale(std::span<const double> values, uint32_t bits);

}  // namespace xdna::kernels::attention
