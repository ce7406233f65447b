// NumPy's .npy files, as far as kernels need them: little-endian, C order, versions 1 to 3.
// Format: numpy.org, numpy.lib.format.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/tensor.hpp"

namespace xdna::run {

struct Array {
    std::string type;  ///< NumPy's: "|i1", "<i4", "<f4", ...
    std::vector<uint64_t> shape;
    std::vector<uint8_t> data;
};

bool is_npy(std::span<const uint8_t> file);

/// Throws std::invalid_argument naming what is wrong with the file.
Array parse_npy(std::span<const uint8_t> file);
std::vector<uint8_t> serialize_npy(const Array& array);

/// An array's elements as a kernel's user has them. bf16 takes float32, rounded to nearest even, or
/// the bits as uint16. Throws std::invalid_argument naming both types where they do not go
/// together.
std::vector<uint8_t> values_of(const Array& array, kernels::Type type);
/// And back; bf16 comes as float32.
Array array_of(const kernels::Tensor& tensor, std::span<const uint8_t> values);

}  // namespace xdna::run
