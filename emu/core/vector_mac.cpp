// The multiplier and the accumulator adder (vec slot).
//
// The word in a scalar register says what is multiplied by what; bits and geometries: Xilinx/
// llvm-aie, clang/lib/Headers/aiev2_vmult.h. Products are made of the vectors read in the first
// cycle; accumulators are read in the third.
#include <algorithm>
#include <cstring>

#include "emu/core/dot_products.hpp"
#include "emu/core/lanes.hpp"
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

// The configuration word.
struct Word {
    uint32_t bits;
    bool zero_first;  // the first accumulator counts as 0
    unsigned mode;    // accumulator, operand widths and variant: bits 7:1
    bool y_signed;
    bool x_signed;
    bool shift_first;  // the first accumulator << 16
    bool negate_product;
    bool negate_first;
    bool negate_second;
    unsigned complex;

    explicit Word(uint32_t w)
        : bits(w),
          zero_first(w & 1),
          mode(w >> 1 & 0x7F),
          y_signed(w >> 8 & 1),
          x_signed(w >> 9 & 1),
          shift_first(w >> 10 & 1),
          negate_product(w >> 11 & 1),
          negate_first(w >> 12 & 1),
          negate_second(w >> 13 & 1),
          complex(w >> 16) {}
    bool wide() const { return (mode & 3) == 1; }  // 64-bit accumulator lanes
};
constexpr unsigned mode(unsigned amode, unsigned bmode, unsigned variant) {
    return amode | bmode << 2 | variant << 4;
}

// Signs of the terms, as the mnemonic has them; the word's flip each of them.
enum Signs : uint32_t { kNegateProduct = 1, kNegateFirst = 2, kNegateSecond = 4 };

// An accumulator of 32 lanes of 32, or 16 of 64 bits.
using Narrow = Lanes<uint32_t, 4>;
using Wide = Lanes<uint64_t, 4>;

using Vector = Lanes<uint8_t, 2>;

