// The GPU's side of the comparison: products by the GPU module on the Vulkan device that $XDNA_GPU
// names, or the fastest kind. Names are as bench/report/records.py has them, times are the device's
// own timestamps, and what was timed is checked.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/gpu_operands.hpp"

namespace {

using namespace xdna;
using gpu::Type;

// As the NPU's and the CPU's: M x N x K, where M tokens meet N rows of weights.
struct Product {
    std::uint32_t m, n, k;
};
constexpr Product kProducts[] = {{256, 256, 256},    {512, 512, 512},   {1024, 1024, 1024},
                                 {2048, 2048, 2048}, {512, 2048, 1024}, {4096, 4096, 4096},
                                 {1, 1024, 1024},    {1, 4096, 4096}};

struct Types {
    const char* name;
    Type weights, tokens, result;
};
constexpr Types kTypes[] = {{"f32", Type::kF32, Type::kF32, Type::kF32},
                            {"f16", Type::kF16, Type::kF16, Type::kF32},
                            {"int8", Type::kI8, Type::kI8, Type::kI32},
                            {"int8xint4", Type::kI4, Type::kI8, Type::kI32},
                            {"q4", Type::kQ4, Type::kF16, Type::kF32}};

// What a CPU's Vulkan does in about a second.
constexpr double kSoftwareMacs = 512.0 * 512 * 512;

const gpu::Device& device() {
    static const gpu::Device opened;
    return opened;
}

bool is_software() {
    return device().info().kind == gpu::DeviceKind::kCpu;
}

/// A benchmark's function is called several times a repetition: it finds here what it used last.
struct Prepared {
    Prepared(const Types& types, const Product& product)
        : of_types(&types),
          of_product(&product),
          matmul(device(), {.m = product.n,
                            .n = product.m,
                            .k = product.k,
                            .a = {.type = types.weights},
                            .b = {.type = types.tokens, .transposed = true},
                            .c = {.type = types.result, .transposed = true}}),
          bytes(matmul.bytes_a() + matmul.bytes_b() + matmul.bytes_c() +
                gpu::scale_bytes_of(types.weights, std::size_t{product.n} * product.k)),
          // Several, so that no cache holds all of them.
          operands(device(), matmul.shape(),
                   is_software()
                       ? 1
                       : std::clamp<std::size_t>((std::size_t{128} << 20) / bytes, 1, 16)) {}

    const Types* of_types;
    const Product* of_product;
    gpu::Matmul matmul;
    std::size_t bytes;
    bench::Operands operands;
};

const Prepared& prepared(const Types& types, const Product& product) {
    static std::unique_ptr<Prepared> last;
    if (!last || last->of_types != &types || last->of_product != &product) {
        last.reset();  // its memory first
        last = std::make_unique<Prepared>(types, product);
    }
    return *last;
}

/// A GPU that was idle takes its time to raise its clocks.
void warm_up(gpu::Recording& recording) {
    const double enough = is_software() ? 0 : 0.1;
    for (double busy = 0; busy <= enough;) {
        recording.submit();
        busy += recording.finished_after().back();
    }
}

void matmul(benchmark::State& state, const Types& types, const Product& product) {
    const double macs = 1.0 * product.m * product.n * product.k;
    if (is_software() && macs > kSoftwareMacs) {
        state.SkipWithError("too much for Vulkan on the CPU");
        return;
    }
    const Prepared& p = prepared(types, product);
    // What takes microseconds would be timed together with its timestamps.
    const std::size_t repeats = is_software() ? 1 : std::max<std::size_t>(16, p.operands.sets());
    gpu::Recording recording(device());
    for (std::size_t i = 0; i < repeats; i++) {
        recording.matmul(p.matmul, p.operands.arguments(i % p.operands.sets()));
    }
    warm_up(recording);
    p.operands.poison();
    while (state.KeepRunning()) {
        recording.submit();
        state.SetIterationTime(recording.finished_after().back() / static_cast<double>(repeats));
    }
    if (const std::string wrong = p.operands.check(); !wrong.empty()) {
        throw std::runtime_error(std::string(types.name) + ", " + p.matmul.kernel() + ": " + wrong);
    }
    state.SetLabel(p.matmul.kernel());
    state.counters["macs"] = macs;
    state.counters["bytes"] = static_cast<double>(p.bytes);
    state.counters["software"] = is_software() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    try {
        if (gpu::Device::list().empty()) {
            std::fputs("bench/gpu: no Vulkan device here\n", stderr);
            return 77;
        }
        const gpu::DeviceInfo& info = device().info();
        if (info.timestamp_period == 0) {
            std::fprintf(stderr, "bench/gpu: %s has no timestamps\n", info.name.c_str());
            return 77;
        }
        benchmark::AddCustomContext("xdna_GPU", info.name + ", " + info.driver);
        for (const Types& types : kTypes) {
            for (const Product& product : kProducts) {
                const std::string name = std::string(product.m == 1 ? "matvec" : "matmul") +
                                         "/gpu/" + types.name + "/" + std::to_string(product.m) +
                                         "x" + std::to_string(product.n) + "x" +
                                         std::to_string(product.k);
                benchmark::RegisterBenchmark(
                    name.c_str(), [&](benchmark::State& state) { matmul(state, types, product); })
                    ->UseManualTime()
                    ->Unit(benchmark::kMicrosecond);
            }
        }
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/gpu: %s\n", error.what());
        return 1;
    }
    return 0;
}
