// Compressed and sparse vectors: from memory to registers, and from there into a product.
#include <functional>

#include "tests/unit/core/lanes.hpp"

namespace xdna::emu::test {
namespace {

constexpr uint32_t kDp = 0x31190;
constexpr uint32_t kMasks = 0x310C0;  // q0, 16 bytes a register

// What a compiler's packer would leave in memory: for every `block` bytes a mask, a bit a byte, and
// the bytes that are not zero, filled up to a multiple of 4.
Bytes pack(const Bytes& full, size_t block) {
    Bytes packed;
    for (size_t from = 0; from < full.size(); from += block) {
        Bytes mask(block / 8);
        Bytes present;
        for (size_t i = 0; i < block; ++i) {
            if (full[from + i]) {
                mask[i / 8] = static_cast<uint8_t>(mask[i / 8] | 1 << i % 8);
                present.push_back(full[from + i]);
            }
        }
        packed.insert(packed.end(), mask.begin(), mask.end());
        packed.insert(packed.end(), present.begin(), present.end());
        packed.resize((packed.size() + 3) / 4 * 4);
    }
    return packed;
}
void put(Machine& machine, uint32_t offset, const Bytes& bytes) {
    machine.put<uint8_t>(offset, bytes);
}
Bytes vector_register(Machine& machine, unsigned w) {
    std::vector<uint32_t> words;
    for (uint32_t i = 0; i < 8; ++i) {
        words.push_back(machine.core().read_register(0x30800 + 32 * w + 4 * i));
    }
    return to_bytes(words);
}

TEST(Memory, CompressedVectorsAreExpanded) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20; ++round) {
        Bytes full(4 * 32);
        for (uint8_t& byte : full) {
            byte = random() % 3 ? static_cast<uint8_t>(random()) : 0;
        }
        const Bytes packed = pack(full, 32);
        Machine machine;
        put(machine, 0x100, packed);
        machine.load(
            "movxm p0, #0x70100\n"
            "vldb.compr.reset [p0]\nvldb.compr.fill [p0]\nvldb.compr.fill [p0]\n"
            "vldb.compr.pop wl0, [p0]\nvldb.compr.pop wh0, [p0]\n"
            "vldb.compr.peek wl2, [p0]\nvldb.compr.pop wl1, [p0]\nvldb.compr.pop wh1, [p0]\n"
            "nop\nnop\nnop\nnop\nnop\nnop\nnop\ndone\n",
            false);
        machine.finish();
        for (unsigned i = 0; i < 4; ++i) {
            EXPECT_EQ(vector_register(machine, i),
                      Bytes(full.begin() + 32 * i, full.begin() + 32 * (i + 1)));
        }
        EXPECT_EQ(vector_register(machine, 4), vector_register(machine, 2));  // the peek
        // Every operation moved its pointer by a line; DP is behind what was popped.
        EXPECT_EQ(machine.p(0), 0x70100U + 8 * 32);
        EXPECT_EQ(machine.core().read_register(kDp), 0x70100U + packed.size());
    }
}

// UG1583: to go on with another stream, DP is kept; given to reset, it brings the stream back.
TEST(Memory, CompressedStreamsAreSwitched) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 20; ++round) {
        Bytes full[2] = {Bytes(64), Bytes(64)};
        for (Bytes& each : full) {
            for (uint8_t& byte : each) {
                byte = random() % 2 ? static_cast<uint8_t>(random()) : 0;
            }
        }
        Machine machine;
        put(machine, 0, pack(full[0], 32));
        put(machine, 0x400, pack(full[1], 32));
        machine.load(
            "movxm p0, #0x70000\nmovxm p1, #0x70400\n"
            "vldb.compr.reset [p0]\nvldb.compr.fill [p0]\nvldb.compr.pop wl0, [p0]\n"
            "mov p2, dp\n"
            "vldb.compr.reset [p1]\nvldb.compr.fill [p1]\nvldb.compr.pop wl1, [p1]\n"
            "vldb.compr.reset [p2]\nvldb.compr.fill [p2]\nvldb.compr.pop wh0, [p2]\n"
            "done\n");
        machine.finish();
        EXPECT_EQ(vector_register(machine, 0), Bytes(full[0].begin(), full[0].begin() + 32));
        EXPECT_EQ(vector_register(machine, 1), Bytes(full[0].begin() + 32, full[0].end()));
        EXPECT_EQ(vector_register(machine, 2), Bytes(full[1].begin(), full[1].begin() + 32));
    }
}

