// Multiplies and accumulator additions, every form in every mode that is modelled, against the
// plainest C++ of what it should do.
#include <bit>
#include <functional>

#include "tests/unit/core/lanes.hpp"

namespace xdna::emu::test {
namespace {

// Which element of X meets which of Y in which lane; from llvm-aie's names of the intrinsics
// (aiev2_vmult.h) and what UG1583 says of them. MxK_KxN{_Cch} is a matrix product in each channel;
// conv_MxK{_Cch} is mul_conv(F, G)(x) = sum over u of G(u) F(x + u): rows of X begin one element
// after the other; elem_C{_K} is a product of 1 x K by K x 1 in each of C channels.
struct Geometry {
    unsigned amode, bmode, variant;
    unsigned x_bits, y_bits, lane_bits;
    size_t m, k, n;
    size_t channels = 1;
    bool convolution = false;
};
constexpr Geometry kGeometries[] = {
    {0, 0, 0, 8, 4, 32, 4, 16, 8},           {0, 1, 0, 8, 8, 32, 4, 8, 8},
    {0, 2, 0, 16, 8, 32, 4, 4, 8},           {0, 3, 0, 16, 16, 32, 4, 2, 8},
    {1, 2, 0, 16, 8, 64, 2, 8, 8},           {1, 2, 1, 16, 8, 64, 4, 8, 4},
    {1, 3, 0, 16, 16, 64, 2, 4, 8},          {1, 3, 1, 16, 16, 64, 4, 4, 4},
    {1, 0, 0, 32, 16, 64, 4, 2, 4},          {0, 2, 1, 16, 8, 32, 4, 4, 4, 2},  // 4x4_4x4_2ch
    {0, 1, 1, 8, 8, 32, 1, 2, 1, 32},                                           // elem_32_2
    {0, 3, 1, 16, 16, 32, 1, 1, 1, 32},                                         // elem_32
    {1, 3, 2, 16, 16, 64, 1, 2, 1, 16},                                         // elem_16_2
    {0, 1, 2, 8, 8, 32, 4, 4, 1, 8, true},                                      // conv_4x4_8ch
    {0, 1, 3, 8, 8, 32, 8, 8, 1, 4, true},                                      // conv_8x8_4ch
    {0, 1, 4, 8, 8, 32, 32, 8, 1, 1, true},                                     // conv_32x8
    {1, 3, 3, 16, 16, 64, 16, 4, 1, 1, true}                                    // conv_16x4
};
// B is 2:4 sparse.
constexpr Geometry kSparseGeometries[] = {
    {0, 1, 5, 8, 8, 32, 4, 16, 8},
    {1, 2, 2, 16, 8, 64, 2, 16, 8},
    {1, 3, 5, 16, 16, 64, 2, 8, 8},
};

// What the mnemonic does with the product and the accumulators.
struct Signs {
    const char* mnemonic;
    int product, first, second;
};
constexpr Signs kSigns[] = {
    {"vmul", 1, 0, 0},     {"vnegmul", -1, 0, 0},  {"vmac", 1, 1, 0},    {"vmsc", -1, 1, 0},
    {"vnegmac", 1, -1, 0}, {"vnegmsc", -1, -1, 0}, {"vaddmac", 1, 1, 1}, {"vaddmsc", -1, 1, 1},
    {"vsubmac", 1, 1, -1}, {"vsubmsc", -1, 1, -1},
};

// The bits of the word that every mode has: signs of the operands, and from the fourth variation on
// any of zero, shift, and a negation of each term.
struct Variation {
    bool x_signed, y_signed;
    bool zero = false, shift = false;
    int product = 1, first = 1, second = 1;

