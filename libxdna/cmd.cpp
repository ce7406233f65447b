#include "libxdna/cmd.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>

#include "libxdna/error.hpp"
#include "libxdna/os.hpp"

namespace xdna {
namespace {

using ull = unsigned long long;

/// The driver writes the state before it signals the command's fence.
uint32_t packet_state(const xdna_cmd* cmd) {
    return __atomic_load_n(cmd->packet, __ATOMIC_ACQUIRE) & kStateMask;
}

/// Writes a packet's payload anew: what a failure has left of it is 0xff.
void restore(xdna_cmd* cmd) {
    std::memcpy(cmd->packet + 1, cmd->words.data() + 1, (cmd->words.size() - 1) * sizeof(uint32_t));
}

/// Reads how a command failed, before its packet is restored.
[[gnu::cold]] void keep_failure(xdna_cmd* cmd) {
    xdna_cmd_result& result = cmd->result;
    result = {};
    result.state = static_cast<xdna_cmd_state>(cmd->state);
    result.sequence = cmd->exec.seq;
    // A chain's failure is written into the packet of its first command, whichever failed.
    xdna_cmd* struck = cmd;
    if (cmd->opcode == Opcode::kCmdChain) {
        result.failed_index = cmd->packet[kChainErrorIndex];
        struck = cmd->members[0];
    }
    const uint32_t* payload = struck->packet + 1;
    if (cmd->state == XDNA_CMD_TIMEOUT && payload[0] == kHealthVersion &&
        payload[1] == kHealthGeneration) {
        result.has_health = 1;
        result.failed_operation = payload[2];
        result.context_pc = payload[3];
        result.fatal_error_type = payload[4];
        result.exception_type = payload[5];
        result.exception_pc = payload[6];
        result.app_module = payload[7];
    }
    restore(struck);
    if (struck != cmd) {
        restore(cmd);
    }
}

/// Takes note that the command has ended.
void settle(xdna_cmd* cmd) {
    cmd->state = packet_state(cmd);
    cmd->is_in_flight = false;
    if (cmd->state != XDNA_CMD_COMPLETED) {
        keep_failure(cmd);
    }
}

const char* explain(uint32_t state) {
    switch (state) {
        case XDNA_CMD_NEW:
            return "the driver did not give it to the NPU: it refused the packet (opcode, CU or "
                   "size; or the context has no such CU), or an earlier command of the context "
                   "hung, or "
                   "the context was destroyed";
        case XDNA_CMD_ERROR:
            return "the firmware ended it with an error: a bad PDI or control code, or an AIE "
                   "error "
                   "(xdna_query_last_async_error() has the last; the kernel log names the status)";
        case XDNA_CMD_ABORTED:
            return "it was cancelled: its context was reset or destroyed before it was done";
        case XDNA_CMD_TIMEOUT:
            return "it hung, or ran longer than the driver's tdr_timeout_ms (2000 ms by default), "
                   "and the context was reset";
        case XDNA_CMD_NO_RESPONSE:
            return "the firmware did not respond";
        default:
            return "the driver left it unfinished";
    }
}

/// The outcome of a command that is not in flight.
int outcome(const xdna_cmd* cmd) {
    if (cmd->state == XDNA_CMD_COMPLETED) {
        return 0;
    }
    const xdna_cmd_result& result = cmd->result;
    char where[96] = "";
    if (cmd->opcode == Opcode::kCmdChain && cmd->state != XDNA_CMD_NEW) {
        std::snprintf(where, sizeof where, ", in command %u of the chain", result.failed_index);
    }
    char health[96] = "";
    if (result.has_health != 0) {
        std::snprintf(health, sizeof health,
                      "; it stood at control-code operation %u, fatal error type %u",
                      result.failed_operation, result.fatal_error_type);
    }
    return fail(-EIO, "xdna_cmd_wait: command %llu ended '%s'%s: %s%s",
                static_cast<ull>(cmd->exec.seq), xdna_cmd_state_name(result.state), where,
                explain(cmd->state), health);
}

constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

int wait_timeline(xdna_cmd* cmd, int64_t timeout_ns) {
    if (cmd->hwctx->syncobj == 0) {
        return -EOPNOTSUPP;
    }
    // The deadline is absolute; one in the past only looks.
    int64_t deadline = timeout_ns < 0 ? kForever : 0;
    if (timeout_ns > 0) {
        const int64_t now = os::monotonic_ns();
        deadline = timeout_ns > kForever - now ? kForever : now + timeout_ns;
    }
    cmd->timeline.timeout_nsec = deadline;
    return os::ioctl(cmd->fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &cmd->timeline);
}

int wait_cmd(xdna_cmd* cmd, int64_t timeout_ns) {
    // Milliseconds, and 0 is for ever: to only look takes the shortest wait there is.
    constexpr int64_t kMillisecond = 1'000'000;
    constexpr int64_t kLongest = std::numeric_limits<uint32_t>::max();
    amdxdna_drm_wait_cmd wait{};
    wait.hwctx = cmd->hwctx->handle;
    wait.seq = cmd->exec.seq;
    if (timeout_ns >= 0) {
        const int64_t rounded = timeout_ns / kMillisecond + (timeout_ns % kMillisecond != 0);
        wait.timeout = static_cast<uint32_t>(std::min(std::max<int64_t>(rounded, 1), kLongest));
    }
    return os::ioctl(cmd->fd, DRM_IOCTL_AMDXDNA_WAIT_CMD, &wait);
}

int wait_by(WaitMethod method, xdna_cmd* cmd, int64_t timeout_ns) {
    return method == WaitMethod::kTimeline ? wait_timeline(cmd, timeout_ns)
                                           : wait_cmd(cmd, timeout_ns);
}

/// What kernels answer to a wait that they do not have: amdxdna_ctx.c and drm_ioctl.c.
bool is_missing(int error) {
    return error == -EOPNOTSUPP || error == -EINVAL || error == -ENOTTY || error == -ENOSYS;
}

/// 0 once the command has ended, -ETIME, or what else the kernel said.
int wait_for_end(xdna_cmd* cmd, int64_t timeout_ns) {
    xdna_device* device = cmd->hwctx->device;
    const WaitMethod method = device->wait_method.load(std::memory_order_relaxed);
    const int error = wait_by(method, cmd, timeout_ns);
    if (!is_missing(error)) {
        return error;
    }
    // Mainline drivers know the timeline and refuse WAIT_CMD; others may do the opposite.
    const WaitMethod other =
        method == WaitMethod::kTimeline ? WaitMethod::kWaitCmd : WaitMethod::kTimeline;
    const int other_error = wait_by(other, cmd, timeout_ns);
    if (is_missing(other_error)) {
        return error;
    }
    device->wait_method.store(other, std::memory_order_relaxed);
    return other_error;
}

void release_members(xdna_cmd* cmd) {
    for (xdna_cmd* member : cmd->members) {
        if (member->chain == cmd) {
            member->chain = nullptr;
        }
        unref(member);
    }
    cmd->members.clear();
}

}  // namespace

void clear(xdna_cmd* cmd) {
    release_members(cmd);
    for (xdna_bo* bo : cmd->bound) {
        unref(bo);
    }
    cmd->bound.clear();
    cmd->handles.clear();
    cmd->exec.arg_count = 0;
    cmd->is_filled = false;
    cmd->is_submitted = false;
    cmd->state = XDNA_CMD_NEW;
    cmd->result = {};
}

void unref(xdna_cmd* cmd) {
    if (--cmd->refs != 0) {
        return;
    }
    clear(cmd);
    unref(cmd->bo);
    unref(cmd->hwctx);
    delete cmd;
}

bool is_busy(xdna_cmd* cmd) {
    if (!cmd->is_in_flight) {
        return false;
    }
    if (packet_state(cmd) == XDNA_CMD_COMPLETED ||
        cmd->hwctx->is_ended.load(std::memory_order_acquire) || wait_for_end(cmd, 0) == 0) {
        settle(cmd);
        return false;
    }
    return true;
}

}  // namespace xdna

