#include "kernels/matmul/requantise.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace xdna::kernels {
namespace {

int64_t shift_round(int64_t value, uint32_t shift) {
    return shift == 0 ? value : (value + (int64_t{1} << (shift - 1))) >> shift;
}

}  // namespace

Requantise Requantise::by(double scale) {
    if (!(scale >= std::ldexp(1, -24) && scale <= std::ldexp(1, 14))) {
        throw std::invalid_argument("scale: " + std::to_string(scale) + " is not in 2^-24 to 2^14");
    }
    Requantise out;
    // |sum| x scale reaches 128 at 2^7 / scale, which is to be at most 2^15 after the first shift.
    out.first =
        static_cast<uint32_t>(std::max(0, static_cast<int>(std::ceil(-8 - std::log2(scale)))));
    const double rest = std::ldexp(scale, static_cast<int>(out.first));
    // As many bits of the multiplier as 15 hold.
    out.second = static_cast<uint32_t>(std::max(0, 14 - std::ilogb(rest)));
    out.multiplier = static_cast<int32_t>(
        std::min(32767L, std::lround(std::ldexp(rest, static_cast<int>(out.second)))));
    return out;
}

int8_t Requantise::operator()(int32_t sum) const {
    const int64_t narrow = std::clamp<int64_t>(shift_round(sum, first), -32768, 32767);
    return static_cast<int8_t>(
        std::clamp<int64_t>(shift_round(narrow * multiplier, second), -128, 127));
}

}  // namespace xdna::kernels
