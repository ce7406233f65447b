/* SPDX-License-Identifier: MIT
 *
 * libxdna: AMD Ryzen AI NPUs through the Linux amdxdna driver, without XRT.
 *
 * Conventions
 *  - A function that can fail returns 0 or a negative errno; none aborts, and errno itself is not
 *    part of the contract. xdna_error_message() gives this thread's last failure in words.
 *  - Objects are opaque. What a create/open/import function hands out is yours: give it back with
 *    the matching destroy/close. An object keeps what it stands on alive: a device lives until its
 *    last BO and context are gone, whatever the order in which you give them back.
 *  - Sizes are bytes, times nanoseconds, addresses 64-bit NPU addresses, unless a name says
 *    otherwise. All multi-byte data that the NPU reads is little-endian.
 *  - Threads: any function may be called from any thread on different objects at once. On one
 *    object, calls may overlap too, except that a command is one thread's at a time, and that
 *    destroying an object must not overlap another call on it.
 *  - fork(): the NPU translates addresses of the process that opened the device. Open it in the
 *    process that uses it.
 */
#ifndef XDNA_XDNA_H
#define XDNA_XDNA_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define XDNA_API __attribute__((visibility("default")))
#else
#define XDNA_API
#endif

struct xdna_device;
struct xdna_bo;
struct xdna_hwctx;
struct xdna_cmd;

/** The library's version, "MAJOR.MINOR.PATCH". */
XDNA_API const char* xdna_version(void);

/** This thread's last failure in words: which call, which argument, what the driver said, and the
 * likely cause. Never NULL; "" before the first failure. Valid until this thread's next failure. */
XDNA_API const char* xdna_error_message(void);

/* ---- devices ------------------------------------------------------------------------------ */

/** One NPU found on the PCI bus. */
struct xdna_device_info {
    char node[64];           /**< "/dev/accel/accel0"; "" where no driver has made a node */
    char bdf[16];            /**< PCI address, "0000:c5:00.1" */
    char generation[8];      /**< "npu1" .. "npu6"; "unknown" for an id that is not in the table */
    char marketing_name[64]; /**< such as "Ryzen AI (Phoenix, Hawk Point)"; "" if unknown */
    char driver[32];         /**< bound kernel driver, "amdxdna"; "" if none */
    uint16_t vendor;
    uint16_t device;
    uint8_t revision;
};

/** Lists the NPUs of this machine in the order of their PCI addresses, whether or not a driver has
 * bound them. Fills at most `capacity` entries of `list` (NULL with 0 to count).
 * @return how many there are (which may exceed `capacity`), or a negative errno. */
XDNA_API int xdna_device_list(struct xdna_device_info* list, size_t capacity);

/** Opens an NPU.
 * @param which NULL for the first with a node; an index into xdna_device_list() ("0"); a PCI
 *        address ("0000:c5:00.1", the domain may be left out); or a node ("/dev/accel/accel0").
 * @retval -ENODEV no such NPU, or no driver bound to it   @retval -EACCES no permission
 * @retval -EINVAL `which` is none of these forms, or the node is not an amdxdna device; with a
 *         7.x driver also: the IOMMU refused the process (SVA) */
XDNA_API int xdna_device_open(const char* which, struct xdna_device** out);

/** As xdna_device_open(), on a descriptor of the node that you opened. It is duplicated. */
XDNA_API int xdna_device_open_fd(int fd, struct xdna_device** out);

/** Gives the device back. BOs and contexts made from it stay valid. NULL is ignored. */
XDNA_API void xdna_device_close(struct xdna_device* device);

/** The node's descriptor, for ioctls that libxdna has no call for. Borrowed: do not close it. */
XDNA_API int xdna_device_fd(const struct xdna_device* device);

/** What xdna_device_list() says of this device. */
XDNA_API int xdna_device_get_info(const struct xdna_device* device, struct xdna_device_info* out);