using xdna::Call;
using xdna::fail;
using xdna::fail_call;
using xdna::fail_with;

const char* xdna_cmd_state_name(enum xdna_cmd_state state) {
    constexpr const char* kNames[] = {nullptr, "new",     "queued",    "running",   "completed",
                                      "error", "aborted", "submitted", "timed out", "no response"};
    const auto index = static_cast<unsigned>(state);
    return index < std::size(kNames) && kNames[index] != nullptr ? kNames[index] : "unknown state";
}

int xdna_cmd_create(struct xdna_hwctx* hwctx, uint64_t capacity, struct xdna_cmd** out) {
    constexpr const char* kWho = "xdna_cmd_create";
    return xdna::guarded(kWho, [&] {
        if (hwctx == nullptr || out == nullptr) {
            return fail(-EINVAL, "%s: %s is NULL", kWho, hwctx == nullptr ? "hwctx" : "out");
        }
        *out = nullptr;
        if (hwctx->is_gone.load(std::memory_order_acquire)) {
            return fail(-ENODEV, "%s: the context was destroyed", kWho);
        }
        if (capacity > xdna::kMaxPacketBytes) {
            return fail(-EINVAL, "%s: a capacity of %llu bytes: a packet has at most %llu", kWho,
                        static_cast<unsigned long long>(capacity),
                        static_cast<unsigned long long>(xdna::kMaxPacketBytes));
        }
        auto cmd = std::make_unique<xdna_cmd>();
        if (int error = xdna::create_bo(hwctx->device, XDNA_BO_CMD, capacity != 0 ? capacity : 4096,
                                        kWho, &cmd->bo);
            error != 0) {
            return error;
        }
        cmd->packet = reinterpret_cast<uint32_t*>(cmd->bo->memory);
        cmd->hwctx = hwctx;
        cmd->fd = hwctx->device->fd;
        cmd->exec.hwctx = hwctx->handle;
        cmd->exec.type = AMDXDNA_CMD_SUBMIT_EXEC_BUF;
        cmd->exec.cmd_handles = cmd->bo->handle;  // the handle itself, as there is just one
        cmd->exec.cmd_count = 1;
        cmd->timeline.handles = reinterpret_cast<uintptr_t>(&hwctx->syncobj);
        cmd->timeline.points = reinterpret_cast<uintptr_t>(&cmd->exec.seq);
        cmd->timeline.count_handles = 1;
        xdna::ref(hwctx);
        *out = cmd.release();
        return 0;
    });
}

