// GET_INFO and GET_ARRAY as typed calls.
#include <drm/amdxdna_accel.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "libxdna/device.hpp"
#include "libxdna/error.hpp"
#include "libxdna/os.hpp"
#include "xdna/xdna.h"

namespace xdna {
namespace {

/// One GET_INFO. `size` is the buffer's, and comes back as the driver left it.
int get_info(xdna_device* device, uint32_t param, void* buffer, uint32_t& size, const char* who) {
    amdxdna_drm_get_info info{};
    info.param = param;
    info.buffer_size = size;
    info.buffer = reinterpret_cast<uintptr_t>(buffer);
    const int error = os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_GET_INFO, &info);
    size = info.buffer_size;
    return error == 0 ? 0 : fail_call(Call::kGetInfo, error, "%s: parameter %u", who, param);
}

/// GET_INFO of one struct.
template <class Struct>
int get_struct(xdna_device* device, const void* out, uint32_t param, Struct& into,
               const char* who) {
    if (device == nullptr || out == nullptr) {
        return fail(-EINVAL, "%s: %s is NULL", who, device == nullptr ? "device" : "out");
    }
    into = {};
    uint32_t size = sizeof into;
    return get_info(device, param, &into, size, who);
}

/// One GET_ARRAY. The driver's element size and count come back; its elements may be shorter than
/// ours (older driver) or longer (newer).
int get_array(xdna_device* device, amdxdna_drm_get_array& array, const char* who) {
    const int error = os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_GET_ARRAY, &array);
    return error == 0 ? 0 : fail_call(Call::kGetArray, error, "%s: parameter %u", who, array.param);
}

xdna_tile_metadata tile_metadata(const amdxdna_drm_query_aie_tile_metadata& from) {
    return {from.row_count, from.row_start, from.dma_channel_count, from.lock_count,
            from.event_reg_count};
}

/// A fixed field of the driver's as a C string: it need not end in a zero.
template <size_t N, size_t M>
void copy_field(char (&to)[N], const __u8 (&from)[M]) {
    static_assert(N > M);
    std::memcpy(to, from, M);
    to[M] = 0;
}

xdna_clock clock_of(const amdxdna_drm_query_clock& from) {
    xdna_clock clock{};
    copy_field(clock.name, from.name);
    clock.mhz = from.freq_mhz;
    return clock;
}

/// -EINVAL with its message, unless a list of `capacity` may be written.
int check_list(const xdna_device* device, const void* list, uint32_t capacity, const char* who) {
    if (device == nullptr) {
        return fail(-EINVAL, "%s: device is NULL", who);
    }
    if (list == nullptr && capacity != 0) {
        return fail(-EINVAL, "%s: list is NULL but capacity is %u", who, capacity);
    }
    return 0;
}

/// No device has more contexts than this at once: 16 for npu4 and up (npu4_regs.c), and a list that
/// comes back full is asked for again, doubled.
constexpr uint32_t kFirstList = 64;
constexpr uint32_t kLongestList = 1024;  // GET_ARRAY's limit, aie2_pci.c

xdna_hwctx_info context_of(const amdxdna_drm_query_hwctx& from) {
    xdna_hwctx_info info{};
    info.context_id = from.context_id;
    info.start_column = from.start_col;
    info.columns = from.num_col;
    info.pid = from.pid;
    info.submissions = from.command_submissions;
    info.completions = from.command_completions;
    info.migrations = from.migrations;
    info.preemptions = from.preemptions;
    info.errors = from.errors;
    return info;
}

