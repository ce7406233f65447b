#include "kernels/tensor.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace xdna::kernels {
namespace {

struct TypeRow {
    std::string_view name;
    uint64_t user_bytes;
    uint64_t device_bits;
};
// Indexed by Type.
constexpr TypeRow kTypes[] = {{"bytes", 1, 8},  {"int4", 1, 4},  {"int8", 1, 8},
                              {"int32", 4, 32}, {"bf16", 2, 16}, {"float32", 4, 32}};

const TypeRow& row(Type type) {
    return kTypes[static_cast<size_t>(type)];
}

uint64_t product(const std::vector<uint64_t>& sizes) {
    uint64_t all = 1;
    for (const uint64_t size : sizes) {
        all *= size;
    }
    return all;
}

// Calls `row(user element, device element)` with the start of each innermost row of `shape`.
template <typename Row>
void each_row(const Tensor& tensor, Row&& row) {
    const size_t outer = tensor.shape.size() - 1;
    const uint64_t rows = product(tensor.shape) / tensor.shape.back();
    for (uint64_t i = 0; i < rows; ++i) {
        uint64_t rest = i;
        uint64_t at = 0;
        uint64_t stride = tensor.padded.back();
        for (size_t d = outer; d-- > 0;) {
            at += rest % tensor.shape[d] * stride;
            rest /= tensor.shape[d];
            stride *= tensor.padded[d];
        }
        row(i * tensor.shape.back(), at);
    }
}

void check_size(size_t is, uint64_t wanted) {
    if (is != wanted) {
        throw std::invalid_argument("has " + std::to_string(is) + " bytes, not " +
                                    std::to_string(wanted));
    }
}

}  // namespace

std::string_view name_of(Type type) {
    return row(type).name;
}

std::optional<Type> find_type(std::string_view name) {
    for (size_t i = 0; i < std::size(kTypes); ++i) {
        if (kTypes[i].name == name) {
            return static_cast<Type>(i);
        }
    }
    return std::nullopt;
}

uint64_t user_bytes(Type type) {
    return row(type).user_bytes;
}

uint64_t user_bytes(const Tensor& tensor) {
    return product(tensor.shape) * user_bytes(tensor.type);
}

uint64_t device_bytes(const Tensor& tensor) {
    return product(tensor.padded) * row(tensor.type).device_bits / 8;
}

std::vector<uint8_t> to_device(const Tensor& tensor, std::span<const uint8_t> values) {
    if (tensor.type == Type::kBytes) {
        return {values.begin(), values.end()};
    }
    check_size(values.size(), user_bytes(tensor));
    std::vector<uint8_t> buffer(device_bytes(tensor));
    const uint64_t width = user_bytes(tensor.type);
    each_row(tensor, [&](uint64_t from, uint64_t to) {
        if (tensor.type != Type::kInt4) {
            std::copy_n(&values[from * width], tensor.shape.back() * width, &buffer[to * width]);
            return;
        }
        for (uint64_t i = 0; i < tensor.shape.back(); ++i) {
            const auto value = static_cast<int8_t>(values[from + i]);
            if (value < -8 || value > 7) {
                throw std::invalid_argument("element " + std::to_string(from + i) + " is " +
                                            std::to_string(value) + ", no int4");
            }
            buffer[(to + i) / 2] |= static_cast<uint8_t>((value & 0xF) << 4 * ((to + i) % 2));
        }
    });
    return buffer;
}

std::vector<uint8_t> from_device(const Tensor& tensor, std::span<const uint8_t> buffer) {
    if (tensor.type == Type::kBytes) {
        return {buffer.begin(), buffer.end()};
    }
    check_size(buffer.size(), device_bytes(tensor));
    std::vector<uint8_t> values(user_bytes(tensor));
    const uint64_t width = user_bytes(tensor.type);
    each_row(tensor, [&](uint64_t to, uint64_t from) {
        if (tensor.type != Type::kInt4) {
            std::copy_n(&buffer[from * width], tensor.shape.back() * width, &values[to * width]);
            return;
        }
        for (uint64_t i = 0; i < tensor.shape.back(); ++i) {
            const int nibble = buffer[(from + i) / 2] >> 4 * ((from + i) % 2) & 0xF;
            values[to + i] = static_cast<uint8_t>(nibble >= 8 ? nibble - 16 : nibble);
        }
    });
    return values;
}

}  // namespace xdna::kernels
