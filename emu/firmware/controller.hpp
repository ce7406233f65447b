// The controller's own thread and its tables. Contexts take turns: one task at a time.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "emu/firmware/context.hpp"
#include "emu/firmware/executor.hpp"
#include "emu/firmware/firmware.hpp"
#include "emu/firmware/task.hpp"

namespace xdna::emu::firmware {

class Firmware::Controller {
  public:
    Controller(Iommu& iommu, LogSink log, Observers observers);
    ~Controller();
    Controller(const Controller&) = delete;
    Controller& operator=(const Controller&) = delete;

    TileInfoReply tile_info() const;
    RuntimeConfigReply set_runtime_config(const SetRuntimeConfigRequest& request);
    RuntimeConfigReply get_runtime_config(uint32_t type) const;
    CreateContextReply create_context(const CreateContextRequest& request);
    uint32_t destroy_context(uint32_t id, std::function<void()> at_rest);
    uint32_t map_host_buffer(const MapHostBufferRequest& request);
    ColumnStatusReply column_status(const ColumnStatusRequest& request);
    TelemetryReply telemetry(const TelemetryRequest& request);
    uint32_t suspend();
    uint32_t resume();
    uint32_t register_async_event(const AsyncEventRequest& request, Done<AsyncEventReply> done);
    bool config_cu(uint32_t context, const ConfigCuRequest& request, Done<uint32_t> done);
    bool enqueue(uint32_t context, Task task);
    int64_t running_cycles() const { return executor_.running_cycles(); }

  private:
    struct Parked {
        AsyncEventRequest request;
        Done<AsyncEventReply> done;
    };

    void work();
    /// The reply, or nothing where none will come.
    std::optional<ChainReply> run(Context& context, Task& task);
    void report_async(const AsyncErrorRecord& error, const std::string& what);

    Iommu& iommu_;
    const LogSink log_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::map<uint32_t, uint64_t> runtime_config_;
    std::map<uint32_t, std::shared_ptr<Context>> contexts_;
    std::deque<std::shared_ptr<Context>> ready_;  ///< one entry for each task, one for the end
    std::deque<Parked> async_buffers_;
    uint64_t next_serial_ = 1;
    Executor executor_;
    std::thread thread_;
};

}  // namespace xdna::emu::firmware
