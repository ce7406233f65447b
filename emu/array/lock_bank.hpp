// The semaphore locks of one tile.
#pragma once

#include <array>
#include <cstdint>

namespace xdna::emu {

/// Counting locks of 6 bits. Acquire and release follow AM025's field texts: an acquire of V < 0
/// takes |V| when there is as much, of V >= 0 takes V when there is exactly that much.
class LockBank {
  public:
    static constexpr unsigned kMost = 64;

    unsigned value(unsigned id) const { return values_[id]; }
    void set(unsigned id, uint32_t value) { values_[id] = static_cast<uint8_t>(value & 0x3F); }

    /// True and taken, or false and unchanged. `change` is -64..63.
    bool acquire(unsigned id, int change);

    /// Adds `change`; out of 0..63 it saturates and the lock's overflow or underflow bit sticks.
    void release(unsigned id, int change);

    uint64_t overflow() const { return overflow_; }
    uint64_t underflow() const { return underflow_; }
    void clear_overflow(uint64_t bits) { overflow_ &= ~bits; }
    void clear_underflow(uint64_t bits) { underflow_ &= ~bits; }

  private:
    std::array<uint8_t, kMost> values_{};
    uint64_t overflow_ = 0;
    uint64_t underflow_ = 0;
};

}  // namespace xdna::emu
