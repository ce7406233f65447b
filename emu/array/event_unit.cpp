#include "emu/array/event_unit.hpp"

#include <algorithm>

namespace xdna::emu {
namespace {

constexpr EventNumbers kShim = {128, 2, 14, 39, 6, 110};
constexpr EventNumbers kMemTile = {168, 4, 21, 46, 8, 142};
constexpr EventNumbers kCore = {128, 4, 0, 0, 0, 107};
constexpr EventNumbers kMemory = {128, 2, 19, 44, 8, 107};

}  // namespace

const EventNumbers& event_numbers(TileKind kind, unsigned unit) {
    switch (kind) {
        case TileKind::kShim:
            return kShim;
        case TileKind::kMem:
            return kMemTile;
        case TileKind::kCore:
            break;
    }
    return unit == 0 ? kCore : kMemory;
}

uint32_t EventUnit::counter(unsigned k, uint64_t now) const {
    const Counter& c = counters[k];
    return c.running ? c.value + static_cast<uint32_t>(now - c.since) : c.value;
}

void EventUnit::set_counter(unsigned k, uint32_t value, uint64_t now) {
    counters[k].value = value;
    counters[k].since = now;
}

void EventUnit::configure(unsigned k, uint8_t start, uint8_t stop, uint64_t now) {
    Counter& c = counters[k];
    c.value = counter(k, now);
    c.start = start;
    c.stop = stop;
    c.running = start == kEventTrue && stop != kEventTrue;
    c.since = now;
}

uint16_t EventUnit::raise(unsigned event, uint64_t now, uint64_t cycles) {
    status_[event / 32] |= 1U << (event % 32);
    if (!watched_) {
        return 0;
    }
    if (event != 0 && event == timer_reset_event) {
        reset_timer(now);
    }
    for (unsigned k = 0; event != 0 && k < counters.size(); ++k) {
        Counter& c = counters[k];
        if (event == c.start && event == c.stop) {
            // One event as start and stop counts the cycles in which it is there.
            c.value += static_cast<uint32_t>(cycles);
        } else if (event == c.start && !c.running) {
            c.running = true;
            c.since = now;
        } else if (event == c.stop && c.running) {
            c.value = counter(k, now);
            c.running = false;
        }
        if (event == c.reset) {
            set_counter(k, 0, now);
        }
    }
    uint16_t lines = 0;
    for (unsigned line = 0; event != 0 && line < kBroadcastLines; ++line) {
        lines |= static_cast<uint16_t>((broadcast[line] == event ? 1U : 0U) << line);
    }
    return lines;
}

bool EventUnit::matches(unsigned k, uint64_t now) const {
    const Counter& c = counters[k];
    return c.running && c.compare != 0 && counter(k, now) == c.compare;
}

uint64_t EventUnit::next_match(uint64_t now) const {
    uint64_t cycles = kNever;
    for (unsigned k = 0; k < counters.size(); ++k) {
        const Counter& c = counters[k];
        const uint32_t value = counter(k, now);
        if (c.running && c.compare != 0 && value < c.compare) {
            cycles = std::min<uint64_t>(cycles, c.compare - value);
        }
    }
    return cycles;
}

}  // namespace xdna::emu
