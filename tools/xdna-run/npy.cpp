#include "tools/xdna-run/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace xdna::run {
namespace {

using kernels::Type;

constexpr std::array<uint8_t, 6> kMagic = {0x93, 'N', 'U', 'M', 'P', 'Y'};

[[noreturn]] void fail(const std::string& what) {
    throw std::invalid_argument(what);
}

// The value behind 'key': in the header, a Python dictionary that NumPy itself writes.
std::string_view value_of(std::string_view header, std::string_view key) {
    const std::string quoted = "'" + std::string(key) + "':";
    const size_t at = header.find(quoted);
    if (at == std::string_view::npos) {
        fail("the .npy header has no '" + std::string(key) + "'");
    }
    std::string_view rest = header.substr(at + quoted.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    return rest;
}

std::vector<uint64_t> parse_shape(std::string_view text) {
    const size_t end = text.find(')');
    if (text.empty() || text[0] != '(' || end == std::string_view::npos) {
        fail("the .npy header's shape is no tuple");
    }
    text = text.substr(1, end - 1);
    std::vector<uint64_t> shape;
    while (true) {
        text.remove_prefix(std::min(text.find_first_not_of(", "), text.size()));
        if (text.empty()) {
            return shape;
        }
        uint64_t size = 0;
        const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), size);
        if (error != std::errc{}) {
            fail("the .npy header's shape is not one of numbers");
        }
        shape.push_back(size);
        text.remove_prefix(static_cast<size_t>(next - text.data()));
    }
}

uint64_t width_of(std::string_view type) {
    uint64_t width = 0;
    std::from_chars(type.data() + 2, type.data() + type.size(), width);
    return width;
}

uint16_t to_bf16(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) {
        return static_cast<uint16_t>(bits >> 16 | 0x40);  // a NaN stays one
    }
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// NumPy's type of a kernel's; "" for raw bytes.
std::string_view numpy_type(Type type) {
    switch (type) {
        case Type::kInt4:
        case Type::kInt8:
            return "|i1";
        case Type::kInt32:
            return "<i4";
        case Type::kBf16:
        case Type::kFloat32:
            return "<f4";
        default:
            return "|u1";
    }
}

}  // namespace

bool is_npy(std::span<const uint8_t> file) {
    return file.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), file.begin());
}

Array parse_npy(std::span<const uint8_t> file) {
    // Magic, version (two bytes), the header's length in 2 bytes, from version 2 on in 4.
    const size_t length_bytes = file.size() > 6 && file[6] == 1 ? 2 : 4;
    const size_t start = 8 + length_bytes;
    if (!is_npy(file) || file.size() < start) {
        fail("no .npy file");
    }
    uint32_t length = 0;
    std::memcpy(&length, &file[8], length_bytes);
    if (length > file.size() - start) {
        fail("the .npy header is cut off");
    }
    const std::string_view header(reinterpret_cast<const char*>(&file[start]), length);
    Array array;
    const std::string_view type = value_of(header, "descr");
    const size_t end = type.find('\'', 1);
    if (type.empty() || type[0] != '\'' || end == std::string_view::npos || end < 4) {
        fail("the .npy file's elements are no plain numbers");
    }
    array.type = type.substr(1, end - 1);
    if (value_of(header, "fortran_order").substr(0, 5) != "False") {
        fail("the .npy file is in Fortran order; save numpy.ascontiguousarray(...) instead");
    }
    array.shape = parse_shape(value_of(header, "shape"));
    const auto data = file.subspan(start + length);
    uint64_t left = data.size();
    for (const uint64_t size : array.shape) {
        left = size == 0 ? 0 : left / size;
    }
    uint64_t bytes = width_of(array.type);
    for (const uint64_t size : array.shape) {
        bytes *= size;
    }
    if (left != width_of(array.type) || bytes != data.size()) {
        fail("the .npy file has " + std::to_string(data.size()) +
             " bytes of data, which its shape and type " + array.type + " do not make");
    }
    array.data.assign(data.begin(), data.end());
    return array;
}

std::vector<uint8_t> serialize_npy(const Array& array) {
    std::string header = "{'descr': '" + array.type + "', 'fortran_order': False, 'shape': (";
    for (const uint64_t size : array.shape) {
        header += std::to_string(size) + ",";
    }
    header += "), }";
    // The data starts at a multiple of 64.
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    std::vector<uint8_t> file(10 + header.size() + array.data.size());
    const auto length = static_cast<uint16_t>(header.size());
    auto at = std::copy(kMagic.begin(), kMagic.end(), file.begin());
    *at++ = 1;  // version 1.0
    *at++ = 0;
    *at++ = static_cast<uint8_t>(length);
    *at++ = static_cast<uint8_t>(length >> 8);
    at = std::copy(header.begin(), header.end(), at);
    std::copy(array.data.begin(), array.data.end(), at);
    return file;
}

std::vector<uint8_t> values_of(const Array& array, Type type) {
    if (type == Type::kBf16 && array.type == "<f4") {
        std::vector<uint8_t> values(array.data.size() / 2);
        for (size_t i = 0; i < values.size() / 2; ++i) {
            float value = 0;
            std::memcpy(&value, &array.data[4 * i], 4);
            const uint16_t bits = to_bf16(value);
            std::memcpy(&values[2 * i], &bits, 2);
        }
        return values;
    }
    if (array.type != (type == Type::kBf16 ? "<u2" : numpy_type(type))) {
        fail("has elements of type " + array.type + ", not " + std::string(name_of(type)));
    }
    return array.data;
}

Array array_of(const kernels::Tensor& tensor, std::span<const uint8_t> values) {
    Array array{std::string(numpy_type(tensor.type)), tensor.shape, {values.begin(), values.end()}};
    if (tensor.type == Type::kBytes) {
        array.shape = {values.size()};
    } else if (tensor.type == Type::kBf16) {
        array.data.assign(values.size() * 2, 0);
        for (size_t i = 0; i < values.size() / 2; ++i) {
            std::copy_n(&values[2 * i], 2, &array.data[4 * i + 2]);
        }
    }
    return array;
}

}  // namespace xdna::run
