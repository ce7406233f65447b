#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kernels/as/diagnostic.hpp"
#include "kernels/as/lexer.hpp"

namespace xdna::as {

struct Symbol;

/// An expression of numbers, symbols and C's operators; `.` is the place where it stands.
struct Expression {
    enum class Kind : std::uint8_t { kNumber, kSymbol, kOperator } kind = Kind::kNumber;
    std::string op;  ///< kOperator, as written
    std::int64_t number = 0;
    Symbol* symbol = nullptr;
    std::shared_ptr<const Expression> left;
    std::shared_ptr<const Expression> right;  ///< null for unary operators
    Location where;
};
using ExpressionPtr = std::shared_ptr<const Expression>;

/// What went wrong in a line, and at which column.
struct Mistake {
    std::uint32_t column = 0;
    std::string message;
};

/// Parses the expression that starts at tokens[at] and moves `at` behind it. `symbol_of` gives the
/// symbol of a name; "." is a name too. Nothing, and `mistake`, if it is none.
[[nodiscard]] ExpressionPtr parse_expression(
    std::span<const Token> tokens, std::size_t& at, const Location& line,
    const std::function<Symbol*(const std::string&)>& symbol_of, Mistake& mistake);

/// A number, or a place: symbol + addend.
struct Evaluated {
    Symbol* symbol = nullptr;  ///< null: just the number
    std::int64_t addend = 0;
};

/// Evaluates. `resolve` gives what a symbol stands for: itself, for a label or one of another
/// file, or a number; nothing if that cannot be said yet. `distance` gives a - b in bytes for two
/// symbols, nothing if their distance is not known.
[[nodiscard]] std::optional<Evaluated> evaluate(
    const Expression& expression,
    const std::function<std::optional<Evaluated>(Symbol&, std::string& problem)>& resolve,
    const std::function<std::optional<std::int64_t>(const Symbol& a, const Symbol& b)>& distance,
    Diagnostic& problem);

}  // namespace xdna::as