    Variation(unsigned number, std::mt19937_64& random)
        : x_signed(number & 1), y_signed(number & 2) {
        if (number >= 4) {
            const auto extra = static_cast<uint32_t>(random());
            zero = extra & 1;
            shift = extra & 2;
            product = extra & 4 ? -1 : 1;
            first = extra & 8 ? -1 : 1;
            second = extra & 16 ? -1 : 1;
        }
    }
    uint32_t word(unsigned amode, unsigned bmode, unsigned variant) const {
        return uint32_t{zero} | amode << 1 | bmode << 3 | variant << 5 | uint32_t{y_signed} << 8 |
               uint32_t{x_signed} << 9 | uint32_t{shift} << 10 | uint32_t{product < 0} << 11 |
               uint32_t{first < 0} << 12 | uint32_t{second < 0} << 13;
    }
};

// Runs a multiply whose X, Y and word are set; its accumulators are random. The products' sums,
// lane by lane, are what it is to add.
void expect_sums(Trial& trial, std::mt19937_64& random, const Signs& signs,
                 const Variation& variation, unsigned lane_bits,
                 const std::vector<uint64_t>& products) {
    const size_t accumulators = trial.count() - 4;
    Bytes accumulator[2] = {random_bytes(random, 128), random_bytes(random, 128)};
    for (size_t i = 0; i < accumulators; ++i) {
        trial.set(1 + i, accumulator[i]);
    }
    trial.run();
    Bytes expected(128);
    for (size_t at = 0; at < products.size(); ++at) {
        uint64_t sum = products[at] * static_cast<uint64_t>(signs.product * variation.product);
        const auto acc = [&](size_t which) {
            return static_cast<uint64_t>(lane(accumulator[which], at, lane_bits, true));
        };
        if (signs.first && !variation.zero) {
            sum += (acc(0) << (variation.shift ? 16 : 0)) *
                   static_cast<uint64_t>(signs.first * variation.first);
        }
        if (signs.second) {
            sum += acc(1) * static_cast<uint64_t>(signs.second * variation.second);
        }
        set_lane(expected, at, lane_bits, static_cast<int64_t>(sum));
    }
    ASSERT_EQ(trial.get(0), expected)
        << trial.text() << " word " << trial.scalar(trial.count() - 1);
}

bool is_sparse(isa::Op op) {
    return isa::operation(op).name.find("sparse") != std::string_view::npos;
}

TEST(Vector, EveryDenseMultiply) {
    std::mt19937_64 random(1);
    for (const Signs& signs : kSigns) {
        for (const isa::Op op : operations_of(signs.mnemonic)) {
            if (is_sparse(op)) {
                continue;
            }
            for (const Geometry& g : kGeometries) {
                for (unsigned number = 0; number < 12; ++number) {
                    Trial trial(op);
                    const size_t x_at = trial.count() - 3;
                    const Variation variation(number, random);
                    const Bytes x = lanes(random, 64, g.x_bits);
                    const Bytes y = lanes(random, 64, g.y_bits);
                    trial.set(x_at, x);
                    trial.set(x_at + 1, y);
                    trial.set_scalar(x_at + 2, variation.word(g.amode, g.bmode, g.variant));
                    std::vector<uint64_t> products(1024 / g.lane_bits);
                    for (size_t at = 0; at < products.size(); ++at) {
                        const size_t c = at % g.channels;
                        const size_t n = at / g.channels % g.n;
                        const size_t m = at / g.channels / g.n;
                        for (size_t k = 0; k < g.k; ++k) {
                            const size_t xi = (m * (g.convolution ? 1 : g.k) + k) * g.channels + c;
                            const size_t yi = (k * g.n + n) * g.channels + c;
                            products[at] +=
                                static_cast<uint64_t>(lane(x, xi, g.x_bits, variation.x_signed)) *
                                static_cast<uint64_t>(lane(y, yi, g.y_bits, variation.y_signed));
                        }
                    }
                    expect_sums(trial, random, signs, variation, g.lane_bits, products);
                }
            }
        }
    }
}

// A K x N matrix with at most two elements that are not zero among four neighbours of a column; and
// how the multiplier wants it: its mask column-major, a bit a byte, and of each four the two that
// may be something, row-major.
struct Sparse {
    std::vector<uint64_t> dense;  // row-major, raw bits
    Bytes mask = Bytes(16);
    Bytes stored;

