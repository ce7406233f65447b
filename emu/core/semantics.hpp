// What operations do: rows that name operations, and the code that runs them. An operation without
// a row traps by name.
#pragma once

#include <span>
#include <string_view>

#include "emu/core/pipeline.hpp"

namespace xdna::emu::core {

/// `key` is an operation's name in the table, or a mnemonic, which stands for every operation that
/// has it in any address mode (".2d" and ".3d" left out). Names go before mnemonics.
struct Semantics {
    std::string_view key;
    Handler run;
    uint32_t parameter = 0;
    Attempt attempt = nullptr;
};

/// The rows of each file.
std::span<const Semantics> scalar_semantics();
std::span<const Semantics> memory_semantics();
std::span<const Semantics> compressed_load_semantics();
std::span<const Semantics> sync_semantics();
std::span<const Semantics> vector_alu_semantics();
std::span<const Semantics> vector_convert_semantics();
std::span<const Semantics> vector_permute_semantics();
std::span<const Semantics> vector_mac_semantics();

/// The row of an operation, or nullptr if it is not modelled.
const Semantics* semantics(isa::Op op);

/// What an operation that has a row is counted as.
InstructionClass instruction_class(const isa::Operation& operation);

}  // namespace xdna::emu::core
