// A multiplication as the kernels see it: checked, without defaults, and turned around where that
// brings the weights to A.
#pragma once

#include <cstdint>
#include <string>

#include "xdna/gpu.hpp"

namespace xdna::gpu::detail {

/// A matrix as it is stored. `rows` and `columns` are those of storage.
struct Stored {
    Type type = Type::kF32;
    bool transposed = false;
    std::uint32_t rows = 0, columns = 0;
    std::uint32_t stride = 0, batch_stride = 0;

    /// How many elements the whole batch spans.
    std::uint64_t span(std::uint32_t batch) const;
    /// Whether every row of every matrix starts at a multiple of so many elements.
    bool aligned(std::uint32_t elements) const {
        return stride % elements == 0 && batch_stride % elements == 0;
    }
};

struct Problem {
    std::uint32_t m = 0, n = 0, k = 0, batch = 1;
    Stored a, b, c;
    bool swapped = false;  ///< a is the caller's b: C^T = B^T A^T
    bool integer = false;  ///< sums are i32

    /// For the tuning cache: everything but the batch strides' values.
    std::string key() const;
};

/// @throws Error kInvalidArgument
Problem check_shape(const MatmulShape& shape);

constexpr bool is_block(Type type) {
    return type == Type::kQ4 || type == Type::kQ8;
}
constexpr std::uint32_t bits_of(Type type) {
    switch (type) {
        case Type::kF32:
        case Type::kI32:
            return 32;
        case Type::kF16:
        case Type::kBf16:
            return 16;
        case Type::kI8:
        case Type::kQ8:
            return 8;
        case Type::kI4:
        case Type::kQ4:
            return 4;
    }
    return 0;
}

}  // namespace xdna::gpu::detail
