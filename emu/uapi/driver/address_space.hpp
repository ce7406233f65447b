// What device addresses mean: the virtual addresses of one process (SVA), or the device's IOVAs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "emu/array/host_memory.hpp"
#include "emu/uapi/driver/bo_memory.hpp"

namespace xdna::emu::driver {

/// Thread-safe. Ranges of BOs are reached through their memory; other memory of the process, and
/// user-pointer BOs, through the kernel (process_vm_readv).
class AddressSpace final : public HostMemory {
  public:
    /// `pid` 0: IOVAs, where only what was mapped here exists.
    explicit AddressSpace(pid_t pid) : pid_(pid) {}

    void map(uint64_t address, uint64_t length, std::shared_ptr<BoMemory> memory, uint64_t offset);
    /// Memory of a process at another address (user-pointer BOs behind an IOVA).
    void map_process(uint64_t address, uint64_t length, pid_t pid, uint64_t process_address);
    void unmap(uint64_t address, uint64_t length);

    bool read(uint64_t address, void* to, size_t size) override;
    bool write(uint64_t address, const void* from, size_t size) override;
    std::byte* span(uint64_t address, size_t size) override;
    /// The process is gone: nothing is mapped any more.
    void retire();
    /// No span handed out before is in use any more.
    void release_spans();

  private:
    struct Region {
        uint64_t length = 0;
        std::shared_ptr<BoMemory> memory;  ///< empty: the process's own
        uint64_t offset = 0;
        pid_t pid = 0;
        uint64_t process_address = 0;
    };
    using Regions = std::map<uint64_t, Region>;

    template <typename Copy>
    bool walk(uint64_t address, size_t size, Copy copy);
    Regions::iterator at(uint64_t address);
    void cut(uint64_t address, uint64_t length);

    pid_t pid_;
    std::mutex mutex_;
    Regions regions_;
    std::set<std::shared_ptr<BoMemory>> in_use_;  ///< behind spans
};

}  // namespace xdna::emu::driver
