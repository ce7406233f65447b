// Where sources disagree or are silent: what this model does, and on whose word. Each is one
// constant, so that a measurement on hardware that says otherwise changes one line.
#pragma once

#include <cstdint>

namespace xdna::emu::choices {

/// Lock_Request bit 9 says acquire. Xilinx/aie-rt, locks/xaie_locks_aieml.c adds 0x200 to acquire;
/// FIM43-Redeye/xdna-emu, docs/dma-reference.md has it the other way round.
inline constexpr bool kLockRequestBit9Acquires = true;

/// A BD's Buffer_Length counts the words of the stream, zero padding included: nod-ai/iree-amd-aie,
/// add_12_i8_using_2d_dma_op_with_padding.mlir programs 61 x 14 data words, padded to 64 x 16, with
/// length 1024. xdna-emu, src/device/dma/transfer/padding.rs adds the padding on top.
inline constexpr bool kLengthCountsPadding = true;

/// Tasks a channel queues besides the one it runs. aie-rt StartQSizeMax and AM020 chapter 5 say 4;
/// xdna-emu, docs/arch/dma-model.md says 8.
inline constexpr unsigned kTaskQueueDepth = 4;

/// A lock that a release would take outside 0..63 stays at the bound and sets its sticky bit.
/// AM025 names the bits; what becomes of the value is xdna-emu's model.
inline constexpr int kLockMaximum = 63;

/// Channels that wait for one lock get it oldest request first, then S2MM before MM2S and lower
/// channels before higher. No source says; any fair order would do.
inline constexpr bool kLocksOldestFirst = true;

/// Memory tile BDs 0-23 belong to even channels, 24-47 to odd ones (mlir-aie AIETargetModel; AM025
/// says "BD ID [0-23] only" of each channel). A channel that loads one of the others halts with
/// Error_BD_Unavailable.
inline constexpr unsigned kMemTileBdsPerParity = 24;

/// Memory tile channels that reach the neighbours' memories and locks (mlir-aie; AM020 chapter 5).
inline constexpr unsigned kMemTileNeighbourChannels = 4;

/// A shim BD's 48-bit address is the device address plus this: Xilinx/XRT elf_patcher.cpp and
/// iree-amd-aie direct_command_buffer.cc both add it when they patch. Validated on npu4 only.
inline constexpr uint64_t kDdrOffset = 0x8000'0000;
/// The sum wraps at the BD's 48 bits, and so does what is taken off again. Linux gives IOVAs from
/// the top of those 48 bits (force_iova), where it matters; not known from hardware.
inline constexpr uint64_t kDeviceAddressMask = (uint64_t{1} << 48) - 1;

/// A task-complete token is a word on the tile's control port and needs a route to its shim's
/// South 0, where the controller listens (mlir-aie AIEGenerateColumnControlOverlay; every design
/// that mlir-aie emits connects it). Without one it waits, and the report says so.
inline constexpr unsigned kControllerSouthPort = 0;

/// Where a packet header carries the BD for an out-of-order S2MM channel: bits 10:5. AM020 table 2
/// shows bits 11:5 as zero, the BD field is six bits wide, and nothing else is free. Inferred.
inline constexpr unsigned kOutOfOrderIdShift = 5;

/// Tile_Control isolates memory, lock and event neighbours, not streams (AM025's field text).
inline constexpr bool kIsolationStopsStreams = false;

}  // namespace xdna::emu::choices
