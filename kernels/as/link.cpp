#include <algorithm>
#include <utility>

#include "kernels/as/object.hpp"
#include "libxdna/image/bytes.hpp"

namespace xdna::as {

namespace {

/// Sizes of a core's memories in bytes (AM020 chapter 4).
constexpr std::uint32_t kProgramMemory = 16 * 1024;
constexpr std::uint32_t kDataMemory = 64 * 1024;

using image::hex;

void place_sections(Object& object, bool executable, std::uint32_t base, std::uint32_t capacity) {
    std::uint64_t address = base;
    for (ObjectSection& section : object.sections) {
        if ((section.flags & kAllocate) == 0 || section.executable() != executable)
            continue;
        const std::uint64_t alignment = std::max<std::uint32_t>(section.alignment, 1);
        address = (address + alignment - 1) / alignment * alignment;
        if (address + section.size > std::uint64_t{base} + capacity)
            throw ObjectError("section " + section.name + " of " + std::to_string(section.size) +
                              " bytes ends at " + hex(address + section.size) +
                              ", past the end of " + (executable ? "program" : "data") +
                              " memory at " + hex(std::uint64_t{base} + capacity));
        section.address = static_cast<std::uint32_t>(address);
        address += section.size;
    }
}

/// Can the relocation hold the value? Addresses of 20 bits are unsigned, 32 bits hold both, and
/// the shorter ones are the signed immediates of mova, movx and mov.
bool fits(const isa::Relocation& relocation, std::int64_t value) {
    const unsigned bits = relocation.value_bits();
    if (bits == 32)
        return value >= -(std::int64_t{1} << 31) && value < std::int64_t{1} << 32;
    if (bits == 20)
        return value >= 0 && value < 1 << 20;
    return value >= -(std::int64_t{1} << (bits - 1)) && value < std::int64_t{1} << (bits - 1);
}

}  // namespace

Object link(Object object, const LinkOptions& options) {
    if (object.linked)
        throw ObjectError("the object is linked already");
    place_sections(object, true, options.text_address,
                   kProgramMemory - options.text_address % kProgramMemory);
    place_sections(object, false, options.data_address,
                   kDataMemory - options.data_address % kDataMemory);
    // Other compilers list a symbol as undefined beside its own definition.
    std::map<std::string_view, std::uint32_t> defined;
    for (ObjectSymbol& symbol : object.symbols) {
        if (!symbol.section)
            continue;
        symbol.value += object.sections[*symbol.section].address;
        if (symbol.binding != Binding::kLocal)
            defined.emplace(symbol.name, symbol.value);
    }
    for (ObjectSymbol& symbol : object.symbols) {
        if (!symbol.section && !symbol.absolute) {
            const auto own = defined.find(symbol.name);
            const auto given = options.symbols.find(symbol.name);
            if (own != defined.end()) {
                symbol.value = own->second;
                symbol.absolute = true;
            } else if (given != options.symbols.end()) {
                symbol.value = given->second;
                symbol.absolute = true;
            } else if (symbol.binding == Binding::kWeak) {
                symbol.absolute = true;
            }
        }
    }
    for (ObjectSection& section : object.sections) {
        for (const Fixup& fixup : section.fixups) {
            const ObjectSymbol& symbol = object.symbols[fixup.symbol];
            const std::string where = section.name + "+" + hex(fixup.offset);
            if (!symbol.section && !symbol.absolute)
                throw ObjectError(where + ": undefined symbol " + symbol.name);
            const std::int64_t value = std::int64_t{symbol.value} + fixup.addend;
            if (!fits(*fixup.relocation, value))
                throw ObjectError(where + ": " + symbol.name + " is " + std::to_string(value) +
                                  ", which does not fit the " +
                                  std::to_string(fixup.relocation->value_bits()) + " bits there");
            isa::apply(*fixup.relocation,
                       std::span(section.bytes).subspan(fixup.offset, fixup.relocation->size),
                       static_cast<std::uint32_t>(value));
        }
        section.fixups.clear();
    }
    object.linked = true;
    object.entry = options.text_address;
    for (const ObjectSymbol& symbol : object.symbols)
        if (symbol.name == "_start" && symbol.section)
            object.entry = symbol.value;
    return object;
}

std::vector<std::uint8_t> flat_program(const Object& object) {
    std::vector<std::uint8_t> program;
    std::optional<std::uint32_t> base;
    for (const ObjectSection& section : object.sections) {
        if ((section.flags & kAllocate) == 0 || section.size == 0)
            continue;
        if (!section.executable()) {
            if (section.type == kSectionNobits)
                continue;
            throw ObjectError("section " + section.name + " holds " + std::to_string(section.size) +
                              " bytes of initialised data, which a flat program cannot carry");
        }
        if (!base)
            base = section.address;
        program.resize(section.address - *base);
        program.insert(program.end(), section.bytes.begin(), section.bytes.end());
    }
    return program;
}

}  // namespace xdna::as
