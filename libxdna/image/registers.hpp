// The register map of the AIE2 array (Phoenix, Hawk Point): one table for whoever names, decodes
// or models a register. `xdna-image dump` prints through it, kernels/flow composes words with its
// fields, emu/array builds its register files from it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace xdna::image {

enum class TileKind : uint8_t { kShim, kMem, kCore };

// The unit that register names are unique in. A core tile holds a core and a memory module, a shim
// tile a NoC and a PL module, a memory tile one module of its own.
enum class Module : uint8_t { kCore, kMemory, kMemTile, kNoc, kPl };

constexpr TileKind tile_kind(Module module) {
    return module <= Module::kMemory    ? TileKind::kCore
           : module == Module::kMemTile ? TileKind::kMem
                                        : TileKind::kShim;
}

constexpr std::string_view module_name(Module module) {
    constexpr std::array<std::string_view, 5> kNames = {"core", "memory", "memtile", "noc", "pl"};
    return kNames[static_cast<size_t>(module)];
}

// How a register or field answers a write: kWtc clears the bits that are written as 1.
enum class Access : uint8_t { kRw, kRo, kWo, kWtc };

// A bit range of a register.
struct Field {
    std::string_view name;
    uint8_t lsb = 0;
    uint8_t width = 0;
    Access access = Access::kRw;

    constexpr uint32_t max() const { return width >= 32 ? ~0U : (1U << width) - 1; }
    constexpr uint32_t mask() const { return max() << lsb; }
    constexpr uint32_t get(uint32_t word) const { return (word >> lsb) & max(); }
    // The field's bits of a word; value bits that do not fit are the caller's error to check.
    constexpr uint32_t put(uint32_t value) const { return (value & max()) << lsb; }
};

// `count` registers `stride` bytes apart; the first is called number `first`.
struct Repeat {
    uint16_t count = 1;
    uint32_t stride = 0;
    uint16_t first = 0;
};

// One row: a register, or an array of alike registers. `name` has one {} for each repeat's number
// (none for a memory, whose elements have no names).
struct Register {
    Module module;
    uint32_t offset;  // bytes within the tile, of the first element
    std::string_view name;
    Repeat outer;
    Repeat inner;
    Access access;  // of every field that does not say otherwise
    uint8_t bits;   // 32, or 128 for the core's wide registers and the memories
    uint32_t reset;
    std::string_view field_list;  // "Name msb:lsb", or "Name bit"; access after it where it differs

    constexpr uint32_t offset_of(uint32_t i, uint32_t j = 0) const {
        return offset + i * outer.stride + j * inner.stride;
    }
    constexpr size_t count() const { return size_t{outer.count} * inner.count; }
    constexpr bool is_memory() const { return outer.count > 1 && name.find('{') == name.npos; }
};

namespace detail {

inline constexpr auto kCore = Module::kCore, kMemory = Module::kMemory, kMemTile = Module::kMemTile,
                      kNoc = Module::kNoc, kPl = Module::kPl;
inline constexpr auto kRw = Access::kRw, kRo = Access::kRo, kWo = Access::kWo, kWtc = Access::kWtc;

inline constexpr Register kRegisters[] = {
#include "libxdna/image/register_table.inc"
};

// Takes the first field off `list`.
constexpr Field next_field(std::string_view& list, Access access) {
    const auto number = [](std::string_view& text) {
        unsigned value = 0;
        while (!text.empty() && text[0] >= '0' && text[0] <= '9') {
            value = value * 10 + static_cast<unsigned>(text[0] - '0');
            text.remove_prefix(1);
        }
        return value;
    };
    const size_t comma = list.find(", ");
    std::string_view item = list.substr(0, comma);
    list.remove_prefix(comma == list.npos ? list.size() : comma + 2);

    Field field;
    field.name = item.substr(0, item.find(' '));
    item.remove_prefix(field.name.size() + 1);
    const unsigned msb = number(item);
    unsigned lsb = msb;
    if (!item.empty() && item[0] == ':') {
        item.remove_prefix(1);
        lsb = number(item);
    }
    field.lsb = static_cast<uint8_t>(lsb);
    field.width = static_cast<uint8_t>(msb - lsb + 1);
    field.access = item == " ro"    ? Access::kRo
                   : item == " wo"  ? Access::kWo
                   : item == " wtc" ? Access::kWtc
                   : item == " rw"  ? Access::kRw
                                    : access;
    return field;
}

}  // namespace detail

// Every row, ordered by module and offset.
constexpr std::span<const Register> registers() {
    return detail::kRegisters;
}

// Calls visit(Field) for each field of a register, from its high bits down.
template <typename Visit>
constexpr void for_each_field(const Register& reg, Visit&& visit) {
    for (std::string_view rest = reg.field_list; !rest.empty();) {
        visit(detail::next_field(rest, reg.access));
    }
}

// The row called `name` (its {} included, as in "DMA_BD{}_0"). A name that the table lacks does not
// compile.
consteval const Register& register_row(Module module, std::string_view name) {
    for (const Register& reg : detail::kRegisters) {
        if (reg.module == module && reg.name == name) {
            return reg;
        }
    }
    throw std::out_of_range("no such register");
}

// The field `name` of the register `reg`: field(Module::kNoc, "DMA_BD{}_7", "Valid_BD").get(word).
// A name that the table lacks does not compile.
consteval Field field(Module module, std::string_view reg, std::string_view name) {
    const Register& row = register_row(module, reg);
    for (std::string_view rest = row.field_list; !rest.empty();) {
        const Field found = detail::next_field(rest, row.access);
        if (found.name == name) {
            return found;
        }
    }
    throw std::out_of_range("no such field");
}

// A place in the array as PDIs and control code address it: column 31:25, row 24:20, offset 19:0.
// Columns count from the partition's first. Source: Xilinx/mlir-aie,
// lib/Targets/AIETargetCDODirect.cpp.
struct TileAddress {
    uint32_t column = 0;
    uint32_t row = 0;
    uint32_t offset = 0;

    static constexpr TileAddress decode(uint32_t address) {
        return {address >> 25, (address >> 20) & 0x1F, address & 0xFFFFF};
    }
    constexpr uint32_t encode() const { return column << 25 | row << 20 | offset; }
    // Phoenix: row 0 is shim, row 1 memory, the rest cores.
    constexpr TileKind kind() const {
        return row == 0 ? TileKind::kShim : row == 1 ? TileKind::kMem : TileKind::kCore;
    }
};

// A register that an offset falls into.
struct RegisterHit {
    const Register* reg;
    uint32_t i;  // element of the outer and of the inner repeat, counted from 0
    uint32_t j;
    uint32_t byte;  // offset within that element
};

// The register at `offset` bytes of a tile; none where the table has none.
std::optional<RegisterHit> find_register(TileKind tile, uint32_t offset);

// "noc.DMA_BD3_1", "memory.DataMemory+0x400", or "0x1d999" where the table has none.
std::string register_name(TileKind tile, uint32_t offset);

}  // namespace xdna::image
