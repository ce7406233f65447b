// Words on their way from one port to another.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace xdna::emu {

inline constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

/// A stream between a writer and a reader: in order, one word a cycle in and one out, each word
/// readable `latency` cycles after it was written, `capacity` words under way before the writer has
/// to wait. What is written in a cycle is seen by the reader in a later one only, so that the order
/// in which ports are looked at within a cycle does not matter.
///
/// Both ends may move whole runs of words, a cycle each. For that time the pipe holds more than its
/// capacity, if the writer's run is stored before the reader's is taken.
class Pipe {
  public:
    /// The longest run that may be moved at once.
    static constexpr uint32_t kLongestRun = 4096;

    Pipe(uint32_t latency, uint32_t capacity);

    uint32_t size() const { return tail_ - head_; }
    bool full() const { return size() >= capacity_; }
    uint32_t room() const { return full() ? 0 : capacity_ - size(); }
    uint32_t latency() const { return latency_; }

    /// The cycle in which the first word can be read; kNever if there is none.
    uint64_t arrival() const { return runs_.empty() ? kNever : runs_.front().arrival; }
    bool readable(uint64_t now) const { return arrival() <= now; }
    /// Words that can be read in cycles now, now + 1, ... without a gap.
    uint32_t readable_run(uint64_t now) const;
    /// Words up to and with the first that has TLAST; kNever if none has.
    uint64_t to_tlast() const { return tlast_.empty() ? kNever : tlast_.front() - popped_ + 1; }

    /// Room for the next `count` words, to be filled before push().
    std::span<uint32_t> tail(uint32_t count);
    /// Writes the words at tail() in cycles now, now + 1, ...; TLAST on the last of them if asked.
    void push(uint64_t now, uint32_t count, bool tlast);
    /// The first `count` words.
    std::span<uint32_t> head(uint32_t count) { return {&words_[head_], count}; }
    void pop(uint32_t count);

    void clear();
    /// Continues with the words of `old`, latency and capacity being its own.
    void take_over(Pipe&& old);

    /// What the two ends do in the present step; the scheduler's notes.
    bool pushing = false;
    bool popping = false;
    /// How many cycles the two ends can go on as noted, before one of them would do otherwise.
    uint64_t steady(uint64_t now) const;

  private:
    // Words readable in cycles arrival, arrival + 1, ...
    struct Run {
        uint64_t arrival;
        uint32_t count;
    };

    uint32_t latency_;
    uint32_t capacity_;
    uint32_t head_ = 0;
    uint32_t tail_ = 0;
    std::vector<uint32_t> words_;
    std::vector<Run> runs_;
    uint64_t pushed_ = 0;
    uint64_t popped_ = 0;
    std::vector<uint64_t> tlast_;  // which words have it, counted like pushed_
};

}  // namespace xdna::emu