// A vector's first N elements of `Bits` bits.
template <unsigned Bits, size_t N, typename To>
std::array<To, N> elements(const Vector& v, bool sign) {
    std::array<To, N> out;
    if constexpr (Bits <= 8) {
        for (size_t i = 0; i < N; ++i) {
            out[i] = static_cast<To>(Bits == 4 ? v[i / 2] >> 4 * (i % 2) & 0xF : v[i]);
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
        std::memcpy(raw.data(), v.data(), sizeof raw);
        for (size_t i = 0; i < N; ++i) {
            out[i] = sign ? static_cast<To>(raw[i])
                          : static_cast<To>(static_cast<std::make_unsigned_t<Raw>>(raw[i]));
        }
    }
    return out;
}

using Product = void (*)(const Vector& x, const Vector& y, const Word& word,
                         std::array<Cell, 4>& out);

// A (M x K) of X times B (K x N) of Y, all row-major from element 0; sums wrap at the lane's width.
template <unsigned ABits, unsigned BBits, size_t M, size_t K, size_t N, typename Lane>
void matrix(const Vector& x, const Vector& y, const Word& word, std::array<Cell, 4>& out) {
    using Signed = std::make_signed_t<Lane>;
    const auto a = elements<ABits, M * K, Signed>(x, word.x_signed);
    const auto b = elements<BBits, K * N, Signed>(y, word.y_signed);
    Lanes<Lane, 4> c{};
    static_assert(M * N <= std::tuple_size_v<decltype(c)>);
    for (size_t m = 0; m < M; ++m) {
        for (size_t k = 0; k < K; ++k) {
            const auto left = static_cast<Lane>(a[m * K + k]);
            for (size_t n = 0; n < N; ++n) {
                c[m * N + n] += left * static_cast<Lane>(b[k * N + n]);
            }
        }
    }
    out = std::bit_cast<std::array<Cell, 4>>(c);
}

// The same for the modes that kernels live in, 4 x K times K x 8 in lanes of 32 bits, where all
// elements fit 16 bits: two products at once.
template <unsigned ABits, unsigned BBits, size_t K>
void matrix_of_16(const Vector& x, const Vector& y, const Word& word, std::array<Cell, 4>& out) {
    if ((ABits == 16 && !word.x_signed) || (BBits == 16 && !word.y_signed)) {
        return matrix<ABits, BBits, 4, K, 8, uint32_t>(x, y, word, out);
    }
    const auto a = elements<ABits, 4 * K, int16_t>(x, word.x_signed);
    const auto b = elements<BBits, K * 8, int16_t>(y, word.y_signed);
    multiply_4xK_Kx8<K>(a.data(), b.data(), reinterpret_cast<int32_t*>(out.data()));
}

// Lane i: the sum over t of a[i + t x L] b[i + t x L], L lanes.
template <unsigned Bits, size_t L, size_t Terms, typename Lane>
void elementwise(const Vector& x, const Vector& y, const Word& word, std::array<Cell, 4>& out) {
    using Signed = std::make_signed_t<Lane>;
    const auto a = elements<Bits, L * Terms, Signed>(x, word.x_signed);
    const auto b = elements<Bits, L * Terms, Signed>(y, word.y_signed);
    Lanes<Lane, 4> c{};
    for (size_t t = 0; t < Terms; ++t) {
        for (size_t i = 0; i < L; ++i) {
            c[i] += static_cast<Lane>(a[t * L + i]) * static_cast<Lane>(b[t * L + i]);
        }
    }
    out = std::bit_cast<std::array<Cell, 4>>(c);
}

struct Geometry {
    unsigned mode;
    Product product;
};
constexpr Geometry kGeometries[] = {
    {mode(0, 0, 0), matrix_of_16<8, 4, 16>},
    {mode(0, 1, 0), matrix_of_16<8, 8, 8>},
    {mode(0, 2, 0), matrix_of_16<16, 8, 4>},
    {mode(0, 3, 0), matrix_of_16<16, 16, 2>},
    {mode(1, 2, 0), matrix<16, 8, 2, 8, 8, uint64_t>},
    {mode(1, 2, 1), matrix<16, 8, 4, 8, 4, uint64_t>},
    {mode(1, 3, 0), matrix<16, 16, 2, 4, 8, uint64_t>},
    {mode(1, 3, 1), matrix<16, 16, 4, 4, 4, uint64_t>},
    {mode(1, 0, 0), matrix<32, 16, 4, 2, 4, uint64_t>},
    {mode(0, 1, 1), elementwise<8, 32, 2, uint32_t>},
    {mode(0, 3, 1), elementwise<16, 32, 1, uint32_t>},
    {mode(1, 3, 2), elementwise<16, 16, 2, uint64_t>},
};

[[noreturn]] void refuse(Pipeline& p, const Word& word) {
    p.trap("multiply mode not modelled: amode " + std::to_string(word.mode & 3) + ", bmode " +
           std::to_string(word.mode >> 2 & 3) + ", variant " + std::to_string(word.mode >> 4) +
           ", complex mask " + std::to_string(word.complex));
}

constexpr auto kProducts = [] {
    std::array<Product, 128> products{};
    for (const Geometry& each : kGeometries) {
        products[each.mode] = each.product;
    }
    return products;
}();

Product find_product(Pipeline& p, const Word& word) {
    const Product product = kProducts[word.mode];
    if (!product || word.complex) {
        refuse(p, word);
    }
    return product;
}

// sum = +-sum +- (value << shift), lane by lane; lanes wrap.
template <typename Lane>
void add(Cell* sum, bool negate_sum, const Cell* value, bool negate, unsigned shift) {
    Lanes<Lane, 4> total;
    Lanes<Lane, 4> term;
    std::memcpy(total.data(), sum, sizeof total);
    std::memcpy(term.data(), value, sizeof term);
    if (!negate_sum && !negate && shift == 0) {
        for (size_t i = 0; i < total.size(); ++i) {
            total[i] += term[i];
        }
    } else {
        for (size_t i = 0; i < total.size(); ++i) {
            const Lane lane = term[i] << shift;
            total[i] =
                (negate_sum ? Lane{0} - total[i] : total[i]) + (negate ? Lane{0} - lane : lane);
        }
    }
    std::memcpy(sum, total.data(), sizeof total);
}
void add_lanes(bool wide, Cell* sum, bool negate_sum, const Cell* value, bool negate,
               unsigned shift = 0) {
    wide ? add<uint64_t>(sum, negate_sum, value, negate, shift)
         : add<uint32_t>(sum, negate_sum, value, negate, shift);
}
constexpr std::array<Cell, 4> kZero{};

// Operands: destination, accumulators (Count of them), X, Y, word.
template <int Count>
void finish_multiply(Pipeline& p, const Exec& e, LateData& data) {
    const Word word(data.word);
    const bool negate = word.negate_product != bool(e.parameter & kNegateProduct);
    std::array<Cell, 4> accumulator;
    Cell* sum = p.write_cells(e, 0);
    std::copy(data.cells.begin(), data.cells.end(), sum);
    if (Count >= 1 && !word.zero_first) {
        p.read_cells<4>(e, 1, accumulator.data());
        add_lanes(word.wide(), sum, negate, accumulator.data(),
                  word.negate_first != bool(e.parameter & kNegateFirst), word.shift_first ? 16 : 0);
    } else if (negate) {
        add_lanes(word.wide(), sum, true, kZero.data(), false);
    }
    if constexpr (Count >= 2) {
        p.read_cells<4>(e, 2, accumulator.data());
        add_lanes(word.wide(), sum, false, accumulator.data(),
                  word.negate_second != bool(e.parameter & kNegateSecond));
    }
}
template <int Count>
void multiply(Pipeline& p, const Exec& e) {
    constexpr int kX = 1 + Count;
    const Word word(p.read(e, kX + 2));
    const Product product = find_product(p, word);
    LateData& data = p.later(e, 3, finish_multiply<Count>);
    data.word = word.bits;
    product(read_lanes<uint8_t>(p, e, kX), read_lanes<uint8_t>(p, e, kX + 1), word, data.cells);
}

// ---- bf16: 16 lanes of fp32 in half an accumulator ----

// X row-major 4 x 8 times Y 8 x 4, or lanes i and i + 16 of both.
constexpr unsigned kBf16Matrix = mode(2, 3, 0);
constexpr unsigned kBf16Elementwise = mode(2, 3, 1);

// Takes an operand into the sums, negated or not.
void add_accumulator(const Pipeline& p, const Exec& e, int operand, bool negate, Bf16Sums& sums) {
    auto& lanes = sums.accumulator[sums.accumulators++];
    lanes = read_lanes<uint32_t, 2>(p, e, operand);
    for (uint32_t& lane : lanes) {
        lane ^= uint32_t{negate} << 31;
    }
}

template <int Count>
void finish_multiply_bf16(Pipeline& p, const Exec& e, LateData& data) {
    const Word word(data.word);
    const auto x = carried_lanes<uint16_t, 2>(data, 0);
    const auto y = carried_lanes<uint16_t, 2>(data, 2);
    Bf16Sums sums;
    sums.negate = word.negate_product != bool(e.parameter & kNegateProduct);
    if (word.mode == kBf16Matrix) {
        sums.terms = 8;
        for (size_t k = 0; k < sums.terms; ++k) {
            for (size_t m = 0; m < 4; ++m) {
                std::fill_n(&sums.a[k][4 * m], 4, x[8 * m + k]);
                std::copy_n(&y[4 * k], 4, &sums.b[k][4 * m]);
            }
        }
    } else {
        sums.terms = 2;
        for (size_t k = 0; k < sums.terms; ++k) {
            std::copy_n(&x[16 * k], 16, sums.a[k].begin());
            std::copy_n(&y[16 * k], 16, sums.b[k].begin());
        }
    }
    if (Count >= 1 && !word.zero_first) {
        add_accumulator(p, e, 1, word.negate_first != bool(e.parameter & kNegateFirst), sums);
    }
    if constexpr (Count >= 2) {
        add_accumulator(p, e, 2, word.negate_second != bool(e.parameter & kNegateSecond), sums);
    }
    sum_bf16(sums, p.write_cells(e, 0)->words.data());
}
template <int Count>
void multiply_bf16(Pipeline& p, const Exec& e) {
    constexpr int kX = 1 + Count;
    const Word word(p.read(e, kX + 2));
    if ((word.mode != kBf16Matrix && word.mode != kBf16Elementwise) || word.shift_first ||
        word.complex) {
        refuse(p, word);
    }
    LateData& data = p.later(e, 3, finish_multiply_bf16<Count>);
    data.word = word.bits;
    p.read_cells<2>(e, kX, data.cells.data());
    p.read_cells<2>(e, kX + 1, data.cells.data() + 2);
}

// ---- accumulators alone ----

// vadd, vsub, vnegadd, vnegsub, vneg: parameter has the signs. In the word: bit 0 zeroes the first
// accumulator, bits 2:1 say the lanes' width, bit 10 shifts; the negations' places are open
// (silicon-questions), so a word with any other bit traps.
void check_add_word(Pipeline& p, uint32_t bits) {
    constexpr uint32_t kKnown = 0x407;
    if (bits & ~kKnown) {
        p.trap("accumulator word with bits of open meaning: " + std::to_string(bits));
    }
}
template <int Count>
void finish_add(Pipeline& p, const Exec& e, LateData& data) {
    const Word word(data.word);
    std::array<Cell, 4> accumulator;
    Cell* sum = p.write_cells(e, 0);
    std::copy(kZero.begin(), kZero.end(), sum);
    if (!word.zero_first) {
        p.read_cells<4>(e, 1, accumulator.data());
        add_lanes(word.wide(), sum, false, accumulator.data(), e.parameter & kNegateFirst,
                  word.shift_first ? 16 : 0);
    }
    if constexpr (Count == 2) {
        p.read_cells<4>(e, 2, accumulator.data());
        add_lanes(word.wide(), sum, false, accumulator.data(), e.parameter & kNegateSecond);
    }
}
template <int Count>
void accumulate(Pipeline& p, const Exec& e) {
    const uint32_t word = p.read(e, 1 + Count);
    check_add_word(p, word);
    p.later(e, 3, finish_add<Count>).word = word;
}

// fp32: one rounding; what would be denormal becomes zero of that sign.
template <int Count>
void finish_add_fp32(Pipeline& p, const Exec& e, LateData& data) {
    const Word word(data.word);
    Bf16Sums sums;
    if (!word.zero_first) {
        add_accumulator(p, e, 1, e.parameter & kNegateFirst, sums);
    }
    if constexpr (Count == 2) {
        add_accumulator(p, e, 2, e.parameter & kNegateSecond, sums);
    }
    sum_bf16(sums, p.write_cells(e, 0)->words.data());
}
template <int Count>
void accumulate_fp32(Pipeline& p, const Exec& e) {
    const uint32_t word = p.read(e, 1 + Count);
    check_add_word(p, word & ~0x1CU);
    p.later(e, 3, finish_add_fp32<Count>).word = word;
}

void finish_move(Pipeline& p, const Exec& e, LateData&) {
    p.read_cells(e, 1, p.write_cells(e, 0));
}
void move_late(Pipeline& p, const Exec& e) {
    p.later(e, e.operands[1].read_cycle, finish_move);
}
void clear(Pipeline& p, const Exec& e) {
    Cell* to = p.write_cells(e, 0);
    std::fill_n(to, e.operands[0].cells, Cell{});
}

// Dense forms; sparse ones have no row and trap.
#define XDNA_DENSE(name, f, count, signs) \
    { name "_vmac_cm_core_dense", f<count>, signs }
#define XDNA_DENSE2(name, f, signs) \
    { name "_vmac_bm_core_dense", f<2>, signs }

constexpr Semantics kRows[] = {
    XDNA_DENSE("VMUL", multiply, 0, 0),
    XDNA_DENSE("VNEGMUL", multiply, 0, kNegateProduct),
    XDNA_DENSE("VMAC", multiply, 1, 0),
    XDNA_DENSE("VMSC", multiply, 1, kNegateProduct),
    XDNA_DENSE("VNEGMAC", multiply, 1, kNegateFirst),
    XDNA_DENSE("VNEGMSC", multiply, 1, kNegateFirst | kNegateProduct),
    XDNA_DENSE2("VADDMAC", multiply, 0),
    XDNA_DENSE2("VADDMSC", multiply, kNegateProduct),
    XDNA_DENSE2("VSUBMAC", multiply, kNegateSecond),
    XDNA_DENSE2("VSUBMSC", multiply, kNegateSecond | kNegateProduct),
    {"VMUL_F_vmac_bm_core_dense", multiply_bf16<0>, 0},
    {"VNEGMUL_F_vmac_bm_core_dense", multiply_bf16<0>, kNegateProduct},
    {"VMAC_F_vmac_bm_core_dense", multiply_bf16<1>, 0},
    {"VMSC_F_vmac_bm_core_dense", multiply_bf16<1>, kNegateProduct},
    XDNA_DENSE2("VADDMAC_F", multiply_bf16, 0),
    XDNA_DENSE2("VADDMSC_F", multiply_bf16, kNegateProduct),
    {"VADD", accumulate<2>, 0},
    {"VSUB", accumulate<2>, kNegateSecond},
    {"VNEGADD", accumulate<2>, kNegateFirst},
    {"VNEGSUB", accumulate<2>, kNegateFirst | kNegateSecond},
    {"VNEG", accumulate<1>, kNegateFirst},
    {"VADD_F", accumulate_fp32<2>, 0},
    {"VSUB_F", accumulate_fp32<2>, kNegateSecond},
    {"VNEGADD_F", accumulate_fp32<2>, kNegateFirst},
    {"VNEGSUB_F", accumulate_fp32<2>, kNegateFirst | kNegateSecond},
    {"VNEG_F", accumulate_fp32<1>, kNegateFirst},
    {"VMOV_D", move_late},
    {"vclr", clear},
};

}  // namespace

std::span<const Semantics> vector_mac_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
