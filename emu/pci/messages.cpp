#include "emu/pci/messages.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <span>

namespace xdna::emu::pci {

namespace {

using namespace firmware;  // NOLINT(google-build-using-namespace)

/// One message that is being handled.
struct Call {
    Firmware& controller;
    MessageHost* host;  ///< null on a context's channel
    uint32_t context;
    const Message& message;
    Answer answer;

    template <typename Request>
    Request request() const {
        Request request{};
        std::memcpy(&request, message.payload.data(),
                    std::min(sizeof request, message.payload.size()));
        return request;
    }
};

template <typename Reply>
std::vector<std::byte> encoded(const Reply& reply) {
    std::vector<std::byte> bytes(sizeof reply);
    std::memcpy(bytes.data(), &reply, sizeof reply);
    return bytes;
}

/// A completion callback that sends the reply.
template <typename Reply>
Done<Reply> sends(Answer answer) {
    return [answer = std::move(answer)](const Reply& reply) { answer(encoded(reply)); };
}

struct Handler {
    Opcode opcode;
    size_t size;  ///< of the request
    void (*handle)(Call& call);
};

void create_context(Call& call) {
    auto reply = call.controller.create_context(call.request<CreateContextRequest>());
    if (reply.status == kSuccess) {
        call.host->open_channel(reply);
    }
    call.answer(encoded(reply));
}

// Answered once the array is at rest: the driver then unmaps what the context worked on.
void destroy_context(Call& call) {
    const auto request = call.request<DestroyContextRequest>();
    const uint32_t status =
        call.controller.destroy_context(request, [host = call.host, answer = call.answer, request] {
            host->close_channel(request.context_id);
            answer(encoded<uint32_t>(kSuccess));
        });
    if (status != kSuccess) {
        call.answer(encoded(status));
    }
}

void suspend(Call& call) {
    const uint32_t status = call.controller.suspend();
    call.host->set_waiting(status == kSuccess);
    call.answer(encoded(status));
}

void resume(Call& call) {
    call.host->set_waiting(false);
    call.answer(encoded(call.controller.resume()));
}

void set_runtime_config(Call& call) {
    const auto request = call.request<SetRuntimeConfigRequest>();
    // Only the status goes back (aie2_msg_priv.h, set_runtime_cfg_resp).
    call.answer(encoded(call.controller.set_runtime_config(request).status));
}

void register_async_event(Call& call) {
    const uint32_t status = call.controller.register_async_event(
        call.request<AsyncEventRequest>(), sends<AsyncEventReply>(call.answer));
    if (status != kSuccess) {
        call.answer(encoded(AsyncEventReply{status, 0}));
    }
}

constexpr Handler kManagement[] = {
    {Opcode::kCreateContext, sizeof(CreateContextRequest), create_context},
    {Opcode::kDestroyContext, sizeof(DestroyContextRequest), destroy_context},
    {Opcode::kMapHostBuffer, sizeof(MapHostBufferRequest),
     [](Call& call) {
         call.answer(
             encoded(call.controller.map_host_buffer(call.request<MapHostBufferRequest>())));
     }},
    {Opcode::kGetTelemetry, sizeof(TelemetryRequest),
     [](Call& call) {
         call.answer(encoded(call.controller.get_telemetry(call.request<TelemetryRequest>())));
     }},
    {Opcode::kQueryColumnStatus, sizeof(ColumnStatusRequest),
     [](Call& call) {
         call.answer(
             encoded(call.controller.query_column_status(call.request<ColumnStatusRequest>())));
     }},
    // The three queries' requests are one word without meaning.
    {Opcode::kQueryAieTileInfo, sizeof(uint32_t),
     [](Call& call) { call.answer(encoded(call.controller.query_tile_info())); }},
    {Opcode::kQueryAieVersion, sizeof(uint32_t),
     [](Call& call) { call.answer(encoded(call.controller.query_aie_version())); }},
    {Opcode::kGetFirmwareVersion, sizeof(uint32_t),
     [](Call& call) { call.answer(encoded(call.controller.query_version())); }},
    // No PASID is told apart here: guest memory has one space of bus addresses.
    {Opcode::kAssignMgmtPasid, sizeof(uint32_t),
     [](Call& call) { call.answer(encoded<uint32_t>(kSuccess)); }},
    {Opcode::kSuspend, sizeof(uint32_t), suspend},
    {Opcode::kResume, sizeof(uint32_t), resume},
    {Opcode::kSetRuntimeConfig, sizeof(SetRuntimeConfigRequest), set_runtime_config},
    {Opcode::kGetRuntimeConfig, sizeof(uint32_t),
     [](Call& call) {
         call.answer(encoded(call.controller.get_runtime_config(call.request<uint32_t>())));
     }},
    {Opcode::kRegisterAsyncEvent, sizeof(AsyncEventRequest), register_async_event},
};

template <typename Request, typename Reply,
          bool (Firmware::*Send)(uint32_t, const Request&, Done<Reply>)>
constexpr Handler command(Opcode opcode) {
    return {opcode, sizeof(Request), [](Call& call) {
                if (!(call.controller.*Send)(call.context, call.request<Request>(),
                                             sends<Reply>(call.answer))) {
                    call.answer(encoded(Reply{kInvalidParam}));
                }
            }};
}

template <Opcode kOpcode>
constexpr Handler old_chain() {
    // The driver sends the size of a union (aie2_message.c, aie2_cmdlist_*).
    return {kOpcode, sizeof(ChainNpuRequest), [](Call& call) {
                if (!call.controller.chain(call.context, kOpcode, call.request<ChainRequest>(),
                                           sends<ChainReply>(call.answer))) {
                    call.answer(encoded(ChainReply{kInvalidParam, 0, kInvalidParam}));
                }
            }};
}

constexpr Handler kCommands[] = {
    command<ConfigCuRequest, uint32_t, &Firmware::config_cu>(Opcode::kConfigCu),
    command<ExecuteBufferCfRequest, uint32_t, &Firmware::execute>(Opcode::kExecuteBufferCf),
    command<ExecDpuRequest, uint32_t, &Firmware::execute>(Opcode::kExecDpu),
    old_chain<Opcode::kChainExecBufferCf>(),
    old_chain<Opcode::kChainExecDpu>(),
    command<ChainNpuRequest, ChainReply, &Firmware::chain>(Opcode::kChainExecNpu),
    command<SyncBoRequest, uint32_t, &Firmware::sync_bo>(Opcode::kSyncBo),
    command<ConfigDebugBoRequest, uint32_t, &Firmware::config_debug_bo>(Opcode::kConfigDebugBo),
};

void handle(std::span<const Handler> handlers, Call& call, std::string& problem) {
    const auto found = std::find_if(handlers.begin(), handlers.end(), [&](const Handler& handler) {
        return static_cast<uint32_t>(handler.opcode) == call.message.opcode;
    });
    char text[80];
    if (found == handlers.end()) {
        std::snprintf(text, sizeof text, "message 0x%x is not known on this channel",
                      call.message.opcode);
        problem = text;
        call.answer(encoded<uint32_t>(kInvalidCommand));
    } else if (call.message.payload.size() != found->size) {
        std::snprintf(text, sizeof text, "message 0x%x has %zu bytes instead of %zu",
                      call.message.opcode, call.message.payload.size(), found->size);
        problem = text;
        call.answer(encoded<uint32_t>(kInvalidParam));
    } else {
        found->handle(call);
    }
}

}  // namespace

void handle_management(Firmware& firmware, MessageHost& host, const Message& message, Answer answer,
                       std::string& problem) {
    Call call{firmware, &host, 0, message, std::move(answer)};
    handle(kManagement, call, problem);
}

void handle_command(Firmware& firmware, uint32_t context, const Message& message, Answer answer,
                    std::string& problem) {
    Call call{firmware, nullptr, context, message, std::move(answer)};
    handle(kCommands, call, problem);
}

}  // namespace xdna::emu::pci
