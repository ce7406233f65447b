#include "kernels/isa/tables.hpp"

#include <unordered_map>

namespace xdna::isa {

namespace {

struct FileRow {
    std::string_view name;
    std::uint16_t bits;
    std::uint8_t count;
    std::uint16_t first_name;
    std::uint16_t first_atom;
    std::uint8_t atoms_each;
};

struct SlotRow {
    std::string_view name;
    std::uint8_t width;
    std::uint16_t first_op;
    std::uint16_t op_count;
};

using tables::FormatRow;
using tables::SlotPlace;

#include "isa/tables.inc"

const FileRow& row(RegisterFile file) {
    return kFiles[static_cast<std::size_t>(file)];
}
const SlotRow& row(Slot slot) {
    return kSlots[static_cast<std::size_t>(slot)];
}

}  // namespace

std::span<const Atom> atoms(Register reg) {
    const FileRow& file = row(reg.file);
    return {kRegisterAtoms + file.first_atom + std::size_t{reg.index} * file.atoms_each,
            file.atoms_each};
}

Register register_of_atom(Atom atom) {
    return kAtomRegisters[atom];
}

std::string_view name(Register reg) {
    return kRegisterNames[row(reg.file).first_name + reg.index];
}
std::string_view name(RegisterFile file) {
    return row(file).name;
}
unsigned bits(RegisterFile file) {
    return row(file).bits;
}
unsigned register_count(RegisterFile file) {
    return row(file).count;
}

std::optional<Register> find_register(std::string_view name) {
    static const auto kByName = [] {
        std::unordered_map<std::string_view, Register> map;
        for (std::size_t f = 0; f < kRegisterFileCount; ++f)
            for (std::uint8_t i = 0; i < kFiles[f].count; ++i)
                map.try_emplace(kRegisterNames[kFiles[f].first_name + i],
                                Register{static_cast<RegisterFile>(f), i});
        return map;
    }();
    const auto found = kByName.find(name);
    if (found == kByName.end())
        return std::nullopt;
    return found->second;
}

std::span<const RegisterCode> OperandClass::codes() const {
    return {kCodes + first_code, code_count};
}

std::int64_t OperandClass::minimum() const {
    const std::int64_t top = std::int64_t{1} << (bits - 1);
    switch (kind) {
        case OperandKind::kSigned:
            return -top * scale;
        case OperandKind::kNegative:
            return -2 * top * scale;
        default:
            return 0;
    }
}

std::int64_t OperandClass::maximum() const {
    const std::int64_t top = std::int64_t{1} << (bits - 1);
    switch (kind) {
        case OperandKind::kSigned:
            return (top - 1) * scale;
        case OperandKind::kNegative:
            return -std::int64_t{scale};
        default:
            return (2 * top - 1) * scale;
    }
}

const OperandClass& Operand::type() const {
    return kOperandClasses[operand_class];
}

std::span<const Operand> Operation::operands() const {
    return {kOperands + first_operand, operand_count};
}
std::span<const ImplicitOperand> Operation::implicits() const {
    return {kImplicits + first_implicit, implicit_count};
}
std::span<const PortUse> Operation::ports() const {
    return {kPortUses + first_port, port_count};
}

int Operation::operand_index(std::string_view operand) const {
    for (unsigned i = 0; i < operand_count; ++i)
        if (operands()[i].name == operand)
            return static_cast<int>(i);
    return -1;
}

const Operation& operation(Op op) {
    return kOperations[static_cast<std::size_t>(op)];
}
std::span<const Operation> operations() {
    return kOperations;
}
std::span<const Operation> operations(Slot slot) {
    return operations().subspan(row(slot).first_op, row(slot).op_count);
}
Op first_op(Slot slot) {
    return static_cast<Op>(row(slot).first_op);
}

Op nop(Slot slot) {
    // The first row of each slot is its nop.
    return first_op(slot);
}

std::string_view name(Slot slot) {
    return row(slot).name;
}
std::string_view name(Port port) {
    return kPortNames[static_cast<std::size_t>(port)];
}
unsigned width(Slot slot) {
    return row(slot).width;
}

bool is_branch(Op op) {
    switch (op) {
        case Op::J_jump_ind:
        case Op::J_jump_imm:
        case Op::JL:
        case Op::JL_IND:
        case Op::JZ:
        case Op::JNZ:
        case Op::JNZD:
        case Op::RET:
            return true;
        default:
            return false;
    }
}

std::span<const Relocation> relocations() {
    return kRelocations;
}

namespace tables {

std::span<const FormatRow> formats() {
    return kFormats;
}
std::span<const SlotPlace> places(const FormatRow& format) {
    return {kPlaces + format.first_place, format.place_count};
}

}  // namespace tables
}  // namespace xdna::isa
