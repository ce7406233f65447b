// What a context's channel asks for, taken out of the messages' layouts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "emu/firmware/messages.hpp"

namespace xdna::emu::firmware {

/// One control code to run, with what it gets.
struct Launch {
    enum class Kind {
        kRegisterMap,   ///< START_CU: the kernel's register map, from which the rest is read
        kInstructions,  ///< START_NPU: the host has patched the code
    };
    Kind kind = Kind::kRegisterMap;
    uint32_t cu = 0;
    uint64_t code = 0;   ///< device address, of kInstructions
    uint64_t bytes = 0;  ///< of kInstructions
    std::vector<uint32_t> arguments;
};

/// A chain's slots are in memory until they are run.
struct ChainBuffer {
    Opcode opcode = Opcode::kChainExecNpu;
    uint64_t address = 0;
    uint32_t size = 0;
    uint32_t count = 0;
};

struct Task {
    std::vector<Launch> launches;
    std::optional<ChainBuffer> chain;
    std::function<void(const ChainReply&)> done;
};

Launch launch_of(const ExecuteBufferCfRequest& request);
Launch launch_of(const ExecDpuRequest& request);

/// The launches of a chain whose slots are `bytes`. False, with the reason in `problem`, for slots
/// that do not fit or are of no known type; `launches` has those before.
bool parse_chain(Opcode opcode, const std::vector<uint8_t>& bytes, uint32_t count,
                 std::vector<Launch>& launches, std::string& problem);

}  // namespace xdna::emu::firmware
