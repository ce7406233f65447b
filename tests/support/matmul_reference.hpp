// Random matrices of every type the GPU module multiplies, and what their product is, in float64 or
// exactly.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "xdna/gpu.hpp"

namespace xdna::test {

/// A batch of matrices in host memory, as a Layout stores it.
struct Matrix {
    gpu::Layout layout;
    std::uint32_t rows = 0, columns = 0, batch = 1;  ///< not those of storage
    std::uint64_t stride = 0, batch_stride = 0;
    std::vector<std::byte> values;
    std::vector<std::uint16_t> scales;

    std::uint64_t index(std::uint32_t b, std::uint32_t row, std::uint32_t column) const {
        return b * batch_stride +
               (layout.transposed ? column * stride + row : row * stride + column);
    }
    double at(std::uint32_t b, std::uint32_t row, std::uint32_t column) const {
        return element(index(b, row, column));
    }
    double element(std::uint64_t i) const;
};

/// Room for a matrix, every byte 0xff: NaN as f32 and f16, -1 as an integer.
Matrix poisoned_matrix(const gpu::Layout& layout, std::uint32_t rows, std::uint32_t columns,
                       std::uint32_t batch);
/// Floats are normal-ish, about 1 in size; integers take every value. Gaps between rows are filled,
/// too.
Matrix random_matrix(const gpu::Layout& layout, std::uint32_t rows, std::uint32_t columns,
                     std::uint32_t batch, std::mt19937_64& random);

struct Problem {
    gpu::MatmulShape shape;
    Matrix a, b;
};
Problem random_problem(const gpu::MatmulShape& shape, std::mt19937_64& random);

/// Compares every element with the sum of its products.
/// @returns empty where all agree, else the first that does not
std::string compare_all(const Problem& problem, const Matrix& c);
/// Compares `samples` random elements so, and every row's sum with random signs (Freivalds' check):
/// for matrices whose product is too much for a CPU. A row's sum tells any element that was not
/// written or is far off.
std::string compare_sampled(const Problem& problem, const Matrix& c, std::size_t samples,
                            std::mt19937_64& random);

}  // namespace xdna::test
