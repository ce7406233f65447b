// C = A B on a square of cores; docs/kernels/matmul.md has the contract.
#pragma once

#include "kernels/catalog.hpp"

namespace xdna::kernels {

/// int8 x int8 -> int32, on the 16 cores of four columns.
const Kernel& matmul_int8();
/// The same on one core, to compare.
const Kernel& matmul_int8_one_core();

}  // namespace xdna::kernels
