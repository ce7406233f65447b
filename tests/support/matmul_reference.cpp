#include "tests/support/matmul_reference.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <sstream>

namespace xdna::test {
namespace {

using gpu::Type;

bool is_integer(Type type) {
    return type == Type::kI8 || type == Type::kI4 || type == Type::kI32;
}

template <class T>
T load(const std::vector<std::byte>& bytes, std::uint64_t i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
}

/// How far a sum of k products may be from its float64 value: rounding of f32 sums, of weights to
/// f16, and of the result. Products are about 1 in size, so that sums are about sqrt(k).
double allowance(const Problem& problem, double value) {
    const auto block = [](Type type) { return type == Type::kQ4 || type == Type::kQ8; };
    const double k = problem.shape.k;
    double allowed = 1e-6 * k + 1e-6;
    if (block(problem.a.layout.type) || block(problem.b.layout.type)) {
        allowed += 5e-4 * 8 * std::sqrt(k);
    }
    if (problem.shape.c.type == Type::kF16) {
        allowed += std::ldexp(std::fabs(value), -11) + 1e-7;
    }
    return allowed;
}

bool agrees(const Problem& problem, const Matrix& c, double got, double wanted) {
    if (is_integer(c.layout.type)) {
        return static_cast<std::int32_t>(got) ==
               static_cast<std::int32_t>(
                   static_cast<std::uint32_t>(static_cast<std::int64_t>(wanted)));
    }
    return std::fabs(got - wanted) <= allowance(problem, wanted);  // false for NaN
}

std::string describe(std::uint32_t b, std::uint32_t row, std::uint32_t column, double got,
                     double wanted) {
    std::ostringstream text;
    text << "c[" << b << "][" << row << "][" << column << "] is " << got << ", not " << wanted;
    return text.str();
}

double product(const Problem& problem, std::uint32_t b, std::uint32_t row, std::uint32_t column) {
    double sum = 0;
    for (std::uint32_t k = 0; k < problem.shape.k; k++) {
        sum += problem.a.at(b, row, k) * problem.b.at(b, k, column);
    }
    return sum;
}

}  // namespace

double Matrix::element(std::uint64_t i) const {
    switch (layout.type) {
        case Type::kF32:
            return load<float>(values, i);
        case Type::kI32:
            return load<std::int32_t>(values, i);
        case Type::kF16:
            return gpu::from_f16(load<std::uint16_t>(values, i));
        case Type::kBf16:
            return gpu::from_bf16(load<std::uint16_t>(values, i));
        case Type::kI8:
            return load<std::int8_t>(values, i);
        case Type::kQ8:
            return load<std::int8_t>(values, i) * double{gpu::from_f16(scales[i / gpu::kBlock])};
        case Type::kI4:
        case Type::kQ4: {
            const int bits = static_cast<int>(values[i / 2]) >> (i % 2 * 4) & 15;
            const int value = bits - (bits >= 8 ? 16 : 0);
            return layout.type == Type::kI4
                       ? value
                       : value * double{gpu::from_f16(scales[i / gpu::kBlock])};
        }
    }
    return NAN;
}

Matrix poisoned_matrix(const gpu::Layout& layout, std::uint32_t rows, std::uint32_t columns,
                       std::uint32_t batch) {
    Matrix m{.layout = layout, .rows = rows, .columns = columns, .batch = batch};
    const bool block = layout.type == Type::kQ4 || layout.type == Type::kQ8;
    const std::uint64_t stored_rows = layout.transposed ? columns : rows;
    std::uint64_t stored_columns = layout.transposed ? rows : columns;
    if (block) {
        stored_columns = (stored_columns + gpu::kBlock - 1) / gpu::kBlock * gpu::kBlock;
    }
    m.stride = layout.stride != 0 ? layout.stride : stored_columns;
    m.batch_stride = batch == 1 || layout.batch_stride == gpu::kShared ? 0
                     : layout.batch_stride != 0                        ? layout.batch_stride
                                                                       : stored_rows * m.stride;
    const std::uint64_t elements =
        m.batch_stride * (batch - 1) + (stored_rows - 1) * m.stride + stored_columns;
    m.values.assign(gpu::bytes_of(layout.type, elements), std::byte{0xff});
    m.scales.assign(gpu::scale_bytes_of(layout.type, elements) / 2, 0);
    return m;
}

Matrix random_matrix(const gpu::Layout& layout, std::uint32_t rows, std::uint32_t columns,
                     std::uint32_t batch, std::mt19937_64& random) {
    Matrix m = poisoned_matrix(layout, rows, columns, batch);
    const auto uniform = [](std::uint64_t bits) {
        // Between -1.7 and 1.7: the variance is about 1.
        return static_cast<float>(static_cast<double>(bits >> 11) * 0x1p-53 * 3.4 - 1.7);
    };
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < m.values.size(); i++) {
        if (i % 8 == 0) {
            bits = random();
        }
        m.values[i] = static_cast<std::byte>(bits >> (i % 8 * 8));
    }
    if (layout.type == Type::kF32) {
        for (std::size_t i = 0; i + 4 <= m.values.size(); i += 4) {
            const float value = uniform(random());
            std::memcpy(&m.values[i], &value, 4);
        }
    } else if (layout.type == Type::kF16 || layout.type == Type::kBf16) {
        for (std::size_t i = 0; i + 2 <= m.values.size(); i += 2) {
            const float value = uniform(random());
            const std::uint16_t half =
                layout.type == Type::kF16 ? gpu::to_f16(value) : gpu::to_bf16(value);
            std::memcpy(&m.values[i], &half, 2);
        }
    }
    for (std::uint16_t& scale : m.scales) {
        scale = gpu::to_f16((layout.type == Type::kQ4 ? 0.2F : 0.013F) *
                            (1 + 0.5F * uniform(random()) / 2));
    }
    return m;
}

