// What the core's compressed loads have read ahead of what they decompress.
#pragma once

#include <cstdint>
#include <vector>

namespace xdna::emu::core {

/// Lines of 32 bytes from consecutive addresses. How many the core's own buffer holds is open
/// (docs/silicon-questions.md): this one is bounded so that no program makes it grow for ever.
class LoadBuffer {
  public:
    static constexpr uint32_t kLineBytes = 32;
    static constexpr uint32_t kMaxBytes = 4096;

    /// Forgets everything; the next line is the one that holds `address`.
    void restart(uint32_t address) {
        first_ = address & ~(kLineBytes - 1);
        bytes_.clear();
    }
    /// The address after the last line.
    uint32_t end() const { return first_ + static_cast<uint32_t>(bytes_.size()); }
    bool full() const { return bytes_.size() >= kMaxBytes; }

    /// Room for the bytes of the next line, to be filled at once.
    uint8_t* append() {
        bytes_.resize(bytes_.size() + kLineBytes);
        return &bytes_[bytes_.size() - kLineBytes];
    }
    /// `count` bytes from `address` on, or nullptr if not all of them are here.
    const uint8_t* find(uint32_t address, uint32_t count) const {
        return address >= first_ && address + count <= end() ? bytes_.data() + (address - first_)
                                                             : nullptr;
    }
    /// Forgets the lines that end at `address` or before; what follows must be found next.
    void drop_before(uint32_t address) {
        const uint32_t count = (address - first_) & ~(kLineBytes - 1);
        bytes_.erase(bytes_.begin(), bytes_.begin() + count);
        first_ += count;
    }

  private:
    uint32_t first_ = 0;
    std::vector<uint8_t> bytes_;
};

}  // namespace xdna::emu::core