/** DRM version of the driver. Mainline's major is 0; the minor is the ledger of its features. */
struct xdna_driver_version {
    uint32_t major;
    uint32_t minor;
    uint32_t patch;
    char name[32]; /**< "amdxdna_accel_driver" */
};
XDNA_API int xdna_device_driver_version(const struct xdna_device* device,
                                        struct xdna_driver_version* out);

/** What a driver can do, by its minor version (drivers/accel/amdxdna/amdxdna_pci_drv.c). */
enum xdna_feature {
    XDNA_FEATURE_ALL_HWCTX,     /**< 0.1 xdna_query_hwctx_all() */
    XDNA_FEATURE_ASYNC_ERROR,   /**< 0.2 xdna_query_last_async_error() */
    XDNA_FEATURE_DEBUG_BO,      /**< 0.3 xdna_hwctx_attach_debug_bo() */
    XDNA_FEATURE_RESOURCE_INFO, /**< 0.4 xdna_query_resources() */
    XDNA_FEATURE_TELEMETRY,     /**< 0.5 xdna_query_telemetry() */
    XDNA_FEATURE_PREEMPTION,    /**< 0.6 preemptible commands; also needs the NPU's support */
    XDNA_FEATURE_SENSORS,       /**< 0.7 power and column utilisation */
    XDNA_FEATURE_BO_USAGE,      /**< 0.8 xdna_query_bo_usage() */
};
/** 1 if the driver's version has the feature, 0 if not, -EINVAL for an unknown one. */
XDNA_API int xdna_device_has(const struct xdna_device* device, enum xdna_feature feature);

/** Limits, as the driver reports them or its documentation fixes them; 0 where this kernel does
 * not say. */
struct xdna_limits {
    uint32_t columns;            /**< AIE columns of the array */
    uint32_t rows;               /**< rows, shim and memory rows included */
    uint32_t core_rows;          /**< core tiles a column */
    uint32_t max_hwctx;          /**< contexts at once, all processes (0.4) */
    uint32_t max_cus;            /**< CUs a context */
    uint32_t max_args;           /**< BOs bound to one command */
    uint32_t max_start_cu_words; /**< register-map words of one START_CU */
    uint32_t max_start_npu_args; /**< argument words of one START_NPU */
    uint32_t chain_bytes;        /**< firmware's buffer for a chain's slots */
    uint64_t heap_alignment;     /**< device-heap size must be a multiple of this */
    uint64_t dev_bo_alignment;   /**< DEV BOs start at multiples of this */
};
XDNA_API int xdna_device_limits(const struct xdna_device* device, struct xdna_limits* out);

/* ---- buffer objects ----------------------------------------------------------------------- */

/** BO types, numbered as enum amdxdna_bo_type. */
enum xdna_bo_type {
    XDNA_BO_SHARE = 1,    /**< host memory that the NPU's DMAs reach: tensors */
    XDNA_BO_DEV_HEAP = 2, /**< the region DEV BOs are cut from: one a device, made on demand */
    XDNA_BO_DEV = 3,      /**< a piece of the heap: PDIs, control code */
    XDNA_BO_CMD = 4,      /**< command packets; xdna_cmd_create() makes these itself */
};

/** Makes a zero-filled BO and maps it. No xclbin, and no context, is needed before.
 *
 * The first DEV BO or context makes the device heap (64 MiB). To choose its size, create the
 * DEV_HEAP BO first: a multiple of xdna_limits.heap_alignment; npu1 takes exactly 64 MiB.
 * @param size SHARE, CMD: rounded up to pages. DEV: rounded up to pages, and takes at least
 *        xdna_limits.dev_bo_alignment of the heap.
 * @retval -EINVAL size 0, not of the heap's alignment, or unknown type
 * @retval -EBUSY a second heap   @retval -ENOSPC heap full   @retval -ENOMEM */
XDNA_API int xdna_bo_create(struct xdna_device* device, enum xdna_bo_type type, uint64_t size,
                            struct xdna_bo** out);

