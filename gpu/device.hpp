// An opened device: its queue, its timeline, its pipelines and its caches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gpu/kernel.hpp"
#include "gpu/vulkan.hpp"

namespace xdna::gpu::detail {

/// A Vulkan object and how it ends.
template <class Handle, class Deleter>
class Owned {
  public:
    Owned() = default;
    Owned(Handle handle, Deleter deleter) : handle_(handle), deleter_(std::move(deleter)) {}
    Owned(Owned&& other) noexcept
        : handle_(std::exchange(other.handle_, Handle{})), deleter_(std::move(other.deleter_)) {}
    Owned& operator=(Owned&& other) noexcept {
        std::swap(handle_, other.handle_);
        std::swap(deleter_, other.deleter_);
        return *this;
    }
    Owned(const Owned&) = delete;
    Owned& operator=(const Owned&) = delete;
    ~Owned() {
        if (handle_ != Handle{}) {
            deleter_(handle_);
        }
    }
    Handle get() const { return handle_; }

  private:
    Handle handle_{};
    Deleter deleter_{};
};

/// A Vulkan instance, with what the validation layer says going to whoever asked.
class Instance {
  public:
    /// @throws Error kNoVulkan; kUnsupported where validation is asked for and not installed
    Instance(bool validate, std::function<void(const std::string&)> on_message);
    ~Instance();
    Instance(const Instance&) = delete;
    Instance& operator=(const Instance&) = delete;

    std::vector<VkPhysicalDevice> devices() const;
    /// nullopt for a device below Vulkan 1.2 or without a compute queue.
    std::optional<DeviceInfo> describe(VkPhysicalDevice physical) const;

    InstanceFunctions vk;

  private:
    std::function<void(const std::string&)> on_message_;
    VkInstance instance_ = nullptr;
    VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
};

class DeviceState {
  public:
    explicit DeviceState(const DeviceOptions& options);
    ~DeviceState();
    DeviceState(const DeviceState&) = delete;
    DeviceState& operator=(const DeviceState&) = delete;

    const DeviceInfo& info() const { return info_; }
    VkDevice device() const { return device_; }
    VkPipelineLayout pipeline_layout() const { return pipeline_layout_; }
    VkDescriptorSetLayout set_layout() const { return set_layout_; }
    std::uint32_t queue_family() const { return queue_family_; }

    /// Memory that a buffer can use and that has `wanted`, preferably `preferred` as well.
    /// @throws Error kUnsupported
    std::uint32_t memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted,
                              VkMemoryPropertyFlags preferred) const;

    /// Submits after everything before; returns the timeline's value when it is done.
    std::uint64_t submit(VkCommandBuffer commands);
    /// @returns false where the time ran out
    bool wait(std::uint64_t value, std::uint64_t nanoseconds) const;

    /// Compiled once, then kept.
    VkPipeline pipeline(const Kernel& kernel);
    /// The same for a module of PTX.
    VkCuFunctionNVX function(const Module& module);

    /// The tuned choice for a key, and how one is kept.
    std::optional<std::string> tuned(const std::string& key) const;
    void keep_tuned(const std::string& key, const std::string& kernel);
    void save() const;

    DeviceFunctions vk;

  private:
    void open(VkPhysicalDevice physical);
    void create_layouts();
    void load_caches();
    bool takes_hopper_ptx() const;
    void close() noexcept;
    std::string cache_path(const char* suffix) const;

    Instance instance_;
    DeviceInfo info_;
    std::string cache_;
    VkDevice device_ = nullptr;
    VkQueue queue_ = nullptr;
    std::uint32_t queue_family_ = 0;
    VkPhysicalDeviceMemoryProperties memory_{};
    VkSemaphore timeline_ = VK_NULL_HANDLE;
    VkDescriptorSetLayout set_layout_ = VK_NULL_HANDLE;
    VkPipelineLayout pipeline_layout_ = VK_NULL_HANDLE;

    std::mutex submission_;
    std::uint64_t submitted_ = 0;

    mutable std::mutex pipelines_lock_;
    VkPipelineCache pipeline_cache_ = VK_NULL_HANDLE;
    std::map<Kernel, VkPipeline> pipelines_;
    struct Binary {
        VkCuModuleNVX module = VK_NULL_HANDLE;
        VkCuFunctionNVX function = VK_NULL_HANDLE;
    };
    std::map<const Module*, Binary> binaries_;
    std::map<std::string, std::string> tuned_;
    mutable bool unsaved_ = false;
};

}  // namespace xdna::gpu::detail
