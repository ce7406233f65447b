// Buffer objects as amdxdna keeps them. Used with the device's lock held, the last reference
// included: dropping it frees map offsets and device addresses.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "emu/uapi/driver/bo_memory.hpp"
#include "emu/uapi/driver/fence.hpp"
#include "emu/uapi/driver/range_allocator.hpp"

namespace xdna::emu::driver {

class Client;
class Device;

constexpr uint64_t kPageSize = 4096;
constexpr uint64_t kInvalidAddress = ~uint64_t{0};
/// aie2_pci.h and npu1_regs.c: where DEV BOs live, and their granularity.
constexpr uint64_t kDevBase = 0x4000000;
constexpr uint64_t kDevHeapSize = 64ULL << 20;
constexpr uint64_t kDevAlignment = 32ULL << 10;

/// 0 when rounding up does not fit, as the kernel's PAGE_ALIGN.
constexpr uint64_t page_align(uint64_t size) {
    return (size + kPageSize - 1) & ~(kPageSize - 1);
}

/// The commands in flight that use some memory: shared by all BOs of one dma-buf.
struct Reservation {
    std::vector<FencePtr> fences;

    bool idle();
};

/// Pages of a process that a user-pointer BO keeps pinned.
struct UserPages {
    pid_t pid = 0;
    struct Range {
        uint64_t address;
        uint64_t length;
    };
    std::vector<Range> ranges;
    uint64_t pages = 0;
};

/// The device addresses of one client's DEV BOs.
struct DevRanges {
    RangeAllocator ranges{kDevBase, kDevHeapSize};
    uint64_t used = 0;  ///< bytes of DEV BOs
};

class Bo : public std::enable_shared_from_this<Bo> {
  public:
    Bo(Device& owner, uint32_t bo_type, uint64_t bytes)
        : device(owner), type(bo_type), size(bytes) {}
    ~Bo();
    Bo(const Bo&) = delete;
    Bo& operator=(const Bo&) = delete;

    /// The device address that GET_BO_INFO tells.
    uint64_t device_address() const;
    /// The bytes in this process; nullptr for user-pointer BOs, and past a machine's limits.
    std::byte* data();

    Device& device;
    uint32_t type;  ///< AMDXDNA_BO_*; CMD is SHARE here, as in the driver
    uint64_t size;
    std::shared_ptr<BoMemory> memory;  ///< a DEV BO's is its heap's
    uint64_t memory_offset = 0;
    std::unique_ptr<UserPages> user_pages;
    bool imported = false;
    bool internal = false;        ///< counted as the driver's own in BO_USAGE
    bool private_buffer = false;  ///< not exportable
    uint64_t map_page = 0;        ///< fake mmap offset, pages; 0: none
    uint64_t dev_address = 0;     ///< of a heap or DEV BO
    uint64_t iova = kInvalidAddress;
    uint64_t user_address = kInvalidAddress;
    uint32_t assigned_context = 0;
    std::shared_ptr<Bo> heap;               ///< that a DEV BO lives in
    std::shared_ptr<DevRanges> dev_ranges;  ///< that its address is from

    /// The first client that opened it, while any handle is open: who is charged for it.
    Client* client = nullptr;
    uint32_t opens = 0;
    uint32_t handles = 0;
    uint32_t name = 0;                    ///< flink
    std::map<Client*, uint32_t> allowed;  ///< who may mmap it: handles per client
    UniqueFd dma_buf;                     ///< while exported or imported, and a handle is open

    struct Umap {
        pid_t pid;
        uint64_t start;
        uint64_t end;
    };
    std::vector<Umap> umaps;
    std::shared_ptr<Reservation> reservation = std::make_shared<Reservation>();
};
using BoPtr = std::shared_ptr<Bo>;

}  // namespace xdna::emu::driver
