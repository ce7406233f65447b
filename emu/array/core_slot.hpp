// A core tile's core: the registers that control it, and the model that runs it.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>

#include "emu/array/core_model.hpp"
#include "emu/array/stream_network.hpp"

namespace xdna::emu {

class Machine;

struct CoreSlot {
    std::unique_ptr<CoreModel> model;
    std::unique_ptr<CoreBus> bus;
    uint32_t control = 2;  ///< Core_Control: enable 0, reset 1
    bool done = false;
    std::string trapped;  ///< why it ended, until it is reset
    uint64_t time = 0;    ///< up to where the core has run; not before the array's cycle
    CoreProgress last;

    /// What it has been doing since `since`, and the cycles spent so before. Stalled: `last.stall`.
    enum class Doing : uint8_t { kNothing, kExecuting, kStalled };
    Doing doing = Doing::kNothing;
    uint64_t since = 0;
    uint64_t executed = 0;
    uint64_t shown = 0;  ///< bundles that the trace has
    std::array<uint64_t, kStallNames.size()> stalls{};

    Stream* in = nullptr;
    Stream* out = nullptr;

    /// Values on the cascade into this core, with the cycle from which each can be read.
    std::deque<std::pair<uint64_t, CascadeWord>> cascade;

    /// The cycle of the last access to each bank of the tile's data memory.
    std::array<uint64_t, 8> bank_used{};

    bool runs() const { return model != nullptr && control == 1 && !done && trapped.empty(); }
    bool stalled() const { return last.state == CoreProgress::State::kStalled; }
};

/// The bus of the core in `tile`.
std::unique_ptr<CoreBus> make_core_bus(Machine& machine, Tile tile);

}  // namespace xdna::emu
