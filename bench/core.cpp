// How fast the core's simulator runs: bundles a second on one host core. The loops are what kernels
// spend their time in; memory is the core's own, with nobody else at it.
#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "emu/core/core.hpp"
#include "kernels/as/assembler.hpp"
#include "tests/support/lone_tile.hpp"

namespace {

using namespace xdna::emu;

// The program memory of `tile` gets `source`.
void load(test::LoneTile& tile, const std::string& source) {
    namespace as = xdna::as;
    as::Diagnostics diagnostics;
    const auto object = as::assemble("loop.s", source, {}, diagnostics);
    if (!object) {
        std::fprintf(stderr, "%s\n", diagnostics.list().front().message.c_str());
        std::abort();
    }
    const auto code = as::flat_program(as::link(*object));
    std::memcpy(tile.program_memory.data(), code.data(), code.size());
}

// `setup`, then `body`, a zero-overhead loop without end. Its bundles take a cycle each but for
// bank conflicts, which cost the host nothing: the loops have none.
void run_loop(benchmark::State& state, const std::string& setup, const std::string& body) {
    test::LoneTile tile;
    load(tile,
         "movxm p0, #0x70000\nmovxm p1, #0x74000\nmovxm p2, #0x78000\nmovxm p3, #0x7c000\n"
         "mova m0, #0\n" +
             setup +
             "movxm lc, #0x7fffffff\nmovxm ls, #first\nmovxm le, #last\n"
             "nop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\n.align 16\nfirst:\n" +
             body);
    const auto core = make_core(tile.tile());
    uint64_t now = 0;
    for (auto _ : state) {
        constexpr uint64_t kCycles = 100'000;
        const uint64_t end = now + kCycles;
        while (now < end) {
            now += core->run(tile, now, end - now).cycles;
        }
    }
    state.counters["bundles"] =
        benchmark::Counter(static_cast<double>(now), benchmark::Counter::kIsRate);
}

// Address arithmetic, a load and a store, as between the loops of a kernel.
void scalar(benchmark::State& state) {
    run_loop(state, "mova r1, #1\nmova r2, #2\nmova r3, #3\n",
             "lda r0, [p0, #4]; add r1, r1, #1; mov r4, r1\n"
             "lshl r2, r1, r3; mov m1, r2\n"
             "st r2, [p2, #8]; or r5, r2, r1\n"
             "sub r6, r5, r1; mov r7, r6\n"
             "ne r8, r6, r7\n"
             "xor r9, r8, r5; mov r10, r9\n"
             "mul r11, r9, r10\n"
             "last:\nnopb; nopa; nops; add r12, r11, r1; mov r13, r12; nopv\n");
}
BENCHMARK(scalar);

// The densest loop of a matrix product: a multiply and two vector loads in every bundle.
void int8_multiply_loads(benchmark::State& state) {
    std::string body;
    for (int i = 0; i < 4; ++i) {
        const std::string c = std::to_string(i);
        const std::string y = std::to_string(4 + i);
        body += (i == 3 ? "last:\n" : "") + std::string("vldb wl") + c + ", [p0], m0; vlda wl" + y +
                ", [p1], m0; nops; nopx; nopm; vmac cm" + c + ", cm" + c + ", x" + c + ", x" + y +
                ", r0\n";
    }
    run_loop(state, "movxm r0, #776\n", body);
}
BENCHMARK(int8_multiply_loads);

// The same with the pipeline full in every slot: a fused store of the result, and pointer
// arithmetic.
void int8_multiply_loads_store(benchmark::State& state) {
    std::string body;
    for (int i = 0; i < 4; ++i) {
        const std::string c = std::to_string(i);
        const std::string y = std::to_string(4 + i);
        body += (i == 3 ? "last:\n" : "") + std::string("vldb wl") + c + ", [p0], m0; vlda wl" + y +
                ", [p1], m0; vst.srs.s8.s32 cm" + c + ", s0, [p2], m0; add r1, r1, #1; nopm; " +
                "vmac cm" + c + ", cm" + c + ", x" + c + ", x" + y + ", r0\n";
    }
    run_loop(state, "movxm r0, #776\nmova r1, #0\nmov s0, r1\n", body);
}
BENCHMARK(int8_multiply_loads_store);

void multiply_only(benchmark::State& state, const char* text, uint32_t word) {
    std::string body;
    for (int i = 0; i < 4; ++i) {
        const std::string c = std::to_string(i);
        std::string line(text);
        for (size_t at; (at = line.find('N')) != std::string::npos;) {
            line.replace(at, 1, c);
        }
        body +=
            (i == 3 ? "last:\n" : "") + std::string("nopb; nopa; nops; nopx; nopm; ") + line + "\n";
    }
    run_loop(state, "movxm r0, #" + std::to_string(word) + "\n", body);
}
BENCHMARK_CAPTURE(multiply_only, int8_by_int8, "vmac cmN, cmN, xN, x8, r0", 776);
BENCHMARK_CAPTURE(multiply_only, int8_by_int4, "vmac cmN, cmN, xN, x8, r0", 768);
BENCHMARK_CAPTURE(multiply_only, int16_by_int16, "vmac cmN, cmN, xN, x8, r0", 792);
BENCHMARK_CAPTURE(multiply_only, bf16, "vmac.f bmlN, bmlN, xN, x8, r0", 28);

}  // namespace

BENCHMARK_MAIN();
