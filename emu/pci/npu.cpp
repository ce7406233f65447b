#include "emu/pci/npu.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <system_error>

namespace xdna::emu::pci {

namespace {

/// PSP and SMU commands (linux drivers/accel/amdxdna/aie_psp.c, aie_smu.c).
constexpr uint32_t kPspValidate = 1, kPspStart = 2, kPspReleaseTmr = 3;
constexpr uint32_t kSmuPowerOn = 3, kSmuPowerOff = 4, kSmuSetNpuClock = 5, kSmuSetHClock = 6;
constexpr uint32_t kPspOk = 0, kPspBadState = 0xFFFF0007, kSmuOk = 1, kSmuUnknown = 0xFE;

/// The management protocol that emu/firmware speaks.
constexpr uint32_t kMailboxMagic = 0x55504E5F, kProtocolMajor = 5, kProtocolMinor = 8;

std::span<std::byte> map_memory(int file, const char* name, size_t size) {
    if (file < 0 || ::ftruncate(file, static_cast<off_t>(size)) != 0) {
        throw std::system_error(errno, std::generic_category(), name);
    }
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (data == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), std::string(name) + ": mmap");
    }
    return {static_cast<std::byte*>(data), size};
}

std::string hex(uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace

Npu::Shared::Shared(const char* name, size_t size)
    : file(::memfd_create(name, MFD_CLOEXEC)), bytes(map_memory(file.get(), name, size)) {}

Npu::Shared::~Shared() {
    ::munmap(bytes.data(), bytes.size());
}

Npu::Npu(firmware::LogSink log) : log_(std::move(log)), registers_(layout::kRegisterBytes) {
    reset();
    room_maker_ = std::jthread([this](const std::stop_token& stop) { make_room(stop); });
}

Npu::~Npu() {
    stop_firmware();
}

Device::Region Npu::region(unsigned index) const {
    switch (index) {
        case layout::kRegisterBar:
            return {layout::kRegisterBytes};
        case layout::kMsixBar:
            return {layout::kMsixBytes};
        case layout::kSramBar:
            return {layout::kSramBytes, sram_.file.get()};
        case layout::kMailboxBar:
            return {layout::kMailboxBytes, mailbox_registers_.file.get(), layout::kSharedRegisters};
        case kConfigRegion:
            return {ConfigSpace::kBytes};
        default:
            return {};
    }
}

void Npu::read(unsigned region, uint64_t offset, std::span<std::byte> to) {
    const auto copy = [&](std::span<const std::byte> from) {
        const std::lock_guard lock(mutex_);
        std::copy_n(from.begin() + static_cast<ptrdiff_t>(offset), to.size(), to.begin());
    };
    switch (region) {
        case layout::kRegisterBar:
            return copy(registers_);
        case layout::kSramBar:
            return copy(sram_.bytes);
        case layout::kMailboxBar:
            return copy(mailbox_registers_.bytes);
        case kConfigRegion:
            return config_.read(offset, to);
        default:  // the MSI-X table is QEMU's
            std::fill(to.begin(), to.end(), std::byte{0});
    }
}

void Npu::write(unsigned region, uint64_t offset, std::span<const std::byte> from) {
    const auto copy = [&](std::span<std::byte> to) {
        const std::lock_guard lock(mutex_);
        std::copy(from.begin(), from.end(), to.begin() + static_cast<ptrdiff_t>(offset));
    };
    switch (region) {
        case layout::kRegisterBar:
            copy(registers_);
            if (offset == layout::kPspDoorbell && get(layout::kPspDoorbell) != 0) {
                psp();
            } else if (offset == layout::kSmuDoorbell && get(layout::kSmuDoorbell) != 0) {
                smu();
            }
            break;
        case layout::kSramBar:
            copy(sram_.bytes);
            break;
        case layout::kMailboxBar:
            copy(mailbox_registers_.bytes);
            mailbox_written(offset);
            break;
        case kConfigRegion:
            config_.write(offset, from);
            break;
        default:
            break;
    }
}

void Npu::set_vector(unsigned vector, UniqueFd event) {
    const std::lock_guard lock(mutex_);
    vectors_[vector] = std::move(event);
}

bool Npu::map(uint64_t address, uint64_t size, UniqueFd file, uint64_t offset, bool writable) {
    return memory_->map(address, size, std::move(file), offset, writable);
}

void Npu::unmap(uint64_t address, uint64_t size) {
    memory_->unmap(address, size);
}

void Npu::reset() {
    stop_firmware();
    const std::lock_guard lock(mutex_);
    std::fill(registers_.begin(), registers_.end(), std::byte{0});
    std::ranges::fill(mailbox_registers_.bytes, std::byte{0});
    std::ranges::fill(sram_.bytes, std::byte{0});
    set(layout::kPspCommand, layout::kPspReady);
    set(layout::kWaitMode, 1);
}

std::shared_ptr<HostMemory> Npu::space(uint16_t pasid) {
    // Shared virtual addressing does not reach a vfio-user server: DMA_MAP names no PASID.
    return pasid == 0 ? memory_ : nullptr;
}

// --- registers -----------------------------------------------------------------------------------

uint32_t Npu::get(uint32_t offset) const {
    uint32_t value = 0;
    std::memcpy(&value, registers_.data() + offset, sizeof value);
    return value;
}

void Npu::set(uint32_t offset, uint32_t value) {
    std::memcpy(registers_.data() + offset, &value, sizeof value);
}

void Npu::psp() {
    const uint32_t command = get(layout::kPspCommand);
    const uint64_t address =
        get(layout::kPspArgument0) | static_cast<uint64_t>(get(layout::kPspArgument1)) << 32;
    uint32_t response = kPspOk;
    if (config_.strikes(Fault::kPspRefuses)) {
        response = kPspBadState;
    } else if (command == kPspValidate) {
        // A physical address of the guest's, which its IOMMU does not map for the device: what
        // the image holds is not looked at. The firmware is emu/firmware.
        log_(false, "PSP: image at " + hex(address) + ", " +
                        std::to_string(get(layout::kPspArgument2)) + " bytes");
    } else if (command == kPspStart) {
        start_firmware();
    } else if (command == kPspReleaseTmr) {
        stop_firmware();
    } else {
        log_(true, "PSP: command " + std::to_string(command) + " is not known");
        response = kPspBadState;
    }
    const std::lock_guard lock(mutex_);
    set(layout::kPspArgument0, response);
    set(layout::kPspCommand, layout::kPspReady);
}

void Npu::smu() {
    const uint32_t command = get(layout::kSmuCommand);
    uint32_t response = kSmuOk;
    switch (command) {
        case kSmuPowerOn:
        case kSmuSetNpuClock:  // the clock that was asked for stands in the result already
        case kSmuSetHClock:
            break;
        case kSmuPowerOff:
            stop_firmware();
            break;
        default:
            log_(true, "SMU: command " + std::to_string(command) + " is not known");
            response = kSmuUnknown;
    }
    const std::lock_guard lock(mutex_);
    set(layout::kSmuResponse, response);
}

void Npu::set_waiting(bool waiting) {
    const std::lock_guard lock(mutex_);
    set(layout::kWaitMode, waiting ? 1 : 0);
}

// --- firmware ------------------------------------------------------------------------------------

void Npu::start_firmware() {
    stop_firmware();
    firmware::Iommu& iommu = *this;
    firmware_ = std::make_unique<firmware::Firmware>(iommu, log_);
    const bool dead = config_.strikes(Fault::kFirmwareDead);
    const std::lock_guard lock(mutex_);
    set(layout::kWaitMode, 0);
    open(0, layout::kManagementVector);
    if (!dead) {
        announce();
    }
}

void Npu::stop_firmware() {
    {
        const std::lock_guard lock(mutex_);
        for (auto& channel : channels_) {
            channel.reset();
        }
    }
    firmware_.reset();
}

void Npu::open(unsigned index, unsigned vector) {
    const size_t doorbell = size_t{index} * layout::kChannelRegisters;
    const auto tail = mailbox_registers_.bytes.subspan(doorbell, sizeof(uint32_t));
    std::ranges::fill(tail, std::byte{0});
    const auto registers = mailbox_registers_.bytes.subspan(layout::kSharedRegisters + doorbell,
                                                            Mailbox::kRegisterBytes);
    const auto rings =
        sram_.bytes.subspan(size_t{index} * 2 * layout::kRingBytes, size_t{2} * layout::kRingBytes);
    channels_[index].emplace(
        Channel{Mailbox(registers, rings, layout::kRingBytes), vector, next_serial_++});
}

void Npu::announce() {
    // aie2_pci.c, struct mgmt_mbox_chann_info; tail before head, unlike in CREATE_CONTEXT.
    constexpr uint32_t kShared = layout::kMailboxBase + layout::kSharedRegisters;
    const uint32_t block[16] = {layout::kMailboxBase,
                                kShared + Mailbox::kX2iHead,
                                layout::kSramBase,
                                layout::kRingBytes,
                                kShared + Mailbox::kI2xTail,
                                kShared + Mailbox::kI2xHead,
                                layout::kSramBase + layout::kRingBytes,
                                layout::kRingBytes,
                                kMailboxMagic,
                                layout::kManagementVector,
                                kProtocolMajor,
                                kProtocolMinor};
    const uint32_t address = layout::kSramBase + layout::kAliveBlock;
    std::memcpy(sram_.bytes.data() + layout::kAliveBlock, block, sizeof block);
    std::memcpy(sram_.bytes.data() + layout::kAlive, &address, sizeof address);
}

void Npu::open_channel(firmware::CreateContextReply& reply) {
    const unsigned index = 1 + reply.context_id;
    const uint32_t doorbell = layout::kMailboxBase + index * layout::kChannelRegisters;
    const uint32_t registers = doorbell + layout::kSharedRegisters;
    const uint32_t rings = layout::kSramBase + index * 2 * layout::kRingBytes;
    reply.cq_pair[0] = {.x2i = {registers + Mailbox::kX2iHead, doorbell, rings, layout::kRingBytes},
                        .i2x = {registers + Mailbox::kI2xHead, registers + Mailbox::kI2xTail,
                                rings + layout::kRingBytes, layout::kRingBytes}};
    const std::lock_guard lock(mutex_);
    open(index, reply.msix_id);
}

void Npu::close_channel(uint32_t context) {
    const std::lock_guard lock(mutex_);
    channels_[1 + context].reset();
}

// --- mailboxes -----------------------------------------------------------------------------------

void Npu::mailbox_written(uint64_t offset) {
    const auto index = static_cast<unsigned>(offset / layout::kChannelRegisters);
    if (index >= kChannels || offset % layout::kChannelRegisters != 0) {
        return;
    }
    std::vector<Message> messages;
    std::string problem;
    uint64_t serial = 0;
    {
        const std::lock_guard lock(mutex_);
        auto& channel = channels_[index];
        if (!channel) {
            return;
        }
        serial = channel->serial;
        uint32_t tail = 0;
        std::memcpy(&tail, mailbox_registers_.bytes.data() + offset, sizeof tail);
        messages = channel->mailbox.take(tail, problem);
    }
    if (!problem.empty()) {
        log_(true, "mailbox " + std::to_string(index) + ": " + problem);
    }
    for (const Message& message : messages) {
        handle(index, serial, message);
    }
}

void Npu::handle(unsigned index, uint64_t serial, const Message& message) {
    const bool management = index == 0;
    if (!firmware_ || config_.strikes(management ? Fault::kMuteManagement : Fault::kMuteCommands)) {
        return;
    }
    std::string problem;
    auto answer = [this, index, serial, id = message.id,
                   opcode = message.opcode](std::vector<std::byte> payload) {
        reply(index, serial, {id, opcode, std::move(payload)});
    };
    if (management) {
        handle_management(*firmware_, *this, message, std::move(answer), problem);
    } else {
        handle_command(*firmware_, index - 1, message, std::move(answer), problem);
    }
    if (!problem.empty()) {
        log_(true, "mailbox " + std::to_string(index) + ": " + problem);
    }
}

void Npu::reply(unsigned index, uint64_t serial, Message message) {
    const std::lock_guard lock(mutex_);
    auto& channel = channels_[index];
    if (!channel || channel->serial != serial) {
        return;
    }
    if (channel->mailbox.put(std::move(message))) {
        raise(channel->vector);
    }
    if (channel->mailbox.waits()) {
        no_room_.notify_one();
    }
}

bool Npu::someone_waits() const {
    return std::ranges::any_of(
        channels_, [](const auto& channel) { return channel && channel->mailbox.waits(); });
}

// The driver makes room by moving the I2X head, which it does without telling: as long as replies
// wait for that, it is looked at.
void Npu::make_room(const std::stop_token& stop) {
    constexpr std::chrono::milliseconds kPause{1};
    std::unique_lock lock(mutex_);
    while (no_room_.wait(lock, stop, [this] { return someone_waits(); }) &&
           !stop.stop_requested()) {
        for (auto& channel : channels_) {
            if (channel && channel->mailbox.flush()) {
                raise(channel->vector);
            }
        }
        no_room_.wait_for(lock, stop, kPause, [] { return false; });
    }
}

void Npu::raise(unsigned vector) {
    const uint64_t one = 1;
    if (vectors_[vector]) {
        [[maybe_unused]] const ssize_t written = ::write(vectors_[vector].get(), &one, sizeof one);
    }
}

}  // namespace xdna::emu::pci
