// What takes how long, in array clocks. One table; whoever charges time reads it from here.
#pragma once

#include <cstdint>

namespace xdna::emu::timing {

// --- streams: one 32-bit word a port a cycle (AM020 chapter 2) ---

/// What a port of a switch adds to the way through: cycles, and words it can hold. A crossing is a
/// slave and a master port: AM020 chapter 2.
struct PortCost {
    uint32_t latency;
    uint32_t depth;
};
inline constexpr PortCost kSlavePort = {2, 4};
inline constexpr PortCost kExternalMaster = {2, 4};
inline constexpr PortCost kLocalMaster = {1, 2};
inline constexpr uint32_t kSwitchFifoDepth = 16;  // AM020 chapter 2
/// From a header at a slave port to its grant. AM020 excludes it from its figures; model.
inline constexpr uint32_t kArbitration = 1;

// --- DMA channels ---

/// Task taken from the queue to BD loaded, BD loaded to running: xdna-emu's model constants.
inline constexpr uint32_t kBdSetup = 4;
inline constexpr uint32_t kChannelStart = 2;
/// Read latency of data memory (AM020 chapter 4), seen by an MM2S that could not prefetch.
inline constexpr uint32_t kMemoryLatency = 5;
/// Acquire, release: xdna-emu's model, AM020.
inline constexpr uint32_t kLock = 1;
/// Between chained BDs the stream idles one cycle, set-up is hidden: xdna-emu findings
/// 2026-06-27-relay-fill-bd-switch-accept-coupling (silicon).
inline constexpr uint32_t kBdSwitch = 1;
/// Words an S2MM takes in behind the switch's master port (2 deep). Together 8: mlir-aie
/// docs/DeadlockModel.md and test/npu-xrt/deadlock_model_head_of_line measured 8 words beyond what
/// the receiving BD took (npu2 silicon, whatever the length of the path, as its other words block
/// the shared part); xdna-emu findings 2026-06-28-send-cadence-pipeline-latency-and-ingress-depth
/// saw the same 8 on Phoenix, and calls its own earlier 16 a misreading.
inline constexpr uint32_t kS2mmIngress = 6;

// --- shim channels to DDR: one word a cycle; overheads are the intercepts of the fits over all
// sizes in xdna-emu findings 2026-05-25-shim-throughput-1-word-per-cycle, and, for tasks queued
// behind another, 313 and 241 cycles for 64 words less those words, from
// 2026-05-25-shim-bd-chain-amortization (both silicon). A cold start is paid once a session.

inline constexpr uint32_t kShimMm2sCold = 1155;
inline constexpr uint32_t kShimS2mmCold = 569;
inline constexpr uint32_t kShimMm2sTask = 313 - 64;
/// The write response: after the last word, before the task is finished.
inline constexpr uint32_t kShimS2mmTask = 241 - 64;

// --- core tile memory banks: 8 of 16-byte words, a second access in a cycle waits one. DMA traffic
// is not charged: a 256-word transfer took 244 cycles contended or not, because channel buffers
// hide it (xdna-emu findings 2026-07-14-dma-bank-access-width, silicon).

inline constexpr uint32_t kBankConflict = 1;

/// Cascade link, output register to input register, and values it holds: AM020 chapter 2 (two deep
/// at each end); latency inferred.
inline constexpr PortCost kCascade = {2, 4};

// --- events ---

/// A broadcast's cycles for a hop: xdna-emu findings 2026-07-02-sp5c-phase2-shim-row-topology.
inline constexpr uint32_t kBroadcastVertical = 2;
inline constexpr uint32_t kBroadcastHorizontal = 4;

// --- the firmware's costs, charged by emu/firmware ---

/// Command taken to first operation, and each operation of control code: xdna-emu findings
/// 2026-07-03-sp4a-fill-reconciliation-drain-pacing (silicon; launch +-16 %).
inline constexpr uint32_t kLaunch = 30'500;
inline constexpr uint32_t kOperation = 112;
/// Between task starts that control code issues: 2026-05-25-npu-controller-dispatch-overhead.
inline constexpr uint32_t kTaskDispatch = 2'700;

}  // namespace xdna::emu::timing
