// The messages between the amdxdna driver and the NPU's firmware, in their wire layout.
// Source: linux drivers/accel/amdxdna/aie2_msg_priv.h; the values an npu1 sends were seen in the
// lab (an unmodified 7.2 driver against an emulated device).
#pragma once

#include <cstdint>

namespace xdna::emu::firmware {

enum class Opcode : uint32_t {
    kCreateContext = 0x2,
    kDestroyContext = 0x3,
    kGetTelemetry = 0x4,
    kSyncBo = 0x7,
    kExecuteBufferCf = 0xC,
    kQueryColumnStatus = 0xD,
    kQueryAieTileInfo = 0xE,
    kQueryAieVersion = 0xF,
    kExecDpu = 0x10,
    kConfigCu = 0x11,
    kChainExecBufferCf = 0x12,
    kChainExecDpu = 0x13,
    kConfigDebugBo = 0x14,
    kChainExecNpu = 0x18,
    kSuspend = 0x101,
    kResume = 0x102,
    kAssignMgmtPasid = 0x103,
    kMapHostBuffer = 0x106,
    kGetFirmwareVersion = 0x108,
    kSetRuntimeConfig = 0x10A,
    kGetRuntimeConfig = 0x10B,
    kRegisterAsyncEvent = 0x10C,
};

/// Status words of replies.
enum Status : uint32_t {
    kSuccess = 0,
    kAieStreamError = 0x1000003,
    kAieAccessError = 0x1000004,
    kAieBusError = 0x1000005,
    kAieInstructionError = 0x1000006,
    kAieLockError = 0x1000008,
    kAieDmaError = 0x1000009,
    kMgmtNoAvail = 0x2000003,
    kMgmtInvalidParam = 0x2000004,
    kAppFirstError = 0x3000001,
    kAppInvalidInstruction = 0x3000002,
    kAppLoadPdiFail = 0x3000003,
    kInvalidInputBuffer = 0x4000001,
    kInvalidCommand = 0x4000002,
    kInvalidParam = 0x4000003,
    kInvalidOperation = 0x4000006,
    kAsyncEventMessagesFull = 0x4000007,
};

/// What a status means, in words; never null.
const char* status_text(uint32_t status);

#pragma pack(push, 1)

struct CreateContextRequest {
    uint32_t aie_type = 1;
    uint8_t start_col = 0;
    uint8_t num_col = 0;
    uint8_t num_unused_col = 0;
    uint8_t reserved = 0;
    uint8_t num_cq_pairs_requested = 1;
    uint8_t reserved1 = 0;
    uint16_t pasid = 0;
    uint32_t pad[2] = {};
    uint32_t sec_comm_target_type = 0;
    uint32_t context_priority = 2;
};

struct QueueInfo {
    uint32_t head_addr = 0;
    uint32_t tail_addr = 0;
    uint32_t buf_addr = 0;
    uint32_t buf_size = 0;
};

/// The queues are the mailbox's: the firmware leaves them zero.
struct CreateContextReply {
    uint32_t status = kSuccess;
    uint32_t context_id = 0;
    uint16_t msix_id = 0;
    uint8_t num_cq_pairs_allocated = 1;
    uint8_t reserved = 0;
    struct {
        QueueInfo x2i;
        QueueInfo i2x;
    } cq_pair[2] = {};
};

struct DestroyContextRequest {
    uint32_t context_id = 0;
};

struct MapHostBufferRequest {
    uint32_t context_id = 0;
    uint64_t buf_addr = 0;
    uint64_t buf_size = 0;
};

struct ConfigCuRequest {
    uint32_t num_cus = 0;
    uint32_t cfgs[32] = {};  ///< 16:0 PDI's device address >> 15, 24:17 function
};

struct ExecuteBufferCfRequest {
    uint32_t cu_idx = 0;
    uint32_t payload[19] = {};
};

struct ExecDpuRequest {
    uint64_t inst_buf_addr = 0;
    uint32_t inst_size = 0;
    uint32_t inst_prop_cnt = 0;
    uint32_t cu_idx = 0;
    uint32_t payload[35] = {};
};

/// Of CHAIN_EXEC_BUFFER_CF and CHAIN_EXEC_DPU; the driver pads it to the 24 bytes of the next one.
struct ChainRequest {
    uint64_t buf_addr = 0;
    uint32_t buf_size = 0;
    uint32_t count = 0;
};

struct ChainNpuRequest {
    uint32_t flags = 0;
    uint32_t reserved = 0;
    uint64_t buf_addr = 0;
    uint32_t buf_size = 0;
    uint32_t count = 0;
};

struct ChainReply {
    uint32_t status = kSuccess;
    uint32_t fail_cmd_idx = 0;
    uint32_t fail_cmd_status = kSuccess;
};

/// Slots of a chain's buffer: each is followed by arg_cnt words.
struct CfSlot {
    uint32_t cu_idx;
    uint32_t arg_cnt;
};

struct DpuSlot {
    uint64_t inst_buf_addr;
    uint32_t inst_size;
    uint32_t inst_prop_cnt;
    uint32_t cu_idx;
    uint32_t arg_cnt;
};

enum class NpuSlotType : uint32_t { kNonElf = 1, kPartialElf = 2, kPreempt = 3, kElf = 4 };

struct NpuSlot {
    NpuSlotType type;
    uint64_t inst_buf_addr;
    uint64_t save_buf_addr;
    uint64_t restore_buf_addr;
    uint32_t inst_size;
    uint32_t save_size;
    uint32_t restore_size;
    uint32_t inst_prop_cnt;
    uint32_t cu_idx;
    uint32_t arg_cnt;
};

struct SyncBoRequest {
    uint64_t src_addr = 0;
    uint64_t dst_addr = 0;
    uint32_t size = 0;
    uint32_t type = 0;
};

struct ConfigDebugBoRequest {
    uint64_t offset = 0;
    uint64_t size = 0;
    uint32_t config = 0;  ///< 1 registers, 0 unregisters
};

struct TileInfo {
    uint32_t size;
    uint16_t major, minor, cols, rows;
    uint16_t core_rows, mem_rows, shim_rows;
    uint16_t core_row_start, mem_row_start, shim_row_start;
    uint16_t core_dma_channels, mem_dma_channels, shim_dma_channels;
    uint16_t core_locks, mem_locks, shim_locks;
    uint16_t core_events, mem_events, shim_events;
    uint16_t reserved;
};

struct TileInfoReply {
    uint32_t status = kSuccess;
    TileInfo info{};
};

struct AieVersionReply {
    uint32_t status = kSuccess;
    uint16_t major = 0;
    uint16_t minor = 0;
};

struct FirmwareVersionReply {
    uint32_t status = kSuccess;
    uint32_t major = 0;
    uint32_t minor = 0;
    uint32_t sub = 0;
    uint32_t build = 0;
};

struct ColumnStatusRequest {
    uint64_t dump_buff_addr = 0;
    uint32_t dump_buff_size = 0;
    uint32_t num_cols = 0;
    uint32_t aie_bitmap = 0;
};

struct ColumnStatusReply {
    uint32_t status = kSuccess;
    uint32_t size = 0;
};

struct TelemetryRequest {
    uint32_t type = 0;
    uint64_t buf_addr = 0;
    uint32_t buf_size = 0;
};

struct TelemetryReply {
    uint32_t major = 0;
    uint32_t minor = 0;
    uint32_t size = 0;
    uint32_t status = kSuccess;
};

struct SetRuntimeConfigRequest {
    uint32_t type = 0;
    uint64_t value = 0;
};

struct RuntimeConfigReply {
    uint32_t status = kSuccess;
    uint64_t value = 0;
};

struct AsyncEventRequest {
    uint64_t buf_addr = 0;
    uint32_t buf_size = 0;
};

struct AsyncEventReply {
    uint32_t status = kSuccess;
    uint32_t type = 0;  ///< 0 an AIE error
};

#pragma pack(pop)

/// The errors in an async event's buffer: this header, then `count` records.
struct AsyncErrorHeader {
    uint32_t count;
    uint32_t return_code;
    uint32_t reserved;
};

struct AsyncErrorRecord {
    uint8_t row;
    uint8_t col;
    uint8_t pad[2];
    uint32_t module;  ///< 0 memory, 1 core, 2 shim
    uint8_t event_id;
    uint8_t pad1[3];
};

static_assert(sizeof(CreateContextRequest) == 28 && sizeof(CreateContextReply) == 76);
static_assert(sizeof(ConfigCuRequest) == 132 && sizeof(ExecuteBufferCfRequest) == 80);
static_assert(sizeof(ExecDpuRequest) == 160 && sizeof(ChainNpuRequest) == 24);
static_assert(sizeof(NpuSlot) == 52 && sizeof(TileInfoReply) == 48);
static_assert(sizeof(AsyncErrorRecord) == 12);

}  // namespace xdna::emu::firmware
