// The ports of the stream switches: their order, and where they lead.
// Source: notes/array.md 5 (register order in AM025; validity in Xilinx/aie-rt
// driver/src/stream_switch/xaie_ss_aieml.c).
#pragma once

#include <cstdint>
#include <string>

#include "libxdna/image/tiles.hpp"

namespace xdna::image {

enum class PortKind : uint8_t {
    kCore,
    kDma,
    kControl,
    kFifo,
    kSouth,
    kWest,
    kNorth,
    kEast,
    kTrace,
};

/// A port of a switch: the `number`th of its kind.
struct Port {
    PortKind kind = PortKind::kCore;
    uint8_t number = 0;

    constexpr bool external() const { return kind >= PortKind::kSouth && kind <= PortKind::kEast; }
    constexpr Side side() const {
        return static_cast<Side>(static_cast<int>(kind) - static_cast<int>(PortKind::kSouth));
    }
    constexpr bool operator==(const Port&) const = default;
};
constexpr Port port_on(Side side, uint8_t number) {
    return {static_cast<PortKind>(static_cast<int>(PortKind::kSouth) + static_cast<int>(side)),
            number};
}

/// "South 3".
std::string to_string(Port port);

/// Ports by the index that master configurations select slaves with.
unsigned master_count(TileKind kind);
unsigned slave_count(TileKind kind);
Port master_port(TileKind kind, unsigned index);
Port slave_port(TileKind kind, unsigned index);
/// The index of a port, or -1 where the tile has none of that number.
int master_index(TileKind kind, Port port);
int slave_index(TileKind kind, Port port);

/// Whether a switch can connect the two: between ports of one side only equal numbers (but for the
/// south of a shim, where its DMAs are); trace reaches FIFO, south and one DMA channel; control
/// reaches neither control nor a core tile's DMA.
bool connectable(TileKind kind, Port slave, Port master);

/// Offsets of a switch's registers: a word each for masters and slaves, four slots a slave.
uint32_t master_config_offset(TileKind kind, unsigned master);
uint32_t slave_config_offset(TileKind kind, unsigned slave);
uint32_t slave_slot_offset(TileKind kind, unsigned slave, unsigned slot);
inline constexpr unsigned kSlots = 4;
inline constexpr unsigned kArbiters = 8;

}  // namespace xdna::image
