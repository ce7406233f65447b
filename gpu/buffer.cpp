#include "gpu/buffer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "gpu/commands.hpp"

namespace xdna::gpu {
namespace detail {
namespace {

constexpr VkExternalMemoryHandleTypeFlagBits kDmabuf =
    VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
constexpr VkExternalMemoryHandleTypeFlagBits kHostPointer =
    VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;

}  // namespace

BufferState::BufferState(std::shared_ptr<DeviceState> device, std::size_t bytes, Memory memory)
    : device_(std::move(device)), size_(bytes), exportable_(memory == Memory::kExportable) {
    try {
        const VkExportMemoryAllocateInfo exported{
            .sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO, .handleTypes = kDmabuf};
        create(exportable_ ? VkExternalMemoryHandleTypeFlags(kDmabuf) : 0);
        if (memory == Memory::kHost) {
            allocate(VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                     VK_MEMORY_PROPERTY_HOST_CACHED_BIT, ~0U, nullptr);
            void* mapped = nullptr;
            check(device_->vk.vkMapMemory(device_->device(), memory_, 0, VK_WHOLE_SIZE, 0, &mapped),
                  "vkMapMemory");
            mapped_ = static_cast<std::byte*>(mapped);
        } else {
            allocate(0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, ~0U,
                     exportable_ ? &exported : nullptr);
        }
    } catch (...) {
        close();
        throw;
    }
}

BufferState::BufferState(std::shared_ptr<DeviceState> device, std::size_t bytes,
                         VkExternalMemoryHandleTypeFlagBits from, std::uint32_t memory_types,
                         const void* memory_info, void* mapped)
    : device_(std::move(device)),
      size_(bytes),
      imported_(true),
      mapped_(static_cast<std::byte*>(mapped)) {
    try {
        create(from);
        allocate(0, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, memory_types, memory_info);
    } catch (...) {
        close();
        throw;
    }
}

BufferState::~BufferState() {
    close();
}

void BufferState::create(VkExternalMemoryHandleTypeFlags handles) {
    const VkExternalMemoryBufferCreateInfo external{
        .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO, .handleTypes = handles};
    VkBufferUsageFlags usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                               VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    if (device_->info().wgmma) {
        usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    }
    const VkBufferCreateInfo create{.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                    .pNext = handles != 0 ? &external : nullptr,
                                    .size = end(),
                                    .usage = usage};
    check(device_->vk.vkCreateBuffer(device_->device(), &create, nullptr, &buffer_),
          "vkCreateBuffer");
}

void BufferState::allocate(VkMemoryPropertyFlags wanted, VkMemoryPropertyFlags preferred,
                           std::uint32_t allowed, const void* chain) {
    VkMemoryRequirements needs{};
    device_->vk.vkGetBufferMemoryRequirements(device_->device(), buffer_, &needs);
    const VkMemoryAllocateFlagsInfo addressed{.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
                                              .pNext = chain,
                                              .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    const VkMemoryAllocateInfo info{
        .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
        .pNext = device_->info().wgmma ? &addressed : chain,
        // Imported memory has the size it has.
        .allocationSize = allowed == ~0U ? needs.size : std::max<VkDeviceSize>(needs.size, size_),
        .memoryTypeIndex = device_->memory_type(needs.memoryTypeBits & allowed, wanted, preferred)};
    const VkResult result =
        device_->vk.vkAllocateMemory(device_->device(), &info, nullptr, &memory_);
    if (result < 0) {
        memory_ = VK_NULL_HANDLE;
        throw_vulkan(result,
                     "vkAllocateMemory of " + std::to_string(info.allocationSize) + " bytes");
    }
    check(device_->vk.vkBindBufferMemory(device_->device(), buffer_, memory_, 0),
          "vkBindBufferMemory");
    if (device_->info().wgmma) {
        const VkBufferDeviceAddressInfo place{.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                              .buffer = buffer_};
        address_ = device_->vk.vkGetBufferDeviceAddress(device_->device(), &place);
    }
}

void BufferState::close() noexcept {
    device_->vk.vkDestroyBuffer(device_->device(), buffer_, nullptr);
    device_->vk.vkFreeMemory(device_->device(), memory_, nullptr);
}

namespace {

void require_size(std::size_t bytes, const char* call) {
    if (bytes == 0) {
        throw Error(ErrorCode::kInvalidArgument, std::string(call) + ": bytes is 0");
    }
}

void require(bool able, const DeviceState& device, const char* call, const char* feature) {
    if (!able) {
        throw Error(ErrorCode::kUnsupported,
                    std::string(call) + ": " + device.info().name + " has no " + feature);
    }
}

/// Copies through a staging buffer, a piece at a time; `copy` moves a piece on the host's side.
template <class Copy>
void transfer(const BufferState& buffer, std::size_t offset, std::size_t bytes, bool to_device,
              Copy&& copy) {
    constexpr std::size_t kPiece = std::size_t{64} << 20;
    const auto& device = buffer.device();
    const BufferState staging(device, std::min(bytes, kPiece), Memory::kHost);
    for (std::size_t done = 0; done < bytes; done += kPiece) {
        const std::size_t piece = std::min(kPiece, bytes - done);
        if (to_device) {
            copy(staging.mapped(), done, piece);
        }
        CommandBuffer commands(device);
        commands.begin();
        commands.barrier();
        const VkBufferCopy region{.srcOffset = to_device ? 0 : offset + done,
                                  .dstOffset = to_device ? offset + done : 0,
                                  .size = piece};
        const VkBuffer from = to_device ? staging.buffer() : buffer.buffer();
        const VkBuffer to = to_device ? buffer.buffer() : staging.buffer();
        device->vk.vkCmdCopyBuffer(commands.get(), from, to, 1, &region);
        commands.barrier();
        commands.end();
        device->wait(device->submit(commands.get()), UINT64_MAX);
        if (!to_device) {
            copy(staging.mapped(), done, piece);
        }
    }
}

void require_inside(const BufferState& buffer, std::size_t offset, std::size_t bytes,
                    const char* call) {
    if (offset > buffer.size() || bytes > buffer.size() - offset) {
        throw Error(ErrorCode::kInvalidArgument, std::string(call) + ": " + std::to_string(bytes) +
                                                     " bytes at " + std::to_string(offset) +
                                                     " go past the buffer's end at " +
                                                     std::to_string(buffer.size()));
    }
}

}  // namespace
}  // namespace detail

Buffer::Buffer(const Device& device, std::size_t bytes, Memory memory) {
    detail::require_size(bytes, "Buffer");
    if (memory == Memory::kExportable) {
        detail::require(device.info().dmabuf, *device.state(), "Buffer",
                        "VK_EXT_external_memory_dma_buf");
    }
    state_ = std::make_shared<detail::BufferState>(device.state(), bytes, memory);
}

Buffer Buffer::import_dmabuf(const Device& device, int fd, std::size_t bytes) {
    constexpr const char* kCall = "Buffer::import_dmabuf";
    detail::DeviceState& state = *device.state();
    detail::require_size(bytes, kCall);
    detail::require(state.info().dmabuf, state, kCall, "VK_EXT_external_memory_dma_buf");
    VkMemoryFdPropertiesKHR properties{.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR};
    check(state.vk.vkGetMemoryFdPropertiesKHR(state.device(), detail::kDmabuf, fd, &properties),
          "Buffer::import_dmabuf: vkGetMemoryFdPropertiesKHR");
    // A successful import takes the descriptor over.
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0) {
        throw Error(ErrorCode::kInvalidArgument, std::string(kCall) + ": fd " + std::to_string(fd) +
                                                     ": " + std::strerror(errno));
    }
    const VkImportMemoryFdInfoKHR import{.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
                                         .handleType = detail::kDmabuf,
                                         .fd = own};
    try {
        return Buffer(std::make_shared<detail::BufferState>(
            device.state(), bytes, detail::kDmabuf, properties.memoryTypeBits, &import, nullptr));
    } catch (...) {
        close(own);
        throw;
    }
}

Buffer Buffer::import_host(const Device& device, void* memory, std::size_t bytes) {
    constexpr const char* kCall = "Buffer::import_host";
    detail::DeviceState& state = *device.state();
    detail::require_size(bytes, kCall);
    detail::require(state.info().host_import, state, kCall, "VK_EXT_external_memory_host");
    const std::size_t alignment = state.info().host_import_alignment;
    if (reinterpret_cast<std::uintptr_t>(memory) % alignment != 0 || bytes % alignment != 0) {
        throw Error(ErrorCode::kInvalidArgument, std::string(kCall) +
                                                     ": address and size must be multiples of " +
                                                     std::to_string(alignment) + " here");
    }
    VkMemoryHostPointerPropertiesEXT properties{
        .sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT};
    check(state.vk.vkGetMemoryHostPointerPropertiesEXT(state.device(), detail::kHostPointer, memory,
                                                       &properties),
          "Buffer::import_host: vkGetMemoryHostPointerPropertiesEXT");
    const VkImportMemoryHostPointerInfoEXT import{
        .sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
        .handleType = detail::kHostPointer,
        .pHostPointer = memory};
    return Buffer(std::make_shared<detail::BufferState>(
        device.state(), bytes, detail::kHostPointer, properties.memoryTypeBits, &import, memory));
}

std::size_t Buffer::size() const {
    return state_->size();
}

std::span<std::byte> Buffer::map() const {
    if (state_->mapped() == nullptr) {
        throw Error(ErrorCode::kInvalidArgument, "Buffer::map: the buffer is not in host memory");
    }
    return {state_->mapped(), state_->size()};
}

void Buffer::write(std::span<const std::byte> bytes, std::size_t offset) const {
    detail::require_inside(*state_, offset, bytes.size(), "Buffer::write");
    if (!bytes.empty()) {
        detail::transfer(*state_, offset, bytes.size(), true,
                         [&](std::byte* staging, std::size_t at, std::size_t count) {
                             std::memcpy(staging, bytes.data() + at, count);
                         });
    }
}

void Buffer::read(std::span<std::byte> bytes, std::size_t offset) const {
    detail::require_inside(*state_, offset, bytes.size(), "Buffer::read");
    if (!bytes.empty()) {
        detail::transfer(*state_, offset, bytes.size(), false,
                         [&](const std::byte* staging, std::size_t at, std::size_t count) {
                             std::memcpy(bytes.data() + at, staging, count);
                         });
    }
}

int Buffer::export_dmabuf() const {
    if (!state_->exportable()) {
        throw Error(ErrorCode::kInvalidArgument,
                    "Buffer::export_dmabuf: the buffer is not Memory::kExportable");
    }
    const detail::DeviceState& device = *state_->device();
    const VkMemoryGetFdInfoKHR info{.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                    .memory = state_->memory(),
                                    .handleType = detail::kDmabuf};
    int fd = -1;
    check(device.vk.vkGetMemoryFdKHR(device.device(), &info, &fd),
          "Buffer::export_dmabuf: vkGetMemoryFdKHR");
    return fd;
}

}  // namespace xdna::gpu
