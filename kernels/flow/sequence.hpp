// The control code of one command: what the NPU's controller does, in order.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "kernels/flow/bd.hpp"
#include "libxdna/image/transaction.hpp"

namespace xdna::flow {

class Sequence {
  public:
    /// Control code for a partition of `columns` columns.
    explicit Sequence(int columns);

    /// Sets a BD of a memory or core tile.
    void bd(Tile tile, int id, const Bd& bd);

    /// Sets a BD of a column's shim to move `bd.words` words of the command's buffer `argument`
    /// (0 is the first), `bd.address` bytes in.
    void bd(int column, int id, const Bd& bd, int argument);

    /// Sets words of a core or memory tile's data memory; `address` counts bytes. How a command
    /// tells cores its sizes: they read them once its first object has come, which is later.
    void data(Tile tile, uint32_t address, std::vector<uint32_t> words);

    /// Queues BD `bd` on a channel. A task queue holds four tasks besides the one that runs; one
    /// more is lost (on the hardware silently), so wait in between.
    void start(Tile tile, Direction direction, int channel, int bd, int repeats = 1,
               bool token = false);

    /// Waits for the next token of a channel: the end of a task started with `token`.
    void wait(Tile tile, Direction direction, int channel);

    /// The control code, ready for a DEV BO.
    std::vector<uint8_t> code() const;

  private:
    void write(uint32_t address, uint32_t value);
    void write(uint32_t address, std::vector<uint32_t> words);

    image::Transaction transaction_;
    std::set<uint32_t> token_channels_;  // control registers that name the controller already
};

}  // namespace xdna::flow
