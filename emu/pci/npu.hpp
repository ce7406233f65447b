// The NPU as a PCI function: its BARs, the processors that start and power it, and its mailboxes,
// with the firmware behind them.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "emu/firmware/firmware.hpp"
#include "emu/pci/config_space.hpp"
#include "emu/pci/device.hpp"
#include "emu/pci/guest_memory.hpp"
#include "emu/pci/layout.hpp"
#include "emu/pci/mailbox.hpp"
#include "emu/pci/messages.hpp"

namespace xdna::emu::pci {

class Npu final : public Device, private firmware::Iommu, private MessageHost {
  public:
    explicit Npu(firmware::LogSink log);
    ~Npu() override;

    Region region(unsigned index) const override;
    unsigned msix_vectors() const override { return layout::kVectors; }
    void read(unsigned region, uint64_t offset, std::span<std::byte> to) override;
    void write(unsigned region, uint64_t offset, std::span<const std::byte> from) override;
    void set_vector(unsigned vector, UniqueFd event) override;
    bool map(uint64_t address, uint64_t size, UniqueFd file, uint64_t offset,
             bool writable) override;
    void unmap(uint64_t address, uint64_t size) override;
    void reset() override;

  private:
    /// The management channel, and one for each context.
    static constexpr unsigned kChannels = 7;

    /// Memory that QEMU maps into the guest.
    struct Shared {
        Shared(const char* name, size_t size);
        ~Shared();
        Shared(const Shared&) = delete;
        Shared& operator=(const Shared&) = delete;

        const UniqueFd file;
        const std::span<std::byte> bytes;
    };

    struct Channel {
        Mailbox mailbox;
        unsigned vector;
        uint64_t serial;  ///< tells this channel from an earlier one in its place
    };

    std::shared_ptr<HostMemory> space(uint16_t pasid) override;
    void open_channel(firmware::CreateContextReply& reply) override;
    void close_channel(uint32_t context) override;
    void set_waiting(bool waiting) override;

    uint32_t get(uint32_t offset) const;
    void set(uint32_t offset, uint32_t value);
    void psp();
    void smu();
    void start_firmware();
    void stop_firmware();
    void open(unsigned index, unsigned vector);
    void announce();
    void mailbox_written(uint64_t offset);
    void handle(unsigned index, uint64_t serial, const Message& message);
    void reply(unsigned index, uint64_t serial, Message message);
    void raise(unsigned vector);
    bool someone_waits() const;
    void make_room(const std::stop_token& stop);

    const firmware::LogSink log_;
    ConfigSpace config_;
    std::shared_ptr<GuestMemory> memory_ = std::make_shared<GuestMemory>();

    /// Guards what the firmware's thread reaches: registers, mailboxes, vectors.
    mutable std::mutex mutex_;
    std::vector<std::byte> registers_;
    Shared mailbox_registers_{"xdna-npu-mailboxes", layout::kMailboxBytes};
    Shared sram_{"xdna-npu-sram", layout::kSramBytes};
    std::array<std::optional<Channel>, kChannels> channels_;
    std::array<UniqueFd, layout::kVectors> vectors_;
    uint64_t next_serial_ = 1;
    std::unique_ptr<firmware::Firmware> firmware_;  ///< while it runs
    std::condition_variable_any no_room_;
    std::jthread room_maker_;
};

}  // namespace xdna::emu::pci
