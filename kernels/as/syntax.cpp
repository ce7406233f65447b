// The parser of instructions: the assembler's reader of the instruction table.

#include "kernels/as/syntax.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

namespace xdna::as {

namespace {

using isa::OperandKind;

/// A token of an operation's syntax: to be met literally, or an operand.
struct Element {
    std::string literal;
    int operand = -1;
};

struct Candidate {
    isa::Op op;
    std::vector<Element> elements;
};

using Mnemonics = std::map<std::string_view, std::vector<Candidate>>;

const Mnemonics& mnemonics() {
    static const Mnemonics all = [] {
        Mnemonics table;
        for (std::size_t i = 0; i < isa::kOpCount; ++i) {
            const auto op = static_cast<isa::Op>(i);
            const isa::Operation& row = isa::operation(op);
            Candidate candidate{op, {}};
            bool in_comment = false;
            for (const Token& token :
                 tokenize(row.syntax.substr(row.mnemonic.size()), in_comment)) {
                if (token.kind == Token::Kind::kEnd)
                    break;
                const bool operand = token.text.starts_with('$');
                candidate.elements.push_back(
                    {operand ? "" : token.text,
                     operand ? row.operand_index(std::string_view(token.text).substr(1)) : -1});
            }
            table[row.mnemonic].push_back(std::move(candidate));
        }
        return table;
    }();
    return all;
}

/// Letters to change, add or drop to make one word of the other.
unsigned edit_distance(std::string_view a, std::string_view b) {
    std::vector<unsigned> row(b.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < a.size(); ++i) {
        unsigned diagonal = row[0]++;
        for (std::size_t k = 0; k < b.size(); ++k) {
            const unsigned change = diagonal + (a[i] == b[k] ? 0U : 1U);
            diagonal = row[k + 1];
            row[k + 1] = std::min({row[k] + 1, row[k + 1] + 1, change});
        }
    }
    return row.back();
}

std::string unknown_mnemonic(std::string_view word) {
    std::string text = "unknown instruction " + std::string(word.substr(0, 40));
    if (word.size() > 40)
        return text;
    std::string_view nearest;
    unsigned best = 3;
    for (const auto& [mnemonic, candidates] : mnemonics()) {
        const unsigned distance = edit_distance(word, mnemonic);
        if (distance < best && distance < mnemonic.size()) {
            best = distance;
            nearest = mnemonic;
        }
    }
    return nearest.empty() ? text : text + "; did you mean " + std::string(nearest) + "?";
}

/// The register of that name, if the operand can be it.
std::optional<isa::Register> register_of(const isa::OperandClass& type, std::string_view name) {
    auto reg = isa::find_register(name);
    if (!reg)
        return std::nullopt;
    if (isa::encode(type, isa::Value(*reg)))
        return reg;
    // d0..d3 name a dimension, and with .3d a pair of them.
    if (reg->file == isa::RegisterFile::kD) {
        reg->file = isa::RegisterFile::kD3;
        if (isa::encode(type, isa::Value(*reg)))
            return reg;
    }
    return std::nullopt;
}

/// Names of what the operand can be, for messages: "r, m, dn, dj, dc, p, lr".
std::string expectation(const isa::OperandClass& type) {
    std::string text;
    for (const isa::RegisterCode& code : type.codes()) {
        if (code.decode_only)
            continue;
        const bool single =
            std::ranges::all_of(code.place, [](auto place) { return place == 255; });
        const std::string name(single ? isa::name(isa::Register{code.file, code.offset})
                                      : isa::name(code.file));
        if ((", " + text + ",").find(", " + name + ",") == std::string::npos)
            text += (text.empty() ? "" : ", ") + name;
    }
    return text;
}

class Matcher {
  public:
    Matcher(std::span<const Token> tokens, const Location& line,
            const std::function<Symbol*(const std::string&)>& symbol_of)
        : tokens_(tokens), line_(line), symbol_of_(symbol_of) {}

    std::optional<ParsedInstruction> match(const Candidate& candidate) {
        ParsedInstruction result{isa::Instruction{candidate.op}, {}, line_};
        result.where.column = tokens_[0].column;
        std::size_t at = 1;
        for (const Element& element : candidate.elements) {
            const bool fits = element.operand < 0
                                  ? literal(element.literal, at)
                                  : operand(candidate.op, element.operand, at, result);
            if (!fits)
                return std::nullopt;
        }
        if (tokens_[at].kind != Token::Kind::kEnd) {
            fail(at, "unexpected " + quoted(tokens_[at]) + " after the operands");
            return std::nullopt;
        }
        return result;
    }

    [[nodiscard]] const Mistake& mistake() const { return mistake_; }

