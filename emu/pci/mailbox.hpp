// One mailbox channel: a ring of messages to the NPU (X2I), one back (I2X), and their registers.
// Source: linux drivers/accel/amdxdna/amdxdna_mailbox.c, the other side of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace xdna::emu::pci {

struct Message {
    uint32_t id = 0;
    uint32_t opcode = 0;
    std::vector<std::byte> payload{};
};

/// Not thread-safe: its owner's lock guards it. Offsets are in bytes.
class Mailbox {
  public:
    /// Registers that a channel shares with the driver, from its first in the mailbox BAR. The
    /// driver takes the interrupt register for the one after the I2X head.
    enum Register : uint32_t {
        kX2iHead = 0x0,
        kI2xTail = 0x4,
        kI2xHead = 0x8,
        kInterrupt = 0xC,
        kRegisterBytes = 0x10,
    };

    /// `registers` and `rings` lie in the device's memory: kRegisterBytes, and two rings (X2I,
    /// I2X) of `ring_bytes`, a power of two, each. Both are cleared as far as a fresh channel
    /// needs it.
    Mailbox(std::span<std::byte> registers, std::span<std::byte> rings, uint32_t ring_bytes);

    /// The driver wrote the X2I tail: the messages up to it, in order. Empty and `problem` set
    /// where the ring does not hold what it should; the channel is then dead, as firmware that
    /// lost its way would be.
    std::vector<Message> take(uint32_t tail, std::string& problem);
    /// Queues a reply, and puts into the ring what fits. True where the driver is to be
    /// interrupted.
    bool put(Message message);
    /// The driver may have moved the I2X head, which makes room: as put().
    bool flush();
    /// There are replies that found no room.
    bool waits() const { return !dead_ && !waiting_.empty(); }

  private:
    uint32_t get(Register at) const;
    void set(Register at, uint32_t value);
    bool place(const Message& message);

    std::span<std::byte> registers_;
    std::span<std::byte> x2i_;
    std::span<std::byte> i2x_;
    uint32_t x2i_head_ = 0;
    uint32_t i2x_tail_ = 0;
    bool dead_ = false;
    std::deque<Message> waiting_;
};

}  // namespace xdna::emu::pci
