#include "libxdna/image/switch_ports.hpp"

#include <array>
#include <span>

namespace xdna::image {
namespace {

struct Group {
    PortKind kind;
    uint8_t count;
};

using enum PortKind;

constexpr std::array kShimMasters = {Group{kControl, 1}, Group{kFifo, 1},  Group{kSouth, 6},
                                     Group{kWest, 4},    Group{kNorth, 6}, Group{kEast, 4}};
constexpr std::array kShimSlaves = {Group{kControl, 1}, Group{kFifo, 1},  Group{kSouth, 8},
                                    Group{kWest, 4},    Group{kNorth, 4}, Group{kEast, 4},
                                    Group{kTrace, 1}};
constexpr std::array kMemMasters = {Group{kDma, 6}, Group{kControl, 1}, Group{kSouth, 4},
                                    Group{kNorth, 6}};
constexpr std::array kMemSlaves = {Group{kDma, 6}, Group{kControl, 1}, Group{kSouth, 6},
                                   Group{kNorth, 4}, Group{kTrace, 1}};
constexpr std::array kCoreMasters = {Group{kCore, 1},  Group{kDma, 2},   Group{kControl, 1},
                                     Group{kFifo, 1},  Group{kSouth, 4}, Group{kWest, 4},
                                     Group{kNorth, 6}, Group{kEast, 4}};
constexpr std::array kCoreSlaves = {Group{kCore, 1},  Group{kDma, 2},   Group{kControl, 1},
                                    Group{kFifo, 1},  Group{kSouth, 6}, Group{kWest, 4},
                                    Group{kNorth, 4}, Group{kEast, 4},  Group{kTrace, 2}};

std::span<const Group> masters(TileKind kind) {
    return kind == TileKind::kShim  ? std::span<const Group>(kShimMasters)
           : kind == TileKind::kMem ? std::span<const Group>(kMemMasters)
                                    : std::span<const Group>(kCoreMasters);
}

std::span<const Group> slaves(TileKind kind) {
    return kind == TileKind::kShim  ? std::span<const Group>(kShimSlaves)
           : kind == TileKind::kMem ? std::span<const Group>(kMemSlaves)
                                    : std::span<const Group>(kCoreSlaves);
}

unsigned count(std::span<const Group> groups) {
    unsigned total = 0;
    for (const Group& group : groups) {
        total += group.count;
    }
    return total;
}

Port at(std::span<const Group> groups, unsigned index) {
    for (const Group& group : groups) {
        if (index < group.count) {
            return {group.kind, static_cast<uint8_t>(index)};
        }
        index -= group.count;
    }
    return {};
}

int find(std::span<const Group> groups, Port port) {
    int index = 0;
    for (const Group& group : groups) {
        if (group.kind == port.kind) {
            return port.number < group.count ? index + port.number : -1;
        }
        index += group.count;
    }
    return -1;
}

// Where masters, slaves and slots begin: AM025.
uint32_t base(TileKind kind) {
    return kind == TileKind::kMem ? 0xB0000 : 0x3F000;
}

}  // namespace

std::string to_string(Port port) {
    constexpr std::array kNames = {"Core", "DMA",   "Tile_Ctrl", "FIFO", "South",
                                   "West", "North", "East",      "Trace"};
    return std::string(kNames[static_cast<size_t>(port.kind)]) + " " + std::to_string(port.number);
}

unsigned master_count(TileKind kind) {
    return count(masters(kind));
}
unsigned slave_count(TileKind kind) {
    return count(slaves(kind));
}
Port master_port(TileKind kind, unsigned index) {
    return at(masters(kind), index);
}
Port slave_port(TileKind kind, unsigned index) {
    return at(slaves(kind), index);
}
int master_index(TileKind kind, Port port) {
    return find(masters(kind), port);
}
int slave_index(TileKind kind, Port port) {
    return find(slaves(kind), port);
}

bool connectable(TileKind kind, Port slave, Port master) {
    // What enters a shim from below may leave it below: aie-rt has no such rule there, and AMD's
    // bandwidth measure (amd/xdna-driver tools/bins, Phoenix) turns its streams around so.
    const bool below_shim = kind == TileKind::kShim && slave.kind == kSouth;
    if (slave.external() && slave.kind == master.kind && !below_shim) {
        return slave.number == master.number;
    }
    switch (slave.kind) {
        case kTrace:
            return master.kind == kFifo || master.kind == kSouth ||
                   (master.kind == kDma && master.number == (kind == TileKind::kMem ? 5 : 0));
        case kControl:
            return master.kind != kControl && (kind != TileKind::kCore || master.kind != kDma);
        default:
            return true;
    }
}

uint32_t master_config_offset(TileKind kind, unsigned master) {
    return base(kind) + 4 * master;
}
uint32_t slave_config_offset(TileKind kind, unsigned slave) {
    return base(kind) + 0x100 + 4 * slave;
}
uint32_t slave_slot_offset(TileKind kind, unsigned slave, unsigned slot) {
    return base(kind) + 0x200 + 16 * slave + 4 * slot;
}

}  // namespace xdna::image
