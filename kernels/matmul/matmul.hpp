// C = A B on a square of cores; docs/kernels/matmul.md has the contract.
#pragma once

#include "kernels/catalog.hpp"

namespace xdna::kernels {

/// int8 x int8 -> int32, on the 16 cores of four columns.
const Kernel& matmul_int8();
/// int8 x int8 -> int8, sums multiplied by Shape::scale.
const Kernel& matmul_int8_q();
/// int8 x int4 -> int32.
const Kernel& matmul_int8_int4();
/// bf16 x bf16 -> fp32.
const Kernel& matmul_bf16();

/// On one core, to compare and to measure.
const Kernel& matmul_int8_one_core();
const Kernel& matmul_int8_int4_one_core();
const Kernel& matmul_bf16_one_core();

}  // namespace xdna::kernels
