// The array as a kernel sees it: columns counted from the partition's first, and Phoenix's six
// rows.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "libxdna/image/switch_ports.hpp"

namespace xdna::flow {

using image::kSides;
using image::opposite;
using image::PortKind;
using image::shape;
using image::Side;
using image::TileKind;

constexpr int kRows = 6;
/// Columns that a context can have on Phoenix without column 0, which has no shim DMA to memory.
constexpr int kMaxColumns = 4;

struct Tile {
    int column = 0;
    int row = 0;

    // clang-tidy 14 takes the 0 in what the compiler makes of it for a pointer.
    auto operator<=>(const Tile&) const = default;  // NOLINT(modernize-use-nullptr)
    TileKind kind() const { return image::TileAddress{0, static_cast<uint32_t>(row), 0}.kind(); }
    /// The address of a register of this tile, as PDIs and control code write it.
    uint32_t address(uint32_t offset) const {
        return image::TileAddress{static_cast<uint32_t>(column), static_cast<uint32_t>(row), offset}
            .encode();
    }
    std::string name() const {
        return "tile (" + std::to_string(column) + "," + std::to_string(row) + ")";
    }
};

/// DMA direction: S2MM writes memory from a stream, MM2S reads memory into one.
enum class Direction : uint8_t { kS2mm, kMm2s };

/// The neighbour on a side, and the side it is met on. False where the array (of `columns`) ends.
bool neighbour(Tile tile, Side side, int columns, Tile& out);

/// South port index, within the side, of a shim DMA channel. Source: Xilinx/aie-rt,
/// driver/src/pl/xaie_plif_aieml.c.
constexpr uint8_t shim_dma_port(Direction direction, int channel) {
    return direction == Direction::kMm2s ? (channel == 0 ? 3 : 7) : (channel == 0 ? 2 : 3);
}

/// A core addresses its own data memory from here on (Xilinx/aie-rt, _XAie_GetTargetTileLoc); BDs
/// and registers count from 0.
constexpr uint32_t kCoreOwnMemory = 0x70000;

}  // namespace xdna::flow
