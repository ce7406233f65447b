// The scalar unit, memory and address generation, instruction by instruction: every row of the
// table that the formulas here speak of, on random operands.
#include <bit>
#include <functional>

#include "tests/unit/core/trial.hpp"

namespace xdna::emu::test {
namespace {

using isa::RegisterFile;

int32_t sign(uint32_t value) {
    return static_cast<int32_t>(value);
}

struct Formula {
    const char* mnemonic;
    std::function<uint32_t(uint32_t a, uint32_t b)> value;
};

// What AM020 and llvm-aie's patterns say of each; a and b are the first and second source.
const Formula kFormulas[] = {
    {"and", [](uint32_t a, uint32_t b) { return a & b; }},
    {"or", [](uint32_t a, uint32_t b) { return a | b; }},
    {"xor", [](uint32_t a, uint32_t b) { return a ^ b; }},
    {"add", [](uint32_t a, uint32_t b) { return a + b; }},
    {"sub", [](uint32_t a, uint32_t b) { return a - b; }},
    {"add.nc", [](uint32_t a, uint32_t b) { return a + b; }},
    {"mul", [](uint32_t a, uint32_t b) { return a * b; }},
    {"eq", [](uint32_t a, uint32_t b) { return uint32_t{a == b}; }},
    {"ne", [](uint32_t a, uint32_t b) { return uint32_t{a != b}; }},
    {"lt", [](uint32_t a, uint32_t b) { return uint32_t{sign(a) < sign(b)}; }},
    {"ge", [](uint32_t a, uint32_t b) { return uint32_t{sign(a) >= sign(b)}; }},
    {"ltu", [](uint32_t a, uint32_t b) { return uint32_t{a < b}; }},
    {"geu", [](uint32_t a, uint32_t b) { return uint32_t{a >= b}; }},
    {"lshl", [](uint32_t a, uint32_t b) { return sign(b) < 0 ? a >> (0 - b) % 32 : a << b % 32; }},
    {"ashl",
     [](uint32_t a, uint32_t b) {
         return sign(b) < 0 ? static_cast<uint32_t>(sign(a) >> (0 - b) % 32) : a << b % 32;
     }},
    {"eqz", [](uint32_t a, uint32_t) { return uint32_t{a == 0}; }},
    {"nez", [](uint32_t a, uint32_t) { return uint32_t{a != 0}; }},
    {"abs", [](uint32_t a, uint32_t) { return sign(a) < 0 ? 0 - a : a; }},
    {"clz",
     [](uint32_t a, uint32_t) {
         uint32_t count = 0;
         while (count < 32 && !(a >> (31 - count) & 1)) {
             ++count;
         }
         return count;
     }},
    {"clb",
     [](uint32_t a, uint32_t) {
         uint32_t count = 1;
         while (count < 32 && (a >> (31 - count) & 1) == a >> 31) {
             ++count;
         }
         return count;
     }},
    {"extend.s8", [](uint32_t a, uint32_t) { return (a & 0xFF) - (a & 0x80 ? 0x100 : 0); }},
    {"extend.s16", [](uint32_t a, uint32_t) { return (a & 0xFFFF) - (a & 0x8000 ? 0x10000 : 0); }},
    {"extend.u8", [](uint32_t a, uint32_t) { return a % 256; }},
    {"extend.u16", [](uint32_t a, uint32_t) { return a % 65536; }},
    {"movx", [](uint32_t a, uint32_t) { return a; }},
    {"mova", [](uint32_t a, uint32_t) { return a; }},
    {"movxm", [](uint32_t a, uint32_t) { return a; }},
    {"mov.d1", [](uint32_t a, uint32_t) { return a; }},
    {"mov.d2", [](uint32_t a, uint32_t) { return a; }},
    {"mov.d3", [](uint32_t a, uint32_t) { return a; }},
    {"mov.d4", [](uint32_t a, uint32_t) { return a; }},
    {"mov.d5", [](uint32_t a, uint32_t) { return a; }},
    {"mov.d6", [](uint32_t a, uint32_t) { return a; }},
};

// Small numbers, extremes and their neighbours, and any.
uint32_t operand(std::mt19937_64& random) {
    static constexpr uint32_t kSpecial[] = {0, 1, 2, 31, 32, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    const auto any = static_cast<uint32_t>(random());
    return any % 4 == 0 ? kSpecial[random() % 8] : any % 4 == 1 ? any >> 27 : any;
}

void check_formula(isa::Op op, const Formula& formula) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 24; ++round) {
        Trial trial(op);
        if (trial.reg(0).file == RegisterFile::kCr) {
            return;  // shown by what they control
        }
        std::array<uint32_t, 2> source{};
        for (size_t i = 1; i < trial.count(); ++i) {
            if (trial.is_register(i)) {
                const unsigned bits = isa::bits(trial.reg(i).file);
                source[i - 1] = operand(random) & (bits < 32 ? (1U << bits) - 1 : ~0U);
                trial.set_scalar(i, source[i - 1]);
            } else {
                const isa::OperandClass& type = trial.operation().operands()[i].type();
                const auto span = static_cast<uint64_t>(type.maximum() - type.minimum()) + 1;
                const auto value =
                    static_cast<int32_t>(type.minimum() + static_cast<int64_t>(random() % span));
                trial.set_immediate(i, value);
                source[i - 1] = static_cast<uint32_t>(value);
            }
        }
        trial.run();
        EXPECT_EQ(trial.scalar(0), formula.value(source[0], source[1]))
            << trial.text() << " of " << source[0] << ", " << source[1];
    }
}

TEST(Scalar, EveryFormula) {
    for (const Formula& formula : kFormulas) {
        const auto ops = operations_of(formula.mnemonic);
        EXPECT_FALSE(ops.empty()) << formula.mnemonic;
        for (const isa::Op op : ops) {
            check_formula(op, formula);
        }
    }
    for (const char* name : {"MOV_mv_scl", "MOV_mv_cg"}) {
        for (const isa::Op op : operations_of("mov")) {
            if (isa::operation(op).name == name) {
                check_formula(op, {name, [](uint32_t a, uint32_t) { return a; }});
            }
        }
    }
}

// 64-bit additions and subtractions in two halves.
TEST(Scalar, CarriesChain) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 100; ++round) {
        const uint64_t a = random() >> random() % 40;
        const uint64_t b = random() >> random() % 40;
        for (const bool add : {true, false}) {
            Machine machine;
            machine.load(add ? "add r4, r0, r2\nadc r5, r1, r3\ndone\n"
                             : "sub r4, r0, r2\nsbc r5, r1, r3\ndone\n");
            machine.set_r(0, static_cast<uint32_t>(a));
            machine.set_r(1, static_cast<uint32_t>(a >> 32));
            machine.set_r(2, static_cast<uint32_t>(b));
            machine.set_r(3, static_cast<uint32_t>(b >> 32));
            machine.finish();
            EXPECT_EQ(machine.r(4) | uint64_t{machine.r(5)} << 32, add ? a + b : a - b);
        }
    }
}

