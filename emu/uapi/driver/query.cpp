// GET_INFO, GET_ARRAY and SET_STATE (linux drivers/accel/amdxdna/aie2_pci.c).
#include <drm/amdxdna_accel.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

constexpr uint32_t kContextLimit = 6;    // npu1_regs.c, hwctx_limit
constexpr uint32_t kTelemetryTypes = 5;  // aie2_msg_priv.h, MAX_TELEMETRY_TYPE
constexpr uint32_t kMaxTelemetry = 4U << 20;

template <typename T>
int copy_struct(Caller& caller, const amdxdna_drm_get_info& args, const T& value) {
    const size_t size = std::min<size_t>(args.buffer_size, sizeof value);
    return size == 0 ? 0 : caller.copy_out(args.buffer, &value, size);
}

amdxdna_drm_query_aie_tile_metadata tile_row(uint16_t rows, uint16_t start, uint16_t channels,
                                             uint16_t locks, uint16_t events) {
    return {rows, start, channels, locks, events, {}};
}

amdxdna_drm_query_aie_metadata metadata(const firmware::TileInfo& info) {
    amdxdna_drm_query_aie_metadata out{};
    out.col_size = info.size;
    out.cols = info.cols;
    out.rows = info.rows;
    out.version = {info.major, info.minor};
    out.core = tile_row(info.core_rows, info.core_row_start, info.core_dma_channels,
                        info.core_locks, info.core_events);
    out.mem = tile_row(info.mem_rows, info.mem_row_start, info.mem_dma_channels, info.mem_locks,
                       info.mem_events);
    out.shim = tile_row(info.shim_rows, info.shim_row_start, info.shim_dma_channels,
                        info.shim_locks, info.shim_events);
    return out;
}

amdxdna_drm_query_clock clock_of(const char* name, uint32_t mhz) {
    amdxdna_drm_query_clock out{};
    std::memcpy(out.name, name, std::strlen(name));
    out.freq_mhz = mhz;
    return out;
}

/// The device stays awake for as long as this lives; with the device's lock held.
class Awake {
  public:
    explicit Awake(Device& device) : device_(device) { device_.resume_get(); }
    ~Awake() { device_.suspend_put(); }
    Awake(const Awake&) = delete;
    Awake& operator=(const Awake&) = delete;

  private:
    Device& device_;
};

}  // namespace

int Client::query_contexts(std::vector<uint8_t>& out, uint32_t element_size, uint32_t limit) {
    for (const Client* client : device_->clients) {
        for (const auto& [id, context] : client->contexts()) {
            if (limit-- == 0) {
                return 0;
            }
            amdxdna_drm_hwctx_entry entry{};
            entry.pid = client->pid();
            entry.context_id = id;
            entry.start_col = context->start_col;
            entry.num_col = context->num_col;
            entry.command_submissions = context->seq;
            entry.command_completions = context->completed;
            entry.pasid = client->pasid();
            entry.heap_usage = client->heap_usage();
            entry.priority = context->qos.priority;
            entry.gops = context->qos.gops;
            entry.fps = context->qos.fps;
            entry.dma_bandwidth = context->qos.dma_bandwidth;
            entry.latency = context->qos.latency;
            entry.frame_exec_time = context->qos.frame_exec_time;
            entry.state = AMDXDNA_HWCTX_STATE_ACTIVE;
            const auto* bytes = reinterpret_cast<const uint8_t*>(&entry);
            out.insert(out.end(), bytes, bytes + element_size);
        }
    }
    return 0;
}

int Client::get_column_status(Caller& caller, amdxdna_drm_get_info& args) {
    amdxdna_drm_query_aie_status status{};
    const size_t size = std::min<size_t>(args.buffer_size, sizeof status);
    if (size != 0 && caller.copy_in(&status, args.buffer, size) != 0) {
        return -EFAULT;
    }
    std::vector<std::byte> dump;
    uint32_t bitmap = 0;
    {
        const Lock lock(device_->mutex);
        const Awake awake(*device_);
        for (const Client* client : device_->clients) {
            for (const auto& [id, context] : client->contexts()) {
                bitmap |= ((1U << context->num_col) - 1) << context->start_col;
            }
        }
        const MessageBuffer buffer(
            *device_, static_cast<uint64_t>(device_->tiles.cols) * device_->tiles.size);
        if (!buffer.valid()) {
            return -ENOMEM;
        }
        const auto reply = device_->firmware().query_column_status(
            {buffer.address(), static_cast<uint32_t>(buffer.size()),
             static_cast<uint32_t>(__builtin_popcount(bitmap)), bitmap});
        if (reply.status != firmware::kSuccess || reply.size > buffer.size()) {
            device_->log(LogLine::Level::kError, "Error during NPU query, status 0x%x",
                         reply.status);
            return -EINVAL;
        }
        const uint32_t copied = std::min(status.buffer_size, reply.size);
        dump.assign(buffer.data(), buffer.data() + copied);
    }
    if (!dump.empty() && caller.copy_out(status.buffer, dump.data(), dump.size()) != 0) {
        return -EFAULT;
    }
    status.cols_filled = bitmap;
    return size == 0 ? 0 : caller.copy_out(args.buffer, &status, size);
}

