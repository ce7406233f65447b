// Arrays as users have them, and as the device wants them: row-major, every dimension padded with
// zeros, int4 two a byte.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace xdna::kernels {

enum class Type : uint8_t {
    kBytes,  ///< no tensor: the buffer as it is
    kInt4,   ///< users: int8, -8 to 7; the device: two a byte, the first in the low half
    kInt8,
    kInt32,
    kBf16,  ///< users: the upper 16 bits of a float32
    kFloat32,
};

struct Tensor {
    Type type = Type::kBytes;
    std::vector<uint64_t> shape;   ///< outermost first
    std::vector<uint64_t> padded;  ///< at least `shape`; even in the last dimension of kInt4
};

/// "int8", and so on; and the type of such a name.
std::string_view name_of(Type type);
std::optional<Type> find_type(std::string_view name);
/// Bytes of one element as users have it.
uint64_t user_bytes(Type type);
/// Bytes of a whole tensor, as users have it and with padding as the device has it.
uint64_t user_bytes(const Tensor& tensor);
uint64_t device_bytes(const Tensor& tensor);

/// Between the two forms. Throw std::invalid_argument for a size that is not the tensor's, or an
/// int4 out of range.
std::vector<uint8_t> to_device(const Tensor& tensor, std::span<const uint8_t> values);
std::vector<uint8_t> from_device(const Tensor& tensor, std::span<const uint8_t> buffer);

}  // namespace xdna::kernels
