// docs/instructions.md: every operation of the table, whether it is decoded, assembled and
// executed, and by what that was checked in this very run. With XDNA_UPDATE=1 it is written, else
// compared.
#include <cstdlib>
#include <iostream>

#include "emu/core/semantics.hpp"
#include "tests/support/data.hpp"
#include "tests/unit/core/machine.hpp"
#include "tests/unit/isa/legal.hpp"

namespace xdna::emu::test {
namespace {

using isa::Op;

bool executes(Op op) {
    const core::Semantics* row = core::semantics(op);
    return op == isa::nop(isa::operation(op).slot) || (row && (row->run || row->attempt));
}

// Its word is decoded again, and its text assembled to the same word.
bool is_decoded(const isa::Instruction& instruction) {
    const auto back = isa::decode(isa::operation(instruction.op).slot, isa::encode(instruction));
    return back && *back == instruction;
}
bool is_assembled(const isa::Instruction& instruction) {
    as::Diagnostics diagnostics;
    as::Options options;
    options.auto_align = false;
    const auto object = as::assemble("row.s", isa::print(instruction) + "\n", options, diagnostics);
    if (!object || object->sections.empty()) {
        return false;
    }
    const auto bundle = isa::decode(object->sections[0].bytes);
    for (size_t i = 0; bundle && i < bundle->count; ++i) {
        if (bundle->slots[i] == instruction) {
            return true;
        }
    }
    return false;
}

enum class Kind : uint8_t { kScalar, kVector, kSparse };
constexpr std::array kKinds = {"scalar, memory and control", "vector",
                               "sparse and compressed data"};

// Loads and stores of vectors count as memory.
Kind kind(const isa::Operation& row) {
    for (const char* part : {"SPARSE", "sparse", "COMPR"}) {
        if (row.name.find(part) != std::string_view::npos) {
            return Kind::kSparse;
        }
    }
    return row.mnemonic.starts_with('v') && row.memory == isa::Memory::kNone ? Kind::kVector
                                                                             : Kind::kScalar;
}

struct Count {
    int all = 0;
    int executed = 0;
    int checked = 0;
};

// What the tests of the suites say of an operation that they executed.
std::string checks(Op op) {
    const isa::Operation& row = isa::operation(op);
    const auto ran = [&](const char* suite) { return Machine::executed()[suite].count(op) != 0; };
    std::string text;
    const auto add = [&](bool is, const char* what) {
        text += !is ? "" : (text.empty() ? "" : ", ") + std::string(what);
    };
    // The vectors are about what is computed between their loads and stores.
    add(ran("Silicon") && kind(row) == Kind::kVector, "silicon");
    add(ran("Compiled"), "compiled");
    add(ran("Scalar") || ran("Control") || ran("Memory") || ran("Sync") || ran("Vector"),
        "formula");
    return text.empty() ? "-" : text;
}

std::string document(std::array<Count, kKinds.size()>& counts) {
    std::string rows;
    std::mt19937_64 random(1);
    for (size_t i = 0; i < isa::kOpCount; ++i) {
        const auto op = static_cast<Op>(i);
        const isa::Operation& row = isa::operation(op);
        const isa::Instruction instruction = isa::random_instruction(op, random);
        const bool is_nop = op == isa::nop(row.slot);
        const std::string by = executes(op) && !is_nop ? checks(op) : "-";
        Count& count = counts[static_cast<size_t>(kind(row))];
        ++count.all;
        count.executed += executes(op);
        count.checked += by != "-" || is_nop;
        std::string syntax(row.syntax);
        for (size_t at = 0; (at = syntax.find('$', at)) != std::string::npos;) {
            syntax.erase(at, 1);
        }
        rows += "| " + std::string(isa::name(row.slot)) + " | `" + syntax + "` | " +
                std::string(row.name) + " | " + (is_decoded(instruction) ? "yes" : "NO") + " | " +
                (is_assembled(instruction) ? "yes" : "NO") + " | " +
                (executes(op) ? "yes" : "traps") + " | " + (is_nop ? "nop" : by) + " |\n";
    }
    std::string summary;
    for (size_t k = 0; k < counts.size(); ++k) {
        summary += std::string("| ") + kKinds[k] + " | " + std::to_string(counts[k].all) + " | " +
                   std::to_string(counts[k].executed) + " | " + std::to_string(counts[k].checked) +
                   " |\n";
    }
    return "# The AIE2 instructions\n\n"
           "Made by `XDNA_UPDATE=1 build/tests/unit-core`, which without the variable checks it.\n"
           "*Decoded*: the word that the encoder makes of random operands is read back to the "
           "same\n"
           "instruction. *Assembled*: so is its text. *Executed*: by `emu/core`; what is not, "
           "traps by\n"
           "name. *Checked by*, in the run that made this page: *silicon*, vectors captured from "
           "or\n"
           "reproduced by a Phoenix (`tests/data/silicon`); *compiled*, programs of AMD's "
           "compilers run\n"
           "whole against C++; *formula*, plain C++ on random operands. An instruction with modes, "
           "such\n"
           "as a multiply, traps in those that are not modelled; open points are in\n"
           "[silicon-questions.md](silicon-questions.md).\n\n"
           "| | operations | executed | checked |\n|---|---|---|---|\n" +
           summary +
           "\n| slot | instruction | name in llvm-aie | decoded | assembled | executed | checked "
           "by "
           "|\n|---|---|---|---|---|---|---|\n" +
           rows;
}

// After all tests, for the page tells what they did.
class Page final : public ::testing::Environment {
  public:
    void TearDown() override {
        const auto& unit = *::testing::UnitTest::GetInstance();
        if (unit.test_to_run_count() != unit.total_test_count() || unit.skipped_test_count() ||
            unit.failed_test_count()) {
            std::cout << "  docs/instructions.md is not checked: not every test ran\n";
            return;
        }
        std::array<Count, kKinds.size()> counts{};
        const std::string page = document(counts);
        for (size_t k = 0; k < counts.size(); ++k) {
            std::cout << "  " << kKinds[k] << ": " << counts[k].all << " operations, "
                      << counts[k].executed << " executed, " << counts[k].checked << " checked\n";
        }
        const Count& scalar = counts[static_cast<size_t>(Kind::kScalar)];
        const Count& vector = counts[static_cast<size_t>(Kind::kVector)];
        EXPECT_EQ(scalar.executed, scalar.all);
        const Count& sparse = counts[static_cast<size_t>(Kind::kSparse)];
        EXPECT_GE((vector.executed + sparse.executed) * 10, (vector.all + sparse.all) * 9);
        const auto path = xdna::test::root() / "docs/instructions.md";
        if (std::getenv("XDNA_UPDATE")) {
            std::ofstream(path) << page;
            return;
        }
        const auto bytes = xdna::test::read_file(path);
        EXPECT_TRUE(page == std::string(bytes.begin(), bytes.end()))
            << "docs/instructions.md is not what this run shows: XDNA_UPDATE=1 writes it anew";
    }
};
const auto* const kPage = ::testing::AddGlobalTestEnvironment(new Page);

}  // namespace
}  // namespace xdna::emu::test
