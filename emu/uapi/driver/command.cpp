// Commands: from EXEC_CMD to the firmware and back (linux drivers/accel/amdxdna/amdxdna_ctx.c,
// aie2_ctx.c, and the execution messages of aie2_message.c).
#include <drm/amdxdna_accel.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

constexpr uint32_t kMaxArguments = 4095;

enum State : uint32_t { kNew = 1, kCompleted = 4, kError = 5, kAbort = 6, kTimeout = 8 };

enum Op : uint32_t {
    kStartCu = 0,
    kCommandChain = 19,
    kStartNpu = 20,
    kStartNpuPreempt = 21,
    kStartNpuPreemptElf = 22,
    kNoOp = ~0U,
};

constexpr uint32_t kNoCu = ~0U;
/// aie2_msg_priv.h: words of arguments that fit the messages.
constexpr size_t kMaxNpuArguments = 26 * sizeof(uint32_t);

/// A command packet as the driver reads it. The client may write to it meanwhile, so everything is
/// taken from one copy.
class Packet {
  public:
    explicit Packet(const BoPtr& bo) {
        const std::byte* data = bo->data();
        if (data == nullptr) {
            return;
        }
        uint32_t header = 0;
        std::memcpy(&header, data, sizeof header);
        op_ = header >> 23 & 0x1f;
        const uint32_t count = header >> 12 & 0x7ff;
        const uint32_t masks = op_ == kCommandChain ? 0 : 1 + (header >> 10 & 3);
        std::array<uint32_t, 4> mask_words{};
        std::memcpy(mask_words.data(), data + sizeof header, masks * sizeof(uint32_t));
        for (uint32_t i = 0; i < masks && cu_ == kNoCu; ++i) {
            if (mask_words[i] != 0) {
                cu_ = static_cast<uint32_t>(std::countr_zero(mask_words[i]));
            }
        }
        if (count <= masks || (count + 1) * sizeof(uint32_t) > bo->size) {
            return;
        }
        payload_.resize((count - masks) * sizeof(uint32_t));
        std::memcpy(payload_.data(), data + (1 + masks) * sizeof(uint32_t), payload_.size());
    }

    uint32_t op() const { return op_; }
    uint32_t cu() const { return cu_; }
    /// Bytes after the CU masks; empty when the header's count is impossible.
    const std::vector<std::byte>& payload() const { return payload_; }

    template <typename T>
    T word(size_t offset) const {
        T out{};
        std::memcpy(&out, payload_.data() + offset, sizeof out);
        return out;
    }

  private:
    uint32_t op_ = kNoOp;
    uint32_t cu_ = kNoCu;
    std::vector<std::byte> payload_;
};

constexpr size_t kStartNpuHeader = 16;  // u64 instructions, u32 bytes, u32 properties

/// A chain's slot for one command, at most `room` bytes: 0 or a negative errno.
int fill_slot(const Packet& packet, size_t room, uint32_t& chain_op, std::vector<std::byte>& out) {
    if (chain_op == kNoOp) {
        chain_op = packet.op();
    } else if (chain_op != packet.op()) {
        return -EINVAL;
    }
    const auto& payload = packet.payload();
    firmware::NpuSlot slot{};
    size_t skip = 0;
    switch (packet.op()) {
        case kStartCu:
            if (room < sizeof slot + payload.size()) {
                return -EINVAL;
            }
            slot.type = firmware::NpuSlotType::kNonElf;
            break;
        case kStartNpu:
            if (payload.size() < kStartNpuHeader ||
                payload.size() - kStartNpuHeader > kMaxNpuArguments ||
                room < sizeof slot + payload.size() - kStartNpuHeader) {
                return -EINVAL;
            }
            slot.type = firmware::NpuSlotType::kPartialElf;
            slot.inst_buf_addr = packet.word<uint64_t>(0);
            slot.inst_size = packet.word<uint32_t>(8);
            slot.inst_prop_cnt = packet.word<uint32_t>(12);
            skip = kStartNpuHeader;
            break;
        default:
            return -EOPNOTSUPP;  // the preempting ones need firmware that npu1 does not have
    }
    if (packet.cu() == kNoCu) {
        return -EINVAL;
    }
    slot.cu_idx = packet.cu();
    slot.arg_cnt = static_cast<uint32_t>((payload.size() - skip) / sizeof(uint32_t));
    const auto* bytes = reinterpret_cast<const std::byte*>(&slot);
    out.insert(out.end(), bytes, bytes + sizeof slot);
    out.insert(out.end(), payload.begin() + static_cast<std::ptrdiff_t>(skip), payload.end());
    return 0;
}

