// Advances the machine, by as many cycles at once as nothing but the steady flow of words changes.
#pragma once

#include <cstdint>
#include <vector>

#include "emu/array/machine.hpp"

namespace xdna::emu {

class Scheduler {
  public:
    explicit Scheduler(Machine& machine) : machine_(machine) {}

    /// One step of at most `limit` cycles (at least 1); 0 if nothing can move ever.
    uint64_t step(uint64_t limit);

    /// Lets time pass in which, as step() said, nothing moves.
    void idle(uint64_t cycles);

    uint64_t last_progress(unsigned column) const { return progress_[column]; }

  private:
    void connect();
    void collect();
    void deliver_events();
    void run_cores(uint64_t limit);
    void grant_locks();
    void pass_tokens();
    uint64_t steady() const;
    void note_progress(Tile tile) { progress_[tile.column] = machine_.now; }

    Machine& machine_;
    std::vector<DmaChannel*> active_;
    std::vector<TileState*> cores_;
    std::vector<std::pair<uint64_t, DmaChannel*>> asking_;
    std::array<Stream*, kColumns> controllers_{};
    std::array<uint64_t, kColumns> progress_{};
    uint64_t tokens_next_ = kNever;  // when a token can move on next
};

}  // namespace xdna::emu
