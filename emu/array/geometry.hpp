// Phoenix's array: five columns of six tiles, and what each kind of tile holds.
// Source: notes/array.md 1 (Xilinx/mlir-aie AIETargetModel, Xilinx/aie-rt reginit tables, AM025).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "libxdna/image/registers.hpp"

namespace xdna::emu {

using image::TileKind;

inline constexpr unsigned kColumns = 5;
inline constexpr unsigned kRows = 6;
inline constexpr unsigned kTiles = kColumns * kRows;

/// A tile by its physical place; row 0 is the shim.
struct Tile {
    uint8_t column = 0;
    uint8_t row = 0;

    constexpr TileKind kind() const {
        return row == 0 ? TileKind::kShim : row == 1 ? TileKind::kMem : TileKind::kCore;
    }
    constexpr unsigned index() const { return column * kRows + row; }
    constexpr bool operator==(const Tile&) const = default;
};

constexpr Tile tile_of(unsigned index) {
    return {static_cast<uint8_t>(index / kRows), static_cast<uint8_t>(index % kRows)};
}

/// "(column,row)", as mlir-aie writes it.
inline std::string to_string(Tile tile) {
    return "(" + std::to_string(tile.column) + "," + std::to_string(tile.row) + ")";
}

enum class Side : uint8_t { kSouth, kWest, kNorth, kEast };

/// True, and `next` set, where `tile` has a neighbour on that side.
constexpr bool neighbour(Tile tile, Side side, Tile& next) {
    const int column = tile.column + (side == Side::kEast) - (side == Side::kWest);
    const int row = tile.row + (side == Side::kNorth) - (side == Side::kSouth);
    if (column < 0 || row < 0 || column >= int{kColumns} || row >= int{kRows}) {
        return false;
    }
    next = {static_cast<uint8_t>(column), static_cast<uint8_t>(row)};
    return true;
}

constexpr Side opposite(Side side) {
    constexpr std::array kOpposite = {Side::kNorth, Side::kEast, Side::kSouth, Side::kWest};
    return kOpposite[static_cast<size_t>(side)];
}

/// What a tile of a kind holds.
struct TileShape {
    uint32_t data_bytes;
    uint32_t program_bytes;
    uint8_t locks;
    uint8_t bds;
    uint8_t bd_words;
    uint8_t channels;  ///< in each direction
};

inline constexpr std::array<TileShape, 3> kShapes = {{
    {0, 0, 16, 16, 8, 2},                  // shim
    {512 * 1024, 0, 64, 48, 8, 6},         // memory tile
    {64 * 1024, 16 * 1024, 16, 16, 6, 2},  // core
}};

constexpr const TileShape& shape(TileKind kind) {
    return kShapes[static_cast<size_t>(kind)];
}

}  // namespace xdna::emu
