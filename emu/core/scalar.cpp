// The scalar unit: arithmetic, moves, jumps.
#include <bit>

#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

using isa::RegisterFile;

const isa::Atom carry_atom = atom_of(RegisterFile::kSr, 0);
const isa::Atom r27_atom = atom_of(RegisterFile::kR, 27);
const isa::Atom r31_atom = atom_of(RegisterFile::kR, 31);
const isa::Atom lr_atom = atom_of(RegisterFile::kSpec, 2);
const isa::Atom sp_atom = atom_of(RegisterFile::kSpec, 5);

int32_t as_signed(uint32_t value) {
    return static_cast<int32_t>(value);
}

// d = f(a, b), with register or immediate b.
template <uint32_t (*F)(uint32_t, uint32_t)>
void binary(Pipeline& p, const Exec& e) {
    p.write(e, 0, F(p.read(e, 1), p.read(e, 2)));
}
template <uint32_t (*F)(uint32_t)>
void unary(Pipeline& p, const Exec& e) {
    p.write(e, 0, F(p.read(e, 1)));
}

uint32_t bit_and(uint32_t a, uint32_t b) {
    return a & b;
}
uint32_t bit_or(uint32_t a, uint32_t b) {
    return a | b;
}
uint32_t bit_xor(uint32_t a, uint32_t b) {
    return a ^ b;
}
uint32_t equal(uint32_t a, uint32_t b) {
    return a == b;
}
uint32_t not_equal(uint32_t a, uint32_t b) {
    return a != b;
}
uint32_t less(uint32_t a, uint32_t b) {
    return as_signed(a) < as_signed(b);
}
uint32_t less_unsigned(uint32_t a, uint32_t b) {
    return a < b;
}
uint32_t at_least(uint32_t a, uint32_t b) {
    return as_signed(a) >= as_signed(b);
}
uint32_t at_least_unsigned(uint32_t a, uint32_t b) {
    return a >= b;
}
uint32_t multiply(uint32_t a, uint32_t b) {
    return a * b;
}

// Left for positive amounts, right for negative ones, modulo 32 (aie2-core.md 4; the modulo is
// FIM43-Redeye/xdna-emu's, src/interpreter/execute/semantic.rs).
uint32_t shift_logical(uint32_t a, uint32_t b) {
    return as_signed(b) >= 0 ? a << (b & 31) : a >> (-b & 31);
}
uint32_t shift_arithmetic(uint32_t a, uint32_t b) {
    return as_signed(b) >= 0 ? a << (b & 31) : static_cast<uint32_t>(as_signed(a) >> (-b & 31));
}

uint32_t is_zero(uint32_t a) {
    return a == 0;
}
uint32_t is_not_zero(uint32_t a) {
    return a != 0;
}
uint32_t sign_extend_8(uint32_t a) {
    return static_cast<uint32_t>(static_cast<int8_t>(a));
}
uint32_t sign_extend_16(uint32_t a) {
    return static_cast<uint32_t>(static_cast<int16_t>(a));
}
uint32_t zero_extend_8(uint32_t a) {
    return a & 0xFF;
}
uint32_t zero_extend_16(uint32_t a) {
    return a & 0xFFFF;
}
uint32_t leading_zeros(uint32_t a) {
    return static_cast<uint32_t>(std::countl_zero(a));
}
uint32_t leading_signs(uint32_t a) {
    return static_cast<uint32_t>(as_signed(a) < 0 ? std::countl_one(a) : std::countl_zero(a));
}

// Carry of a subtraction: no borrow (xdna-emu, semantic.rs; silicon-questions).
void add_with(Pipeline& p, const Exec& e, uint32_t b, uint32_t carry) {
    const uint64_t sum = uint64_t{p.read(e, 1)} + b + carry;
    p.write(e, 0, static_cast<uint32_t>(sum));
    p.write_atom(carry_atom, static_cast<uint32_t>(sum >> 32), 1);
}
void add(Pipeline& p, const Exec& e) {
    add_with(p, e, p.read(e, 2), 0);
}
void add_carry(Pipeline& p, const Exec& e) {
    add_with(p, e, p.read(e, 2), p.state.scalar(carry_atom));
}
void subtract(Pipeline& p, const Exec& e) {
    add_with(p, e, ~p.read(e, 2), 1);
}
void subtract_carry(Pipeline& p, const Exec& e) {
    add_with(p, e, ~p.read(e, 2), p.state.scalar(carry_atom));
}
void absolute(Pipeline& p, const Exec& e) {
    const uint32_t a = p.read(e, 1);
    const bool negative = as_signed(a) < 0;
    p.write(e, 0, negative ? 0 - a : a);
    p.write_atom(carry_atom, negative, 1);
}

