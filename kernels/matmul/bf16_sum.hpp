// How a core adds eight products of bf16 to an fp32 sum, bit for bit, for finite values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace xdna::kernels {

/// One multiply's sum: the terms a[i] b[i] and `sum` are aligned to the largest exponent among them
/// with 23 fraction bits, each rounded to nearest even; added exactly; rounded to nearest even
/// once. Zero and denormal bf16 count as zero, a denormal result becomes a signed zero. Neighbours
/// in `b` are `b_step` elements apart. Values are bf16 and fp32 bits. Overflow gives infinity; with
/// infinities and NaNs among the terms the result is not the core's.
/// Source: fitted to a Phoenix's results, FIM43-Redeye/xdna-emu (captured vectors); see
/// emu/core/dot_products.hpp and docs/silicon-questions.md.
uint32_t add_bf16_products(uint32_t sum, const uint16_t* a, const uint16_t* b, size_t b_step);

}  // namespace xdna::kernels
