// ERT command packets, transaction control code and PDIs, as small as the driver and the firmware
// take them. Written apart from libxdna: the suite is a second opinion.
//
// Layouts: packet amdxdna_ctx.h; transaction Xilinx/mlir-aie include/aie/Runtime/TxnEncoding.h; PDI
// Xilinx/bootgen imageheadertable-versal.h, partitionheadertable-versal.h and cdo-binary.c.
#pragma once

#include <cstdint>
#include <vector>

namespace xdna::conformance {

enum class Opcode : uint32_t {
    kStartCu = 0,
    kStartDpu = 18,
    kCmdChain = 19,
    kStartNpu = 20,
    kStartNpuPreempt = 21,
    kStartNpuPreemptElf = 22,
};

enum class State : uint32_t {
    kNew = 1,
    kQueued,
    kRunning,
    kCompleted,
    kError,
    kAbort,
    kSubmitted,
    kTimeout,
    kNoResponse,
};

using Words = std::vector<uint32_t>;

/// Word 0: `count` words follow it.
constexpr uint32_t packet_header(Opcode opcode, uint32_t count, State state = State::kNew,
                                 uint32_t extra_masks = 0) {
    return static_cast<uint32_t>(state) | extra_masks << 10 | count << 12 |
           static_cast<uint32_t>(opcode) << 23;
}

/// A packet of any opcode: `payload` starts with the CU mask where the opcode has one.
Words packet(Opcode opcode, const Words& payload);

/// START_NPU of `bytes` bytes of control code.
Words start_npu(uint64_t code, uint32_t bytes, const Words& args = {}, uint32_t cu_mask = 1);

/// START_CU with mlir-aie's register map: opcode 3 (transaction), code, words, five buffers.
Words start_cu(uint64_t code, uint32_t words, uint32_t cu_mask = 1);

/// CMD_CHAIN of these command BOs.
Words chain(const std::vector<uint32_t>& handles);

/// Control code of no operation.
Words empty_transaction();
/// Control code of one operation that no firmware knows.
Words corrupt_transaction();

/// Control code that waits for a token which nothing sends: of shim 0, S2MM 0.
Words hanging_transaction();

/// Control code that starts a DMA of shim 0 on a BD that is not valid.
Words faulting_transaction();

/// A PDI whose only partition is a CDO that does nothing.
Words minimal_pdi();
/// Bytes that are no PDI.
Words bad_pdi();

}  // namespace xdna::conformance