/** Makes a SHARE BO of memory that you own: page-aligned address and size. It stays yours, must
 * outlive the BO, and is pinned meanwhile (RLIMIT_MEMLOCK applies: -ENOMEM).
 * @retval -EOPNOTSUPP this kernel has no user-memory BOs (6.14) */
XDNA_API int xdna_bo_import_user(struct xdna_device* device, void* memory, uint64_t size,
                                 struct xdna_bo** out);

/** Makes a SHARE BO of a dma-buf (exported by any driver), and maps it. `fd` stays yours. A dma-buf
 * of this very device's BO gives that BO once more: destroy it once more, too. */
XDNA_API int xdna_bo_import_dmabuf(struct xdna_device* device, int fd, struct xdna_bo** out);

/** Exports a SHARE, CMD or heap BO as a dma-buf: a new descriptor (close-on-exec) that is yours.
 * @retval -EOPNOTSUPP DEV and user-memory BOs cannot be exported */
XDNA_API int xdna_bo_export_dmabuf(struct xdna_bo* bo, int* fd);

/** Gives the BO back. The driver keeps the memory until commands in flight have ended: unmapping
 * may wait for them. NULL is ignored. */
XDNA_API void xdna_bo_destroy(struct xdna_bo* bo);

/** The BO's first byte in this process. */
XDNA_API void* xdna_bo_memory(const struct xdna_bo* bo);
/** Bytes usable at xdna_bo_memory(): the size asked for. */
XDNA_API uint64_t xdna_bo_size(const struct xdna_bo* bo);
/** The address at which the NPU reaches the BO: what goes into packets and control code. */
XDNA_API uint64_t xdna_bo_address(const struct xdna_bo* bo);
XDNA_API enum xdna_bo_type xdna_bo_get_type(const struct xdna_bo* bo);
/** The GEM handle, for raw ioctls on xdna_device_fd(). */
XDNA_API uint32_t xdna_bo_handle(const struct xdna_bo* bo);

enum xdna_sync {
    XDNA_SYNC_TO_DEVICE = 0,   /**< after the CPU wrote, before the NPU reads */
    XDNA_SYNC_FROM_DEVICE = 1, /**< after the NPU wrote, before the CPU reads */
};
/** Makes CPU caches and memory agree over [offset, offset + size): NPU DMA does not snoop. Outputs
 * need a TO_DEVICE sync before the NPU writes them, too: a dirty line evicted later would overwrite
 * its result. Works in user space (cache-line flush), without a system call; only what the firmware
 * holds back of an attached debug BO (FROM_DEVICE) is asked of the driver.
 * @retval -EINVAL the range is not inside the BO */
XDNA_API int xdna_bo_sync(struct xdna_bo* bo, enum xdna_sync direction, uint64_t offset,
                          uint64_t size);

/* ---- hardware contexts ---------------------------------------------------------------------- */

/** Quality-of-service hints, as struct amdxdna_qos_info. Zeros unless you mean them: the driver
 * refuses (-EINVAL) a load that no clock level can serve. */
struct xdna_qos {
    uint32_t gops;
    uint32_t fps;
    uint32_t dma_bandwidth;
    uint32_t latency;
    uint32_t frame_exec_time;
    uint32_t priority; /**< 0, or AMDXDNA_QOS_*_PRIORITY; honoured where preemption is */
};

struct xdna_hwctx_options {
    uint32_t columns;   /**< array columns, 1 to xdna_limits.columns; the driver picks which */
    uint32_t num_tiles; /**< core tiles instead of columns; 0: columns x core rows */
    uint32_t max_opc;   /**< operations per cycle; 0 is fine */
    struct xdna_qos qos;
};

/** Creates a hardware context: a claim on array columns with a command queue of its own.
 * @retval -EINVAL no columns or too many, QoS beyond the device, or the firmware has no context
 *         left (npu1: 6)   @retval -ENODEV no free or shareable column range */
