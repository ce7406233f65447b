#pragma once

#include <memory>

#include "gpu/device.hpp"

namespace xdna::gpu::detail {

/// One command buffer with a pool of its own, so that threads need not agree on one.
class CommandBuffer {
  public:
    explicit CommandBuffer(std::shared_ptr<DeviceState> device);
    ~CommandBuffer();
    CommandBuffer(const CommandBuffer&) = delete;
    CommandBuffer& operator=(const CommandBuffer&) = delete;

    VkCommandBuffer get() const { return commands_; }
    void begin();
    void end();
    /// Everything before is done and seen, by the host as well, before anything after.
    void barrier();
    /// The same among shaders alone, which costs less.
    void shader_barrier();

  private:
    void barrier(VkPipelineStageFlags stages, VkAccessFlags writes, VkAccessFlags reads);

    std::shared_ptr<DeviceState> device_;
    VkCommandPool pool_ = VK_NULL_HANDLE;
    VkCommandBuffer commands_ = nullptr;
};

}  // namespace xdna::gpu::detail
