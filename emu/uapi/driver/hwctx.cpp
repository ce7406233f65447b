// Hardware contexts: creation, configuration, teardown (linux drivers/accel/amdxdna/amdxdna_ctx.c,
// aie2_ctx.c, and the context messages of aie2_message.c).
#include "emu/uapi/driver/hwctx.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

constexpr uint32_t kMaxContext = 255;
constexpr uint32_t kFirstColumn = 1;             // npu1_regs.c
constexpr uint32_t kOperationsPerColumn = 2048;  // npu1_regs.c, col_opc
constexpr uint32_t kMaxCus = 32;
constexpr uint64_t kChainBufferSize = 4096;
constexpr uint32_t kHighPriority = 2;
constexpr auto kDrainTime = std::chrono::seconds(2);

}  // namespace

int Client::init_context(const HwContextPtr& context) {
    Device& device = *device_;
    if (heaps_.empty()) {
        device.log(LogLine::Level::kError, "The client dev heap object not exist");
        return -ENOENT;
    }
    context->heap = heaps_.front();
    for (BoPtr& buffer : context->chain_buffers) {
        if (const int error = create_dev(kChainBufferSize, buffer); error != 0) {
            return error;
        }
    }

    // The columns where it may start.
    if (context->num_tiles == 0) {
        device.log(LogLine::Level::kError, "Number of tiles is zero");
        return -EINVAL;
    }
    const uint32_t columns = context->num_tiles / device.tiles.core_rows;
    if (columns == 0 || columns > device.tiles.cols) {
        device.log(LogLine::Level::kError, "Invalid num_col %u", columns);
        return -EINVAL;
    }
    context->num_col = columns;
    const uint32_t last = device.tiles.cols - columns;
    for (uint32_t start = last == 0 ? 0 : kFirstColumn; start <= last; ++start) {
        context->start_columns.push_back(start);
    }

    device.resume_get();
    const QosRequest qos{context->qos.gops, context->qos.fps, context->qos.latency};
    const uint32_t opc = kOperationsPerColumn * columns;
    const auto id = reinterpret_cast<uintptr_t>(context.get());
    int error = device.solver.check(qos, columns, opc);
    if (error != 0) {
        device.log(LogLine::Level::kError, "invalid request");
    } else {
        error = device.solver.allocate(id, context->start_columns, columns, context->start_col);
    }
    if (error != 0) {
        device.log(LogLine::Level::kError, "Alloc hw resource failed, ret %d", error);
        device.suspend_put();
        return error;
    }
    error = device.create_firmware_context(*context);
    if (error == 0) {
        device.set_default_level(device.solver.set_level(id, qos, opc));
        const uint32_t status = device.firmware().map_host_buffer(
            {context->firmware_id,
             context->heap->iova != kInvalidAddress ? context->heap->iova
                                                    : context->heap->user_address,
             context->heap->size});
        error = status == firmware::kSuccess ? 0 : -EINVAL;
        if (error != 0) {
            device.log(LogLine::Level::kError, "Map host buffer failed, ret %d", error);
            device.stop_context(*context);
        }
    }
    if (error != 0) {
        device.solver.release(id);
    } else {
        context->syncobj = std::make_shared<Syncobj>();
    }
    device.suspend_put();
    return error;
}

int Client::create_hwctx(Caller& caller, void* arg) {
    auto& args = *static_cast<amdxdna_drm_create_hwctx*>(arg);
    if (args.ext != 0 || args.ext_flags != 0) {
        return -EINVAL;
    }
    amdxdna_qos_info qos{};
    if (caller.copy_in(&qos, args.qos_p, sizeof qos) != 0) {
        device_->log(LogLine::Level::kError, "Access QoS info failed");
        return -EFAULT;
    }
    Lock lock(device_->mutex);
    auto context = std::make_shared<HwContext>();
    context->client = this;
    context->qos = qos;
    context->num_tiles = args.num_tiles;
    int error = init_context(context);
    if (error != 0) {
        device_->log(LogLine::Level::kError, "Init hwctx failed, ret %d", error);
        context.reset();
        return error;
    }
    if (contexts_.size() == kMaxContext) {
        device_->log(LogLine::Level::kError, "Allocate hwctx ID failed, ret %d", -EBUSY);
        destroy_context(lock, context);
        context.reset();
        return -EBUSY;
    }
    // xa_alloc_cyclic(): the next number that is free, around the end.
    do {
        next_context_ = next_context_ % kMaxContext + 1;
    } while (contexts_.count(next_context_) != 0);
    context->id = next_context_;
    contexts_[context->id] = context;
    args.handle = context->id;
    args.syncobj_handle = syncobjs_.insert(context->syncobj);
    args.umq_doorbell = AMDXDNA_INVALID_DOORBELL_OFFSET;
    context.reset();
    return 0;
}

