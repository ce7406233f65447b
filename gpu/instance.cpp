#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "gpu/device.hpp"

namespace xdna::gpu::detail {
namespace {

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

VKAPI_ATTR VkBool32 VKAPI_CALL pass_on(VkDebugUtilsMessageSeverityFlagBitsEXT /*severity*/,
                                       VkDebugUtilsMessageTypeFlagsEXT /*types*/,
                                       const VkDebugUtilsMessengerCallbackDataEXT* data,
                                       void* user) {
    const auto& on_message = *static_cast<const std::function<void(const std::string&)>*>(user);
    if (on_message && data->pMessage != nullptr) {
        on_message(data->pMessage);
    }
    return VK_FALSE;
}

template <class Element, class Enumerate>
std::vector<Element> enumerate(Enumerate&& call, const char* name, const Element& blank = {}) {
    std::uint32_t count = 0;
    VkResult result = call(&count, nullptr);
    check(result, name);
    std::vector<Element> list(count, blank);
    result = call(&count, list.data());
    check(result, name);
    list.resize(count);
    return list;
}

std::optional<Type> type_of(VkComponentTypeKHR component) {
    switch (component) {
        case VK_COMPONENT_TYPE_FLOAT16_KHR:
            return Type::kF16;
        case VK_COMPONENT_TYPE_FLOAT32_KHR:
            return Type::kF32;
        case VK_COMPONENT_TYPE_BFLOAT16_KHR:
            return Type::kBf16;
        case VK_COMPONENT_TYPE_SINT8_KHR:
            return Type::kI8;
        case VK_COMPONENT_TYPE_SINT32_KHR:
            return Type::kI32;
        default:
            return std::nullopt;
    }
}

DeviceKind kind_of(VkPhysicalDeviceType type) {
    switch (type) {
        case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
            return DeviceKind::kIntegrated;
        case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
            return DeviceKind::kDiscrete;
        case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
            return DeviceKind::kVirtual;
        case VK_PHYSICAL_DEVICE_TYPE_CPU:
            return DeviceKind::kCpu;
        default:
            return DeviceKind::kOther;
    }
}

}  // namespace

Instance::Instance(bool validate, std::function<void(const std::string&)> on_message)
    : on_message_(std::move(on_message)) {
    std::string why;
    vk.vkGetInstanceProcAddr = vulkan_loader(why);
    if (vk.vkGetInstanceProcAddr == nullptr) {
        throw Error(ErrorCode::kNoVulkan,
                    "no Vulkan here: " + why + "; install the Vulkan loader (Debian: libvulkan1)");
    }
#define XDNA_VK_LOAD(name) \
    vk.name = reinterpret_cast<PFN_##name>(vk.vkGetInstanceProcAddr(instance_, #name));
    XDNA_VK_GLOBAL(XDNA_VK_LOAD)

    std::vector<const char*> layers;
    std::vector<const char*> extensions;
    const VkValidationFeatureEnableEXT sync =
        VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    VkValidationFeaturesEXT features{.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                     .enabledValidationFeatureCount = 1,
                                     .pEnabledValidationFeatures = &sync};
    const VkDebugUtilsMessengerCreateInfoEXT messenger{
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT |
                           VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = pass_on,
        .pUserData = &on_message_};
    if (validate) {
        const auto installed = enumerate<VkLayerProperties>(vk.vkEnumerateInstanceLayerProperties,
                                                            "vkEnumerateInstanceLayerProperties");
        if (std::none_of(installed.begin(), installed.end(), [](const VkLayerProperties& layer) {
                return std::strcmp(layer.layerName, kValidationLayer) == 0;
            })) {
            throw Error(ErrorCode::kUnsupported,
                        std::string(kValidationLayer) +
                            " is not installed (Debian: vulkan-validationlayers)");
        }
        layers.push_back(kValidationLayer);
        extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
        extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
    }
    const VkApplicationInfo application{.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                        .pApplicationName = "libxdna-gpu",
                                        .apiVersion = VK_API_VERSION_1_3};
    const VkInstanceCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = validate ? &features : nullptr,
        .pApplicationInfo = &application,
        .enabledLayerCount = static_cast<std::uint32_t>(layers.size()),
        .ppEnabledLayerNames = layers.data(),
        .enabledExtensionCount = static_cast<std::uint32_t>(extensions.size()),
        .ppEnabledExtensionNames = extensions.data()};
    check(vk.vkCreateInstance(&create, nullptr, &instance_), "vkCreateInstance");
    XDNA_VK_INSTANCE(XDNA_VK_LOAD)
    XDNA_VK_INSTANCE_OPTIONAL(XDNA_VK_LOAD)
#undef XDNA_VK_LOAD
    if (validate && vk.vkCreateDebugUtilsMessengerEXT != nullptr) {
        vk.vkCreateDebugUtilsMessengerEXT(instance_, &messenger, nullptr, &messenger_);
    }
}