XDNA_API int xdna_hwctx_create(struct xdna_device* device, const struct xdna_hwctx_options* options,
                               struct xdna_hwctx** out);

/** A CU: one PDI and the function of it. CU i is bit i of a packet's CU mask. */
struct xdna_cu {
    const void* pdi; /**< PDI bytes; copied */
    size_t pdi_size;
    uint8_t function; /**< low byte of the kernel's functional id; 0 for mlir-aie output */
};
/** Configures the context's CUs, once. The driver does not look into a PDI: a bad one shows at the
 * first command.
 * @retval -EINVAL no CU, more than 32, an empty PDI, or configured before */
XDNA_API int xdna_hwctx_configure(struct xdna_hwctx* hwctx, const struct xdna_cu* cus,
                                  uint32_t count);

/** Gives the firmware a DEV BO of this device for debug output (driver 0.3), or takes it back.
 * @retval -EBUSY assigned already   @retval -EOPNOTSUPP older driver */
XDNA_API int xdna_hwctx_attach_debug_bo(struct xdna_hwctx* hwctx, struct xdna_bo* bo);
XDNA_API int xdna_hwctx_detach_debug_bo(struct xdna_hwctx* hwctx, struct xdna_bo* bo);

/** Destroys the context. Commands in flight are given up to 2 s by the driver, then aborted.
 * Commands made from it stay valid objects and fail with -ENODEV. NULL is ignored. */
XDNA_API void xdna_hwctx_destroy(struct xdna_hwctx* hwctx);

XDNA_API uint32_t xdna_hwctx_handle(const struct xdna_hwctx* hwctx);
/** The DRM syncobj whose timeline point n signals when command n has ended. Borrowed. */
XDNA_API uint32_t xdna_hwctx_syncobj(const struct xdna_hwctx* hwctx);

/* ---- commands ------------------------------------------------------------------------------- */

/** State of a command packet, numbered as in the packet's header. */
enum xdna_cmd_state {
    XDNA_CMD_NEW =
        1, /**< not submitted; or, after its end, refused by the driver unseen by the NPU */
    XDNA_CMD_QUEUED = 2,
    XDNA_CMD_RUNNING = 3,
    XDNA_CMD_COMPLETED = 4,
    XDNA_CMD_ERROR = 5,
    XDNA_CMD_ABORTED = 6,
    XDNA_CMD_SUBMITTED = 7,
    XDNA_CMD_TIMEOUT = 8,
    XDNA_CMD_NO_RESPONSE = 9,
};
/** "completed", "timed out", ...; "unknown state" otherwise. */
XDNA_API const char* xdna_cmd_state_name(enum xdna_cmd_state state);

/** Makes an empty command of `hwctx`: a CMD BO of `capacity` bytes (0: 4096) and a list of bound
 * BOs. Fill it once, then submit it as often as you like. */
XDNA_API int xdna_cmd_create(struct xdna_hwctx* hwctx, uint64_t capacity, struct xdna_cmd** out);
/** Gives the command back; one in flight is waited for by the driver, not by this call. NULL is
 * ignored. */
XDNA_API void xdna_cmd_destroy(struct xdna_cmd* cmd);

/** START_CU: runs CU `cu` with `count` register-map words.
 * @retval -EINVAL cu over 31, no words   @retval -E2BIG over xdna_limits.max_start_cu_words, or
 *         over the capacity   @retval -EBUSY in flight (this holds for every set and bind call) */
XDNA_API int xdna_cmd_set_start_cu(struct xdna_cmd* cmd, uint32_t cu, const uint32_t* words,
                                   uint32_t count);

/** Control code: `size` bytes at `offset` of a DEV BO; both multiples of 4. */
struct xdna_code {
    struct xdna_bo* bo;
    uint64_t offset;
    uint32_t size;
};
/** START_NPU: runs control code on CU `cu`, with `count` argument words. Binds the code's BO. */
XDNA_API int xdna_cmd_set_start_npu(struct xdna_cmd* cmd, uint32_t cu, const struct xdna_code* code,
                                    const uint32_t* args, uint32_t count);

