#include "kernels/attention/reference.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <string>

namespace xdna::kernels::attention {
namespace {

// The exponent of the largest probability's octave in bf16 (126 << 7), less one: the octave of a
// block's maximum gets 0.5 to 0.992.
constexpr int32_t kTop = 16127;
constexpr int32_t kLowest = -16384;  // of a running maximum, so that kTop below it does not wrap
constexpr int32_t kMasked = -32768;
constexpr int32_t kFractionBits = 7;
constexpr int32_t kMaxRescale = 31;
constexpr uint32_t kLeastSum = 128;
constexpr unsigned kOutputShift = 14;

// value / 2^shift, halves up.
int64_t round_shift(int64_t value, unsigned shift) {
    return shift == 0 ? value : (value + (int64_t{1} << (shift - 1))) >> shift;
}
int32_t saturate16(int64_t value) {
    return static_cast<int32_t>(std::clamp<int64_t>(value, INT16_MIN, INT16_MAX));
}

// 2^(exponent of `bits`) (1 + fraction) 2^16, rounded to 8 bits: `bits` are those of a bf16
// below 1.
uint8_t probability(int32_t bits) {
    const double value = value_of_bf16(static_cast<uint16_t>(bits));
    const auto fixed = static_cast<int32_t>(std::floor(value * 65536));
    return static_cast<uint8_t>((fixed + 128) >> 8);
}

// About 2^(14 + bits of l) / l.
int32_t reciprocal(uint32_t sum, unsigned bits) {
    const uint32_t x = bits <= 16 ? sum << (16 - bits) : sum >> (bits - 16);
    uint32_t r = 46261 - (x * 30840 >> 16);
    for (int step = 0; step < 2; ++step) {
        const uint32_t correction = ((1U << 31) - x * r) >> 15;
        r = r * correction >> 15;
    }
    return static_cast<int32_t>(std::min<uint32_t>(r, INT16_MAX));
}

// Bits of a result behind the point, in units of V: results of 4-bit values are the smaller for it.
int fraction_bits(Widths widths) {
    return 16 - static_cast<int>(widths.v);
}

// value / 2^fraction as bf16, halves up. 16 bits are exact in fp32.
uint16_t bf16_of_fixed(int32_t value, int fraction) {
    const auto bits = std::bit_cast<uint32_t>(std::ldexp(static_cast<float>(value), -fraction));
    // Halves of negative values go towards zero.
    const uint32_t half = bits >> 31 ? 0x7FFF : 0x8000;
    return static_cast<uint16_t>((bits + half) >> 16);
}

struct Row {
    int32_t maximum = kLowest;
    uint32_t sum = 0;
    std::vector<int64_t> output;
};

}  // namespace

double value_of_bf16(uint16_t bits) {
    return std::bit_cast<float>(uint32_t{bits} << 16);
}

uint32_t key_block(uint32_t head_size, Widths widths) {
    switch (head_size) {
        case 32:
        case 64:
            return 128;
        case 128:
            return widths.v == 8 ? 32 : 64;
        default:
            throw std::invalid_argument("head size " + std::to_string(head_size) +
                                        " is not 32, 64 or 128");
    }
}

QueryHeader score_scale(uint32_t head_size, Widths widths, double scale, double largest) {
    const double unit =
        std::numbers::log2e * (1 << kFractionBits) * (1 << score_shift(head_size, widths));
    QueryHeader header;
    while (header.shift < 31 && largest * unit * std::ldexp(1, header.shift + 1) <= INT16_MAX) {
        ++header.shift;
    }
    header.multiplier =
        static_cast<int16_t>(saturate16(std::llround(scale * unit * std::ldexp(1, header.shift))));
    return header;
}

std::vector<uint16_t> reference(const Head& head) {
    const uint32_t d = head.head_size;
    const uint32_t block = key_block(d, head.widths);
    const size_t keys = head.k.size() / d;
    std::vector<uint16_t> out(head.headers.size() * d);
    std::vector<int32_t> y(block);
    for (size_t i = 0; i < head.headers.size(); ++i) {
        const QueryHeader& header = head.headers[i];
        const int8_t* const q = &head.q[i * d];
        Row row;
        row.output.assign(d, 0);
        for (size_t first = 0; first < keys && first < header.visible; first += block) {
            const size_t count = std::min<size_t>(block, keys - first);
            int32_t top = kMasked;
            for (size_t k = 0; k < count; ++k) {
                int32_t score = 0;
                for (uint32_t j = 0; j < d; ++j) {
                    score += q[j] * head.k[(first + k) * d + j];
                }
                const int32_t s = saturate16(round_shift(score, score_shift(d, head.widths)));
                y[k] = first + k < header.visible
                           ? saturate16(round_shift(int64_t{s} * header.multiplier, header.shift))
                           : kMasked;
                top = std::max(top, y[k]);
            }
            constexpr int32_t kOctave = 1 << kFractionBits;
            const int32_t maximum = std::max(row.maximum, top & -kOctave);
            const int32_t octaves = (maximum - row.maximum) >> kFractionBits;
            if (octaves > 0) {
                const auto shift = static_cast<unsigned>(std::min(octaves, kMaxRescale));
                row.sum = static_cast<uint32_t>(round_shift(row.sum, shift));
                for (int64_t& o : row.output) {
                    o = round_shift(o, shift);
                }
                row.maximum = maximum;
            }
            for (size_t k = 0; k < count; ++k) {
                const uint8_t p = probability(std::max(y[k] - (maximum - kTop), 0));
                row.sum += p;
                for (uint32_t j = 0; j < d; ++j) {
                    row.output[j] += p * head.v[(first + k) * d + j];
                }
            }
        }
        const uint32_t sum = std::max(row.sum, kLeastSum);
        const auto bits = static_cast<unsigned>(std::bit_width(sum));
        const int32_t inverse = reciprocal(sum, bits);
        const int fraction = fraction_bits(head.widths);
        for (uint32_t j = 0; j < d; ++j) {
            const int32_t o = saturate16(round_shift(row.output[j] << (fraction - 8), bits - 8));
            out[i * d + j] = bf16_of_fixed(
                saturate16(round_shift(int64_t{o} * inverse, kOutputShift)), fraction);
        }
    }
    return out;
}

std::vector<double> exact(uint32_t head_size, std::span<const double> scale,
                          std::span<const uint32_t> visible, std::span<const double> q,
                          std::span<const double> k, std::span<const double> v) {
    std::vector<double> out(scale.size() * head_size);
    std::vector<double> p;
    for (size_t i = 0; i < scale.size(); ++i) {
        p.assign(visible[i], 0);
        double top = -INFINITY;
        for (size_t key = 0; key < p.size(); ++key) {
            for (uint32_t j = 0; j < head_size; ++j) {
                p[key] += q[i * head_size + j] * k[key * head_size + j];
            }
            p[key] *= scale[i];
            top = std::max(top, p[key]);
        }
        double sum = 0;
        for (double& each : p) {
            each = std::exp(each - top);
            sum += each;
        }
        for (size_t key = 0; key < p.size(); ++key) {
            for (uint32_t j = 0; j < head_size; ++j) {
                out[i * head_size + j] += p[key] / sum * v[key * head_size + j];
            }
        }
    }
    return out;
}

Error compare(std::span<const double> result, std::span<const double> expected) {
    Error error;
    double dot = 0;
    double a = 0;
    double b = 0;
    for (size_t i = 0; i < result.size(); ++i) {
        dot += result[i] * expected[i];
        a += result[i] * result[i];
        b += expected[i] * expected[i];
        error.largest = std::max(error.largest, std::abs(result[i] - expected[i]));
        error.largest_expected = std::max(error.largest_expected, std::abs(expected[i]));
    }
    error.cosine = a > 0 && b > 0 ? dot / std::sqrt(a * b) : a == b ? 1 : 0;
    return error;
}

}  // namespace xdna::kernels::attention
