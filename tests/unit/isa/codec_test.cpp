// Encoder, decoder and printer against each other and against bytes that llvm-aie made.

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <stdexcept>

#include "tests/support/data.hpp"
#include "tests/unit/isa/legal.hpp"

namespace xdna::isa {
namespace {

std::vector<std::uint8_t> bytes_of(const Bundle& bundle) {
    const auto encoded = encode(bundle);
    return {encoded.bytes().begin(), encoded.bytes().end()};
}

TEST(Codec, EveryOperationSurvivesEncodeAndDecode) {
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < kOpCount; ++i) {
        for (int round = 0; round < 100; ++round) {
            const auto instruction = random_instruction(static_cast<Op>(i), random);
            const auto word = encode(instruction);
            const auto back = decode(operation(instruction.op).slot, word);
            ASSERT_TRUE(back) << print(instruction);
            EXPECT_EQ(*back, instruction) << print(instruction) << " | " << print(*back);
        }
    }
}

/// Bits of the word that its operation ignores, or that are part of a register operand of a class
/// with ignored bits or second codes.
std::uint64_t ignored_bits(const Instruction& instruction) {
    static const std::set<std::string_view> kLoose = {
        "mAluCg", "mMvAMWQSrc", "mMvAMWQDst", "mMvBMXSrc", "mMvBMXDst",   "mLdaScl",
        "mSclSt", "mSclMS",     "mLdaCg",     "mMvSclDst", "mMvSclDstCg",
    };
    const Operation& row = operation(instruction.op);
    std::uint64_t exact = row.mask;
    for (const Operand& operand : row.operands())
        if (!kLoose.contains(operand.type().name))
            exact |= operand.field;
    return ~exact;
}

TEST(Codec, EveryLegalWordSurvivesDecodeAndEncode) {
    std::mt19937_64 random(2);
    for (std::size_t s = 0; s < kSlotCount; ++s) {
        const auto slot = static_cast<Slot>(s);
        std::size_t legal = 0;
        for (int round = 0; round < 200000; ++round) {
            // Half of the words are of some row's pattern: few random words are.
            std::uint64_t word = random() & ((std::uint64_t{1} << width(slot)) - 1);
            const Operation& row = operations(slot)[random() % operations(slot).size()];
            if (round % 2 == 0)
                word = (word & ~row.mask) | row.bits;
            const auto instruction = decode(slot, word);
            if (!instruction)
                continue;
            ++legal;
            std::uint64_t again = 0;
            try {
                again = encode(*instruction);
            } catch (const std::invalid_argument&) {
                // Only CORE_ID as a destination is understood and has no code to write.
                EXPECT_NE(print(*instruction).find("CORE_ID"), std::string::npos);
                continue;
            }
            EXPECT_EQ((again ^ word) & ~ignored_bits(*instruction), 0U) << print(*instruction);
            EXPECT_EQ(decode(slot, again), instruction) << print(*instruction);
        }
        EXPECT_GT(legal, 50000U) << name(slot);
    }
}

TEST(Codec, EveryFormatSurvivesEncodeAndDecode) {
    std::mt19937_64 random(3);
    for (std::size_t f = 0; f < kFormatCount; ++f) {
        const auto format = static_cast<Format>(f);
        for (int round = 0; round < 200; ++round) {
            std::vector<Instruction> instructions;
            for (std::size_t s = 0; s < kSlotCount; ++s) {
                const auto slot = static_cast<Slot>(s);
                if ((info(format).slots & bit(slot)) == 0)
                    continue;
                const auto number = random() % operations(slot).size();
                instructions.push_back(random_instruction(
                    static_cast<Op>(static_cast<std::size_t>(first_op(slot)) + number), random));
            }
            const Bundle bundle = make_bundle(instructions, format);
            const auto bytes = encode(bundle);
            EXPECT_EQ(bundle_size(bytes.storage[0]), bytes.size);
            const auto back = decode(bytes.bytes());
            ASSERT_TRUE(back) << info(format).name;
            EXPECT_EQ(*back, bundle) << info(format).name;
        }
    }
}

TEST(Codec, PrintsWhatLlvmPrints) {
    const auto rows = test::read_table(test::root() / "tests/data/isa/pairs.tsv");
    EXPECT_EQ(rows.size(), 39U);
    for (const auto& row : rows) {
        const auto bytes = test::from_hex(row[0]);
        const auto bundle = decode(bytes);
        ASSERT_TRUE(bundle) << row[0];
        EXPECT_EQ(bundle->size, bytes.size());
        EXPECT_EQ(print(*bundle), row[1]);
        EXPECT_EQ(bytes_of(*bundle), bytes);
    }
}

TEST(Codec, ReadsCompiledCode) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    std::size_t bundles = 0;
    for (const auto& entry : std::filesystem::directory_iterator(*shared / "isa/disasm")) {
        for (const auto& row : test::read_table(entry.path())) {
            const auto bytes = test::from_hex(row[2]);
            const auto bundle = decode(bytes);
            ASSERT_TRUE(bundle) << entry.path() << ' ' << row[1];
            EXPECT_EQ(info(bundle->format).name, row[3]);
            EXPECT_EQ(print(*bundle), row[4]) << row[2];
            EXPECT_EQ(bytes_of(*bundle), bytes) << row[4];
            ++bundles;
        }
    }
    EXPECT_GT(bundles, 2000U);
}