int Client::get_telemetry(Caller& caller, amdxdna_drm_get_info& args) {
    constexpr size_t kHeader = sizeof(amdxdna_drm_query_telemetry_header);
    constexpr size_t kFull = kHeader + kContextLimit * sizeof(uint32_t);
    if (args.buffer_size <= kFull) {
        device_->log(LogLine::Level::kError, "Invalid buffer size");
        return -EINVAL;
    }
    alignas(8) std::array<std::byte, kFull> bytes{};
    if (caller.copy_in(bytes.data(), args.buffer, kHeader) != 0) {
        return -EFAULT;
    }
    amdxdna_drm_query_telemetry_header header{};
    std::memcpy(&header, bytes.data(), kHeader);
    header.map_num_elements = kContextLimit;
    std::array<uint32_t, kContextLimit> map{};
    std::vector<std::byte> data;
    {
        const Lock lock(device_->mutex);
        const Awake awake(*device_);
        for (const Client* client : device_->clients) {
            for (const auto& [id, context] : client->contexts()) {
                if (context->firmware_id >= kContextLimit) {
                    return -EINVAL;
                }
                map[context->firmware_id] = id;
            }
        }
        if (header.type >= kTelemetryTypes) {
            return -EINVAL;
        }
        const uint32_t room = args.buffer_size - static_cast<uint32_t>(kFull);
        const MessageBuffer buffer(*device_, std::min(room, kMaxTelemetry));
        if (!buffer.valid()) {
            return -ENOMEM;
        }
        const auto reply = device_->firmware().get_telemetry(
            {header.type, buffer.address(), static_cast<uint32_t>(buffer.size())});
        if (reply.status != firmware::kSuccess || reply.size > buffer.size()) {
            device_->log(LogLine::Level::kError, "Query telemetry failed, status 0x%x",
                         reply.status);
            return -EINVAL;
        }
        data.assign(buffer.data(), buffer.data() + std::min(room, reply.size));
        header.major = reply.major;
        header.minor = reply.minor;
    }
    if (!data.empty() && caller.copy_out(args.buffer + kFull, data.data(), data.size()) != 0) {
        return -EFAULT;
    }
    std::memcpy(bytes.data(), &header, kHeader);
    std::memcpy(bytes.data() + kHeader, map.data(), sizeof map);
    return caller.copy_out(args.buffer, bytes.data(), bytes.size());
}

int Client::get_info(Caller& caller, void* arg) {
    auto& args = *static_cast<amdxdna_drm_get_info*>(arg);
    switch (args.param) {
        case DRM_AMDXDNA_QUERY_AIE_STATUS:
            return get_column_status(caller, args);
        case DRM_AMDXDNA_QUERY_TELEMETRY:
            return get_telemetry(caller, args);
        default:
            break;
    }

    Lock lock(device_->mutex);
    const Awake awake(*device_);
    const ClockLevel clocks = device_->clocks();
    switch (args.param) {
        case DRM_AMDXDNA_QUERY_AIE_METADATA:
            return copy_struct(caller, args, metadata(device_->tiles));
        case DRM_AMDXDNA_QUERY_AIE_VERSION: {
            const auto reply = device_->firmware().query_aie_version();
            return copy_struct(caller, args,
                               amdxdna_drm_query_aie_version{reply.major, reply.minor});
        }
        case DRM_AMDXDNA_QUERY_CLOCK_METADATA:
            return copy_struct(
                caller, args,
                amdxdna_drm_query_clock_metadata{clock_of("MP-NPU Clock", clocks.npu),
                                                 clock_of("H Clock", clocks.h)});
        case DRM_AMDXDNA_QUERY_SENSORS:
            return -ENODEV;  // what the PMF driver says where it has no device
        case DRM_AMDXDNA_QUERY_HW_CONTEXTS: {
            constexpr uint32_t kElement = sizeof(amdxdna_drm_query_hwctx);
            std::vector<uint8_t> entries;
            query_contexts(entries, kElement, args.buffer_size / kElement);
            // A buffer that cannot be written ends the list, nothing more.
            uint32_t written = 0;
            while (written < entries.size() &&
                   caller.copy_out(args.buffer + written, entries.data() + written, kElement) ==
                       0) {
                written += kElement;
            }
            args.buffer_size -= written;
            return 0;
        }
        case DRM_AMDXDNA_QUERY_FIRMWARE_VERSION: {
            const auto reply = device_->firmware().query_version();
            return copy_struct(caller, args,
                               amdxdna_drm_query_firmware_version{reply.major, reply.minor,
                                                                  reply.sub, reply.build});
        }
        case DRM_AMDXDNA_GET_POWER_MODE: {
            amdxdna_drm_get_power_mode mode{};
            mode.power_mode = static_cast<uint8_t>(device_->power_mode());
            return copy_struct(caller, args, mode);
        }
        case DRM_AMDXDNA_QUERY_RESOURCE_INFO: {
            // npu1_regs.c: two TOPS a column at 1028 MHz.
            amdxdna_drm_get_resource_info info{};
            info.npu_clk_max = kNpu1Clocks[kMaxClockLevel].h;
            info.npu_tops_max = 2ULL * device_->tiles.cols;
            info.npu_task_max = kContextLimit;
            info.npu_tops_curr = info.npu_tops_max * clocks.h / 1028;
            info.npu_task_curr = device_->context_count;
            return copy_struct(caller, args, info);
        }
        case DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE:
        case DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE: {
            amdxdna_drm_attribute_state state{};
            state.state = args.param == DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE
                              ? device_->force_preempt
                              : device_->frame_boundary_preempt;
            return copy_struct(caller, args, state);
        }
        default:
            device_->log(LogLine::Level::kError, "Not supported request parameter %u", args.param);
            return -EOPNOTSUPP;
    }
}

