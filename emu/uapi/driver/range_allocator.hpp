// Address ranges handed out as the kernel's drm_mm does in its best-fit mode, so that mmap offsets
// and device addresses come out at the same numbers as on hardware.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <optional>

namespace xdna::emu::driver {

class RangeAllocator {
  public:
    RangeAllocator(uint64_t start, uint64_t size);

    /// The start of a new range of `size` at a multiple of `alignment`, from the smallest hole that
    /// fits (among equals, the one that became free last); nothing if none fits or `size` is 0.
    std::optional<uint64_t> insert(uint64_t size, uint64_t alignment = 1);
    /// Frees the range that starts at `start`.
    void remove(uint64_t start);
    /// The range that contains `address`: {start, size}.
    std::optional<std::pair<uint64_t, uint64_t>> find(uint64_t address) const;

  private:
    struct Hole {
        uint64_t start;
        uint64_t size;
    };
    using Holes = std::list<Hole>;  // newest last

    Holes::iterator hole_ending_at(uint64_t address);
    Holes::iterator hole_starting_at(uint64_t address);

    Holes holes_;
    std::map<uint64_t, uint64_t> used_;
};

}  // namespace xdna::emu::driver