xdna_hwctx_info context_of(const amdxdna_drm_hwctx_entry& from) {
    xdna_hwctx_info info{};
    info.context_id = from.context_id;
    info.hwctx_id = from.hwctx_id;
    info.start_column = from.start_col;
    info.columns = from.num_col;
    info.pid = from.pid;
    info.submissions = from.command_submissions;
    info.completions = from.command_completions;
    info.migrations = from.migrations;
    info.preemptions = from.preemptions;
    info.errors = from.errors;
    info.priority = from.priority;
    info.heap_usage = from.heap_usage;
    info.suspensions = from.suspensions;
    info.active = from.state == AMDXDNA_HWCTX_STATE_ACTIVE ? 1 : 0;
    info.pasid = from.pasid;
    info.qos.gops = from.gops;
    info.qos.fps = from.fps;
    info.qos.dma_bandwidth = from.dma_bandwidth;
    info.qos.latency = from.latency;
    info.qos.frame_exec_time = from.frame_exec_time;
    info.qos.priority = static_cast<uint32_t>(from.priority);
    info.txn_op_idx = from.txn_op_idx;
    info.ctx_pc = from.ctx_pc;
    info.fatal_error_type = from.fatal_error_type;
    info.fatal_error_exception_type = from.fatal_error_exception_type;
    info.fatal_error_exception_pc = from.fatal_error_exception_pc;
    info.fatal_error_app_module = from.fatal_error_app_module;
    return info;
}

template <class Entry>
int copy_contexts(const std::vector<Entry>& entries, size_t count, xdna_hwctx_info* list,
                  uint32_t capacity) {
    for (size_t i = 0; i < count && i < capacity; i++) {
        list[i] = context_of(entries[i]);
    }
    return static_cast<int>(count);
}

// Numbers of an asynchronous error: drivers/accel/amdxdna/amdxdna_error.h.
constexpr const char* kErrorNumbers[] = {
    nullptr,       nullptr, nullptr, "saturation", "floating point", "stream", "access", "bus",
    "instruction", "ECC",   "lock",  "DMA",        "memory parity"};
constexpr const char* kErrorModules[] = {nullptr,  nullptr, nullptr, "core",
                                         "memory", "shim",  "NoC",   "PL"};

template <size_t N>
const char* name_of(const char* const (&names)[N], uint64_t number) {
    return number < N && names[number] != nullptr ? names[number] : "unknown";
}

}  // namespace
}  // namespace xdna

using xdna::fail;
using xdna::guarded;
using xdna::need_feature;

int xdna_query_aie_status(struct xdna_device* device, void* buffer, uint32_t size,
                          struct xdna_aie_status* out) {
    if (device == nullptr || buffer == nullptr || out == nullptr) {
        return fail(-EINVAL, "xdna_query_aie_status: %s is NULL",
                    device == nullptr   ? "device"
                    : buffer == nullptr ? "buffer"
                                        : "out");
    }
    *out = {};
    xdna_aie_metadata metadata{};
    if (int error = xdna::get_metadata(device, metadata); error != 0) {
        return error;
    }
    const uint64_t needed = uint64_t{metadata.column_bytes} * metadata.columns;
    if (size < needed) {
        return fail(-EINVAL,
                    "xdna_query_aie_status: a buffer of %u bytes: %u columns of %u bytes need %llu",
                    size, metadata.columns, metadata.column_bytes,
                    static_cast<unsigned long long>(needed));
    }
    amdxdna_drm_query_aie_status status{};
    status.buffer = reinterpret_cast<uintptr_t>(buffer);
    status.buffer_size = size;
    uint32_t status_size = sizeof status;
    if (int error = xdna::get_info(device, DRM_AMDXDNA_QUERY_AIE_STATUS, &status, status_size,
                                   "xdna_query_aie_status");
        error != 0) {
        return error;
    }
    out->columns_filled = status.cols_filled;
    out->bytes = uint64_t{metadata.column_bytes} *
                 static_cast<unsigned>(__builtin_popcount(status.cols_filled));
    return 0;
}

int xdna_query_aie_metadata(struct xdna_device* device, struct xdna_aie_metadata* out) {
    amdxdna_drm_query_aie_metadata from;
    if (int error = xdna::get_struct(device, out, DRM_AMDXDNA_QUERY_AIE_METADATA, from,
                                     "xdna_query_aie_metadata");
        error != 0) {
        return error;
    }
    *out = {};
    out->column_bytes = from.col_size;
    out->columns = from.cols;
    out->rows = from.rows;
    out->version_major = from.version.major;
    out->version_minor = from.version.minor;
    out->core = xdna::tile_metadata(from.core);
    out->mem = xdna::tile_metadata(from.mem);
    out->shim = xdna::tile_metadata(from.shim);
    return 0;
}

