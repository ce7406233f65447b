// Blocks through a memory tile: an S2MM channel fills two buffers in turn, an MM2S channel empties
// them, two locks a channel pair keep them apart.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/flow/design.hpp"
#include "kernels/flow/sequence.hpp"

namespace xdna::kernels {

/// One stream's way into two buffers of a memory tile.
struct Lane {
    int channel;       ///< S2MM channel
    int first_bd;      ///< of four, of the channel's parity
    uint32_t address;  ///< of the first buffer; bytes
    int free_lock;     ///< counts empty buffers, starts at 2
    int full_lock;     ///< counts filled ones, starts at 0
};

/// Several lanes joined, block by block, into one MM2S channel.
struct Pipe {
    flow::Tile tile;
    std::vector<Lane> lanes;
    uint32_t second_buffer;  ///< bytes from a lane's first buffer to its second
    uint32_t block;          ///< words a lane and block; at most 65,535
    int out_channel;
    int out_first_bd;  ///< of four a lane

    /// Sets the locks' starting values.
    void prepare(flow::Design& design) const;
    /// Queues the movement of `words` words of every lane.
    void run(flow::Sequence& sequence, uint64_t words) const;
};

/// 32-bit words that hold `bytes`. Throws std::invalid_argument for none, or more than 64 MiB.
uint64_t checked_words(uint64_t bytes);

}  // namespace xdna::kernels