void select(Pipeline& p, const Exec& e) {
    const bool zero = p.state.scalar(r27_atom) == 0;
    p.write(e, 0, p.read(e, zero == (e.parameter == 0) ? 1 : 2));
}

// One step of a division, as compiled code takes 32 of: the dividend's highest bit goes into the
// remainder r31, and the quotient's next bit comes in below it (Xilinx/llvm-aie, the AIE2 division
// of its compiler-rt, which starts with remainder 0).
void divide_step(Pipeline& p, const Exec& e) {
    const uint32_t dividend = p.read(e, 1);
    const uint32_t divisor = p.read(e, 2);
    const uint64_t remainder = uint64_t{p.state.scalar(r31_atom)} << 1 | dividend >> 31;
    const bool fits = remainder >= divisor;
    p.write(e, 0, dividend << 1 | fits);
    p.write_atom(r31_atom, static_cast<uint32_t>(fits ? remainder - divisor : remainder), 1);
}

void move(Pipeline& p, const Exec& e) {
    p.write(e, 0, p.read(e, 1));
}
// add.nc: no carry.
void add_no_carry(Pipeline& p, const Exec& e) {
    p.write(e, 0, p.read(e, 1) + p.read(e, 2));
}
void move_counter(Pipeline& p, const Exec& e) {
    const uint64_t value = p.timer();
    const isa::Atom low = e.operands[0].atom;
    p.write_atom(low, static_cast<uint32_t>(value), e.operands[0].write_cycle);
    p.write_atom(static_cast<isa::Atom>(low + 1), static_cast<uint32_t>(value >> 32),
                 e.operands[0].write_cycle);
}

void pointer_add(Pipeline& p, const Exec& e) {
    if (e.pointer < 0) {
        p.write_atom(sp_atom, p.state.scalar(sp_atom) + p.read(e, 0), 1);
    } else {
        p.address(e);
    }
}

void jump(Pipeline& p, const Exec& e) {
    p.branch(p.read(e, 0));
}
void call(Pipeline& p, const Exec& e) {
    p.write_atom(lr_atom, p.return_address(), 4);
    p.branch(p.read(e, 0));
}
void ret(Pipeline& p, const Exec&) {
    p.branch(p.state.scalar(lr_atom));
}
// parameter: 0 jump if zero, 1 if not.
void jump_if(Pipeline& p, const Exec& e) {
    if ((p.read(e, 0) != 0) == (e.parameter != 0)) {
        p.branch(p.read(e, 1));
    }
}
void jump_not_zero_decrement(Pipeline& p, const Exec& e) {
    const uint32_t a = p.read(e, 1);
    p.write(e, 0, a - 1);
    p.write_atom(carry_atom, a != 0, 1);  // as of a - 1: no borrow
    if (a) {
        p.branch(p.read(e, 2));
    }
}
void done(Pipeline& p, const Exec&) {
    p.finish();
}

constexpr Semantics kRows[] = {
    {"and", binary<bit_and>},
    {"or", binary<bit_or>},
    {"xor", binary<bit_xor>},
    {"eq", binary<equal>},
    {"ne", binary<not_equal>},
    {"lt", binary<less>},
    {"ltu", binary<less_unsigned>},
    {"ge", binary<at_least>},
    {"geu", binary<at_least_unsigned>},
    {"mul", binary<multiply>},
    {"lshl", binary<shift_logical>},
    {"ashl", binary<shift_arithmetic>},
    {"eqz", unary<is_zero>},
    {"nez", unary<is_not_zero>},
    {"extend.s8", unary<sign_extend_8>},
    {"extend.u8", unary<zero_extend_8>},
    {"extend.s16", unary<sign_extend_16>},
    {"extend.u16", unary<zero_extend_16>},
    {"clz", unary<leading_zeros>},
    {"clb", unary<leading_signs>},
    {"add", add},
    {"adc", add_carry},
    {"sub", subtract},
    {"sbc", subtract_carry},
    {"abs", absolute},
    {"sel.eqz", select, 0},
    {"sel.nez", select, 1},
    {"divs", divide_step},
    {"add.nc", add_no_carry},
    {"movx", move},
    {"movxm", move},
    {"mova", move},
    {"MOV_mv_scl", move},
    {"MOV_mv_cg", move},
    {"mov.d1", move},
    {"mov.d2", move},
    {"mov.d3", move},
    {"mov.d4", move},
    {"mov.d5", move},
    {"mov.d6", move},
    {"MOV_CNTR", move_counter},
    {"padda", pointer_add},
    {"paddb", pointer_add},
    {"padds", pointer_add},
    {"j", jump},
    {"jl", call},
    {"ret", ret},
    {"jz", jump_if, 0},
    {"jnz", jump_if, 1},
    {"jnzd", jump_not_zero_decrement},
    {"done", done},
};

}  // namespace

std::span<const Semantics> scalar_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
