// Device addresses of the driver's force_iova mode: from the top of a 48-bit space downwards, below
// what was given out last until something higher is freed (linux drivers/iommu/iova.c).
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace xdna::emu::driver {

class IovaAllocator {
  public:
    /// Bytes; `size` is rounded up to pages and, where `size_aligned`, the address to the next
    /// power of two of that.
    std::optional<uint64_t> allocate(uint64_t size, bool size_aligned);
    void free(uint64_t address);

  private:
    std::optional<uint64_t> below(uint64_t limit, uint64_t pages, uint64_t alignment) const;

    std::map<uint64_t, uint64_t> used_;  ///< first page: pages
    uint64_t cursor_ = kTop;             ///< search from here

    static constexpr uint64_t kTop = 1ULL << 36;  // pages
};

}  // namespace xdna::emu::driver