TEST(Scalar, ThirtyTwoStepsDivide) {
    std::string source = "mova r31, #0\n";
    for (int i = 0; i < 32; ++i) {
        source += "divs r0, r31, r0, r1\n";
    }
    const auto code = assemble(source + "done\n");
    std::mt19937_64 random(1);
    for (int round = 0; round < 50; ++round) {
        const auto a = static_cast<uint32_t>(random());
        const uint32_t b = static_cast<uint32_t>(random()) >> random() % 31;
        if (b == 0) {
            continue;
        }
        Machine machine;
        machine.load(code);
        machine.set_r(0, a);
        machine.set_r(1, b);
        machine.finish();
        EXPECT_EQ(machine.r(0), a / b);
        EXPECT_EQ(machine.r(31), a % b);
    }
}

TEST(Scalar, SelectsByR27) {
    for (const uint32_t condition : {0U, 1U, 0x80000000U}) {
        Machine machine;
        machine.load("sel.eqz r2, r0, r1, r27\nsel.nez r3, r0, r1, r27\ndone\n");
        machine.set_r(0, 10);
        machine.set_r(1, 20);
        machine.set_r(27, condition);
        machine.finish();
        EXPECT_EQ(machine.r(2), condition == 0 ? 10U : 20U);
        EXPECT_EQ(machine.r(3), condition != 0 ? 10U : 20U);
    }
}

