#include "emu/firmware/controller.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

namespace xdna::emu::firmware {

namespace {

/// npu1_regs.c, hwctx_limit; ids count down (seen on hardware: FIM43-Redeye/xdna-emu,
/// 2026-08-05-phoenix-aie-rw-access-wire-layout-mismatch).
constexpr uint32_t kContexts = 6;
constexpr uint64_t kHeapChunk = 64ULL << 20;
/// Slots of a chain never take more (aie2_msg_priv.h, MAX_CHAIN_CMDBUF_SIZE).
constexpr uint32_t kMaxChain = 4096;

/// What QUERY_AIE_TILE_INFO tells of a Phoenix. Shape: K/npu1_regs.c and firmware metadata; counts:
/// the register database. The column's dump size and the event counts are not known from hardware.
constexpr TileInfo kPhoenix = {.size = 0x2000,
                               .major = 2,
                               .minor = 0,
                               .cols = 5,
                               .rows = 6,
                               .core_rows = 4,
                               .mem_rows = 1,
                               .shim_rows = 1,
                               .core_row_start = 2,
                               .mem_row_start = 1,
                               .shim_row_start = 0,
                               .core_dma_channels = 2,
                               .mem_dma_channels = 6,
                               .shim_dma_channels = 2,
                               .core_locks = 16,
                               .mem_locks = 64,
                               .shim_locks = 16,
                               .core_events = 128,
                               .mem_events = 128,
                               .shim_events = 128,
                               .reserved = 0};

}  // namespace

Firmware::Controller::Controller(Iommu& iommu, LogSink log, Observers observers)
    : iommu_(iommu),
      log_(std::move(log)),
      executor_([this](const AsyncErrorRecord& error,
                       const std::string& what) { report_async(error, what); },
                std::move(observers)),
      thread_([this] { work(); }) {}

Firmware::Controller::~Controller() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        for (auto& [id, context] : contexts_) {
            context->destroyed = true;
        }
    }
    wake_.notify_all();
    thread_.join();
}

TileInfoReply Firmware::Controller::tile_info() const {
    return {kSuccess, kPhoenix};
}

RuntimeConfigReply Firmware::Controller::set_runtime_config(
    const SetRuntimeConfigRequest& request) {
    const std::lock_guard lock(mutex_);
    runtime_config_[request.type] = request.value;
    return {kSuccess, request.value};
}

RuntimeConfigReply Firmware::Controller::get_runtime_config(uint32_t type) const {
    const std::lock_guard lock(mutex_);
    const auto found = runtime_config_.find(type);
    if (found == runtime_config_.end()) {
        return {kMgmtInvalidParam, 0};
    }
    return {kSuccess, found->second};
}

CreateContextReply Firmware::Controller::create_context(const CreateContextRequest& request) {
    CreateContextReply reply;
    if (request.num_col == 0 || request.start_col + request.num_col > kPhoenix.cols) {
        reply.status = kMgmtInvalidParam;
        return reply;
    }
    auto context = std::make_shared<Context>();
    context->memory.attach(iommu_.space(request.pasid));
    const std::lock_guard lock(mutex_);
    if (contexts_.size() == kContexts) {
        reply.status = kMgmtNoAvail;
        return reply;
    }
    uint32_t id = kContexts - 1;
    while (contexts_.count(id) != 0) {
        --id;
    }
    context->id = id;
    context->serial = next_serial_++;
    context->start_column = request.start_col;
    context->columns = request.num_col;
    contexts_[id] = std::move(context);
    reply.context_id = id;
    reply.msix_id = static_cast<uint16_t>(id);
    return reply;
}

uint32_t Firmware::Controller::destroy_context(uint32_t id, std::function<void()> at_rest) {
    const std::lock_guard lock(mutex_);
    const auto found = contexts_.find(id);
    if (found == contexts_.end()) {
        return kMgmtInvalidParam;
    }
    found->second->at_rest = std::move(at_rest);
    found->second->destroyed = true;
    ready_.push_back(std::move(found->second));
    contexts_.erase(found);
    wake_.notify_all();
    return kSuccess;
}

uint32_t Firmware::Controller::map_host_buffer(const MapHostBufferRequest& request) {
    const std::lock_guard lock(mutex_);
    const auto found = contexts_.find(request.context_id);
    if (found == contexts_.end() || request.buf_size != kHeapChunk) {
        return kMgmtInvalidParam;
    }
    found->second->memory.map_heap(request.buf_addr, request.buf_size);
    return kSuccess;
}

ColumnStatusReply Firmware::Controller::column_status(const ColumnStatusRequest& request) {
    const auto columns = static_cast<uint32_t>(__builtin_popcount(request.aie_bitmap));
    if (columns != request.num_cols || columns * kPhoenix.size > request.dump_buff_size) {
        return {kInvalidParam, 0};
    }
    // What stands in a column's dump is not public. It has its size, and nothing to be read out of.
    const uint32_t size = columns * kPhoenix.size;
    const auto host = iommu_.space(0);
    const std::vector<std::byte> filler(size, std::byte{0xff});
    if (size != 0 && (!host || !host->write(request.dump_buff_addr, filler.data(), size))) {
        return {kInvalidInputBuffer, 0};
    }
    return {kSuccess, size};
}

