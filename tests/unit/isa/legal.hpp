#pragma once

#include <random>

#include "kernels/isa/bundle.hpp"

namespace xdna::isa {

/// A value that the operand class can have, drawn over all its codes.
inline Value random_value(const OperandClass& type, std::mt19937_64& random) {
    for (;;) {
        const auto value = decode(type, random() & ((std::uint64_t{1} << type.bits) - 1));
        if (value && encode(type, *value))
            return *value;
    }
}

inline Instruction random_instruction(Op op, std::mt19937_64& random) {
    Instruction instruction{op};
    const auto operands = operation(op).operands();
    for (std::size_t i = 0; i < operands.size(); ++i) {
        instruction.values[i] = random_value(operands[i].type(), random);
        for (std::size_t k = 0; k < i; ++k)
            if (operands[k].field == operands[i].field)
                instruction.values[i] = instruction.values[k];
    }
    return instruction;
}

}  // namespace xdna::isa
