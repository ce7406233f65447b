// The latency check and the insertion of nops.

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/data.hpp"
#include "tests/unit/as/assemble.hpp"

namespace xdna::as {
namespace {

/// The messages of the check, "line: message".
std::vector<std::string> check(std::string_view source) {
    Options options;
    options.check_latency = true;
    const auto result = run(source, options);
    EXPECT_TRUE(result.object) << result.messages();
    std::vector<std::string> messages;
    for (const Diagnostic& diagnostic : result.diagnostics.list())
        messages.push_back(std::to_string(diagnostic.where.line) + ": " + diagnostic.message);
    return messages;
}

std::string nops(int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
        text += "nop\n";
    return text;
}

using Messages = std::vector<std::string>;

/// The distances that the table of notes/aie2-core.md chapter 5 gives: writer, reader, cycles.
TEST(Latency, NeedsTheDistancesThatAreKnown) {
    struct Case {
        std::string_view writer, reader;
        int cycles;
    };
    for (const auto& [writer, reader, cycles] : std::initializer_list<Case>{
             {"add r0, r1, r2", "add r3, r0, r4", 1},
             {"mul r0, r1, r2", "add r3, r0, r4", 2},
             {"lda r0, [p0, #0]", "add r3, r0, r4", 7},
             {"lda r0, [p0, #0]", "st r0, [p1, #0]", 7},
             {"vlda wl0, [p0, #0]", "vadd.8 x2, x0, x1", 7},
             {"vadd.8 x0, x1, x2", "vadd.8 x3, x0, x4", 1},
             {"vadd.8 x0, x1, x2", "vmac cm0, cm0, x0, x4, r0", 2},
             {"vmac cm0, cm0, x0, x1, r0", "vmac cm0, cm0, x2, x3, r0", 2},
             {"vmac cm0, cm0, x0, x1, r0", "vsrs.d16.s32 wl0, bml0, s0", 5},
             {"vmac.f bml0, bml0, x0, x1, r0", "vmac.f bml0, bml0, x2, x3, r0", 4},
             {"vmac.f bml0, bml0, x0, x1, r0", "vsrs.d16.s32 wl0, bml0, s0", 6},
             {"vsrs.d16.s32 wl0, bml0, s0", "vst wl0, [p0, #0]", 4},
             {"vups.s32.d16 bml0, wl0, s0", "vmac.f bml0, bml0, x2, x3, r0", 1},
             {"vlda.ups.s32.d16 bml0, s0, [p0, #0]", "vmac.f bml0, bml0, x2, x3, r0", 7},
             {"vlda.ups.s32.d16 bml0, s0, [p0, #0]", "vst amll0, [p1, #0]", 9},
             {"mov r0, SS", "add r1, r0, r0", 7},
             {"movx crSat, r0", "vsrs.d16.s32 wl0, bml0, s0", 1},
             {"padda [p0], #4", "lda r0, [p0, #0]", 1},
             {"mov.d6 r0, r1", "add r2, r0, r0", 7},
             {"lda.s8 r24, [p0, #0]", "st.s8 r24, [p1, #0]", 1},
             {"vlt.s16 r16, x0, x1", "add r0, r16, r0", 2},
         }) {
        const std::string close =
            std::string(writer) + "\n" + nops(cycles - 2) + std::string(reader);
        const std::string apart =
            std::string(writer) + "\n" + nops(cycles - 1) + std::string(reader);
        EXPECT_EQ(check(apart), Messages{}) << apart;
        if (cycles > 1) {
            EXPECT_GE(check(close).size(), 1U) << close;
        }
    }
}

TEST(Latency, SaysWhatIsReadTooEarly) {
    EXPECT_EQ(check("lda r0, [p0, #0]\nnop\nadd r1, r0, r0"),
              (Messages{"3: r0 is read 5 cycles before its value from line 1 is there"}));
    EXPECT_EQ(check("lda r1, [p0, #0]\nnop\nadd r0, r0, r1"),
              (Messages{"3: r1 is read 5 cycles before its value from line 1 is there"}));
}

TEST(Latency, ReadsComeBeforeWritesOfTheSameBundle) {
    EXPECT_EQ(check("mov r0, r1; add r2, r0, r3"), Messages{});
}

TEST(Latency, SeesPartsOfRegisters) {
    EXPECT_EQ(check("vlda wh3, [p0, #0]\nvadd.8 x0, x3, x1"),
              (Messages{"2: x3 is read 6 cycles before its value from line 1 is there"}));
    EXPECT_EQ(check("vlda wh3, [p0, #0]\nvst wl3, [p1, #0]"), Messages{});
    EXPECT_EQ(check("lda dc4, [p0, #0]\nlda.3d r0, [p1], d0").size(), 2U);  // read and written
    EXPECT_EQ(check("lda dc4, [p0, #0]\nlda.2d r0, [p1], d0"), Messages{});
}

TEST(Latency, LetsSeveralGenerationsShareARegister) {
    // Each store takes the value of the load seven bundles before, as pipelined loops do.
    EXPECT_EQ(check("lda r1, [p0], #4\nlda r1, [p0], #4\nlda r1, [p0], #4\n" + nops(4) +
                    "st r1, [p1], #4\nst r1, [p1], #4\nst r1, [p1], #4"),
              Messages{});
    EXPECT_EQ(check("lda r1, [p0], #4\nlda r1, [p0], #4\n" + nops(4) + "st r1, [p1], #4").size(),
              1U);
}

TEST(Latency, LetsDelaySlotsOfACallSaveTheOldLinkRegister) {
    EXPECT_EQ(check("jl #64\npaddb [sp], #32\nst lr, [sp, #-32]\nnop\nnop\nnop"), Messages{});
}

TEST(Latency, FollowsBranchesFromTheirDelaySlots) {
    const std::string source =
        "jnz r1, #away\nnop\nnop\nnop\nnop\nlda r0, [p0, #0]\n"
        "done\nnop\naway: add r2, r0, r2";
    EXPECT_EQ(check(source),
              (Messages{"9: r0 is read 6 cycles before its value from line 6 is there"}));
    // Behind a jump that is always taken nothing follows.
    EXPECT_EQ(check("j #away\nnop\nnop\nnop\nnop\nlda r0, [p0, #0]\nadd r2, r0, r2\n" + nops(9) +
                    "away: nop"),
              Messages{});
}

TEST(Latency, FollowsZeroOverheadLoops) {
    const std::string setup = "movxm ls, #first\nmovxm le, #last\nmova lc, #4\n";
    const std::string far = ".rept 8\nnopa; nopb; nops; nopxm; nopv\n.endr\n";
    EXPECT_EQ(check(setup + far + "first: add r1, r0, r1\nnop\nlast: lda r0, [p0], #4\n" + nops(9)),
              (Messages{"7: r0 is read 6 cycles before its value from line 9 is there"}));
    EXPECT_EQ(check(setup + "first: nop\nlast: nop\nnop").size(), 1U);  // set up too late
}

TEST(Latency, FindsValuesThatOvertakeEachOther) {
    EXPECT_EQ(check("lda r0, [p0, #0]\nmova r0, #1"),
              (Messages{"2: r0 is written here, but the value from line 1 lands 5 cycles later"}));
    EXPECT_EQ(check("mova r0, #1; movx r0, #2"),
              (Messages{"1: r0 is written twice in this bundle"}));
}

TEST(Latency, FindsPortsThatAreTakenTwice) {
    // vsrs writes a w register in cycle 4, vpack in cycle 2, by one port.
    EXPECT_EQ(check("vsrs.d16.s32 wl0, bml0, s0\nnop\nvpack.d8.d16 wl2, x3"),
              (Messages{"3: port W_WA is still taken by line 1 for 1 cycle"}));
}

TEST(Nops, AreInsertedWhereNeeded) {
    Options options;
    options.insert_nops = true;
    options.check_latency = true;
    const auto result =
        run_good("lda r0, [p0, #0]\nadd r1, r0, r1\nmul r2, r1, r1\nst r2, [p0, #4]", options);
    EXPECT_EQ(result.text(), "lda r0, [p0, #0]\n" + nops(6) +
                                 "add r1, r0, r1\nmul r2, r1, r1\nnop\n"
                                 "st r2, [p0, #4]\n");
}

// The broadcast lands while the load is on its way; the store wants the load's value all the same.
TEST(Nops, AreInsertedThoughAShorterInstructionWroteTheRegisterJustBefore) {
    Options options;
    options.insert_nops = true;
    const auto result = run_good("vbcst.32 x2, r2\nvlda wl2, [p0, #0]\nvst wl2, [p1, #0]", options);
    EXPECT_EQ(result.text(),
              "vbcst.32 x2, r2\nvlda wl2, [p0, #0]\n" + nops(6) + "vst wl2, [p1, #0]\n");
}

TEST(Nops, GoInFrontOfABranchNotBetweenItAndItsDelaySlots) {
    Options options;
    options.insert_nops = true;
    const auto result =
        run_good("lda r0, [p0, #0]\nret lr\nnop\nadd r1, r0, r1\nnop\nnop\nnop", options);
    EXPECT_EQ(result.text(),
              "lda r0, [p0, #0]\n" + nops(4) + "ret lr\nnop\nadd r1, r0, r1\nnop\nnop\nnop\n");
    const auto within = run("ret lr\nlda r0, [p0, #0]\nadd r1, r0, r1\nnop\nnop\nnop", options);
    ASSERT_FALSE(within.object);
    EXPECT_NE(within.messages().find("inserting nops cannot help"), std::string::npos);
}

TEST(Nops, KeepTheLastBundleOfALoopLast) {
    Options options;
    options.insert_nops = true;
    const auto result = run_good(
        "movxm ls, #first\nmovxm le, #last\nmova lc, #4\nfirst: lda r0, [p0], #4\n"
        "last: add r1, r0, r1\nnop",
        options);
    const auto lines = disassemble(result.section().bytes, 0);
    std::uint32_t last = 0;
    for (const ObjectSymbol& symbol : result.object->symbols)
        if (symbol.name == "last")
            last = symbol.value;
    for (const CodeLine& line : lines)
        EXPECT_EQ(line.text.find("add r1") != std::string::npos, line.address == last);
}

TEST(Latency, FindsLittleInCompiledCode) {
    const auto shared = test::shared();
    if (!shared)
        GTEST_SKIP() << "no ../shared";
    Options options;
    options.check_latency = true;
    options.auto_align = false;
    std::size_t findings = 0;
    for (const auto& entry : std::filesystem::directory_iterator(*shared / "isa/elf")) {
        if (entry.path().extension() == ".json")
            continue;
        Object object = read_elf(test::read_file(entry.path()));
        // Padding between programs is no code, though its section is called .text.
        std::erase_if(object.sections, [](const ObjectSection& s) { return !s.executable(); });
        object.symbols.clear();
        for (ObjectSection& section : object.sections)
            section.fixups.clear();
        const auto result = run(source(object), options);
        ASSERT_TRUE(result.object) << entry.path() << result.messages();
        findings += result.diagnostics.list().size();
        for (const Diagnostic& diagnostic : result.diagnostics.list())
            EXPECT_EQ(diagnostic.message.find("port"), std::string::npos) << format(diagnostic);
    }
    // What is left are reads of old values, and loads that land behind a later write, that the
    // compilers meant: an epilogue restores p7 from r17 while the caller's r17 is on its way.
    EXPECT_LT(findings, 300U);
    EXPECT_GT(findings, 0U);
}

}  // namespace
}  // namespace xdna::as
