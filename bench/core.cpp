// How fast the core's simulator runs: bundles a second on one host core. The loops are what kernels
// spend their time in; memory is the core's own, with nobody else at it.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "emu/core/core.hpp"
#include "kernels/as/assembler.hpp"

namespace {

using namespace xdna::emu;

class Tile0 final : public CoreBus {
  public:
    Tile tile() const override { return {0, 2}; }
    std::span<const std::byte> program() const override { return program_; }
    std::array<std::span<std::byte>, 4> memories() override { return {{{}, {}, {}, memory_}}; }
    // As the array does it: a bank serves one access a cycle.
    uint32_t claim_bank(uint32_t address, uint64_t cycle) override {
        uint64_t& used = bank_used_[2 * (address >> 14 & 3) + (address >> 4 & 1)];
        const uint32_t wait = used == cycle + 1;
        used = std::max(used, cycle + wait + 1);
        return wait;
    }
    bool acquire(unsigned, int) override { return true; }
    void release(unsigned, int) override {}
    bool stream_read(uint32_t&, bool&) override { return false; }
    bool stream_write(uint32_t, bool) override { return false; }
    bool cascade_read(CascadeWord&) override { return false; }
    bool cascade_write(const CascadeWord&) override { return false; }
    uint64_t timer(uint64_t cycle) const override { return cycle; }
    uint32_t read_register(uint32_t) override { return 0; }
    void write_register(uint32_t, uint32_t) override {}
    void raise(unsigned) override {}

    void load(const std::string& source) {
        namespace as = xdna::as;
        as::Diagnostics diagnostics;
        const auto object = as::assemble("loop.s", source, {}, diagnostics);
        if (!object) {
            std::fprintf(stderr, "%s\n", diagnostics.list().front().message.c_str());
            std::abort();
        }
        const auto code = as::flat_program(as::link(*object));
        std::transform(code.begin(), code.end(), program_.begin(),
                       [](uint8_t byte) { return static_cast<std::byte>(byte); });
    }

  private:
    std::vector<std::byte> program_ = std::vector<std::byte>(16 * 1024);
    std::vector<std::byte> memory_ = std::vector<std::byte>(64 * 1024);
    std::array<uint64_t, 8> bank_used_{};
};

// `setup`, then `body`, a zero-overhead loop without end. Its bundles take a cycle each but for
// bank conflicts, which cost the host nothing: the loops have none.
void run_loop(benchmark::State& state, const std::string& setup, const std::string& body) {
    Tile0 tile;
    tile.load(
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
