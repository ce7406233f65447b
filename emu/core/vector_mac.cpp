// The multiplier and the accumulator adder (vec slot).
//
// The word in a scalar register says what is multiplied by what. Products are made of the vectors
// read in the first cycle; accumulators are read in the third.
#include <algorithm>
#include <cstring>

#include "emu/core/multiply_modes.hpp"
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

// Signs of the terms, as the mnemonic has them; the word's flip each of them.
enum Signs : uint32_t { kNegateProduct = 1, kNegateFirst = 2, kNegateSecond = 4 };

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
    const MultiplyWord word(data.word);
    const bool negate = word.negate_product != bool(e.parameter & kNegateProduct);
    std::array<Cell, 4> accumulator;
    Cell* sum = p.write_cells(e, 0);
    std::copy_n(data.cells.begin(), 4, sum);
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
    const MultiplyWord word(p.read(e, kX + 2));
    const DenseProduct product = dense_product(word);
    LateData& data = p.later(e, 3, finish_multiply<Count>);
    data.word = word.bits;
    product(read_lanes<uint8_t>(p, e, kX), read_lanes<uint8_t>(p, e, kX + 1), word,
            data.cells.data());
}

// X: an x register, or a y register, of which modes that need no more take the lower half.
std::array<Cell, 4> read_x(const Pipeline& p, const Exec& e, int operand) {
    std::array<Cell, 4> cells{};
    p.read_cells(e, operand, cells.data());
    return cells;
}
// Y: a qx register; its mask has no place beside its vector.
std::array<Cell, 3> read_sparse(const Pipeline& p, const Exec& e, int operand) {
    std::array<Cell, 3> cells{};
    p.read_cells<2>(e, operand, cells.data());
    const auto atoms = isa::atoms(e.registers[static_cast<size_t>(operand)]);
    for (size_t half = 0; half < 2; ++half) {
        std::copy_n(p.state.cells(atoms[2 + half])->words.begin(), 2, &cells[2].words[2 * half]);
    }
    return cells;
}
SparseOperand sparse_operand(const Cell* cells) {
    SparseOperand operand;
    std::memcpy(operand.data.data(), cells, sizeof operand.data);
    std::memcpy(operand.mask.data(), cells + 2, sizeof operand.mask);
    return operand;
}

template <int Count>
void multiply_sparse(Pipeline& p, const Exec& e) {
    constexpr int kX = 1 + Count;
    const MultiplyWord word(p.read(e, kX + 2));
    const SparseProduct product = sparse_product(word, e.operands[kX].cells * sizeof(Cell));
    LateData& data = p.later(e, 3, finish_multiply<Count>);
    data.word = word.bits;
    product(std::bit_cast<WideOperand>(read_x(p, e, kX)),
            sparse_operand(read_sparse(p, e, kX + 1).data()), word, data.cells.data());
}

// ---- bf16: 16 lanes of fp32 in half an accumulator ----

// Takes an operand into the sums, negated or not.
void add_accumulator(const Pipeline& p, const Exec& e, int operand, bool negate, Bf16Sums& sums) {
    auto& lanes = sums.accumulator[sums.accumulators++];
    lanes = read_lanes<uint32_t, 2>(p, e, operand);
    for (uint32_t& lane : lanes) {
        lane ^= uint32_t{negate} << 31;
    }
}

// X and Y are carried in the cells, one behind the other.
using Terms = void (*)(const LateData& data, const MultiplyWord& word, Bf16Sums& sums);
void carried_terms(const LateData& data, const MultiplyWord& word, Bf16Sums& sums) {
    dense_terms(word)(carried_lanes<uint8_t, 2>(data, 0), carried_lanes<uint8_t, 2>(data, 2), sums);
}
void carried_sparse_terms(const LateData& data, const MultiplyWord& word, Bf16Sums& sums) {
    sparse_terms(word, sizeof(WideOperand))(carried_lanes<uint8_t, 4>(data, 0),
                                            sparse_operand(&data.cells[4]), sums);
}

