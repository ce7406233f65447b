#include "emu/core/pipeline.hpp"

#include <cstdio>

#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

using isa::RegisterFile;

constexpr uint32_t kAddressMask = 0xFFFFF;
constexpr uint32_t kProgramBytes = 16 * 1024;

const isa::Atom sp_atom = atom_of(RegisterFile::kSpec, 5);
const isa::Atom ls_atom = atom_of(RegisterFile::kSpec, 0);
const isa::Atom le_atom = atom_of(RegisterFile::kSpec, 4);
const isa::Atom lc_atom = atom_of(RegisterFile::kLc, 0);

std::string hex(uint32_t value) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%x", value);
    return text;
}

// The registers that Core_CR's reset value 0x1800 sets (register table, core module).
const isa::Atom mcd_enable_atom = atom_of(RegisterFile::kCr, 4);
const isa::Atom scd_enable_atom = atom_of(RegisterFile::kCr, 7);

}  // namespace

void Pipeline::reset() {
    before_ = work();
    state.clear();
    state.set_scalar(le_atom, kAddressMask);
    state.set_scalar(mcd_enable_atom, 1);
    state.set_scalar(scd_enable_atom, 1);
    load_buffer.restart(0);
    pc = 0;
    cycle_ = 0;
    for (Cycle& each : ring_) {
        each = {};
    }
    decoded_at_.clear();
    decoded_.clear();
    delay_ = 0;
    finishing_ = false;
    drained_ = 0;
    attempted_ = 0;
    waits_since_.reset();
}

CoreWork Pipeline::work() const {
    CoreWork work = before_;
    for (const Decoded& bundle : decoded_) {
        work.bundles += bundle.time.executed;
        for (uint8_t i = 0; i < bundle.count; ++i) {
            const auto what = static_cast<size_t>(instruction_class(*bundle.execs[i].operation));
            work.instructions[what] += bundle.time.executed;
        }
    }
    work.bank_stalls = bank_stalls_;
    work.lock_cycles = lock_cycles_;
    return work;
}

std::vector<BundleTime> Pipeline::profile() const {
    std::vector<BundleTime> all;
    for (const Decoded& bundle : decoded_) {
        all.push_back(bundle.time);
    }
    return all;
}

std::string Pipeline::describe(const Waiting& waiting) {
    switch (waiting.stall) {
        case Stall::kLock:
            return "lock " + std::to_string(waiting.id) + ", " +
                   (waiting.change < 0 ? "at least " + std::to_string(-int64_t{waiting.change})
                                       : "exactly " + std::to_string(waiting.change));
        case Stall::kStreamIn:
            return "the input stream";
        case Stall::kStreamOut:
            return "room on the output stream";
        case Stall::kCascadeIn:
            return "the cascade";
        case Stall::kCascadeOut:
            return "room on the cascade";
    }
    return {};
}

void Pipeline::program_changed() {
    decoded_at_.clear();
}

void Pipeline::trap(const std::string& what) {
    throw CoreTrap{what};
}

void Pipeline::trap_here(const std::string& what) const {
    trap(what + " at pc " + hex(pc));
}

// The instruction as it stands in program memory. It may have been issued cycles before the pc.
std::string Pipeline::where(const Exec& exec) const {
    const auto program = bus_->program().subspan(exec.pc);
    const auto bundle =
        isa::decode({reinterpret_cast<const uint8_t*>(program.data()), program.size()});
    std::string text(exec.operation->mnemonic);
    if (bundle) {
        for (const isa::Instruction& instruction : bundle->instructions()) {
            if (&isa::operation(instruction.op) == exec.operation) {
                text = isa::print(instruction);
            }
        }
    }
    return " in '" + text + "' at pc " + hex(exec.pc);
}

const Pipeline::Decoded& Pipeline::fetch(uint32_t address) {
    if (decoded_at_.empty()) {
        decoded_at_.assign(kProgramBytes / 2, nullptr);
    }
    if (address >= kProgramBytes || address % 2) {
        throw CoreTrap{"fetch outside program memory at pc " + hex(pc), FaultKind::kCoreHalted};
    }
    const Decoded*& slot = decoded_at_[address / 2];
    if (!slot) {
        slot = &decoded_.emplace_back(decode(address));
    }
    return *slot;
}

