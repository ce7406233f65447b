#include "emu/array/lock_bank.hpp"

#include "emu/array/choices.hpp"

namespace xdna::emu {

bool LockBank::acquire(unsigned id, int change) {
    const int value = values_[id];
    const bool granted = change < 0 ? value >= -change : value == change;
    if (granted) {
        values_[id] = static_cast<uint8_t>(value - (change < 0 ? -change : change));
    }
    return granted;
}

void LockBank::release(unsigned id, int change) {
    int value = values_[id] + change;
    if (value > choices::kLockMaximum) {
        value = choices::kLockMaximum;
        overflow_ |= uint64_t{1} << id;
    } else if (value < 0) {
        value = 0;
        underflow_ |= uint64_t{1} << id;
    }
    values_[id] = static_cast<uint8_t>(value);
}

}  // namespace xdna::emu
