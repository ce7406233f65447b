// The guest's memory as a device sees it: windows at bus addresses, which QEMU opens and closes as
// the guest's IOMMU driver maps and unmaps.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <shared_mutex>
#include <utility>

#include "emu/array/host_memory.hpp"
#include "emu/unique_fd.hpp"

namespace xdna::emu::pci {

/// Thread-safe. What a span points to stays readable and writable for as long as this object
/// lives: a window that closes is no longer found, but its file stays mapped.
class GuestMemory final : public HostMemory {
  public:
    GuestMemory() = default;
    ~GuestMemory() override;
    GuestMemory(const GuestMemory&) = delete;
    GuestMemory& operator=(const GuestMemory&) = delete;

    /// See Device::map. Throws std::system_error where `file` cannot be mapped.
    bool map(uint64_t address, uint64_t size, UniqueFd file, uint64_t offset, bool writable);
    void unmap(uint64_t address, uint64_t size);

    bool read(uint64_t address, void* to, size_t size) override;
    bool write(uint64_t address, const void* from, size_t size) override;
    /// Only for memory that may be written, too.
    std::byte* span(uint64_t address, size_t size) override;

  private:
    struct File {
        std::byte* data = nullptr;
        uint64_t size = 0;
    };
    struct Window {
        uint64_t size = 0;
        std::byte* data = nullptr;  ///< null: not reachable from here
        bool writable = false;
    };

    File& mapped(const UniqueFd& file);
    /// Calls `piece(data, bytes)` for each part of the range; false where a part is missing.
    template <typename Piece>
    bool walk(uint64_t address, size_t size, bool write, Piece piece);

    std::shared_mutex mutex_;
    /// QEMU sends a new descriptor of the same file with each window.
    std::map<std::pair<dev_t, ino_t>, File> files_;
    std::map<uint64_t, Window> windows_;  ///< by address, apart from each other
};

}  // namespace xdna::emu::pci