TEST(Scalar, TheCounterCounts) {
    Machine machine;
    machine.load("mov l0, cntr\nnop\nnop\nnop\nmov l1, cntr\ndone\n");
    machine.finish();
    EXPECT_EQ(machine.r(18) - machine.r(16), 4U);
}

// Every way to jump goes where it should, and only then.
TEST(Control, EveryJump) {
    const char* kSource =
        "movxm p0, #.call\nmovxm p1, #.twice\nmovxm p2, #.end\nmova r0, #0\nmova r1, #5\n"
        "mova r2, #0\nmova r3, #1\nmova r4, #0\n"
        "jl p0\nnop\nnop\nnop\nnop\nnop\n"
        "jl #.call\nnop\nnop\nnop\nnop\nnop\n"
        ".twice: add r2, r2, #1\njnzd r1, r1, p1\nnop\nnop\nnop\nnop\nnop\n"
        "jz r3, #.fail\nnop\nnop\nnop\nnop\nnop\n"
        "jnz r4, #.fail\nnop\nnop\nnop\nnop\nnop\n"
        "jz r4, #.next\nnop\nnop\nnop\nnop\nnop\ndone\n"
        ".next: jnz r3, #.last\nnop\nnop\nnop\nnop\nnop\ndone\n"
        ".last: j #.indirect\nnop\nnop\nnop\nnop\nnop\ndone\n"
        ".indirect: j p2\nnop\nnop\nnop\nnop\nnop\n"
        ".fail: mova r5, #1\ndone\n"
        ".end: mova r6, #1\ndone\n"
        ".call: add r0, r0, #1\nret lr\nnop\nnop\nnop\nnop\nnop\n";
    Machine machine;
    machine.load(kSource);
    machine.finish();
    EXPECT_EQ(machine.r(0), 2U);
    EXPECT_EQ(machine.r(2), 6U);
    EXPECT_EQ(machine.r(1), 0xFFFFFFFFU);
    EXPECT_EQ(machine.r(5), 0U);
    EXPECT_EQ(machine.r(6), 1U);
}

// ---- addresses ----

constexpr uint32_t kPointer = 0x70800;
constexpr uint32_t kStack = 0x71000;

