// Bytes in and out: a bounds-checked little-endian reader, a writer, and the account of which bytes
// of a container are spoken for.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libxdna/image/error.hpp"

namespace xdna::image {

using Bytes = std::vector<uint8_t>;
using ByteView = std::span<const uint8_t>;
using Words = std::vector<uint32_t>;

std::string hex(uint64_t value);  // "0x1f"

// A fixed array of characters, NUL-padded by those who write it; whatever follows the first NUL is
// kept.
template <size_t N>
struct FixedText {
    std::array<char, N> chars{};

    FixedText() = default;
    // Throws std::length_error where text and one NUL do not fit.
    template <std::convertible_to<std::string_view> Text>
    FixedText(const Text& source) {
        const std::string_view text = source;
        if (text.size() >= N) {
            throw std::length_error("\"" + std::string(text) + "\" is longer than " +
                                    std::to_string(N - 1) + " characters");
        }
        std::memcpy(chars.data(), text.data(), text.size());
    }
    std::string_view view() const { return {chars.data(), strnlen(chars.data(), N)}; }
    bool operator==(const FixedText&) const = default;
};

// A cursor over a container's bytes. Each read names its field, so that running off the end is an
// error that says which field was cut off. The bytes must outlive the reader.
class Reader {
  public:
    Reader(ByteView bytes, std::string_view container) : bytes_(bytes), container_(container) {}

    size_t offset() const { return offset_; }
    size_t size() const { return bytes_.size(); }
    size_t left() const { return bytes_.size() - offset_; }
    std::string_view container() const { return container_; }

    void seek(uint64_t offset, std::string_view field);
    ByteView bytes(uint64_t count, std::string_view field);
    Words words(uint64_t count, std::string_view field);

    template <typename T>
    T number(std::string_view field) {
        const ByteView raw = bytes(sizeof(T), field);
        T value = 0;
        for (size_t i = sizeof(T); i-- > 0;) {
            value = static_cast<T>(uint64_t{value} << 8 | raw[i]);
        }
        return value;
    }
    uint8_t u8(std::string_view field) { return number<uint8_t>(field); }
    uint16_t u16(std::string_view field) { return number<uint16_t>(field); }
    uint32_t u32(std::string_view field) { return number<uint32_t>(field); }
    uint64_t u64(std::string_view field) { return number<uint64_t>(field); }

    void read(uint8_t& value, std::string_view field) { value = u8(field); }
    void read(uint16_t& value, std::string_view field) { value = u16(field); }
    void read(uint32_t& value, std::string_view field) { value = u32(field); }
    void read(uint64_t& value, std::string_view field) { value = u64(field); }
    void read(int32_t& value, std::string_view field) { value = static_cast<int32_t>(u32(field)); }
    template <typename T, size_t N>
    void read(std::array<T, N>& values, std::string_view field) {
        for (T& value : values) {
            read(value, field);
        }
    }
    template <size_t N>
    void read(FixedText<N>& text, std::string_view field) {
        const ByteView raw = bytes(N, field);
        std::copy(raw.begin(), raw.end(), text.chars.begin());
    }

    // The field that was just read, `width` bytes before the cursor, is wrong.
    [[noreturn]] void reject(size_t width, std::string_view field, uint64_t value,
                             std::string_view problem) const {
        throw FormatError(container_, offset_ - width, field, value, problem);
    }

  private:
    ByteView bytes_;
    std::string container_;
    size_t offset_ = 0;
};

// Appends little-endian values.
class Writer {
  public:
    size_t size() const { return bytes_.size(); }
    const Bytes& view() const { return bytes_; }
    Bytes take() { return std::move(bytes_); }

    void bytes(ByteView raw) { bytes_.insert(bytes_.end(), raw.begin(), raw.end()); }
    void words(std::span<const uint32_t> values);
    void zeros(size_t count) { bytes_.resize(bytes_.size() + count); }
    void align(size_t alignment) { zeros((alignment - bytes_.size() % alignment) % alignment); }

    void write(uint8_t value) { number(value); }
    void write(uint16_t value) { number(value); }
    void write(uint32_t value) { number(value); }
    void write(uint64_t value) { number(value); }
    void write(int32_t value) { number(static_cast<uint32_t>(value)); }
    template <typename T, size_t N>
    void write(const std::array<T, N>& values) {
        for (const T& value : values) {
            write(value);
        }
    }
    template <size_t N>
    void write(const FixedText<N>& text) {
        bytes_.insert(bytes_.end(), text.chars.begin(), text.chars.end());
    }

  private:
    template <typename T>
    void number(T value) {
        for (size_t i = 0; i < sizeof(T); ++i) {
            bytes_.push_back(static_cast<uint8_t>(value >> 8 * i));
        }
    }

    Bytes bytes_;
};

// Bytes of a container that no structure of it covers, kept so that writing gives them back.
struct Loose {
    uint64_t offset = 0;
    Bytes bytes;
    bool operator==(const Loose&) const = default;
};

// Which bytes of a container belong to a structure. No byte belongs to two.
class Coverage {
  public:
    explicit Coverage(std::string_view container) : container_(container) {}

    // Throws where some byte was claimed before; `field` is what refers to these bytes.
    void claim(uint64_t offset, uint64_t size, std::string_view field);

    // The unclaimed runs that are not zero, and the last one whatever it holds: what has to be kept
    // to write the container back byte for byte.
    std::vector<Loose> rest(ByteView container) const;

  private:
    std::string container_;
    std::map<uint64_t, uint64_t> claims_;  // begin -> end
};

// A container being laid out: pieces at given offsets, zeros between them.
class Canvas {
  public:
    explicit Canvas(std::string_view container) : coverage_(container) {}

    // Throws where some byte was placed before.
    void place(uint64_t offset, ByteView bytes, std::string_view field);
    Bytes take() { return std::move(bytes_); }

  private:
    Bytes bytes_;
    Coverage coverage_;
};

// Reads or writes one structure through its list of fields (visit_fields of that structure).
template <typename T>
void read_fields(Reader& reader, T& structure) {
    visit_fields(structure, [&](std::string_view name, auto& value) { reader.read(value, name); });
}
template <typename T>
void write_fields(Writer& writer, const T& structure) {
    visit_fields(structure, [&](std::string_view, const auto& value) { writer.write(value); });
}

}  // namespace xdna::image
