// What each kind of tile holds, and its sides. Phoenix and Hawk Point.
// Source: notes/array.md 1 (Xilinx/mlir-aie AIETargetModel, Xilinx/aie-rt reginit tables, AM025).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "libxdna/image/registers.hpp"

namespace xdna::image {

enum class Side : uint8_t { kSouth, kWest, kNorth, kEast };
inline constexpr std::array kSides = {Side::kSouth, Side::kWest, Side::kNorth, Side::kEast};

constexpr Side opposite(Side side) {
    return static_cast<Side>((static_cast<unsigned>(side) + 2) % kSides.size());
}

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

}  // namespace xdna::image
