#include "libxdna/image/switch_ports.hpp"

#include <gtest/gtest.h>

#include <string>

namespace xdna::image {
namespace {

constexpr TileKind kKinds[] = {TileKind::kShim, TileKind::kMem, TileKind::kCore};

// The register table names what is at a tile's offset: both tables must say the same of every port.
std::string name_at(TileKind kind, uint32_t offset) {
    const std::string name = register_name(kind, offset);
    return name.substr(name.find('.') + 1);
}

// "Core 0" -> "AIE_Core0" for masters; slaves have the number set off, but for the core.
std::string called(Port port, TileKind kind, const char* before) {
    std::string name = to_string(port);
    const size_t space = name.find(' ');
    const std::string number = name.substr(space + 1);
    name.resize(space);
    switch (port.kind) {
        case PortKind::kCore:
            return "AIE_Core" + number;
        case PortKind::kControl:
            return name;
        case PortKind::kTrace:
            return kind != TileKind::kCore ? name : port.number == 0 ? "AIE_Trace" : "Mem_Trace";
        default:
            return name + before + number;
    }
}

TEST(SwitchPorts, AreWhatTheRegistersAreCalled) {
    for (const TileKind kind : kKinds) {
        for (unsigned i = 0; i < master_count(kind); ++i) {
            EXPECT_EQ(name_at(kind, master_config_offset(kind, i)),
                      "Stream_Switch_Master_Config_" + called(master_port(kind, i), kind, ""));
        }
        for (unsigned i = 0; i < slave_count(kind); ++i) {
            const std::string name = called(slave_port(kind, i), kind, "_");
            EXPECT_EQ(name_at(kind, slave_config_offset(kind, i)),
                      "Stream_Switch_Slave_Config_" + name);
            EXPECT_EQ(name_at(kind, slave_slot_offset(kind, i, kSlots - 1)),
                      "Stream_Switch_Slave_" + name + "_Slot" + std::to_string(kSlots - 1));
        }
        EXPECT_EQ(name_at(kind, master_config_offset(kind, master_count(kind)))
                      .find("Stream_Switch_Master"),
                  std::string::npos);
        EXPECT_EQ(
            name_at(kind, slave_config_offset(kind, slave_count(kind))).find("Stream_Switch_Slave"),
            std::string::npos);
    }
}

TEST(SwitchPorts, IndexAndPortAreInverse) {
    for (const TileKind kind : kKinds) {
        for (unsigned i = 0; i < master_count(kind); ++i) {
            EXPECT_EQ(master_index(kind, master_port(kind, i)), static_cast<int>(i));
        }
        for (unsigned i = 0; i < slave_count(kind); ++i) {
            EXPECT_EQ(slave_index(kind, slave_port(kind, i)), static_cast<int>(i));
        }
        EXPECT_EQ(master_index(kind, {PortKind::kTrace, 0}), -1);
    }
    EXPECT_EQ(slave_index(TileKind::kMem, {PortKind::kWest, 0}), -1);
    EXPECT_EQ(master_index(TileKind::kCore, {PortKind::kNorth, 6}), -1);
}

// What leaves one tile must arrive at the other: as many masters on a side as slaves opposite.
TEST(SwitchPorts, NeighboursHaveAsManyWires) {
    const auto meet = [](TileKind from, Side side, TileKind to) {
        for (uint8_t lane = 0; lane < 16; ++lane) {
            EXPECT_EQ(master_index(from, port_on(side, lane)) >= 0,
                      slave_index(to, port_on(opposite(side), lane)) >= 0)
                << int(lane);
        }
    };
    for (const TileKind kind : kKinds) {
        meet(kind, Side::kEast, kind);
        meet(kind, Side::kWest, kind);
    }
    meet(TileKind::kShim, Side::kNorth, TileKind::kMem);
    meet(TileKind::kMem, Side::kSouth, TileKind::kShim);
    meet(TileKind::kMem, Side::kNorth, TileKind::kCore);
    meet(TileKind::kCore, Side::kSouth, TileKind::kMem);
    meet(TileKind::kCore, Side::kNorth, TileKind::kCore);
    meet(TileKind::kCore, Side::kSouth, TileKind::kCore);
}

TEST(SwitchPorts, ConnectsWithinASideOnlyEqualNumbers) {
    const Port east1 = {PortKind::kEast, 1};
    EXPECT_TRUE(connectable(TileKind::kCore, east1, east1));
    EXPECT_FALSE(connectable(TileKind::kCore, east1, {PortKind::kEast, 2}));
    EXPECT_TRUE(connectable(TileKind::kCore, east1, {PortKind::kWest, 2}));
    EXPECT_TRUE(connectable(TileKind::kShim, {PortKind::kSouth, 3}, {PortKind::kSouth, 2}));
    EXPECT_FALSE(connectable(TileKind::kCore, {PortKind::kControl, 0}, {PortKind::kDma, 0}));
}

}  // namespace
}  // namespace xdna::image
