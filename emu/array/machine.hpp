// The state of the array, as its parts share it. Array (array.hpp) is the door to it.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "emu/array/core_slot.hpp"
#include "emu/array/dma_channel.hpp"
#include "emu/array/event_unit.hpp"
#include "emu/array/fault.hpp"
#include "emu/array/host_memory.hpp"
#include "emu/array/lock_bank.hpp"
#include "emu/array/stream_network.hpp"
#include "emu/array/task_token.hpp"
#include "emu/array/trace.hpp"

namespace xdna::emu {

/// One tile's state. Registers without behaviour of their own are words in `registers`.
struct TileState {
    explicit TileState(Tile at);

    Tile tile;
    std::vector<uint32_t> data;
    std::vector<uint32_t> program;
    LockBank locks;
    std::vector<uint32_t> bds;
    std::vector<DmaChannel> channels;  ///< S2MM 0, 1, ..., MM2S 0, 1, ...
    std::unordered_map<uint32_t, uint32_t> registers;
    std::array<EventUnit, 2> events;     ///< core tile: core, memory module; else the first alone
    std::deque<uint32_t> control_words;  ///< tokens on their way into the switch
    Stream* control = nullptr;
    Stream* control_in = nullptr;
    bool control_reported = false;
    CoreSlot core;

    // Registers that are asked for often, decoded.
    uint8_t isolation = 0xF;
    uint32_t event_selection = 0;
    struct LockSelector {
        uint8_t lock = 0;
        uint8_t value = 0x3F;
    };
    std::array<LockSelector, 8> lock_selectors{};

    std::span<uint32_t> bd(unsigned id);
    DmaChannel& channel(Direction direction, unsigned number) {
        return channels[direction == Direction::kMm2s ? channels.size() / 2 + number : number];
    }
};

class Machine {
  public:
    Machine();

    TileState& at(Tile tile) { return *tiles[tile.index()]; }
    const TileState& at(Tile tile) const { return *tiles[tile.index()]; }

    /// A register's stored word, or its reset value.
    uint32_t stored(Tile tile, uint32_t offset) const;

    void fault(FaultKind kind, Tile tile, uint32_t offset, std::string what);

    /// The tile and lock that a channel's lock id means; none where it cannot reach one.
    struct LockPlace {
        Tile tile;
        unsigned id;
    };
    std::optional<LockPlace> lock_of(const DmaChannel& channel, unsigned id) const;
    void release(LockPlace lock, int change);
    /// At the end of the present cycle.
    void release_later(LockPlace lock, int change) { releases.push_back({lock, change}); }
    bool acquire(LockPlace lock, int change);
    /// The lock's value was changed: the trace shows it.
    void show(LockPlace lock) const;

    /// `words` words of data memory from `byte` on, as a channel's addresses count; empty where it
    /// cannot reach all of them.
    std::span<uint32_t> data_of(const DmaChannel& channel, uint64_t byte);

    /// Whether `tile` is isolated from its neighbour on a side (Tile_Control).
    bool isolated(Tile tile, Side from) const;

    /// Sets Tile_Control: a bit for each side, south, west, north, east from bit 0.
    void isolate(Tile tile, uint32_t sides);

    /// Everything but the memories as after power-on.
    void reset_tile(Tile tile);

    /// Ends the stretch of executing or waiting that a core is in, counts and shows it.
    void change(TileState& state, CoreSlot::Doing next);

    /// An event of a DMA channel, in the unit and under the number that its tile gives it.
    void raise_dma(const DmaChannel& channel, DmaEvent event, uint64_t cycles = 1);
    void raise(Tile tile, unsigned unit, unsigned event, uint64_t cycles = 1);
    void raise_lock(LockPlace lock, unsigned event);
    void broadcast(Tile from, unsigned unit, uint16_t lines);

    uint64_t now = 0;
    std::array<std::unique_ptr<TileState>, kTiles> tiles;
    StreamNetwork network;
    bool network_stale = true;  ///< switches were configured since streams were followed
    bool work_stale = true;     ///< channels or cores may have got work
    std::array<HostMemory*, kColumns> host{};
    std::vector<std::pair<LockPlace, int>> releases;
    std::deque<TaskToken> tokens;
    std::vector<Fault> faults;
    Trace* trace = nullptr;

    // Broadcasts on their way: the cycle, and where they arrive.
    struct Arrival {
        uint64_t cycle;
        Tile tile;
        unsigned unit;
        unsigned event;
    };
    std::vector<Arrival> arrivals;                     // by cycle
    std::vector<std::pair<Tile, unsigned>> comparing;  ///< units with a counter to compare
};

}  // namespace xdna::emu