void Client::destroy_context(Lock& lock, const HwContextPtr& context) {
    Device& device = *device_;
    const auto settle = [&](Device::Clock::time_point deadline, const auto& done) {
        while (!done()) {
            if (!device.sleep(lock, deadline)) {
                return;
            }
        }
    };
    const auto submitted = [&] { return context->submitters == 0; };
    settle(Device::Clock::now() + kDrainTime,
           [&] { return submitted() && context->in_flight.empty(); });
    device.stop_context(*context);
    settle(Device::Clock::time_point::max(), submitted);
    device.solver.release(reinterpret_cast<uintptr_t>(context.get()));
    device.set_default_level(device.solver.highest_level());
    // References to BOs end here, with the lock held.
    context->heap.reset();
    context->chain_buffers = {};
    context->client = nullptr;
}

int Client::destroy_hwctx(Caller& /*caller*/, void* arg) {
    const auto& args = *static_cast<amdxdna_drm_destroy_hwctx*>(arg);
    if (args.pad != 0) {
        return -EINVAL;
    }
    Lock lock(device_->mutex);
    const auto found = contexts_.find(args.handle);
    if (found == contexts_.end()) {
        return -EINVAL;
    }
    const HwContextPtr context = found->second;
    contexts_.erase(found);
    destroy_context(lock, context);
    return 0;
}

int Client::config_cu(const HwContextPtr& context, const std::vector<uint8_t>& buffer,
                      uint32_t size) {
    amdxdna_hwctx_param_config_cu header;  // see Client::create_user_pages
    std::memcpy(&header, buffer.data(), sizeof header);
    if (std::any_of(std::begin(header.pad), std::end(header.pad), [](auto p) { return p != 0; })) {
        return -EINVAL;
    }
    if (context->configured) {
        device_->log(LogLine::Level::kError, "Not support re-config CU");
        return -EINVAL;
    }
    if (header.num_cus == 0) {
        device_->log(LogLine::Level::kError, "Number of CU is zero");
        return -EINVAL;
    }
    if (sizeof header + header.num_cus * sizeof(amdxdna_cu_config) > size) {
        device_->log(LogLine::Level::kError, "CU config larger than size");
        return -EINVAL;
    }
    context->cus.resize(header.num_cus);
    std::memcpy(context->cus.data(), buffer.data() + sizeof header,
                header.num_cus * sizeof(amdxdna_cu_config));
    const int error = device_->send_cu_config(*context);
    if (error != 0) {
        device_->log(LogLine::Level::kError, "Config CU to firmware failed, ret %d", error);
        context->cus.clear();
        return error;
    }
    context->configured = true;
    return 0;
}

int Client::config_debug_bo(Lock& lock, Caller& caller, const HwContextPtr& context,
                            uint32_t handle, bool attach) {
    const BoPtr bo = find_bo(handle, AMDXDNA_BO_DEV);
    if (!bo) {
        device_->log(LogLine::Level::kError, "Get bo %u failed", handle);
        return -EINVAL;
    }
    if (attach && bo->assigned_context != AMDXDNA_INVALID_CTX_HANDLE) {
        return -EBUSY;
    }
    if (!attach && bo->assigned_context != context->id) {
        return -EINVAL;
    }
    const auto job = std::make_shared<Job>();
    job->kind = attach ? Job::Kind::kAttachDebugBo : Job::Kind::kDetachDebugBo;
    uint64_t seq = 0;
    if (const int error =
            submit(lock, caller, job, AMDXDNA_INVALID_BO_HANDLE, {handle}, context->id, seq);
        error != 0) {
        return error;
    }
    while (!job->finished->signaled()) {
        device_->sleep(lock, Device::Clock::time_point::max());
    }
    if (job->result != 0) {
        device_->log(LogLine::Level::kError, "Response failure 0x%x", job->result);
        return -EINVAL;
    }
    bo->assigned_context = attach ? context->id : AMDXDNA_INVALID_CTX_HANDLE;
    return 0;
}

int Client::sync_debug_bo(Lock& lock, Caller& caller, uint32_t handle) {
    uint32_t id = 0;
    {
        const BoPtr bo = bos_.find(handle);
        if (!bo) {
            return -EINVAL;
        }
        id = bo->assigned_context;
    }
    if (contexts_.count(id) == 0) {
        return -EINVAL;
    }
    const auto job = std::make_shared<Job>();
    job->kind = Job::Kind::kSyncDebugBo;
    uint64_t seq = 0;
    if (const int error = submit(lock, caller, job, AMDXDNA_INVALID_BO_HANDLE, {handle}, id, seq);
        error != 0) {
        return error;
    }
    while (!job->finished->signaled()) {
        device_->sleep(lock, Device::Clock::time_point::max());
    }
    if (job->result != 0) {
        device_->log(LogLine::Level::kError, "Response failure 0x%x", job->result);
        return -EINVAL;
    }
    return 0;
}

