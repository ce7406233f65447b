// What a partition is set up as before its first command: core programs, streams, locks, buffer
// descriptors and the tasks that wait for data. Written as a PDI.
//
// A kernel's steady state stands here, whatever the problem's size: cores that wait for objects,
// channels that pass buffers on for ever. What depends on the size is in each command's Sequence.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "kernels/flow/bd.hpp"
#include "kernels/flow/router.hpp"

namespace xdna::flow {

class Design {
  public:
    /// A partition of `columns` columns, 1 to kMaxColumns; else throws std::invalid_argument.
    explicit Design(int columns);

    int columns() const { return columns_; }

    /// Streams from an MM2S channel to one S2MM channel, or to several at once (each word goes to
    /// all; the slowest holds the others up). Throws as Router::connect().
    void stream(const Endpoint& from, const std::vector<Endpoint>& to);

    /// The value that a lock starts with, 0 to 63; unnamed locks start at 0.
    void lock(Tile tile, int id, int value);

    /// Sets BD `id` of a tile.
    void bd(Tile tile, int id, const Bd& bd);

    /// Queues a task when the PDI is loaded: it waits there for locks and data.
    void start(Tile tile, Direction direction, int channel, int bd, int repeats = 1);

    /// Has a channel fill (S2MM) or empty (MM2S) buffers of its tile for ever: the first `run` of
    /// each element of `objects`, the next `run` of each, and so on. Takes free BDs and sets the
    /// locks' starting values. `order`: see Bd::dimensions; else the buffers' own. Throws
    /// std::invalid_argument where the elements differ in their number of buffers, `run` does not
    /// divide it, or the tile has too few BDs.
    void loop(const Endpoint& channel, const std::vector<Buffers>& objects,
              const std::vector<Dimension>& order = {}, size_t run = 1);

    /// Loads machine code from address 0 of a core's program memory; the core starts when the
    /// set-up is complete. Throws std::invalid_argument if it does not fit.
    void core(Tile tile, std::span<const uint8_t> code);

    /// Words that data memory of a core or memory tile starts with; `address` counts bytes.
    void data(Tile tile, uint32_t address, std::vector<uint32_t> words);

    /// The partition's set-up as a PDI.
    std::vector<uint8_t> pdi() const;

  private:
    struct Write {
        uint32_t address;
        std::vector<uint32_t> words;
    };

    void use(Tile tile);
    int take_bd(const Endpoint& channel);
    std::vector<Write> switch_writes() const;

    int columns_;
    Router router_;
    std::set<Tile> tiles_;
    std::map<std::pair<Tile, int>, int> locks_;
    std::set<std::pair<Tile, int>> used_bds_;
    std::vector<Write> bds_;
    std::vector<Write> tasks_;
    std::vector<Write> memories_;
    std::set<Tile> cores_;
};

/// Stream id that task-complete tokens carry to the controller. Source: Xilinx/mlir-aie,
/// lib/Dialect/AIEX/Transforms (column control overlay: packet id 15 from the shim's own DMAs).
constexpr int kControllerId = 15;

}  // namespace xdna::flow