// Gives the address operands values, says what is accessed, and checks what the pointer and the
// counts are after it. Cases: counts at and below their ends.
struct Addressing {
    uint32_t address = 0;
    std::function<void(Trial&)> check;
};
uint32_t reg_of(Trial& trial, RegisterFile file, unsigned index) {
    return trial.scalar({file, static_cast<uint8_t>(index)});
}
Addressing set_address(Trial& trial, bool inner_wraps, bool outer_wraps) {
    using isa::AddressMode;
    const isa::AddressMode mode = trial.operation().mode;
    const int ptr = trial.operand("ptr");
    const auto sp = isa::Register{RegisterFile::kSpec, 5};
    const auto set = [&](RegisterFile file, unsigned index, uint32_t value) {
        trial.set_scalar({file, static_cast<uint8_t>(index)}, value);
    };
    trial.set_scalar(sp, kStack);
    if (ptr >= 0) {
        trial.set_scalar(static_cast<size_t>(ptr), kPointer);
    }
    const auto pointer_is = [ptr](uint32_t expected) {
        return
            [=](Trial& t) { EXPECT_EQ(t.scalar(static_cast<size_t>(ptr)), expected) << t.text(); };
    };
    switch (mode) {
        case AddressMode::kOffset: {
            const int32_t imm = trial.immediate(static_cast<size_t>(trial.operand("imm")));
            return {kPointer + static_cast<uint32_t>(imm), pointer_is(kPointer)};
        }
        case AddressMode::kIndex:
            trial.set_scalar(static_cast<size_t>(trial.operand("dj")), 0x60);
            return {kPointer + 0x60, pointer_is(kPointer)};
        case AddressMode::kStack: {
            const auto i = static_cast<size_t>(trial.operand("imm"));
            const isa::OperandClass& type = trial.operation().operands()[i].type();
            trial.set_immediate(i, -4 * type.scale);
            return {kStack - 4 * uint32_t{type.scale},
                    [](Trial& t) { EXPECT_EQ(reg_of(t, RegisterFile::kSpec, 5), kStack); }};
        }
        case AddressMode::kStackAdjust: {
            const int32_t imm = trial.immediate(static_cast<size_t>(trial.operand("imm")));
            return {kStack, [=](Trial& t) {
                        EXPECT_EQ(reg_of(t, RegisterFile::kSpec, 5),
                                  kStack + static_cast<uint32_t>(imm));
                    }};
        }
        case AddressMode::kPostImmediate: {
            const int32_t imm = trial.immediate(static_cast<size_t>(trial.operand("imm")));
            return {kPointer, pointer_is(kPointer + static_cast<uint32_t>(imm))};
        }
        case AddressMode::kPostRegister:
            trial.set_scalar(static_cast<size_t>(trial.operand("mod")), 0xFFFA0);  // -96
            return {kPointer, pointer_is(kPointer - 96)};
        case AddressMode::kPost2d:
        case AddressMode::kPost3d: {
            const unsigned d = trial.reg(static_cast<size_t>(trial.operand("mod"))).index;
            const bool third = mode == AddressMode::kPost3d;
            set(RegisterFile::kM, d, 0x1000);
            set(RegisterFile::kDn, d, 3);
            set(RegisterFile::kDj, d, 0x20);
            set(RegisterFile::kDc, d, inner_wraps ? 3 : 1);
            if (third) {
                set(RegisterFile::kDn, d + 4, 2);
                set(RegisterFile::kDj, d + 4, 0x400);
                set(RegisterFile::kDc, d + 4, outer_wraps ? 2 : 0);
            }
            // The inner stride until its count is full, then the outer one, then m.
            const uint32_t step = !inner_wraps ? 0x20 : third && !outer_wraps ? 0x400 : 0x1000;
            return {kPointer, [=](Trial& t) {
                        pointer_is(kPointer + step)(t);
                        EXPECT_EQ(reg_of(t, RegisterFile::kDc, d), inner_wraps ? 0U : 2U);
                        if (third) {
                            EXPECT_EQ(reg_of(t, RegisterFile::kDc, d + 4),
                                      !inner_wraps  ? (outer_wraps ? 2U : 0U)
                                      : outer_wraps ? 0U
                                                    : 1U);
                        }
                    }};
        }
        default:
            return {kPointer, pointer_is(kPointer)};
    }
}

template <typename F>
void for_each_case(isa::Op op, F&& check) {
    const bool post = isa::operation(op).mode == isa::AddressMode::kPost2d ||
                      isa::operation(op).mode == isa::AddressMode::kPost3d;
    for (const bool inner : {false, true}) {
        for (const bool outer : {false, true}) {
            check(inner, outer);
            if (!post) {
                return;
            }
        }
    }
}

struct Access {
    const char* mnemonic;
    size_t size;  // bytes; words and masks share mnemonics: the register's size
    bool is_signed;
};

TEST(Memory, EveryLoad) {
    static constexpr Access kLoads[] = {
        {"lda", 0, false},       {"lda.s8", 1, true},     {"lda.u8", 1, false},
        {"lda.s16", 2, true},    {"lda.u16", 2, false},   {"vlda", 32, false},
        {"vlda.128", 16, false}, {"vldb.128", 16, false}, {"vldb", 32, false}};
    std::mt19937_64 random(1);
    for (const Access& access : kLoads) {
        for (const isa::Op op : operations_of(access.mnemonic)) {
            for_each_case(op, [&](bool inner, bool outer) {
                Trial trial(op);
                const Addressing where = set_address(trial, inner, outer);
                const Bytes data = random_bytes(random, 64);
                trial.machine.put<uint8_t>(where.address - Machine::kBase, data);
                trial.set(size_t{0}, Bytes(trial.size(0), 0xEE));
                trial.run();
                Bytes expected(data.begin(),
                               data.begin() + static_cast<std::ptrdiff_t>(
                                                  access.size ? access.size : trial.size(0)));
                const bool negative = access.is_signed && expected.back() & 0x80;
                expected.resize(trial.size(0), negative ? 0xFF : 0);
                EXPECT_EQ(trial.get(0), expected) << trial.text();
                where.check(trial);
            });
        }
    }
}

