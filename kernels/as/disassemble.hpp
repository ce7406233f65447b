#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/as/object.hpp"

namespace xdna::as {

/// One line of disassembled code: a bundle, or two bytes that are none.
struct CodeLine {
    std::uint32_t address;  ///< of its first byte, in bytes
    std::vector<std::uint8_t> bytes;
    std::string text;     ///< instructions; empty if the bytes are no bundle
    std::string problem;  ///< why they are none
};

/// Decodes code from its first byte on. Where there is no bundle, decoding goes on two bytes later.
[[nodiscard]] std::vector<CodeLine> disassemble(std::span<const std::uint8_t> code,
                                                std::uint32_t address);

/// Does this section hold code? Linker scripts leave some without the flag, so names count too.
[[nodiscard]] bool is_code(const ObjectSection& section);

/// A listing of the code of an object: addresses, bytes, instructions, with labels at their
/// places, targets of branches and relocations named behind "//".
[[nodiscard]] std::string listing(const Object& object);

/// Source that xdna-as turns into the same sections again, bytes and relocations.
[[nodiscard]] std::string source(const Object& object);

/// Bytes of code in the object that are no bundles.
[[nodiscard]] std::size_t undecodable_bytes(const Object& object);

}  // namespace xdna::as
