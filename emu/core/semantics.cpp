#include "emu/core/semantics.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>

namespace xdna::emu::core {
namespace {

// "lda.2d.s8" -> "lda.s8"
std::string without_dimensions(std::string_view mnemonic) {
    std::string text(mnemonic);
    for (const std::string_view part : {".2d", ".3d"}) {
        if (const size_t at = text.find(part); at != std::string::npos) {
            text.erase(at, part.size());
        }
    }
    return text;
}

using Table = std::array<const Semantics*, isa::kOpCount>;

Table build() {
    std::map<std::string_view, const Semantics*> rows;
    for (const auto& part : {scalar_semantics(), memory_semantics(), compressed_load_semantics(),
                             sync_semantics(), vector_alu_semantics(), vector_convert_semantics(),
                             vector_permute_semantics(), vector_mac_semantics()}) {
        for (const Semantics& row : part) {
            rows.emplace(row.key, &row);
        }
    }
    Table table{};
    for (size_t i = 0; i < table.size(); ++i) {
        const isa::Operation& operation = isa::operations()[i];
        auto found = rows.find(operation.name);
        if (found == rows.end()) {
            found = rows.find(without_dimensions(operation.mnemonic));
        }
        table[i] = found == rows.end() ? nullptr : found->second;
    }
    return table;
}

}  // namespace

InstructionClass instruction_class(const isa::Operation& operation) {
    const Semantics* row = semantics(static_cast<isa::Op>(&operation - isa::operations().data()));
    const auto in = [&](std::span<const Semantics> part) {
        return row >= part.data() && row < part.data() + part.size();
    };
    // llvm-aie's names of multiplies: VMAC_vmac_cm_core_dense.
    const bool multiplies = operation.name.find("_core_") != operation.name.npos;
    return operation.memory == isa::Memory::kLoad   ? InstructionClass::kLoad
           : operation.memory != isa::Memory::kNone ? InstructionClass::kStore
           : in(scalar_semantics())                 ? InstructionClass::kScalar
           : in(sync_semantics())                   ? InstructionClass::kSync
           : multiplies                             ? InstructionClass::kMultiply
                                                    : InstructionClass::kVector;
}

const Semantics* semantics(isa::Op op) {
    static const Table table = build();
    return table[static_cast<size_t>(op)];
}

}  // namespace xdna::emu::core
