#include "emu/firmware/task.hpp"

#include <cstring>

namespace xdna::emu::firmware {

namespace {

/// A slot's header, then its arguments; `launch` says what the header means.
template <typename Slot, typename Convert>
bool take_slot(const std::vector<uint8_t>& bytes, size_t& at, Launch& launch, std::string& problem,
               Convert convert) {
    Slot slot;
    if (bytes.size() - at < sizeof slot) {
        problem = "the slot's header is past the end of the buffer";
        return false;
    }
    std::memcpy(&slot, bytes.data() + at, sizeof slot);
    at += sizeof slot;
    const uint64_t size = static_cast<uint64_t>(slot.arg_cnt) * sizeof(uint32_t);
    if (bytes.size() - at < size) {
        problem = "the slot's " + std::to_string(slot.arg_cnt) +
                  " arguments are past the end of the buffer";
        return false;
    }
    launch.cu = slot.cu_idx;
    launch.arguments.resize(slot.arg_cnt);
    if (size != 0) {
        std::memcpy(launch.arguments.data(), bytes.data() + at, size);
    }
    at += size;
    return convert(slot, launch, problem);
}

template <typename Slot>
void take_code(const Slot& slot, Launch& launch) {
    launch.kind = Launch::Kind::kInstructions;
    launch.code = slot.inst_buf_addr;
    launch.bytes = slot.inst_size;
}

bool convert_cf(const CfSlot& /*slot*/, Launch& /*launch*/, std::string& /*problem*/) {
    return true;
}

bool convert_dpu(const DpuSlot& slot, Launch& launch, std::string& /*problem*/) {
    take_code(slot, launch);
    return true;
}

bool convert_npu(const NpuSlot& slot, Launch& launch, std::string& problem) {
    switch (slot.type) {
        case NpuSlotType::kNonElf:
            return true;
        case NpuSlotType::kPartialElf:
            take_code(slot, launch);
            return true;
        default:
            problem = "slot type " + std::to_string(static_cast<uint32_t>(slot.type)) +
                      " is not one that npu1 runs";
            return false;
    }
}

}  // namespace

Launch launch_of(const ExecuteBufferCfRequest& request) {
    Launch launch;
    launch.cu = request.cu_idx;
    launch.arguments.assign(std::begin(request.payload), std::end(request.payload));
    return launch;
}

Launch launch_of(const ExecDpuRequest& request) {
    Launch launch;
    take_code(request, launch);
    launch.cu = request.cu_idx;
    launch.arguments.assign(std::begin(request.payload), std::end(request.payload));
    return launch;
}

bool parse_chain(Opcode opcode, const std::vector<uint8_t>& bytes, uint32_t count,
                 std::vector<Launch>& launches, std::string& problem) {
    size_t at = 0;
    for (uint32_t i = 0; i < count; ++i) {
        Launch launch;
        bool taken = false;
        switch (opcode) {
            case Opcode::kChainExecBufferCf:
                taken = take_slot<CfSlot>(bytes, at, launch, problem, convert_cf);
                break;
            case Opcode::kChainExecDpu:
                taken = take_slot<DpuSlot>(bytes, at, launch, problem, convert_dpu);
                break;
            default:
                taken = take_slot<NpuSlot>(bytes, at, launch, problem, convert_npu);
                break;
        }
        if (!taken) {
            return false;
        }
        launches.push_back(std::move(launch));
    }
    return true;
}

}  // namespace xdna::emu::firmware
