// The vector unit, instruction by instruction: every row of the table that the formulas here speak
// of, on random lanes, against the plainest C++ of what it should do.
#include <bit>
#include <cmath>
#include <functional>

#include "tests/unit/core/lanes.hpp"

namespace xdna::emu::test {
namespace {

// ---- lane by lane ----

using Value = std::function<int64_t(int64_t a, int64_t b)>;
using Mask = std::function<bool(int64_t a, int64_t b)>;
struct Lanewise {
    const char* name;  // followed by the lanes: .8, .s8, .d8 or 8
    Value value;       // none: only a mask
    Mask mask;         // none: only a value
};

const Lanewise kLanewise[] = {
    {"vadd", [](int64_t a, int64_t b) { return a + b; }, nullptr},
    {"vsub", [](int64_t a, int64_t b) { return a - b; }, nullptr},
    {"vlt", nullptr, [](int64_t a, int64_t b) { return a < b; }},
    {"vge", nullptr, [](int64_t a, int64_t b) { return a >= b; }},
    {"veqz", nullptr, [](int64_t a, int64_t) { return a == 0; }},
    {"vmax_lt", [](int64_t a, int64_t b) { return std::max(a, b); },
     [](int64_t a, int64_t b) { return a < b; }},
    {"vmin_ge", [](int64_t a, int64_t b) { return std::min(a, b); },
     [](int64_t a, int64_t b) { return a >= b; }},
    {"vsub_lt", [](int64_t a, int64_t b) { return a - b; },
     [](int64_t a, int64_t b) { return a < b; }},
    {"vsub_ge", [](int64_t a, int64_t b) { return a - b; },
     [](int64_t a, int64_t b) { return a >= b; }},
    {"vmaxdiff_lt", [](int64_t a, int64_t b) { return std::max<int64_t>(a - b, 0); },
     [](int64_t a, int64_t b) { return a < b; }},
    {"vabs_gtz", [](int64_t a, int64_t) { return a < 0 ? -a : a; },
     [](int64_t a, int64_t) { return a > 0; }},
    {"vneg_gtz", [](int64_t a, int64_t) { return -a; }, [](int64_t a, int64_t) { return a > 0; }},
    {"vbneg_ltz", [](int64_t a, int64_t) { return ~a; }, [](int64_t a, int64_t) { return a < 0; }},
};

uint64_t mask_of(Trial& trial, size_t operand) {
    const Bytes bytes = trial.get(operand);
    uint64_t mask = 0;
    std::memcpy(&mask, bytes.data(), bytes.size());
    return mask;
}

TEST(Vector, EveryLanewiseOperation) {
    std::mt19937_64 random(1);
    for (const Lanewise& what : kLanewise) {
        int found = 0;
        for (const unsigned bits : {8U, 16U, 32U}) {
            for (const char* sign : {".", ".s", ".d", ""}) {
                for (const isa::Op op :
                     operations_of(what.name + std::string(sign) + std::to_string(bits))) {
                    ++found;
                    for (const bool is_signed : {true, false}) {
                        if (!is_signed && std::string(sign) != ".d") {
                            continue;
                        }
                        Trial trial(op);
                        const size_t first = (what.value ? 1 : 0) + (what.mask ? 1 : 0);
                        const bool two = trial.count() == first + 2;
                        const Bytes a = lanes(random, 64, bits);
                        const Bytes b = two ? lanes(random, 64, bits) : a;
                        trial.set(first, a);
                        if (two) {
                            trial.set(first + 1, b);
                        }
                        trial.set_control(13, 1, is_signed);
                        trial.run();
                        Bytes value(64);
                        uint64_t mask = 0;
                        for (size_t i = 0; i < 512 / bits; ++i) {
                            const int64_t x = lane(a, i, bits, is_signed);
                            const int64_t y = lane(b, i, bits, is_signed);
                            set_lane(value, i, bits, what.value ? what.value(x, y) : 0);
                            mask |= uint64_t{what.mask && what.mask(x, y)} << i;
                        }
                        if (what.value) {
                            EXPECT_EQ(trial.get(0), value) << trial.text();
                        }
                        if (what.mask) {
                            EXPECT_EQ(mask_of(trial, first - 1), mask) << trial.text();
                        }
                    }
                }
            }
        }
        EXPECT_GE(found, 3) << what.name;
    }
}

TEST(Vector, Bf16ComparesByValueAndNaNNever) {
    std::mt19937_64 random(1);
    const auto number = [](uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); };
    for (const char* name : {"vlt.bf16", "vge.bf16", "vmax_lt.bf16", "vmin_ge.bf16"}) {
        for (const isa::Op op : operations_of(name)) {
            Trial trial(op);
            const bool less = std::string(name).find("lt") != std::string::npos;
            const size_t first = trial.count() - 2;
            Bytes a = lanes(random, 64, 16);
            Bytes b = lanes(random, 64, 16);
            set_lane(a, 0, 16, 0x7FC0);  // NaN
            set_lane(a, 1, 16, 0x8000);  // -0 is below +0
            set_lane(b, 1, 16, 0x0000);
            set_lane(a, 2, 16, 0x3F80);
            set_lane(b, 2, 16, 0xFFC0);
            trial.set(first, a);
            trial.set(first + 1, b);
            trial.run();
            uint64_t mask = 0;
            for (size_t i = 0; i < 32; ++i) {
                const auto xb = static_cast<uint16_t>(lane(a, i, 16, false));
                const auto yb = static_cast<uint16_t>(lane(b, i, 16, false));
                const float x = number(xb);
                const float y = number(yb);
                const bool below =
                    x < y || (x == 0 && y == 0 && std::signbit(x) && !std::signbit(y));
                mask |= uint64_t{!std::isnan(x) && !std::isnan(y) && below == less} << i;
                if (first == 2) {
                    const bool takes_b = mask >> i & 1;
                    EXPECT_EQ(lane(trial.get(0), i, 16, false), takes_b ? yb : xb) << trial.text();
                }
            }
            EXPECT_EQ(mask_of(trial, first - 1), mask) << trial.text();
        }
    }
}

TEST(Vector, EverySelectionByMask) {
    std::mt19937_64 random(1);
    for (const unsigned bits : {8U, 16U, 32U}) {
        for (const bool select : {true, false}) {
            const auto name = (select ? "vsel." : "vaddsub.") + std::to_string(bits);
            for (const isa::Op op : operations_of(name)) {
                Trial trial(op);
                const Bytes a = lanes(random, 64, bits);
                const Bytes b = lanes(random, 64, bits);
                const Bytes mask = random_bytes(random, trial.size(3));
                trial.set(1, a);
                trial.set(2, b);
                trial.set(3, mask);
                trial.run();
                Bytes expected(64);
                for (size_t i = 0; i < 512 / bits; ++i) {
                    const bool bit = mask[i / 8] >> i % 8 & 1;
                    const int64_t x = lane(a, i, bits, true);
                    const int64_t y = lane(b, i, bits, true);
                    set_lane(expected, i, bits, select ? (bit ? y : x) : (bit ? x - y : x + y));
                }
                EXPECT_EQ(trial.get(0), expected) << trial.text();
            }
        }
    }
}

TEST(Vector, BitwiseAndAndOr) {
    std::mt19937_64 random(1);
    for (const bool is_and : {true, false}) {
        Trial trial(operations_of(is_and ? "vband" : "vbor").at(0));
        const Bytes a = random_bytes(random, 64);
        const Bytes b = random_bytes(random, 64);
        trial.set(1, a);
        trial.set(2, b);
        trial.run();
        Bytes expected(64);
        for (size_t i = 0; i < 64; ++i) {
            expected[i] = is_and ? a[i] & b[i] : a[i] | b[i];
        }
        EXPECT_EQ(trial.get(0), expected);
    }
}

// ---- between scalars and vectors ----

TEST(Vector, ScalarsInAndOut) {
    std::mt19937_64 random(1);
    constexpr isa::Register kR29{isa::RegisterFile::kR, 29};
    for (const unsigned bits : {8U, 16U, 32U, 64U}) {
        const std::string w = std::to_string(bits);
        const size_t count = 512 / bits;
        const auto for_each = [&](const std::string& name, const auto& check) {
            const auto ops = operations_of(name + w);
            EXPECT_FALSE(ops.empty()) << name + w;
            for (const isa::Op op : ops) {
                for (int round = 0; round < 8; ++round) {
                    Trial trial(op);
                    check(trial);
                }
            }
        };
        const auto scalar_of = [&](Trial& trial, size_t operand) {
            const Bytes bytes = random_bytes(random, trial.size(operand));
            trial.set(operand, bytes);
            return lane(bytes, 0, std::min(bits, 64U), true);
        };
        for_each("vbcst.", [&](Trial& trial) {
            const int64_t s = scalar_of(trial, 1);
            trial.run();
            for (size_t i = 0; i < count; ++i) {
                EXPECT_EQ(lane(trial.get(0), i, bits, true), s) << trial.text();
            }
        });
        const auto index_of = [&](Trial& trial) {
            if (!trial.is_register(2)) {
                trial.set_immediate(2,
                                    static_cast<int32_t>(random() % std::min<size_t>(count, 32)));
                return static_cast<size_t>(trial.immediate(2));
            }
            const size_t index = random() % count;
            trial.set_scalar(2, static_cast<uint32_t>(index));
            return index;
        };
        for_each("vextbcst.", [&](Trial& trial) {
            const Bytes a = random_bytes(random, 64);
            trial.set(1, a);
            const size_t index = index_of(trial);
            trial.run();
            for (size_t i = 0; i < count; ++i) {
                EXPECT_EQ(lane(trial.get(0), i, bits, true), lane(a, index, bits, true));
            }
        });
        for (const bool is_signed : {true, false}) {
            for (const char* name : {"vextract.s", "vextract.d"}) {
                for_each(name, [&](Trial& trial) {
                    const Bytes a = random_bytes(random, 64);
                    trial.set(1, a);
                    const size_t index = index_of(trial);
                    trial.set_control(13, 1, is_signed);
                    trial.run();
                    const bool sign = is_signed || name[9] == 's';
                    Bytes expected(8);
                    set_lane(expected, 0, 64, lane(a, index, bits, sign));
                    expected.resize(trial.size(0));
                    EXPECT_EQ(trial.get(0), expected) << trial.text();
                });
            }
        }
        for_each("vinsert.", [&](Trial& trial) {
            Bytes a = random_bytes(random, 64);
            trial.set(1, a);
            const int64_t s = scalar_of(trial, 2);
            const size_t index = random() % count;
            trial.set_scalar(kR29, static_cast<uint32_t>(index));
            trial.run();
            set_lane(a, index, bits, s);
            EXPECT_EQ(trial.get(0), a) << trial.text();
        });
        for (const bool low : {true, false}) {
            for_each(low ? "vpush.lo." : "vpush.hi.", [&](Trial& trial) {
                const Bytes a = random_bytes(random, 64);
                trial.set(low ? 2 : 1, a);
                const int64_t s = scalar_of(trial, low ? 1 : 2);
                trial.run();
                Bytes expected(64);
                for (size_t i = 0; i < count; ++i) {
                    const bool pushed = i == (low ? 0 : count - 1);
                    set_lane(expected, i, bits,
                             pushed ? s : lane(a, low ? i - 1 : i + 1, bits, true));
                }
                EXPECT_EQ(trial.get(0), expected) << trial.text();
            });
        }
        // As a broadcast and vshuffle with zeros do it.
        for_each("vbcstshfl.", [&](Trial& trial) {
            Trial broadcast(operations_of("vbcst." + w).at(0));
            Trial shuffle(operations_of("vshuffle").at(0));
            const Bytes s = random_bytes(random, trial.size(1));
            const uint32_t mode = static_cast<uint32_t>(random() % 48);
            trial.set(1, s);
            trial.set_scalar(kR29, mode);
            trial.run();
            broadcast.set(1, s);
            broadcast.run();
            shuffle.set(1, broadcast.get(0));
            shuffle.set(2, Bytes(64));
            shuffle.set_scalar(3, mode);
            shuffle.run();
            EXPECT_EQ(trial.get(0), shuffle.get(0)) << trial.text() << " mode " << mode;
        });
    }
}

TEST(Vector, ShiftsAcrossTwoRegisters) {
    std::mt19937_64 random(1);
    for (const char* name : {"vshift", "vshift.align"}) {
        const bool align = std::string(name) == "vshift.align";
        for (uint32_t amount = 0; amount <= 64; ++amount) {
            Trial trial(operations_of(name).at(0));
            Bytes both = random_bytes(random, 128);
            trial.set(1, Bytes(both.begin(), both.begin() + 64));
            trial.set(align ? 3 : 2, Bytes(both.begin() + 64, both.end()));
            trial.set_scalar(align ? 4 : 3, amount);
            trial.run();
            EXPECT_EQ(trial.get(0), Bytes(both.begin() + amount, both.begin() + amount + 64));
        }
    }
}

// A window that slides over memory, as AMD's library keeps it (Xilinx/aie_api,
// detail/aie2/array_helpers.hpp, sliding_window_buffer_stream): of each load only what is new is
// taken.
TEST(Vector, ShiftAlignSlidesAWindow) {
    std::mt19937_64 random(1);
    const Bytes memory = random_bytes(random, 320);
    for (uint32_t step = 1; step <= 4; ++step) {
        const size_t stride = 2U << step;
        Bytes window(64);
        for (size_t at = random() % 32; at + 160 < memory.size(); at += stride) {
            const size_t next = at + 31;
            const auto line = memory.begin() + static_cast<std::ptrdiff_t>(next / 32 * 32);
            Trial trial(operations_of("vshift.align").front());
            trial.set(1, window);
            trial.set_scalar(2, step);
            trial.set(3, Bytes(line, line + 64));
            trial.set_scalar(4, static_cast<uint32_t>(next % 32 + 33));
            trial.run();
            const auto from = memory.begin() + static_cast<std::ptrdiff_t>(at);
            if (at < stride + 32 && window == Bytes(64)) {
                window = Bytes(from, from + 64);  // the first has nothing before it
                continue;
            }
            window = trial.get(0);
            ASSERT_EQ(window, Bytes(from, from + 64)) << "step " << step << " at " << at;
        }
    }
}

// The same library turns a vector of 32-bit lanes round with it (detail/aie2/reverse.hpp).
TEST(Vector, ShiftAlignReversesAVector) {
    Machine machine;
    for (uint32_t i = 0; i < 16; ++i) {
        machine.set_w(i / 8, i % 8, i);
    }
    machine.set_r(0, 32);
    machine.set_r(1, 48);
    machine.set_r(2, 32);  // T32_4x8_lo
    machine.set_r(3, 3);
    machine.load(
        "mov s0, r3\n"
        "vshift.align x1, x0, s0, x0, r0\nvshift x0, x0, x1, r1\nvshuffle x0, x0, x1, r2\n"
        "vshift.align x1, x0, s0, x0, r0\nvshift x0, x0, x1, r1\nvshuffle x0, x0, x1, r2\n"
        "done\n");
    machine.finish();
    for (uint32_t i = 0; i < 16; ++i) {
        EXPECT_EQ(machine.core().read_register(0x30800 + 4 * i), 15 - i);
    }
}

TEST(Vector, ShiftAlignBehindItsFirstVectorTraps) {
    for (const auto& [step, amount] : {std::pair{1U, 3U}, {4U, 31U}, {5U, 63U}}) {
        Trial trial(operations_of("vshift.align").front());
        trial.set_scalar(2, step);
        trial.set_scalar(4, amount);
        try {
            trial.run();
            ADD_FAILURE() << step << " " << amount;
        } catch (const CoreTrap& trap) {
            EXPECT_NE(trap.what.find("vshift.align by"), std::string::npos) << trap.what;
        }
    }
}

TEST(Vector, EveryMove) {
    std::mt19937_64 random(1);
    int moves = 0;
    for (const char* mnemonic : {"vmov", "vmov.d"}) {
        for (const isa::Op op : operations_of(mnemonic)) {
            if (isa::operation(op).operand_count != 2) {
                continue;  // of the cascade
            }
            Trial trial(op);
            const Bytes data = random_bytes(random, trial.size(1));
            trial.set(1, data);
            trial.run();
            Bytes expected = data;
            expected.resize(trial.size(0));
            EXPECT_EQ(trial.get(0), expected) << trial.text();
            ++moves;
        }
    }
    EXPECT_GE(moves, 4);
    for (const isa::Op op : operations_of("vclr")) {
        Trial trial(op);
        trial.set(size_t{0}, random_bytes(random, trial.size(0)));
        trial.run();
        EXPECT_EQ(trial.get(0), Bytes(trial.size(0))) << trial.text();
    }
}

// Addresses in four lanes; two copies of the table, 16 bytes of each in turn.
TEST(Vector, EveryTableLookUp) {
    std::mt19937_64 random(1);
    for (const unsigned bits : {16U, 32U, 64U}) {
        for (const bool high : {false, true}) {
            Trial trial(
                operations_of("vldb.4x" + std::to_string(bits) + (high ? ".hi" : ".lo")).at(0));
            Bytes table = random_bytes(random, 256);
            for (size_t line = 0; line < 256; line += 32) {
                std::copy_n(&table[line], 16, &table[line + 16]);
            }
            trial.machine.put<uint8_t>(0x400, table);
            std::vector<uint32_t> addresses(8);
            std::vector<size_t> index(8);
            for (size_t i = 0; i < 8; ++i) {
                index[i] = random() % (1024 / bits);
                addresses[i] = 0x70400 + static_cast<uint32_t>(index[i] * bits / 4);
            }
            trial.set(1, to_bytes(addresses));
            trial.run();
            const size_t in_line = 128 / bits;
            for (size_t i = 0; i < 4; ++i) {
                const size_t at = index[i + (high ? 4 : 0)];
                const size_t byte = at / in_line * 32 + at % in_line * bits / 8;
                EXPECT_EQ(lane(trial.get(0), i * 64 / bits, bits, true),
                          lane(table, byte * 8 / bits, bits, true))
                    << trial.text();
            }
        }
    }
}

// ---- widths ----

// value / 2^shift, rounded as crRnd says, by the text of the modes.
int64_t round_shift(int64_t value, int shift, int mode) {
    if (shift <= 0) {
        return value * (int64_t{1} << -shift);
    }
    const long double exact = std::ldexp(static_cast<long double>(value), -shift);
    const long double below = std::floor(exact);
    const auto down = static_cast<int64_t>(below);
    if (exact == below) {
        return down;
    }
    switch (mode) {
        case 0:
            return down;
        case 1:
            return down + 1;
        case 2:
            return value < 0 ? down + 1 : down;
        case 3:
            return value < 0 ? down : down + 1;
        default:
            break;
    }
    if (exact - below != 0.5L) {
        return exact - below > 0.5L ? down + 1 : down;
    }
    switch (mode) {
        case 8:
            return down;
        case 9:
            return down + 1;
        case 10:
            return value < 0 ? down + 1 : down;
        case 11:
            return value < 0 ? down : down + 1;
        case 12:
            return down % 2 ? down + 1 : down;
        default:
            return down % 2 ? down : down + 1;
    }
}
// As crSat has it: 0 keeps the low bits, 1 saturates, 3 does so symmetrically.
int64_t limit_to(int64_t value, unsigned bits, bool is_signed, int mode) {
    const int64_t most = (int64_t{1} << (is_signed ? bits - 1 : bits)) - 1;
    const int64_t least = !is_signed ? 0 : mode == 3 ? -most : -most - 1;
    return mode == 0 ? value : std::clamp(value, least, most);
}

// "vsrs.s16.s32": 16 bits, signed, from 32.
struct Widths {
    bool dynamic;
    unsigned to;
    unsigned from;
};
Widths widths(std::string_view mnemonic) {
    const size_t first = mnemonic.find('.') + 1;
    const size_t second = mnemonic.find('.', first) + 1;
    const auto number = [&](size_t at) {
        return static_cast<unsigned>(std::stoul(std::string(mnemonic.substr(at + 1))));
    };
    return {mnemonic[first] == 'd' || mnemonic[second] == 'd', number(first), number(second)};
}
// The operations whose mnemonic starts so and that touch no memory.
std::vector<isa::Op> starting_with(std::string_view start) {
    std::vector<isa::Op> found;
    for (size_t i = 0; i < isa::kOpCount; ++i) {
        if (isa::operations()[i].mnemonic.starts_with(start)) {
            found.push_back(static_cast<isa::Op>(i));
        }
    }
    return found;
}

TEST(Vector, EveryShiftRoundSaturate) {
    std::mt19937_64 random(1);
    for (const char* start : {"vsrs.", "vsrsm."}) {
        for (const isa::Op op : starting_with(start)) {
            for (const int rounding : {0, 1, 2, 3, 8, 9, 10, 11, 12, 13}) {
                for (const int saturation : {0, 1, 3}) {
                    Trial trial(op);
                    const Widths w = widths(trial.operation().mnemonic);
                    const bool is_signed = !w.dynamic || random() % 2;
                    Bytes in(trial.size(1));
                    const size_t count = in.size() * 8 / w.from;
                    const int shift = static_cast<int>(random() % (w.from == 32 ? 24 : 34)) - 2;
                    for (size_t i = 0; i < count; ++i) {
                        // Many ties and numbers about the output's limits.
                        const int64_t any = static_cast<int64_t>(random()) >> random() % 60;
                        set_lane(in, i, w.from,
                                 std::clamp<int64_t>(any >> 8, w.from == 32 ? INT32_MIN : any >> 8,
                                                     w.from == 32 ? INT32_MAX : any >> 8));
                        if (shift > 0 && i % 3 == 0) {
                            set_lane(in, i, w.from,
                                     (static_cast<int64_t>(random() % 200) - 100) *
                                         (int64_t{1} << (shift - 1)));
                        }
                    }
                    trial.set(1, in);
                    trial.set_scalar(2, static_cast<uint32_t>(shift) & 63);
                    trial.set_control(0, 2, static_cast<uint32_t>(saturation));
                    trial.set_control(2, 4, static_cast<uint32_t>(rounding));
                    trial.set_control(17, 1, is_signed);
                    trial.run();
                    Bytes expected(trial.size(0));
                    for (size_t i = 0; i < count; ++i) {
                        set_lane(expected, i, w.to,
                                 limit_to(round_shift(lane(in, i, w.from, true), shift, rounding),
                                          w.to, is_signed, saturation));
                    }
                    ASSERT_EQ(trial.get(0), expected)
                        << trial.text() << " by " << shift << ", mode " << rounding;
                }
            }
        }
    }
}

TEST(Vector, EveryUpshift) {
    std::mt19937_64 random(1);
    for (const isa::Op op : starting_with("vups.")) {
        for (int round = 0; round < 20; ++round) {
            Trial trial(op);
            const Widths w = widths(trial.operation().mnemonic);
            const bool is_signed = !w.dynamic || round % 2;
            const unsigned shift = static_cast<unsigned>(random() % (w.to - w.from));
            const int saturation = std::array{0, 1, 3}[random() % 3];
            const Bytes in = lanes(random, trial.size(1), w.from);
            trial.set(1, in);
            trial.set_scalar(2, shift);
            trial.set_control(0, 2, static_cast<uint32_t>(saturation));
            trial.set_control(16, 1, is_signed);
            trial.run();
            Bytes expected(trial.size(0));
            for (size_t i = 0; i < expected.size() * 8 / w.to; ++i) {
                int64_t value = lane(in, i, w.from, is_signed) * (int64_t{1} << shift);
                if (w.to == 32) {
                    value = limit_to(value, 32, true, saturation);
                }
                set_lane(expected, i, w.to, value);
            }
            ASSERT_EQ(trial.get(0), expected) << trial.text() << " by " << shift;
        }
    }
}

TEST(Vector, EveryPackAndUnpack) {
    std::mt19937_64 random(1);
    for (const char* start : {"vpack.", "vunpack."}) {
        for (const isa::Op op : starting_with(start)) {
            for (int round = 0; round < 12; ++round) {
                Trial trial(op);
                const bool packs = start[1] == 'p';
                const Widths w = widths(trial.operation().mnemonic);
                const bool is_signed = !w.dynamic || round % 2;
                const int saturation = std::array{0, 1, 3}[random() % 3];
                const Bytes in = lanes(random, trial.size(1), w.from);
                trial.set(1, in);
                trial.set_control(0, 2, static_cast<uint32_t>(saturation));
                trial.set_control(packs ? 15 : 14, 1, is_signed);
                trial.run();
                Bytes expected(trial.size(0));
                for (size_t i = 0; i < expected.size() * 8 / w.to; ++i) {
                    set_lane(expected, i, w.to,
                             packs
                                 ? limit_to(lane(in, i, w.from, true), w.to, is_signed, saturation)
                                 : lane(in, i, w.from, is_signed));
                }
                ASSERT_EQ(trial.get(0), expected) << trial.text();
            }
        }
    }
}

TEST(Vector, FloorOfBf16FromEitherFile) {
    std::mt19937_64 random(1);
    for (const isa::Op op : starting_with("vfloor.")) {
        for (int shift = -8; shift <= 8; ++shift) {
            Trial trial(op);
            Bytes in(32);
            for (size_t i = 0; i < 16; ++i) {
                const auto value = static_cast<float>(static_cast<int64_t>(random()) >> 40) / 1024;
                set_lane(in, i, 16, std::bit_cast<uint32_t>(value) >> 16);
            }
            trial.set(1, in);
            trial.set_scalar(2, static_cast<uint32_t>(shift) & 63);
            trial.run();
            for (size_t i = 0; i < 16; ++i) {
                const auto value =
                    std::bit_cast<float>(static_cast<uint32_t>(lane(in, i, 16, false)) << 16);
                EXPECT_EQ(lane(trial.get(0), i, 32, true),
                          static_cast<int64_t>(std::floor(std::ldexp(double{value}, shift))))
                    << trial.text();
            }
        }
    }
}

}  // namespace
}  // namespace xdna::emu::test
