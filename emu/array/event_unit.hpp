// Events of one module: status bits, performance counters, timer.
#pragma once

#include <array>
#include <cstdint>

#include "emu/array/geometry.hpp"
#include "emu/array/pipe.hpp"

namespace xdna::emu {

/// Events of DMA channels, in the order in which every tile kind numbers them.
enum class DmaEvent : uint8_t {
    kStartTask,
    kFinishedBd,
    kFinishedTask,
    kStalledLock,
    kStreamStall,  ///< S2MM: starvation; MM2S: back-pressure
};

/// Where the events of a unit are numbered. Source: notes/array.md 6 (Xilinx/aie-rt
/// driver/src/events/xaie_events_aieml.h).
struct EventNumbers {
    uint8_t count;
    uint8_t counters;   ///< performance counters; counter k raises event 5 + k
    uint8_t dma;        ///< DMA start task, S2MM 0; four numbers a DmaEvent. 0: no DMA
    uint8_t lock;       ///< lock selector 0; four numbers a selector. 0: no locks
    uint8_t selectors;  ///< lock selectors
    uint8_t broadcast;  ///< line 0 of 16
};
inline constexpr unsigned kEventTrue = 1;
inline constexpr unsigned kEventCounter = 5;  ///< of counter 0: it reached its compare value
inline constexpr unsigned kBroadcastLines = 16;

/// Unit 0 of a core tile is its core module, unit 1 its memory module.
const EventNumbers& event_numbers(TileKind kind, unsigned unit);

class EventUnit {
  public:
    /// A 64-bit timer that counts array clocks.
    uint64_t timer(uint64_t now) const { return now - timer_zero_; }
    void reset_timer(uint64_t now) { timer_zero_ = now; }

    uint32_t status(unsigned word) const { return status_[word]; }
    void clear_status(unsigned word, uint32_t bits) { status_[word] &= ~bits; }

    struct Counter {
        uint8_t start = 0;
        uint8_t stop = 0;
        uint8_t reset = 0;
        uint32_t compare = 0;
        uint32_t value = 0;  // when not running: what was counted
        bool running = false;
        uint64_t since = 0;  // running: when it started
    };
    std::array<Counter, 4> counters;
    std::array<uint8_t, kBroadcastLines> broadcast{};  ///< event that drives each line
    std::array<std::array<uint16_t, 2>, 4> blocked{};  ///< by side and network (A, B): lines
    uint8_t timer_reset_event = 0;

    uint32_t counter(unsigned k, uint64_t now) const;
    void set_counter(unsigned k, uint32_t value, uint64_t now);
    /// Sets start, stop or reset; a counter that starts at event 1 ("true") starts at once.
    void configure(unsigned k, uint8_t start, uint8_t stop, uint64_t now);

    /// Counts an event that lasts `cycles` from `now`; the lines (a bit each) it drives are
    /// returned.
    uint16_t raise(unsigned event, uint64_t now, uint64_t cycles);
    /// Whether a running counter reaches its compare value in cycle `now`.
    bool matches(unsigned k, uint64_t now) const;
    /// Cycles until one does; kNever if none will.
    uint64_t next_match(uint64_t now) const;
    /// Whether a counter or a broadcast line listens, so that the length of an event matters.
    bool watched() const { return watched_; }
    void watch() { watched_ = true; }

  private:
    std::array<uint32_t, 8> status_{};
    uint64_t timer_zero_ = 0;
    bool watched_ = false;
};

}  // namespace xdna::emu
