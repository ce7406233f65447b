// Code that AMD's compilers made, run whole on the simulator and held against C++ on random data.
// What a function computes is known from its name, its symbols and its repository; each test says
// how. The files lie in the shared folder only: without it these tests skip.
#include <bit>
#include <cmath>
#include <random>

#include "tests/support/data.hpp"
#include "tests/unit/core/machine.hpp"

namespace xdna::emu::test {
namespace {

using State = CoreProgress::State;

std::optional<as::Object> read(const std::string& name, const as::LinkOptions& options = {}) {
    const auto folder = xdna::test::shared();
    if (!folder || !std::filesystem::exists(*folder / "isa/elf" / name)) {
        return std::nullopt;
    }
    as::Object object = as::read_elf(xdna::test::read_file(*folder / "isa/elf" / name));
    return object.linked ? object : as::link(object, options);
}

uint32_t address_of(const as::Object& object, const std::string& name) {
    for (const as::ObjectSymbol& symbol : object.symbols) {
        if (symbol.name == name && (symbol.section || symbol.absolute)) {
            return symbol.value;
        }
    }
    ADD_FAILURE() << "no symbol " << name;
    return 0;
}

#define READ_OR_SKIP(object, ...)                       \
    const auto object = read(__VA_ARGS__);              \
    if (!object) {                                      \
        GTEST_SKIP() << "no ../shared/isa/elf of ELFs"; \
    }

// Where a symbol's buffer lies in the core's own memory.
uint32_t offset_of(const as::Object& object, const std::string& name) {
    return address_of(object, name) - Machine::kBase;
}

uint16_t bf16(float value) {
    return static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
}
float from_bf16(uint16_t value) {
    return std::bit_cast<float>(uint32_t{value} << 16);
}

// ---- matrix products of nod-ai/iree-amd-aie: a core's whole program ----
//
// The file's name has the shape. IREE packs operands into blocks of M0 x K0 and K0 x N0, block
// columns after each other, elements of a block row-major (compiler/plugins/target/AMD-AIE, pack
// and bufferize). buf2 is A, buf1 is B and buf0 is C; the core takes locks 49 (room for C), 50 and
// 52 (A and B are there) and gives 48, 51 and 53.

struct Shape {
    size_t m, n, k;     // of the product
    size_t m0, n0, k0;  // of a block
    size_t a(size_t row, size_t column) const {
        return ((column / k0 * (m / m0) + row / m0) * m0 + row % m0) * k0 + column % k0;
    }
    size_t b(size_t row, size_t column) const {
        return ((column / n0 * (k / k0) + row / k0) * k0 + row % k0) * n0 + column % n0;
    }
    size_t c(size_t row, size_t column) const {
        return ((column / n0 * (m / m0) + row / m0) * m0 + row % m0) * n0 + column % n0;
    }
};

// Runs one round of the program: A and B from `a` and `b`, C left at buf0.
template <typename T>
void run_product(Machine& machine, const as::Object& object, const std::vector<T>& a,
                 const std::vector<T>& b) {
    machine.load(object);
    machine.put<T>(offset_of(object, "buf2"), a);
    machine.put<T>(offset_of(object, "buf1"), b);
    machine.locks = {{49, 1}, {50, 1}, {52, 1}};
    machine.set_sp(address_of(object, "_sp_start_value_DM_stack"));  // the program does not
    machine.jump(object.entry);
    const CoreProgress progress = machine.run(2'000'000);
    ASSERT_EQ(progress.state, State::kStalled);
    EXPECT_EQ(progress.waits_for(), "lock 49, at least 1");
    EXPECT_EQ(machine.locks[48], 1);
    EXPECT_EQ(machine.locks[51], 1);
    EXPECT_EQ(machine.locks[53], 1);
}

template <typename T>
void check_integer_product(const std::string& file, const Shape& shape, int64_t from, int64_t to) {
    READ_OR_SKIP(object, file);
    std::mt19937 random(1);
    std::uniform_int_distribution<int64_t> any(from, to);
    for (int round = 0; round < 4; ++round) {
        std::vector<T> a(shape.m * shape.k);
        std::vector<T> b(shape.k * shape.n);
        for (auto* each : {&a, &b}) {
            for (T& value : *each) {
                value = static_cast<T>(any(random));
            }
        }
        Machine machine;
        ASSERT_NO_FATAL_FAILURE(run_product<T>(machine, *object, a, b));
        const auto c = machine.get<uint32_t>(offset_of(*object, "buf0"), shape.m * shape.n);
        for (size_t i = 0; i < shape.m; ++i) {
            for (size_t j = 0; j < shape.n; ++j) {
                uint32_t sum = 0;
                for (size_t l = 0; l < shape.k; ++l) {
                    sum += static_cast<uint32_t>(a[shape.a(i, l)]) *
                           static_cast<uint32_t>(b[shape.b(l, j)]);
                }
                ASSERT_EQ(c[shape.c(i, j)], sum) << "row " << i << ", column " << j;
            }
        }
    }
}

TEST(Compiled, MatrixProductInt8) {
    check_integer_product<int8_t>("iree-amd-aie-e96db215e6.elf", {64, 64, 64, 4, 8, 8}, -128, 127);
}

TEST(Compiled, MatrixProductInt32) {
    check_integer_product<int32_t>("iree-amd-aie-7de7c7321a.elf", {16, 16, 8, 4, 4, 8}, INT32_MIN,
                                   INT32_MAX);
}

TEST(Compiled, MatrixProductBf16) {
    READ_OR_SKIP(object, "iree-amd-aie-5a51cd32d4.elf");
    const Shape shape{64, 64, 64, 4, 4, 8};
    std::mt19937 random(1);
    // Small integers, whose sums are exact, then any numbers, within the error of 64 roundings.
    for (const bool exact : {true, false}) {
        std::vector<uint16_t> a(shape.m * shape.k);
        std::vector<uint16_t> b(shape.k * shape.n);
        std::uniform_int_distribution<int> small(-100, 100);
        std::normal_distribution<float> any(0, 3);
        for (auto* each : {&a, &b}) {
            for (uint16_t& value : *each) {
                value = bf16(exact ? static_cast<float>(small(random)) : any(random));
            }
        }
        Machine machine;
        ASSERT_NO_FATAL_FAILURE(run_product<uint16_t>(machine, *object, a, b));
        const auto c = machine.get<float>(offset_of(*object, "buf0"), shape.m * shape.n);
        for (size_t i = 0; i < shape.m; ++i) {
            for (size_t j = 0; j < shape.n; ++j) {
                double sum = 0;
                double magnitude = 0;
                for (size_t l = 0; l < shape.k; ++l) {
                    const double product =
                        double{from_bf16(a[shape.a(i, l)])} * double{from_bf16(b[shape.b(l, j)])};
                    sum += product;
                    magnitude += std::abs(product);
                }
                ASSERT_NEAR(c[shape.c(i, j)], sum, exact ? 0 : magnitude * 0x1p-20)
                    << "row " << i << ", column " << j;
            }
        }
    }
}

// ---- amd/Triton-XDNA, examples/sigmoid: exp of 16 bf16 by two tables ----

// getExpBf16 multiplies exp(floor(x)) by exp of the fraction's 8 bits, both from tables of bf16:
// within 3 units in the last place of bf16's 8 bits of the truth, where that is representable.
TEST(Compiled, ExponentialBf16) {
    READ_OR_SKIP(object, "triton-xdna-2bc683b8b5.o");
    std::mt19937 random(1);
    std::uniform_real_distribution<float> any(-80, 80);
    for (int round = 0; round < 50; ++round) {
        std::array<uint16_t, 16> x;
        Machine machine;
        machine.load(*object);
        for (uint16_t& value : x) {
            value = bf16(any(random));
        }
        for (unsigned word = 0; word < 8; ++word) {
            machine.set_w(0, word, x[2 * word] | uint32_t{x[2 * word + 1]} << 16);
        }
        machine.call(address_of(*object, "getExpBf16"));
        for (unsigned lane = 0; lane < 16; ++lane) {
            const float got = std::bit_cast<float>(machine.am(lane / 8, lane % 8));
            const double truth = std::exp(double{from_bf16(x[lane])});
            EXPECT_NEAR(got, truth, truth * 0.012) << "exp of " << from_bf16(x[lane]);
        }
    }
}

// ---- FIM43-Redeye/xdna-emu: programs of the other compiler (Chess) ----

TEST(Compiled, BroadcastLaneProgram) {
    // The whole program: start-up, core_0_2 (acquire, test_kernel, release), memcpy, finalizers.
    // test_kernel copies 64 bytes and a lane number that follows them, and broadcasts that lane of
    // 16 to all (vextbcst.32).
    READ_OR_SKIP(object, "xdna-emu-1405178eaa.elf");
    std::mt19937 random(1);
    for (uint32_t lane = 0; lane < 16; ++lane) {
        Machine machine;
        machine.load(*object);
        std::vector<uint32_t> in(17);
        for (uint32_t& value : in) {
            value = static_cast<uint32_t>(random());
        }
        in[16] = lane;
        machine.put<uint32_t>(offset_of(*object, "of_in_cons_buff_0"), in);
        machine.locks = {{49, 1}, {50, 1}};
        machine.jump(object->entry);
        machine.finish();
        EXPECT_EQ(machine.get<uint32_t>(offset_of(*object, "of_out_buff_0"), 16),
                  std::vector<uint32_t>(16, in[lane]));
        EXPECT_EQ(machine.locks[48], 1);
        EXPECT_EQ(machine.locks[51], 1);
    }
}

TEST(Compiled, MemcpyCopiesAnyLength) {
    READ_OR_SKIP(object, "xdna-emu-1405178eaa.elf");
    std::mt19937 random(1);
    for (uint32_t size = 4; size <= 256; size += 4) {
        Machine machine;
        machine.load(*object);
        std::vector<uint32_t> in(80);
        for (uint32_t& value : in) {
            value = static_cast<uint32_t>(random());
        }
        machine.put<uint32_t>(0x1000, in);
        // Destination p1 and source p2, as the callers in the file set them.
        machine.set_p(1, 0x72000);
        machine.set_p(2, 0x71000);
        machine.set_r(0, size);
        machine.call(address_of(*object, "memcpy"));
        auto expected = in;
        std::fill(expected.begin() + size / 4, expected.end(), 0);
        EXPECT_EQ(machine.get<uint32_t>(0x2000, 80), expected) << size;
    }
}

// test_kernel copies two operands to its stack (with memcpy, taken from the executable beside it),
// multiplies them once with the word 530, which is int16 x uint8, 2 x 8 x 8, and copies the 16 sums
// of 64 bits back.
TEST(Compiled, OneMultiplyInt16ByUint8) {
    READ_OR_SKIP(executable, "xdna-emu-1405178eaa.elf");
    as::LinkOptions options;
    options.text_address = 0x1000;
    options.symbols = {{"memcpy", address_of(*executable, "memcpy")},
                       {"_ZN12me_primitive11control_satE", 0},
                       {"_ZN12me_primitive11control_rndE", 0}};
    READ_OR_SKIP(object, "xdna-emu-79633ac48e.o", options);
    std::mt19937 random(1);
    for (int round = 0; round < 20; ++round) {
        Machine machine;
        machine.load(*executable);
        machine.load(*object);
        std::vector<int16_t> a(32);
        std::vector<uint8_t> b(64);
        for (int16_t& value : a) {
            value = static_cast<int16_t>(random());
        }
        for (uint8_t& value : b) {
            value = static_cast<uint8_t>(random());
        }
        machine.put<int16_t>(0x1000, a);
        machine.put<uint8_t>(0x1040, b);
        machine.set_p(0, 0x71000);
        machine.set_p(1, 0x72000);
        machine.call(address_of(*object, "test_kernel"));
        const auto c = machine.get<int64_t>(0x2000, 16);
        for (size_t lane = 0; lane < c.size(); ++lane) {
            int64_t sum = 0;
            for (size_t k = 0; k < 8; ++k) {
                sum += int64_t{a[lane / 8 * 8 + k]} * b[k * 8 + lane % 8];
            }
            EXPECT_EQ(c[lane], sum) << "lane " << lane;
        }
    }
}

// An object FIFO that adds 1 to each of 8 words, two buffers in turn, 8 times over.
TEST(Compiled, ObjectFifoAddsOne) {
    as::LinkOptions options;
    options.symbols = {
        {"objFifo_in1_cons_buff_0", 0x71000},   {"objFifo_in1_cons_buff_1", 0x71100},
        {"objFifo_out1_buff_0", 0x72000},       {"objFifo_out1_buff_1", 0x72100},
        {"_ZN12me_primitive11control_satE", 0}, {"_ZN12me_primitive11control_rndE", 0}};
    READ_OR_SKIP(object, "xdna-emu-a9e96b359b.o", options);
    Machine machine;
    machine.load(*object);
    std::vector<uint32_t> in(8);
    for (uint32_t i = 0; i < 8; ++i) {
        in[i] = 1000 * i + 7;
    }
    machine.put<uint32_t>(0x1000, in);
    machine.put<uint32_t>(0x1100, in);
    machine.locks = {{49, 1000}, {50, 1000}};
    machine.call(address_of(*object, "core_0_2"));
    for (uint32_t& value : in) {
        ++value;
    }
    EXPECT_EQ(machine.get<uint32_t>(0x2000, 8), in);
    EXPECT_EQ(machine.get<uint32_t>(0x2100, 8), in);
    EXPECT_EQ(machine.locks[48], machine.locks[51]);
    EXPECT_EQ(machine.locks[48], 8);
}

}  // namespace
}  // namespace xdna::emu::test
