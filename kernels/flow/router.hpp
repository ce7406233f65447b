// Circuit-switched streams: from one DMA channel to one or several, through the stream switches.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "kernels/flow/geometry.hpp"

namespace xdna::flow {

/// A DMA channel of a tile, as the end of a stream.
struct Endpoint {
    Tile tile;
    Direction direction = Direction::kMm2s;
    int channel = 0;
};

/// One connection inside one switch: slave port to master port, by port index.
struct Hop {
    Tile tile;
    uint8_t slave = 0;
    uint8_t master = 0;

    // clang-tidy 14 takes the 0 in what the compiler makes of it for a pointer.
    auto operator<=>(const Hop&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// Finds ports for streams. Each takes the shortest way that the ones routed before it left; a
/// stream to several places branches as late as it can.
class Router {
  public:
    explicit Router(int columns) : columns_(columns) {}

    /// Takes the port out of what streams may use.
    void reserve_master(Tile tile, image::Port port) {
        masters_[{tile, static_cast<uint8_t>(master_index(tile.kind(), port))}] = kReserved;
    }

    /// Routes from an MM2S channel to S2MM channels. Throws std::invalid_argument for an end that
    /// does not exist or is taken, std::runtime_error where no way is left; both name the stream.
    void connect(const Endpoint& from, const std::vector<Endpoint>& to);

    /// Every connection made, ordered by tile.
    const std::set<Hop>& hops() const { return hops_; }

  private:
    using Port = std::pair<Tile, uint8_t>;
    static constexpr int kReserved = -1;

    Port port_of(const Endpoint& end) const;
    void branch(int net, const Endpoint& from, const Endpoint& to);

    int columns_;
    int nets_ = 0;
    std::map<Port, int> masters_;  // which stream has the port
    std::map<Port, int> slaves_;
    std::set<Hop> hops_;
};

}  // namespace xdna::flow
