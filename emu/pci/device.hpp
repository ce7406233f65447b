// What a vfio-user server serves: a PCI function, seen from its bus.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "emu/unique_fd.hpp"

namespace xdna::emu::pci {

/// Region and interrupt numbers as VFIO counts them (linux/vfio.h).
constexpr unsigned kBars = 6;
constexpr unsigned kConfigRegion = 7;
constexpr unsigned kMsixIndex = 2;
constexpr unsigned kErrorIndex = 3;

/// Calls come from one thread.
class Device {
  public:
    virtual ~Device() = default;

    struct Region {
        uint64_t size = 0;  ///< bytes; 0: there is no such region
        int memory = -1;    ///< descriptor of what the client may map instead of asking; -1: none
        uint64_t mappable = 0;  ///< what lies before is to be asked for all the same: whole pages
    };
    virtual Region region(unsigned index) const = 0;
    virtual unsigned msix_vectors() const = 0;

    /// Only for ranges that lie in the region.
    virtual void read(unsigned region, uint64_t offset, std::span<std::byte> to) = 0;
    virtual void write(unsigned region, uint64_t offset, std::span<const std::byte> from) = 0;

    /// The eventfd that raises `vector` from now on; an empty one: it cannot be raised.
    virtual void set_vector(unsigned vector, UniqueFd event) = 0;

    /// `size` bytes of guest memory appear at bus address `address`: those of `file` at `offset`.
    /// An empty `file`: memory that can only be reached by asking, which no device here does.
    /// False where something is mapped there already.
    virtual bool map(uint64_t address, uint64_t size, UniqueFd file, uint64_t offset,
                     bool writable) = 0;
    /// Everything inside the range is gone.
    virtual void unmap(uint64_t address, uint64_t size) = 0;

    virtual void reset() = 0;
};

}  // namespace xdna::emu::pci
