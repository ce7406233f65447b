#include "emu/array/pipe.hpp"

#include <algorithm>
#include <utility>

namespace xdna::emu {

Pipe::Pipe(uint32_t latency, uint32_t capacity) : latency_(latency), capacity_(capacity) {}

uint32_t Pipe::readable_run(uint64_t now) const {
    uint32_t words = 0;
    for (const Run& run : runs_) {
        if (run.arrival > now + words) {
            break;
        }
        words += run.count;
    }
    return words;
}

std::span<uint32_t> Pipe::tail(uint32_t count) {
    if (words_.empty()) {
        words_.resize(2 * (kLongestRun + capacity_));
    }
    if (tail_ + count > words_.size()) {
        std::copy(words_.begin() + head_, words_.begin() + tail_, words_.begin());
        tail_ -= head_;
        head_ = 0;
    }
    return {&words_[tail_], count};
}

void Pipe::push(uint64_t now, uint32_t count, bool tlast) {
    const uint64_t arrival = now + latency_;
    if (!runs_.empty() && runs_.back().arrival + runs_.back().count == arrival) {
        runs_.back().count += count;
    } else {
        runs_.push_back({arrival, count});
    }
    tail_ += count;
    pushed_ += count;
    if (tlast) {
        tlast_.push_back(pushed_ - 1);
    }
}

void Pipe::pop(uint32_t count) {
    head_ += count;
    popped_ += count;
    while (!tlast_.empty() && tlast_.front() < popped_) {
        tlast_.erase(tlast_.begin());
    }
    while (count != 0) {
        Run& run = runs_.front();
        if (run.count > count) {
            run.arrival += count;
            run.count -= count;
            return;
        }
        count -= run.count;
        runs_.erase(runs_.begin());
    }
}

void Pipe::clear() {
    head_ = tail_ = 0;
    runs_.clear();
    popped_ = pushed_;
    tlast_.clear();
}

void Pipe::take_over(Pipe&& old) {
    const uint32_t latency = latency_;
    const uint32_t capacity = capacity_;
    *this = std::move(old);
    latency_ = latency;
    capacity_ = capacity;
}

uint64_t Pipe::steady(uint64_t now) const {
    const bool waiting_writer = full();
    if (popping) {
        if (pushing) {
            const uint32_t ready = readable_run(now);
            return ready == size() && ready >= latency_ ? kNever : ready;
        }
        return waiting_writer ? 1 : readable_run(now);
    }
    uint64_t cycles = pushing ? room() : kNever;
    if (arrival() != kNever && arrival() > now) {
        cycles = std::min(cycles, arrival() - now);
    } else if (pushing && runs_.empty()) {
        cycles = std::min<uint64_t>(cycles, latency_);
    }
    return cycles;
}

}  // namespace xdna::emu
