#include "tools/xdna-probe/machine/text.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>

namespace xdna::probe {
namespace {

bool is_space(char c) {
    return std::isspace(static_cast<unsigned char>(c)) != 0;
}
bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none.
size_t utf8_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const size_t length = lead < 0x80   ? 1
                          : lead < 0xc2 ? 0
                          : lead < 0xe0 ? 2
                          : lead < 0xf0 ? 3
                          : lead < 0xf5 ? 4
                                        : 0;
    if (length == 0 || length > text.size()) {
        return 0;
    }
    for (size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) {
            return 0;
        }
    }
    if (length > 2) {
        const auto second = static_cast<unsigned char>(text[1]);
        const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
        const bool surrogate = lead == 0xed && second >= 0xa0;
        const bool beyond = lead == 0xf4 && second >= 0x90;
        if (overlong || surrogate || beyond) {
            return 0;
        }
    }
    return length;
}

// The next number in `text` from `pos` on, leaving `pos` behind it; -1 when there is none.
long next_number(std::string_view text, size_t& pos) {
    while (pos < text.size() && !is_digit(text[pos])) {
        ++pos;
    }
    if (pos >= text.size()) {
        return -1;
    }
    long value = 0;
    while (pos < text.size() && is_digit(text[pos])) {
        value = std::min(value * 10 + (text[pos] - '0'), 1'000'000'000L);
        ++pos;
    }
    return value;
}

}  // namespace

std::string trim(std::string_view text) {
    while (!text.empty() && (is_space(text.front()) || text.front() == '\0')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (is_space(text.back()) || text.back() == '\0')) {
        text.remove_suffix(1);
    }
    return std::string(text);
}

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const size_t end = text.find(separator);
        parts.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

std::vector<std::string> split_lines(std::string_view text) {
    std::vector<std::string> lines = split(text, '\n');
    if (lines.back().empty()) {
        lines.pop_back();
    }
    return lines;
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    size_t pos = 0;
    while (pos < text.size()) {
        while (pos < text.size() && is_space(text[pos])) {
            ++pos;
        }
        const size_t start = pos;
        while (pos < text.size() && !is_space(text[pos])) {
            ++pos;
        }
        if (pos > start) {
            words.emplace_back(text.substr(start, pos - start));
        }
    }
    return words;
}

std::optional<uint64_t> parse_number(std::string_view text, int base) {
    if (base == 16 && text.starts_with("0x")) {
        text.remove_prefix(2);
    }
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
        return std::nullopt;
    }
    return value;
}

uint32_t le32(std::string_view bytes, size_t offset) {
    return static_cast<uint32_t>(le16(bytes, offset)) |
           static_cast<uint32_t>(le16(bytes, offset + 2)) << 16;
}

uint16_t le16(std::string_view bytes, size_t offset) {
    if (offset + 2 > bytes.size()) {
        return 0;
    }
    return static_cast<uint16_t>(static_cast<unsigned char>(bytes[offset]) |
                                 static_cast<unsigned char>(bytes[offset + 1]) << 8);
}

std::string errno_text(int error) {
    const char* name = strerrorname_np(error);
    const std::string number = std::to_string(error);
    if (name == nullptr) {
        return "errno " + number;
    }
    return std::string(name) + " (" + number + ", " + strerrordesc_np(error) + ")";
}

std::string printable(std::string_view text, size_t limit) {
    std::string out;
    for (size_t pos = 0; pos < text.size();) {
        const size_t length = utf8_length(text.substr(pos));
        const auto byte = static_cast<unsigned char>(text[pos]);
        if (length == 0) {
            out += '?';
            ++pos;
        } else if (length == 1 && (byte < 0x20 || byte == 0x7f)) {
            out += byte == '\t' || byte == '\n' ? ' ' : '?';
            ++pos;
        } else if (length == 2 && byte == 0xc2 &&
                   static_cast<unsigned char>(text[pos + 1]) < 0xa0) {
            out += '?';  // C1 controls steer terminals too
            pos += length;
        } else {
            out += text.substr(pos, length);
            pos += length;
        }
        if (out.size() > limit) {
            return out + "...";
        }
    }
    return trim(out);
}

std::string size_text(uint64_t bytes) {
    constexpr uint64_t kKi = 1024;
    if (bytes == UINT64_MAX) {
        return "unlimited";
    }
    if (bytes >= kKi * kKi * kKi && bytes % (kKi * kKi * kKi) == 0) {
        return std::to_string(bytes / (kKi * kKi * kKi)) + " GiB";
    }
    if (bytes >= kKi * kKi && bytes % (kKi * kKi) == 0) {
        return std::to_string(bytes / (kKi * kKi)) + " MiB";
    }
    if (bytes >= kKi) {
        return std::to_string(bytes / kKi) + " KiB";
    }
    return std::to_string(bytes) + " bytes";
}

int compare_version(std::string_view a, std::string_view b) {
    size_t at_a = 0;
    size_t at_b = 0;
    while (true) {
        const long number_b = next_number(b, at_b);
        if (number_b < 0) {
            return 0;
        }
        const long number_a = std::max(next_number(a, at_a), 0L);
        if (number_a != number_b) {
            return number_a < number_b ? -1 : 1;
        }
    }
}

}  // namespace xdna::probe
