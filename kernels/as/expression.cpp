#include "kernels/as/expression.hpp"

#include <array>
#include <limits>
#include <utility>

namespace xdna::as {

namespace {

using Kind = Token::Kind;

constexpr unsigned kMaxDepth = 200;

/// Binary operators by how tightly they bind, loosest first.
constexpr std::array<std::string_view, 18> kOperators = {
    "||", "&&", "|",  "^",  "&", "==", "!=", "<", ">",
    "<=", ">=", "<<", ">>", "+", "-",  "*",  "/", "%"};
constexpr std::array<unsigned, 18> kBinding = {1, 2, 3, 4, 5, 6, 6,  7,  7,
                                               7, 7, 8, 8, 9, 9, 10, 10, 10};

unsigned binding(const Token& token) {
    if (token.kind != Kind::kPunctuation)
        return 0;
    for (std::size_t i = 0; i < kOperators.size(); ++i)
        if (kOperators[i] == token.text)
            return kBinding[i];
    return 0;
}

class Parser {
  public:
    Parser(std::span<const Token> tokens, std::size_t& at, const Location& line,
           const std::function<Symbol*(const std::string&)>& symbol_of, Mistake& mistake)
        : tokens_(tokens), at_(at), line_(line), symbol_of_(symbol_of), mistake_(mistake) {}

    ExpressionPtr binary(unsigned tightness, unsigned depth) {
        ExpressionPtr left = unary(depth);
        while (left && binding(tokens_[at_]) >= tightness && binding(tokens_[at_]) != 0) {
            const Token& op = tokens_[at_++];
            ExpressionPtr right = binary(binding(op) + 1, depth + 1);
            if (!right)
                return nullptr;
            left = make(op, left, right);
            // Long chains of one operator make deep trees too, and those are walked recursively.
            if (++chained_ > 4 * kMaxDepth)
                return fail(op, "the expression is too long");
        }
        return left;
    }

  private:
    ExpressionPtr unary(unsigned depth) {
        const Token& token = tokens_[at_];
        if (depth > kMaxDepth)
            return fail(token, "the expression is nested too deeply");
        if (token.is("-") || token.is("~") || token.is("!") || token.is("+")) {
            ++at_;
            ExpressionPtr operand = unary(depth + 1);
            return operand ? make(token, operand, nullptr) : nullptr;
        }
        if (token.is("(")) {
            ++at_;
            ExpressionPtr inner = binary(1, depth + 1);
            if (inner && !tokens_[at_].is(")"))
                return fail(tokens_[at_], "expected ')'");
            if (inner)
                ++at_;
            return inner;
        }
        if (token.kind == Kind::kNumber || token.kind == Kind::kWord) {
            ++at_;
            auto leaf = std::make_shared<Expression>();
            leaf->kind =
                token.kind == Kind::kNumber ? Expression::Kind::kNumber : Expression::Kind::kSymbol;
            leaf->number = token.number;
            leaf->where = at(token);
            if (token.kind == Kind::kWord)
                leaf->symbol = symbol_of_(token.text);
            return leaf;
        }
        if (token.kind == Kind::kBad)
            return fail(token, token.text);
        return fail(token, "expected a number, a symbol or an expression");
    }

    ExpressionPtr make(const Token& op, ExpressionPtr left, ExpressionPtr right) {
        auto node = std::make_shared<Expression>();
        node->kind = Expression::Kind::kOperator;
        node->op = op.text;
        node->left = std::move(left);
        node->right = std::move(right);
        node->where = at(op);
        return node;
    }

    ExpressionPtr fail(const Token& token, std::string message) {
        mistake_ = {token.column, std::move(message)};
        return nullptr;
    }

    [[nodiscard]] Location at(const Token& token) const {
        Location where = line_;
        where.column = token.column;
        return where;
    }

