// The registers of one core, as the instruction table cuts them into atoms: the pieces of storage
// that are written independently.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "kernels/isa/register.hpp"

namespace xdna::emu::core {

/// Storage of one atom: up to 256 bits, least significant word first. Narrow registers use the
/// first word. Uninitialized by default: cells are copied in the innermost loop.
struct alignas(32) Cell {
    std::array<uint32_t, 8> words;
};

/// Registers made of several atoms lie in consecutive cells where the table numbers them so
/// (vectors and accumulators); `d`, `q` and `qx` registers do not.
class State {
  public:
    uint32_t scalar(isa::Atom atom) const { return cells_[atom].words[0]; }
    /// Writes a register of up to 32 bits; bits that it does not have are dropped.
    void set_scalar(isa::Atom atom, uint32_t value) {
        cells_[atom].words[0] = value & (*masks_)[atom];
    }

    const Cell* cells(isa::Atom first) const { return &cells_[first]; }
    Cell* cells(isa::Atom first) { return &cells_[first]; }

    void clear() { cells_ = {}; }

    /// The bits that the first word of each atom has.
    static const std::array<uint32_t, isa::kAtomCount>& masks();

  private:
    std::array<Cell, isa::kAtomCount> cells_{};
    const std::array<uint32_t, isa::kAtomCount>* masks_ = &masks();
};

/// The atom of a register that is one atom.
inline isa::Atom atom_of(isa::RegisterFile file, unsigned index) {
    return isa::atoms({file, static_cast<uint8_t>(index)})[0];
}

}  // namespace xdna::emu::core
