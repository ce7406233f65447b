// Phoenix's array: five columns of six tiles.
#pragma once

#include <cstdint>
#include <string>

#include "libxdna/image/tiles.hpp"

namespace xdna::emu {

using image::opposite;
using image::shape;
using image::Side;
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

}  // namespace xdna::emu
