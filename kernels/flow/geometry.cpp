#include "kernels/flow/geometry.hpp"

namespace xdna::flow {
namespace {

using image::Module;
using image::register_row;

// Indexed by TileKind: shim, memory tile, core tile. Sides: south, west, north, east.
constexpr SwitchPorts kPorts[] = {
    {.dma_master = {0, 0},
     .dma_slave = {0, 0},
     .master = {{2, 6}, {8, 4}, {12, 6}, {18, 4}},
     .slave = {{2, 8}, {10, 4}, {14, 4}, {18, 4}},
     .control_slave = 0,
     .master_base = 0x3F000,
     .slave_base = 0x3F100,
     .slot_base = 0x3F200},
    {.dma_master = {0, 6},
     .dma_slave = {0, 6},
     .master = {{7, 4}, {0, 0}, {11, 6}, {0, 0}},
     .slave = {{7, 6}, {0, 0}, {13, 4}, {0, 0}},
     .control_slave = 6,
     .master_base = 0xB0000,
     .slave_base = 0xB0100,
     .slot_base = 0xB0200},
    {.dma_master = {1, 2},
     .dma_slave = {1, 2},
     .master = {{5, 4}, {9, 4}, {13, 6}, {19, 4}},
     .slave = {{5, 6}, {11, 4}, {15, 4}, {19, 4}},
     .control_slave = 3,
     .master_base = 0x3F000,
     .slave_base = 0x3F100,
     .slot_base = 0x3F200},
};

// The same knowledge stands in the register table as offsets; they must agree.
constexpr bool at(Module module, const image::Register& row, uint32_t base, PortRange ports) {
    return row.module == module && row.offset == base + 4U * ports.first &&
           row.outer.count == ports.count;
}
constexpr auto kShim = kPorts[0], kMem = kPorts[1], kCore = kPorts[2];
#define XDNA_MASTER(module, side) register_row(module, "Stream_Switch_Master_Config_" side "{}")
#define XDNA_SLAVE(module, side) register_row(module, "Stream_Switch_Slave_Config_" side "_{}")
static_assert(at(Module::kPl, XDNA_MASTER(Module::kPl, "South"), 0x3F000, kShim.master[0]));
static_assert(at(Module::kPl, XDNA_MASTER(Module::kPl, "North"), 0x3F000, kShim.master[2]));
static_assert(at(Module::kPl, XDNA_SLAVE(Module::kPl, "South"), 0x3F100, kShim.slave[0]));
static_assert(at(Module::kPl, XDNA_SLAVE(Module::kPl, "East"), 0x3F100, kShim.slave[3]));
static_assert(at(Module::kMemTile, XDNA_MASTER(Module::kMemTile, "South"), 0xB0000,
                 kMem.master[0]));
static_assert(at(Module::kMemTile, XDNA_SLAVE(Module::kMemTile, "North"), 0xB0100, kMem.slave[2]));
static_assert(at(Module::kCore, XDNA_MASTER(Module::kCore, "North"), 0x3F000, kCore.master[2]));
static_assert(at(Module::kCore, XDNA_SLAVE(Module::kCore, "West"), 0x3F100, kCore.slave[1]));
#undef XDNA_MASTER
#undef XDNA_SLAVE

// Source: am025-compact; Xilinx/mlir-aie, lib/Dialect/AIE/IR/AIETargetModel.cpp.
constexpr TileResources kResources[] = {
    {2, 16, 16, 0},
    {6, 48, 64, 512 * 1024},
    {2, 16, 16, 64 * 1024},
};

}  // namespace

const SwitchPorts& switch_ports(TileKind kind) {
    return kPorts[static_cast<int>(kind)];
}

const TileResources& tile_resources(TileKind kind) {
    return kResources[static_cast<int>(kind)];
}

bool neighbour(Tile tile, Side side, int columns, Tile& out) {
    constexpr int kColumnStep[] = {0, -1, 0, 1};
    constexpr int kRowStep[] = {-1, 0, 1, 0};
    out = {tile.column + kColumnStep[static_cast<int>(side)],
           tile.row + kRowStep[static_cast<int>(side)]};
    return out.column >= 0 && out.column < columns && out.row >= 0 && out.row < kRows;
}

}  // namespace xdna::flow
