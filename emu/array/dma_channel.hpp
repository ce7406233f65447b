// One DMA channel: its task queue, and the transfer it runs.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "emu/array/descriptor.hpp"
#include "emu/array/stream_network.hpp"

namespace xdna::emu {

class Machine;

enum class Direction : uint8_t { kS2mm, kMm2s };

/// "S2MM 0".
std::string to_string(Direction direction, unsigned channel);

class DmaChannel {
  public:
    DmaChannel(Tile tile, Direction direction, unsigned channel)
        : tile_(tile), direction_(direction), channel_(static_cast<uint8_t>(channel)) {}

    Tile tile() const { return tile_; }
    Direction direction() const { return direction_; }
    unsigned channel() const { return channel_; }

    // --- registers ---

    /// A word of the task queue. A fifth task is lost, the overflow bit sticks.
    void queue(uint32_t word);
    uint32_t control() const { return control_; }
    void set_control(uint32_t word);
    uint32_t status() const;
    void clear_status(uint32_t bits) { sticky_ &= ~bits; }
    uint32_t write_count() const { return static_cast<uint32_t>(done_); }
    /// As after a reset: queue empty, nothing under way.
    void reset();

    // --- the scheduler's step ---

    bool idle() const { return state_ == State::kIdle && tasks_.empty(); }
    /// The stream to or from the switch; null where there is none, then `why` says so.
    void connect(Stream* stream, std::string why);

    /// Takes every step that falls due at the machine's time, up to a lock that has to be asked
    /// for.
    void advance(Machine& machine);
    /// Set while a lock is asked for: the cycle since when.
    std::optional<uint64_t> asks_since() const;
    /// Asks once. True: granted.
    bool ask(Machine& machine);
    /// Whether words move in this cycle; notes it on the stream.
    void decide(const Machine& machine);
    bool moving() const { return moving_; }
    /// Cycles until this channel by itself would do something else.
    uint64_t steady(uint64_t now) const;
    /// Counts what the channel did in the step that `cycles` long was; raises stall events.
    void account(Machine& machine, uint64_t cycles);
    /// Moves a word in each of the next `cycles` cycles.
    void move(Machine& machine, uint32_t cycles);

    /// Cycles with work to do, by what became of them, since the array was made.
    struct Counters {
        uint64_t tasks = 0;          ///< taken from the queue
        uint64_t moving = 0;         ///< a word moved in each
        uint64_t stream_stalls = 0;  ///< no word there, or no room
        uint64_t lock_stalls = 0;
        uint64_t other = 0;  ///< descriptors fetched, memory awaited, tokens sent
    };
    const Counters& counters() const { return counters_; }

    /// What a channel that cannot go on waits for; empty for one that can.
    struct Wait {
        std::string who;
        std::string what;
    };
    std::optional<Wait> wait(const Machine& machine) const;

  private:
    enum class State : uint8_t {
        kIdle,
        kSetup,    // the task's BD is being fetched
        kHeader,   // out of order: a packet's header has to say which BD
        kAcquire,  // the BD's lock is asked for
        kStart,    // the first word is being fetched
        kTransfer,
        kRelease,  // the last word has moved
        kFinish,   // a shim's write response is awaited
        kToken,    // the token is waiting for room
        kHalted,   // an error; only a reset helps
    };
    struct Task {
        uint8_t bd = 0;
        uint16_t repeats = 1;
        bool token = false;
    };

    bool begin(Machine& machine);
    bool load(Machine& machine, unsigned bd, uint32_t delay);
    void after_acquire(uint64_t now, bool had_to_wait);
    void next_bd(Machine& machine);
    void halt(Machine& machine, uint32_t status_bit, FaultKind kind, const std::string& what);
    void transfer(Machine& machine, std::span<uint32_t> words);
    bool paused() const;
    bool out_of_order() const;
    bool finish_on_tlast() const;
    std::string name() const;

    Tile tile_;
    Direction direction_;
    uint8_t channel_;
    uint32_t control_ = 0;
    uint32_t sticky_ = 0;  // status bits that stay
    std::deque<Task> tasks_;
    Stream* stream_ = nullptr;
    std::string no_stream_;

    State state_ = State::kIdle;
    uint64_t due_ = 0;  // when a state that takes its time is over
    uint64_t asked_ = 0;
    bool warm_ = false;      // a task ran since the channel was last out of work
    bool first_bd_ = false;  // of the task
    bool moving_ = false;
    bool stalled_ = false;  // on the stream
    bool was_stalled_ = false;
    Task task_;
    unsigned repeat_ = 0;
    unsigned bd_id_ = 0;
    Descriptor bd_;
    AddressGenerator addresses_;
    std::optional<uint32_t> header_;
    uint64_t base_ = 0;  // bytes, iteration counted in
    uint64_t left_ = 0;  // words of the stream, header not counted
    uint64_t done_ = 0;
    bool ended_by_tlast_ = false;
    Counters counters_;
    uint64_t task_since_ = 0;  // for the trace
    uint64_t bd_since_ = 0;
};

}  // namespace xdna::emu
