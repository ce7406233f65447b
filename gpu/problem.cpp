#include "gpu/problem.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace xdna::gpu::detail {
namespace {

struct Product {
    Type a, b;
    bool integer;
};
// With the weights as A; the other way around is turned.
constexpr std::array kProducts{
    Product{Type::kF32, Type::kF32, false},   Product{Type::kF16, Type::kF16, false},
    Product{Type::kBf16, Type::kBf16, false}, Product{Type::kQ4, Type::kF16, false},
    Product{Type::kQ8, Type::kF16, false},    Product{Type::kQ4, Type::kF32, false},
    Product{Type::kQ8, Type::kF32, false},    Product{Type::kI8, Type::kI8, true},
    Product{Type::kI4, Type::kI8, true}};

[[noreturn]] void refuse(const std::string& why) {
    throw Error(ErrorCode::kInvalidArgument, "Matmul: " + why);
}

Stored stored(char name, const Layout& layout, std::uint32_t rows, std::uint32_t columns,
              std::uint32_t batch) {
    Stored s{
        .type = layout.type, .transposed = layout.transposed, .rows = rows, .columns = columns};
    if (layout.transposed) {
        std::swap(s.rows, s.columns);
    }
    const std::string what =
        std::string("operand ") + name + " (" + std::string(to_string(layout.type)) + ")";
    std::uint64_t dense = s.columns;
    if (is_block(layout.type)) {
        dense = (dense + kBlock - 1) / kBlock * kBlock;
    }
    const std::uint64_t stride = layout.stride == 0 ? dense : layout.stride;
    if (stride < s.columns) {
        refuse(what + ": stride " + std::to_string(stride) + " is less than a stored row's " +
               std::to_string(s.columns) + " elements");
    }
    const std::uint64_t matrix = (std::uint64_t{s.rows} - 1) * stride + dense;
    std::uint64_t batch_stride = layout.batch_stride == 0 ? s.rows * stride : layout.batch_stride;
    if (layout.batch_stride == kShared || batch == 1) {
        batch_stride = 0;
    } else if (name == 'c' && batch_stride < matrix &&
               (batch_stride < s.columns || batch_stride * (batch - 1) + s.columns > stride)) {
        refuse(what + ": matrices of the batch overlap");
    }
    if (name == 'c' && layout.batch_stride == kShared && batch > 1) {
        refuse(what + ": the batch's results cannot share one matrix");
    }
    if (is_block(layout.type) && (stride % kBlock != 0 || batch_stride % kBlock != 0)) {
        refuse(what + ": strides of a block type are multiples of " + std::to_string(kBlock));
    }
    if (matrix + batch_stride * (batch - 1) > UINT32_MAX) {
        refuse(what + ": more than 2^32 - 1 elements");
    }
    s.stride = static_cast<std::uint32_t>(stride);
    s.batch_stride = static_cast<std::uint32_t>(batch_stride);
    return s;
}

}  // namespace

std::uint64_t Stored::span(std::uint32_t batch) const {
    const std::uint64_t row = is_block(type) ? (columns + kBlock - 1) / kBlock * kBlock : columns;
    return std::uint64_t{batch_stride} * (batch - 1) + std::uint64_t{stride} * (rows - 1) + row;
}

std::string Problem::key() const {
    std::string key;
    for (const Stored* s : {&a, &b, &c}) {
        key += std::string(to_string(s->type)) + (s->transposed ? "t" : "") + ":" +
               std::to_string(s->stride) + " ";
    }
    for (const std::uint32_t size : {m, n, k, batch}) {
        key += std::to_string(size) + " ";
    }
    return key;
}

Problem check_shape(const MatmulShape& shape) {
    if (shape.m == 0 || shape.n == 0 || shape.k == 0 || shape.batch == 0) {
        refuse("m, n, k and batch are at least 1, not " + std::to_string(shape.m) + ", " +
               std::to_string(shape.n) + ", " + std::to_string(shape.k) + ", " +
               std::to_string(shape.batch));
    }
    Problem problem{.m = shape.m, .n = shape.n, .k = shape.k, .batch = shape.batch};
    problem.a = stored('a', shape.a, shape.m, shape.k, shape.batch);
    problem.b = stored('b', shape.b, shape.k, shape.n, shape.batch);
    problem.c = stored('c', shape.c, shape.m, shape.n, shape.batch);

    const auto product = [&](Type a, Type b) {
        return std::find_if(kProducts.begin(), kProducts.end(),
                            [&](const Product& p) { return p.a == a && p.b == b; });
    };
    const auto* found = product(shape.a.type, shape.b.type);
    const bool weights_in_b = found == kProducts.end();
    if (weights_in_b) {
        found = product(shape.b.type, shape.a.type);
    }
    const std::string types =
        std::string(to_string(shape.a.type)) + " x " + std::string(to_string(shape.b.type));
    if (found == kProducts.end()) {
        refuse("no product " + types);
    }
    problem.integer = found->integer;
    const bool c_fits = found->integer ? shape.c.type == Type::kI32
                                       : shape.c.type == Type::kF32 || shape.c.type == Type::kF16;
    if (!c_fits) {
        refuse(types + " cannot be stored as " + std::string(to_string(shape.c.type)));
    }
    // A vector times a matrix is a matrix times a vector.
    problem.swapped = weights_in_b || (shape.a.type == shape.b.type && shape.m <= 8 && shape.n > 8);
    if (problem.swapped) {
        std::swap(problem.m, problem.n);
        std::swap(problem.a, problem.b);
        for (Stored* s : {&problem.a, &problem.b, &problem.c}) {
            s->transposed = !s->transposed;
        }
    }
    if (is_block(problem.a.type) && problem.a.transposed) {
        refuse(std::string("operand ") + (problem.swapped ? 'b' : 'a') +
               ": a block type's blocks lie along k: as a it is not transposed, as b it is");
    }
    // One column is as good as one row.
    if (problem.n == 1 && !problem.b.transposed && problem.b.stride == 1) {
        problem.b.transposed = true;
        std::swap(problem.b.rows, problem.b.columns);
        problem.b.stride = problem.k;
    }
    return problem;
}

}  // namespace xdna::gpu::detail
