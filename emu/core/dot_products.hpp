// The inner loops of the simulator: what the multiplier makes every cycle.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace xdna::emu::core {

/// c = a (4 x K) times b (K x 8), all row-major; sums wrap at 32 bits. K is even. `c` is aligned to
/// 16 bytes.
template <size_t K>
void multiply_4_by_8(const int16_t* a, const int16_t* b, int32_t* c) {
#ifdef __SSE2__
    // Two rows of b interleaved, so that one instruction makes both products of four columns.
    const auto row = [&](size_t k) {
        return _mm_loadu_si128(reinterpret_cast<const __m128i*>(b + 8 * k));
    };
    __m128i pairs[K / 2][2];
    for (size_t k = 0; k < K / 2; ++k) {
        pairs[k][0] = _mm_unpacklo_epi16(row(2 * k), row(2 * k + 1));
        pairs[k][1] = _mm_unpackhi_epi16(row(2 * k), row(2 * k + 1));
    }
    for (size_t m = 0; m < 4; ++m) {
        __m128i sums[2] = {_mm_setzero_si128(), _mm_setzero_si128()};
        for (size_t k = 0; k < K / 2; ++k) {
            const auto left = static_cast<uint16_t>(a[m * K + 2 * k]) |
                              uint32_t{static_cast<uint16_t>(a[m * K + 2 * k + 1])} << 16;
            const __m128i both = _mm_set1_epi32(static_cast<int>(left));
            for (size_t half = 0; half < 2; ++half) {
                sums[half] = _mm_add_epi32(sums[half], _mm_madd_epi16(both, pairs[k][half]));
            }
        }
        for (size_t half = 0; half < 2; ++half) {
            _mm_store_si128(reinterpret_cast<__m128i*>(c + 8 * m + 4 * half), sums[half]);
        }
    }
#else
    for (size_t m = 0; m < 4; ++m) {
        for (size_t n = 0; n < 8; ++n) {
            uint32_t sum = 0;
            for (size_t k = 0; k < K; ++k) {
                sum += static_cast<uint32_t>(a[m * K + k] * b[k * 8 + n]);
            }
            c[8 * m + n] = static_cast<int32_t>(sum);
        }
    }
#endif
}

/// 16 sums, lane by lane, of bf16 products and fp32 accumulators.
struct Bf16Sums {
    static constexpr size_t kLanes = 16;
    using Products = std::array<std::array<uint16_t, kLanes>, 8>;

    size_t terms = 0;  ///< products of each sum, up to 8
    Products a;
    Products b;
    bool negate = false;      ///< the products
    size_t accumulators = 0;  ///< up to 2
    std::array<std::array<uint32_t, kLanes>, 2> accumulator;
};

/// The sums as the multiplier rounds them: terms aligned to the largest exponent with 23 fraction
/// bits, each rounded to nearest, added exactly, rounded once. Zero and denormal bf16 count as
/// zero. Infinities and NaNs are summed like numbers with exponent 255; a sum with a NaN among its
/// terms gets exponent 255 and its lowest fraction bit set, with the fraction of the sum, or 0
/// where that overflowed. Fitted to 864 lanes captured on a Phoenix, all of which it reproduces
/// (tests/data/silicon, vec_mac_bf16_ovf); what is open is in docs/silicon-questions.md.
void sum_bf16(const Bf16Sums& sums, uint32_t* out);

}  // namespace xdna::emu::core