void set_packet_state(Bo& bo, uint32_t state) {
    std::byte* data = bo.data();
    if (data == nullptr) {
        return;
    }
    uint32_t header = 0;
    std::memcpy(&header, data, sizeof header);
    header = (header & ~0xfU) | state;
    std::memcpy(data, &header, sizeof header);
}

/// A failed command loses its payload; in a chain, the first one does, whichever failed.
void set_packet_error(Client& client, Bo& bo, uint32_t index, uint32_t state) {
    set_packet_state(bo, state);
    std::byte* data = bo.data();
    if (data == nullptr) {
        return;
    }
    const Packet packet(bo.shared_from_this());
    if (packet.op() != kCommandChain) {
        std::memset(data + sizeof(uint32_t), 0xff, bo.size - sizeof(uint32_t));
        return;
    }
    // Chain: u32 count, submit index, error index, 3 reserved, then the handles.
    uint32_t count = 0;
    uint64_t first = 0;
    std::memcpy(&count, data + 4, sizeof count);
    std::memcpy(&first, data + 28, sizeof first);
    const uint32_t failed = index < count ? index : 0;
    std::memcpy(data + 12, &failed, sizeof failed);
    const BoPtr victim = client.find_bo(static_cast<uint32_t>(first), AMDXDNA_BO_SHARE);
    if (victim && victim->data() != nullptr) {
        std::memset(victim->data() + sizeof(uint32_t), 0xff, victim->size - sizeof(uint32_t));
    }
}

}  // namespace

int Client::exec_cmd(Caller& caller, void* arg) {
    auto& args = *static_cast<amdxdna_drm_exec_cmd*>(arg);
    if (args.ext != 0 || args.ext_flags != 0) {
        return -EINVAL;
    }
    if (args.type != AMDXDNA_CMD_SUBMIT_EXEC_BUF) {
        device_->log(LogLine::Level::kError, "Invalid command type %u", args.type);
        return -EINVAL;
    }
    if (args.arg_count > kMaxArguments) {
        device_->log(LogLine::Level::kError, "Invalid arg bo count %u", args.arg_count);
        return -EINVAL;
    }
    if (args.cmd_count != 1) {
        device_->log(LogLine::Level::kError, "Invalid cmd bo count %u", args.cmd_count);
        return -EINVAL;
    }
    std::vector<uint32_t> handles(args.arg_count);
    if (!handles.empty() &&
        caller.copy_in(handles.data(), args.args, handles.size() * sizeof handles[0]) != 0) {
        return -EFAULT;
    }
    Lock lock(device_->mutex);
    auto job = std::make_shared<Job>();
    uint64_t seq = 0;
    const int error = submit(lock, caller, job, static_cast<uint32_t>(args.cmd_handles), handles,
                             args.hwctx, seq);
    if (error == 0) {
        args.seq = seq;
    }
    job.reset();
    return error;
}

int Client::wait_cmd(Caller& /*caller*/, void* /*arg*/) {
    return -EOPNOTSUPP;  // only AIE4's operations have it
}

int Client::submit(Lock& lock, Caller& caller, const JobPtr& job, uint32_t command,
                   const std::vector<uint32_t>& arguments, uint32_t context_id, uint64_t& seq) {
    Device& device = *device_;
    if (command != AMDXDNA_INVALID_BO_HANDLE) {
        job->command = find_bo(command, AMDXDNA_BO_SHARE);
        if (!job->command) {
            device.log(LogLine::Level::kError, "Failed to get cmd bo from %u", command);
            return -EINVAL;
        }
    } else if (job->kind == Job::Kind::kUser) {
        return -EINVAL;
    }
    for (const uint32_t handle : arguments) {
        BoPtr bo = bos_.find(handle);
        if (!bo) {
            device.log(LogLine::Level::kError, "Argument BOs lookup failed, ret %d", -ENOENT);
            job->bos.clear();
            return -ENOENT;
        }
        job->bos.push_back(std::move(bo));
    }
    const auto found = contexts_.find(context_id);
    if (found == contexts_.end()) {
        return -EINVAL;
    }
    const HwContextPtr context = found->second;
    device.resume_get();
    ++context->submitters;
    int error = 0;
    if (device.wait(lock, caller, Device::Clock::time_point::max(),
                    [&] { return context->slots != 0; }) != Wake::kDone) {
        device.log(LogLine::Level::kError, "Grab job sem failed, ret %d", -EINTR);
        error = -EINTR;
    }
    if (error == 0) {
        // Each reservation can be locked once: a BO, or two of one dma-buf, listed twice cannot.
        std::vector<const Reservation*> locked;
        for (const BoPtr& bo : job->bos) {
            if (std::find(locked.begin(), locked.end(), bo->reservation.get()) != locked.end()) {
                device.log(LogLine::Level::kWarning, "Failed to lock BOs, ret %d", -EALREADY);
                error = -EALREADY;
                break;
            }
            locked.push_back(bo->reservation.get());
        }
    }
    if (error == 0) {
        --context->slots;
        job->context = context;
        job->seq = context->seq++;
        seq = job->seq;
        for (const BoPtr& bo : job->bos) {
            bo->reservation->idle();
            bo->reservation->fences.push_back(job->finished);
        }
        add_point(device, *context->syncobj, job->finished, job->seq);
        // A context that a reset could not bring back takes nothing: done, state untouched.
        if (!context->alive() || run(job) != 0)
            device.fail_unsent(job);
    } else {
        device.suspend_put();
    }
    if (--context->submitters == 0) {
        device.notify();
    }
    return error;
}

