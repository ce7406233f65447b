#include "emu/array/machine.hpp"

#include <algorithm>
#include <utility>

#include "emu/array/choices.hpp"
#include "emu/array/timing.hpp"

namespace xdna::emu {
namespace {

using image::Module;

constexpr std::array<uint32_t, 3> kTileControl = {
    image::register_row(Module::kPl, "Tile_Control").offset,
    image::register_row(Module::kMemTile, "Tile_Control").offset,
    image::register_row(Module::kCore, "Tile_Control").offset};
constexpr image::Field kS2mmSel0 =
    image::field(Module::kMemTile, "DMA_Event_Channel_Selection", "S2MM_Sel0_Channel");
constexpr image::Field kS2mmSel1 =
    image::field(Module::kMemTile, "DMA_Event_Channel_Selection", "S2MM_Sel1_Channel");
constexpr image::Field kMm2sSel0 =
    image::field(Module::kMemTile, "DMA_Event_Channel_Selection", "MM2S_Sel0_Channel");
constexpr image::Field kMm2sSel1 =
    image::field(Module::kMemTile, "DMA_Event_Channel_Selection", "MM2S_Sel1_Channel");

// The events of a lock selector, in the order in which every tile kind numbers them.
enum LockEvent : uint8_t { kAcquireEqual, kAcquireAtLeast, kRelease, kEqual };

unsigned lock_unit(Tile tile) {
    return tile.kind() == TileKind::kCore ? 1 : 0;
}

}  // namespace

TileState::TileState(Tile at)
    : tile(at),
      data(shape(at.kind()).data_bytes / 4),
      program(shape(at.kind()).program_bytes / 4),
      bds(size_t{shape(at.kind()).bds} * shape(at.kind()).bd_words) {
    for (const Direction direction : {Direction::kS2mm, Direction::kMm2s}) {
        for (unsigned c = 0; c < shape(at.kind()).channels; ++c) {
            channels.emplace_back(at, direction, c);
        }
    }
}

std::span<uint32_t> TileState::bd(unsigned id) {
    const size_t words = shape(tile.kind()).bd_words;
    return std::span(bds).subspan(id * words, words);
}

Machine::Machine() {
    for (unsigned t = 0; t < kTiles; ++t) {
        tiles[t] = std::make_unique<TileState>(tile_of(t));
    }
}

uint32_t Machine::stored(Tile tile, uint32_t offset) const {
    const auto& registers = at(tile).registers;
    const auto found = registers.find(offset);
    if (found != registers.end()) {
        return found->second;
    }
    const auto hit = image::find_register(tile.kind(), offset);
    return hit && hit->byte == 0 ? hit->reg->reset : 0;
}

void Machine::fault(FaultKind kind, Tile tile, uint32_t offset, std::string what) {
    faults.push_back({kind, tile, offset, std::move(what)});
}

bool Machine::isolated(Tile tile, Side from) const {
    return (at(tile).isolation >> static_cast<int>(from) & 1) != 0;
}

void Machine::isolate(Tile tile, uint32_t sides) {
    at(tile).registers[kTileControl[static_cast<size_t>(tile.kind())]] = sides;
    at(tile).isolation = static_cast<uint8_t>(sides);
}

std::optional<Machine::LockPlace> Machine::lock_of(const DmaChannel& channel, unsigned id) const {
    const Tile tile = channel.tile();
    const unsigned locks = shape(tile.kind()).locks;
    if (tile.kind() != TileKind::kMem) {
        return id < locks ? std::optional(LockPlace{tile, id}) : std::nullopt;
    }
    // 0-63 west, 64-127 own, 128-191 east: mlir-aie.
    if (id / locks == 1) {
        return LockPlace{tile, id % locks};
    }
    const Side side = id < locks ? Side::kWest : Side::kEast;
    Tile next;
    if (id >= 3 * locks || channel.channel() >= choices::kMemTileNeighbourChannels ||
        !neighbour(tile, side, next) || isolated(next, opposite(side))) {
        return std::nullopt;
    }
    return LockPlace{next, id % locks};
}

bool Machine::acquire(LockPlace lock, int change) {
    if (!at(lock.tile).locks.acquire(lock.id, change)) {
        return false;
    }
    raise_lock(lock, change < 0 ? kAcquireAtLeast : kAcquireEqual);
    show(lock);
    return true;
}

void Machine::show(LockPlace lock) const {
    if (trace != nullptr) {
        trace->counter(lock.tile.index(), "lock " + std::to_string(lock.id), now,
                       at(lock.tile).locks.value(lock.id));
    }
}

void Machine::release(LockPlace lock, int change) {
    at(lock.tile).locks.release(lock.id, change);
    raise_lock(lock, kRelease);
    show(lock);
}

void Machine::raise_lock(LockPlace lock, unsigned event) {
    const TileState& state = at(lock.tile);
    const EventNumbers& numbers = event_numbers(lock.tile.kind(), lock_unit(lock.tile));
    for (unsigned s = 0; s < numbers.selectors; ++s) {
        if (state.lock_selectors[s].lock != lock.id) {
            continue;
        }
        raise(lock.tile, lock_unit(lock.tile), numbers.lock + 4 * s + event);
        if (state.locks.value(lock.id) == state.lock_selectors[s].value) {
            raise(lock.tile, lock_unit(lock.tile), numbers.lock + 4 * s + kEqual);
        }
    }
}

std::span<uint32_t> Machine::data_of(const DmaChannel& channel, uint64_t byte) {
    Tile tile = channel.tile();
    const uint64_t bytes = shape(tile.kind()).data_bytes;
    if (tile.kind() == TileKind::kMem) {
        // West, own and east memory, one after the other: mlir-aie.
        const uint64_t which = byte / bytes;
        byte %= bytes;
        if (which != 1) {
            const Side side = which == 0 ? Side::kWest : Side::kEast;
            Tile next;
            if (which > 2 || channel.channel() >= choices::kMemTileNeighbourChannels ||
                !neighbour(tile, side, next) || isolated(next, opposite(side))) {
                return {};
            }
            tile = next;
        }
    }
    if (byte >= bytes) {
        return {};
    }
    return std::span(at(tile).data).subspan(byte / 4);
}

void Machine::change(TileState& state, CoreSlot::Doing next) {
    CoreSlot& core = state.core;
    const uint64_t cycles = now - core.since;
    const auto stall = static_cast<size_t>(core.last.stall);
    if (core.doing == CoreSlot::Doing::kExecuting) {
        core.executed += cycles;
    } else if (core.doing == CoreSlot::Doing::kStalled) {
        core.stalls[stall] += cycles;
    }
    if (trace != nullptr && core.doing != CoreSlot::Doing::kNothing && cycles != 0) {
        const bool stalled = core.doing == CoreSlot::Doing::kStalled;
        const uint64_t bundles = core.model->work().bundles;
        trace->slice(
            state.tile.index(), "core",
            !stalled              ? std::string("executes")
            : core.last.waits_for ? "waits: " + core.last.waits_for()
                                  : std::string("waits"),
            core.since, now,
            stalled ? std::string() : "\"bundles\":" + std::to_string(bundles - core.shown));
        core.shown = bundles;
    }
    core.doing = next;
    core.since = now;
}

void Machine::reset_tile(Tile tile) {
    TileState& state = at(tile);
    change(state, CoreSlot::Doing::kNothing);
    state.locks = {};
    std::fill(state.bds.begin(), state.bds.end(), 0);
    for (DmaChannel& channel : state.channels) {
        channel.set_control(0);
        channel.reset();
    }
    state.registers.clear();
    state.isolation = 0xF;
    state.event_selection = 0;
    state.lock_selectors = {};
    for (EventUnit& unit : state.events) {
        unit = {};
        unit.reset_timer(now);
    }
    state.control_words.clear();
    state.control_reported = false;
    state.core.control = 2;
    state.core.done = false;
    state.core.trapped.clear();
    state.core.last = {};
    state.core.cascade.clear();
    if (state.core.model) {
        state.core.model->reset();
    }
    network_stale = true;
    work_stale = true;
}

void Machine::raise_dma(const DmaChannel& channel, DmaEvent event, uint64_t cycles) {
    const Tile tile = channel.tile();
    const unsigned unit = tile.kind() == TileKind::kCore ? 1 : 0;
    unsigned number = channel.channel();
    if (tile.kind() == TileKind::kMem) {
        // Six channels share two numbers each way; a register says which channels they are.
        const uint32_t selection = at(tile).event_selection;
        const bool s2mm = channel.direction() == Direction::kS2mm;
        if ((s2mm ? kS2mmSel0 : kMm2sSel0).get(selection) == channel.channel()) {
            number = 0;
        } else if ((s2mm ? kS2mmSel1 : kMm2sSel1).get(selection) == channel.channel()) {
            number = 1;
        } else {
            return;
        }
    }
    number += channel.direction() == Direction::kMm2s ? 2 : 0;
    raise(tile, unit,
          event_numbers(tile.kind(), unit).dma + 4 * static_cast<unsigned>(event) + number, cycles);
}

void Machine::raise(Tile tile, unsigned unit, unsigned event, uint64_t cycles) {
    const uint16_t lines = at(tile).events[unit].raise(event, now, cycles);
    if (lines != 0) {
        broadcast(tile, unit, lines);
    }
}

// A line driven in one unit reaches, hop by hop, every tile that is not behind a block.
void Machine::broadcast(Tile from, unsigned unit, uint16_t lines) {
    for (unsigned line = 0; line < kBroadcastLines; ++line) {
        if ((lines >> line & 1) == 0) {
            continue;
        }
        std::array<uint64_t, kTiles> reached;
        reached.fill(kNever);
        reached[from.index()] = now;
        std::vector<Tile> open = {from};
        while (!open.empty()) {
            const Tile tile = open.front();
            open.erase(open.begin());
            for (const Side side : {Side::kSouth, Side::kWest, Side::kNorth, Side::kEast}) {
                Tile next;
                const bool blocked =
                    (at(tile).events[0].blocked[static_cast<size_t>(side)][0] >> line & 1) != 0;
                if (blocked || !neighbour(tile, side, next) || isolated(next, opposite(side))) {
                    continue;
                }
                const bool vertical = side == Side::kSouth || side == Side::kNorth;
                const uint64_t cycle =
                    reached[tile.index()] +
                    (vertical ? timing::kBroadcastVertical : timing::kBroadcastHorizontal);
                if (cycle < reached[next.index()]) {
                    reached[next.index()] = cycle;
                    open.push_back(next);
                }
            }
        }
        for (unsigned t = 0; t < kTiles; ++t) {
            const Tile tile = tile_of(t);
            for (unsigned u = 0;
                 reached[t] != kNever && u < (tile.kind() == TileKind::kCore ? 2 : 1); ++u) {
                if (tile == from && u == unit) {
                    continue;
                }
                const Arrival arrival = {std::max(reached[t], now + 1), tile, u,
                                         event_numbers(tile.kind(), u).broadcast + line};
                arrivals.insert(std::upper_bound(arrivals.begin(), arrivals.end(), arrival,
                                                 [](const Arrival& a, const Arrival& b) {
                                                     return a.cycle < b.cycle;
                                                 }),
                                arrival);
            }
        }
    }
}

}  // namespace xdna::emu
