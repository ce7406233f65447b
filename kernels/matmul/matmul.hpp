// C = A B on a square of cores; docs/kernels/matmul.md has the contract.
#pragma once

#include "kernels/catalog.hpp"

namespace xdna::kernels {

/// matmul_int8 (-> int32), matmul_int8_q (-> int8, sums multiplied by Shape::scale),
/// matmul_int8_int4 (-> int32), matmul_int8_int4_q (-> int8 by Shape::scale) and matmul_bf16
/// (-> fp32), on the 16 cores of four columns.
std::span<const Kernel* const> matmul_kernels();

/// One of these by name on one core, to compare and to measure.
const Kernel& matmul_on_one_core(std::string_view name);

}  // namespace xdna::kernels
