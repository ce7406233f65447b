// The addresses of a DMA transfer, in runs.
#pragma once

#include <array>
#include <cstdint>

namespace xdna::emu {

/// A dimension of a BD, innermost first. Steps in words; `wrap` 0 never wraps. `before` and `after`
/// are zeros around the dimension: words of dimension 0, whole padded rows of the one below it
/// otherwise.
struct Dimension {
    uint32_t step = 1;
    uint32_t wrap = 0;
    uint32_t before = 0;
    uint32_t after = 0;
};

/// Words at offset, offset + stride, ... (in words from the BD's base), or zeros.
struct AddressRun {
    uint64_t offset = 0;
    uint32_t stride = 1;
    uint32_t count = 0;
    bool zeros = false;
};

class AddressGenerator {
  public:
    static constexpr unsigned kDimensions = 4;
    using Dimensions = std::array<Dimension, kDimensions>;

    AddressGenerator() = default;
    explicit AddressGenerator(const Dimensions& dimensions);

    /// The next run, of at least one and at most `most` words. Endless: the BD's length ends it.
    AddressRun next(uint32_t most);

  private:
    Dimensions dimensions_{};
    std::array<uint32_t, kDimensions> at_{};  // position in each padded dimension
};

}  // namespace xdna::emu
