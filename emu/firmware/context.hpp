// A context as the controller keeps it.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "emu/array/host_memory.hpp"
#include "emu/firmware/messages.hpp"
#include "emu/firmware/task.hpp"

namespace xdna::emu::firmware {

/// The device addresses of a context: the host's, and below them the window onto the heap that
/// MAP_HOST_BUFFER opened (aie2_pci.h, AIE2_DEVM_BASE).
class ContextMemory final : public HostMemory {
  public:
    static constexpr uint64_t kWindow = 0x4000000;

    void attach(std::shared_ptr<HostMemory> host) { host_ = std::move(host); }
    void map_heap(uint64_t address, uint64_t size) {
        heap_ = address;
        heap_size_ = size;
    }
    /// Bytes from `address` to the end of the heap; 0 for what is not in it.
    uint64_t left_in_heap(uint64_t address) const;

    bool read(uint64_t address, void* to, size_t size) override;
    bool write(uint64_t address, const void* from, size_t size) override;
    std::byte* span(uint64_t address, size_t size) override;

  private:
    /// True, and `address` the host's, where the range lies in one piece.
    bool translate(uint64_t& address, size_t size) const;

    std::shared_ptr<HostMemory> host_;
    uint64_t heap_ = 0;
    uint64_t heap_size_ = 0;
};

struct Context {
    uint32_t id = 0;
    uint64_t serial = 0;  ///< ids are used again, these are not
    uint32_t start_column = 0;
    uint32_t columns = 0;
    ContextMemory memory;
    std::vector<uint32_t> cus;  ///< words of CONFIG_CU
    std::deque<Task> queue;
    bool hung = false;  ///< a launch got no answer: the rest of the queue does not either
    std::atomic<bool> destroyed{false};
    std::function<void()> at_rest;  ///< called once the array does not touch it any more
};

}  // namespace xdna::emu::firmware