TEST(Memory, EveryStore) {
    static constexpr Access kStores[] = {{"st", 0, false},
                                         {"st.s8", 1, false},
                                         {"st.s16", 2, false},
                                         {"vst", 32, false},
                                         {"vst.128", 16, false}};
    std::mt19937_64 random(1);
    for (const Access& access : kStores) {
        for (const isa::Op op : operations_of(access.mnemonic)) {
            for_each_case(op, [&](bool inner, bool outer) {
                Trial trial(op);
                const Addressing where = set_address(trial, inner, outer);
                const Bytes data = random_bytes(random, trial.size(0));
                Bytes around = random_bytes(random, 96);
                const uint32_t from = where.address - Machine::kBase;
                trial.machine.put<uint8_t>(from - 32, around);
                trial.set(size_t{0}, data);
                trial.run();
                const size_t size = access.size ? access.size : trial.size(0);
                std::copy_n(data.begin(), size, around.begin() + 32);
                EXPECT_EQ(trial.machine.get<uint8_t>(from - 32, 96), around) << trial.text();
                where.check(trial);
            });
        }
    }
}

TEST(Memory, EveryPointerAddition) {
    for (const char* mnemonic : {"padda", "paddb", "padds"}) {
        for (const isa::Op op : operations_of(mnemonic)) {
            for_each_case(op, [&](bool inner, bool outer) {
                Trial trial(op);
                const Addressing where = set_address(trial, inner, outer);
                trial.run();
                where.check(trial);
            });
        }
    }
}

// A load or store with a conversion does what the plain access and the conversion do.
TEST(Memory, FusedConversionsAreThePlainOnes) {
    std::mt19937_64 random(1);
    for (size_t i = 0; i < isa::kOpCount; ++i) {
        const auto op = static_cast<isa::Op>(i);
        const isa::Operation& row = isa::operations()[i];
        std::string plain(row.mnemonic);
        for (const char* part : {".2d", ".3d"}) {
            if (const size_t at = plain.find(part); at != std::string::npos) {
                plain.erase(at, 3);
            }
        }
        const bool loads = row.memory == isa::Memory::kLoad;
        std::string conversion;
        for (const char* name : {".ups.", ".srs.", ".pack.", ".unpack.", ".conv."}) {
            if (const size_t at = plain.find(name); at != std::string::npos) {
                conversion = "v" + plain.substr(at + 1);
            }
        }
        if (row.memory == isa::Memory::kNone || conversion.empty()) {
            continue;
        }
        for_each_case(op, [&](bool inner, bool outer) {
            Trial fused(op);
            // Of several forms of the conversion, the one with the same register file.
            std::optional<Trial> separate;
            const size_t held = loads ? 0 : 1;  // of `separate`: what `fused` has in a register
            for (const isa::Op other : operations_of(conversion)) {
                Trial candidate(other);
                const size_t memory = loads ? 1 : 0;
                if (candidate.size(held) == fused.size(0) && candidate.size(memory) == 32) {
                    separate.emplace(other);
                }
            }
            ASSERT_TRUE(separate) << fused.text() << " has no separate form " << conversion;
            const Addressing where = set_address(fused, inner, outer);
            const uint32_t at = where.address - Machine::kBase;
            const uint32_t shift = static_cast<uint32_t>(random() % 8);
            for (Trial* trial : {&fused, &*separate}) {
                for (const char* name : {"shft"}) {
                    if (const int s = trial->operand(name); s >= 0) {
                        trial->set_scalar(static_cast<size_t>(s), shift);
                    }
                }
                trial->set_control(0, 2, 1);   // saturate
                trial->set_control(2, 4, 12);  // to even
            }
            const Bytes data = random_bytes(random, loads ? 32 : fused.size(0));
            if (loads) {
                fused.machine.put<uint8_t>(at, data);
                separate->set(size_t{1}, data);
            } else {
                fused.set(size_t{0}, data);
                separate->set(size_t{1}, data);
            }
            fused.run();
            separate->run();
            const Bytes got = loads ? fused.get(0) : fused.machine.get<uint8_t>(at, 32);
            EXPECT_EQ(got, separate->get(0)) << fused.text() << " and " << separate->text();
            where.check(fused);
        });
    }
}

}  // namespace
}  // namespace xdna::emu::test
