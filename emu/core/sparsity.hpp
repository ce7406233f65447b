// 2:4 sparsity. Of four neighbouring elements two are stored, and a mask says where they stand. The
// table of masks, and that elements of two bytes have two mask bits, which count as one: AMD UG1583
// (AI Engine-ML intrinsics), Compressed Sparse Load Operations.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace xdna::emu::core {

constexpr uint8_t kNoElement = 0xFF;

/// Which of the four the stored two are, by mask (bit i: element i is not zero). kNoElement is
/// stored as zero. Masks with more than two bits have no entry: see fits_pair().
constexpr std::array<std::array<uint8_t, 2>, 16> kStoredPairs = {{
    {kNoElement, kNoElement},
    {0, kNoElement},
    {1, kNoElement},
    {0, 1},
    {kNoElement, 2},
    {0, 2},
    {1, 2},
    {},
    {kNoElement, 3},
    {0, 3},
    {1, 3},
    {},
    {2, 3},
    {},
    {},
    {},
}};

/// Whether at most two of the four are not zero. If not, the core sets srSparse_of; what it stores
/// is open (docs/silicon-questions.md).
constexpr bool fits_pair(unsigned mask) {
    return std::popcount(mask) <= 2;
}

/// The mask of four elements of `bytes` bytes, from mask bits of bytes, the lowest first.
constexpr unsigned mask_of_four(uint64_t bits, unsigned bytes) {
    unsigned mask = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const uint64_t element = bits >> i * bytes & ((1U << bytes) - 1);
        mask |= unsigned{element != 0} << i;
    }
    return mask;
}

}  // namespace xdna::emu::core
