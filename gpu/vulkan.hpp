// Vulkan's functions, taken from the loader at run time: libxdna-gpu links none of it.
#pragma once

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <string>

#include "xdna/gpu.hpp"

namespace xdna::gpu {

#define XDNA_VK_GLOBAL(X) X(vkCreateInstance) X(vkEnumerateInstanceLayerProperties)

#define XDNA_VK_INSTANCE(X)                     \
    X(vkDestroyInstance)                        \
    X(vkEnumeratePhysicalDevices)               \
    X(vkGetPhysicalDeviceProperties2)           \
    X(vkGetPhysicalDeviceFeatures2)             \
    X(vkGetPhysicalDeviceMemoryProperties)      \
    X(vkGetPhysicalDeviceQueueFamilyProperties) \
    X(vkEnumerateDeviceExtensionProperties)     \
    X(vkCreateDevice)                           \
    X(vkGetDeviceProcAddr)

// Null where the driver or the layer does not have them.
#define XDNA_VK_INSTANCE_OPTIONAL(X)                     \
    X(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR) \
    X(vkCreateDebugUtilsMessengerEXT)                    \
    X(vkDestroyDebugUtilsMessengerEXT)

#define XDNA_VK_DEVICE(X)            \
    X(vkDestroyDevice)               \
    X(vkGetDeviceQueue)              \
    X(vkDeviceWaitIdle)              \
    X(vkQueueSubmit)                 \
    X(vkCreateBuffer)                \
    X(vkDestroyBuffer)               \
    X(vkGetBufferMemoryRequirements) \
    X(vkAllocateMemory)              \
    X(vkFreeMemory)                  \
    X(vkBindBufferMemory)            \
    X(vkMapMemory)                   \
    X(vkCreateSemaphore)             \
    X(vkDestroySemaphore)            \
    X(vkWaitSemaphores)              \
    X(vkCreateCommandPool)           \
    X(vkDestroyCommandPool)          \
    X(vkAllocateCommandBuffers)      \
    X(vkBeginCommandBuffer)          \
    X(vkEndCommandBuffer)            \
    X(vkCmdPipelineBarrier)          \
    X(vkCmdCopyBuffer)               \
    X(vkCmdBindPipeline)             \
    X(vkCmdBindDescriptorSets)       \
    X(vkCmdPushConstants)            \
    X(vkCmdDispatch)                 \
    X(vkCmdResetQueryPool)           \
    X(vkCmdWriteTimestamp)           \
    X(vkCreateQueryPool)             \
    X(vkDestroyQueryPool)            \
    X(vkGetQueryPoolResults)         \
    X(vkCreateDescriptorSetLayout)   \
    X(vkDestroyDescriptorSetLayout)  \
    X(vkCreatePipelineLayout)        \
    X(vkDestroyPipelineLayout)       \
    X(vkCreateDescriptorPool)        \
    X(vkDestroyDescriptorPool)       \
    X(vkAllocateDescriptorSets)      \
    X(vkUpdateDescriptorSets)        \
    X(vkCreateShaderModule)          \
    X(vkDestroyShaderModule)         \
    X(vkCreateComputePipelines)      \
    X(vkDestroyPipeline)             \
    X(vkCreatePipelineCache)         \
    X(vkDestroyPipelineCache)        \
    X(vkGetPipelineCacheData)

#define XDNA_VK_DEVICE_OPTIONAL(X)         \
    X(vkGetMemoryFdKHR)                    \
    X(vkGetMemoryFdPropertiesKHR)          \
    X(vkGetMemoryHostPointerPropertiesEXT) \
    X(vkGetBufferDeviceAddress)            \
    X(vkCreateCuModuleNVX)                 \
    X(vkDestroyCuModuleNVX)                \
    X(vkCreateCuFunctionNVX)               \
    X(vkDestroyCuFunctionNVX)              \
    X(vkCmdCuLaunchKernelNVX)

#define XDNA_VK_MEMBER(name) PFN_##name name = nullptr;

struct InstanceFunctions {
    PFN_vkGetInstanceProcAddr vkGetInstanceProcAddr = nullptr;
    XDNA_VK_GLOBAL(XDNA_VK_MEMBER)
    XDNA_VK_INSTANCE(XDNA_VK_MEMBER)
    XDNA_VK_INSTANCE_OPTIONAL(XDNA_VK_MEMBER)
};

struct DeviceFunctions {
    XDNA_VK_DEVICE(XDNA_VK_MEMBER)
    XDNA_VK_DEVICE_OPTIONAL(XDNA_VK_MEMBER)
};

/// The loader's entry point; null where there is no loader, and `why` says what dlopen said.
PFN_vkGetInstanceProcAddr vulkan_loader(std::string& why);

std::string to_string(VkResult result);
/// Throws what a failed call means.
[[noreturn]] void throw_vulkan(VkResult result, const std::string& call);
inline void check(VkResult result, const char* call) {
    if (result < 0) {
        throw_vulkan(result, call);
    }
}

}  // namespace xdna::gpu