int Client::get_array(Caller& caller, void* arg) {
    auto& args = *static_cast<amdxdna_drm_get_array*>(arg);
    if (args.pad != 0 || args.num_element == 0 || args.element_size == 0) {
        return -EINVAL;
    }
    const Lock lock(device_->mutex);
    const Awake awake(*device_);
    switch (args.param) {
        case DRM_AMDXDNA_HW_CONTEXT_ALL: {
            if (args.element_size > 4096 || args.num_element > 1024) {
                return -EINVAL;
            }
            const uint32_t element =
                std::min<uint32_t>(args.element_size, sizeof(amdxdna_drm_hwctx_entry));
            std::vector<uint8_t> entries;
            query_contexts(entries, element, args.num_element * args.element_size / element);
            uint32_t written = 0;
            while (written < entries.size() &&
                   caller.copy_out(args.buffer + written, entries.data() + written, element) == 0) {
                written += element;
            }
            args.element_size = element;
            args.num_element = written / element;
            return 0;
        }
        case DRM_AMDXDNA_HW_LAST_ASYNC_ERR:
            args.num_element = 1;
            args.element_size = std::min<uint32_t>(args.element_size, sizeof(amdxdna_async_error));
            return caller.copy_out(args.buffer, &device_->last_async_error, args.element_size);
        case DRM_AMDXDNA_BO_USAGE: {
            amdxdna_drm_bo_usage usage{};
            const size_t size = std::min<size_t>(args.element_size, sizeof usage);
            if (args.num_element != 1) {
                return -EINVAL;
            }
            if (caller.copy_in(&usage, args.buffer, size) != 0) {
                return -EFAULT;
            }
            if (usage.pid == 0) {
                return -EINVAL;
            }
            usage.total_usage = usage.internal_usage = usage.heap_usage = 0;
            for (const Client* client : device_->clients) {
                if (client->pid() == usage.pid) {
                    usage.total_usage += client->total_usage;
                    usage.internal_usage += client->internal_usage;
                    usage.heap_usage += client->heap_usage();
                }
            }
            return caller.copy_out(args.buffer, &usage, size);
        }
        default:
            device_->log(LogLine::Level::kError, "Not supported request parameter %u", args.param);
            return -EOPNOTSUPP;
    }
}

int Client::set_state(Caller& caller, void* arg) {
    const auto& args = *static_cast<amdxdna_drm_set_state*>(arg);
    const Lock lock(device_->mutex);
    const Awake awake(*device_);
    static_assert(sizeof(amdxdna_drm_set_power_mode) == sizeof(amdxdna_drm_attribute_state));
    amdxdna_drm_attribute_state state{};
    switch (args.param) {
        case DRM_AMDXDNA_SET_POWER_MODE:
        case DRM_AMDXDNA_SET_FORCE_PREEMPT:
        case DRM_AMDXDNA_SET_FRAME_BOUNDARY_PREEMPT:
            break;
        default:
            device_->log(LogLine::Level::kError, "Not supported request parameter %u", args.param);
            return -EOPNOTSUPP;
    }
    if (caller.copy_in(&state, args.buffer, sizeof state) != 0) {
        return -EFAULT;
    }
    const bool padded =
        std::any_of(std::begin(state.pad), std::end(state.pad), [](uint8_t b) { return b != 0; });
    const bool power = args.param == DRM_AMDXDNA_SET_POWER_MODE;
    if (padded || state.state > (power ? POWER_MODE_TURBO : 1)) {
        return -EINVAL;
    }
    if (power) {
        return device_->set_power_mode(state.state);
    }
    // npu1 has no runtime configuration for either: the driver only remembers.
    (args.param == DRM_AMDXDNA_SET_FORCE_PREEMPT ? device_->force_preempt
                                                 : device_->frame_boundary_preempt) =
        state.state != 0;
    return 0;
}

}  // namespace xdna::emu::driver
