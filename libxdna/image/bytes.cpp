#include "libxdna/image/bytes.hpp"

#include <algorithm>

namespace xdna::image {
namespace {

std::string describe(std::string_view container, uint64_t offset, std::string_view field,
                     uint64_t value, std::string_view problem) {
    return std::string(container) + ": " + std::string(field) + " at offset " + hex(offset) +
           " is " + hex(value) + ": " + std::string(problem);
}

}  // namespace

FormatError::FormatError(std::string_view container, uint64_t offset, std::string_view field,
                         uint64_t value, std::string_view problem)
    : std::runtime_error(describe(container, offset, field, value, problem)),
      container_(container),
      offset_(offset),
      field_(field),
      value_(value),
      problem_(problem) {}

std::string hex(uint64_t value) {
    std::string text;
    do {
        text += "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value != 0);
    text += "x0";
    std::reverse(text.begin(), text.end());
    return text;
}

void Reader::seek(uint64_t offset, std::string_view field) {
    if (offset > bytes_.size()) {
        throw FormatError(container_, offset_, field, offset,
                          "points past the end, " + hex(bytes_.size()));
    }
    offset_ = offset;
}

ByteView Reader::bytes(uint64_t count, std::string_view field) {
    if (count > left()) {
        throw FormatError(container_, offset_, field, count,
                          "that many bytes are needed, " + std::to_string(left()) + " are left");
    }
    const ByteView view = bytes_.subspan(offset_, count);
    offset_ += count;
    return view;
}

Words Reader::words(uint64_t count, std::string_view field) {
    if (count > left() / 4) {
        throw FormatError(
            container_, offset_, field, count,
            "that many words are needed, " + std::to_string(left() / 4) + " are left");
    }
    Words values(count);
    for (uint32_t& value : values) {
        value = u32(field);
    }
    return values;
}

void Writer::words(std::span<const uint32_t> values) {
    for (const uint32_t value : values) {
        write(value);
    }
}

void Coverage::claim(uint64_t offset, uint64_t size, std::string_view field) {
    if (size == 0) {
        return;
    }
    const uint64_t end = offset + size;
    auto after = claims_.lower_bound(offset);
    const bool clash_after = after != claims_.end() && after->first < end;
    const bool clash_before = after != claims_.begin() && std::prev(after)->second > offset;
    if (clash_after || clash_before) {
        throw FormatError(container_, offset, field, size, "overlaps another part of the file");
    }
    claims_.emplace(offset, end);
}

std::vector<Loose> Coverage::rest(ByteView container) const {
    std::vector<Loose> loose;
    const auto keep = [&](uint64_t begin, uint64_t end) {
        const ByteView run = container.subspan(begin, end - begin);
        const bool last = end == container.size();
        if (!run.empty() &&
            (last || std::any_of(run.begin(), run.end(), [](uint8_t b) { return b != 0; }))) {
            loose.push_back({begin, Bytes(run.begin(), run.end())});
        }
    };
    uint64_t at = 0;
    for (const auto& [begin, end] : claims_) {
        keep(at, begin);
        at = end;
    }
    keep(at, container.size());
    return loose;
}

void Canvas::place(uint64_t offset, ByteView bytes, std::string_view field) {
    coverage_.claim(offset, bytes.size(), field);
    if (bytes_.size() < offset + bytes.size()) {
        bytes_.resize(offset + bytes.size());
    }
    std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
}

}  // namespace xdna::image