  private:
    bool literal(const std::string& text, std::size_t& at) {
        if (tokens_[at].text == text && tokens_[at].kind != Token::Kind::kString) {
            ++at;
            return true;
        }
        fail(at, "expected " + text +
                     (tokens_[at].kind == Token::Kind::kEnd ? std::string()
                                                            : ", not " + quoted(tokens_[at])));
        return false;
    }

    bool operand(isa::Op op, int index, std::size_t& at, ParsedInstruction& result) {
        const isa::OperandClass& type =
            isa::operation(op).operands()[static_cast<std::size_t>(index)].type();
        const Token& token = tokens_[at];
        if (type.kind == OperandKind::kRegister) {
            const auto reg =
                token.kind == Token::Kind::kWord ? register_of(type, token.text) : std::nullopt;
            if (!reg) {
                fail(at, "expected a register (" + expectation(type) + ")" +
                             (token.kind == Token::Kind::kEnd ? "" : ", not " + quoted(token)));
                return false;
            }
            result.instruction.values[static_cast<std::size_t>(index)] = isa::Value(*reg);
            if (!agrees(result.instruction, static_cast<std::size_t>(index))) {
                fail(at, "this accumulator must be the destination, " + quoted(tokens_[1]));
                return false;
            }
            ++at;
            return true;
        }
        if (!token.is("#")) {
            fail(at, "expected an immediate (#...)" +
                         (token.kind == Token::Kind::kEnd ? "" : ", not " + quoted(token)));
            return false;
        }
        const std::size_t start = ++at;
        Mistake mistake;
        const auto value = parse_expression(tokens_, at, line_, symbol_of_, mistake);
        if (!value) {
            fail(at, mistake);
            return false;
        }
        if (at == start + 1 && value->kind == Expression::Kind::kNumber) {
            const std::string problem = why_not(type, value->number);
            if (!problem.empty()) {
                // Farther than a register in its place would have got.
                fail(at, {tokens_[start].column, problem});
                return false;
            }
        }
        result.immediates.push_back({static_cast<unsigned>(index), value});
        return true;
    }

    /// vaddmac and its like have one field for the destination and the first accumulator.
    static bool agrees(const isa::Instruction& instruction, std::size_t index) {
        const auto operands = isa::operation(instruction.op).operands();
        for (std::size_t i = 0; i < index; ++i)
            if (operands[i].field == operands[index].field &&
                instruction.values[i] != instruction.values[index])
                return false;
        return true;
    }

    static std::string quoted(const Token& token) {
        if (token.kind == Token::Kind::kBad)
            return "this: " + token.text;
        return token.kind == Token::Kind::kString ? "a string" : "'" + token.text + "'";
    }

    void fail(std::size_t at, std::string message) {
        fail(at, Mistake{tokens_[at].column, std::move(message)});
    }

    /// Of all candidates the mistake of the one that fits longest is told.
    void fail(std::size_t at, Mistake mistake) {
        if (at > farthest_) {
            farthest_ = at;
            mistake_ = std::move(mistake);
        }
    }

    std::span<const Token> tokens_;
    const Location& line_;
    const std::function<Symbol*(const std::string&)>& symbol_of_;
    std::size_t farthest_ = 0;
    Mistake mistake_;
};

}  // namespace

std::variant<ParsedInstruction, Mistake> parse_instruction(
    std::span<const Token> tokens, const Location& line,
    const std::function<Symbol*(const std::string&)>& symbol_of) {
    if (tokens[0].kind == Token::Kind::kBad)
        return Mistake{tokens[0].column, tokens[0].text};
    if (tokens[0].kind != Token::Kind::kWord)
        return Mistake{tokens[0].column, "expected an instruction"};
    const auto found = mnemonics().find(tokens[0].text);
    if (found == mnemonics().end())
        return Mistake{tokens[0].column, unknown_mnemonic(tokens[0].text)};
    Matcher matcher(tokens, line, symbol_of);
    for (const Candidate& candidate : found->second)
        if (auto parsed = matcher.match(candidate))
            return std::move(*parsed);
    return matcher.mistake();
}

std::string why_not(const isa::OperandClass& type, std::int64_t value) {
    // A word of 32 bits may be given signed or unsigned.
    const std::int64_t maximum = type.bits == 32 ? 0xffffffffLL : type.maximum();
    if (value < type.minimum() || value > maximum)
        return (type.kind == OperandKind::kAddress ? "address " : "immediate ") +
               std::to_string(value) + " is out of range: " + std::to_string(type.minimum()) +
               " to " + std::to_string(maximum);
    if (value % type.scale != 0)
        return "immediate " + std::to_string(value) + " is not a multiple of " +
               std::to_string(type.scale);
    return {};
}

isa::Value immediate_value(std::int64_t value) {
    return isa::Value(static_cast<std::int32_t>(static_cast<std::uint32_t>(value)));
}

}  // namespace xdna::as
