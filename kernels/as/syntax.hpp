#pragma once

#include <functional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "kernels/as/expression.hpp"
#include "kernels/isa/bundle.hpp"

namespace xdna::as {

/// One slot of a bundle as written: registers are known, immediates still are expressions.
struct ParsedInstruction {
    struct Immediate {
        unsigned operand;
        ExpressionPtr value;
    };
    isa::Instruction instruction;
    std::vector<Immediate> immediates;
    Location where;
};

/// Reads one slot: mnemonic and operands, up to the end of the tokens. Of the operations with that
/// mnemonic the first whose operands fit is taken.
[[nodiscard]] std::variant<ParsedInstruction, Mistake> parse_instruction(
    std::span<const Token> tokens, const Location& line,
    const std::function<Symbol*(const std::string&)>& symbol_of);

/// Why a number is not a value of the operand; empty if it is one.
[[nodiscard]] std::string why_not(const isa::OperandClass& type, std::int64_t value);

/// The value of a number for which why_not is empty.
[[nodiscard]] isa::Value immediate_value(std::int64_t value);

}  // namespace xdna::as