// The example of the format in Xilinx/aie_api (aie_doc.hpp): elements 0, 1, 20 and 64, 68, 72, 127
// of 128 are 1 to 7.
TEST(Memory, SparseVectorOfAieApisExample) {
    Bytes data(96);
    data[0] = 0b00000011;
    data[2] = 0b00010000;
    data[8] = 1;
    data[9] = 2;
    data[10] = 3;
    data[12] = 0b00010001;
    data[13] = 0b00000001;
    data[19] = 0b10000000;
    for (uint8_t i = 0; i < 4; ++i) {
        data[20U + i] = static_cast<uint8_t>(4 + i);
    }
    Machine machine;
    put(machine, 0, data);
    machine.load(
        "movxm p0, #0x70000\nvldb.sparse.reset.8 [p0]\nvldb.sparse.fill.8 [p0]\n"
        "vldb.sparse.pop.8 qwl0, [p0]\nvldb.sparse.peek.8 qwh0, [p0]\ndone\n");
    machine.finish();
    // Of each four: the first two, or what stands in the half that it is of.
    Bytes low(32), high(32);
    low[0] = 1;
    low[1] = 2;
    low[2 * 5] = 3;
    high[0] = 4;
    high[2] = 5;
    high[4] = 6;
    high[31] = 7;
    EXPECT_EQ(vector_register(machine, 0), low);
    EXPECT_EQ(vector_register(machine, 1), high);
    EXPECT_EQ(machine.core().read_register(kMasks), 0x00100003U);
    EXPECT_EQ(machine.core().read_register(kMasks + 4), 0U);
    EXPECT_EQ(machine.core().read_register(kMasks + 8), 0x00000111U);
    EXPECT_EQ(machine.core().read_register(kMasks + 12), 0x80000000U);
    EXPECT_EQ(machine.core().read_register(kDp), 0x7000CU);  // the second was only looked at
}

// A product as aie_api makes it (detail/aie2/mmul_8_8.hpp, mmul_16_8.hpp, mmul_16_16.hpp,
// mmul_bf16_bf16.hpp): the matrix lies column by column; its halves are popped, and what is stored
// is transposed.
struct Product {
    const char* width;
    unsigned bits;
    size_t k, n;
    unsigned shuffle;
    const char* multiply;
    uint32_t word;
    size_t m;
    unsigned x_bits, lane_bits;
};
constexpr Product kProducts[] = {
    {"8", 8, 16, 8, 35, "vmul cm0, x2, qx0, r4", 0x3A8, 4, 8, 32},
    {"8", 8, 16, 8, 35, "vmul cm0, x2, qx0, r4", 0x352, 2, 16, 64},
    {"16", 16, 8, 8, 28, "vmul cm0, x2, qx0, r4", 0x3BA, 2, 16, 64},
};
TEST(Memory, SparseMatricesAreMultipliedFromMemory) {
    std::mt19937_64 random(1);
    for (const Product& product : kProducts) {
        for (int round = 0; round < 20; ++round) {
            Bytes columns(product.k * product.n * product.bits / 8);
            for (size_t four = 0; four < product.k * product.n / 4; ++four) {
                for (int i = 0; i < 2; ++i) {
                    set_lane(columns, 4 * four + random() % 4, product.bits,
                             static_cast<int64_t>(random() % 3 ? random() : 0x100));
                }
            }
            Machine machine;
            put(machine, 0, pack(columns, 64));
            const Bytes x = random_bytes(random, 64);
            put(machine, 0x400, x);
            machine.set_r(0, product.shuffle);
            machine.set_r(4, product.word);
            const std::string w = product.width;
            machine.load(
                "movxm p0, #0x70000\nmovxm p1, #0x70400\n"
                "vldb.sparse.reset." +
                w + " [p0]\nvldb.sparse.fill." + w +
                " [p0]\n"
                "vldb.sparse.fill." +
                w + " [p0]\nvldb.sparse.fill." + w +
                " [p0]\n"
                "vldb.sparse.pop." +
                w +
                " qwl0, [p0]\n"
                "vldb.sparse.pop." +
                w +
                " qwh0, [p0]\n"
                "vlda wl2, [p1, #0]\nvlda wh2, [p1, #32]\n"
                "vshuffle x0, x0, x0, r0\n" +
                product.multiply + "\ndone\n");
            machine.finish();
            Bytes got(128);
            for (unsigned word = 0; word < 32; ++word) {
                const uint32_t value = machine.am(word / 8, word % 8);
                std::memcpy(&got[4U * word], &value, 4);
            }
            for (size_t at = 0; at < product.m * product.n; ++at) {
                uint64_t sum = 0;
                for (size_t k = 0; k < product.k; ++k) {
                    sum += static_cast<uint64_t>(
                               lane(x, at / product.n * product.k + k, product.x_bits, true)) *
                           static_cast<uint64_t>(
                               lane(columns, at % product.n * product.k + k, product.bits, true));
                }
                ASSERT_EQ(lane(got, at, product.lane_bits, true), product.lane_bits == 32
                                                                      ? static_cast<int32_t>(sum)
                                                                      : static_cast<int64_t>(sum));
            }
        }
    }
}

