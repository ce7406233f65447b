// Modes and their geometries: Xilinx/llvm-aie, clang/lib/Headers/aiev2/aiev2_vmult.h, by the names
// and arguments of its intrinsics. What the names mean: AMD UG1583 (AI Engine-ML intrinsics),
// Multiply Accumulate; that channels are innermost, and how a sparse Y lies: Xilinx/aie_api,
// detail/aie2/sliding_mul_ch_acc32.hpp, mmul_16_8.hpp, mmul_8_8.hpp and detail/mmul.hpp.
#include "emu/core/multiply_modes.hpp"

#include <algorithm>
#include <cstring>

#include "emu/core/sparsity.hpp"

namespace xdna::emu::core {
namespace {

constexpr unsigned mode(unsigned amode, unsigned bmode, unsigned variant) {
    return amode | bmode << 2 | variant << 4;
}

[[noreturn]] void refuse(const MultiplyWord& word, const char* kind) {
    Pipeline::trap(std::string(kind) + " multiply mode not modelled: amode " +
                   std::to_string(word.mode & 3) + ", bmode " + std::to_string(word.mode >> 2 & 3) +
                   ", variant " + std::to_string(word.mode >> 4) + ", complex mask " +
                   std::to_string(word.term_signs));
}

// The first N elements of `Bits` bits.
template <unsigned Bits, size_t N, typename To>
std::array<To, N> elements(const uint8_t* bytes, bool sign) {
    std::array<To, N> out;
    if constexpr (Bits <= 8) {
        for (size_t i = 0; i < N; ++i) {
            out[i] = static_cast<To>(Bits == 4 ? bytes[i / 2] >> 4 * (i % 2) & 0xF : bytes[i]);
        }
        if (sign) {
            constexpr To kTop = To{1} << (Bits - 1);
            for (To& value : out) {
                value = static_cast<To>((value ^ kTop) - kTop);
            }
        }
    } else {
        using Raw = std::conditional_t<Bits == 16, int16_t, int32_t>;
        std::array<Raw, N> raw;
        std::memcpy(raw.data(), bytes, sizeof raw);
        for (size_t i = 0; i < N; ++i) {
            out[i] = sign ? static_cast<To>(raw[i])
                          : static_cast<To>(static_cast<std::make_unsigned_t<Raw>>(raw[i]));
        }
    }
    return out;
}

// ---- dense integers ----

// Of each of C channels, innermost in all three, the row-major product of M x K elements of X and
// K x N of Y. Rows of X overlap in a convolution: each begins `Step` elements after the last. Sums
// wrap at the lane's width.
template <unsigned XBits, unsigned YBits, size_t M, size_t K, size_t N, typename Lane, size_t C = 1,
          size_t Step = K>
void matrix(const NarrowOperand& x, const NarrowOperand& y, const MultiplyWord& word, Cell* out) {
    using Signed = std::make_signed_t<Lane>;
    constexpr size_t kXElements = ((M - 1) * Step + K) * C;
    static_assert(kXElements * XBits <= 512 && K * N * C * YBits <= 512);
    const auto a = elements<XBits, kXElements, Signed>(x.data(), word.x_signed);
    const auto b = elements<YBits, K * N * C, Signed>(y.data(), word.y_signed);
    Lanes<Lane, 4> lanes{};
    static_assert(M * N * C <= std::tuple_size_v<decltype(lanes)>);
    for (size_t m = 0; m < M; ++m) {
        for (size_t k = 0; k < K; ++k) {
            for (size_t n = 0; n < N; ++n) {
                for (size_t c = 0; c < C; ++c) {
                    lanes[(m * N + n) * C + c] += static_cast<Lane>(a[(m * Step + k) * C + c]) *
                                                  static_cast<Lane>(b[(k * N + n) * C + c]);
                }
            }
        }
    }
    std::memcpy(out, lanes.data(), sizeof lanes);
}

// Outputs x: sum over taps u of Y(u) X(x + u), in each channel.
template <unsigned Bits, size_t Outputs, size_t Taps, typename Lane, size_t Channels = 1>
constexpr DenseProduct kConvolution = matrix<Bits, Bits, Outputs, Taps, 1, Lane, Channels, 1>;

// Lane i: the sum over t of X(i + t L) Y(i + t L), L lanes: of each lane's channel a product of
// 1 x Terms by Terms x 1.
template <unsigned Bits, size_t L, size_t Terms, typename Lane>
constexpr DenseProduct kElementwise = matrix<Bits, Bits, 1, Terms, 1, Lane, L>;

// The same as matrix() for the modes that kernels live in, 4 x K times K x 8 in lanes of 32 bits,
// where all elements fit 16 bits: two products at once.
template <unsigned XBits, unsigned YBits, size_t K>
void matrix_of_16(const NarrowOperand& x, const NarrowOperand& y, const MultiplyWord& word,
                  Cell* out) {
    if ((XBits == 16 && !word.x_signed) || (YBits == 16 && !word.y_signed)) {
        return matrix<XBits, YBits, 4, K, 8, uint32_t>(x, y, word, out);
    }
    const auto a = elements<XBits, 4 * K, int16_t>(x.data(), word.x_signed);
    const auto b = elements<YBits, K * 8, int16_t>(y.data(), word.y_signed);
    multiply_4_by_8<K>(a.data(), b.data(), reinterpret_cast<int32_t*>(out));
}

// Eight channels of complex numbers, real parts in even lanes: the sum of `Terms` products, i and
// i + 8. The word has a sign for each real product: bits 2 t and 2 t + 1 for those of the real
// lane, of the real parts and of the imaginary parts; bits 4 higher for those of the imaginary
// lane, whose imaginary factor is Y's, then X's. This is the one order in which OP_TERM_NEG_COMPLEX
// and its conjugates (aie2p_defines.h, of the same names) are what they are called; that t = 0 is
// the lower two bits is the natural reading of the butterflies (silicon-questions).
template <unsigned XBits, size_t Terms>
void complex_elementwise(const NarrowOperand& x, const NarrowOperand& y, const MultiplyWord& word,
                         Cell* out) {
    constexpr size_t kChannels = 8;
    constexpr size_t kElements = 2 * kChannels * Terms;
    const auto a = elements<XBits, kElements, int64_t>(x.data(), word.x_signed);
    const auto b = elements<16, kElements, int64_t>(y.data(), word.y_signed);
    const auto product = [&](size_t left, size_t right, size_t sign) {
        const uint64_t value = static_cast<uint64_t>(a[left]) * static_cast<uint64_t>(b[right]);
        return word.term_signs >> sign & 1 ? uint64_t{0} - value : value;
    };
    Lanes<uint64_t, 4> lanes{};
    for (size_t t = 0; t < Terms; ++t) {
        for (size_t c = 0; c < kChannels; ++c) {
            const size_t real = 2 * (t * kChannels + c);
            const size_t imaginary = real + 1;
            lanes[2 * c] += product(real, real, 2 * t) + product(imaginary, imaginary, 2 * t + 1);
            lanes[2 * c + 1] +=
                product(real, imaginary, 2 * t + 4) + product(imaginary, real, 2 * t + 5);
        }
    }
    std::memcpy(out, lanes.data(), sizeof lanes);
}

constexpr unsigned kComplexOf16 = mode(1, 3, 4);
constexpr unsigned kComplexOf32 = mode(1, 0, 1);

struct DenseMode {
    unsigned mode;
    DenseProduct product;
};
constexpr DenseMode kDenseModes[] = {
    {mode(0, 0, 0), matrix_of_16<8, 4, 16>},
    {mode(0, 1, 0), matrix_of_16<8, 8, 8>},
    {mode(0, 2, 0), matrix_of_16<16, 8, 4>},
    {mode(0, 3, 0), matrix_of_16<16, 16, 2>},
    {mode(1, 2, 0), matrix<16, 8, 2, 8, 8, uint64_t>},
    {mode(1, 2, 1), matrix<16, 8, 4, 8, 4, uint64_t>},
    {mode(1, 3, 0), matrix<16, 16, 2, 4, 8, uint64_t>},
    {mode(1, 3, 1), matrix<16, 16, 4, 4, 4, uint64_t>},
    {mode(1, 0, 0), matrix<32, 16, 4, 2, 4, uint64_t>},
    {mode(0, 2, 1), matrix<16, 8, 4, 4, 4, uint32_t, 2>},
    {mode(0, 1, 1), kElementwise<8, 32, 2, uint32_t>},
    {mode(0, 3, 1), kElementwise<16, 32, 1, uint32_t>},
    {mode(1, 3, 2), kElementwise<16, 16, 2, uint64_t>},
    {mode(0, 1, 2), kConvolution<8, 4, 4, uint32_t, 8>},
    {mode(0, 1, 3), kConvolution<8, 8, 8, uint32_t, 4>},
    {mode(0, 1, 4), kConvolution<8, 32, 8, uint32_t>},
    {mode(1, 3, 3), kConvolution<16, 16, 4, uint64_t>},
    {kComplexOf16, complex_elementwise<16, 2>},
    {kComplexOf32, complex_elementwise<32, 1>},
};
constexpr auto kDenseProducts = [] {
    std::array<DenseProduct, 128> products{};
    for (const DenseMode& each : kDenseModes) {
        products[each.mode] = each.product;
    }
    return products;
}();

// Whether the signs of a complex product's terms mean something. Of those of one product two of
// each four are ignored, or are of halves of it; which, is open, so they must agree with the
// others, as they do in all published words.
bool takes_signs(const MultiplyWord& word) {
    const unsigned signs = word.term_signs;
    return signs == 0 || (word.mode == kComplexOf16 && signs <= 0xFF) ||
           (word.mode == kComplexOf32 && signs <= 0xFF && (signs & 0x33) == (signs >> 2 & 0x33));
}

// ---- sparse ----

// Which row of the K x N matrix each stored element is of; K / 2 x N are stored, row-major. The
// mask is column-major, with `bytes` bits an element.
template <size_t K, size_t N>
std::array<std::array<uint8_t, N>, K / 2> stored_rows(const std::array<uint64_t, 2>& mask,
                                                      unsigned bytes) {
    std::array<std::array<uint8_t, N>, K / 2> rows;
    for (size_t n = 0; n < N; ++n) {
        for (size_t group = 0; group < K / 4; ++group) {
            const size_t bit = (n * K + 4 * group) * bytes;
            const unsigned four = mask_of_four(mask[bit / 64] >> bit % 64, bytes);
            if (!fits_pair(four)) {
                Pipeline::trap("sparse operand with more than two of four elements: column " +
                               std::to_string(n) + ", rows from " + std::to_string(4 * group));
            }
            for (size_t i = 0; i < 2; ++i) {
                const uint8_t element = kStoredPairs[four][i];
                rows[2 * group + i][n] =
                    element == kNoElement ? element : static_cast<uint8_t>(4 * group + element);
            }
        }
    }
    return rows;
}

// X (M x K) times the matrix that Y is of. What is stored where the mask has nothing counts as 0.
template <unsigned XBits, unsigned YBits, size_t M, size_t K, size_t N, typename Lane>
void sparse_matrix(const WideOperand& x, const SparseOperand& y, const MultiplyWord& word,
                   Cell* out) {
    using Signed = std::make_signed_t<Lane>;
    const auto rows = stored_rows<K, N>(y.mask, YBits / 8);
    const auto a = elements<XBits, M * K, Signed>(x.data(), word.x_signed);
    const auto b = elements<YBits, K / 2 * N, Signed>(y.data.data(), word.y_signed);
    Lanes<Lane, 4> lanes{};
    for (size_t s = 0; s < K / 2; ++s) {
        for (size_t n = 0; n < N; ++n) {
            if (rows[s][n] == kNoElement) {
                continue;
            }
            const auto right = static_cast<Lane>(b[s * N + n]);
            for (size_t m = 0; m < M; ++m) {
                lanes[m * N + n] += static_cast<Lane>(a[m * K + rows[s][n]]) * right;
            }
        }
    }
    std::memcpy(out, lanes.data(), sizeof lanes);
}

struct SparseMode {
    unsigned mode;
    size_t x_bytes;
    SparseProduct product;
};
template <unsigned XBits, unsigned YBits, size_t M, size_t K, size_t N, typename Lane>
constexpr SparseMode sparse_mode(unsigned mode) {
    return {mode, M * K * XBits / 8, sparse_matrix<XBits, YBits, M, K, N, Lane>};
}
// Not among them: int8 x int4, 4 x 32 x 8 (mode 0, 0, 1), of which no source says how nibbles lie.
constexpr SparseMode kSparseModes[] = {
    sparse_mode<8, 8, 4, 16, 8, uint32_t>(mode(0, 1, 5)),
    sparse_mode<16, 8, 2, 16, 8, uint64_t>(mode(1, 2, 2)),
    sparse_mode<16, 16, 2, 8, 8, uint64_t>(mode(1, 3, 5)),
};

// ---- bf16: 16 lanes ----

constexpr unsigned kBf16Matrix = mode(2, 3, 0);
constexpr unsigned kBf16Elementwise = mode(2, 3, 1);
constexpr unsigned kBf16Sparse = mode(2, 3, 2);

// X row-major 4 x 8 times Y 8 x 4.
void bf16_matrix(const NarrowOperand& x, const NarrowOperand& y, Bf16Sums& sums) {
    const auto a = std::bit_cast<Lanes<uint16_t, 2>>(x);
    const auto b = std::bit_cast<Lanes<uint16_t, 2>>(y);
    sums.terms = 8;
    for (size_t k = 0; k < sums.terms; ++k) {
        for (size_t m = 0; m < 4; ++m) {
            std::fill_n(&sums.a[k][4 * m], 4, a[8 * m + k]);
            std::copy_n(&b[4 * k], 4, &sums.b[k][4 * m]);
        }
    }
}

// Lanes i and i + 16 of both.
void bf16_elementwise(const NarrowOperand& x, const NarrowOperand& y, Bf16Sums& sums) {
    const auto a = std::bit_cast<Lanes<uint16_t, 2>>(x);
    const auto b = std::bit_cast<Lanes<uint16_t, 2>>(y);
    sums.terms = 2;
    for (size_t k = 0; k < sums.terms; ++k) {
        std::copy_n(&a[16 * k], 16, sums.a[k].begin());
        std::copy_n(&b[16 * k], 16, sums.b[k].begin());
    }
}

// X 4 x 16 times the 16 x 4 that Y is of.
void bf16_sparse(const WideOperand& x, const SparseOperand& y, Bf16Sums& sums) {
    const auto rows = stored_rows<16, 4>(y.mask, 2);
    const auto a = std::bit_cast<Lanes<uint16_t, 4>>(x);
    const auto b = std::bit_cast<Lanes<uint16_t, 2>>(y.data);
    sums.terms = 8;
    for (size_t s = 0; s < sums.terms; ++s) {
        for (size_t lane = 0; lane < Bf16Sums::kLanes; ++lane) {
            const uint8_t row = rows[s][lane % 4];
            const bool empty = row == kNoElement;
            sums.a[s][lane] = empty ? uint16_t{0} : a[lane / 4 * 16 + row];
            sums.b[s][lane] = empty ? uint16_t{0} : b[s * 4 + lane % 4];
        }
    }
}

void check_x(size_t needed, size_t x_bytes) {
    if (needed > x_bytes) {
        Pipeline::trap("multiply mode of " + std::to_string(8 * needed) +
                       " bits of X with a register of " + std::to_string(8 * x_bytes));
    }
}

}  // namespace

DenseProduct dense_product(const MultiplyWord& word) {
    const DenseProduct product = kDenseProducts[word.mode];
    if (!product || !takes_signs(word)) {
        refuse(word, "dense");
    }
    return product;
}

SparseProduct sparse_product(const MultiplyWord& word, size_t x_bytes) {
    for (const SparseMode& row : kSparseModes) {
        if (row.mode == word.mode && word.term_signs == 0) {
            check_x(row.x_bytes, x_bytes);
            return row.product;
        }
    }
    refuse(word, "sparse");
}

DenseTerms dense_terms(const MultiplyWord& word) {
    if (!word.shift_first && !word.term_signs) {
        if (word.mode == kBf16Matrix) {
            return bf16_matrix;
        }
        if (word.mode == kBf16Elementwise) {
            return bf16_elementwise;
        }
    }
    refuse(word, "dense bf16");
}

SparseTerms sparse_terms(const MultiplyWord& word, size_t x_bytes) {
    if (word.mode != kBf16Sparse || word.shift_first || word.term_signs) {
        refuse(word, "sparse bf16");
    }
    check_x(sizeof(WideOperand), x_bytes);
    return bf16_sparse;
}

}  // namespace xdna::emu::core
