// A short, seeded run of what tests/fuzz/core_program.cpp does for longer: programs of random
// bytes, which mostly trap early, and of random legal bundles, which get further.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "emu/core/semantics.hpp"
#include "tests/support/random_program.hpp"
#include "tests/unit/isa/legal.hpp"

namespace xdna::emu::test {
namespace {

TEST(RandomProgram, BytesNeverHarmTheHost) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 200; ++round) {
        std::vector<uint8_t> program(16 + random() % 400);
        for (uint8_t& byte : program) {
            byte = static_cast<uint8_t>(random());
        }
        EXPECT_LE(run_random_program(program, 500), 520U);
    }
}

TEST(RandomProgram, LegalBundlesNeverHarmTheHost) {
    std::mt19937_64 random(1);
    uint64_t cycles = 0;
    for (int round = 0; round < 150; ++round) {
        std::vector<uint8_t> program;
        while (program.size() < 600) {
            std::vector<isa::Instruction> instructions;
            uint32_t slots = 0;
            for (int tries = 0; tries < 4; ++tries) {
                const auto op = static_cast<isa::Op>(random() % isa::kOpCount);
                const isa::Slot slot = isa::operation(op).slot;
                // Few jumps, accesses and sparse multiplies, whose mode is another than 0, and
                // nothing that always traps: they end most programs.
                const isa::Operation& row = isa::operation(op);
                const bool ends = isa::is_branch(op) || row.memory != isa::Memory::kNone ||
                                  row.name.find("sparse") != row.name.npos;
                if (!core::semantics(op) || slots & isa::bit(slot) || (ends && random() % 8) ||
                    !isa::shortest_format(slots | isa::bit(slot))) {
                    continue;
                }
                slots |= isa::bit(slot);
                instructions.push_back(isa::random_instruction(op, random));
            }
            const auto format = isa::shortest_format(slots);
            if (instructions.empty() || !format) {
                continue;
            }
            const auto bytes = isa::encode(isa::make_bundle(instructions, *format));
            program.insert(program.end(), bytes.bytes().begin(), bytes.bytes().end());
        }
        cycles += run_random_program(program, 500);
    }
    std::cout << "  " << cycles << " cycles\n";
    EXPECT_GT(cycles, 750U);
}

}  // namespace
}  // namespace xdna::emu::test