int xdna_query_aie_version(struct xdna_device* device, struct xdna_aie_version* out) {
    amdxdna_drm_query_aie_version from;
    if (int error = xdna::get_struct(device, out, DRM_AMDXDNA_QUERY_AIE_VERSION, from,
                                     "xdna_query_aie_version");
        error != 0) {
        return error;
    }
    *out = {from.major, from.minor};
    return 0;
}

int xdna_query_firmware_version(struct xdna_device* device, struct xdna_firmware_version* out) {
    amdxdna_drm_query_firmware_version from;
    if (int error = xdna::get_struct(device, out, DRM_AMDXDNA_QUERY_FIRMWARE_VERSION, from,
                                     "xdna_query_firmware_version");
        error != 0) {
        return error;
    }
    *out = {from.major, from.minor, from.patch, from.build};
    return 0;
}

int xdna_query_clocks(struct xdna_device* device, struct xdna_clocks* out) {
    amdxdna_drm_query_clock_metadata from;
    if (int error = xdna::get_struct(device, out, DRM_AMDXDNA_QUERY_CLOCK_METADATA, from,
                                     "xdna_query_clocks");
        error != 0) {
        return error;
    }
    *out = {xdna::clock_of(from.mp_npu_clock), xdna::clock_of(from.h_clock)};
    return 0;
}

int xdna_query_sensors(struct xdna_device* device, struct xdna_sensor* list, uint32_t capacity) {
    constexpr const char* kWho = "xdna_query_sensors";
    return guarded(kWho, [&] {
        if (int error = xdna::check_list(device, list, capacity, kWho); error != 0) {
            return error;
        }
        if (int error = need_feature(device, XDNA_FEATURE_SENSORS, kWho); error != 0) {
            return error;
        }
        // One power sensor and at most eight columns (aie2_pci.c); the driver writes as many whole
        // sensors as fit and returns their bytes.
        std::vector<amdxdna_drm_query_sensor> sensors(64);
        auto size = static_cast<uint32_t>(sensors.size() * sizeof sensors[0]);
        if (int error =
                xdna::get_info(device, DRM_AMDXDNA_QUERY_SENSORS, sensors.data(), size, kWho);
            error != 0) {
            return error;
        }
        const size_t count = std::min(sensors.size(), size / sizeof sensors[0]);
        for (size_t i = 0; i < count && i < capacity; i++) {
            const amdxdna_drm_query_sensor& from = sensors[i];
            xdna_sensor& to = list[i];
            to = {};
            xdna::copy_field(to.label, from.label);
            xdna::copy_field(to.status, from.status);
            xdna::copy_field(to.units, from.units);
            to.input = from.input;
            to.max = from.max;
            to.average = from.average;
            to.highest = from.highest;
            to.unit_exponent = from.unitm;
            to.type = from.type;
        }
        return static_cast<int>(count);
    });
}

int xdna_query_hwctx(struct xdna_device* device, struct xdna_hwctx_info* list, uint32_t capacity) {
    constexpr const char* kWho = "xdna_query_hwctx";
    return guarded(kWho, [&] {
        if (int error = xdna::check_list(device, list, capacity, kWho); error != 0) {
            return error;
        }
        for (uint32_t length = xdna::kFirstList;; length *= 2) {
            std::vector<amdxdna_drm_query_hwctx> entries(length);
            const auto room = static_cast<uint32_t>(entries.size() * sizeof entries[0]);
            uint32_t left = room;
            if (int error = xdna::get_info(device, DRM_AMDXDNA_QUERY_HW_CONTEXTS, entries.data(),
                                           left, kWho);
                error != 0) {
                return error;
            }
            // The size comes back as what is left of the buffer (aie2_get_hwctx_status).
            const size_t count = (room - std::min(left, room)) / sizeof entries[0];
            if (count < length || length >= xdna::kLongestList) {
                return xdna::copy_contexts(entries, count, list, capacity);
            }
        }
    });
}

