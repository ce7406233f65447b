// A shader of bench/shaders, dispatched and timed: what the GPU module has no call for.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>

#include "gpu/buffer.hpp"
#include "gpu/commands.hpp"
#include "gpu/device.hpp"

namespace xdna::bench {

class Pass {
  public:
    static constexpr std::uint32_t kLocalSize = 256;  // which every Vulkan device can

    /// @param words push constants
    Pass(const gpu::Device& device, const gpu::detail::Module& module, const gpu::Buffer& in,
         const gpu::Buffer& out, const std::array<std::uint32_t, 3>& words, std::uint32_t groups)
        : device_(device.state()), commands_(device_) {
        const auto& vk = device_->vk;
        constexpr std::uint32_t kBuffers = gpu::detail::kBindings;
        const VkDescriptorPoolSize size{.type = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                        .descriptorCount = kBuffers};
        const VkDescriptorPoolCreateInfo pool{
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
            .maxSets = 1,
            .poolSizeCount = 1,
            .pPoolSizes = &size};
        VkDescriptorPool made_pool = VK_NULL_HANDLE;
        gpu::check(vk.vkCreateDescriptorPool(device_->device(), &pool, nullptr, &made_pool),
                   "vkCreateDescriptorPool");
        pool_ = {made_pool, [owner = device_](VkDescriptorPool p) {
                     owner->vk.vkDestroyDescriptorPool(owner->device(), p, nullptr);
                 }};
        const VkQueryPoolCreateInfo queries{.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
                                            .queryType = VK_QUERY_TYPE_TIMESTAMP,
                                            .queryCount = 2};
        VkQueryPool made_queries = VK_NULL_HANDLE;
        gpu::check(vk.vkCreateQueryPool(device_->device(), &queries, nullptr, &made_queries),
                   "vkCreateQueryPool");
        queries_ = {made_queries, [owner = device_](VkQueryPool q) {
                        owner->vk.vkDestroyQueryPool(owner->device(), q, nullptr);
                    }};

        VkDescriptorSetLayout layout = device_->set_layout();
        const VkDescriptorSetAllocateInfo allocate{
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
            .descriptorPool = made_pool,
            .descriptorSetCount = 1,
            .pSetLayouts = &layout};
        VkDescriptorSet set = VK_NULL_HANDLE;
        gpu::check(vk.vkAllocateDescriptorSets(device_->device(), &allocate, &set),
                   "vkAllocateDescriptorSets");
        std::array<VkDescriptorBufferInfo, kBuffers> bindings;
        bindings.fill({.buffer = in.state()->buffer(), .range = VK_WHOLE_SIZE});
        bindings[gpu::detail::kBindingC].buffer = out.state()->buffer();
        const VkWriteDescriptorSet write{.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                         .dstSet = set,
                                         .descriptorCount = kBuffers,
                                         .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                         .pBufferInfo = bindings.data()};
        vk.vkUpdateDescriptorSets(device_->device(), 1, &write, 0, nullptr);

        gpu::detail::Kernel kernel{.module = &module};
        kernel.constants[gpu::detail::kLocalSize] = kLocalSize;
        VkPipeline pipeline = device_->pipeline(kernel);
        commands_.begin();
        VkCommandBuffer commands = commands_.get();
        vk.vkCmdResetQueryPool(commands, made_queries, 0, 2);
        commands_.barrier();
        vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, made_queries, 0);
        vk.vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
        vk.vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                                   device_->pipeline_layout(), 0, 1, &set, 0, nullptr);
        vk.vkCmdPushConstants(commands, device_->pipeline_layout(), VK_SHADER_STAGE_COMPUTE_BIT, 0,
                              sizeof(words), words.data());
        vk.vkCmdDispatch(commands, groups, 1, 1);
        vk.vkCmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, made_queries, 1);
        commands_.barrier();
        commands_.end();
    }

    /// After everything that was submitted before.
    void submit() { ticket_ = device_->submit(commands_.get()); }

    /// Device time of the last submission; waits for it.
    double seconds() const {
        device_->wait(ticket_, UINT64_MAX);
        std::array<std::uint64_t, 2> ticks{};
        gpu::check(device_->vk.vkGetQueryPoolResults(
                       device_->device(), queries_.get(), 0, 2, sizeof(ticks), ticks.data(),
                       sizeof(ticks[0]), VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
                   "vkGetQueryPoolResults");
        return static_cast<double>(ticks[1] - ticks[0]) * device_->info().timestamp_period * 1e-9;
    }

  private:
    template <class Handle>
    using Owned = gpu::detail::Owned<Handle, std::function<void(Handle)>>;

    std::shared_ptr<gpu::detail::DeviceState> device_;
    gpu::detail::CommandBuffer commands_;
    Owned<VkDescriptorPool> pool_;
    Owned<VkQueryPool> queries_;
    std::uint64_t ticket_ = 0;
};

}  // namespace xdna::bench
