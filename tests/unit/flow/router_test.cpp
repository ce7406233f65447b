#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "kernels/flow/router.hpp"

namespace xdna::flow {
namespace {

constexpr auto kOut = Direction::kMm2s;
constexpr auto kIn = Direction::kS2mm;

bool in_range(PortRange range, int port) {
    return port >= range.first && port < range.first + range.count;
}

// Follows a stream through the hops the way that the wires run, and returns the places (tile, S2MM
// channel) where it ends. Independent of how the router searched.
std::multimap<Tile, int> follow(const std::set<Hop>& hops, int columns, Tile tile, int slave) {
    std::multimap<Tile, int> ends;
    for (const Hop& hop : hops) {
        if (hop.tile != tile || hop.slave != slave) {
            continue;
        }
        const SwitchPorts& ports = switch_ports(tile.kind());
        if (in_range(ports.dma_master, hop.master)) {
            ends.emplace(tile, hop.master - ports.dma_master.first);
            continue;
        }
        if (tile.kind() == TileKind::kShim && hop.master < ports.master[1].first) {
            const int south = hop.master - ports.master[0].first;
            ends.emplace(tile, south == shim_dma_port(kIn, 0) ? 0 : 1);
            continue;
        }
        for (const Side side : kSides) {
            if (!in_range(ports.master[static_cast<int>(side)], hop.master)) {
                continue;
            }
            Tile next;
            EXPECT_TRUE(neighbour(tile, side, columns, next)) << "leaves the array";
            const int lane = hop.master - ports.master[static_cast<int>(side)].first;
            const PortRange in = switch_ports(next.kind()).slave[static_cast<int>(opposite(side))];
            EXPECT_LT(lane, in.count);
            ends.merge(follow(hops, columns, next, in.first + lane));
        }
    }
    return ends;
}

TEST(Router, StraightUpFromShimToMemoryTile) {
    Router router(1);
    router.connect({{0, 0}, kOut, 0}, {{{0, 1}, kIn, 0}});
    const auto south3 = switch_ports(TileKind::kShim).slave[0].first + 3;
    const auto ends = follow(router.hops(), 1, {0, 0}, south3);
    ASSERT_EQ(ends.size(), 1U);
    EXPECT_EQ(ends.begin()->first, (Tile{0, 1}));
}

TEST(Router, BroadcastReachesEveryColumnOnce) {
    Router router(4);
    std::vector<Endpoint> to;
    for (int column = 0; column < 4; ++column) {
        to.push_back({{column, 1}, kIn, 0});
    }
    router.connect({{0, 0}, kOut, 0}, to);
    const auto south3 = switch_ports(TileKind::kShim).slave[0].first + 3;
    const auto ends = follow(router.hops(), 4, {0, 0}, south3);
    EXPECT_EQ(ends.size(), 4U);
    for (const Endpoint& end : to) {
        EXPECT_EQ(ends.count(end.tile), 1U) << end.tile.name();
    }
}

TEST(Router, NoPortServesTwoStreams) {
    Router router(4);
    for (int column = 0; column < 4; ++column) {
        router.connect({{column, 0}, kOut, 0}, {{{0, 1}, kIn, column}});
        router.connect({{column, 1}, kOut, 0}, {{{column, 0}, kIn, 0}});
    }
    std::set<std::pair<Tile, int>> masters;
    for (const Hop& hop : router.hops()) {
        EXPECT_TRUE(masters.insert({hop.tile, hop.master}).second) << hop.tile.name();
    }
}

TEST(Router, EveryPairOfTilesConnects) {
    for (int from = 0; from < 4 * kRows; ++from) {
        for (int to = 0; to < 4 * kRows; ++to) {
            Router router(4);
            const Tile a{from / kRows, from % kRows};
            const Tile b{to / kRows, to % kRows};
            ASSERT_NO_THROW(router.connect({a, kOut, 1}, {{b, kIn, 1}}))
                << a.name() << " to " << b.name();
        }
    }
}

TEST(Router, FullWaysAreAnErrorThatNamesTheStream) {
    Router router(1);
    // Six lanes lead up from the shim; it has two channels, so fill the way down instead: four
    // lanes from the memory tile.
    for (int channel = 0; channel < 2; ++channel) {
        router.connect({{0, 1}, kOut, channel}, {{{0, 0}, kIn, channel}});
    }
    try {
        router.connect({{0, 1}, kOut, 2}, {{{0, 0}, kIn, 0}});
        FAIL() << "the channel is taken";
    } catch (const std::invalid_argument& e) {
        EXPECT_STREQ(e.what(), "tile (0,0) S2MM 0 takes another stream already");
    }
    EXPECT_THROW(router.connect({{0, 1}, kOut, 0}, {{{0, 2}, kIn, 0}}), std::invalid_argument);
    EXPECT_THROW(router.connect({{1, 1}, kOut, 0}, {{{0, 2}, kIn, 0}}), std::invalid_argument);
    EXPECT_THROW(router.connect({{0, 1}, kIn, 0}, {{{0, 2}, kIn, 0}}), std::invalid_argument);
}

}  // namespace
}  // namespace xdna::flow
