#include "kernels/isa/timing.hpp"

namespace xdna::isa {

namespace {

Bypass resolve(Bypass bypass, Register reg) {
    if (bypass != Bypass::kMovIfVector)
        return bypass;
    // wl registers are the even ones of file w.
    const bool vector =
        reg.file == RegisterFile::kX || (reg.file == RegisterFile::kW && reg.index % 2 == 0);
    return vector ? Bypass::kMov : Bypass::kNone;
}

}  // namespace

Accesses reads(const Instruction& instruction) {
    Accesses result;
    const Operation& row = operation(instruction.op);
    for (unsigned i = 0; i < row.operand_count; ++i) {
        const Operand& operand = row.operands()[i];
        if (operand.read_cycle == 0)
            continue;
        const Register reg = instruction.values[i].reg();
        result.add({reg, operand.read_cycle, resolve(operand.read_bypass, reg)});
    }
    for (const ImplicitOperand& implicit : row.implicits())
        if (implicit.read_cycle != 0)
            result.add({implicit.reg, implicit.read_cycle, Bypass::kNone});
    return result;
}

Accesses writes(const Instruction& instruction) {
    Accesses result;
    const Operation& row = operation(instruction.op);
    for (unsigned i = 0; i < row.operand_count; ++i) {
        const Operand& operand = row.operands()[i];
        if (operand.write_cycle == 0)
            continue;
        const Register reg = instruction.values[i].reg();
        if (reg.file == RegisterFile::kD || reg.file == RegisterFile::kD3) {
            result.add({{RegisterFile::kDc, reg.index}, operand.write_cycle, Bypass::kNone});
            if (reg.file == RegisterFile::kD3)
                result.add({{RegisterFile::kDc, static_cast<std::uint8_t>(reg.index + 4)},
                            operand.write_cycle,
                            Bypass::kNone});
            continue;
        }
        result.add({reg, operand.write_cycle, resolve(operand.write_bypass, reg)});
    }
    for (const ImplicitOperand& implicit : row.implicits())
        if (implicit.write_cycle != 0)
            result.add({implicit.reg, implicit.write_cycle, Bypass::kNone});
    return result;
}

bool takes(const PortUse& use, const Instruction& instruction) {
    return use.files == 0 || (use.files & bit(instruction.values[use.operand].reg().file)) != 0;
}

}  // namespace xdna::isa
