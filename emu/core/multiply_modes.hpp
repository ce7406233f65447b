// The multiplier's configuration word, and what each of its modes multiplies by what.
#pragma once

#include <array>
#include <cstdint>

#include "emu/core/dot_products.hpp"
#include "emu/core/lanes.hpp"

namespace xdna::emu::core {

/// The word in a scalar register; bits: Xilinx/llvm-aie, clang/lib/Headers/aiev2/aiev2_vmult.h.
struct MultiplyWord {
    uint32_t bits;
    bool zero_first;  ///< the first accumulator counts as 0
    unsigned mode;    ///< accumulator, operand widths and variant: bits 7:1
    bool y_signed;
    bool x_signed;
    bool shift_first;  ///< the first accumulator << 16
    bool negate_product;
    bool negate_first;
    bool negate_second;
    unsigned term_signs;  ///< of complex products

    explicit MultiplyWord(uint32_t w)
        : bits(w),
          zero_first(w & 1),
          mode(w >> 1 & 0x7F),
          y_signed(w >> 8 & 1),
          x_signed(w >> 9 & 1),
          shift_first(w >> 10 & 1),
          negate_product(w >> 11 & 1),
          negate_first(w >> 12 & 1),
          negate_second(w >> 13 & 1),
          term_signs(w >> 16) {}
    bool wide() const { return (mode & 3) == 1; }  ///< 64-bit accumulator lanes
};

/// Operands: X of 512 or, of sparse products, 1024 bits; Y of 512, with its mask if it is sparse.
using NarrowOperand = Lanes<uint8_t, 2>;
using WideOperand = Lanes<uint8_t, 4>;
struct SparseOperand {
    NarrowOperand data;
    std::array<uint64_t, 2> mask;
};

/// Writes the four cells of the products' sums.
using DenseProduct = void (*)(const NarrowOperand& x, const NarrowOperand& y,
                              const MultiplyWord& word, Cell* out);
/// These take what they need of X from its lowest bytes on.
using SparseProduct = void (*)(const WideOperand& x, const SparseOperand& y,
                               const MultiplyWord& word, Cell* out);
/// bf16: which products each sum has.
using DenseTerms = void (*)(const NarrowOperand& x, const NarrowOperand& y, Bf16Sums& sums);
using SparseTerms = void (*)(const WideOperand& x, const SparseOperand& y, Bf16Sums& sums);

/// What the word selects. Traps if that mode is not modelled or, of sparse ones, needs more than
/// `x_bytes` bytes of X.
DenseProduct dense_product(const MultiplyWord& word);
SparseProduct sparse_product(const MultiplyWord& word, size_t x_bytes);
DenseTerms dense_terms(const MultiplyWord& word);
SparseTerms sparse_terms(const MultiplyWord& word, size_t x_bytes);

}  // namespace xdna::emu::core
