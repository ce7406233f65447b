#include "gpu/vulkan.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>

namespace xdna::gpu {
namespace {

struct Meaning {
    VkResult result;
    const char* name;
    ErrorCode code;
};
constexpr std::array kMeanings{
    Meaning{VK_ERROR_OUT_OF_HOST_MEMORY, "out of host memory", ErrorCode::kOutOfMemory},
    Meaning{VK_ERROR_OUT_OF_DEVICE_MEMORY, "out of device memory", ErrorCode::kOutOfMemory},
    Meaning{VK_ERROR_OUT_OF_POOL_MEMORY, "out of pool memory", ErrorCode::kOutOfMemory},
    Meaning{VK_ERROR_TOO_MANY_OBJECTS, "too many objects", ErrorCode::kOutOfMemory},
    Meaning{VK_ERROR_DEVICE_LOST, "the device was lost; open it anew", ErrorCode::kDeviceLost},
    Meaning{VK_ERROR_INITIALIZATION_FAILED, "initialization failed", ErrorCode::kFailed},
    Meaning{VK_ERROR_MEMORY_MAP_FAILED, "the memory cannot be mapped", ErrorCode::kFailed},
    Meaning{VK_ERROR_LAYER_NOT_PRESENT, "a layer is not installed", ErrorCode::kUnsupported},
    Meaning{VK_ERROR_EXTENSION_NOT_PRESENT, "an extension is not supported",
            ErrorCode::kUnsupported},
    Meaning{VK_ERROR_FEATURE_NOT_PRESENT, "a feature is not supported", ErrorCode::kUnsupported},
    Meaning{VK_ERROR_INCOMPATIBLE_DRIVER, "no driver of this Vulkan version", ErrorCode::kNoVulkan},
    Meaning{VK_ERROR_INVALID_EXTERNAL_HANDLE, "not memory that this driver can import",
            ErrorCode::kUnsupported},
};

}  // namespace

PFN_vkGetInstanceProcAddr vulkan_loader(std::string& why) {
    // Never closed: drivers leave threads behind.
    static void* const kLoader = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (kLoader == nullptr) {
        const char* reason = dlerror();
        why = reason != nullptr ? reason : "libvulkan.so.1 cannot be loaded";
        return nullptr;
    }
    return reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(kLoader, "vkGetInstanceProcAddr"));
}

std::string to_string(VkResult result) {
    const auto* meaning = std::find_if(kMeanings.begin(), kMeanings.end(),
                                       [&](const Meaning& m) { return m.result == result; });
    return meaning != kMeanings.end() ? meaning->name : "VkResult " + std::to_string(result);
}

void throw_vulkan(VkResult result, const std::string& call) {
    const auto* meaning = std::find_if(kMeanings.begin(), kMeanings.end(),
                                       [&](const Meaning& m) { return m.result == result; });
    throw Error(meaning != kMeanings.end() ? meaning->code : ErrorCode::kFailed,
                call + ": " + to_string(result));
}

}  // namespace xdna::gpu