Pipeline::Decoded Pipeline::decode(uint32_t address) const {
    const auto program = bus_->program().subspan(address);
    isa::DecodeFailure failure;
    const auto bundle =
        isa::decode({reinterpret_cast<const uint8_t*>(program.data()), program.size()}, &failure);
    if (!bundle) {
        trap_here("no instruction (" + isa::describe(failure) + ")");
    }
    Decoded decoded;
    decoded.size = bundle->size;
    decoded.time.address = address;
    for (const isa::Instruction& instruction : bundle->instructions()) {
        const isa::Operation& operation = isa::operation(instruction.op);
        if (instruction.op == isa::nop(operation.slot)) {
            continue;
        }
        const Semantics* row = semantics(instruction.op);
        if (!row) {
            trap_here("not modelled: " + isa::print(instruction));
        }
        Exec& exec = decoded.execs[decoded.count++];
        exec.run = row->run;
        exec.attempt = row->attempt;
        exec.parameter = row->parameter;
        exec.operation = &operation;
        exec.pc = address;
        decoded.waits |= row->attempt != nullptr;
        const auto operands = operation.operands();
        for (size_t i = 0; i < operands.size(); ++i) {
            const isa::Operand& operand = operands[i];
            if (operand.type().kind != isa::OperandKind::kRegister) {
                exec.immediates[i] = instruction.values[i].immediate();
                continue;
            }
            const isa::Register reg = instruction.values[i].reg();
            const auto atoms = isa::atoms(reg);
            exec.registers[i] = reg;
            // MOV-if-vector holds for x registers and the low halves of vectors.
            const bool vector = reg.file == RegisterFile::kX ||
                                (reg.file == RegisterFile::kW && reg.index % 2 == 0);
            const auto bypass = [&](isa::Bypass b) {
                return b != isa::Bypass::kMovIfVector ? b
                       : vector                       ? isa::Bypass::kMov
                                                      : isa::Bypass::kNone;
            };
            exec.operands[i] = {atoms[0],
                                static_cast<uint8_t>(atoms.size()),
                                reg.file,
                                operand.read_cycle,
                                operand.write_cycle,
                                bypass(operand.read_bypass),
                                bypass(operand.write_bypass)};
        }
        exec.pointer = static_cast<int8_t>(operation.operand_index("ptr"));
        for (const std::string_view name : {"dj", "imm", "mod"}) {
            if (const int index = operation.operand_index(name); index >= 0) {
                exec.modifier = static_cast<int8_t>(index);
            }
        }
    }
    return decoded;
}

void Pipeline::take_bypassed(const OperandRef& ref, Cell* to) const {
    for (const CellWrite& write : current().cells) {
        if (write.bypass != ref.read_bypass) {
            continue;
        }
        for (unsigned i = 0; i < write.count; ++i) {
            const unsigned at = write.atom + i - ref.atom;  // huge if it is below
            if (at < ref.cells) {
                to[at] = write.cells[i];
            }
        }
    }
}

uint32_t Pipeline::address(const Exec& exec) {
    const isa::Operation& operation = *exec.operation;
    using isa::AddressMode;
    if (operation.mode == AddressMode::kStack || operation.mode == AddressMode::kStackAdjust) {
        const uint32_t sp = state.scalar(sp_atom);
        const uint32_t moved = sp + read(exec, exec.modifier);
        if (operation.mode == AddressMode::kStackAdjust) {
            write_atom(sp_atom, moved, 1);
            return sp;
        }
        return moved & kAddressMask;
    }

    const uint32_t base = read(exec, exec.pointer);
    uint32_t next = base;
    switch (operation.mode) {
        case AddressMode::kOffset:
        case AddressMode::kIndex:
            return (base + read(exec, exec.modifier)) & kAddressMask;
        case AddressMode::kPostImmediate:
        case AddressMode::kPostRegister:
            next += read(exec, exec.modifier);
            break;
        case AddressMode::kPost2d:
        case AddressMode::kPost3d: {
            // m, dn, dj, dc of the inner dimension, then of the outer one.
            const auto atoms = isa::atoms(exec.registers[static_cast<size_t>(exec.modifier)]);
            const auto part = [&](size_t i) { return state.scalar(atoms[i]); };
            const size_t levels = operation.mode == AddressMode::kPost3d ? 2 : 1;
            size_t level = 0;
            // Counts run from 0 to dn; whether the test is == or >= is open (silicon-questions).
            while (level < levels && part(4 * level + 3) >= part(4 * level + 1)) {
                write_atom(atoms[4 * level + 3], 0, 1);
                ++level;
            }
            if (level == levels) {
                next += part(0);
            } else {
                next += part(4 * level + 2);
                write_atom(atoms[4 * level + 3], part(4 * level + 3) + 1, 1);
            }
            break;
        }
        default:
            return base;
    }
    write_atom(exec.operands[static_cast<size_t>(exec.pointer)].atom, next, 1);
    return base;
}

