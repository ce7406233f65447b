// What cores and channels did, counted since the array was made: two readings and their difference
// tell what a command did.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "emu/array/core_model.hpp"
#include "emu/array/dma_channel.hpp"

namespace xdna::emu {

struct CoreActivity {
    Tile tile;
    uint64_t cycles = 0;  ///< enabled and not done: executing or stalled
    std::array<uint64_t, kStallNames.size()> stalls{};  ///< cycles, by what was waited for
    CoreWork work;
};

struct ChannelActivity {
    Tile tile;
    Direction direction{};
    unsigned channel = 0;
    DmaChannel::Counters counters;
};

struct Activity {
    std::vector<CoreActivity> cores;        ///< ordered by column and row
    std::vector<ChannelActivity> channels;  ///< then S2MM 0, 1, ..., MM2S 0, 1, ...

    /// What happened since `before`, a reading of the same columns. Only who did something.
    Activity since(const Activity& before) const;
};

}  // namespace xdna::emu
