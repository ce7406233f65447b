#include "emu/pci/vfio_user.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>

namespace xdna::emu::pci {

namespace {

enum class Command : uint16_t {
    kVersion = 1,
    kDmaMap = 2,
    kDmaUnmap = 3,
    kDeviceInfo = 4,
    kRegionInfo = 5,
    kInterruptInfo = 7,
    kSetInterrupts = 8,
    kRegionRead = 9,
    kRegionWrite = 10,
    kDeviceReset = 13,
};

constexpr uint32_t kFlagReply = 1, kFlagNoReply = 0x10, kFlagError = 0x20;

struct Header {
    uint16_t id;
    uint16_t command;
    uint32_t size;  ///< with this header
    uint32_t flags;
    uint32_t error;
};

struct Version {
    uint16_t major;
    uint16_t minor;
};

struct DmaMap {
    uint32_t size;
    uint32_t flags;  ///< 1 readable, 2 writable
    uint64_t offset;
    uint64_t address;
    uint64_t length;
};

struct DmaUnmap {
    uint32_t size;
    uint32_t flags;
    uint64_t address;
    uint64_t length;
};

struct DeviceInfo {
    uint32_t size;
    uint32_t flags;  ///< 1 can be reset, 2 PCI
    uint32_t regions;
    uint32_t interrupts;
};

struct RegionInfo {
    uint32_t size;
    uint32_t flags;  ///< 1 read, 2 write, 4 can be mapped
    uint32_t index;
    uint32_t capabilities;
    uint64_t length;
    uint64_t offset;
};

/// linux/vfio.h: vfio_region_info_cap_sparse_mmap with one area.
struct MappableArea {
    uint16_t capability;
    uint16_t version;
    uint32_t next;
    uint32_t areas;
    uint32_t reserved;
    uint64_t offset;
    uint64_t length;
};

struct InterruptInfo {
    uint32_t size;
    uint32_t flags;  ///< 1 by eventfd, 8 the number of vectors cannot be changed in use
    uint32_t index;
    uint32_t count;
};

struct SetInterrupts {
    uint32_t size;
    uint32_t flags;  ///< 1 no data, 4 eventfds; 0x20 trigger
    uint32_t index;
    uint32_t start;
    uint32_t count;
};

struct RegionAccess {
    uint64_t offset;
    uint32_t region;
    uint32_t count;
};

constexpr uint32_t kInterruptNone = 1, kInterruptEventfd = 4, kInterruptTrigger = 0x20;

constexpr size_t kMaxTransfer = 1 << 20;
constexpr size_t kMaxMessage = kMaxTransfer + 4096;
constexpr size_t kMaxDescriptors = 16;
constexpr uint32_t kRegions = 9, kInterrupts = 5;

void append(std::vector<std::byte>& to, const void* data, size_t size) {
    const size_t at = to.size();
    to.resize(at + size);
    if (size != 0) {
        std::memcpy(to.data() + at, data, size);
    }
}

template <typename T>
std::vector<std::byte> bytes_of(const T& value) {
    std::vector<std::byte> bytes;
    append(bytes, &value, sizeof value);
    return bytes;
}

}  // namespace

/// A message's body, read from its front.
class VfioUserServer::Request {
  public:
    Header header{};
    std::vector<std::byte> body;
    std::vector<UniqueFd> descriptors;

    /// False where the body is too short.
    template <typename T>
    bool take(T& to) {
        if (body.size() - at_ < sizeof to) {
            return false;
        }
        std::memcpy(&to, body.data() + at_, sizeof to);
        at_ += sizeof to;
        return true;
    }
    std::span<const std::byte> rest() const { return std::span(body).subspan(at_); }
    UniqueFd descriptor(size_t index) {
        return index < descriptors.size() ? std::move(descriptors[index]) : UniqueFd();
    }

