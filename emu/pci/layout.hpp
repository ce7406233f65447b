// Where things lie in the BARs of a Phoenix NPU (1022:1502).
// What the driver fixes: linux drivers/accel/amdxdna/npu1_regs.c and aie2_pci.c. The rest, marked
// "ours", is told to the driver by the firmware's alive block or by CREATE_CONTEXT.
#pragma once

#include <cstdint>

namespace xdna::emu::pci::layout {

constexpr uint16_t kVendor = 0x1022, kDeviceId = 0x1502;
constexpr uint32_t kClass = 0x118000;  // signal processing controller
constexpr unsigned kVectors = 16;      // ours

// BARs; the device addresses are the ones that the mailbox messages use.
constexpr unsigned kRegisterBar = 0, kMsixBar = 1, kSramBar = 2, kMailboxBar = 4;
constexpr uint64_t kRegisterBytes = 0x80000, kMsixBytes = 0x2000, kSramBytes = 0x40000,
                   kMailboxBytes = 0x40000;
constexpr uint32_t kSramBase = 0x3080000, kMailboxBase = 0x30C0000;
constexpr uint32_t kMsixTable = 0, kMsixPending = 0x1000;  // ours

// BAR 0: the security processor (PSP) and the power controller (SMU).
constexpr uint32_t kWaitMode = 0x10034;
constexpr uint32_t kPspDoorbell = 0x10090;
constexpr uint32_t kPspCommand = 0x100A0;    // reads as the status
constexpr uint32_t kPspArgument0 = 0x100A4;  // reads as the response
constexpr uint32_t kPspArgument1 = 0x100A8;
constexpr uint32_t kPspArgument2 = 0x100BC;
constexpr uint32_t kPspReady = 1U << 31;
constexpr uint32_t kSmuDoorbell = 0x10094;
constexpr uint32_t kSmuCommand = 0x100AC;
constexpr uint32_t kSmuResponse = 0x100B0;
constexpr uint32_t kSmuArgument = 0x100B4;  // reads as the result

// BAR 2: the word that says that the firmware is alive, and the block it points at.
constexpr uint32_t kAlive = 0x3F000;
constexpr uint32_t kAliveBlock = 0x3F100;  // ours

// Mailboxes: the management channel is number 0, a context's 1 + its id. BAR 4 has the X2I tails,
// whose writing is the doorbell, in its first part, and what nobody has to be told of in its
// second, which the driver reaches without us: of a command's seven accesses one is left.
constexpr uint32_t kRingBytes = 0x1000;               // ours
constexpr uint32_t kChannelRegisters = 0x1000;        // ours: bytes of each part for each channel
constexpr uint32_t kSharedRegisters = 0x20000;        // ours: where the second part begins
constexpr unsigned kManagementVector = kVectors - 1;  // ours

}  // namespace xdna::emu::pci::layout