Problem random_problem(const gpu::MatmulShape& shape, std::mt19937_64& random) {
    return {shape, random_matrix(shape.a, shape.m, shape.k, shape.batch, random),
            random_matrix(shape.b, shape.k, shape.n, shape.batch, random)};
}

std::string compare_all(const Problem& problem, const Matrix& c) {
    for (std::uint32_t b = 0; b < c.batch; b++) {
        for (std::uint32_t row = 0; row < c.rows; row++) {
            for (std::uint32_t column = 0; column < c.columns; column++) {
                const double wanted = product(problem, b, row, column);
                const double got = c.at(b, row, column);
                if (!agrees(problem, c, got, wanted)) {
                    return describe(b, row, column, got, wanted);
                }
            }
        }
    }
    return "";
}

std::string compare_sampled(const Problem& problem, const Matrix& c, std::size_t samples,
                            std::mt19937_64& random) {
    for (std::size_t i = 0; i < samples; i++) {
        const auto b = static_cast<std::uint32_t>(random() % c.batch);
        const auto row = static_cast<std::uint32_t>(random() % c.rows);
        const auto column = static_cast<std::uint32_t>(random() % c.columns);
        const double wanted = product(problem, b, row, column);
        const double got = c.at(b, row, column);
        if (!agrees(problem, c, got, wanted)) {
            return describe(b, row, column, got, wanted);
        }
    }
    const bool integer = is_integer(c.layout.type);
    for (std::uint32_t b = 0; b < c.batch; b++) {
        std::vector<double> signs(c.columns);
        for (double& sign : signs) {
            sign = (random() & 1) != 0 ? 1 : -1;
        }
        std::vector<double> b_signs(problem.shape.k);
        for (std::uint32_t k = 0; k < problem.shape.k; k++) {
            for (std::uint32_t column = 0; column < c.columns; column++) {
                b_signs[k] += problem.b.at(b, k, column) * signs[column];
            }
        }
        for (std::uint32_t row = 0; row < c.rows; row++) {
            double wanted = 0;
            double got = 0;
            for (std::uint32_t k = 0; k < problem.shape.k; k++) {
                wanted += problem.a.at(b, row, k) * b_signs[k];
            }
            for (std::uint32_t column = 0; column < c.columns; column++) {
                got += c.at(b, row, column) * signs[column];
            }
            // An element's rounding, as often as there are columns, at random.
            const double typical = std::sqrt(static_cast<double>(problem.shape.k));
            const double allowed = integer ? 0.5
                                           : 4 * std::sqrt(static_cast<double>(c.columns)) *
                                                 allowance(problem, 2 * typical);
            if (!(std::fabs(got - wanted) <= allowed)) {
                std::ostringstream text;
                text << "row " << row << " of c[" << b << "] sums to " << got << ", not " << wanted
                     << " +- " << allowed;
                return text.str();
            }
        }
    }
    return "";
}

}  // namespace xdna::test
