// Buffer descriptors as a kernel author thinks of them, and as the registers want them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/flow/geometry.hpp"

namespace xdna::flow {

/// One dimension of an access pattern, innermost first. The element at (i0, i1, ...) is the 32-bit
/// word at base + i0 x step0 + i1 x step1 + ... words.
struct Dimension {
    uint32_t step = 1;  ///< words
    uint32_t size = 0;  ///< how many; 0 in the last dimension: until the length is used up
    /// Zero words (outer dimensions: whole rows of the padded dimension below) put before and after
    /// the data. Memory tiles' MM2S only.
    uint32_t zeros_before = 0;
    uint32_t zeros_after = 0;
};

/// What a BD does with a lock of its own tile.
struct LockUse {
    int lock = 0;
    /// Acquire: at least this many are taken. Release: this many are given.
    int count = 1;
};

struct Bd {
    /// Memory and core tiles: byte address in the tile's own data memory. Shim tiles: byte offset
    /// that control code adds to a buffer's address. A multiple of 4.
    uint64_t address = 0;
    /// 32-bit words moved by one run, padding included.
    uint32_t words = 0;
    /// Empty: linear. Core and shim tiles have 3 dimensions, memory tiles 4.
    std::vector<Dimension> dimensions;
    std::optional<LockUse> acquire;
    std::optional<LockUse> release;
    /// BD that runs after this one without a new task.
    std::optional<int> next;
};

/// Buffers of one tile that are filled and emptied in turn. Two locks of the tile count them, and
/// so keep the two sides apart: whoever fills one acquires `free_lock` and releases `full_lock`,
/// whoever empties it the other way round.
struct Buffers {
    std::vector<uint32_t> addresses;  ///< bytes in the tile's own data memory, in order of use
    uint32_t words = 0;               ///< of each
    int free_lock = 0;                ///< empty buffers; starts at their number
    int full_lock = 0;                ///< filled ones; starts at 0
    /// The order in which each is emptied, where the loop that does it names none.
    std::vector<Dimension> order = {};
};

/// The BD's register words: 6 for a core tile, 8 for others.
/// Throws std::invalid_argument naming the member that the tile's BD cannot hold.
std::vector<uint32_t> encode_bd(TileKind kind, const Bd& bd);

/// Register offset of word 0 of BD `id`; of the channel's task queue; of its control register.
/// Throw std::invalid_argument where the tile has no such BD or channel.
uint32_t bd_offset(TileKind kind, int id);
uint32_t queue_offset(TileKind kind, Direction direction, int channel);
uint32_t control_offset(TileKind kind, Direction direction, int channel);

/// The word that starts BD `bd` when written to a task queue: `repeats` runs (1 to 256), and a
/// task-complete token at the end where `token` says so.
uint32_t task_word(TileKind kind, int bd, int repeats, bool token);

}  // namespace xdna::flow
