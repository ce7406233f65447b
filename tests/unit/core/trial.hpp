// One instruction by itself: registers chosen for its operands, filled before and read after.
#pragma once

#include <random>

#include "tests/unit/core/machine.hpp"

namespace xdna::emu::test {

using Bytes = std::vector<uint8_t>;

template <typename T>
Bytes to_bytes(const std::vector<T>& values) {
    Bytes bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
}
template <typename T>
std::vector<T> from_bytes(const Bytes& bytes) {
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
}
inline Bytes random_bytes(std::mt19937_64& random, size_t count) {
    Bytes bytes(count);
    for (uint8_t& byte : bytes) {
        byte = static_cast<uint8_t>(random());
    }
    return bytes;
}

class Trial {
  public:
    Machine machine;

    /// Takes the first registers of each operand's class that overlap no other; an immediate gets
    /// some value of its class.
    explicit Trial(isa::Op op) : instruction_{op} {
        std::set<isa::Atom> taken;
        const isa::Operation& row = isa::operation(op);
        for (const isa::ImplicitOperand& implicit : row.implicits()) {
            for (const isa::Atom atom : isa::atoms(implicit.reg)) {
                taken.insert(atom);
            }
        }
        const auto operands = row.operands();
        for (size_t i = 0; i < operands.size(); ++i) {
            if (operands[i].type().kind != isa::OperandKind::kRegister) {
                instruction_.values[i] = isa::Value(2 * operands[i].type().scale);
                if (!isa::encode(operands[i].type(), instruction_.values[i])) {
                    instruction_.values[i] =
                        isa::Value(static_cast<int32_t>(operands[i].type().maximum()));
                }
                continue;
            }
            bool same = false;
            for (size_t k = 0; k < i && !same; ++k) {
                if ((same = operands[k].field == operands[i].field)) {
                    instruction_.values[i] = instruction_.values[k];
                }
            }
            if (!same) {
                choose(i, taken);
            }
        }
    }

    const isa::Operation& operation() const { return isa::operation(instruction_.op); }
    size_t count() const { return operation().operand_count; }
    bool is_register(size_t operand) const {
        return operation().operands()[operand].type().kind == isa::OperandKind::kRegister;
    }
    isa::Register reg(size_t operand) const { return instruction_.values[operand].reg(); }
    size_t size(size_t operand) const { return size(reg(operand)); }
    int32_t immediate(size_t operand) const { return instruction_.values[operand].immediate(); }
    void set_immediate(size_t operand, int32_t value) {
        instruction_.values[operand] = isa::Value(value);
    }
    int operand(std::string_view name) const { return operation().operand_index(name); }

    Bytes get(isa::Register reg) {
        Bytes bytes(size(reg));
        for (size_t word = 0; word < bytes.size() / 4; ++word) {
            const uint32_t value = machine.core().read_register(offset(reg, word));
            std::memcpy(&bytes[4 * word], &value, 4);
        }
        return bytes;
    }
    void set(isa::Register reg, const Bytes& bytes) {
        for (size_t word = 0; word < bytes.size() / 4; ++word) {
            uint32_t value;
            std::memcpy(&value, &bytes[4 * word], 4);
            machine.core().write_register(offset(reg, word), value);
        }
    }
    Bytes get(size_t operand) { return get(reg(operand)); }
    void set(size_t operand, const Bytes& bytes) { set(reg(operand), bytes); }
    uint32_t scalar(isa::Register reg) { return from_bytes<uint32_t>(get(reg))[0]; }
    uint32_t scalar(size_t operand) { return scalar(reg(operand)); }
    void set_scalar(isa::Register reg, uint32_t value) {
        set(reg, to_bytes(std::vector<uint32_t>{value}));
    }
    void set_scalar(size_t operand, uint32_t value) { set_scalar(reg(operand), value); }

    /// A field of Core_CR, where the register table has it.
    void set_control(unsigned bit, unsigned width, uint32_t value) {
        constexpr uint32_t kCr = 0x31170;
        const uint32_t mask = ((1U << width) - 1) << bit;
        const uint32_t old = machine.core().read_register(kCr);
        machine.core().write_register(kCr, (old & ~mask) | value << bit);
    }

    std::string text() const { return isa::print(instruction_); }

    /// Executes the instruction, and waits for what it writes.
    void run() {
        machine.load(text() + "\n" + nops() + "done\n", false);
        machine.jump(0);
        machine.finish();
    }

