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

bool inside(PortRange range, uint8_t port) {
    return port >= range.first && port < range.first + range.count;
}

// aie-rt's rule for circuits (xaie_ss_aieml.c): between two ports of one side, only equal indices.
bool may_connect(const SwitchPorts& ports, uint8_t slave, Side out, uint8_t lane) {
    const PortRange same_side = ports.slave[static_cast<int>(out)];
    return !inside(same_side, slave) || slave - same_side.first == lane;
}

}  // namespace

Router::Port Router::port_of(const Endpoint& end) const {
    const TileKind kind = end.tile.kind();
    const SwitchPorts& ports = switch_ports(kind);
    if (end.tile.column < 0 || end.tile.column >= columns_ || end.tile.row < 0 ||
        end.tile.row >= kRows || end.channel < 0 || end.channel >= tile_resources(kind).channels) {
        throw std::invalid_argument("no such DMA channel: " + describe(end));
    }
    const bool reads = end.direction == Direction::kMm2s;
    if (kind == TileKind::kShim) {
        const PortRange south =
            (reads ? ports.slave : ports.master)[static_cast<int>(Side::kSouth)];
        return {end.tile, south.first + shim_dma_port(end.direction, end.channel)};
    }
    return {end.tile, (reads ? ports.dma_slave : ports.dma_master).first + end.channel};
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
            const SwitchPorts& ports = switch_ports(tile.kind());
            const PortRange out = ports.master[static_cast<int>(side)];
            const PortRange in = switch_ports(next.kind()).slave[static_cast<int>(opposite(side))];
            for (uint8_t lane = 0; lane < std::min(out.count, in.count); ++lane) {
                const Port enter{next, in.first + lane};
                const uint8_t master = out.first + lane;
                if (masters_.count({tile, master}) || slaves_.count(enter) ||
                    reached.count(enter) || !may_connect(ports, slave, side, lane)) {
                    continue;
                }
                reached[enter] = {here, master};
                frontier.push_back(enter);
                break;  // lanes of one side are alike: the first free one will do
            }
        }
    }
    throw std::runtime_error("no way left for the stream from " + describe(from) + " to " +
                             describe(to));
}

}  // namespace xdna::flow
