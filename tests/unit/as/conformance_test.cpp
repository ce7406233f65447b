// The assembler against what llvm-aie accepts, refuses and produced.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "kernels/isa/relocation.hpp"
#include "tests/support/data.hpp"
#include "tests/unit/as/assemble.hpp"
#include "tests/unit/isa/legal.hpp"

namespace xdna::as {
namespace {

TEST(Conformance, AssemblesWhatLlvmPrinted) {
    for (const auto& row : test::read_table(test::root() / "tests/data/isa/pairs.tsv"))
        EXPECT_EQ(run_good(row[1]).section().bytes, test::from_hex(row[0])) << row[1];
}

TEST(Conformance, AcceptsWhatLlvmAccepts) {
    const auto rows = test::read_table(test::root() / "tests/data/isa/assembles.tsv");
    EXPECT_GT(rows.size(), 70U);
    for (const auto& row : rows)
        EXPECT_EQ(run_good(row[0]).text(), row[1] + '\n') << row[0];
}

TEST(Conformance, RefusesWhatLlvmRefuses) {
    const auto rows = test::read_table(test::root() / "tests/data/isa/rejects.tsv");
    EXPECT_EQ(rows.size(), 10U);
    for (const auto& row : rows) {
        const auto result = run(row[0]);
        EXPECT_FALSE(result.object) << row[0];
        ASSERT_EQ(result.diagnostics.list().size(), 1U) << row[0];
        const std::string& message = result.diagnostics.list()[0].message;
        const std::string expected = row[1].starts_with("two operations") ? "both need slot"
                                     : row[1].find("multiple") != row[1].npos
                                         ? "is not a multiple of"
                                     : row[1].find("range") != row[1].npos ? "is out of range"
                                                                           : "expected ";
        EXPECT_NE(message.find(expected), message.npos) << row[0] << ": " << message;
    }
}

TEST(Conformance, EveryOperationReadsBackItsText) {
    std::mt19937_64 random(4);
    for (std::size_t i = 0; i < isa::kOpCount; ++i) {
        for (int round = 0; round < 20; ++round) {
            const auto instruction = isa::random_instruction(static_cast<isa::Op>(i), random);
            const std::string text = isa::print(instruction);
            const auto result = run_good(text);
            const auto bundle = isa::decode(result.section().bytes);
            ASSERT_TRUE(bundle) << text;
            bool found = false;
            for (const isa::Instruction& slot : bundle->instructions())
                found = found || slot == instruction;
            EXPECT_TRUE(found) << text << " | " << isa::print(*bundle);
        }
    }
}

TEST(Conformance, EveryFormatReadsBackItsText) {
    std::mt19937_64 random(5);
    for (std::size_t f = 0; f < isa::kFormatCount; ++f) {
        const auto format = static_cast<isa::Format>(f);
        for (int round = 0; round < 20; ++round) {
            std::vector<isa::Instruction> instructions;
            for (std::size_t s = 0; s < isa::kSlotCount; ++s) {
                const auto slot = static_cast<isa::Slot>(s);
                if ((isa::info(format).slots & isa::bit(slot)) == 0)
                    continue;
                const auto number = random() % isa::operations(slot).size();
                instructions.push_back(isa::random_instruction(
                    static_cast<isa::Op>(static_cast<std::size_t>(isa::first_op(slot)) + number),
                    random));
            }
            const auto bundle = isa::make_bundle(instructions, format);
            const auto bytes = isa::encode(bundle);
            const auto result = run_good(isa::print(bundle, true));
            EXPECT_EQ(result.section().bytes,
                      std::vector(bytes.bytes().begin(), bytes.bytes().end()))
                << isa::print(bundle, true);
        }
    }
}

std::vector<std::filesystem::path> compiled_objects() {
    std::vector<std::filesystem::path> files;
    if (const auto shared = test::shared())
        for (const auto& entry : std::filesystem::directory_iterator(*shared / "isa/elf"))
            if (entry.path().extension() != ".json")
                files.push_back(entry.path());
    return files;
}

TEST(Conformance, ReadsEveryCompiledObject) {
    const auto files = compiled_objects();
    if (files.empty())
        GTEST_SKIP() << "no ../shared";
    EXPECT_EQ(files.size(), 13U);
    std::size_t bundles = 0;
    for (const auto& file : files) {
        const Object object = read_elf(test::read_file(file));
        EXPECT_EQ(undecodable_bytes(object), 0U) << file;
        for (const ObjectSection& section : object.sections) {
            if (!is_code(section))
                continue;
            std::vector<std::uint8_t> again;
            for (const CodeLine& line : disassemble(section.bytes, 0)) {
                const auto encoded = isa::encode(*isa::decode(line.bytes));
                again.insert(again.end(), encoded.bytes().begin(), encoded.bytes().end());
                ++bundles;
            }
            EXPECT_EQ(again, section.bytes) << file << ' ' << section.name;
        }
    }
    EXPECT_GT(bundles, 3000U);
    RecordProperty("bundles", std::to_string(bundles));
}

TEST(Conformance, AssemblesWhatItPrintsOfCompiledObjects) {
    const auto files = compiled_objects();
    if (files.empty())
        GTEST_SKIP() << "no ../shared";
    for (const auto& file : files) {
        const Object object = read_elf(test::read_file(file));
        const auto result = run_good(source(object));
        ASSERT_TRUE(result.object) << file;
        // Sections of no size are not written; the others keep their order.
        std::size_t next = 0;
        const auto name_of = [](const Object& in, const Fixup& fixup) {
            return in.symbols[fixup.symbol].name;
        };
        for (const ObjectSection& section : object.sections) {
            if (section.size == 0)
                continue;
            while (result.object->sections.at(next).size == 0)
                ++next;
            const ObjectSection& again = result.object->sections[next++];
            EXPECT_EQ(again.name, section.name) << file;
            EXPECT_EQ(again.bytes, section.bytes) << file << ' ' << section.name;
            ASSERT_EQ(again.fixups.size(), section.fixups.size()) << file << ' ' << section.name;
            for (const Fixup& fixup : section.fixups) {
                EXPECT_TRUE(std::ranges::any_of(again.fixups,
                                                [&](const Fixup& other) {
                                                    return other.offset == fixup.offset &&
                                                           other.relocation == fixup.relocation &&
                                                           other.addend == fixup.addend &&
                                                           name_of(*result.object, other) ==
                                                               name_of(object, fixup);
                                                }))
                    << file << ' ' << section.name << ' ' << fixup.offset;
            }
        }
    }
}

TEST(Conformance, ListsWhatTheOutsideDecoderLists) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    std::size_t rows = 0;
    for (const auto& file : compiled_objects()) {
        const auto expected = *shared / "isa/disasm" / (file.filename().string() + ".tsv");
        if (!std::filesystem::exists(expected))
            continue;
        const Object object = read_elf(test::read_file(file));
        // Several sections may have one name: the lines are compared in their order.
        std::vector<std::vector<std::string>> lines;
        for (const ObjectSection& section : object.sections)
            if (section.executable())
                for (const CodeLine& line : disassemble(section.bytes, section.address))
                    lines.push_back({section.name, std::to_string(line.address), line.text});
        std::size_t next = 0;
        for (const auto& row : test::read_table(expected)) {
            const auto offset = std::stoul(row[1], nullptr, 16);
            ASSERT_LT(next, lines.size()) << file;
            EXPECT_EQ(lines[next++],
                      (std::vector<std::string>{row[0], std::to_string(offset), row[4]}))
                << file;
            ++rows;
        }
        EXPECT_EQ(next, lines.size()) << file;
    }
    EXPECT_GT(rows, 2000U);
}

TEST(Conformance, RefusesObjectsOfOtherCores) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    const auto file = *shared / "isa/elf-other-arch/triton-xdna-57437bb20b-aie2p.o";
    try {
        (void)read_elf(test::read_file(file));
        FAIL() << "an AIE2P object was read";
    } catch (const ObjectError& error) {
        EXPECT_NE(std::string(error.what()).find("AIE2P"), std::string::npos) << error.what();
    }
}

