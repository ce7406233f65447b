#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "libxdna/image/pdi.hpp"

namespace xdna::as {

/// A piece of a core's program memory.
struct CodePiece {
    std::uint32_t address;  ///< in the core's program memory; bytes
    std::vector<std::uint8_t> bytes;
};

/// A core as an image loads it. Columns count from the partition's first, rows from the shim's.
struct CoreProgram {
    std::uint32_t column;
    std::uint32_t row;
    std::vector<CodePiece> pieces;  ///< by address, none touching another
};

/// What the PDI's CDOs write to program memories, in the order that they are loaded: what is
/// written later counts. Cores are ordered by column and row.
[[nodiscard]] std::vector<CoreProgram> core_programs(const image::Pdi& pdi);

}  // namespace xdna::as