    Sparse(std::mt19937_64& random, unsigned bits, size_t k, size_t n,
           const std::function<uint64_t()>& value)
        : dense(k * n), stored(random_bytes(random, 64)) {  // what stands for nothing is ignored
        static constexpr unsigned kMasks[] = {0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12};
        for (size_t column = 0; column < n; ++column) {
            for (size_t group = 0; group < k / 4; ++group) {
                const unsigned four = kMasks[random() % std::size(kMasks)];
                for (size_t i = 0; i < 4; ++i) {
                    if (four >> i & 1) {
                        // The first of two goes low, the second high; one alone where its half of
                        // the four is.
                        const bool below = four & ((1U << i) - 1);
                        const bool above = four >> (i + 1);
                        const size_t slot = below ? 1 : above ? 0 : i / 2;
                        const uint64_t element = value();
                        dense[(4 * group + i) * n + column] = element;
                        set_lane(stored, (2 * group + slot) * n + column, bits,
                                 static_cast<int64_t>(element));
                        set_mask(bits / 8, column * k + 4 * group + i, element);
                    }
                }
            }
        }
    }

  private:
    // Of an element's bytes those that are not zero have their bit.
    void set_mask(size_t bytes, size_t element, uint64_t value) {
        for (size_t byte = 0; byte < bytes; ++byte) {
            const size_t bit = element * bytes + byte;
            if (value >> 8 * byte & 0xFF) {
                mask[bit / 8] = static_cast<uint8_t>(mask[bit / 8] | 1 << bit % 8);
            }
        }
    }
};
Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
int64_t extend(uint64_t raw, unsigned bits, bool is_signed) {
    return is_signed && raw >> (bits - 1) ? static_cast<int64_t>(raw | ~0ULL << bits)
                                          : static_cast<int64_t>(raw);
}

TEST(Vector, EverySparseMultiply) {
    std::mt19937_64 random(1);
    for (const Signs& signs : kSigns) {
        for (const isa::Op op : operations_of(signs.mnemonic)) {
            if (!is_sparse(op)) {
                continue;
            }
            for (const Geometry& g : kSparseGeometries) {
                for (unsigned number = 0; number < 8; ++number) {
                    Trial trial(op);
                    const size_t x_at = trial.count() - 3;
                    const Variation variation(number, random);
                    const Bytes x = lanes(random, trial.size(x_at), g.x_bits);
                    const Sparse y(random, g.y_bits, g.k, g.n, [&] {
                        return g.y_bits == 8 ? random() % 0xFF + 1 : random() % 0xFFFF + 1;
                    });
                    trial.set(x_at, x);
                    trial.set(x_at + 1, y.stored + y.mask);
                    trial.set_scalar(x_at + 2, variation.word(g.amode, g.bmode, g.variant));
                    std::vector<uint64_t> products(1024 / g.lane_bits);
                    for (size_t at = 0; at < products.size(); ++at) {
                        for (size_t k = 0; k < g.k; ++k) {
                            products[at] +=
                                static_cast<uint64_t>(
                                    lane(x, at / g.n * g.k + k, g.x_bits, variation.x_signed)) *
                                static_cast<uint64_t>(extend(y.dense[k * g.n + at % g.n], g.y_bits,
                                                             variation.y_signed));
                        }
                    }
                    expect_sums(trial, random, signs, variation, g.lane_bits, products);
                }
            }
        }
    }
}

// The word's term signs by their names in llvm-aie (aie2p_defines.h: OP_TERM_NEG_COMPLEX...), and
// what these names mean, for one product and for the sum of two. Butterflies subtract the second.
TEST(Vector, EveryComplexMultiply) {
    struct TermSigns {
        uint32_t bits;
        bool conjugate_x, conjugate_y, butterfly;
    };
    static constexpr TermSigns kTermSigns[] = {
        {0x0A, false, false, false}, {0xA0, true, false, false}, {0x50, false, true, false},
        {0xFA, true, true, false},   {0xC6, false, false, true}, {0x9C, false, true, true},
    };
    std::mt19937_64 random(1);
    for (const Signs& signs : kSigns) {
        for (const isa::Op op : operations_of(signs.mnemonic)) {
            for (const TermSigns& term_signs : kTermSigns) {
                for (const size_t terms : {1U, 2U}) {
                    if (is_sparse(op) || (terms == 1 && term_signs.butterfly)) {
                        continue;
                    }
                    const unsigned x_bits = terms == 1 ? 32 : 16;
                    Trial trial(op);
                    const size_t x_at = trial.count() - 3;
                    Variation variation(4, random);
                    variation.x_signed = variation.y_signed = true;
                    const Bytes x = lanes(random, 64, x_bits);
                    const Bytes y = lanes(random, 64, 16);
                    trial.set(x_at, x);
                    trial.set(x_at + 1, y);
                    // elem_8 of cint32 x cint16, elem_8_2 of cint16 x cint16.
                    trial.set_scalar(
                        x_at + 2, term_signs.bits << 16 | (terms == 1 ? variation.word(1, 0, 1)
                                                                      : variation.word(1, 3, 4)));
                    std::vector<uint64_t> products(16);
                    for (size_t channel = 0; channel < 8; ++channel) {
                        for (size_t term = 0; term < terms; ++term) {
                            const auto number = [&](const Bytes& v, unsigned bits, bool conjugate) {
                                const size_t at = 2 * (channel + 8 * term);
                                const auto real = static_cast<uint64_t>(lane(v, at, bits, true));
                                const auto imaginary =
                                    static_cast<uint64_t>(lane(v, at + 1, bits, true));
                                return std::pair(real,
                                                 conjugate ? uint64_t{0} - imaginary : imaginary);
                            };
                            const auto [a, b] = number(x, x_bits, term_signs.conjugate_x);
                            const auto [c, d] = number(y, 16, term_signs.conjugate_y);
                            const uint64_t sign =
                                term_signs.butterfly && term == 1 ? ~uint64_t{0} : 1;
                            products[2 * channel] += sign * (a * c - b * d);
                            products[2 * channel + 1] += sign * (a * d + b * c);
                        }
                    }
                    expect_sums(trial, random, signs, variation, 64, products);
                }
            }
        }
    }
}

TEST(Vector, MultiplyWordsOfOpenMeaningTrap) {
    struct Refused {
        const char* multiply;
        uint32_t word;
        const char* because;
    };
    static constexpr Refused kRefused[] = {
        {"vmul cm0, x0, x1, r4", 0x0E8, "dense multiply mode not modelled: amode 0, bmode 1"},
        {"vmul cm0, x0, x1, r4", 0xA0308, "bmode 1, variant 0, complex mask 10"},
        {"vmul cm0, x0, x1, r4", 0xC60322, "variant 1, complex mask 198"},  // a butterfly of one
        {"vmul.f bml0, x0, x1, r4", 0x05C, "dense bf16 multiply mode not modelled"},
        {"vmul cm0, y2, qx1, r4", 0x320, "sparse multiply mode not modelled: amode 0, bmode 0"},
        {"vmul.f bml0, y2, qx1, r4", 0x01C, "sparse bf16 multiply mode not modelled"},
    };
    for (const Refused& refused : kRefused) {
        Machine machine;
        machine.set_r(4, refused.word);
        machine.load(std::string(refused.multiply) + "\nnop\nnop\nnop\nnop\ndone\n", false);
        try {
            machine.run();
            ADD_FAILURE() << refused.multiply << " " << refused.word << " did not trap";
        } catch (const CoreTrap& trap) {
            EXPECT_NE(trap.what.find(refused.because), std::string::npos) << trap.what;
        }
    }
}

TEST(Vector, ThreeOfFourInASparseOperandTrap) {
    Machine machine;
    machine.set_r(4, 0x3A8);
    machine.core().write_register(0x310C0 + 16, 0x00070000);  // q1: rows 0 to 2 of column 1
    machine.load("vmul cm0, x2, qx1, r4\nnop\nnop\ndone\n", false);
    try {
        machine.run();
        FAIL() << "did not trap";
    } catch (const CoreTrap& trap) {
        EXPECT_NE(trap.what.find("more than two of four elements: column 1, rows from 0"),
                  std::string::npos)
            << trap.what;
    }
}

TEST(Vector, EveryAccumulatorAddition) {
    static constexpr Signs kAdds[] = {{"vadd", 0, 1, 1},
                                      {"vsub", 0, 1, -1},
                                      {"vnegadd", 0, -1, 1},
                                      {"vnegsub", 0, -1, -1},
                                      {"vneg", 0, -1, 0}};
    std::mt19937_64 random(1);
    for (const Signs& signs : kAdds) {
        const auto ops = operations_of(signs.mnemonic);
        EXPECT_FALSE(ops.empty()) << signs.mnemonic;
        for (const isa::Op op : ops) {
            for (const unsigned bits : {32U, 64U}) {
                for (uint32_t extra = 0; extra < 4; ++extra) {
                    Trial trial(op);
                    const bool zero = extra & 1;
                    const bool shift = extra & 2;
                    const Bytes a = random_bytes(random, 128);
                    const Bytes b = random_bytes(random, 128);
                    trial.set(1, a);
                    if (signs.second) {
                        trial.set(2, b);
                    }
                    trial.set_scalar(trial.count() - 1, uint32_t{zero} | (bits == 64 ? 2U : 0U) |
                                                            uint32_t{shift} << 10);
                    trial.run();
                    Bytes expected(128);
                    for (size_t i = 0; i < 1024 / bits; ++i) {
                        uint64_t sum = 0;
                        if (!zero) {
                            sum = (static_cast<uint64_t>(lane(a, i, bits, true))
                                   << (shift ? 16 : 0)) *
                                  static_cast<uint64_t>(int64_t{signs.first});
                        }
                        if (signs.second) {
                            sum += static_cast<uint64_t>(lane(b, i, bits, true)) *
                                   static_cast<uint64_t>(int64_t{signs.second});
                        }
                        set_lane(expected, i, bits, static_cast<int64_t>(sum));
                    }
                    ASSERT_EQ(trial.get(0), expected) << trial.text();
                }
            }
        }
    }
}

// bf16 and fp32: numbers whose sums are exact, so that rounding has no say.
TEST(Vector, EveryBf16MultiplyAndFp32Addition) {
    static constexpr Signs kFloats[] = {
        {"vmul.f", 1, 0, 0},      {"vnegmul.f", -1, 0, 0}, {"vmac.f", 1, 1, 0},
        {"vmsc.f", -1, 1, 0},     {"vaddmac.f", 1, 1, 1},  {"vaddmsc.f", -1, 1, 1},
        {"vadd.f", 0, 1, 1},      {"vsub.f", 0, 1, -1},    {"vnegadd.f", 0, -1, 1},
        {"vnegsub.f", 0, -1, -1}, {"vneg.f", 0, -1, 0},
    };
    std::mt19937_64 random(1);
    const auto small = [&] {
        return static_cast<float>(static_cast<int>(random() % 255) - 127) / 8;
    };
    for (const Signs& signs : kFloats) {
        const auto ops = operations_of(signs.mnemonic);
        EXPECT_FALSE(ops.empty()) << signs.mnemonic;
        for (const isa::Op op : ops) {
            if (is_sparse(op)) {
                continue;
            }
            for (const bool matrix : {true, false}) {
                Trial trial(op);
                const size_t operands = trial.count();
                std::vector<float> x(32), y(32), acc[2];
                Bytes xb(64), yb(64);
                for (size_t i = 0; i < 32; ++i) {
                    set_lane(xb, i, 16, std::bit_cast<uint32_t>(x[i] = small()) >> 16);
                    set_lane(yb, i, 16, std::bit_cast<uint32_t>(y[i] = small()) >> 16);
                }
                const size_t accumulators = (signs.first ? 1 : 0) + (signs.second ? 1 : 0);
                for (size_t a = 0; a < accumulators; ++a) {
                    for (size_t i = 0; i < 16; ++i) {
                        acc[a].push_back(small());
                    }
                    trial.set(1 + a, to_bytes(acc[a]));
                }
                uint32_t word = 0;
                if (signs.product) {
                    trial.set(operands - 3, xb);
                    trial.set(operands - 2, yb);
                    word = matrix ? 28 : 60;
                }
                trial.set_scalar(operands - 1, word);
                trial.run();
                const auto got = from_bytes<float>(trial.get(0));
                for (size_t i = 0; i < 16; ++i) {
                    float sum = 0;
                    for (size_t k = 0; k < (matrix ? 8U : 2U); ++k) {
                        sum += matrix ? x[i / 4 * 8 + k] * y[k * 4 + i % 4]
                                      : x[i + 16 * k] * y[i + 16 * k];
                    }
                    sum *= static_cast<float>(signs.product);
                    sum += accumulators > 0 ? static_cast<float>(signs.first) * acc[0][i] : 0;
                    sum += accumulators > 1 ? static_cast<float>(signs.second) * acc[1][i] : 0;
                    EXPECT_EQ(got[i], sum) << trial.text();
                }
            }
        }
    }
}

// The same with a 16 x 4 matrix of which half is stored.
TEST(Vector, EverySparseBf16Multiply) {
    static constexpr Signs kFloats[] = {{"vmul.f", 1, 0, 0},    {"vnegmul.f", -1, 0, 0},
                                        {"vmac.f", 1, 1, 0},    {"vmsc.f", -1, 1, 0},
                                        {"vaddmac.f", 1, 1, 1}, {"vaddmsc.f", -1, 1, 1}};
    std::mt19937_64 random(1);
    const auto small = [&] {
        return static_cast<float>(static_cast<int>(random() % 255) - 127) / 8;
    };
    for (const Signs& signs : kFloats) {
        for (const isa::Op op : operations_of(signs.mnemonic)) {
            // X of 512 bits does not hold what the one sparse mode needs.
            if (isa::operation(op).name.find("sparse_wide") == std::string_view::npos) {
                continue;
            }
            Trial trial(op);
            const size_t operands = trial.count();
            const Sparse y(random, 16, 16, 4, [&] {
                return std::bit_cast<uint32_t>(small() / 2 + 100) >> 16;  // not zero
            });
            std::vector<float> x(64), acc[2];
            Bytes xb(128);
            for (size_t i = 0; i < 64; ++i) {
                set_lane(xb, i, 16, std::bit_cast<uint32_t>(x[i] = small()) >> 16);
            }
            for (size_t a = 0; a + 4 < operands; ++a) {
                for (size_t i = 0; i < 16; ++i) {
                    acc[a].push_back(small());
                }
                trial.set(1 + a, to_bytes(acc[a]));
            }
            trial.set(operands - 3, xb);
            trial.set(operands - 2, y.stored + y.mask);
            trial.set_scalar(operands - 1, 0x5C);
            trial.run();
            const auto got = from_bytes<float>(trial.get(0));
            for (size_t i = 0; i < 16; ++i) {
                float sum = 0;
                for (size_t k = 0; k < 16; ++k) {
                    sum +=
                        x[i / 4 * 16 + k] *
                        std::bit_cast<float>(static_cast<uint32_t>(y.dense[k * 4 + i % 4]) << 16);
                }
                sum *= static_cast<float>(signs.product);
                sum += operands > 4 ? static_cast<float>(signs.first) * acc[0][i] : 0;
                sum += operands > 5 ? static_cast<float>(signs.second) * acc[1][i] : 0;
                EXPECT_EQ(got[i], sum) << trial.text();
            }
        }
    }
}

}  // namespace
}  // namespace xdna::emu::test
