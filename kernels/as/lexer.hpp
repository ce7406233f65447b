#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::as {

struct Token {
    enum class Kind : std::uint8_t {
        kWord,         ///< mnemonics, registers, symbols, directives
        kNumber,       ///< value in `number`
        kString,       ///< contents in `text`, escapes resolved
        kPunctuation,  ///< one character, or << >> == != <= >= && ||
        kBad,          ///< what cannot be read; the reason in `text`
        kEnd,
    } kind;
    std::string text;
    std::int64_t number = 0;
    std::uint32_t column = 0;  ///< from 1

    [[nodiscard]] bool is(std::string_view punctuation) const {
        return kind == Kind::kPunctuation && text == punctuation;
    }
};

/// Cuts one line, without comments, into tokens; the last is kEnd, where the comment or the
/// line ends. `in_comment` says whether the
/// line starts inside a /* comment, and is set to whether the next one does.
[[nodiscard]] std::vector<Token> tokenize(std::string_view line, bool& in_comment);

}  // namespace xdna::as