TelemetryReply Firmware::Controller::telemetry(const TelemetryRequest& request) {
    // Phoenix answers with filler (FIM43-Redeye/xdna-emu,
    // 2026-05-06-npu1-msg-op-capability-survey).
    const auto host = iommu_.space(0);
    const std::vector<std::byte> filler(request.buf_size, std::byte{0xff});
    if (!host ||
        (request.buf_size != 0 && !host->write(request.buf_addr, filler.data(), filler.size()))) {
        return {0, 0, 0, kInvalidInputBuffer};
    }
    return {0, 0, request.buf_size, kSuccess};
}

uint32_t Firmware::Controller::suspend() {
    const std::lock_guard lock(mutex_);
    async_buffers_.clear();
    return contexts_.empty() ? kSuccess : kMgmtInvalidParam;
}

uint32_t Firmware::Controller::resume() {
    return kSuccess;
}

uint32_t Firmware::Controller::register_async_event(const AsyncEventRequest& request,
                                                    Done<AsyncEventReply> done) {
    const std::lock_guard lock(mutex_);
    async_buffers_.push_back({request, std::move(done)});
    return kSuccess;
}

bool Firmware::Controller::config_cu(uint32_t id, const ConfigCuRequest& request,
                                     Done<uint32_t> done) {
    Task task;
    uint32_t status = kSuccess;
    {
        const std::lock_guard lock(mutex_);
        const auto found = contexts_.find(id);
        if (found == contexts_.end()) {
            return false;
        }
        if (request.num_cus > std::size(request.cfgs)) {
            status = kInvalidParam;
        } else {
            found->second->cus.assign(request.cfgs, request.cfgs + request.num_cus);
        }
    }
    task.done = [done = std::move(done), status](const ChainReply&) { done(status); };
    return enqueue(id, std::move(task));
}

bool Firmware::Controller::enqueue(uint32_t id, Task task) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = contexts_.find(id);
        if (found == contexts_.end()) {
            return false;
        }
        found->second->queue.push_back(std::move(task));
        ready_.push_back(found->second);
    }
    wake_.notify_one();
    return true;
}

void Firmware::Controller::work() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        if (ready_.empty()) {
            wake_.wait(lock);
            continue;
        }
        std::shared_ptr<Context> context = std::move(ready_.front());
        ready_.pop_front();
        if (context->destroyed) {
            context->queue.clear();
            lock.unlock();
            executor_.retire(*context);
            if (const auto at_rest = std::exchange(context->at_rest, nullptr)) {
                at_rest();
            }
            context.reset();
            lock.lock();
            continue;
        }
        Task task = std::move(context->queue.front());
        context->queue.pop_front();
        lock.unlock();
        if (!context->hung) {
            const auto reply = run(*context, task);
            if (reply && !context->destroyed) {
                task.done(*reply);
            }
        }
        task = {};
        context.reset();
        lock.lock();
    }
}

std::optional<ChainReply> Firmware::Controller::run(Context& context, Task& task) {
    const auto complain = [&](size_t index, const std::string& what) {
        log_(true, "context " + std::to_string(context.id) + ", command " + std::to_string(index) +
                       ": " + what);
    };
    std::string problem;
    if (task.chain) {
        std::vector<uint8_t> bytes(std::min<uint32_t>(task.chain->size, kMaxChain));
        if (!context.memory.read(task.chain->address, bytes.data(), bytes.size())) {
            complain(0, "the chain's buffer is not mapped");
            return ChainReply{kInvalidInputBuffer, 0, kInvalidInputBuffer};
        }
        if (!parse_chain(task.chain->opcode, bytes, task.chain->count, task.launches, problem)) {
            const auto index = static_cast<uint32_t>(task.launches.size());
            complain(index, problem);
            return ChainReply{kInvalidCommand, index, kInvalidCommand};
        }
    }
    for (uint32_t index = 0; index < task.launches.size(); ++index) {
        const Outcome outcome = executor_.launch(context, task.launches[index], index);
        switch (outcome.kind) {
            case Outcome::Kind::kCancelled:
                return std::nullopt;
            case Outcome::Kind::kHung:
                context.hung = true;
                complain(index, "hangs: " + outcome.problem);
                return std::nullopt;
            case Outcome::Kind::kDone:
                break;
        }
        if (outcome.status != kSuccess) {
            char code[16];
            std::snprintf(code, sizeof code, " (0x%x): ", outcome.status);
            complain(index, status_text(outcome.status) + std::string(code) + outcome.problem);
            return ChainReply{outcome.status, index, outcome.status};
        }
    }
    return ChainReply{};
}

void Firmware::Controller::report_async(const AsyncErrorRecord& error, const std::string& what) {
    log_(true, "array: " + what);
    Parked parked;
    {
        const std::lock_guard lock(mutex_);
        if (async_buffers_.empty()) {
            return;
        }
        parked = std::move(async_buffers_.front());
        async_buffers_.pop_front();
    }
    struct {
        AsyncErrorHeader header;
        AsyncErrorRecord record;
    } event{{1, 0, 0}, error};
    const auto host = iommu_.space(0);
    const bool written = host && parked.request.buf_size >= sizeof event &&
                         host->write(parked.request.buf_addr, &event, sizeof event);
    parked.done({written ? kSuccess : kInvalidInputBuffer, 0});
}

}  // namespace xdna::emu::firmware
