#include "kernels/flow/router.hpp"

#include <deque>
#include <stdexcept>
#include <string>

namespace xdna::flow {
namespace {

std::string describe(const Endpoint& end) {
    return end.tile.name() + (end.direction == Direction::kMm2s ? " MM2S " : " S2MM ") +
           std::to_string(end.channel);
}

}  // namespace

Router::Port Router::port_of(const Endpoint& end) const {
    const TileKind kind = end.tile.kind();
    if (end.tile.column < 0 || end.tile.column >= columns_ || end.tile.row < 0 ||
        end.tile.row >= kRows || end.channel < 0 || end.channel >= shape(kind).channels) {
        throw std::invalid_argument("no such DMA channel: " + describe(end));
    }
    const bool reads = end.direction == Direction::kMm2s;
    // Shim DMAs have no ports of their own.
    const image::Port port =
        kind == TileKind::kShim
            ? image::Port{PortKind::kSouth, shim_dma_port(end.direction, end.channel)}
            : image::Port{PortKind::kDma, static_cast<uint8_t>(end.channel)};
    return {end.tile,
            static_cast<uint8_t>(reads ? slave_index(kind, port) : master_index(kind, port))};
}

void Router::connect(const Endpoint& from, const std::vector<Endpoint>& to) {
    if (from.direction != Direction::kMm2s || to.empty()) {
        throw std::invalid_argument(
            "a stream goes from an MM2S channel to S2MM channels, not from " + describe(from));
    }
    const int net = nets_++;
    if (!slaves_.emplace(port_of(from), net).second) {
        throw std::invalid_argument(describe(from) + " feeds another stream already");
    }
    for (const Endpoint& end : to) {
        if (end.direction != Direction::kS2mm) {
            throw std::invalid_argument("a stream cannot end at " + describe(end));
        }
        branch(net, from, end);
    }
}

void Router::branch(int net, const Endpoint& from, const Endpoint& to) {
    const Port goal = port_of(to);
    if (masters_.count(goal)) {
        throw std::invalid_argument(describe(to) + " takes another stream already");
    }

    // Breadth first from every port where the stream is already: shortest extension, latest branch.
    struct Step {
        Port before;     // slave port the stream comes from
        uint8_t master;  // through which it leaves that tile
    };
    std::map<Port, Step> reached;
    std::deque<Port> frontier;
    for (const auto& [port, owner] : slaves_) {
        if (owner == net) {
            frontier.push_back(port);
            reached[port] = {port, 0};
        }
    }
    while (!frontier.empty()) {
        const Port here = frontier.front();
        frontier.pop_front();
        const auto [tile, slave] = here;
        if (tile == to.tile) {
            masters_[goal] = net;
            hops_.insert({tile, slave, goal.second});
            for (Port at = here; reached[at].before != at;) {
                const Step step = reached[at];
                masters_[{step.before.first, step.master}] = net;
                slaves_[at] = net;
                hops_.insert({step.before.first, step.before.second, step.master});
                at = step.before;
            }
            return;
        }
        for (const Side side : kSides) {
            Tile next;
            if (!neighbour(tile, side, columns_, next)) {
                continue;
            }
            for (uint8_t lane = 0;; ++lane) {
                const image::Port leaves = image::port_on(side, lane);
                const int master = master_index(tile.kind(), leaves);
                const int arrives = slave_index(next.kind(), image::port_on(opposite(side), lane));
                if (master < 0 || arrives < 0) {
                    break;
                }
                const Port exit{tile, static_cast<uint8_t>(master)};
                const Port enter{next, static_cast<uint8_t>(arrives)};
                if (masters_.count(exit) || slaves_.count(enter) || reached.count(enter) ||
                    !connectable(tile.kind(), slave_port(tile.kind(), slave), leaves)) {
                    continue;
                }
                reached[enter] = {here, exit.second};
                frontier.push_back(enter);
                break;  // lanes of one side are alike: the first free one will do
            }
        }
    }
    throw std::runtime_error("no way left for the stream from " + describe(from) + " to " +
                             describe(to));
}

}  // namespace xdna::flow