std::byte* Pipeline::place(uint32_t address, unsigned size) {
    if (address & (size - 1)) {
        trap("misaligned " + std::to_string(size) + "-byte access to " + hex(address));
    }
    if (address < 0x40000 || address > 0x7FFFF) {
        trap("access to " + hex(address) + ", where the core has no data memory");
    }
    const std::span<std::byte> memory = memories_[(address >> 16) & 3];
    const uint32_t offset = address & 0xFFFF;
    if (offset + size > memory.size()) {
        trap("access to " + hex(address) + ", where there is no neighbour's memory");
    }
    for (uint32_t at = address; at < address + size; at += 16) {
        const uint32_t wait = bus_->claim_bank(at, now_ + spent_);
        spent_ += wait;
        bank_stalls_ += wait;
    }
    return memory.data() + offset;
}

void Pipeline::branch(uint32_t target) {
    if (delay_) {
        trap("branch in the delay slots of another");
    }
    delay_ = isa::kDelaySlots + 1;
    target_ = target & kAddressMask;
}

uint32_t Pipeline::return_address() {
    uint32_t at = pc;
    const auto program = bus_->program();
    for (unsigned i = 0; i <= isa::kDelaySlots && at < program.size(); ++i) {
        at += isa::bundle_size(static_cast<uint8_t>(program[at]));
    }
    return at;
}

bool Pipeline::attempts(const Decoded& bundle) {
    for (uint8_t i = 0; i < bundle.count; ++i) {
        const Exec& exec = bundle.execs[i];
        if (!exec.attempt || attempted_ & 1U << i) {
            continue;
        }
        try {
            if (!exec.attempt(*this, exec)) {
                return false;
            }
        } catch (const CoreTrap& caught) {
            trap(caught.what + where(exec));
        }
        attempted_ |= 1U << i;
    }
    attempted_ = 0;
    return true;
}

void Pipeline::step(const Decoded& bundle) {
    Cycle& cycle = ring_[cycle_ % kDepth];
    const Exec* running = nullptr;
    try {
        // Every read of this cycle comes before every write of it; a late step may add writes to
        // it.
        for (size_t i = 0; i < cycle.late.size(); ++i) {
            Late& late = cycle.late[i];
            stage_ = late.stage;
            running = late.exec;
            late.run(*this, *late.exec, late.data);
        }
        stage_ = 1;
        for (uint8_t i = 0; i < bundle.count; ++i) {
            const Exec& exec = bundle.execs[i];
            running = &exec;
            if (exec.run) {
                exec.run(*this, exec);
            }
        }
    } catch (const CoreTrap& caught) {
        trap(caught.what + where(*running));
    }
    for (const ScalarWrite& write : cycle.scalars) {
        state.set_scalar(write.atom, write.value);
    }
    for (const CellWrite& write : cycle.cells) {
        // Told apart for straight code.
        Cell* to = state.cells(write.atom);
        switch (write.count) {
            case 1:
                *to = write.cells[0];
                break;
            case 2:
                std::copy_n(write.cells.begin(), 2, to);
                break;
            default:
                std::copy_n(write.cells.begin(), 4, to);
                break;
        }
    }
    cycle.scalars.clear();
    cycle.cells.clear();
    cycle.late.clear();
    ++cycle_;
    ++spent_;
}

void Pipeline::advance(const Decoded& bundle) {
    const uint32_t here = pc;
    pc += bundle.size;
    if (here == state.scalar(le_atom)) {
        if (const uint32_t count = state.scalar(lc_atom); count > 0) {
            state.set_scalar(lc_atom, count - 1);
            if (count > 1) {
                pc = state.scalar(ls_atom);
            }
        }
    }
    if (delay_ && --delay_ == 0) {
        pc = target_;
    }
}

CoreProgress Pipeline::run(CoreBus& bus, uint64_t now, uint64_t cycles) {
    static const Decoded idle{};
    bus_ = &bus;
    memories_ = bus.memories();
    now_ = now;
    spent_ = 0;
    while (spent_ < cycles) {
        if (finishing_) {
            if (drained_++ == kDepth) {
                // Enabled again without a reset, it goes on behind the DONE.
                finishing_ = false;
                drained_ = 0;
                return {spent_, CoreProgress::State::kDone, {}, {}};
            }
            step(idle);
            continue;
        }
        const Decoded& bundle = fetch(pc);
        if (bundle.waits) {
            if (spent_ > 0) {
                return {spent_, CoreProgress::State::kRunning, {}, {}};
            }
            if (!attempts(bundle)) {
                waits_since_ = waits_since_.value_or(now);
                return {0, CoreProgress::State::kStalled, waiting_.stall,
                        [waiting = waiting_] { return describe(waiting); }};
            }
        }
        if (waits_since_) {
            bundle.time.waited += now - *waits_since_;
            waits_since_.reset();
        }
        const uint64_t before = spent_;
        step(bundle);
        ++bundle.time.executed;
        bundle.time.stalled += spent_ - before - 1;
        advance(bundle);
    }
    return {spent_, CoreProgress::State::kRunning, {}, {}};
}

}  // namespace xdna::emu::core
