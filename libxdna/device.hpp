// An opened NPU, and its device heap.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "xdna/xdna.h"

namespace xdna {

/// The region that DEV BOs are cut from. The driver keeps it until the file is closed; so do we.
struct Heap {
    uint32_t handle = 0;  ///< 0: none yet
    uint8_t* memory = nullptr;
    uint64_t size = 0;
    uint64_t address = 0;
};

/// How the kernel lets a command be waited for.
enum class WaitMethod : uint8_t { kTimeline, kWaitCmd };

}  // namespace xdna

struct xdna_device {
    int fd = -1;
    std::atomic<uint32_t> refs{1};
    std::atomic<xdna::WaitMethod> wait_method{xdna::WaitMethod::kTimeline};
    xdna_driver_version version{};
    xdna_device_info info{};

    std::mutex heap_mutex;
    xdna::Heap heap;

    std::mutex metadata_mutex;
    bool has_metadata = false;
    xdna_aie_metadata metadata{};

    /// Every GEM handle of this file with its BO: importing what this file exported gives the same
    /// handle again, and closing it once would pull it from under the other.
    std::mutex bos_mutex;
    std::mutex import_mutex;
    std::unordered_map<uint32_t, xdna_bo*> bos;
};

namespace xdna {

constexpr uint64_t kHeapAlignment = 64ULL << 20;    // drivers/accel/amdxdna/npu*_regs.c
constexpr uint64_t kDevBoAlignment = 32ULL << 10;   // aie2_message.c: a PDI's address >> 15
constexpr uint64_t kInvalidAddress = ~uint64_t{0};  // AMDXDNA_INVALID_ADDR

void ref(xdna_device* device);
void unref(xdna_device* device);

/// Makes the heap of `size` bytes if there is none. -EBUSY if there is one and `must_be_new`.
int make_heap(xdna_device* device, uint64_t size, bool must_be_new, const char* who);

/// The array's metadata, asked for once.
int get_metadata(xdna_device* device, xdna_aie_metadata& out);

/// -EOPNOTSUPP with a message that names the driver version needed, if `feature` is not there.
int need_feature(const xdna_device* device, xdna_feature feature, const char* who);
/// Driver minor that brought `feature`; -1 if unknown.
int feature_minor(xdna_feature feature);

}  // namespace xdna