int Client::run(const JobPtr& job) {
    Device& device = *device_;
    HwContext& context = *job->context;
    if (context.in_flight.empty()) {
        context.timer = Device::Clock::now();
    }
    context.in_flight.push_back(job);
    int error = 0;
    if (job->kind == Job::Kind::kUser) {
        error = run_user(job);
    } else {
        const uint64_t seq = job->seq;
        const auto done = device.reply_to(job->context, seq);
        const BoPtr& bo = job->bos.front();
        const uint64_t offset = bo->device_address() - kDevBase;
        bool sent = false;
        if (job->kind == Job::Kind::kSyncDebugBo) {
            constexpr uint32_t kDeviceToHost = 2U << 4;
            sent = device.firmware().sync_bo(
                context.firmware_id, {0, offset, static_cast<uint32_t>(bo->size), kDeviceToHost},
                done);
        } else {
            sent = device.firmware().config_debug_bo(
                context.firmware_id,
                {offset, bo->size, job->kind == Job::Kind::kAttachDebugBo ? 1U : 0U}, done);
        }
        error = sent ? 0 : -ENODEV;
    }
    if (error != 0) {
        context.in_flight.remove(job);
        return error;
    }
    device.last_signal = Device::Clock::now();
    if (device.options.tdr_timeout_ms != 0) {
        device.watch_by(context.timer + std::chrono::milliseconds(device.options.tdr_timeout_ms));
    }
    return 0;
}

int Client::run_user(const JobPtr& job) {
    Device& device = *device_;
    HwContext& context = *job->context;
    set_packet_state(*job->command, kNew);
    const Packet packet(job->command);

    if (packet.op() != kCommandChain && !device.options.force_cmdlist) {
        // The messages for one command, without a chain.
        const auto done = device.reply_to(job->context, job->seq);
        const auto& payload = packet.payload();
        switch (packet.op()) {
            case kStartCu: {
                firmware::ExecuteBufferCfRequest request;
                if (payload.size() > sizeof request.payload || packet.cu() == kNoCu) {
                    return -EINVAL;
                }
                request.cu_idx = packet.cu();
                std::memcpy(request.payload, payload.data(), payload.size());
                return device.firmware().execute(context.firmware_id, request, done) ? 0 : -ENODEV;
            }
            case kStartNpu: {
                firmware::ExecDpuRequest request;
                if (payload.size() < kStartNpuHeader ||
                    payload.size() - kStartNpuHeader > sizeof request.payload ||
                    packet.cu() == kNoCu) {
                    return -EINVAL;
                }
                request.inst_buf_addr = packet.word<uint64_t>(0);
                request.inst_size = packet.word<uint32_t>(8);
                request.inst_prop_cnt = packet.word<uint32_t>(12);
                request.cu_idx = packet.cu();
                std::memcpy(request.payload, payload.data() + kStartNpuHeader,
                            payload.size() - kStartNpuHeader);
                return device.firmware().execute(context.firmware_id, request, done) ? 0 : -ENODEV;
            }
            default:
                device.log(LogLine::Level::kError, "Unsupported op %u", packet.op());
                return -EOPNOTSUPP;
        }
    }

    const BoPtr& buffer = context.chain_buffers[job->seq % kMaxInFlight];
    std::byte* room = buffer->data();
    if (room == nullptr) {
        return -ENOMEM;
    }
    std::vector<std::byte> slots;
    uint32_t op = kNoOp;
    uint32_t count = 1;
    if (packet.op() == kCommandChain) {
        constexpr size_t kChainHeader = 24;
        const auto& payload = packet.payload();
        count = payload.size() < sizeof count ? 0 : packet.word<uint32_t>(0);
        if (count == 0 ||
            payload.size() < kChainHeader + static_cast<uint64_t>(count) * sizeof(uint64_t)) {
            device.log(LogLine::Level::kDebug, "Invalid command count %u", count);
            return -EINVAL;
        }
        for (uint32_t i = 0; i < count; ++i) {
            const auto handle =
                static_cast<uint32_t>(packet.word<uint64_t>(kChainHeader + i * sizeof(uint64_t)));
            const BoPtr bo = find_bo(handle, AMDXDNA_BO_SHARE);
            if (!bo) {
                device.log(LogLine::Level::kError, "Failed to find cmd BO %u", handle);
                return -ENOENT;
            }
            if (const int error = fill_slot(Packet(bo), buffer->size - slots.size(), op, slots);
                error != 0) {
                return error;
            }
        }
    } else if (const int error = fill_slot(packet, buffer->size, op, slots); error != 0) {
        if (error == -EOPNOTSUPP) {
            device.log(LogLine::Level::kInfo, "Unsupported op %u", packet.op());
        }
        return error;
    }
    std::memcpy(room, slots.data(), slots.size());
    const firmware::ChainNpuRequest request{0, 0, buffer->dev_address,
                                            static_cast<uint32_t>(slots.size()), count};
    return device.firmware().chain(context.firmware_id, request,
                                   device.reply_to_chain(job->context, job->seq))
               ? 0
               : -ENODEV;
}