/** START_CU of a transaction kernel: runs control code on CU `cu`, whose arguments are the
 * addresses of `count` buffers in this order. Binds the code's BO and the buffers. An argument that
 * is a part of a BO, or more than that, needs xdna_cmd_set_start_cu(): the register map is opcode
 * 3, the code's address, its words, the addresses (64 bits each but the words).
 * @retval -EINVAL a buffer that xdna_cmd_bind() refuses, or as START_NPU and START_CU   @retval
 *         -E2BIG more buffers than the firmware's message or a submission holds */
XDNA_API int xdna_cmd_set_transaction(struct xdna_cmd* cmd, uint32_t cu,
                                      const struct xdna_code* code, struct xdna_bo* const* buffers,
                                      uint32_t count);

/** START_NPU_PREEMPT: as START_NPU, with save and restore code; npu1 refuses it when it runs. */
XDNA_API int xdna_cmd_set_start_npu_preempt(struct xdna_cmd* cmd, uint32_t cu,
                                            const struct xdna_code* code,
                                            const struct xdna_code* save,
                                            const struct xdna_code* restore, const uint32_t* args,
                                            uint32_t count);

/** CMD_CHAIN: runs `count` filled commands of the same context in order, with one submission. All
 * must have one opcode, and their slots fit in xdna_limits.chain_bytes. They, and what they bind,
 * are bound to the chain, which keeps them. While they are its members only their argument words
 * may change (xdna_cmd_set_words(), between submissions), and chain and members are one thread's at
 * a time. Destroying a chain in flight waits for it.
 * @retval -EINVAL empty, mixed opcodes, a command twice, a chain within, or another context's
 * @retval -EBUSY a command is in flight, or a member of another chain
 * @retval -E2BIG slots or handles do not fit */
XDNA_API int xdna_cmd_set_chain(struct xdna_cmd* cmd, struct xdna_cmd* const* cmds, uint32_t count);

/** Binds BOs that the NPU will touch: the driver keeps them in place until the command has ended.
 * A BO bound twice counts once. Filling a command anew forgets its bindings: fill first, then bind.
 * @retval -EINVAL NULL, a BO of another device, a CMD BO (the driver's to read, not the NPU's), or
 *         a command not filled   @retval -E2BIG over xdna_limits.max_args */
XDNA_API int xdna_cmd_bind(struct xdna_cmd* cmd, struct xdna_bo* const* bos, uint32_t count);

/** Overwrites argument words of a filled command in place: word `first` is the first after the CU
 * mask (START_CU) or after the property count (START_NPU). Far cheaper than filling it anew. */
XDNA_API int xdna_cmd_set_words(struct xdna_cmd* cmd, uint32_t first, const uint32_t* words,
                                uint32_t count);

/** Submits the command: one system call, no allocation. Blocks while four commands of the context
 * are in flight (the driver's limit).
 * @retval -EINVAL not filled   @retval -EBUSY in flight already   @retval -ENODEV context gone */
XDNA_API int xdna_cmd_submit(struct xdna_cmd* cmd);

/** Waits until the submitted command has ended, at most `timeout_ns` (negative: for ever, 0: only
 * looks). At most one system call.
 * @retval 0 completed   @retval -ETIME still running: wait again
 * @retval -EIO ended otherwise: xdna_cmd_get_result() and xdna_error_message() say how
 * @retval -EINVAL never submitted */
XDNA_API int xdna_cmd_wait(struct xdna_cmd* cmd, int64_t timeout_ns);