template <int Count, Terms CarriedTerms>
void finish_multiply_bf16(Pipeline& p, const Exec& e, LateData& data) {
    const MultiplyWord word(data.word);
    Bf16Sums sums;
    sums.negate = word.negate_product != bool(e.parameter & kNegateProduct);
    CarriedTerms(data, word, sums);
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
    const MultiplyWord word(p.read(e, kX + 2));
    dense_terms(word);  // traps now, not in a later cycle
    LateData& data = p.later(e, 3, finish_multiply_bf16<Count, carried_terms>);
    data.word = word.bits;
    p.read_cells<2>(e, kX, data.cells.data());
    p.read_cells<2>(e, kX + 1, data.cells.data() + 2);
}
template <int Count>
void multiply_sparse_bf16(Pipeline& p, const Exec& e) {
    constexpr int kX = 1 + Count;
    const MultiplyWord word(p.read(e, kX + 2));
    sparse_terms(word, e.operands[kX].cells * sizeof(Cell));
    LateData& data = p.later(e, 3, finish_multiply_bf16<Count, carried_sparse_terms>);
    data.word = word.bits;
    std::ranges::copy(read_x(p, e, kX), data.cells.begin());
    std::ranges::copy(read_sparse(p, e, kX + 1), data.cells.begin() + 4);
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
    const MultiplyWord word(data.word);
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
    const MultiplyWord word(data.word);
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

// Sparse bf16 forms with 512 bits of X have no row and trap: the one sparse bf16 mode needs 1024.
#define XDNA_MULTIPLY(name, count, signs)                                    \
    {name "_vmac_cm_core_dense", multiply<count>, signs},                    \
        {name "_vmac_cm_core_sparse_wide", multiply_sparse<count>, signs}, { \
        name "_vmac_cm_core_sparse_narrow", multiply_sparse<count>, signs    \
    }
#define XDNA_MULTIPLY2(name, signs)                                      \
    {name "_vmac_bm_core_dense", multiply<2>, signs},                    \
        {name "_vmac_cm_core_sparse_wide", multiply_sparse<2>, signs}, { \
        name "_vmac_cm_core_sparse_narrow", multiply_sparse<2>, signs    \
    }
#define XDNA_MULTIPLY_BF16(name, count, signs)                               \
    {name "_vmac_bm_core_dense", multiply_bf16<count>, signs}, {             \
        name "_vmac_bm_core_sparse_wide", multiply_sparse_bf16<count>, signs \
    }

constexpr Semantics kRows[] = {
    XDNA_MULTIPLY("VMUL", 0, 0),
    XDNA_MULTIPLY("VNEGMUL", 0, kNegateProduct),
    XDNA_MULTIPLY("VMAC", 1, 0),
    XDNA_MULTIPLY("VMSC", 1, kNegateProduct),
    XDNA_MULTIPLY("VNEGMAC", 1, kNegateFirst),
    XDNA_MULTIPLY("VNEGMSC", 1, kNegateFirst | kNegateProduct),
    XDNA_MULTIPLY2("VADDMAC", 0),
    XDNA_MULTIPLY2("VADDMSC", kNegateProduct),
    XDNA_MULTIPLY2("VSUBMAC", kNegateSecond),
    XDNA_MULTIPLY2("VSUBMSC", kNegateSecond | kNegateProduct),
    XDNA_MULTIPLY_BF16("VMUL_F", 0, 0),
    XDNA_MULTIPLY_BF16("VNEGMUL_F", 0, kNegateProduct),
    XDNA_MULTIPLY_BF16("VMAC_F", 1, 0),
    XDNA_MULTIPLY_BF16("VMSC_F", 1, kNegateProduct),
    XDNA_MULTIPLY_BF16("VADDMAC_F", 2, 0),
    XDNA_MULTIPLY_BF16("VADDMSC_F", 2, kNegateProduct),
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
