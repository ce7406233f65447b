#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "kernels/flow/router.hpp"

namespace xdna::flow {
namespace {

constexpr auto kOut = Direction::kMm2s;
constexpr auto kIn = Direction::kS2mm;

// Follows a stream through the hops the way that the wires run, and returns the places (tile, S2MM
// channel) where it ends. Independent of how the router searched.
std::multimap<Tile, int> follow(const std::set<Hop>& hops, int columns, Tile tile, int slave) {
    std::multimap<Tile, int> ends;
    for (const Hop& hop : hops) {
        if (hop.tile != tile || hop.slave != slave) {
            continue;
        }
        const image::Port leaves = master_port(tile.kind(), hop.master);
        Tile next;
        if (leaves.kind == PortKind::kDma) {
            ends.emplace(tile, leaves.number);
        } else if (!leaves.external()) {
            ADD_FAILURE() << "ends in " << tile.name() << ", " << to_string(leaves);
        } else if (tile.kind() == TileKind::kShim && leaves.side() == Side::kSouth) {
            ends.emplace(tile, leaves.number == shim_dma_port(kIn, 0) ? 0 : 1);
        } else if (!neighbour(tile, leaves.side(), columns, next)) {
            ADD_FAILURE() << "leaves the array by " << tile.name() << ", " << to_string(leaves);
        } else {
            const int arrives =
                slave_index(next.kind(), image::port_on(opposite(leaves.side()), leaves.number));
            EXPECT_GE(arrives, 0) << to_string(leaves);
            ends.merge(follow(hops, columns, next, arrives));
        }
    }
    return ends;
}

TEST(Router, StraightUpFromShimToMemoryTile) {
    Router router(1);
    router.connect({{0, 0}, kOut, 0}, {{{0, 1}, kIn, 0}});
    const int south3 = slave_index(TileKind::kShim, {PortKind::kSouth, 3});
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
    const int south3 = slave_index(TileKind::kShim, {PortKind::kSouth, 3});
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
