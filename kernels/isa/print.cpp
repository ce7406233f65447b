// The printer: the third reader of the tables.

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "kernels/isa/bundle.hpp"

namespace xdna::isa {

std::string print(const Instruction& instruction) {
    const Operation& row = operation(instruction.op);
    std::string text;
    for (std::size_t i = 0; i < row.syntax.size(); ++i) {
        if (row.syntax[i] != '$') {
            text += row.syntax[i];
            continue;
        }
        const auto start = row.syntax.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        const auto end = std::find_if_not(start, row.syntax.end(), [](char c) {
            return std::isalnum(static_cast<unsigned char>(c)) != 0;
        });
        const auto index =
            static_cast<std::size_t>(row.operand_index(std::string_view(start, end)));
        const Value value = instruction.values[index];
        if (row.operands()[index].type().kind == OperandKind::kRegister)
            text += name(value.reg());
        else
            text += '#' + std::to_string(value.immediate());
        i += static_cast<std::size_t>(end - start);
    }
    return text;
}

std::string print(const Bundle& bundle, bool with_marker) {
    std::string text;
    for (const Instruction& instruction : bundle.instructions()) {
        const bool marker = bundle.count > 1 && operation(instruction.op).slot == Slot::kNop;
        if (marker && !with_marker)
            continue;
        if (!text.empty())
            text += "; ";
        text += print(instruction);
    }
    return text;
}

std::string describe(const DecodeFailure& failure) {
    const std::string size = std::to_string(failure.size) + "-byte bundle";
    switch (failure.reason) {
        case DecodeFailure::Reason::kTruncated:
            return size + " is cut off";
        case DecodeFailure::Reason::kFormat:
            return size + " has no known format";
        case DecodeFailure::Reason::kOperation:
            break;
    }
    std::array<char, 16> word{};
    const auto end = std::to_chars(word.begin(), word.end(), failure.word, 16).ptr;
    return "slot " + std::string(name(failure.slot)) + " of a " + size + " holds 0x" +
           std::string(word.begin(), end) + ", which is no operation";
}

}  // namespace xdna::isa
