// What the NPU's controller does: contexts, the columns they get, PDIs, control code. It takes the
// driver's messages as typed structs and knows nothing of files, processes or mailboxes, so that
// the user-space door and the PCI door drive the same one.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "emu/array/host_memory.hpp"
#include "emu/firmware/messages.hpp"
#include "emu/firmware/observers.hpp"

namespace xdna::emu::firmware {

/// Whose memory a device address means: one space for each PASID, 0 the one without.
class Iommu {
  public:
    virtual ~Iommu() = default;
    /// The address space of `pasid`; empty if no such space is bound.
    virtual std::shared_ptr<HostMemory> space(uint16_t pasid) = 0;
};

/// Called for each line the controller has to say; `error` lines name why a command failed.
using LogSink = std::function<void(bool error, const std::string& line)>;

/// Answers one message of a context's channel. Never called for a context that was destroyed.
template <typename Reply>
using Done = std::function<void(const Reply&)>;

/// Thread-safe. Replies come from the controller's own thread, and may send further messages.
class Firmware {
  public:
    /// npu1: protocol 5.8, six contexts, five columns. `iommu` must outlive the firmware.
    Firmware(Iommu& iommu, LogSink log, Observers observers = {});
    ~Firmware();
    Firmware(const Firmware&) = delete;
    Firmware& operator=(const Firmware&) = delete;

    // The management channel: answered at once.
    TileInfoReply query_tile_info() const;
    AieVersionReply query_aie_version() const;
    FirmwareVersionReply query_version() const;
    RuntimeConfigReply set_runtime_config(const SetRuntimeConfigRequest& request);
    RuntimeConfigReply get_runtime_config(uint32_t type) const;
    /// Status kMgmtNoAvail once six contexts exist, kMgmtInvalidParam for columns that do not.
    CreateContextReply create_context(const CreateContextRequest& request);
    /// Cancels what the context has queued or is running; no reply comes for it any more. Its
    /// memory may be in use until `at_rest` is called, which the success of this promises.
    uint32_t destroy_context(const DestroyContextRequest& request,
                             std::function<void()> at_rest = nullptr);
    uint32_t map_host_buffer(const MapHostBufferRequest& request);
    ColumnStatusReply query_column_status(const ColumnStatusRequest& request);
    TelemetryReply get_telemetry(const TelemetryRequest& request);
    uint32_t suspend();
    uint32_t resume();
    /// Parks `done` until an error happens in the array; one buffer serves one event.
    uint32_t register_async_event(const AsyncEventRequest& request, Done<AsyncEventReply> done);

    /// Array cycles that the command in progress has used; negative while none is, or while the
    /// one that is cannot go on. For a watchdog that counts the device's time, not the host's.
    int64_t running_cycles() const;

    // A context's channel: in order, each answered when it is done. False: no such context.
    bool config_cu(uint32_t context, const ConfigCuRequest& request, Done<uint32_t> done);
    bool execute(uint32_t context, const ExecuteBufferCfRequest& request, Done<uint32_t> done);
    bool execute(uint32_t context, const ExecDpuRequest& request, Done<uint32_t> done);
    bool chain(uint32_t context, Opcode opcode, const ChainRequest& request, Done<ChainReply> done);
    bool chain(uint32_t context, const ChainNpuRequest& request, Done<ChainReply> done);
    bool sync_bo(uint32_t context, const SyncBoRequest& request, Done<uint32_t> done);
    bool config_debug_bo(uint32_t context, const ConfigDebugBoRequest& request,
                         Done<uint32_t> done);

  private:
    class Controller;  // the thread and the tables behind this
    std::unique_ptr<Controller> controller_;
};

}  // namespace xdna::emu::firmware
