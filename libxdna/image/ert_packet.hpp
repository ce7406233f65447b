// ERT packets: what a command BO holds for EXEC_CMD.
//
// Sources: Xilinx/XRT, src/runtime_src/core/include/xrt/detail/ert.h (layouts); Linux 7.3,
// drivers/accel/amdxdna/amdxdna_ctx.h (states, opcodes, what the driver reads). The driver checks
// nothing of it in the ioctl: a packet that it cannot run stays in state kNew.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {
namespace ert {

enum class State : uint8_t {
    kNew = 1,
    kQueued = 2,
    kRunning = 3,
    kCompleted = 4,
    kError = 5,
    kAbort = 6,
    kSubmitted = 7,
    kTimeout = 8,
    kNoResponse = 9,
};
// "completed"; "" for a value that is no state.
std::string_view state_name(State state);

enum Opcode : uint8_t {
    kStartCu = 0,
    kCmdChain = 19,
    kStartNpu = 20,
    kStartNpuPreempt = 21,
    kStartNpuPreemptElf = 22,
};
// "START_CU"; "" for an opcode that no NPU takes.
std::string_view opcode_name(uint8_t opcode);

// CU masks: bit i of word 0 is CU i. The driver takes the lowest set bit of the first word that is
// not zero, and adds nothing for the words before it: only word 0 is of use.
struct CuMasks {
    uint32_t first = 1;
    Words extra;  // at most 3
    bool operator==(const CuMasks&) const = default;
};

// The kernel's register map, words as the kernel's argument offsets say.
struct StartCu {
    CuMasks cu;
    Words registers;
    bool operator==(const StartCu&) const = default;
};
struct StartNpu {
    CuMasks cu;
    uint64_t instructions = 0;  // NPU address
    uint32_t instruction_bytes = 0;
    Words properties;
    Words arguments;
    bool operator==(const StartNpu&) const = default;
};
// START_NPU_PREEMPT, and START_NPU_PREEMPT_ELF where `elf`.
struct StartNpuPreempt {
    CuMasks cu;
    uint64_t instructions = 0;
    uint64_t save = 0;
    uint64_t restore = 0;
    uint32_t instruction_bytes = 0;
    uint32_t save_bytes = 0;
    uint32_t restore_bytes = 0;
    Words properties;
    Words arguments;
    bool elf = false;
    bool operator==(const StartNpuPreempt&) const = default;
};
// Commands run in order; all of one opcode.
struct CmdChain {
    uint32_t submit_index = 0;
    uint32_t error_index = 0;        // of the first failed one
    std::vector<uint64_t> commands;  // handles of command BOs
    std::array<uint32_t, 3> reserved{};
    Words rest;  // words that the packet's count has beyond the commands
    bool operator==(const CmdChain&) const = default;
};
// Any other opcode; the bits 11:10 of its header are in `custom` of the packet.
struct Other {
    uint8_t opcode = 0;
    Words payload;
    bool operator==(const Other&) const = default;
};

struct Packet {
    std::variant<StartCu, StartNpu, StartNpuPreempt, CmdChain, Other> body;
    uint8_t state = static_cast<uint8_t>(State::kNew);
    uint8_t custom = 0;  // bits 11:4; 11:10 where a body has CU masks are theirs
    uint8_t type = 0;    // bits 31:28, which the driver ignores
    bool operator==(const Packet&) const = default;
};

uint8_t opcode(const Packet& packet);

}  // namespace ert

// The packet that `bytes` start with; more may follow. Throws FormatError.
ert::Packet parse_ert_packet(ByteView bytes);

// Throws FormatError where the payload is longer than a header can say (2047 words).
Bytes serialize(const ert::Packet& packet);

}  // namespace xdna::image
