#include "emu/firmware/firmware.hpp"

#include "emu/firmware/controller.hpp"

namespace xdna::emu::firmware {

Firmware::Firmware(Iommu& iommu, LogSink log, Observers observers)
    : controller_(std::make_unique<Controller>(iommu, std::move(log), std::move(observers))) {}

Firmware::~Firmware() = default;

TileInfoReply Firmware::query_tile_info() const {
    return controller_->tile_info();
}
AieVersionReply Firmware::query_aie_version() const {
    const TileInfo info = controller_->tile_info().info;
    return {kSuccess, info.major, info.minor};
}
FirmwareVersionReply Firmware::query_version() const {
    // The last version known from hardware with protocol 5.8 (FIM43-Redeye/xdna-emu, docs).
    return {kSuccess, 1, 5, 5, 391};
}
RuntimeConfigReply Firmware::set_runtime_config(const SetRuntimeConfigRequest& request) {
    return controller_->set_runtime_config(request);
}
RuntimeConfigReply Firmware::get_runtime_config(uint32_t type) const {
    return controller_->get_runtime_config(type);
}
CreateContextReply Firmware::create_context(const CreateContextRequest& request) {
    return controller_->create_context(request);
}
uint32_t Firmware::destroy_context(const DestroyContextRequest& request,
                                   std::function<void()> at_rest) {
    return controller_->destroy_context(request.context_id, std::move(at_rest));
}
uint32_t Firmware::map_host_buffer(const MapHostBufferRequest& request) {
    return controller_->map_host_buffer(request);
}
ColumnStatusReply Firmware::query_column_status(const ColumnStatusRequest& request) {
    return controller_->column_status(request);
}
TelemetryReply Firmware::get_telemetry(const TelemetryRequest& request) {
    return controller_->telemetry(request);
}
uint32_t Firmware::suspend() {
    return controller_->suspend();
}
uint32_t Firmware::resume() {
    return controller_->resume();
}
uint32_t Firmware::register_async_event(const AsyncEventRequest& request,
                                        Done<AsyncEventReply> done) {
    return controller_->register_async_event(request, std::move(done));
}
int64_t Firmware::running_cycles() const {
    return controller_->running_cycles();
}
bool Firmware::config_cu(uint32_t context, const ConfigCuRequest& request, Done<uint32_t> done) {
    return controller_->config_cu(context, request, std::move(done));
}
bool Firmware::execute(uint32_t context, const ExecuteBufferCfRequest& request,
                       Done<uint32_t> done) {
    Task task;
    task.launches.push_back(launch_of(request));
    task.done = [done = std::move(done)](const ChainReply& reply) { done(reply.fail_cmd_status); };
    return controller_->enqueue(context, std::move(task));
}
bool Firmware::execute(uint32_t context, const ExecDpuRequest& request, Done<uint32_t> done) {
    Task task;
    task.launches.push_back(launch_of(request));
    task.done = [done = std::move(done)](const ChainReply& reply) { done(reply.fail_cmd_status); };
    return controller_->enqueue(context, std::move(task));
}
bool Firmware::chain(uint32_t context, Opcode opcode, const ChainRequest& request,
                     Done<ChainReply> done) {
    Task task;
    task.chain = ChainBuffer{opcode, request.buf_addr, request.buf_size, request.count};
    task.done = std::move(done);
    return controller_->enqueue(context, std::move(task));
}
bool Firmware::chain(uint32_t context, const ChainNpuRequest& request, Done<ChainReply> done) {
    return chain(context, Opcode::kChainExecNpu,
                 ChainRequest{request.buf_addr, request.buf_size, request.count}, std::move(done));
}
bool Firmware::sync_bo(uint32_t context, const SyncBoRequest& /*request*/, Done<uint32_t> done) {
    // The device's memory is the host's here: there is nothing to bring back.
    Task task;
    task.done = [done = std::move(done)](const ChainReply& reply) { done(reply.status); };
    return controller_->enqueue(context, std::move(task));
}
bool Firmware::config_debug_bo(uint32_t context, const ConfigDebugBoRequest& /*request*/,
                               Done<uint32_t> done) {
    Task task;
    task.done = [done = std::move(done)](const ChainReply& reply) { done(reply.status); };
    return controller_->enqueue(context, std::move(task));
}

}  // namespace xdna::emu::firmware
