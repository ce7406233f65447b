// Vector operands as arrays of lanes, element 0 in the least significant bits.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "emu/core/pipeline.hpp"

namespace xdna::emu::core {

/// Lanes of `Cells` 256-bit pieces.
template <typename T, size_t Cells>
using Lanes = std::array<T, Cells * 32 / sizeof(T)>;

template <typename T, size_t Cells = 2>
Lanes<T, Cells> read_lanes(const Pipeline& p, const Exec& e, int operand) {
    std::array<Cell, Cells> cells;
    p.read_cells<Cells>(e, operand, cells.data());
    return std::bit_cast<Lanes<T, Cells>>(cells);
}

template <typename T, size_t N>
void write_lanes(Pipeline& p, const Exec& e, int operand, const std::array<T, N>& lanes) {
    p.write_cells(e, operand, std::bit_cast<std::array<Cell, N * sizeof(T) / sizeof(Cell)>>(lanes));
}

/// Lanes that a late step carries.
template <typename T, size_t Cells>
Lanes<T, Cells> carried_lanes(const LateData& data, size_t first = 0) {
    std::array<Cell, Cells> cells;
    std::copy_n(data.cells.begin() + static_cast<std::ptrdiff_t>(first), Cells, cells.begin());
    return std::bit_cast<Lanes<T, Cells>>(cells);
}

/// A scalar or pair of scalars: 64 bits of l registers, 32 of others.
inline uint64_t read_scalar64(const Pipeline& p, const Exec& e, int operand) {
    const OperandRef& ref = e.operands[static_cast<size_t>(operand)];
    const uint64_t low = p.read(e, operand);
    return ref.cells == 2
               ? low | uint64_t{p.state.scalar(static_cast<isa::Atom>(ref.atom + 1))} << 32
               : low;
}
inline void write_scalar64(Pipeline& p, const Exec& e, int operand, uint64_t value) {
    const OperandRef& ref = e.operands[static_cast<size_t>(operand)];
    p.write(e, operand, static_cast<uint32_t>(value));
    if (ref.cells == 2) {
        p.write_atom(static_cast<isa::Atom>(ref.atom + 1), static_cast<uint32_t>(value >> 32),
                     ref.write_cycle);
    }
}

/// Numbers of the control and status registers in their files (kernels/isa/table/registers.tsv).
enum class Control : uint8_t {
    kVaddSign = 0,
    kF2fMask = 1,
    kF2iMask = 2,
    kFpMask = 3,
    kMcdEnable = 4,
    kPackSign = 5,
    kRounding = 6,
    kScdEnable = 7,
    kSrsSign = 8,
    kSaturation = 9,
    kUpsSign = 10,
    kUnpackSign = 11,
};
enum class Status : uint8_t { kSrsOverflow = 6, kUpsOverflow = 9 };

inline const isa::Atom first_control = atom_of(isa::RegisterFile::kCr, 0);
inline const isa::Atom first_status = atom_of(isa::RegisterFile::kSr, 0);

inline uint32_t control(const Pipeline& p, Control number) {
    return p.state.scalar(static_cast<isa::Atom>(first_control + static_cast<unsigned>(number)));
}

/// Whether lanes are signed: `.s` forms always, `.d` forms as the control register says.
enum class Sign : uint8_t { kSigned, kDynamic };
inline bool is_signed(const Pipeline& p, Sign sign, Control number) {
    return sign == Sign::kSigned || control(p, number) != 0;
}

}  // namespace xdna::emu::core
