// The array as a kernel sees it: columns counted from the partition's first, Phoenix's six rows,
// and which stream-switch port of which tile meets which.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "libxdna/image/registers.hpp"

namespace xdna::flow {

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

enum class Side : uint8_t { kSouth, kWest, kNorth, kEast };
constexpr Side kSides[] = {Side::kSouth, Side::kWest, Side::kNorth, Side::kEast};

/// A run of stream-switch ports of one side: their first index and how many there are.
struct PortRange {
    uint8_t first;
    uint8_t count;
};

/// Ports of one tile kind's stream switch, masters (out of the switch) and slaves (into it). A
/// DMA master feeds S2MM channels, a DMA slave is fed by MM2S. Shim DMAs have no ports of their
/// own: they share South ones (see shim_dma_port). Source: register order in
/// FIM43-Redeye/xdna-emu, docs/xdna/am025-compact; validity in Xilinx/aie-rt,
/// driver/src/stream_switch/xaie_ss_aieml.c.
struct SwitchPorts {
    PortRange dma_master;
    PortRange dma_slave;
    PortRange master[4];  // indexed by Side
    PortRange slave[4];
    uint8_t control_slave;  // task-complete tokens leave here
    uint32_t master_base;   // register offset of master 0; 4 bytes a port
    uint32_t slave_base;
    uint32_t slot_base;  // 16 bytes (four slots) a slave
};
const SwitchPorts& switch_ports(TileKind kind);

/// The neighbour on a side, and the side it is met on. False where the array (of `columns`) ends.
bool neighbour(Tile tile, Side side, int columns, Tile& out);
constexpr Side opposite(Side side) {
    return static_cast<Side>((static_cast<int>(side) + 2) % 4);
}

/// South port index, within the side, of a shim DMA channel. Source: Xilinx/aie-rt,
/// driver/src/pl/xaie_plif_aieml.c.
constexpr uint8_t shim_dma_port(Direction direction, int channel) {
    return direction == Direction::kMm2s ? (channel == 0 ? 3 : 7) : (channel == 0 ? 2 : 3);
}

/// A core addresses its own data memory from here on (Xilinx/aie-rt, _XAie_GetTargetTileLoc); BDs
/// and registers count from 0.
constexpr uint32_t kCoreOwnMemory = 0x70000;

/// Channels a direction, buffer descriptors, locks and bytes of data memory of a tile.
struct TileResources {
    int channels;
    int bds;
    int locks;
    uint32_t memory;
};
const TileResources& tile_resources(TileKind kind);

}  // namespace xdna::flow
