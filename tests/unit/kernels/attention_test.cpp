// Attention on the modelled array against its reference.
#include "kernels/attention/attention.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "tests/support/npu.hpp"
#include "tests/unit/attention/samples.hpp"

namespace xdna::kernels {
namespace {

using attention::Problem;
using attention::QueryHeader;

const Kernel& kernel(uint32_t length, const std::string& types, uint32_t d) {
    return *find("attention_" + std::to_string(length) + "_" + types + "_d" + std::to_string(d));
}

// Buffers of a problem whose heads are samples of some data.
std::vector<test::Bytes> inputs(const Problem& p, std::string_view data) {
    std::vector<int8_t> q, k, v;
    std::vector<QueryHeader> headers;
    for (uint32_t head = 0; head < p.heads; ++head) {
        const auto s =
            attention::test::make_sample(data, p.head_size, p.length, p.causal, head, p.widths);
        q.insert(q.end(), s.q8.begin(), s.q8.end());
        headers.insert(headers.end(), s.headers.begin(), s.headers.end());
        if (head < p.kv_heads) {
            k.insert(k.end(), s.k8.begin(), s.k8.end());
            v.insert(v.end(), s.v8.begin(), s.v8.end());
        }
    }
    return {pack_queries(p, q, headers), pack_keys(p, k, v)};
}

void expect_equal(test::Npu& npu, const Kernel& kernel, const Shape& shape, std::string_view data) {
    const Problem p = attention_problem(kernel, shape);
    const auto in = inputs(p, data);
    const auto out = npu.run(kernel.command(shape), in);
    const auto expected = kernel.reference(shape, in);
    EXPECT_EQ(attention::unpack_output(p, out[0]), attention::unpack_output(p, expected[0]))
        << kernel.name() << ", " << data << ", heads " << shape.heads << ", length "
        << shape.length;
}

Shape shape(uint64_t heads, uint64_t kv_heads, uint64_t length, bool causal) {
    Shape s;
    s.heads = heads;
    s.kv_heads = kv_heads;
    s.length = length;
    s.causal = causal;
    return s;
}

TEST(Attention, EqualsItsReference) {
    for (const uint32_t d : {32U, 64U, 128U}) {
        const Kernel& k = kernel(256, "int8", d);
        test::Npu npu(k.design());
        expect_equal(npu, k, shape(1, 1, 256, true), "normal");
        expect_equal(npu, k, shape(6, 2, 37, false), "peaky");
    }
    for (const char* types : {"int4_int8", "int4"}) {
        for (const uint32_t d : {32U, 64U, 128U}) {
            const Kernel& k = kernel(256, types, d);
            test::Npu npu(k.design());
            expect_equal(npu, k, shape(1, 1, 137, true), "normal");
            expect_equal(npu, k, shape(2, 1, 37, false), "peaky");
        }
    }
}

TEST(Attention, EqualsItsReferenceOnHardData) {
    for (const char* types : {"int8", "int4_int8", "int4"}) {
        const Kernel& k = kernel(512, types, 32);
        test::Npu npu(k.design());
        for (const char* data : {"flat", "one-hot", "saturating", "huge", "tiny", "peaky"}) {
            expect_equal(npu, k, shape(1, 1, 300, false), data);
        }
    }
}

// Programs of int4 keys differ by head size in more than how often things are repeated.
TEST(Attention, EqualsItsReferenceOnHardDataOfLargerHeads) {
    for (const char* types : {"int4_int8", "int4"}) {
        for (const uint32_t d : {64U, 128U}) {
            const Kernel& k = kernel(256, types, d);
            test::Npu npu(k.design());
            for (const char* data : {"flat", "one-hot", "saturating", "huge"}) {
                expect_equal(npu, k, shape(1, 1, 200, true), data);
            }
        }
    }
}

// What int8.asm, int4.asm and values.asm say of their loops.
TEST(Attention, LoopsTakeTheCyclesTheyState) {
    struct Stated {
        const char* types;
        uint32_t d;
        LoopCycles cycles;
    };
    for (const Stated& stated : {Stated{"int8", 32, {42, 130, 128}},
                                 {"int8", 64, {72, 130, 128}},
                                 {"int8", 128, {136, 36, 70}},
                                 {"int4_int8", 32, {29, 109, 128}},
                                 {"int4_int8", 64, {42, 109, 128}},
                                 {"int4_int8", 128, {84, 31, 70}},
                                 {"int4", 32, {29, 109, 44}},
                                 {"int4", 64, {42, 109, 44}},
                                 {"int4", 128, {84, 73, 80}}}) {
        const Kernel& k = kernel(256, stated.types, stated.d);
        const LoopCycles got = attention_loop_cycles(k);
        EXPECT_EQ(got, stated.cycles)
            << k.name() << ": " << got.scores << ", " << got.probabilities << ", " << got.values;
    }
}

TEST(Attention, TellsWhatItCannotTake) {
    const Kernel& k = kernel(256, "int8", 64);
    for (const auto& [bad, what] : {std::pair{shape(0, 1, 256, false), "heads"},
                                    {shape(1025, 1, 256, false), "heads"},
                                    {shape(3, 2, 256, false), "heads"},
                                    {shape(2, 3, 256, false), "kv heads"},
                                    {shape(1, 1, 0, false), "length"},
                                    {shape(1, 1, 257, false), "length"}}) {
        try {
            k.command(bad);
            ADD_FAILURE() << what;
        } catch (const std::invalid_argument& e) {
            EXPECT_EQ(std::string_view(e.what()).substr(0, std::string_view(what).size()), what);
        }
    }
}

TEST(Attention, TellsWhatIsNoInt4) {
    Problem p = attention_problem(kernel(256, "int4_int8", 32), shape(1, 1, 2, false));
    std::vector<int8_t> rows(64, 7);
    std::vector<QueryHeader> headers(2, {1, 0, 0, 0});
    EXPECT_NO_THROW(pack_keys(p, rows, rows));
    EXPECT_NO_THROW(pack_queries(p, rows, headers));
    std::vector<int8_t> wide = rows;
    wide[40] = 8;
    EXPECT_NO_THROW(pack_keys(p, rows, wide));
    EXPECT_THROW(pack_keys(p, wide, rows), std::invalid_argument);
    p.widths.v = 4;
    EXPECT_THROW(pack_keys(p, rows, wide), std::invalid_argument);
    headers[1].multiplier = -1;
    EXPECT_THROW(pack_queries(p, rows, headers), std::invalid_argument);
}

// As many heads as waves and BD sets take, in the longest causal kernel's plan.
TEST(Attention, PlansLongCausalHeads) {
    const Kernel& k = kernel(2048, "int8", 32);
    EXPECT_NO_THROW(k.command(shape(40, 8, 2048, true)));
}

}  // namespace
}  // namespace xdna::kernels
