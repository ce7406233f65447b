#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "kernels/isa/names.hpp"
#include "kernels/isa/register.hpp"

namespace xdna::isa {

enum class OperandKind : std::uint8_t {
    kRegister,
    kSigned,    ///< two's complement, times the scale
    kNegative,  ///< the field with a one above its top bit, times the scale: stack offsets
    kUnsigned,
    kAddress,  ///< an absolute byte address in program memory
};

/// One code of a register operand: the word (of the operand's bits) matches if (word & mask) ==
/// bits; bit i of the register's number minus offset is then bit place[i] of the word.
struct RegisterCode {
    std::uint16_t mask;
    std::uint16_t bits;
    std::array<std::uint8_t, 8> place;  ///< 255: this bit of the number is zero
    RegisterFile file;
    std::uint8_t offset;
    bool decode_only;
};

/// What an operand can be, and how it is encoded.
struct OperandClass {
    std::string_view name;
    OperandKind kind;
    std::uint8_t bits;
    std::uint8_t scale;
    std::uint16_t first_code;
    std::uint16_t code_count;

    [[nodiscard]] std::span<const RegisterCode> codes() const;
    /// The smallest and largest immediate, in units of one.
    [[nodiscard]] std::int64_t minimum() const;
    [[nodiscard]] std::int64_t maximum() const;
};

enum class Bypass : std::uint8_t { kNone, kMov, kMovIfVector, kVec };

/// An operand that the instruction word encodes. Cycles count from issue, which is cycle 0; 0 means
/// that it is not read, or not written.
struct Operand {
    std::string_view name;
    std::uint8_t operand_class;
    std::uint64_t field;  ///< its bits in the slot's word
    std::uint8_t read_cycle;
    std::uint8_t write_cycle;
    Bypass read_bypass;
    Bypass write_bypass;

    [[nodiscard]] const OperandClass& type() const;
};

/// A register that an operation reads or writes without naming it in its word.
struct ImplicitOperand {
    Register reg;
    std::uint8_t read_cycle;
    std::uint8_t write_cycle;
};

/// A unit or register port that an operation takes from first to last cycle.
struct PortUse {
    Port port;
    std::uint8_t first;
    std::uint8_t last;
    bool shared;           ///< conflicts only with uses that are not shared
    std::uint8_t operand;  ///< with files != 0: only if this operand is a register of these files
    std::uint32_t files;
};

enum class AddressMode : std::uint8_t {
    kNone,
    kPlain,          ///< [p]
    kOffset,         ///< [p, #imm]
    kIndex,          ///< [p, dj]
    kStack,          ///< [sp, #imm]
    kPostImmediate,  ///< [p], #imm
    kPostRegister,   ///< [p], m
    kPost2d,         ///< [p], d
    kPost3d,         ///< [p], d (of file d3)
    kStackAdjust,    ///< [sp], #imm
};

enum class Memory : std::uint8_t { kNone, kLoad, kStore, kReadModifyWrite };

/// A row of operations.tsv.
struct Operation {
    Slot slot;
    AddressMode mode;
    Memory memory;
    std::uint8_t memory_cycle;        ///< cycle of the access; of the read for kReadModifyWrite
    std::uint8_t memory_write_cycle;  ///< the same, or that of the write for kReadModifyWrite
    std::uint64_t mask;               ///< fixed bits of the slot's word
    std::uint64_t bits;               ///< and their values
    std::uint16_t first_operand;
    std::uint8_t operand_count;
    std::uint16_t first_implicit;
    std::uint8_t implicit_count;
    std::uint16_t first_port;
    std::uint8_t port_count;
    std::string_view name;      ///< llvm-aie's
    std::string_view mnemonic;  ///< as in the text, with .2d and .3d
    std::string_view syntax;
    std::string_view schedule;  ///< scheduling class

    /// In the order of the table, which is the order of Instruction::values.
    [[nodiscard]] std::span<const Operand> operands() const;
    [[nodiscard]] std::span<const ImplicitOperand> implicits() const;
    [[nodiscard]] std::span<const PortUse> ports() const;
    /// The operand of that name; -1 if there is none.
    [[nodiscard]] int operand_index(std::string_view operand) const;
};

[[nodiscard]] const Operation& operation(Op op);
[[nodiscard]] std::span<const Operation> operations();

/// The operations of a slot, in decode order; the first has number first_op(slot).
[[nodiscard]] std::span<const Operation> operations(Slot slot);
[[nodiscard]] Op first_op(Slot slot);
/// The operation of the slot that does nothing.
[[nodiscard]] Op nop(Slot slot);

[[nodiscard]] std::string_view name(Slot slot);
[[nodiscard]] std::string_view name(Port port);
/// Bits of the slot's word.
[[nodiscard]] unsigned width(Slot slot);

/// Bundles that still issue after a jump, call, return or taken branch.
inline constexpr unsigned kDelaySlots = 5;

/// Jumps, calls, returns and conditional branches.
[[nodiscard]] bool is_branch(Op op);

}  // namespace xdna::isa