// Two int4 are one element of the mask: what comes is what bytes would be.
TEST(Memory, SparseVectorsOfInt4AreTakenByBytes) {
    std::mt19937_64 random(1);
    Bytes full(64);
    for (size_t four = 0; four < 16; ++four) {
        full[4 * four + random() % 4] = static_cast<uint8_t>(random() | 1);
    }
    std::vector<Bytes> got;
    for (const std::string w : {"4", "8"}) {
        for (const std::string read : {"pop", "peek"}) {
            Machine machine;
            put(machine, 0, pack(full, 64));
            machine.load("movxm p0, #0x70000\nvldb.sparse.reset." + w + " [p0]\n" +
                         "vldb.sparse.fill." + w + " [p0]\nvldb.sparse." + read + "." + w +
                         " qwl0, [p0]\ndone\n");
            machine.finish();
            got.push_back(vector_register(machine, 0));
        }
    }
    EXPECT_NE(got[0], Bytes(32));
    for (const Bytes& each : got) {
        EXPECT_EQ(each, got[0]);
    }
    // Pairs of bytes: the same mask bits, two and two.
    Machine machine;
    Bytes pairs(64);
    pairs[1] = 5;
    pairs[6] = 7;
    put(machine, 0, pack(pairs, 64));
    machine.load(
        "movxm p0, #0x70000\nvldb.sparse.reset.16 [p0]\nvldb.sparse.fill.16 [p0]\n"
        "vldb.sparse.peek.16 qwl0, [p0]\ndone\n");
    machine.finish();
    Bytes expected(32);
    expected[1] = 5;
    expected[2] = 7;
    EXPECT_EQ(vector_register(machine, 0), expected);
}

TEST(Memory, CompressedLoadsThatAreNotDescribedTrap) {
    struct Refused {
        const char* code;
        const char* because;
    };
    static constexpr Refused kRefused[] = {
        {"vldb.compr.fill [p0]\n", "needs a reset"},
        {"vldb.compr.reset [p0]\nmovxm p0, #0x70100\nvldb.compr.fill [p0]\n", "needs a reset"},
        {"vldb.compr.reset [p0]\nvldb.compr.pop wl0, [p0]\nvldb.compr.pop wl0, [p0]\n"
         "vldb.compr.pop wl0, [p0]\nvldb.compr.pop wl0, [p0]\nvldb.compr.pop wl0, [p0]\n"
         "vldb.compr.pop wl0, [p0]\nvldb.compr.pop wl0, [p0]\nvldb.compr.pop wl0, [p0]\n"
         "vldb.compr.pop wl0, [p0]\n",
         "more than what was read ahead (srCompr_uf)"},
        {"vldb.sparse.reset.8 [p0]\nvldb.sparse.fill.8 [p0]\nvldb.sparse.pop.8 qwl0, [p0]\n",
         "more than two of four elements (srSparse_of)"},
        {"movxm p0, #0x70002\nvldb.compr.reset [p0]\nvldb.compr.pop wl0, [p0]\n",
         "not at a multiple of 4"},
        {"movxm p0, #0x10000\nvldb.compr.reset [p0]\n", "no data memory"},
        {"movxm ls, #.loop\nmovxm le, #.last\nmova lc, #200\nvldb.compr.reset [p0]\n"
         ".p2align 4\n.loop:\nvldb.compr.fill [p0]\n.last:\nnop\n",
         "more than 4096 bytes ahead"},
    };
    for (const Refused& refused : kRefused) {
        Machine machine;
        machine.memory.assign(machine.memory.size(), std::byte{0xFF});
        machine.set_p(0, 0x70000);
        try {
            machine.load(std::string(refused.code) + "done\n");
            machine.run();
            ADD_FAILURE() << refused.code << "did not trap";
        } catch (const CoreTrap& trap) {
            EXPECT_NE(trap.what.find(refused.because), std::string::npos) << trap.what << " after\n"
                                                                          << refused.code;
        }
    }
}

}  // namespace
}  // namespace xdna::emu::test