void xdna_cmd_destroy(struct xdna_cmd* cmd) {
    if (cmd == nullptr) {
        return;
    }
    // The driver looks a chain's members up by handle only when the chain's turn comes.
    if (!cmd->members.empty() && xdna::is_busy(cmd)) {
        xdna::wait_for_end(cmd, -1);
    }
    xdna::unref(cmd);
}

int xdna_cmd_submit(struct xdna_cmd* cmd) {
    if (cmd == nullptr) {
        return fail_with(-EINVAL, "xdna_cmd_submit: cmd is NULL");
    }
    if (!cmd->is_filled) {
        return fail_with(-EINVAL, "xdna_cmd_submit: the command is not filled");
    }
    if (cmd->is_in_flight && xdna::is_busy(cmd)) {
        return fail_with(-EBUSY, "xdna_cmd_submit: the command is in flight: wait for it first");
    }
    if (cmd->hwctx->is_gone.load(std::memory_order_acquire)) {
        return fail_with(-ENODEV, "xdna_cmd_submit: the command's context was destroyed");
    }
    __atomic_store_n(cmd->packet, cmd->words[0], __ATOMIC_RELEASE);
    if (int error = xdna::os::ioctl(cmd->fd, DRM_IOCTL_AMDXDNA_EXEC_CMD, &cmd->exec); error != 0) {
        return fail_call(Call::kExecCmd, error, "xdna_cmd_submit: context %u, %u bound BOs",
                         cmd->exec.hwctx, cmd->exec.arg_count);
    }
    cmd->is_submitted = true;
    cmd->is_in_flight = true;
    return 0;
}

int xdna_cmd_wait(struct xdna_cmd* cmd, int64_t timeout_ns) {
    if (cmd == nullptr) {
        return fail_with(-EINVAL, "xdna_cmd_wait: cmd is NULL");
    }
    if (!cmd->is_submitted) {
        return fail_with(-EINVAL, "xdna_cmd_wait: the command was never submitted");
    }
    // A failed packet is written after its state, so only success may be believed before the fence.
    // Destroying a context waits for its commands, and leaves nothing to ask for.
    if (cmd->is_in_flight && xdna::packet_state(cmd) != XDNA_CMD_COMPLETED &&
        !cmd->hwctx->is_ended.load(std::memory_order_acquire)) {
        const int error = xdna::wait_for_end(cmd, timeout_ns);
        // For point 0 the timeline means its newest point (dma_fence_chain_find_seqno), so the wait
        // for a context's first command can outlast that command.
        if (error != 0 && xdna::packet_state(cmd) != XDNA_CMD_COMPLETED) {
            return error == -ETIME
                       ? fail_with(-ETIME, "xdna_cmd_wait: the command is still running")
                       : fail_call(Call::kWait, error, "xdna_cmd_wait: command %llu of context %u",
                                   static_cast<unsigned long long>(cmd->exec.seq), cmd->exec.hwctx);
        }
    }
    if (cmd->is_in_flight) {
        xdna::settle(cmd);
    }
    return xdna::outcome(cmd);
}

int xdna_cmd_get_result(const struct xdna_cmd* cmd, struct xdna_cmd_result* out) {
    if (cmd == nullptr || out == nullptr) {
        return fail(-EINVAL, "xdna_cmd_get_result: %s is NULL", cmd == nullptr ? "cmd" : "out");
    }
    *out = cmd->result;
    if (cmd->is_in_flight || cmd->state == XDNA_CMD_COMPLETED || !cmd->is_submitted) {
        *out = {};
        out->state =
            static_cast<xdna_cmd_state>(cmd->is_in_flight ? xdna::packet_state(cmd) : cmd->state);
        out->sequence = cmd->exec.seq;
    }
    return 0;
}