TEST(Codec, NamesWhatItCannotDecode) {
    DecodeFailure failure{};
    EXPECT_FALSE(decode(std::vector<std::uint8_t>{}, &failure));
    EXPECT_FALSE(decode(std::vector<std::uint8_t>{0x15, 0x01, 0x00}, &failure));
    EXPECT_EQ(describe(failure), "6-byte bundle is cut off");
    // 32-bit formats end in 011001, 111001 or 001001; bits 31..27 pick the slot.
    EXPECT_FALSE(decode(test::from_hex("19000028"), &failure));
    EXPECT_EQ(describe(failure), "4-byte bundle has no known format");
    EXPECT_FALSE(decode(test::from_hex("19080014"), &failure));
    EXPECT_EQ(failure.reason, DecodeFailure::Reason::kOperation);
    EXPECT_EQ(describe(failure),
              "slot alu of a 4-byte bundle holds 0x80010, which is no operation");
}

TEST(Codec, RefusesValuesThatDoNotFit) {
    Instruction add{Op::ADD_add_r_ri};
    add.values[0] = Value(*find_register("r1"));
    add.values[1] = Value(*find_register("r2"));
    add.values[2] = Value(63);
    EXPECT_EQ(print(*decode(Slot::kAlu, encode(add))), "add r1, r2, #63");
    add.values[2] = Value(64);
    EXPECT_THROW((void)encode(add), std::invalid_argument);
    add.values[2] = Value(1);
    add.values[1] = Value(*find_register("p2"));
    EXPECT_THROW((void)encode(add), std::invalid_argument);
    EXPECT_THROW((void)make_bundle(std::vector{add}, Format::I32_LDA), std::invalid_argument);
}

TEST(Codec, ImmediatesReachTheirLimitsAndNoFurther) {
    const OperandClass& offset = operation(Op::VLDA_dmw_lda_w_ag_spill).operands()[1].type();
    EXPECT_EQ(offset.minimum(), -131072);
    EXPECT_EQ(offset.maximum(), -32);
    EXPECT_TRUE(encode(offset, Value(-32)));
    EXPECT_FALSE(encode(offset, Value(0)));
    EXPECT_FALSE(encode(offset, Value(-33)));
    EXPECT_FALSE(encode(offset, Value(-131104)));
}

TEST(Codec, PicksTheShortestFormat) {
    const auto format = [](std::initializer_list<Slot> slots, unsigned bytes = 0) {
        std::uint32_t set = 0;
        for (const Slot slot : slots)
            set |= bit(slot);
        const auto found = shortest_format(set, bytes);
        return found ? std::string(info(*found).name) : "none";
    };
    EXPECT_EQ(format({}), "I16_NOP");
    EXPECT_EQ(format({Slot::kLng}), "I48_LNG");
    EXPECT_EQ(format({Slot::kLng, Slot::kNop}), "I64_NOP_LNG");
    EXPECT_EQ(format({Slot::kAlu, Slot::kMv}), "I64_ALU_MV");
    EXPECT_EQ(format({Slot::kLda, Slot::kSt, Slot::kMv, Slot::kVec}), "I112_LDA_ST_MV_VEC");
    EXPECT_EQ(format({Slot::kAlu}, 16), "I128_LDB_LDA_ST_ALU_MV_VEC");
    EXPECT_EQ(format({Slot::kLng, Slot::kAlu}), "none");
    EXPECT_EQ(format({Slot::kVec}, 18), "none");
}

}  // namespace
}  // namespace xdna::isa
