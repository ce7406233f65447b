// Encoder and decoder: two readers of the tables, for operands, slot words and bundles.

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "kernels/isa/tables.hpp"

namespace xdna::isa {

namespace {

using tables::FormatRow;
using tables::Wide;

const FormatRow& row(Format format) {
    return tables::formats()[static_cast<std::size_t>(format)];
}

constexpr std::uint64_t low_bits(unsigned count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

/// The bits of the word under the mask, packed together.
std::uint64_t gather(std::uint64_t word, std::uint64_t mask) {
    std::uint64_t result = 0;
    unsigned filled = 0;
    while (mask != 0) {
        const auto start = static_cast<unsigned>(std::countr_zero(mask));
        const auto length = static_cast<unsigned>(std::countr_one(mask >> start));
        result |= (word >> start & low_bits(length)) << filled;
        filled += length;
        mask &= ~(low_bits(length) << start);
    }
    return result;
}

/// The inverse of gather.
std::uint64_t scatter(std::uint64_t value, std::uint64_t mask) {
    std::uint64_t result = 0;
    while (mask != 0) {
        const auto start = static_cast<unsigned>(std::countr_zero(mask));
        const auto length = static_cast<unsigned>(std::countr_one(mask >> start));
        result |= (value & low_bits(length)) << start;
        value >>= length;
        mask &= ~(low_bits(length) << start);
    }
    return result;
}

std::uint64_t get_field(const Wide& wide, unsigned offset, unsigned width) {
    std::uint64_t result = wide[offset / 64] >> offset % 64;
    if (offset % 64 + width > 64)
        result |= wide[1] << (64 - offset % 64);
    return result & low_bits(width);
}

void put_field(Wide& wide, unsigned offset, unsigned width, std::uint64_t value) {
    value &= low_bits(width);
    wide[offset / 64] |= value << offset % 64;
    if (offset % 64 + width > 64)
        wide[1] |= value >> (64 - offset % 64);
}

std::optional<Register> decode_register(const OperandClass& type, std::uint64_t word) {
    for (const RegisterCode& code : type.codes()) {
        if ((word & code.mask) != code.bits)
            continue;
        unsigned number = code.offset;
        for (unsigned i = 0; i < code.place.size(); ++i)
            if (code.place[i] != 255)
                number += static_cast<unsigned>(word >> code.place[i] & 1U) << i;
        if (number < register_count(code.file))
            return Register{code.file, static_cast<std::uint8_t>(number)};
    }
    return std::nullopt;
}

std::optional<std::uint64_t> encode_register(const OperandClass& type, Register reg) {
    for (const RegisterCode& code : type.codes()) {
        if (code.file != reg.file || reg.index < code.offset || code.decode_only)
            continue;
        unsigned number = reg.index - code.offset;
        std::uint64_t word = code.bits;
        for (unsigned i = 0; i < code.place.size(); ++i) {
            if (code.place[i] == 255)
                continue;
            word |= std::uint64_t{number >> i & 1U} << code.place[i];
            number &= ~(1U << i);
        }
        if (number == 0 && reg.index < register_count(reg.file))
            return word;
    }
    return std::nullopt;
}

}  // namespace

std::optional<Value> decode(const OperandClass& type, std::uint64_t bits) {
    const std::uint64_t sign = std::uint64_t{1} << (type.bits - 1);
    switch (type.kind) {
        case OperandKind::kRegister: {
            const auto reg = decode_register(type, bits);
            return reg ? std::optional(Value(*reg)) : std::nullopt;
        }
        case OperandKind::kSigned:
            return Value(static_cast<std::int32_t>(
                (static_cast<std::int64_t>(bits ^ sign) - static_cast<std::int64_t>(sign)) *
                type.scale));
        case OperandKind::kNegative:
            return Value(static_cast<std::int32_t>(
                (static_cast<std::int64_t>(bits) - 2 * static_cast<std::int64_t>(sign)) *
                type.scale));
        default:
            return Value(static_cast<std::int32_t>(bits * type.scale));
    }
}

std::optional<std::uint64_t> encode(const OperandClass& type, Value value) {
    if (type.kind == OperandKind::kRegister)
        return encode_register(type, value.reg());
    const std::int64_t number = value.immediate();
    if (number < type.minimum() || number > type.maximum() || number % type.scale != 0)
        return std::nullopt;
    return static_cast<std::uint64_t>(number / type.scale) & low_bits(type.bits);
}

std::optional<Instruction> decode(Slot slot, std::uint64_t word) {
    const auto rows = operations(slot);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Operation& candidate = rows[i];
        if ((word & candidate.mask) != candidate.bits)
            continue;
        Instruction result{static_cast<Op>(static_cast<std::size_t>(first_op(slot)) + i)};
        const auto operands = candidate.operands();
        bool legal = true;
        for (std::size_t k = 0; k < operands.size() && legal; ++k) {
            const auto value = decode(operands[k].type(), gather(word, operands[k].field));
            legal = value.has_value();
            if (legal)
                result.values[k] = *value;
        }
        // A register code that names no register means a later row (sparse multiplies share the
        // patterns of dense ones that way).
        if (legal)
            return result;
    }
    return std::nullopt;
}

std::uint64_t encode(const Instruction& instruction) {
    const Operation& row = operation(instruction.op);
    std::uint64_t word = row.bits;
    std::uint64_t filled = 0;
    const auto operands = row.operands();
    for (std::size_t i = 0; i < operands.size(); ++i) {
        const auto bits = encode(operands[i].type(), instruction.values[i]);
        const std::uint64_t field = bits ? scatter(*bits, operands[i].field) : 0;
        // vaddmac names one field twice: destination and first accumulator.
        if (!bits || ((filled & operands[i].field) != 0 && (word & operands[i].field) != field))
            throw std::invalid_argument(std::string(row.name) + ": operand " +
                                        std::string(operands[i].name) + " cannot be encoded");
        filled |= operands[i].field;
        word |= field;
    }
    return word;
}

unsigned bundle_size(std::uint8_t first) {
    if ((first & 0x1U) == 0)
        return 16;
    if ((first & 0x7U) == 0x5)
        return 6;
    switch (first & 0xFU) {
        case 0x1:
            return 2;
        case 0x9:
            return 4;
        case 0x3:
            return 8;
        case 0xB:
            return 10;
        case 0x7:
            return 12;
        default:
            return 14;
    }
}

std::optional<Bundle> decode(std::span<const std::uint8_t> code, DecodeFailure* failure) {
    const auto fail = [&](DecodeFailure why) -> std::optional<Bundle> {
        if (failure != nullptr)
            *failure = why;
        return std::nullopt;
    };
    using Reason = DecodeFailure::Reason;
    if (code.empty())
        return fail({Reason::kTruncated, 2, Slot::kNop, 0});
    const unsigned size = bundle_size(code[0]);
    if (code.size() < size)
        return fail({Reason::kTruncated, size, Slot::kNop, 0});
    Wide wide{};
    for (unsigned i = 0; i < size; ++i)
        wide[i / 8] |= std::uint64_t{code[i]} << i % 8 * 8;
    const auto formats = tables::formats();
    const auto found = std::ranges::find_if(formats, [&](const FormatRow& format) {
        return format.size == size && (wide[0] & format.mask[0]) == format.bits[0] &&
               (wide[1] & format.mask[1]) == format.bits[1];
    });
    if (found == formats.end())
        return fail({Reason::kFormat, size, Slot::kNop, 0});
    Bundle bundle{static_cast<Format>(found - formats.begin()), found->size, found->place_count};
    unsigned position = 0;
    for (const tables::SlotPlace& place : tables::places(*found)) {
        const std::uint64_t word = get_field(wide, place.offset, width(place.slot));
        const auto instruction = decode(place.slot, word);
        if (!instruction)
            return fail({Reason::kOperation, size, place.slot, word});
        bundle.slots[position++] = *instruction;
    }
    return bundle;
}

EncodedBundle encode(const Bundle& bundle) {
    const FormatRow& format = row(bundle.format);
    const auto places = tables::places(format);
    if (bundle.count != places.size() || bundle.size != format.size)
        throw std::invalid_argument("bundle does not fill its format " + std::string(format.name));
    Wide wide = format.bits;
    for (std::size_t i = 0; i < places.size(); ++i) {
        if (operation(bundle.slots[i].op).slot != places[i].slot)
            throw std::invalid_argument(std::string(operation(bundle.slots[i].op).name) +
                                        " stands in slot " + std::string(name(places[i].slot)) +
                                        " of " + std::string(format.name));
        put_field(wide, places[i].offset, width(places[i].slot), encode(bundle.slots[i]));
    }
    EncodedBundle result;
    result.size = format.size;
    for (unsigned i = 0; i < result.size; ++i)
        result.storage[i] = static_cast<std::uint8_t>(wide[i / 8] >> i % 8 * 8);
    return result;
}

Bundle make_bundle(std::span<const Instruction> instructions, Format format) {
    const FormatRow& shape = row(format);
    Bundle bundle{format, shape.size, shape.place_count};
    std::size_t used = 0;
    for (unsigned i = 0; i < shape.place_count; ++i) {
        const Slot slot = tables::places(shape)[i].slot;
        const auto found = std::ranges::find_if(instructions, [&](const Instruction& instruction) {
            return operation(instruction.op).slot == slot;
        });
        bundle.slots[i] = found == instructions.end() ? Instruction{nop(slot)} : *found;
        used += found == instructions.end() ? 0 : 1;
    }
    if (used != instructions.size())
        throw std::invalid_argument("not every instruction has a slot in " +
                                    std::string(shape.name));
    return bundle;
}

FormatInfo info(Format format) {
    return {row(format).name, row(format).size, row(format).slots};
}

std::optional<Format> find_format(std::string_view name) {
    const auto formats = tables::formats();
    const auto found = std::ranges::find(formats, name, &FormatRow::name);
    if (found == formats.end())
        return std::nullopt;
    return static_cast<Format>(found - formats.begin());
}

std::optional<Format> shortest_format(std::uint32_t slots, unsigned bytes) {
    const auto formats = tables::formats();
    const FormatRow* best = nullptr;
    const auto rank = [](const FormatRow& format) {
        return format.size * 8 + std::popcount(format.slots);
    };
    for (const FormatRow& format : formats) {
        const bool marker = (format.slots & bit(Slot::kNop)) != 0 &&
                            (slots & bit(Slot::kNop)) == 0 && std::popcount(format.slots) > 1;
        if (marker || format.size < bytes || (slots & ~format.slots) != 0)
            continue;
        if (best == nullptr || rank(format) < rank(*best))
            best = &format;
    }
    if (best == nullptr)
        return std::nullopt;
    return static_cast<Format>(best - formats.data());
}

std::optional<unsigned> slot_offset(Format format, Slot slot) {
    for (const tables::SlotPlace& place : tables::places(row(format)))
        if (place.slot == slot)
            return place.offset;
    return std::nullopt;
}

bool is_canonical(const Bundle& bundle) {
    std::uint32_t slots = 0;
    for (const Instruction& instruction : bundle.instructions())
        slots |= bit(operation(instruction.op).slot);
    if (bundle.count > 1)
        slots &= ~bit(Slot::kNop);
    return shortest_format(slots) == bundle.format;
}

}  // namespace xdna::isa