int Client::config_hwctx(Caller& caller, void* arg) {
    const auto& args = *static_cast<amdxdna_drm_config_hwctx*>(arg);
    if (args.pad != 0) {
        return -EINVAL;
    }
    std::vector<uint8_t> buffer;
    switch (args.param_type) {
        case DRM_AMDXDNA_HWCTX_CONFIG_CU:
            if (args.param_val_size > kPageSize) {
                device_->log(LogLine::Level::kError, "Config CU param buffer too large");
                return -E2BIG;
            }
            buffer.resize(kPageSize);
            if (args.param_val_size != 0 &&
                caller.copy_in(buffer.data(), args.param_val, args.param_val_size) != 0) {
                return -EFAULT;
            }
            break;
        case DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF:
        case DRM_AMDXDNA_HWCTX_REMOVE_DBG_BUF:
            break;
        default:
            return -EINVAL;
    }
    Lock lock(device_->mutex);
    device_->resume_get();
    int error = -EINVAL;
    if (const auto found = contexts_.find(args.handle); found != contexts_.end()) {
        const HwContextPtr context = found->second;
        error = args.param_type == DRM_AMDXDNA_HWCTX_CONFIG_CU
                    ? config_cu(context, buffer, args.param_val_size)
                    : config_debug_bo(lock, caller, context, static_cast<uint32_t>(args.param_val),
                                      args.param_type == DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF);
    }
    device_->suspend_put();
    return error;
}

int Device::create_firmware_context(HwContext& context) {
    firmware::CreateContextRequest request;
    request.start_col = static_cast<uint8_t>(context.start_col);
    request.num_col = static_cast<uint8_t>(context.num_col);
    request.pasid = options.force_iova ? 0 : static_cast<uint16_t>(context.client->pasid());
    request.context_priority = kHighPriority;  // npu1 has no preemption
    const auto reply = firmware_->create_context(request);
    if (reply.status != firmware::kSuccess) {
        log(LogLine::Level::kError, "command opcode 0x2 failed, status 0x%x", reply.status);
        log(LogLine::Level::kError, "create context failed, ret %d", -EINVAL);
        return -EINVAL;
    }
    context.firmware_id = reply.context_id;
    ++context_count;
    return 0;
}

int Device::restart_context(HwContext& context) {
    if (const int error = create_firmware_context(context); error != 0) {
        return error;
    }
    const uint32_t status = firmware_->map_host_buffer(
        {context.firmware_id,
         context.heap->iova != kInvalidAddress ? context.heap->iova : context.heap->user_address,
         context.heap->size});
    if (status != firmware::kSuccess) {
        log(LogLine::Level::kError, "Map host buf failed, ret %d", -EINVAL);
        return -EINVAL;
    }
    return context.configured ? send_cu_config(context) : 0;
}

int Device::send_cu_config(HwContext& context) {
    if (!context.alive()) {
        return -ENODEV;
    }
    if (context.cus.size() > kMaxCus) {
        return -EINVAL;
    }
    firmware::ConfigCuRequest request;
    request.num_cus = static_cast<uint32_t>(context.cus.size());
    for (size_t i = 0; i < context.cus.size(); ++i) {
        const amdxdna_cu_config& cu = context.cus[i];
        if (std::any_of(std::begin(cu.pad), std::end(cu.pad), [](auto p) { return p != 0; })) {
            return -EINVAL;
        }
        const BoPtr bo = context.client->find_bo(cu.cu_bo);
        if (!bo) {
            log(LogLine::Level::kError, "Lookup GEM object failed");
            return -EINVAL;
        }
        if (bo->type != AMDXDNA_BO_DEV) {
            log(LogLine::Level::kError, "Invalid BO type");
            return -EINVAL;
        }
        request.cfgs[i] =
            static_cast<uint32_t>(bo->dev_address >> 15) | static_cast<uint32_t>(cu.cu_func) << 17;
    }
    resume_get();
    const bool sent =
        firmware_->config_cu(context.firmware_id, request, [this](const uint32_t& status) {
            if (status != firmware::kSuccess) {
                log(LogLine::Level::kError, "CONFIG_CU failed, status 0x%x", status);
            }
        });
    suspend_put();
    return sent ? 0 : -ENODEV;
}

}  // namespace xdna::emu::driver