/** How a command ended. */
struct xdna_cmd_result {
    enum xdna_cmd_state state;
    uint64_t sequence;     /**< its number in the context's timeline */
    uint32_t failed_index; /**< chain: index of the command that failed; else 0 */
    int has_health;        /**< 1: the kernel and firmware gave the record below (not on npu1) */
    uint32_t failed_operation; /**< index of the control-code operation */
    uint32_t context_pc;
    uint32_t fatal_error_type;
    uint32_t exception_type;
    uint32_t exception_pc;
    uint32_t app_module;
};
/** What the packet says now; in-flight commands report XDNA_CMD_NEW or later states. */
XDNA_API int xdna_cmd_get_result(const struct xdna_cmd* cmd, struct xdna_cmd_result* out);

/* ---- queries: GET_INFO and GET_ARRAY ---------------------------------------------------------
 * Each returns -EOPNOTSUPP, with a message that names the driver version needed, where this kernel
 * or NPU lacks it. */

/** One column's raw status dump a column_bytes piece, in column order. */
struct xdna_aie_status {
    uint32_t columns_filled; /**< bitmap of columns written to the buffer */
    uint64_t bytes;          /**< bytes written */
};
/** @param buffer at least xdna_aie_metadata.column_bytes x columns bytes, else -EINVAL */
XDNA_API int xdna_query_aie_status(struct xdna_device* device, void* buffer, uint32_t size,
                                   struct xdna_aie_status* out);

struct xdna_tile_metadata {
    uint16_t row_count;
    uint16_t row_start;
    uint16_t dma_channel_count;
    uint16_t lock_count;
    uint16_t event_reg_count;
};
struct xdna_aie_metadata {
    uint32_t column_bytes; /**< size of one column's status dump */
    uint16_t columns;
    uint16_t rows;
    uint32_t version_major;
    uint32_t version_minor;
    struct xdna_tile_metadata core;
    struct xdna_tile_metadata mem;
    struct xdna_tile_metadata shim;
};
XDNA_API int xdna_query_aie_metadata(struct xdna_device* device, struct xdna_aie_metadata* out);

struct xdna_aie_version {
    uint32_t major;
    uint32_t minor;
};
XDNA_API int xdna_query_aie_version(struct xdna_device* device, struct xdna_aie_version* out);

struct xdna_firmware_version {
    uint32_t major;
    uint32_t minor;
    uint32_t patch;
    uint32_t build;
};
XDNA_API int xdna_query_firmware_version(struct xdna_device* device,
                                         struct xdna_firmware_version* out);

struct xdna_clock {
    char name[17];
    uint32_t mhz;
};
struct xdna_clocks {
    struct xdna_clock mp_npu;
    struct xdna_clock h;
};
XDNA_API int xdna_query_clocks(struct xdna_device* device, struct xdna_clocks* out);

enum xdna_sensor_type { XDNA_SENSOR_POWER = 0, XDNA_SENSOR_COLUMN_UTILIZATION = 1 };
/** A reading: value x 10^unit_exponent in `units`. */
struct xdna_sensor {
    char label[65];
    char status[65];
    char units[17];
    uint32_t input;
    uint32_t max;
    uint32_t average;
    uint32_t highest;
    int8_t unit_exponent;
    uint8_t type; /**< enum xdna_sensor_type */
};
/** @return sensors there are (may exceed `capacity`), or a negative errno */
XDNA_API int xdna_query_sensors(struct xdna_device* device, struct xdna_sensor* list,
                                uint32_t capacity);

/** A hardware context of any process. Fields after `errors` are 0 before driver 0.1. */
struct xdna_hwctx_info {
    uint32_t context_id;
    uint32_t hwctx_id; /**< the firmware's */
    uint32_t start_column;
    uint32_t columns;
    int64_t pid;
    uint64_t submissions;
    uint64_t completions;
    uint64_t migrations;
    uint64_t preemptions;
    uint64_t errors;
    uint64_t priority;
    uint64_t heap_usage; /**< bytes of the device heap */
    uint64_t suspensions;
    uint32_t active; /**< 1: has commands */
    uint32_t pasid;
    struct xdna_qos qos;
    uint32_t txn_op_idx;
    uint32_t ctx_pc;
    uint32_t fatal_error_type;
    uint32_t fatal_error_exception_type;
    uint32_t fatal_error_exception_pc;
    uint32_t fatal_error_app_module;
};
/** Contexts through GET_INFO, which every driver has.
 * @return contexts there are (may exceed `capacity`), or a negative errno */
