#include "kernels/attention/quantise.hpp"

#include <algorithm>
#include <cmath>

namespace xdna::kernels::attention {

int8_t quantised(double value, double scale, uint32_t bits) {
    const double most = (1 << (bits - 1)) - 1;
    return static_cast<int8_t>(std::clamp<double>(static_cast<double>(std::llround(value / scale)),
                                                  bits == 8 ? -most : -most - 1, most));
}

double best_scale(std::span<const double> values, uint32_t bits) {
    double largest = 0;
    for (const double each : values) {
        largest = std::max(largest, std::abs(each));
    }
    if (largest == 0) {
        return 1;
    }
    const double whole = largest / ((1 << (bits - 1)) - 1);
    if (bits == 8) {
        return whole;
    }
    double best = whole;
    double least = INFINITY;
    for (int percent = 100; percent >= 30; percent -= 5) {
        const double scale = whole * percent / 100;
        double error = 0;
        for (const double each : values) {
            const double off = each - quantised(each, scale, bits) * scale;
            error += off * off;
        }
        if (error < least) {
            least = error;
            best = scale;
        }
    }
    return best;
}

}  // namespace xdna::kernels::attention