int xdna_query_hwctx_all(struct xdna_device* device, struct xdna_hwctx_info* list,
                         uint32_t capacity) {
    constexpr const char* kWho = "xdna_query_hwctx_all";
    return guarded(kWho, [&] {
        if (int error = xdna::check_list(device, list, capacity, kWho); error != 0) {
            return error;
        }
        if (int error = need_feature(device, XDNA_FEATURE_ALL_HWCTX, kWho); error != 0) {
            return error;
        }
        for (uint32_t length = xdna::kFirstList;; length *= 2) {
            using Entry = amdxdna_drm_hwctx_entry;
            std::vector<Entry> entries(length);
            amdxdna_drm_get_array array{};
            array.param = DRM_AMDXDNA_HW_CONTEXT_ALL;
            array.element_size = sizeof(Entry);
            array.num_element = length;
            array.buffer = reinterpret_cast<uintptr_t>(entries.data());
            if (int error = xdna::get_array(device, array, kWho); error != 0) {
                return error;
            }
            const size_t stride = array.element_size;
            if (stride == 0 || stride > sizeof(Entry)) {
                return fail(-EIO, "%s: the driver answered with elements of %zu bytes", kWho,
                            stride);
            }
            // An older driver's shorter entries are packed at its own size (aie2_pci.c).
            size_t count = array.num_element;
            count = std::min(count, length * sizeof(Entry) / stride);
            if (stride < sizeof(Entry)) {
                std::vector<Entry> spread(count);
                const auto* bytes = reinterpret_cast<const uint8_t*>(entries.data());
                for (size_t i = 0; i < count; i++) {
                    std::memcpy(&spread[i], bytes + i * stride, stride);
                }
                entries = std::move(spread);
            }
            if (count < length || length >= xdna::kLongestList) {
                return xdna::copy_contexts(entries, count, list, capacity);
            }
        }
    });
}

int xdna_query_power_mode(struct xdna_device* device, enum xdna_power_mode* out) {
    amdxdna_drm_get_power_mode from;
    if (int error = xdna::get_struct(device, out, DRM_AMDXDNA_GET_POWER_MODE, from,
                                     "xdna_query_power_mode");
        error != 0) {
        return error;
    }
    *out = static_cast<xdna_power_mode>(from.power_mode);
    return 0;
}

int xdna_query_telemetry(struct xdna_device* device, uint32_t type, void* buffer, uint32_t size,
                         struct xdna_telemetry* out) {
    constexpr const char* kWho = "xdna_query_telemetry";
    return guarded(kWho, [&] {
        if (device == nullptr || out == nullptr || (buffer == nullptr && size != 0)) {
            return fail(-EINVAL, "%s: %s is NULL", kWho,
                        device == nullptr ? "device"
                        : out == nullptr  ? "out"
                                          : "buffer");
        }
        *out = {};
        if (int error = need_feature(device, XDNA_FEATURE_TELEMETRY, kWho); error != 0) {
            return error;
        }
        if (type > 4) {
            return fail(-EINVAL, "%s: no type %u: there are 0 to 4", kWho, type);
        }
        // The driver's buffer is its header, the context map, then the data (aie2_get_telemetry).
        using Header = amdxdna_drm_query_telemetry_header;
        std::vector<uint8_t> bytes(sizeof(Header) + size);
        Header header{};
        header.type = type;
        std::memcpy(bytes.data(), &header, sizeof header);
        auto length = static_cast<uint32_t>(bytes.size());
        if (int error =
                xdna::get_info(device, DRM_AMDXDNA_QUERY_TELEMETRY, bytes.data(), length, kWho);
            error != 0) {
            return error;
        }
        std::memcpy(&header, bytes.data(), sizeof header);
        out->major = header.major;
        out->minor = header.minor;
        out->type = header.type;
        out->map_count = header.map_num_elements;
        out->bytes = size;
        if (size != 0) {
            std::memcpy(buffer, bytes.data() + sizeof header, size);
        }
        return 0;
    });
}

