#pragma once

// The generated tables as the files of this room see them; not for others.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/isa/bundle.hpp"
#include "kernels/isa/relocation.hpp"

namespace xdna::isa::tables {

struct SlotPlace {
    Slot slot;
    std::uint8_t offset;
};

/// 128 bits as two halves, the lower first.
using Wide = std::array<std::uint64_t, 2>;

struct FormatRow {
    std::string_view name;
    std::uint8_t size;
    std::uint32_t slots;
    std::uint16_t first_place;
    std::uint8_t place_count;
    Wide mask;
    Wide bits;
};

[[nodiscard]] std::span<const FormatRow> formats();
[[nodiscard]] std::span<const SlotPlace> places(const FormatRow& format);

}  // namespace xdna::isa::tables
