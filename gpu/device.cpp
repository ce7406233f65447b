#include "gpu/device.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

namespace xdna::gpu {
namespace detail {
namespace {

std::string default_cache() {
    for (const auto& [variable, below] : {std::pair{"XDNA_GPU_CACHE", ""},
                                          {"XDG_CACHE_HOME", "/libxdna"},
                                          {"HOME", "/.cache/libxdna"}}) {
        const char* value = std::getenv(variable);
        if (value != nullptr && *value != '\0') {
            return std::string(value) + (std::strcmp(value, "none") == 0 ? "" : below);
        }
    }
    return "none";
}

std::vector<char> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

/// Whole or not at all: other processes may read and write the same file.
void write_file(const std::string& path, const void* data, std::size_t size) {
    const std::string scratch = path + "." + std::to_string(getpid());
    std::ofstream file(scratch, std::ios::binary);
    file.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
    file.close();
    std::error_code ignored;
    if (file) {
        std::filesystem::rename(scratch, path, ignored);
    } else {
        std::filesystem::remove(scratch, ignored);
    }
}

/// The fastest kind first.
int rank(DeviceKind kind) {
    constexpr std::array kOrder{DeviceKind::kDiscrete, DeviceKind::kIntegrated,
                                DeviceKind::kVirtual, DeviceKind::kOther, DeviceKind::kCpu};
    return static_cast<int>(std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
}

bool is_number(const std::string& text) {
    return !text.empty() && text.size() < 6 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

struct Candidate {
    VkPhysicalDevice physical;
    DeviceInfo info;
};

std::vector<Candidate> candidates(const Instance& instance) {
    std::vector<Candidate> list;
    for (VkPhysicalDevice physical : instance.devices()) {
        if (auto info = instance.describe(physical)) {
            list.push_back({physical, std::move(*info)});
        }
    }
    return list;
}

const Candidate& choose(const std::vector<Candidate>& list, const std::string& which) {
    if (list.empty()) {
        throw Error(
            ErrorCode::kNoDevice,
            "no Vulkan 1.2 device: the loader found no driver (Debian: mesa-vulkan-drivers)");
    }
    if (which.empty()) {
        return *std::min_element(list.begin(), list.end(),
                                 [](const Candidate& a, const Candidate& b) {
                                     return rank(a.info.kind) < rank(b.info.kind);
                                 });
    }
    if (is_number(which)) {
        const std::size_t index = std::stoul(which);
        if (index < list.size()) {
            return list[index];
        }
    } else {
        for (const Candidate& candidate : list) {
            if (candidate.info.uuid == which ||
                candidate.info.name.find(which) != std::string::npos) {
                return candidate;
            }
        }
    }
    std::string names;
    for (const Candidate& candidate : list) {
        names += (names.empty() ? "" : ", ") + candidate.info.name;
    }
    throw Error(ErrorCode::kNoDevice,
                "no Vulkan device is called '" + which + "'; there is: " + names);
}

}  // namespace

DeviceState::DeviceState(const DeviceOptions& options)
    : instance_(options.validate, options.on_message),
      cache_(options.cache.empty() ? default_cache() : options.cache) {
    std::string which = options.which;
    if (const char* variable = std::getenv("XDNA_GPU"); which.empty() && variable != nullptr) {
        which = variable;
    }
    const auto list = candidates(instance_);
    const Candidate& chosen = choose(list, which);
    info_ = chosen.info;
    try {
        open(chosen.physical);
        create_layouts();
        load_caches();
    } catch (...) {
        close();
        throw;
    }
}

DeviceState::~DeviceState() {
    try {
        save();
    } catch (...) {  // NOLINT(bugprone-empty-catch): a cache is done without
    }
    close();
}

void DeviceState::open(VkPhysicalDevice physical) {
    const InstanceFunctions& instance = instance_.vk;
    std::uint32_t families = 0;
    instance.vkGetPhysicalDeviceQueueFamilyProperties(physical, &families, nullptr);
    std::vector<VkQueueFamilyProperties> family(families);
    instance.vkGetPhysicalDeviceQueueFamilyProperties(physical, &families, family.data());
    queue_family_ = static_cast<std::uint32_t>(std::find_if(family.begin(), family.end(),
                                                            [](const VkQueueFamilyProperties& f) {
                                                                return (f.queueFlags &
                                                                        VK_QUEUE_COMPUTE_BIT) != 0;
                                                            }) -
                                               family.begin());
    instance.vkGetPhysicalDeviceMemoryProperties(physical, &memory_);

    const bool v13 = info_.api_version >= VK_API_VERSION_1_3;
    std::vector<const char*> extensions;
    void* chain = nullptr;
    const auto enable = [&](auto& structure, const char* extension) {
        structure.pNext = chain;
        chain = &structure;
        if (extension != nullptr) {
            extensions.push_back(extension);
        }
    };
    const auto flag = [](bool wanted) { return wanted ? VK_TRUE : VK_FALSE; };
    VkPhysicalDeviceVulkan11Features v11{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
        .storageBuffer16BitAccess = flag(info_.f16_storage)};
    VkPhysicalDeviceVulkan12Features v12{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .storageBuffer8BitAccess = flag(info_.cooperative_matrix2),
        .shaderFloat16 = flag(info_.cooperative_matrix),
        .shaderInt8 = flag(info_.cooperative_matrix),
        .timelineSemaphore = VK_TRUE,
        .bufferDeviceAddress = flag(info_.cooperative_matrix2 || info_.binary_import),
        .vulkanMemoryModel = flag(info_.cooperative_matrix)};
    VkPhysicalDeviceSubgroupSizeControlFeatures size_control{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES,
        .subgroupSizeControl = VK_TRUE,
        .computeFullSubgroups = VK_TRUE};
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES,
        .shaderIntegerDotProduct = VK_TRUE};
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR,
        .cooperativeMatrix = VK_TRUE};
    VkPhysicalDeviceCooperativeMatrix2FeaturesNV matrix2{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_2_FEATURES_NV,
        .cooperativeMatrixWorkgroupScope = VK_TRUE,
        .cooperativeMatrixFlexibleDimensions = VK_TRUE,
        .cooperativeMatrixConversions = VK_TRUE,
        .cooperativeMatrixTensorAddressing = VK_TRUE,
        .cooperativeMatrixBlockLoads = VK_TRUE};
    // The shaders of Vulkan 1.3 say their size by constants; tensor addressing decodes blocks by
    // reference.
    VkPhysicalDeviceMaintenance4Features maintenance{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_FEATURES, .maintenance4 = VK_TRUE};
    VkPhysicalDeviceShaderBfloat16FeaturesKHR bfloat{
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR,
        .shaderBFloat16Type = VK_TRUE,
        .shaderBFloat16CooperativeMatrix = VK_TRUE};
    enable(v11, nullptr);
    enable(v12, nullptr);
    if (info_.packed_dot_product) {
        enable(dot, v13 ? nullptr : VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
    }
    if (info_.cooperative_matrix) {
        enable(size_control, v13 ? nullptr : VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
        enable(matrix, VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    }
    if (info_.cooperative_matrix2) {
        enable(matrix2, VK_NV_COOPERATIVE_MATRIX_2_EXTENSION_NAME);
        enable(maintenance, nullptr);
    }
    if (info_.bfloat16) {
        enable(bfloat, VK_KHR_SHADER_BFLOAT16_EXTENSION_NAME);
    }
    if (info_.dmabuf) {
        extensions.push_back(VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME);
        extensions.push_back(VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME);
    }
    if (info_.binary_import) {
        extensions.push_back(VK_NVX_BINARY_IMPORT_EXTENSION_NAME);
    }
    if (info_.host_import) {
        extensions.push_back(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    }
    VkPhysicalDeviceFeatures2 features{.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
                                       .pNext = chain,
                                       .features = {.shaderInt16 = flag(info_.cooperative_matrix)}};
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue{.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                        .queueFamilyIndex = queue_family_,
                                        .queueCount = 1,
                                        .pQueuePriorities = &priority};
    const VkDeviceCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
        .pNext = &features,
        .queueCreateInfoCount = 1,
        .pQueueCreateInfos = &queue,
        .enabledExtensionCount = static_cast<std::uint32_t>(extensions.size()),
        .ppEnabledExtensionNames = extensions.data()};
    check(instance.vkCreateDevice(physical, &create, nullptr, &device_), "vkCreateDevice");
#define XDNA_VK_LOAD(name) \
    vk.name = reinterpret_cast<PFN_##name>(instance.vkGetDeviceProcAddr(device_, #name));
    XDNA_VK_DEVICE(XDNA_VK_LOAD)
    XDNA_VK_DEVICE_OPTIONAL(XDNA_VK_LOAD)
#undef XDNA_VK_LOAD
    vk.vkGetDeviceQueue(device_, queue_family_, 0, &queue_);

    const VkSemaphoreTypeCreateInfo timeline{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                             .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo semaphore{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                                          .pNext = &timeline};
    check(vk.vkCreateSemaphore(device_, &semaphore, nullptr, &timeline_), "vkCreateSemaphore");
    info_.wgmma = info_.binary_import && takes_hopper_ptx();
}

/// No property tells a device's compute capability, but PTX for exactly one of them compiles there
/// only.
bool DeviceState::takes_hopper_ptx() const {
    constexpr std::string_view kNothing =
        ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry nothing() { ret; }\n";
    const VkCuModuleCreateInfoNVX create{.sType = VK_STRUCTURE_TYPE_CU_MODULE_CREATE_INFO_NVX,
                                         .dataSize = kNothing.size() + 1,
                                         .pData = kNothing.data()};
    VkCuModuleNVX module = VK_NULL_HANDLE;
    if (vk.vkCreateCuModuleNVX(device_, &create, nullptr, &module) != VK_SUCCESS) {
        return false;
    }
    vk.vkDestroyCuModuleNVX(device_, module, nullptr);
    return true;
}

void DeviceState::create_layouts() {
    std::array<VkDescriptorSetLayoutBinding, kBindings> bindings{};
    for (std::uint32_t i = 0; i < kBindings; i++) {
        bindings[i] = {.binding = i,
                       .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                       .descriptorCount = 1,
                       .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
    }
    const VkDescriptorSetLayoutCreateInfo set{
        .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
        .bindingCount = kBindings,
        .pBindings = bindings.data()};
    check(vk.vkCreateDescriptorSetLayout(device_, &set, nullptr, &set_layout_),
          "vkCreateDescriptorSetLayout");
    const VkPushConstantRange push{.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
                                   .size = sizeof(Parameters)};
    const VkPipelineLayoutCreateInfo layout{.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                            .setLayoutCount = 1,
                                            .pSetLayouts = &set_layout_,
                                            .pushConstantRangeCount = 1,
                                            .pPushConstantRanges = &push};
    check(vk.vkCreatePipelineLayout(device_, &layout, nullptr, &pipeline_layout_),
          "vkCreatePipelineLayout");
}

/// The pipeline cache's own header tells another driver's; tuning results carry the driver in their
/// key.
void DeviceState::load_caches() {
    const auto stored =
        cache_ == "none" ? std::vector<char>() : read_file(cache_path(".pipelines"));
    VkPipelineCacheCreateInfo create{.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                     .initialDataSize = stored.size(),
                                     .pInitialData = stored.data()};
    if (vk.vkCreatePipelineCache(device_, &create, nullptr, &pipeline_cache_) != VK_SUCCESS) {
        create.initialDataSize = 0;
        check(vk.vkCreatePipelineCache(device_, &create, nullptr, &pipeline_cache_),
              "vkCreatePipelineCache");
    }
    if (cache_ != "none") {
        std::ifstream file(cache_path(".tuned"));
        for (std::string line; std::getline(file, line);) {
            if (const auto tab = line.find('\t'); tab != std::string::npos) {
                tuned_.emplace(line.substr(0, tab), line.substr(tab + 1));
            }
        }
    }
}

std::string DeviceState::cache_path(const char* suffix) const {
    return cache_ + "/gpu-" + info_.uuid + suffix;
}

void DeviceState::save() const {
    const std::lock_guard lock(pipelines_lock_);
    std::error_code failed;
    if (cache_ == "none" || !unsaved_ ||
        (std::filesystem::create_directories(cache_, failed), failed)) {
        return;
    }
    std::size_t size = 0;
    std::vector<char> data;
    if (vk.vkGetPipelineCacheData(device_, pipeline_cache_, &size, nullptr) == VK_SUCCESS) {
        data.resize(size);
        if (vk.vkGetPipelineCacheData(device_, pipeline_cache_, &size, data.data()) == VK_SUCCESS) {
            write_file(cache_path(".pipelines"), data.data(), size);
        }
    }
    if (!tuned_.empty()) {
        const std::string text = std::accumulate(
            tuned_.begin(), tuned_.end(), std::string(), [](std::string all, const auto& entry) {
                return std::move(all) + entry.first + '\t' + entry.second + '\n';
            });
        write_file(cache_path(".tuned"), text.data(), text.size());
    }
    unsaved_ = false;
}

void DeviceState::close() noexcept {
    if (device_ == nullptr) {
        return;
    }
    vk.vkDeviceWaitIdle(device_);
    for (const auto& [kernel, pipeline] : pipelines_) {
        vk.vkDestroyPipeline(device_, pipeline, nullptr);
    }
    // Unlike most, these take no null handles, and there are some where creating failed.
    for (const auto& [module, binary] : binaries_) {
        if (binary.function != VK_NULL_HANDLE) {
            vk.vkDestroyCuFunctionNVX(device_, binary.function, nullptr);
        }
        if (binary.module != VK_NULL_HANDLE) {
            vk.vkDestroyCuModuleNVX(device_, binary.module, nullptr);
        }
    }
    vk.vkDestroyPipelineCache(device_, pipeline_cache_, nullptr);
    vk.vkDestroyPipelineLayout(device_, pipeline_layout_, nullptr);
    vk.vkDestroyDescriptorSetLayout(device_, set_layout_, nullptr);
    vk.vkDestroySemaphore(device_, timeline_, nullptr);
    vk.vkDestroyDevice(device_, nullptr);
}

std::uint32_t DeviceState::memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted,
                                       VkMemoryPropertyFlags preferred) const {
    for (const VkMemoryPropertyFlags flags : {wanted | preferred, wanted}) {
        for (std::uint32_t i = 0; i < memory_.memoryTypeCount; i++) {
            if ((allowed >> i & 1) != 0 &&
                (memory_.memoryTypes[i].propertyFlags & flags) == flags) {
                return i;
            }
        }
    }
    throw Error(ErrorCode::kUnsupported,
                info_.name + " has no memory of the kind that this buffer needs");
}

std::uint64_t DeviceState::submit(VkCommandBuffer commands) {
    const std::lock_guard lock(submission_);
    const std::uint64_t value = submitted_ + 1;
    const VkTimelineSemaphoreSubmitInfo timeline{
        .sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .signalSemaphoreValueCount = 1,
        .pSignalSemaphoreValues = &value};
    const VkSubmitInfo submit{.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                              .pNext = &timeline,
                              .commandBufferCount = 1,
                              .pCommandBuffers = &commands,
                              .signalSemaphoreCount = 1,
                              .pSignalSemaphores = &timeline_};
    check(vk.vkQueueSubmit(queue_, 1, &submit, VK_NULL_HANDLE), "vkQueueSubmit");
    submitted_ = value;
    return value;
}

bool DeviceState::wait(std::uint64_t value, std::uint64_t nanoseconds) const {
    const VkSemaphoreWaitInfo wait{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                   .semaphoreCount = 1,
                                   .pSemaphores = &timeline_,
                                   .pValues = &value};
    const VkResult result = vk.vkWaitSemaphores(device_, &wait, nanoseconds);
    check(result, "vkWaitSemaphores");
    return result == VK_SUCCESS;
}

VkPipeline DeviceState::pipeline(const Kernel& kernel) {
    const std::lock_guard lock(pipelines_lock_);
    if (const auto found = pipelines_.find(kernel); found != pipelines_.end()) {
        return found->second;
    }
    const VkShaderModuleCreateInfo source{.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
                                          .codeSize = kernel.module->words.size_bytes(),
                                          .pCode = kernel.module->words.data()};
    VkShaderModule module = VK_NULL_HANDLE;
    check(vk.vkCreateShaderModule(device_, &source, nullptr, &module), "vkCreateShaderModule");

    std::array<VkSpecializationMapEntry, kConstants> entries{};
    for (std::uint32_t i = 0; i < kConstants; i++) {
        entries[i] = {.constantID = i, .offset = 4 * i, .size = 4};
    }
    const VkSpecializationInfo specialization{.mapEntryCount = kConstants,
                                              .pMapEntries = entries.data(),
                                              .dataSize = sizeof(kernel.constants),
                                              .pData = kernel.constants.data()};
    const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size{
        .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO,
        .requiredSubgroupSize = kernel.constants[kSubgroupSize]};
    const VkComputePipelineCreateInfo create{
        .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                  .pNext = kernel.fixed_subgroup ? &size : nullptr,
                  .flags = kernel.fixed_subgroup
                               ? VkPipelineShaderStageCreateFlags(
                                     VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT)
                               : 0,
                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                  .module = module,
                  .pName = "main",
                  .pSpecializationInfo = &specialization},
        .layout = pipeline_layout_};
    VkPipeline pipeline = VK_NULL_HANDLE;
    const VkResult result =
        vk.vkCreateComputePipelines(device_, pipeline_cache_, 1, &create, nullptr, &pipeline);
    vk.vkDestroyShaderModule(device_, module, nullptr);
    check(result, "vkCreateComputePipelines");
    pipelines_.emplace(kernel, pipeline);
    unsaved_ = true;
    return pipeline;
}

VkCuFunctionNVX DeviceState::function(const Module& module) {
    const std::lock_guard lock(pipelines_lock_);
    Binary& binary = binaries_[&module];
    if (binary.module == VK_NULL_HANDLE) {
        const VkCuModuleCreateInfoNVX source{.sType = VK_STRUCTURE_TYPE_CU_MODULE_CREATE_INFO_NVX,
                                             .dataSize = module.words.size_bytes(),
                                             .pData = module.words.data()};
        check(vk.vkCreateCuModuleNVX(device_, &source, nullptr, &binary.module),
              "vkCreateCuModuleNVX");
    }
    if (binary.function == VK_NULL_HANDLE) {
        const VkCuFunctionCreateInfoNVX entry{
            .sType = VK_STRUCTURE_TYPE_CU_FUNCTION_CREATE_INFO_NVX,
            .module = binary.module,
            .pName = "matmul"};
        check(vk.vkCreateCuFunctionNVX(device_, &entry, nullptr, &binary.function),
              "vkCreateCuFunctionNVX");
    }
    return binary.function;
}

std::optional<std::string> DeviceState::tuned(const std::string& key) const {
    const std::lock_guard lock(pipelines_lock_);
    const auto found = tuned_.find(key);
    return found == tuned_.end() ? std::nullopt : std::optional(found->second);
}

void DeviceState::keep_tuned(const std::string& key, const std::string& kernel) {
    const std::lock_guard lock(pipelines_lock_);
    tuned_.insert_or_assign(key, kernel);
    unsaved_ = true;
}

}  // namespace detail

std::vector<DeviceInfo> Device::list() {
    std::string why;
    if (vulkan_loader(why) == nullptr) {
        return {};
    }
    std::vector<DeviceInfo> list;
    try {
        for (auto& candidate : detail::candidates(detail::Instance(false, {}))) {
            list.push_back(std::move(candidate.info));
        }
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kNoVulkan) {
            throw;
        }
    }
    return list;
}

Device::Device(const DeviceOptions& options)
    : state_(std::make_shared<detail::DeviceState>(options)) {}

const DeviceInfo& Device::info() const {
    return state_->info();
}

void Device::save_cache() const {
    state_->save();
}

}  // namespace xdna::gpu
