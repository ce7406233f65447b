// Element types on the host: sizes, conversions, quantization.
#include <algorithm>
#include <bit>
#include <cmath>

#include "gpu/problem.hpp"

namespace xdna::gpu {

std::string_view to_string(Type type) {
    constexpr std::string_view kNames[] = {"f32", "f16", "bf16", "i32", "i8", "i4", "q4", "q8"};
    return kNames[static_cast<std::size_t>(type)];
}

std::size_t bytes_of(Type type, std::size_t elements) {
    return (elements * detail::bits_of(type) + 7) / 8;
}

std::size_t scale_bytes_of(Type type, std::size_t elements) {
    return detail::is_block(type) ? (elements + kBlock - 1) / kBlock * 2 : 0;
}

std::uint16_t to_bf16(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (std::isnan(value)) {
        return static_cast<std::uint16_t>(bits >> 16 | 0x40);
    }
    return static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float from_bf16(std::uint16_t bits) {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

std::uint16_t to_f16(float value) {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = bits >> 16 & 0x8000;
    const std::uint32_t magnitude = bits & 0x7fffffff;
    std::uint32_t half = 0;
    if (magnitude > 0x7f800000) {
        half = 0x7e00;
    } else if (magnitude >= 0x477ff000) {  // 65520 and more round to infinity
        half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
        half = (magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13;
    } else {
        // A subnormal's unit is 2^-24, and nearbyint rounds as IEEE does.
        half =
            static_cast<std::uint32_t>(std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24F));
    }
    return static_cast<std::uint16_t>(sign | half);
}

float from_f16(std::uint16_t bits) {
    const std::uint32_t exponent = bits >> 10 & 0x1f;
    const std::uint32_t mantissa = bits & 0x3ff;
    float magnitude = 0;
    if (exponent == 0) {
        magnitude = static_cast<float>(mantissa) * 0x1p-24F;
    } else if (exponent == 31) {
        magnitude = std::bit_cast<float>(0x7f800000 | mantissa << 13);
    } else {
        magnitude = std::bit_cast<float>((exponent + 112) << 23 | mantissa << 13);
    }
    return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

Quantized quantize(Type type, std::span<const float> rows, std::size_t columns) {
    if (!detail::is_block(type)) {
        throw Error(ErrorCode::kInvalidArgument,
                    "quantize: " + std::string(to_string(type)) + " is no block type");
    }
    if (columns == 0 || rows.size() % columns != 0) {
        throw Error(ErrorCode::kInvalidArgument, "quantize: " + std::to_string(rows.size()) +
                                                     " elements are no whole rows of " +
                                                     std::to_string(columns));
    }
    const std::size_t blocks = (columns + kBlock - 1) / kBlock;
    const std::size_t height = rows.size() / columns;
    const bool four = type == Type::kQ4;
    Quantized out{.stride = blocks * kBlock};
    out.values.resize(bytes_of(type, height * out.stride));
    out.scales.resize(height * blocks);
    for (std::size_t i = 0; i < height * blocks; i++) {
        const std::size_t first = i % blocks * kBlock;
        const auto block =
            rows.subspan(i / blocks * columns + first, std::min(kBlock, columns - first));
        float extreme = 0;
        for (const float value : block) {
            if (!std::isfinite(value)) {
                throw Error(
                    ErrorCode::kInvalidArgument,
                    "quantize: element " + std::to_string(&value - rows.data()) + " is not finite");
            }
            if (std::fabs(value) > std::fabs(extreme)) {
                extreme = value;
            }
        }
        // Four bits reach further below zero than above.
        const std::uint16_t scale = to_f16(four ? extreme / -8 : std::fabs(extreme) / 127);
        out.scales[i] = scale;
        const float step = from_f16(scale);
        if (std::isinf(step)) {
            throw Error(ErrorCode::kInvalidArgument,
                        "quantize: a block's scale is too large for f16");
        }
        for (std::size_t j = 0; j < block.size(); j++) {
            const float steps = step == 0 ? 0 : std::nearbyint(block[j] / step);
            const int value =
                static_cast<int>(std::clamp(steps, four ? -8.0F : -127.0F, four ? 7.0F : 127.0F));
            const std::size_t at = i * kBlock + j;
            if (four) {
                out.values[at / 2] |= static_cast<std::byte>((value & 15) << (at % 2 * 4));
            } else {
                out.values[at] = static_cast<std::byte>(value);
            }
        }
    }
    return out;
}

}  // namespace xdna::gpu
