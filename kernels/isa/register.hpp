#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/isa/names.hpp"

namespace xdna::isa {

/// A register: its file and its number in that file (registers.tsv), not its hardware encoding.
struct Register {
    RegisterFile file;
    std::uint8_t index;

    friend bool operator==(const Register&, const Register&) = default;
};

/// One of the kAtomCount pieces of storage that are written independently: a scalar, a pointer, a
/// 256-bit quarter of an accumulator, half a mask... Registers that overlap share atoms.
using Atom = std::uint8_t;

/// The atoms of a register, least significant first; for d registers m, dn, dj, dc (of the inner,
/// then the outer dimension).
[[nodiscard]] std::span<const Atom> atoms(Register reg);

/// The register that is exactly this atom.
[[nodiscard]] Register register_of_atom(Atom atom);

[[nodiscard]] std::string_view name(Register reg);
[[nodiscard]] std::string_view name(RegisterFile file);

/// Width of each register of a file in bits.
[[nodiscard]] unsigned bits(RegisterFile file);
[[nodiscard]] unsigned register_count(RegisterFile file);

/// The register of that name. d0..d3 name registers of two files: this gives the one of file d.
[[nodiscard]] std::optional<Register> find_register(std::string_view name);

}  // namespace xdna::isa