Instance::~Instance() {
    if (messenger_ != VK_NULL_HANDLE) {
        vk.vkDestroyDebugUtilsMessengerEXT(instance_, messenger_, nullptr);
    }
    vk.vkDestroyInstance(instance_, nullptr);
}

std::vector<VkPhysicalDevice> Instance::devices() const {
    return enumerate<VkPhysicalDevice>(
        [&](std::uint32_t* count, VkPhysicalDevice* list) {
            return vk.vkEnumeratePhysicalDevices(instance_, count, list);
        },
        "vkEnumeratePhysicalDevices");
}

std::optional<DeviceInfo> Instance::describe(VkPhysicalDevice physical) const {
    const auto extension_list = enumerate<VkExtensionProperties>(
        [&](std::uint32_t* count, VkExtensionProperties* list) {
            return vk.vkEnumerateDeviceExtensionProperties(physical, nullptr, count, list);
        },
        "vkEnumerateDeviceExtensionProperties");
    std::set<std::string> extensions;
    for (const VkExtensionProperties& extension : extension_list) {
        extensions.insert(extension.extensionName);
    }
    const auto has = [&](const char* name) { return extensions.contains(name); };

    // Structures of extensions that the device lacks stay out of the chains.
    void* chain = nullptr;
    const auto link = [&](auto& structure, bool present = true) {
        if (present) {
            structure.pNext = chain;
            chain = &structure;
        }
    };
    VkPhysicalDeviceProperties2 basic{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    vk.vkGetPhysicalDeviceProperties2(physical, &basic);
    if (basic.properties.apiVersion < VK_API_VERSION_1_2) {
        return std::nullopt;
    }
    const bool v13 = basic.properties.apiVersion >= VK_API_VERSION_1_3;

    VkPhysicalDeviceDriverProperties driver{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceIDProperties id{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceSubgroupProperties subgroup{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceSubgroupSizeControlProperties subgroup_size{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES};
    VkPhysicalDeviceShaderIntegerDotProductProperties dot{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES};
    VkPhysicalDeviceExternalMemoryHostPropertiesEXT host_import{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT};
    VkPhysicalDeviceShaderSMBuiltinsPropertiesNV nvidia{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
    VkPhysicalDeviceShaderCorePropertiesAMD amd{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD};
    const bool has_subgroup_size = v13 || has(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
    const bool has_dot = v13 || has(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
    link(driver);
    link(id);
    link(subgroup);
    link(subgroup_size, has_subgroup_size);
    link(dot, has_dot);
    link(host_import, has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME));
    link(nvidia, has(VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME));
    link(amd, has(VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME));
    VkPhysicalDeviceProperties2 properties{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                           .pNext = chain};
    vk.vkGetPhysicalDeviceProperties2(physical, &properties);

    chain = nullptr;
    VkPhysicalDeviceVulkan11Features v11{.sType =
                                             VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES};
    VkPhysicalDeviceVulkan12Features v12{.sType =
                                             VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES};
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot_feature{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR};
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix2{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV};
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR};
    link(v11);
    link(v12);
    link(size_control, has_subgroup_size);
    link(dot_feature, has_dot);
    link(matrix, has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME));
    link(matrix2, has(VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME));
    link(bfloat, has(VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME));
    VkPhysicalDeviceFeatures2 features{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                       .pNext = chain};
    vk.vkGetPhysicalDeviceFeatures2(physical, &features);
    if (v12.timelineSemaphore != VK_TRUE) {
        return std::nullopt;
    }

    std::uint32_t families = 0;
    vk.vkGetPhysicalDeviceQueueFamilyProperties(physical, &families, nullptr);
    std::vector<VkQueueFamilyProperties> family(families);
    vk.vkGetPhysicalDeviceQueueFamilyProperties(physical, &families, family.data());
    const auto compute =
        std::find_if(family.begin(), family.end(), [](const VkQueueFamilyProperties& f) {
            return (f.queueFlags & VK_QUEUE_COMPUTE_BIT) != 0;
        });
    if (compute == family.end()) {
        return std::nullopt;
    }

    const VkPhysicalDeviceProperties& core = properties.properties;
    DeviceInfo info;
    info.name = core.deviceName;
    info.driver = std::string(driver.driverName) + " " + driver.driverInfo;
    info.api_version = core.apiVersion;
    info.vendor_id = core.vendorID;
    info.device_id = core.deviceID;
    info.kind = kind_of(core.deviceType);
    for (const std::uint8_t byte : id.deviceUUID) {
        constexpr const char* kDigits = "0123456789abcdef";
        info.uuid += {kDigits[byte >> 4], kDigits[byte & 15]};
    }
    VkPhysicalDeviceMemoryProperties memory{};
    vk.vkGetPhysicalDeviceMemoryProperties(physical, &memory);
    for (std::uint32_t i = 0; i < memory.memoryHeapCount; i++) {
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) != 0) {
            info.memory = std::max<std::size_t>(info.memory, memory.memoryHeaps[i].size);
        }
    }
    info.buffer_range = core.limits.maxStorageBufferRange;
    // Vectors of 16 bytes are read.
    info.offset_alignment = std::max<std::size_t>(16, core.limits.minStorageBufferOffsetAlignment);
    info.shared_memory = core.limits.maxComputeSharedMemorySize;
    info.subgroup_size = info.subgroup_min = info.subgroup_max = subgroup.subgroupSize;
    if (size_control.subgroupSizeControl == VK_TRUE &&
        (subgroup_size.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0) {
        info.subgroup_min = subgroup_size.minSubgroupSize;
        info.subgroup_max = subgroup_size.maxSubgroupSize;
    }
    info.cores =
        std::max(nvidia.shaderSMCount, amd.shaderEngineCount * amd.shaderArraysPerEngineCount *
                                           amd.computeUnitsPerShaderArray);
    info.workgroup_size = std::min(core.limits.maxComputeWorkGroupInvocations,
                                   core.limits.maxComputeWorkGroupSize[0]);
    info.subgroup_add = (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0 &&
                        (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT) != 0;
    info.timestamp_period = compute->timestampValidBits != 0 ? core.limits.timestampPeriod : 0;
    info.f16_storage = v11.storageBuffer16BitAccess == VK_TRUE;
    info.packed_dot_product = dot_feature.shaderIntegerDotProduct == VK_TRUE;
    info.fast_dot_product =
        info.packed_dot_product && dot.integerDotProduct4x8BitPackedSignedAccelerated == VK_TRUE;
    info.cooperative_matrix = matrix.cooperativeMatrix == VK_TRUE && v12.shaderFloat16 == VK_TRUE &&
                              v12.shaderInt8 == VK_TRUE && v12.vulkanMemoryModel == VK_TRUE &&
                              info.f16_storage && features.features.shaderInt16 == VK_TRUE &&
                              size_control.subgroupSizeControl == VK_TRUE;
    info.cooperative_matrix2 = info.cooperative_matrix &&
                               matrix2.cooperativeMatrixWorkgroupScope == VK_TRUE &&
                               matrix2.cooperativeMatrixFlexibleDimensions == VK_TRUE &&
                               matrix2.cooperativeMatrixConversions == VK_TRUE &&
                               matrix2.cooperativeMatrixTensorAddressing == VK_TRUE &&
                               matrix2.cooperativeMatrixBlockLoads == VK_TRUE && v13;
    info.bfloat16 =
        bfloat.shaderBFloat16CooperativeMatrix == VK_TRUE && bfloat.shaderBFloat16Type == VK_TRUE;
    info.dmabuf = has(VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME) &&
                  has(VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME);
    info.host_import = has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    info.binary_import =
        has(VK_NVX_BINARY_IMPORT_EXTENSION_NAME) && v12.bufferDeviceAddress == VK_TRUE;
    info.host_import_alignment = host_import.minImportedHostPointerAlignment;
    if (info.cooperative_matrix &&
        vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR != nullptr) {
        const auto units = enumerate<VkCooperativeMatrixPropertiesKHR>(
            [&](std::uint32_t* count, VkCooperativeMatrixPropertiesKHR* list) {
                return vk.vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, count, list);
            },
            "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR",
            {.sType = VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR});
        for (const VkCooperativeMatrixPropertiesKHR& unit : units) {
            const auto a = type_of(unit.AType);
            const auto sum = type_of(unit.ResultType);
            if (unit.scope == VK_SCOPE_SUBGROUP_KHR && unit.saturatingAccumulation == VK_FALSE &&
                a && sum && unit.AType == unit.BType && unit.CType == unit.ResultType) {
                info.units.push_back({unit.MSize, unit.NSize, unit.KSize, *a, *sum});
            }
        }
    }
    return info;
}

}  // namespace xdna::gpu::detail
