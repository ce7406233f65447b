// Asks the NPU what docs/silicon-questions.md leaves open, one small core program a question, and
// prints the answers. On a machine with a Phoenix:
//
//     make build/tests/silicon && build/tests/silicon
//
// and behind the virtual NPU (build/bin/xdna-emu -- build/tests/silicon), where the answers are the
// model's own, and are held to what the page says that it does.
#include <cstdlib>
#include <functional>
#include <iostream>

#include "tests/kernels/one_core.hpp"

namespace xdna::test {
namespace {

using Words = std::vector<uint32_t>;

struct Question {
    const char* name;
    /// From p0 on lie kWords words of `input`; from p1 on answers go.
    std::string code;
    Words input;
    std::function<std::string(const Words&)> read;
    const char* model;
};

std::string hex(uint32_t word) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%x", word);
    return text;
}
std::function<std::string(const Words&)> words(size_t count) {
    return [count](const Words& out) {
        std::string text;
        for (size_t i = 0; i < count; ++i) {
            text += (i ? " " : "") + hex(out[i]);
        }
        return text;
    };
}
// The first word decides.
std::function<std::string(const Words&)> choice(uint32_t one, const char* if_one, uint32_t other,
                                                const char* if_other) {
    return [=](const Words& out) {
        return out[0] == one     ? std::string(if_one)
               : out[0] == other ? std::string(if_other)
                                 : "neither: " + hex(out[0]);
    };
}

Words bytes_counting(size_t count) {
    Words words;
    for (uint32_t i = 0; i < count; ++i) {
        words.push_back(4 * i * 0x01010101U + 0x03020100U);
    }
    return words;
}

constexpr const char* kLoadX0AndX1 =
    "vlda wl0, [p0, #0]\nvlda wh0, [p0, #32]\nvlda wl1, [p0, #64]\nvlda wh1, [p0, #96]\n";
constexpr const char* kShiftAlign =
    "vshift.align x2, x0, s0, x1, r2\nvst wl2, [p1, #0]\nvst wh2, [p1, #32]\n";
constexpr const char* kStoreBml0 = "vst amll0, [p1, #0]\nvst amlh0, [p1, #32]\n";

// A product of two bf16 vectors, 4 x 8 x 4: lane 0 sums a[k] b[4 k].
Words bf16_operands(std::initializer_list<std::pair<uint32_t, uint32_t>> pairs) {
    Words in(32);
    size_t k = 0;
    for (const auto& [a, b] : pairs) {
        in[k / 2] |= a << 16 * (k % 2);
        in[16 + 2 * k] |= b;
        ++k;
    }
    return in;
}
constexpr const char* kBf16Product = "mova r4, #28\nvmul.f bml0, x0, x1, r4\n";

// A sparse product: X, of which row 0 counts up from one, in y2; what is stored of Y in qx0, with
// its mask.
constexpr const char* kLoadSparse =
    "vlda wl4, [p0, #0]\nvlda wh4, [p0, #32]\nvlda wl5, [p0, #64]\nvlda wh5, [p0, #96]\n"
    "vlda wl0, [p0, #128]\nvlda wh0, [p0, #160]\nlda q0, [p0, #192]\n";
Words sparse_operands(size_t row_bytes, uint32_t byte, uint32_t value, uint32_t mask) {
    Words in(52);
    for (size_t i = 0; i < row_bytes; ++i) {
        in[i / 4] |= static_cast<uint32_t>(i + 1) << 8 * (i % 4);
    }
    in[32 + byte / 4] = value << 8 * (byte % 4);
    std::fill_n(in.begin() + 48, 4, mask);
    return in;
}
constexpr const char* kSparseInt4 =
    "movxm r4, #0x320\nvmul cm0, y2, qx0, r4\n"
    "vst amll0, [p1, #0]\n";

const std::vector<Question>& questions() {
    static const std::vector<Question> all = {
        {"carry of 5 - 3",
         "mova r2, #5\nmova r3, #3\nsub r4, r2, r3\nmov r5, srCarry\nst r5, [p1, #0]\n",
         {},
         choice(1, "no borrow", 0, "borrow"),
         "no borrow"},
        {"1 shifted left by 33",
         "mova r2, #1\nmova r3, #33\nlshl r4, r2, r3\nst r4, [p1, #0]\n",
         {},
         choice(2, "modulo 32", 0, "zero"),
         "modulo 32"},
        {"2D count beyond its limit",
         "movxm p2, #0x1000\nmova r2, #3\nmov dc0, r2\nmova r2, #1\nmov dn0, r2\nmova r2, #16\n"
         "mov dj0, r2\nmova r2, #64\nmov m0, r2\npadda.2d [p2], d0\nmov r4, p2\nst r4, [p1, #0]\n",
         {},
         choice(0x1040, "wraps (>=)", 0x1010, "goes on (==)"),
         "wraps (>=)"},
        {"0xFFFFF moved from m0 to r",
         "movxm r2, #0xFFFFF\nmov m0, r2\nmov r4, m0\nst r4, [p1, #0]\n",
         {},
         choice(0xFFFFF, "zero-extended", 0xFFFFFFFF, "sign-extended"),
         "zero-extended"},
        {"rel.cond with r26 = 1, then acq of it",
         "mova r26, #1\nmova r2, #1\nrel.cond #56, r2, r26\nmova r3, #-1\nacq #56, r3\nst r2, "
         "[p1, #0]\n",
         {},
         choice(1, "acts if r26 is not 0", 0, "?"),
         "acts if r26 is not 0"},
        {"lane 65 of 64",
         std::string(kLoadX0AndX1) + "movxm r16, #65\nvextract.s8 r4, x0, r16\nst r4, [p1, #0]\n",
         bytes_counting(16), choice(1, "modulo the lanes", 0, "zero"), "modulo the lanes"},
        {"vshift by 64, 65, 127, 128: first word",
         std::string(kLoadX0AndX1) + "movxm r2, #64\nvshift x2, x0, x1, r2\nvst wl2, [p1], #32\n"
                                     "movxm r2, #65\nvshift x2, x0, x1, r2\nvst wl2, [p1], #32\n"
                                     "movxm r2, #127\nvshift x2, x0, x1, r2\nvst wl2, [p1], #32\n"
                                     "movxm r2, #128\nvshift x2, x0, x1, r2\nvst wl2, [p1], #32\n",
         bytes_counting(32),
         [](const Words& out) {
             return hex(out[0]) + " " + hex(out[8]) + " " + hex(out[16]) + " " + hex(out[24]);
         },
         "0x43424140 0x44434241 0x7f 0x0"},
        {"vshift.align by 48 bytes with step 3: one word of each 16 bytes",
         std::string(kLoadX0AndX1) + "mova r3, #3\nmov s0, r3\nmova r2, #48\n" + kShiftAlign,
         bytes_counting(32),
         [](const Words& out) {
             return hex(out[0]) + " " + hex(out[4]) + " " + hex(out[8]) + " " + hex(out[12]);
         },
         "0x13121110 0x43424140 0x53525150 0x63626160"},
        {"vshift.align by 4 bytes with step 4",
         std::string(kLoadX0AndX1) + "mova r3, #4\nmov s0, r3\nmova r2, #4\n" + kShiftAlign,
         bytes_counting(32), words(16), "no answer"},
        {"vshift.align by 40 bytes with step 5",
         std::string(kLoadX0AndX1) + "mova r3, #5\nmov s0, r3\nmova r2, #40\n" + kShiftAlign,
         bytes_counting(32), words(16), "no answer"},
        {"vldb.4x16: all 64 bits of element 3 of a table",
         "movxm r2, #0x7000C\nvbcst.32 x0, r2\nvldb.4x16.lo wl2, wl0\nvst wl2, [p1, #0]\n",
         bytes_counting(16), words(8),
         "0x9080706 0xd0c0b0a 0x19181716 0x1d1c1b1a 0x9080706 0xd0c0b0a 0x19181716 0x1d1c1b1a"},
        {"vbcstshfl.32 of 7, mode 0",
         "mova r29, #0\nmova r2, #7\nvbcstshfl.32 x2, r2, r29\nvst wl2, [p1, #0]\nvst wh2, [p1, "
         "#32]\n",
         {},
         words(4),
         "0x70007 0x70007 0x70007 0x70007"},
        {"vlda.128: word 4 of a register that held ones",
         "mova r2, #-1\nvbcst.32 x2, r2\nvlda.128 wl2, [p0]\nvst wl2, [p1, #0]\n",
         bytes_counting(16), [](const Words& out) { return hex(out[4]); }, "0x0"},
        {"vsrs.d16.s32 of -5, crSRSSign 0, saturating",
         "mova r2, #1\nmovx crSat, r2\nmova r3, #0\nmov s0, r3\nmova r2, #-5\nvbcst.32 x2, r2\n"
         "vmov bml0, x2\nvmov bmh0, x2\nvsrs.d16.s32 x4, cm0, s0\nvst wl4, [p1, #0]\n",
         {},
         choice(0, "signed accumulator", 0xFFFFFFFF, "unsigned accumulator"),
         "signed accumulator"},
        {"vsrs.s32.s64 of 1024 by 31, 32, 59, 60, 62, 63",
         "mova r2, #0\nvbcst.32 x2, r2\nmova r2, #1023\nadd r2, r2, #1\nmova r29, #0\n"
         "vinsert.32 x2, x2, r29, r2\nvmov bml0, x2\nvmov bmh0, x2\n"
         "mova r3, #31\nmov s0, r3\nvsrs.s32.s64 wl4, bml0, s0\nvst wl4, [p1], #32\n"
         "mova r3, #32\nmov s0, r3\nvsrs.s32.s64 wl4, bml0, s0\nvst wl4, [p1], #32\n"
         "mova r3, #59\nmov s0, r3\nvsrs.s32.s64 wl4, bml0, s0\nvst wl4, [p1], #32\n"
         "mova r3, #60\nmov s0, r3\nvsrs.s32.s64 wl4, bml0, s0\nvst wl4, [p1], #32\n"
         "mova r3, #62\nmov s0, r3\nvsrs.s32.s64 wl4, bml0, s0\nvst wl4, [p1], #32\n"
         "mova r3, #63\nmov s0, r3\nvsrs.s32.s64 wl4, bml0, s0\nvst wl4, [p1], #32\n",
         {},
         [](const Words& out) {
             std::string text;
             for (size_t i = 0; i < 6; ++i) {
                 text += (i ? " " : "") + std::to_string(static_cast<int32_t>(out[8 * i]));
             }
             return text;
         },
         "0 0 0 16384 4096 2048"},
        {"vups.s32.s16 of 0x1234 by 20, saturating",
         "mova r2, #1\nmovx crSat, r2\nmova r3, #20\nmov s0, r3\nmovxm r2, #0x1234\n"
         "vbcst.16 x2, r2\nvups.s32.s16 bml0, wl2, s0\n" +
             std::string(kStoreBml0),
         {},
         choice(0x7FFFFFFF, "saturates", 0x23400000, "wraps"),
         "saturates"},
        {"vfloor of 3.0 by 63",
         "mova r3, #63\nmov s0, r3\nmovxm r2, #0x4040\nvbcst.16 x2, r2\nvfloor.s32.bf16 x4, wl2, "
         "s0\nvst wl4, [p1, #0]\n",
         {},
         choice(1, "63 is -1", 0x7FFFFFFF, "63 is 63"),
         "63 is -1"},
        {"int8 x int4: one row of B, read by a one in A",
         std::string(kLoadX0AndX1) + "movxm r4, #768\nvmul cm0, x0, x1, r4\nvst amll0, [p1, #0]\n",
         [] {
             Words in(32);
             in[0] = 1;
             in[16] = 0x76543210;  // nibbles 0 to 7, the lowest first
             in[17] = 0x00000001;
             return in;
         }(),
         words(8), "0x0 0x1 0x2 0x3 0x4 0x5 0x6 0x7"},
        {"complex butterfly 0xC6 of 3 and 5",
         std::string(kLoadX0AndX1) +
             "movxm r4, #0xC6039A\nvmul cm0, x0, x1, r4\nvst amll0, [p1, #0]\n",
         [] {
             Words in(32);
             in[0] = in[8] = 1;
             in[16] = 3;
             in[24] = 5;
             return in;
         }(),
         choice(0xFFFFFFFE, "the lower signs are the first's", 2, "the upper signs are"),
         "the lower signs are the first's"},
        {"complex cint32 x cint16, 1 x 1, with term sign 0 alone",
         std::string(kLoadX0AndX1) +
             "movxm r4, #0x10322\nvmul cm0, x0, x1, r4\nvst amll0, [p1, #0]\n",
         [] {
             Words in(32);
             in[0] = in[16] = 1;
             return in;
         }(),
         words(4), "no answer"},
        // Which k and column a nibble is of: k + 1 in that lane.
        {"int8 x sparse int4, nibble 0", std::string(kLoadSparse) + kSparseInt4,
         sparse_operands(32, 0, 0x01, 0x33333333), words(8), "no answer"},
        {"int8 x sparse int4, nibble 1", std::string(kLoadSparse) + kSparseInt4,
         sparse_operands(32, 0, 0x10, 0x33333333), words(8), "no answer"},
        {"int8 x sparse int4, nibble 2", std::string(kLoadSparse) + kSparseInt4,
         sparse_operands(32, 1, 0x01, 0x33333333), words(8), "no answer"},
        {"int8 x sparse int4, nibble 16", std::string(kLoadSparse) + kSparseInt4,
         sparse_operands(32, 8, 0x01, 0x33333333), words(8), "no answer"},
        {"int8 x sparse int8: 1 where rows 0 to 3 have a mask of 1, second of the two",
         std::string(kLoadSparse) +
             "movxm r4, #0x3A8\nvmul cm0, x4, qx0, r4\nvst amll0, [p1, #0]\n",
         sparse_operands(16, 8, 0x01, 0x11111111), words(1), "0x0"},
        {"int8 x sparse int8: a mask of 7",
         std::string(kLoadSparse) +
             "movxm r4, #0x3A8\nvmul cm0, x4, qx0, r4\nvst amll0, [p1, #0]\n",
         sparse_operands(16, 0, 0x01, 0x77777777), words(1), "no answer"},
        {"int8 x sparse int8 with X in a y register",
         std::string(kLoadSparse) +
             "movxm r4, #0x3A8\nvmul cm0, y2, qx0, r4\nvst amll0, [p1, #0]\n",
         sparse_operands(16, 0, 0x01, 0x33333333), choice(1, "its lower half", 0, "another part"),
         "its lower half"},
        {"bf16 x sparse bf16 with X in an x register",
         std::string(kLoadSparse) + "mova r4, #0x5C\nvmul.f bml0, x4, qx0, r4\n" + kStoreBml0,
         sparse_operands(32, 0, 0x3F80, 0x33333333), words(16), "no answer"},
        {"DP after a compressed vector of 32 bytes that are not zero",
         "vldb.compr.reset [p0]\nvldb.compr.fill [p0]\nvldb.compr.pop wl0, [p0]\nmov r2, dp\n"
         "st r2, [p1, #0]\n",
         Words(16, 0xFFFFFFFF), choice(0x70024, "36 bytes on", 0x70014, "20 bytes on"),
         "36 bytes on"},
        {"the pointer after a compressed reset and 12 fills",
         [] {
             std::string code = "vldb.compr.reset [p0]\n";
             for (int i = 0; i < 12; ++i) {
                 code += "vldb.compr.fill [p0]\n";
             }
             return code + "mov r2, p0\nst r2, [p1, #0]\n";
         }(),
         {},
         words(1),
         "0x701a0"},
        {"the pointer after a compressed reset to 0x70024",
         "movxm p2, #0x70024\nvldb.compr.reset [p2]\nmov r2, p2\nst r2, [p1, #0]\n",
         {},
         choice(0x70044, "moves by 32", 0x70040, "moves to the next line"),
         "moves by 32"},
        {"vldb.sparse.pop.8 with a mask of 7",
         "vldb.sparse.reset.8 [p0]\nvldb.sparse.fill.8 [p0]\nvldb.sparse.pop.8 qwl0, [p0]\n"
         "vst wl0, [p1, #0]\nmov r2, srSparse_of\nst r2, [p1, #32]\nmov r2, dp\n"
         "st r2, [p1, #36]\n",
         {7, 0, 0x00030201},
         words(10),
         "no answer"},
        // A tie of the sum's one rounding.
        {"bf16 sum 2^24 + 1", std::string(kLoadX0AndX1) + kBf16Product + kStoreBml0,
         bf16_operands({{0x4B80, 0x3F80}, {0x3F80, 0x3F80}}), words(1), "0x4b800000"},
        {"bf16 infinity + 1", std::string(kLoadX0AndX1) + kBf16Product + kStoreBml0,
         bf16_operands({{0x7F80, 0x3F80}, {0x3F80, 0x3F80}}), words(1), "0x7f800000"},
        {"bf16 infinity - infinity", std::string(kLoadX0AndX1) + kBf16Product + kStoreBml0,
         bf16_operands({{0x7F80, 0x3F80}, {0x7F80, 0xBF80}}), words(1), "0x7f800001"},
        {"bf16 infinity x 0", std::string(kLoadX0AndX1) + kBf16Product + kStoreBml0,
         bf16_operands({{0x7F80, 0}, {0x3F80, 0x3F80}}), words(1), "0x7f800001"},
        {"vadd of 1 and 10 with bit 11, of the accumulator word",
         "mova r2, #1\nvbcst.32 x2, r2\nvmov bml0, x2\nvmov bmh0, x2\nmova r2, #10\nvbcst.32 x2, "
         "r2\nvmov bml1, x2\nvmov bmh1, x2\nmovxm r4, #0x800\nvadd cm0, cm0, cm1, r4\n" +
             std::string(kStoreBml0),
         {},
         words(1),
         "no answer"},
        {"vadd of 1 and 10 with bit 12",
         "mova r2, #1\nvbcst.32 x2, r2\nvmov bml0, x2\nvmov bmh0, "
         "x2\nmova r2, #10\nvbcst.32 x2, r2\nvmov bml1, x2\nvmov bmh1, x2\nmovxm r4, #0x1000\n"
         "vadd cm0, cm0, cm1, r4\n" +
             std::string(kStoreBml0),
         {},
         words(1),
         "no answer"},
        {"CORE_ID of column 0 of the partition, row 2",
         "mov r4, CORE_ID\nst r4, [p1, #0]\n",
         {},
         words(1),
         nullptr},  // depends on where the partition is
    };
    return all;
}

// A program that never ends, or an error of the command, is an answer, too.
std::string ask(const Question& question) {
    const std::string program =
        "mova r0, #-1\nacq #49, r0\nacq #50, r0\nmovxm p0, #0x70000\nmovxm p1, #0x71000\n" +
        question.code + "mova r1, #1\nrel #51, r1\ndone\n";
    Words input = question.input;
    input.resize(kWords);
    std::vector<Bytes> buffers = {bytes_of(input), Bytes(kWords * 4)};
    try {
        Session session(1, around_core({0, 2}, program));
        session.run(there_and_back(kWords), buffers);
    } catch (const Error& error) {
        if (error.code() == ENODEV || error.code() == ENOENT) {
            throw;
        }
        std::cout << "    (" << error.what() << ")\n";
        return "no answer";
    }
    Words out(kWords);
    std::memcpy(out.data(), buffers[1].data(), kWords * 4);
    return question.read(out);
}

TEST(Silicon, AnswersTheOpenQuestions) {
    const bool modelled = std::getenv("XDNA_EMU_SOCKET") != nullptr;
    for (const Question& question : questions()) {
        std::string answer;
        try {
            answer = ask(question);
        } catch (const Error& error) {
            GTEST_SKIP() << "no NPU: " << error.what();
        }
        std::cout << "  " << question.name << ": " << answer
                  << (modelled ? " (modelled)" : " (measured)");
        if (!modelled && question.model && answer != question.model) {
            std::cout << "; the model has " << question.model;
        }
        std::cout << "\n";
        if (modelled && question.model) {
            EXPECT_EQ(answer, question.model) << question.name;
        }
    }
}

}  // namespace
}  // namespace xdna::test