XDNA_API int xdna_query_hwctx(struct xdna_device* device, struct xdna_hwctx_info* list,
                              uint32_t capacity);
/** Contexts through GET_ARRAY (driver 0.1), with every field. As above. */
XDNA_API int xdna_query_hwctx_all(struct xdna_device* device, struct xdna_hwctx_info* list,
                                  uint32_t capacity);

enum xdna_power_mode {
    XDNA_POWER_DEFAULT = 0,
    XDNA_POWER_LOW = 1,
    XDNA_POWER_MEDIUM = 2,
    XDNA_POWER_HIGH = 3,
    XDNA_POWER_TURBO = 4,
};
XDNA_API int xdna_query_power_mode(struct xdna_device* device, enum xdna_power_mode* out);

struct xdna_telemetry {
    uint32_t major;
    uint32_t minor;
    uint32_t type;
    uint32_t map_count; /**< entries of the context map that precedes the data */
    uint64_t bytes;     /**< bytes written to the buffer: map, then data */
};
/** @param type 0 to 4, the firmware's kinds */
XDNA_API int xdna_query_telemetry(struct xdna_device* device, uint32_t type, void* buffer,
                                  uint32_t size, struct xdna_telemetry* out);

struct xdna_resources {
    uint64_t npu_clock_max; /**< MHz */
    uint64_t npu_tops_max;
    uint64_t npu_task_max; /**< contexts at once */
    uint64_t npu_tops_current;
    uint64_t npu_task_current;
};
XDNA_API int xdna_query_resources(struct xdna_device* device, struct xdna_resources* out);

/** 1 or 0 into `enabled`. */
XDNA_API int xdna_query_force_preempt(struct xdna_device* device, int* enabled);
XDNA_API int xdna_query_frame_boundary_preempt(struct xdna_device* device, int* enabled);

/** The last asynchronous hardware error, decoded; all zero if there was none. */
struct xdna_async_error {
    uint64_t code;         /**< as the driver gave it */
    uint64_t extra_code;   /**< likewise */
    uint64_t timestamp_us; /**< CLOCK_REALTIME */
    uint8_t column;
    uint8_t row;
    char what[96]; /**< in words: "core: instruction error, severity 3" */
};
XDNA_API int xdna_query_last_async_error(struct xdna_device* device, struct xdna_async_error* out);

struct xdna_bo_usage {
    uint64_t total;    /**< bytes */
    uint64_t internal; /**< of these: heap and command BOs */
    uint64_t heap;     /**< DEV BOs, cut from the heap */
};
/** Memory of the process `pid` (0: this one) on the device. */
XDNA_API int xdna_query_bo_usage(struct xdna_device* device, int64_t pid,
                                 struct xdna_bo_usage* out);

/* ---- settings: SET_STATE. All need CAP_SYS_ADMIN (-EACCES without) --------------------------- */

/** @retval -EINVAL turbo while contexts exist, or unknown mode */
XDNA_API int xdna_set_power_mode(struct xdna_device* device, enum xdna_power_mode mode);
XDNA_API int xdna_set_force_preempt(struct xdna_device* device, int enable);
XDNA_API int xdna_set_frame_boundary_preempt(struct xdna_device* device, int enable);
/** Tile memory and registers; mainline drivers answer -EOPNOTSUPP. */
XDNA_API int xdna_set_aie_memory(struct xdna_device* device, const void* data, uint32_t size);
XDNA_API int xdna_set_aie_register(struct xdna_device* device, const void* data, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif /* XDNA_XDNA_H */
