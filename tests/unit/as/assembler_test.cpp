// What the assembler makes of source, and what it says of mistakes.

#include <gtest/gtest.h>

#include "tests/support/data.hpp"
#include "tests/unit/as/assemble.hpp"

namespace xdna::as {
namespace {

std::string first_message(std::string_view source) {
    const auto result = run(source);
    EXPECT_FALSE(result.object) << source;
    return result.diagnostics.list().empty() ? "" : format(result.diagnostics.list()[0]);
}

TEST(Assembler, PointsAtTheMistake) {
    EXPECT_EQ(first_message("nop\n\tmova r0, #2000\n"),
              "test.s:2:12: error: immediate 2000 is out of range: -1024 to 1023\n"
              "\tmova r0, #2000\n"
              "\t          ^\n");
    EXPECT_EQ(
        first_message("addd r1, r2, r3"),
        "test.s:1:1: error: unknown instruction addd; did you mean add?\naddd r1, r2, r3\n^\n");
    EXPECT_EQ(first_message("add r1, r2"),
              "test.s:1:11: error: expected ,\nadd r1, r2\n          ^\n");
    EXPECT_EQ(
        first_message("add r1, r2, p3"),
        "test.s:1:13: error: expected a register (r), not 'p3'\nadd r1, r2, p3\n            ^\n");
    EXPECT_EQ(first_message(".macro f x\n  mova \\x, #1\n.endm\nnop\nf x5\n"),
              "macro f:1:8: error: expected a register (r, m, dn, dj, dc, p, lc), not 'x5'\n"
              "  mova x5, #1\n       ^\ntest.s:5:1: note: used here\n");
}

TEST(Assembler, NamesEachMistakeOnce) {
    struct Case {
        std::string_view source, message;
    };
    for (const auto& [source, message] : std::initializer_list<Case>{
             {"l: nop\nl: nop", "l is defined already, in line 1"},
             {"vaddmac cm0, cm1, cm2, x0, x1, r0", "this accumulator must be the destination"},
             {"movxm r0, #1; add r0, r0, r1", "no bundle format has the slots lng, alu together"},
             {".data\nnop", "instructions in section .data, which is not executable"},
             {".word 1 +", "expected a number, a symbol or an expression"},
             {".word 1 / 0", "division by zero"},
             {".equ a, b\n.equ b, a\n.word a", "the value of a needs itself"},
             {".space n", "n must be defined before it is used here"},
             {".byte 256", ""},
             {".byte 512", "512 does not fit in 1 bytes"},
             {".bss\n.word 1", "section .bss cannot have contents"},
             {"add r0, r0, #buf", "an address cannot stand here: add has no relocation for it"},
             {".macro f\nf\n.endm\nf", "macros and inclusions are nested too deeply"},
             {".if 1\nnop", "this condition has no .endif"},
             {".rept 3\nnop", ".rept has no .endr"},
             {".align 3", "3 is not a power of two"},
             {"nop \x01", "unexpected"},
             {"\"open", "the string does not end"},
             {".format I16_NOP\nadd r0, r0, r1", "format I16_NOP does not have all slots"},
             {"jl #1048576", "address 1048576 is out of range: 0 to 1048575"},
             {".include \"no such file\"", "cannot find no such file"},
         }) {
        const auto result = run(source);
        if (message.empty()) {
            EXPECT_EQ(result.object.has_value(), source == ".byte 255") << source;
            continue;
        }
        ASSERT_FALSE(result.diagnostics.list().empty()) << source;
        bool told = false;
        for (const Diagnostic& diagnostic : result.diagnostics.list())
            told = told || diagnostic.message.find(message) != std::string::npos;
        EXPECT_TRUE(told) << source << '\n' << result.messages();
    }
}

TEST(Assembler, ExpandsMacrosConditionsAndRepetitions) {
    const auto result = run_good(R"(
.equ COUNT, 3
.macro twice what, n=5
  mova \what, #\n
  mova \what, #(\n + 1)
.endm
.rept COUNT - 1
  nop
.endr
twice r1
twice what=r2, n=7
.macro between first, hook="mova r7, #1"
  nop; \first
  \hook
.endm
between "acq #1, r3", hook="add r1, r2, r3"
between
.irp reg, r4, r5
  mova \reg, #0
.endr
.if COUNT > 2 && !0
  done
.else
  event #1
.endif
.ifdef MISSING
  event #2
.elseif COUNT == 3
  event #3
.endif
)");
    EXPECT_EQ(result.text(),
              "nop\nnop\nmova r1, #5\nmova r1, #6\nmova r2, #7\nmova r2, #8\n"
              "acq #1, r3\nadd r1, r2, r3\nnop\nmova r7, #1\nmova r4, #0\n"
              "mova r5, #0\ndone\nevent #3\n");
}

TEST(Assembler, LaysOutData) {
    const auto result = run_good(R"(
.data
a: .byte 1, -1, 'x'
   .balign 4
b: .word 0x12345678, b - a
   .short 0xabcd
   .asciz "hi\n"
   .fill 2, 2, 0x0102
   .quad -2
c: .space 3, 9
.set size, c - a
.word size
)");
    const std::vector<std::uint8_t> expected = {
        1,    0xff, 'x',  0,    0x78, 0x56, 0x34, 0x12, 4, 0,    0,    0,    0xcd,
        0xab, 'h',  'i',  '\n', 0,    2,    1,    2,    1, 0xfe, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 9,    9,    9,    30,   0, 0,    0};
    EXPECT_EQ(result.section(".data").bytes, expected);
}

TEST(Assembler, AlignsTargetsByLongerBundlesWithoutMoreOfThem) {
    const auto result = run_good(R"(
  add r0, r0, r1
  jnz r0, #target
  nop
  nop
  nop
  nop
  nop
  add r2, r2, r3
target:
  ret lr
  nop
  nop
  nop
  nop
  nop
)");
    std::size_t bundles = 0;
    std::uint32_t target = 0;
    for (const CodeLine& line : disassemble(result.section().bytes, 0)) {
        ++bundles;
        if (line.text.find("ret lr") != std::string::npos)
            target = line.address;
    }
    EXPECT_EQ(bundles, 14U);
    EXPECT_EQ(target % 16, 0U);
    EXPECT_EQ(target, 32U);
}

TEST(Assembler, AlignsReturnAddresses) {
    const auto result = run_good("jl #4096\nnop\nnop\nnop\nnop\nnop\ndone\n");
    EXPECT_EQ(disassemble(result.section().bytes, 0).back().address, 16U);
    Options plain;
    plain.auto_align = false;
    const auto tight = run_good("jl #4096\nnop\nnop\nnop\nnop\nnop\ndone\n", plain);
    // 6 and five times 2 bytes are 16 by chance; one nop more shows it.
    EXPECT_EQ(disassemble(tight.section().bytes, 0).back().address, 16U);
    const auto other = run_good("nop\njl #4096\nnop\nnop\nnop\nnop\nnop\ndone\n");
    EXPECT_EQ(disassemble(other.section().bytes, 0).back().address % 16, 0U);
    EXPECT_EQ(disassemble(other.section().bytes, 0).size(), 8U);
}

TEST(Assembler, GivesLoopsAlignedStartsAndLongLastBundles) {
    const auto result = run_good(R"(
  movxm ls, #start
  movxm le, #last
  mova lc, #4
  nop
start:
  add r0, r0, r1
last:
  add r2, r2, r3
  nop
)");
    std::map<std::string, std::uint32_t> places;
    for (const ObjectSymbol& symbol : result.object->symbols)
        places[symbol.name] = symbol.value;
    EXPECT_EQ(places["start"] % 16, 0U);
    EXPECT_EQ(places["last"], places["start"] + 16);
    EXPECT_EQ(result.section().size, places["last"] + 16 + 2);
}

TEST(Assembler, WritesAndReadsElf) {
    const auto result = run_good(R"(
.text
.globl main
.type main, @function
main:
  movxm p0, #buffer+4
  jl #helper
  nop
  nop
  nop
  nop
  nop
.Lend:
.size main, .Lend - main
.data
buffer: .word main, 7
.bss
zeros: .space 64
)");
    const auto file = write_elf(*result.object);
    const Object back = read_elf(file);
    ASSERT_EQ(back.sections.size(), 3U);
    EXPECT_EQ(back.sections[0].bytes, result.section().bytes);
    EXPECT_EQ(back.sections[1].bytes, result.section(".data").bytes);
    EXPECT_EQ(back.sections[2].size, 64U);
    ASSERT_EQ(back.sections[0].fixups.size(), 2U);
    EXPECT_EQ(back.symbols[back.sections[0].fixups[0].symbol].name, "buffer");
    EXPECT_EQ(back.sections[0].fixups[0].addend, 4);
    EXPECT_EQ(back.symbols[back.sections[0].fixups[1].symbol].name, "helper");
    for (const ObjectSymbol& symbol : back.symbols)
        if (symbol.name == "main") {
            EXPECT_EQ(symbol.size, result.section().size);
            EXPECT_EQ(symbol.type, SymbolType::kFunction);
            EXPECT_EQ(symbol.binding, Binding::kGlobal);
        }
    EXPECT_EQ(write_elf(read_elf(file)), file);

    EXPECT_THROW((void)link(back), ObjectError);  // helper is undefined
    LinkOptions options;
    options.symbols["helper"] = 0x400;
    const Object linked = link(back, options);
    EXPECT_TRUE(linked.linked);
    EXPECT_EQ(linked.sections[1].address, 0x70000U);
    EXPECT_EQ(disassemble(linked.sections[0].bytes, 0)[0].text, "movxm p0, #458756");
    EXPECT_NE(listing(linked).find("jl #1024"), std::string::npos);
    EXPECT_THROW((void)flat_program(linked), ObjectError);  // there is data
    EXPECT_TRUE(read_elf(write_elf(linked)).linked);
}

TEST(Assembler, RefusesProgramsThatDoNotFit) {
    const auto result = run_good(".rept 1100\nnopa; nopb; nops; nopxm; nopv\n.endr");
    try {
        (void)link(*result.object);
        FAIL();
    } catch (const ObjectError& error) {
        EXPECT_NE(std::string(error.what()).find("past the end of program memory at 0x4000"),
                  std::string::npos)
            << error.what();
    }
}

TEST(Assembler, TakesTheValueThatASymbolHasWhereItIsUsed) {
    const auto result = run_good(".set n, 1\nmova r0, #n\n.set n, n + 1\nmova r1, #2 * n\n");
    EXPECT_EQ(result.text(), "mova r0, #1\nmova r1, #4\n");
}

TEST(Pipeline, TellsWhatIsNoBody) {
    struct Case {
        std::string_view source, message;
    };
    for (const auto& [source, message] : {
             Case{".pipeline a, r0\nadd r1, r1, #1\n", "without .endpipeline"},
             Case{".endpipeline\n", "without .pipeline"},
             Case{".pipeline a, r0\n.endpipeline\n", "the body of a is not just instructions"},
             Case{".pipeline a, r0\nj #64\n.endpipeline\n", "the body of a is not just"},
             Case{".pipeline a, r0\nx:\nadd r1, r1, #1\n.endpipeline\n", "the body of a is not"},
             Case{".pipeline a, #3\n", "the register that counts"},
             Case{".pipeline a, r0\n.pipeline b, r0\n", "inside of another, from line 1"},
             Case{".bank p0, 1\n", "inside of .pipeline"},
             Case{".pipeline a, r0, 0\nmul r1, r1, r1\n.endpipeline\n",
                  "no schedule of at most 0 overlapping iterations was found for a"},
         })
        EXPECT_NE(first_message(source).find(message), std::string::npos)
            << source << first_message(source);
}

TEST(Elf, RefusesEveryTruncation) {
    const auto result = run_good("f: movxm p0, #f\n.data\n.word 1");
    const auto file = write_elf(*result.object);
    for (std::size_t size = 0; size + 1 < file.size(); ++size)
        EXPECT_THROW((void)read_elf(std::span(file).first(size)), ObjectError) << size;
}

}  // namespace
}  // namespace xdna::as
