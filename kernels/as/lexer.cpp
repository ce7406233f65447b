#include "kernels/as/lexer.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace xdna::as {

namespace {

bool starts_word(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '$' ||
           c == '@';
}

bool continues_word(char c) {
    return starts_word(c) || std::isdigit(static_cast<unsigned char>(c)) != 0;
}

class Cursor {
  public:
    explicit Cursor(std::string_view line) : line_(line) {}

    [[nodiscard]] bool done() const { return at_ >= line_.size(); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const {
        return at_ + ahead < line_.size() ? line_[at_ + ahead] : '\0';
    }
    [[nodiscard]] bool starts_with(std::string_view text) const {
        return line_.substr(at_).starts_with(text);
    }
    char take() { return line_[at_++]; }
    void skip(std::size_t count) { at_ = std::min(at_ + count, line_.size()); }
    [[nodiscard]] std::size_t find(std::string_view text) const { return line_.find(text, at_); }
    void move_to(std::size_t position) { at_ = position; }
    [[nodiscard]] std::uint32_t column() const { return static_cast<std::uint32_t>(at_ + 1); }

  private:
    std::string_view line_;
    std::size_t at_ = 0;
};

Token number(Cursor& cursor) {
    Token token{Token::Kind::kNumber, {}, 0, cursor.column()};
    std::string digits;
    while (continues_word(cursor.peek()))
        digits += cursor.take();
    token.text = digits;
    int base = 10;
    std::string_view rest = digits;
    if (rest.starts_with("0x") || rest.starts_with("0X"))
        base = 16;
    else if (rest.starts_with("0b") || rest.starts_with("0B"))
        base = 2;
    if (base != 10)
        rest.remove_prefix(2);
    std::uint64_t value = 0;
    const auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), value, base);
    if (rest.empty() || status != std::errc{} || end != rest.data() + rest.size()) {
        token.kind = Token::Kind::kBad;
        token.text = status == std::errc::result_out_of_range
                         ? "number " + digits + " does not fit in 64 bits"
                         : digits + " is not a number";
    }
    token.number = static_cast<std::int64_t>(value);
    return token;
}

/// One character of a string or character constant, its escape resolved.
char character(Cursor& cursor) {
    const char c = cursor.take();
    if (c != '\\' || cursor.done())
        return c;
    const char escape = cursor.take();
    switch (escape) {
        case 'n':
            return '\n';
        case 't':
            return '\t';
        case 'r':
            return '\r';
        case '0':
        case '1':
        case '2':
        case '3': {
            unsigned value = static_cast<unsigned>(escape - '0');
            for (int i = 0; i < 2 && cursor.peek() >= '0' && cursor.peek() <= '7'; ++i)
                value = value * 8 + static_cast<unsigned>(cursor.take() - '0');
            return static_cast<char>(value);
        }
        case 'x': {
            unsigned value = 0;
            for (int i = 0; i < 2 && std::isxdigit(static_cast<unsigned char>(cursor.peek())) != 0;
                 ++i) {
                const char digit = cursor.take();
                value = value * 16 + static_cast<unsigned>(
                                         digit <= '9' ? digit - '0' : (digit | 0x20) - 'a' + 10);
            }
            return static_cast<char>(value);
        }
        default:
            return escape;
    }
}

Token string(Cursor& cursor) {
    Token token{Token::Kind::kString, {}, 0, cursor.column()};
    cursor.skip(1);
    while (!cursor.done() && cursor.peek() != '"')
        token.text += character(cursor);
    if (cursor.done())
        return {Token::Kind::kBad, "the string does not end", 0, token.column};
    cursor.skip(1);
    return token;
}

Token character_constant(Cursor& cursor) {
    Token token{Token::Kind::kNumber, "'", 0, cursor.column()};
    cursor.skip(1);
    if (!cursor.done())
        token.number = static_cast<unsigned char>(character(cursor));
    if (cursor.peek() != '\'')
        return {Token::Kind::kBad, "the character constant does not end", 0, token.column};
    cursor.skip(1);
    return token;
}

Token punctuation(Cursor& cursor) {
    constexpr std::array<std::string_view, 8> kPairs = {
        "<<", ">>", "==", "!=", "<=", ">=", "&&", "||"};
    Token token{Token::Kind::kPunctuation, {}, 0, cursor.column()};
    for (const std::string_view pair : kPairs) {
        if (cursor.starts_with(pair)) {
            cursor.skip(2);
            token.text = pair;
            return token;
        }
    }
    const char c = cursor.take();
    token.text = std::string(1, c);
    if (std::string_view("#,;:[](){}+-*/%&|^~!<>=\\?").find(c) == std::string_view::npos) {
        token.kind = Token::Kind::kBad;
        const bool printable = std::isprint(static_cast<unsigned char>(c)) != 0;
        token.text = printable ? "unexpected '" + token.text + "'"
                               : "unexpected byte " + std::to_string(static_cast<unsigned char>(c));
    }
    return token;
}

}  // namespace

std::vector<Token> tokenize(std::string_view line, bool& in_comment) {
    std::vector<Token> tokens;
    Cursor cursor(line);
    std::uint32_t end = static_cast<std::uint32_t>(line.size() + 1);
    while (true) {
        if (in_comment) {
            const std::size_t close = cursor.find("*/");
            if (close == std::string_view::npos)
                break;
            cursor.move_to(close + 2);
            in_comment = false;
        }
        if (cursor.done() || cursor.starts_with("//")) {
            end = cursor.column();
            break;
        }
        const char c = cursor.peek();
        if (cursor.starts_with("/*")) {
            cursor.skip(2);
            in_comment = true;
        } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
            cursor.skip(1);
        } else if (starts_word(c)) {
            Token token{Token::Kind::kWord, {}, 0, cursor.column()};
            while (continues_word(cursor.peek()))
                token.text += cursor.take();
            tokens.push_back(std::move(token));
        } else if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
            tokens.push_back(number(cursor));
        } else if (c == '"') {
            tokens.push_back(string(cursor));
        } else if (c == '\'') {
            tokens.push_back(character_constant(cursor));
        } else {
            tokens.push_back(punctuation(cursor));
        }
    }
    tokens.push_back({Token::Kind::kEnd, {}, 0, end});
    return tokens;
}

}  // namespace xdna::as
