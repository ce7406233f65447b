#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "gpu/device.hpp"

namespace xdna::gpu::detail {

/// A VkBuffer with memory of its own, or with memory that came from elsewhere.
class BufferState {
  public:
    BufferState(std::shared_ptr<DeviceState> device, std::size_t bytes, Memory memory);
    /// @param memory_info what to append to VkMemoryAllocateInfo's chain
    BufferState(std::shared_ptr<DeviceState> device, std::size_t bytes,
                VkExternalMemoryHandleTypeFlagBits from, std::uint32_t memory_types,
                const void* memory_info, void* mapped);
    ~BufferState();
    BufferState(const BufferState&) = delete;
    BufferState& operator=(const BufferState&) = delete;

    const std::shared_ptr<DeviceState>& device() const { return device_; }
    VkBuffer buffer() const { return buffer_; }
    VkDeviceMemory memory() const { return memory_; }
    /// As PTX kernels take it; 0 where the device has none.
    VkDeviceAddress address() const { return address_; }
    std::size_t size() const { return size_; }
    /// What shaders may touch: size(), and where the memory is our own up to a whole 16 bytes.
    std::size_t end() const { return imported_ ? size_ : padded(size_); }
    static std::size_t padded(std::size_t bytes) { return (bytes + 15) / 16 * 16; }
    bool exportable() const { return exportable_; }
    /// Null unless the memory is the host's.
    std::byte* mapped() const { return mapped_; }

  private:
    void create(VkExternalMemoryHandleTypeFlags handles);
    void allocate(VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags preferred,
                  std::uint32_t allowed, const void* chain);
    void close() noexcept;

    std::shared_ptr<DeviceState> device_;
    VkBuffer buffer_ = VK_NULL_HANDLE;
    VkDeviceMemory memory_ = VK_NULL_HANDLE;
    VkDeviceAddress address_ = 0;
    std::size_t size_ = 0;
    bool exportable_ = false;
    bool imported_ = false;
    std::byte* mapped_ = nullptr;
};

}  // namespace xdna::gpu::detail