TEST(Conformance, RelocationsPatchTheOperandThatTheyAreFor) {
    std::mt19937_64 random(6);
    std::set<unsigned> used;
    for (std::size_t f = 0; f < isa::kFormatCount; ++f) {
        const auto format = static_cast<isa::Format>(f);
        for (const isa::Op op :
             {isa::Op::J_jump_imm, isa::Op::JL, isa::Op::JZ, isa::Op::JNZ, isa::Op::MOVXM_lng_cg,
              isa::Op::MOVA_lda_cg, isa::Op::MOVX_alu_cg, isa::Op::MOV_mv_cg}) {
            const auto last = isa::operation(op).operand_count - 1U;
            const auto* relocation = isa::relocation_for(format, op, last);
            if (relocation == nullptr)
                continue;
            used.insert(relocation->type);
            const auto instruction = isa::random_instruction(op, random);
            const auto bytes = isa::encode(isa::make_bundle(std::vector{instruction}, format));
            std::vector<std::uint8_t> patched(bytes.bytes().begin(), bytes.bytes().end());
            const auto expected = isa::random_instruction(op, random).values[last];
            isa::apply(*relocation, patched, static_cast<std::uint32_t>(expected.immediate()));
            auto wanted = instruction;
            wanted.values[last] = expected;
            const auto after = isa::encode(isa::make_bundle(std::vector{wanted}, format));
            EXPECT_EQ(patched, std::vector(after.bytes().begin(), after.bytes().end()))
                << relocation->name << ' ' << isa::print(wanted);
            const auto mask =
                relocation->value_bits() == 32 ? ~0U : (1U << relocation->value_bits()) - 1;
            EXPECT_EQ(isa::extract(*relocation, patched),
                      static_cast<std::uint32_t>(expected.immediate()) & mask);
        }
    }
    EXPECT_EQ(used.size(), 50U);
}

}  // namespace
}  // namespace xdna::as
