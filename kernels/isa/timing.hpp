#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/isa/bundle.hpp"

namespace xdna::isa {

/// One register that an instruction reads or writes, and when: `cycle` counts from issue.
/// 2D and 3D addressing writes the counts (dc) of its d register only.
struct Access {
    Register reg;
    std::uint8_t cycle;
    Bypass bypass;  ///< kNone, kMov or kVec: what this register in this operand has
};

/// Up to kMaxAccesses of them, without allocation.
class Accesses {
  public:
    static constexpr unsigned kMaxAccesses = 12;

    void add(Access access) { list_[count_++] = access; }
    [[nodiscard]] const Access* begin() const { return list_.data(); }
    [[nodiscard]] const Access* end() const { return list_.data() + count_; }
    [[nodiscard]] unsigned size() const { return count_; }

  private:
    std::array<Access, kMaxAccesses> list_{};
    unsigned count_ = 0;
};

/// The registers that an instruction reads and writes, implicit ones included.
[[nodiscard]] Accesses reads(const Instruction& instruction);
[[nodiscard]] Accesses writes(const Instruction& instruction);

/// The cycles by which the reader must issue later than the writer to see the value. There is no
/// interlock: a reader that issues earlier gets the old one. Source: xdna-emu
/// docs/fidelity-gaps/vector-compute.md, checked there against an NPU.
[[nodiscard]] constexpr int latency(const Access& write, const Access& read) {
    const bool bypassed = write.bypass != Bypass::kNone && write.bypass == read.bypass;
    const int cycles = write.cycle - read.cycle + 1 - (bypassed ? 1 : 0);
    return cycles < 1 ? 1 : cycles;
}

/// Does the instruction, with these operands, take the port?
[[nodiscard]] bool takes(const PortUse& use, const Instruction& instruction);

}  // namespace xdna::isa