  private:
    size_t at_ = 0;
};

bool VfioUserServer::serve(UniqueFd connection) {
    connection_ = std::move(connection);
    const bool ended_well = answer_all();
    connection_.reset();
    return ended_well;
}

bool VfioUserServer::answer_all() {
    for (;;) {
        Request request;
        if (!receive(&request.header, sizeof request.header, request.descriptors)) {
            return true;
        }
        const Header& header = request.header;
        if (header.size < sizeof header || header.size > kMaxMessage) {
            complain_("a message of " + std::to_string(header.size) + " bytes, of command " +
                      std::to_string(header.command));
            return false;
        }
        request.body.resize(header.size - sizeof header);
        if (!receive(request.body.data(), request.body.size(), request.descriptors)) {
            return true;
        }
        Reply reply = handle(request);
        if ((header.flags & kFlagNoReply) != 0) {
            continue;
        }
        if (reply.error != 0) {
            reply.body.clear();
        }
        const Header answer{.id = header.id,
                            .command = header.command,
                            .size = static_cast<uint32_t>(sizeof answer + reply.body.size()),
                            .flags = kFlagReply | (reply.error != 0 ? kFlagError : 0),
                            .error = static_cast<uint32_t>(reply.error)};
        std::vector<std::byte> message = bytes_of(answer);
        append(message, reply.body.data(), reply.body.size());
        if (!send(message.data(), message.size(), reply.descriptor)) {
            return true;
        }
    }
}

VfioUserServer::Reply VfioUserServer::handle(Request& request) {
    switch (static_cast<Command>(request.header.command)) {
        case Command::kVersion:
            return version(request);
        case Command::kDmaMap:
            return map(request);
        case Command::kDmaUnmap:
            return unmap(request);
        case Command::kDeviceInfo:
            return device_info();
        case Command::kRegionInfo:
            return region_info(request);
        case Command::kInterruptInfo:
            return interrupt_info(request);
        case Command::kSetInterrupts:
            return set_interrupts(request);
        case Command::kRegionRead:
            return read_region(request);
        case Command::kRegionWrite:
            return write_region(request);
        case Command::kDeviceReset:
            device_.reset();
            return {};
    }
    return refuse(EOPNOTSUPP, "command " + std::to_string(request.header.command));
}

VfioUserServer::Reply VfioUserServer::version(Request& request) {
    Version wanted{};
    if (!request.take(wanted)) {
        return refuse(EINVAL, "VERSION: too short");
    }
    if (wanted.major != 0) {
        return refuse(ENOTSUP, "VERSION: major " + std::to_string(wanted.major));
    }
    const nlohmann::json ours = {{"capabilities",
                                  {{"max_msg_fds", kMaxDescriptors},
                                   {"max_data_xfer_size", kMaxTransfer},
                                   {"max_dma_maps", 65535},
                                   {"pgsizes", 4096}}}};
    const std::string text = ours.dump();
    Reply reply{.body = bytes_of(Version{0, std::min<uint16_t>(wanted.minor, 1)})};
    append(reply.body, text.c_str(), text.size() + 1);
    return reply;
}

VfioUserServer::Reply VfioUserServer::map(Request& request) {
    DmaMap map{};
    if (!request.take(map) || map.length == 0 || map.address + map.length < map.address) {
        return refuse(EINVAL, "DMA_MAP: no range");
    }
    constexpr uint32_t kWritable = 2;
    try {
        if (!device_.map(map.address, map.length, request.descriptor(0), map.offset,
                         (map.flags & kWritable) != 0)) {
            return refuse(EEXIST, "DMA_MAP: mapped already");
        }
    } catch (const std::system_error& error) {
        return refuse(error.code().value(), std::string("DMA_MAP: ") + error.what());
    }
    return {};
}

VfioUserServer::Reply VfioUserServer::unmap(Request& request) {
    DmaUnmap unmap{};
    if (!request.take(unmap)) {
        return refuse(EINVAL, "DMA_UNMAP: too short");
    }
    // QEMU unmaps in pieces of its own, also where nothing is, and up to 2^64: no error.
    device_.unmap(unmap.address, std::min(unmap.length, UINT64_MAX - unmap.address));
    return {.body = bytes_of(unmap)};
}

VfioUserServer::Reply VfioUserServer::device_info() {
    constexpr uint32_t kReset = 1, kPci = 2;
    return {.body = bytes_of(DeviceInfo{sizeof(DeviceInfo), kReset | kPci, kRegions, kInterrupts})};
}

VfioUserServer::Reply VfioUserServer::region_info(Request& request) {
    RegionInfo info{};
    if (!request.take(info) || info.index >= kRegions) {
        return refuse(EINVAL, "DEVICE_GET_REGION_INFO: region " + std::to_string(info.index));
    }
    constexpr uint32_t kReadWrite = 3, kMap = 4, kCapabilities = 8;
    constexpr uint16_t kSparseMap = 1;
    const Device::Region region = device_.region(info.index);
    const uint32_t room = info.size;
    info = {.size = sizeof info,
            .flags = region.size == 0 ? 0 : kReadWrite | (region.memory >= 0 ? kMap : 0),
            .index = info.index,
            .capabilities = 0,
            .length = region.size,
            .offset = 0};
    std::vector<std::byte> capability;
    if (region.mappable != 0) {
        info.size += sizeof(MappableArea);
        info.flags |= kCapabilities;
        info.capabilities = sizeof info;
        // A client that has no room for it learns how much it is to have, and asks again.
        if (room >= info.size) {
            capability = bytes_of(MappableArea{.capability = kSparseMap,
                                               .version = 1,
                                               .next = 0,
                                               .areas = 1,
                                               .reserved = 0,
                                               .offset = region.mappable,
                                               .length = region.size - region.mappable});
        }
    }
    Reply reply{.body = bytes_of(info), .descriptor = region.memory};
    append(reply.body, capability.data(), capability.size());
    return reply;
}

VfioUserServer::Reply VfioUserServer::interrupt_info(Request& request) {
    InterruptInfo info{};
    if (!request.take(info) || info.index >= kInterrupts) {
        return refuse(EINVAL, "DEVICE_GET_IRQ_INFO: index " + std::to_string(info.index));
    }
    // One error interrupt is offered, and never raised: without it QEMU warns of its absence.
    constexpr uint32_t kEventfd = 1, kNoResize = 8;
    info.count = info.index == kMsixIndex    ? device_.msix_vectors()
                 : info.index == kErrorIndex ? 1
                                             : 0;
    info.flags = info.count != 0 ? kEventfd | kNoResize : 0;
    info.size = sizeof info;
    return {.body = bytes_of(info)};
}

VfioUserServer::Reply VfioUserServer::set_interrupts(Request& request) {
    SetInterrupts set{};
    if (!request.take(set) || (set.flags & kInterruptTrigger) == 0) {
        return refuse(EINVAL, "DEVICE_SET_IRQS: flags " + std::to_string(set.flags));
    }
    if (set.index != kMsixIndex) {
        return {};
    }
    const unsigned vectors = device_.msix_vectors();
    if (set.start > vectors || set.count > vectors - set.start) {
        return refuse(EINVAL, "DEVICE_SET_IRQS: vectors " + std::to_string(set.start) + " and " +
                                  std::to_string(set.count) + " more");
    }
    if ((set.flags & kInterruptEventfd) != 0) {
        // Fewer descriptors than vectors: the others are taken away.
        for (uint32_t i = 0; i < set.count; ++i) {
            device_.set_vector(set.start + i, request.descriptor(i));
        }
    } else if ((set.flags & kInterruptNone) != 0 && set.count == 0) {
        for (unsigned vector = 0; vector < vectors; ++vector) {
            device_.set_vector(vector, {});
        }
    }
    return {};
}

VfioUserServer::Reply VfioUserServer::read_region(Request& request) {
    RegionAccess access{};
    const bool complete = request.take(access);
    const uint64_t size =
        complete && access.region < kRegions ? device_.region(access.region).size : 0;
    if (access.count > kMaxTransfer || access.offset > size ||
        access.count > size - access.offset) {
        return refuse(EINVAL, "REGION_READ: region " + std::to_string(access.region) + ", offset " +
                                  std::to_string(access.offset) + ", " +
                                  std::to_string(access.count) + " bytes");
    }
    Reply reply{.body = bytes_of(access)};
    reply.body.resize(sizeof access + access.count);
    device_.read(access.region, access.offset, std::span(reply.body).subspan(sizeof access));
    return reply;
}

VfioUserServer::Reply VfioUserServer::write_region(Request& request) {
    RegionAccess access{};
    const bool complete = request.take(access);
    const uint64_t size =
        complete && access.region < kRegions ? device_.region(access.region).size : 0;
    if (access.offset > size || access.count > size - access.offset ||
        access.count != request.rest().size()) {
        return refuse(EINVAL, "REGION_WRITE: region " + std::to_string(access.region) +
                                  ", offset " + std::to_string(access.offset) + ", " +
                                  std::to_string(access.count) + " bytes");
    }
    device_.write(access.region, access.offset, request.rest());
    return {.body = bytes_of(access)};
}

VfioUserServer::Reply VfioUserServer::refuse(int error, const std::string& why) {
    complain_(why + ": " + std::generic_category().message(error));
    return {.error = error};
}

// Exactly as much as asked for: descriptors ride on the first byte of their own message, and one
// read past it would take the next message's.
bool VfioUserServer::receive(void* to, size_t size, std::vector<UniqueFd>& descriptors) {
    auto* at = static_cast<std::byte*>(to);
    while (size != 0) {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(kMaxDescriptors * sizeof(int))> control{};
        iovec part{at, size};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = ::recvmsg(connection_.get(), &message, MSG_CMSG_CLOEXEC);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return false;
        }
        for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
             item = CMSG_NXTHDR(&message, item)) {
            if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) {
                continue;
            }
            const size_t count = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; ++i) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
                descriptors.emplace_back(fd);
            }
        }
        at += got;
        size -= static_cast<size_t>(got);
    }
    return true;
}

bool VfioUserServer::send(const void* data, size_t size, int descriptor) {
    const auto* at = static_cast<const std::byte*>(data);
    while (size != 0) {
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        iovec part{const_cast<std::byte*>(at), size};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (descriptor >= 0) {
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* item = CMSG_FIRSTHDR(&message);
            item->cmsg_level = SOL_SOCKET;
            item->cmsg_type = SCM_RIGHTS;
            item->cmsg_len = CMSG_LEN(sizeof descriptor);
            std::memcpy(CMSG_DATA(item), &descriptor, sizeof descriptor);
        }
        const ssize_t sent = ::sendmsg(connection_.get(), &message, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        descriptor = -1;
        at += sent;
        size -= static_cast<size_t>(sent);
    }
    return true;
}

}  // namespace xdna::emu::pci