    std::span<const Token> tokens_;
    std::size_t& at_;
    const Location& line_;
    const std::function<Symbol*(const std::string&)>& symbol_of_;
    Mistake& mistake_;
    unsigned chained_ = 0;
};

/// Arithmetic wraps in 64 bits, as in C's unsigned numbers. Nothing where there is no result.
std::optional<std::int64_t> compute(std::string_view op, std::int64_t a, std::int64_t b) {
    const auto ua = static_cast<std::uint64_t>(a);
    const auto ub = static_cast<std::uint64_t>(b);
    const auto wrapped = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
    if (op == "+")
        return wrapped(ua + ub);
    if (op == "-")
        return wrapped(ua - ub);
    if (op == "*")
        return wrapped(ua * ub);
    if (op == "&")
        return a & b;
    if (op == "|")
        return a | b;
    if (op == "^")
        return a ^ b;
    if (op == "<<")
        return b < 0 || b > 63 ? 0 : wrapped(ua << ub);
    if (op == ">>")
        return a >> (b < 0 || b > 63 ? 63 : b);
    if (op == "==")
        return a == b ? 1 : 0;
    if (op == "!=")
        return a != b ? 1 : 0;
    if (op == "<")
        return a < b ? 1 : 0;
    if (op == ">")
        return a > b ? 1 : 0;
    if (op == "<=")
        return a <= b ? 1 : 0;
    if (op == ">=")
        return a >= b ? 1 : 0;
    if (op == "&&")
        return a != 0 && b != 0 ? 1 : 0;
    if (op == "||")
        return a != 0 || b != 0 ? 1 : 0;
    if (b == 0 || (a == std::numeric_limits<std::int64_t>::min() && b == -1))
        return std::nullopt;
    return op == "/" ? a / b : a % b;
}

std::int64_t compute(char op, std::int64_t a) {
    switch (op) {
        case '-':
            return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a));
        case '~':
            return ~a;
        case '!':
            return a == 0 ? 1 : 0;
        default:
            return a;
    }
}

}  // namespace

ExpressionPtr parse_expression(std::span<const Token> tokens, std::size_t& at, const Location& line,
                               const std::function<Symbol*(const std::string&)>& symbol_of,
                               Mistake& mistake) {
    return Parser(tokens, at, line, symbol_of, mistake).binary(1, 0);
}

std::optional<Evaluated> evaluate(
    const Expression& expression,
    const std::function<std::optional<Evaluated>(Symbol&, std::string& problem)>& resolve,
    const std::function<std::optional<std::int64_t>(const Symbol& a, const Symbol& b)>& distance,
    Diagnostic& problem) {
    const auto fail = [&](std::string message) -> std::optional<Evaluated> {
        problem = {Severity::kError, expression.where, std::move(message)};
        return std::nullopt;
    };
    if (expression.kind == Expression::Kind::kNumber)
        return Evaluated{nullptr, expression.number};
    if (expression.kind == Expression::Kind::kSymbol) {
        std::string why;
        auto value = resolve(*expression.symbol, why);
        return value ? value : fail(why);
    }
    const auto left = evaluate(*expression.left, resolve, distance, problem);
    if (!left)
        return std::nullopt;
    if (!expression.right) {
        if (left->symbol != nullptr && expression.op != "+")
            return fail(expression.op + " needs a number, not an address");
        return Evaluated{left->symbol, compute(expression.op[0], left->addend)};
    }
    const auto right = evaluate(*expression.right, resolve, distance, problem);
    if (!right)
        return std::nullopt;
    Symbol* symbol = nullptr;
    std::int64_t apart = 0;
    if (left->symbol != nullptr || right->symbol != nullptr) {
        const bool both = left->symbol != nullptr && right->symbol != nullptr;
        if (both && expression.op == "-") {
            const auto known = distance(*left->symbol, *right->symbol);
            if (!known)
                return fail("the distance of two addresses is known only inside one section");
            apart = *known;
        } else if (expression.op == "+" && !both) {
            symbol = left->symbol != nullptr ? left->symbol : right->symbol;
        } else if (expression.op == "-" && right->symbol == nullptr) {
            symbol = left->symbol;
        } else {
            return fail(expression.op + " needs numbers, not addresses");
        }
    }
    const auto value = compute(expression.op, left->addend, right->addend);
    if (!value)
        return fail("division by zero");
    return Evaluated{symbol, *compute("+", *value, apart)};
}

}  // namespace xdna::as