  private:
    static std::string nops() {
        std::string text;
        for (int i = 0; i < 16; ++i) {
            text += "nop\n";
        }
        return text;
    }

    static size_t size(isa::Register reg) { return (isa::bits(reg.file) + 31) / 32 * 4; }

    // Where the debug window has a word of a register.
    static uint32_t offset(isa::Register reg, size_t word) {
        using F = isa::RegisterFile;
        struct Place {
            F file;
            uint32_t from, stride;
        };
        static constexpr Place kPlaces[] = {
            {F::kR, 0x30C00, 16},  {F::kP, 0x31000, 16},  {F::kM, 0x30E00, 16},
            {F::kDn, 0x30E80, 16}, {F::kDj, 0x30F00, 16}, {F::kDc, 0x30F80, 16},
            {F::kS, 0x31080, 16},  {F::kQ, 0x310C0, 16},  {F::kW, 0x30800, 32},
            {F::kX, 0x30800, 64},  {F::kAm, 0x30000, 32}, {F::kBm, 0x30000, 64},
            {F::kCm, 0x30000, 128}};
        const auto w = static_cast<uint32_t>(word);
        if (reg.file == F::kL) {
            return 0x30C00 + 16 * (16 + 2 * reg.index + w);
        }
        if (reg.file == F::kY) {
            return offset({F::kX, static_cast<uint8_t>(4 + 2 * reg.index)}, 0) + 4 * w;
        }
        if (reg.file == F::kQx || reg.file == F::kQw) {
            // A vector, or half of one, the high half first; then its mask.
            const bool whole = reg.file == F::kQx;
            const auto vector = whole ? isa::Register{F::kX, reg.index}
                                      : isa::Register{F::kW, static_cast<uint8_t>(reg.index ^ 1)};
            const auto mask = static_cast<uint8_t>(whole ? reg.index : reg.index / 2);
            const uint32_t skipped = whole || reg.index % 2 ? 0 : 2;
            const uint32_t words = whole ? 16 : 8;
            return w < words ? offset(vector, w) : offset({F::kQ, mask}, w - words + skipped);
        }
        if (reg.file == F::kLc || reg.file == F::kSpec) {
            static constexpr uint32_t kSpecial[] = {0x31140, 0x31190, 0x31130, 0, 0x31150, 0x31120};
            return reg.file == F::kLc ? 0x31160 : kSpecial[reg.index];
        }
        for (const Place& place : kPlaces) {
            if (place.file == reg.file) {
                return place.from + place.stride * reg.index + 4 * w;
            }
        }
        throw std::logic_error("no window on " + std::string(isa::name(reg)));
    }

    void choose(size_t operand, std::set<isa::Atom>& taken) {
        const isa::OperandClass& type = operation().operands()[operand].type();
        const auto codes = uint64_t{1} << type.bits;
        // Control and status registers only where there is nothing else.
        for (uint64_t code = 0; code < 2 * codes; ++code) {
            const auto value = isa::decode(type, code % codes);
            if (!value || !isa::encode(type, *value)) {
                continue;
            }
            const isa::RegisterFile file = value->reg().file;
            if (code < codes &&
                (file == isa::RegisterFile::kCr || file == isa::RegisterFile::kSr)) {
                continue;
            }
            const auto atoms = isa::atoms(value->reg());
            if (std::any_of(atoms.begin(), atoms.end(),
                            [&](isa::Atom atom) { return taken.count(atom) != 0; })) {
                continue;
            }
            taken.insert(atoms.begin(), atoms.end());
            instruction_.values[operand] = *value;
            return;
        }
        throw std::logic_error("no register for an operand of " + std::string(operation().name));
    }

    isa::Instruction instruction_;
};

/// The operations whose mnemonic, without .2d and .3d, is `mnemonic`; as Ops.
inline std::vector<isa::Op> operations_of(std::string_view mnemonic) {
    std::vector<isa::Op> found;
    for (size_t i = 0; i < isa::kOpCount; ++i) {
        std::string text(isa::operations()[i].mnemonic);
        for (const char* part : {".2d", ".3d"}) {
            if (const size_t at = text.find(part); at != std::string::npos) {
                text.erase(at, 3);
            }
        }
        if (text == mnemonic) {
            found.push_back(static_cast<isa::Op>(i));
        }
    }
    return found;
}

}  // namespace xdna::emu::test
