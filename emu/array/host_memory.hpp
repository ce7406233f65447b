// The memory outside the array, as its DMAs and the controller see it: through device addresses.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xdna::emu {

/// Implemented by each door. Thread-safe. Addresses are 64-bit device addresses.
class HostMemory {
  public:
    virtual ~HostMemory() = default;

    /// Copy `size` bytes from/to `address`. False, with nothing promised about the destination,
    /// when any byte of the range is not mapped: the hardware would see an IOMMU fault.
    virtual bool read(uint64_t address, void* to, size_t size) = 0;
    virtual bool write(uint64_t address, const void* from, size_t size) = 0;

    /// Direct access to `size` bytes at `address`, valid as long as the range stays mapped; nullptr
    /// where the range is not mapped, not contiguous here, or only reachable by copying.
    virtual std::byte* span(uint64_t address, size_t size) = 0;
};

}  // namespace xdna::emu
