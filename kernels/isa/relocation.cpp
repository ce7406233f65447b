#include "kernels/isa/relocation.hpp"

#include <algorithm>
#include <bit>

namespace xdna::isa {

unsigned Relocation::value_bits() const {
    unsigned top = 0;
    for (unsigned i = 0; i < run_count; ++i)
        top = std::max<unsigned>(top, runs[i].from + runs[i].count);
    return top;
}

const Relocation* find_relocation(unsigned type) {
    const auto found = std::ranges::find(relocations(), type, &Relocation::type);
    return found == relocations().end() ? nullptr : &*found;
}

namespace {

std::uint64_t place_mask(const Relocation::Run& run, unsigned offset) {
    return ((std::uint64_t{1} << run.count) - 1) << (run.to - offset);
}

/// Does the relocation put its value's bits in the field (whose word starts at offset), in order?
bool fills(const Relocation& relocation, std::uint64_t field, unsigned offset) {
    std::uint64_t covered = 0;
    for (unsigned i = 0; i < relocation.run_count; ++i) {
        const Relocation::Run& run = relocation.runs[i];
        if (run.to < offset || run.to - offset + run.count > 64)
            return false;
        const std::uint64_t mask = place_mask(run, offset);
        // Value bit `from` must be the field's bit of that number.
        const auto below = static_cast<unsigned>(
            std::popcount(field & ((std::uint64_t{1} << (run.to - offset)) - 1)));
        if ((mask & ~field) != 0 || below != run.from)
            return false;
        covered |= mask;
    }
    return covered == field;
}

}  // namespace

const Relocation* relocation_for(Format format, Op op, unsigned operand) {
    const Operation& row = operation(op);
    const auto offset = slot_offset(format, row.slot);
    if (!offset || operand >= row.operand_count)
        return nullptr;
    for (const Relocation& relocation : relocations())
        if (!relocation.data && relocation.size == info(format).size &&
            fills(relocation, row.operands()[operand].field, *offset))
            return &relocation;
    return nullptr;
}

void apply(const Relocation& relocation, std::span<std::uint8_t> bytes, std::uint32_t value) {
    for (unsigned i = 0; i < relocation.run_count; ++i) {
        const Relocation::Run& run = relocation.runs[i];
        for (unsigned k = 0; k < run.count; ++k) {
            const unsigned to = run.to + k;
            const auto one = static_cast<std::uint8_t>(1U << to % 8);
            std::uint8_t& byte = bytes[to / 8];
            byte = static_cast<std::uint8_t>((value >> (run.from + k) & 1U) != 0 ? byte | one
                                                                                 : byte & ~one);
        }
    }
}

std::uint32_t extract(const Relocation& relocation, std::span<const std::uint8_t> bytes) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < relocation.run_count; ++i) {
        const Relocation::Run& run = relocation.runs[i];
        for (unsigned k = 0; k < run.count; ++k)
            value |= (bytes[(run.to + k) / 8] >> (run.to + k) % 8 & 1U) << (run.from + k);
    }
    return value;
}

}  // namespace xdna::isa
