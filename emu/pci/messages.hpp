// Messages of the mailboxes, decoded for the firmware; its replies, encoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "emu/firmware/firmware.hpp"
#include "emu/pci/mailbox.hpp"

namespace xdna::emu::pci {

/// Sends the reply's payload. Called once, by any thread, or never where no reply comes.
using Answer = std::function<void(std::vector<std::byte>)>;

/// What messages change outside the firmware.
class MessageHost {
  public:
    virtual ~MessageHost() = default;
    /// Makes the mailbox of a context that was created, and says in `reply` where it is.
    virtual void open_channel(firmware::CreateContextReply& reply) = 0;
    /// Any thread.
    virtual void close_channel(uint32_t context) = 0;
    /// The controller waits for its power to be taken, or works again.
    virtual void set_waiting(bool waiting) = 0;
};

/// Has `firmware` handle a message of the management channel. What it does not know, or is not as
/// long as it should be, is answered so, and `problem` names it.
void handle_management(firmware::Firmware& firmware, MessageHost& host, const Message& message,
                       Answer answer, std::string& problem);

/// The same for a message of a context's channel.
void handle_command(firmware::Firmware& firmware, uint32_t context, const Message& message,
                    Answer answer, std::string& problem);

}  // namespace xdna::emu::pci
