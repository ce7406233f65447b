// Command packets as the driver reads them: drivers/accel/amdxdna/amdxdna_ctx.h and the readers in
// amdxdna_ctx.c and aie2_message.c.
#pragma once

#include <cstdint>

namespace xdna {

enum class Opcode : uint32_t {
    kStartCu = 0,
    kCmdChain = 19,
    kStartNpu = 20,
    kStartNpuPreempt = 21,
};

// Word 0: state [3:0], extra CU-mask words [11:10], words that follow [22:12], opcode [27:23].
constexpr uint32_t kStateMask = 0xf;
constexpr uint32_t kMaxCount = (1U << 11) - 1;
constexpr uint32_t packet_header(Opcode opcode, uint32_t count) {
    return static_cast<uint32_t>(opcode) << 23 | count << 12 | 1 /* new */;
}

// Words before the arguments: header, CU mask, then what the opcode puts there.
constexpr uint32_t kStartCuWords = 2;
constexpr uint32_t kStartNpuWords = 2 + 4;          // address (2), bytes, property count
constexpr uint32_t kStartNpuPreemptWords = 2 + 10;  // 3 addresses (2 each), 3 sizes, property count
constexpr uint32_t kChainWords = 1 + 6;  // header, count, submit and error index, 3 spare
constexpr uint32_t kChainErrorIndex = 3;

// Limits of the driver's messages and buffers. A START_CU that is no chain's member travels in a
// message of 19 words (struct execute_buffer_req, aie2_msg_priv.h) unless the driver's
// force_cmdlist is on, as newer kernels have it; the smaller limit holds everywhere.
constexpr uint32_t kMaxCus = 32;          // MAX_NUM_CUS, aie2_msg_priv.h
constexpr uint32_t kMaxArguments = 4095;  // BOs a command: MAX_ARG_COUNT, amdxdna_ctx.c
constexpr uint32_t kMaxStartCuWords = 19;
constexpr uint32_t kMaxStartNpuArgs = 26;    // MAX_NPU_ARGS_SIZE, aie2_msg_priv.h
constexpr uint32_t kChainBytes = 4096;       // the context's command buffer, aie2_ctx.c
constexpr uint32_t kChainSlotBytes = 52;     // struct cmd_chain_slot_npu, the largest of the slots
constexpr uint64_t kMaxPacketBytes = 32768;  // of a CMD BO in Linux 6.14, amdxdna_gem.c

// What the driver writes after the header of a command that timed out, where the firmware reports
// it: struct aie2_ctx_health, aie2_ctx.c. Version and generation tell it from the 0xff fill.
constexpr uint32_t kHealthVersion = 1;
constexpr uint32_t kHealthGeneration = 0;

}  // namespace xdna