JobPtr Device::take(const std::weak_ptr<HwContext>& weak, uint64_t epoch, uint64_t seq) {
    const HwContextPtr context = weak.lock();
    if (!context || context->epoch != epoch) {
        return nullptr;
    }
    const auto job = std::find_if(context->in_flight.begin(), context->in_flight.end(),
                                  [&](const JobPtr& j) { return j->seq == seq; });
    return job == context->in_flight.end() ? nullptr : *job;
}

firmware::Done<uint32_t> Device::reply_to(const HwContextPtr& context, uint64_t seq) {
    return
        [this, weak = std::weak_ptr(context), epoch = context->epoch, seq](const uint32_t& status) {
            const Lock lock(mutex);
            if (const JobPtr job = take(weak, epoch, seq)) {
                if (job->kind != Job::Kind::kUser) {
                    job->result = status;
                } else if (status == firmware::kSuccess) {
                    set_packet_state(*job->command, kCompleted);
                } else {
                    set_packet_error(*job->context->client, *job->command, 0, kError);
                }
                finish(job);
            }
        };
}

firmware::Done<firmware::ChainReply> Device::reply_to_chain(const HwContextPtr& context,
                                                            uint64_t seq) {
    return [this, weak = std::weak_ptr(context), epoch = context->epoch,
            seq](const firmware::ChainReply& reply) {
        const Lock lock(mutex);
        if (const JobPtr job = take(weak, epoch, seq)) {
            if (reply.status == firmware::kSuccess) {
                set_packet_state(*job->command, kCompleted);
            } else {
                set_packet_error(*job->context->client, *job->command, reply.fail_cmd_idx,
                                 reply.fail_cmd_status == firmware::kSuccess ? kAbort : kError);
            }
            finish(job);
        }
    };
}

void Device::finish(const JobPtr& job) {
    HwContext& context = *job->context;
    last_signal = Clock::now();
    context.timer = last_signal;
    ++context.completed;
    ++context.slots;
    context.in_flight.remove(job);
    settle(*job);
}

void Device::fail_unsent(const JobPtr& job) {
    ++job->context->slots;
    job->result = ~0U;
    settle(*job);
}

void Device::settle(Job& job) {
    job.finished->signal();
    job.bos.clear();
    job.command.reset();
    job.context.reset();
    suspend_put();
    if (users_ == 0) {
        release_spans();
    }
    notify();
}

void Device::stop_context(HwContext& context) {
    if (!context.alive()) {
        return;
    }
    ++context.epoch;
    firmware_->destroy_context({context.firmware_id});
    context.firmware_id = kNoFirmwareContext;
    --context_count;
    // What was sent and not answered: the channel is gone, and with it the answer.
    while (!context.in_flight.empty()) {
        const JobPtr job = context.in_flight.front();
        if (job->kind != Job::Kind::kUser) {
            job->result = ~0U;
        } else {
            set_packet_error(*context.client, *job->command, 0, job->timed_out ? kTimeout : kAbort);
        }
        finish(job);
    }
}

}  // namespace xdna::emu::driver
