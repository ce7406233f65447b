#include "gpu/commands.hpp"

namespace xdna::gpu::detail {

CommandBuffer::CommandBuffer(std::shared_ptr<DeviceState> device) : device_(std::move(device)) {
    const VkCommandPoolCreateInfo create{.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                         .queueFamilyIndex = device_->queue_family()};
    check(device_->vk.vkCreateCommandPool(device_->device(), &create, nullptr, &pool_),
          "vkCreateCommandPool");
    const VkCommandBufferAllocateInfo allocate{
        .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool_,
        .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
        .commandBufferCount = 1};
    const VkResult result =
        device_->vk.vkAllocateCommandBuffers(device_->device(), &allocate, &commands_);
    if (result < 0) {
        device_->vk.vkDestroyCommandPool(device_->device(), pool_, nullptr);
        throw_vulkan(result, "vkAllocateCommandBuffers");
    }
}

CommandBuffer::~CommandBuffer() {
    device_->vk.vkDestroyCommandPool(device_->device(), pool_, nullptr);
}

void CommandBuffer::begin() {
    // A recording may be submitted again before its last submission is done.
    const VkCommandBufferBeginInfo begin{.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                         .flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT};
    check(device_->vk.vkBeginCommandBuffer(commands_, &begin), "vkBeginCommandBuffer");
}

void CommandBuffer::end() {
    check(device_->vk.vkEndCommandBuffer(commands_), "vkEndCommandBuffer");
}

void CommandBuffer::barrier() {
    barrier(VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT |
                VK_PIPELINE_STAGE_HOST_BIT,
            VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_WRITE_BIT,
            VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_HOST_READ_BIT);
}

void CommandBuffer::shader_barrier() {
    barrier(VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT,
            VK_ACCESS_SHADER_READ_BIT);
}

void CommandBuffer::barrier(VkPipelineStageFlags stages, VkAccessFlags writes,
                            VkAccessFlags reads) {
    const VkMemoryBarrier memory{.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                 .srcAccessMask = writes,
                                 .dstAccessMask = reads | writes};
    device_->vk.vkCmdPipelineBarrier(commands_, stages, stages, 0, 1, &memory, 0, nullptr, 0,
                                     nullptr);
}

}  // namespace xdna::gpu::detail
