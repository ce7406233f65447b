// Attention as the kernels compute it, bit for bit, on the CPU; and in float64 beside it. The
// contract in words: docs/kernels/attention.md.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace xdna::kernels::attention {

/// Bits of an element of K and of V: 8, or 4 (-8 to 7).
struct Widths {
    uint32_t k = 8;
    uint32_t v = 8;
};
/// Keys that are worked on at once: probabilities are rounded against the maximum of the blocks so
/// far, so that this is part of the result. Throws std::invalid_argument for a head size that there
/// is no kernel for.
uint32_t key_block(uint32_t head_size, Widths widths);
/// Bits that a score loses before it is multiplied.
constexpr unsigned score_shift(uint32_t head_size, Widths widths) {
    return (head_size == 32 ? 4 : head_size == 64 ? 5 : 6) - (8 - widths.k);
}

/// What stands before each query's values: how its scores become exponents, and what it may see.
struct QueryHeader {
    /// Scores, shifted right by score_shift(), times this, shifted right by `shift`: exponents of
    /// 2 with 7 fraction bits. Not negative with 4-bit keys.
    int16_t multiplier = 0;
    /// Keys 0 to this - 1 count. Never less than that of the query before, in a block of 256.
    uint16_t visible = 0;
    uint16_t shift = 0;   ///< 0 to 31; one for all queries of a block of 256
    uint16_t blocks = 0;  ///< key blocks that the block of 256 queries needs
};
static_assert(sizeof(QueryHeader) == 8);

/// The header's multiplier and shift for scores that are to be multiplied by `scale` to be natural
/// logarithms: scale of Q x scale of K / sqrt(head size), for softmax as usual. `largest` is the
/// largest such scale of the head: it decides about the shift.
QueryHeader score_scale(uint32_t head_size, Widths widths, double scale, double largest);

/// One head: rows of `head_size` elements, row after row, one a byte whatever its width.
struct Head {
    uint32_t head_size = 0;
    Widths widths;
    std::span<const QueryHeader> headers;  ///< one a query
    std::span<const int8_t> q;
    std::span<const int8_t> k;
    std::span<const int8_t> v;
};

/// bf16 results, queries x head_size, in units of V's values. `headers[i].blocks` is not used.
std::vector<uint16_t> reference(const Head& head);

/// softmax(scale[i] q k^T) v over the first visible[i] keys, in float64.
std::vector<double> exact(uint32_t head_size, std::span<const double> scale,
                          std::span<const uint32_t> visible, std::span<const double> q,
                          std::span<const double> k, std::span<const double> v);

double value_of_bf16(uint16_t bits);

/// How far `result` is from `expected`.
struct Error {
    double cosine = 0;
    double largest = 0;  ///< absolute difference
    double largest_expected = 0;
};
Error compare(std::span<const double> result, std::span<const double> expected);

}  // namespace xdna::kernels::attention