int xdna_query_resources(struct xdna_device* device, struct xdna_resources* out) {
    constexpr const char* kWho = "xdna_query_resources";
    if (device != nullptr) {
        if (int error = need_feature(device, XDNA_FEATURE_RESOURCE_INFO, kWho); error != 0) {
            return error;
        }
    }
    amdxdna_drm_get_resource_info from;
    if (int error = xdna::get_struct(device, out, DRM_AMDXDNA_QUERY_RESOURCE_INFO, from, kWho);
        error != 0) {
        return error;
    }
    *out = {from.npu_clk_max, from.npu_tops_max, from.npu_task_max, from.npu_tops_curr,
            from.npu_task_curr};
    return 0;
}

namespace xdna {
namespace {

int query_preemption(xdna_device* device, uint32_t param, int* enabled, const char* who) {
    if (device != nullptr) {
        if (int error = need_feature(device, XDNA_FEATURE_PREEMPTION, who); error != 0) {
            return error;
        }
    }
    amdxdna_drm_attribute_state state;
    if (int error = get_struct(device, enabled, param, state, who); error != 0) {
        return error;
    }
    *enabled = state.state != 0 ? 1 : 0;
    return 0;
}

}  // namespace
}  // namespace xdna

int xdna_query_force_preempt(struct xdna_device* device, int* enabled) {
    return xdna::query_preemption(device, DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE, enabled,
                                  "xdna_query_force_preempt");
}

int xdna_query_frame_boundary_preempt(struct xdna_device* device, int* enabled) {
    return xdna::query_preemption(device, DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE, enabled,
                                  "xdna_query_frame_boundary_preempt");
}

int xdna_query_last_async_error(struct xdna_device* device, struct xdna_async_error* out) {
    constexpr const char* kWho = "xdna_query_last_async_error";
    if (device == nullptr || out == nullptr) {
        return fail(-EINVAL, "%s: %s is NULL", kWho, device == nullptr ? "device" : "out");
    }
    *out = {};
    if (int error = need_feature(device, XDNA_FEATURE_ASYNC_ERROR, kWho); error != 0) {
        return error;
    }
    amdxdna_async_error from{};
    amdxdna_drm_get_array array{};
    array.param = DRM_AMDXDNA_HW_LAST_ASYNC_ERR;
    array.element_size = sizeof from;
    array.num_element = 1;
    array.buffer = reinterpret_cast<uintptr_t>(&from);
    if (int error = xdna::get_array(device, array, kWho); error != 0) {
        return error;
    }
    if (array.num_element == 0 || from.err_code == 0) {
        return 0;
    }
    out->code = from.err_code;
    out->extra_code = from.ex_err_code;
    out->timestamp_us = from.ts_us;
    out->column = static_cast<uint8_t>(from.ex_err_code);
    out->row = static_cast<uint8_t>(from.ex_err_code >> 8);
    std::snprintf(out->what, sizeof out->what, "%s: %s error, severity %llu",
                  xdna::name_of(xdna::kErrorModules, from.err_code >> 32 & 0xff),
                  xdna::name_of(xdna::kErrorNumbers, from.err_code & 0xffff),
                  static_cast<unsigned long long>(from.err_code >> 24 & 0xff));
    return 0;
}

int xdna_query_bo_usage(struct xdna_device* device, int64_t pid, struct xdna_bo_usage* out) {
    constexpr const char* kWho = "xdna_query_bo_usage";
    if (device == nullptr || out == nullptr) {
        return fail(-EINVAL, "%s: %s is NULL", kWho, device == nullptr ? "device" : "out");
    }
    *out = {};
    if (int error = need_feature(device, XDNA_FEATURE_BO_USAGE, kWho); error != 0) {
        return error;
    }
    amdxdna_drm_bo_usage usage{};
    usage.pid = pid != 0 ? pid : getpid();
    amdxdna_drm_get_array array{};
    array.param = DRM_AMDXDNA_BO_USAGE;
    array.element_size = sizeof usage;
    array.num_element = 1;
    array.buffer = reinterpret_cast<uintptr_t>(&usage);
    if (int error = xdna::get_array(device, array, kWho); error != 0) {
        return error;
    }
    *out = {usage.total_usage, usage.internal_usage, usage.heap_usage};
    return 0;
}
