#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/isa/bundle.hpp"

namespace xdna::isa {

/// An ELF relocation of AIE2 (a row of relocations.tsv): the value is symbol + addend, absolute.
struct Relocation {
    struct Run {
        std::uint8_t from;   ///< first bit of the value
        std::uint8_t count;  ///< bits
        std::uint8_t to;     ///< where they land, from the lowest bit of the bundle
    };
    std::uint8_t type;
    std::string_view name;
    std::uint8_t size;  ///< bytes of the bundle or data word that it patches
    bool data;          ///< in data, not in a bundle
    std::uint8_t run_count;
    std::array<Run, 2> runs;

    [[nodiscard]] unsigned value_bits() const;
};

[[nodiscard]] std::span<const Relocation> relocations();
[[nodiscard]] const Relocation* find_relocation(unsigned type);

/// The relocation that fills this operand of a bundle of this format; null if ELF has none.
[[nodiscard]] const Relocation* relocation_for(Format format, Op op, unsigned operand);

/// Writes the value's bits into `bytes`, which must hold relocation.size bytes.
void apply(const Relocation& relocation, std::span<std::uint8_t> bytes, std::uint32_t value);
/// Reads the value's bits back.
[[nodiscard]] std::uint32_t extract(const Relocation& relocation,
                                    std::span<const std::uint8_t> bytes);

}  // namespace xdna::isa
