// Matrix multiplication on a Vulkan device: GPU time of each kernel, on fresh random data. The
// result that was timed is checked (compare_sampled) before its time is printed, and was poisoned
// before.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "bench/gpu_operands.hpp"

namespace {

using namespace xdna;
using bench::Operands;
using gpu::Type;

struct Case {
    const char* name;
    std::uint32_t m, n, k;
    Type a, b, c;
};

// Weights are m rows of k, activations n rows of k: how inference has them, and cuBLAS's and ggml's
// best case.
constexpr Case kCases[] = {
    {"f16 4096^3", 4096, 4096, 4096, Type::kF16, Type::kF16, Type::kF32},
    {"f16 to f16 4096^3", 4096, 4096, 4096, Type::kF16, Type::kF16, Type::kF16},
    {"bf16 4096^3", 4096, 4096, 4096, Type::kBf16, Type::kBf16, Type::kF32},
    {"i8 4096^3", 4096, 4096, 4096, Type::kI8, Type::kI8, Type::kI32},
    {"i4 4096^3", 4096, 4096, 4096, Type::kI4, Type::kI8, Type::kI32},
    {"q4 4096^3", 4096, 4096, 4096, Type::kQ4, Type::kF16, Type::kF32},
    {"q8 4096^3", 4096, 4096, 4096, Type::kQ8, Type::kF16, Type::kF32},
    {"f16 8192^3", 8192, 8192, 8192, Type::kF16, Type::kF16, Type::kF32},
    {"i8 8192^3", 8192, 8192, 8192, Type::kI8, Type::kI8, Type::kI32},
    {"f16 4096x512x14336", 4096, 512, 14336, Type::kF16, Type::kF16, Type::kF32},
    {"q4 4096x512x14336", 4096, 512, 14336, Type::kQ4, Type::kF16, Type::kF32},
    {"f32 2048^3", 2048, 2048, 2048, Type::kF32, Type::kF32, Type::kF32},
    {"q4 4096x1x4096", 4096, 1, 4096, Type::kQ4, Type::kF32, Type::kF32},
    {"q8 4096x1x4096", 4096, 1, 4096, Type::kQ8, Type::kF32, Type::kF32},
    {"f16 4096x1x4096", 4096, 1, 4096, Type::kF16, Type::kF16, Type::kF32},
    {"q4 14336x1x4096", 14336, 1, 4096, Type::kQ4, Type::kF32, Type::kF32},
    {"q4 32x1x32", 32, 1, 32, Type::kQ4, Type::kF32, Type::kF32},
    {"q4 4096x8x4096", 4096, 8, 4096, Type::kQ4, Type::kF32, Type::kF32},
};
// What a CPU does in a moment.
constexpr Case kSmallCases[] = {
    {"f32 256^3", 256, 256, 256, Type::kF32, Type::kF32, Type::kF32},
    {"f16 256^3", 256, 256, 256, Type::kF16, Type::kF16, Type::kF32},
    {"i8 256^3", 256, 256, 256, Type::kI8, Type::kI8, Type::kI32},
    {"q4 256^3", 256, 256, 256, Type::kQ4, Type::kF16, Type::kF32},
    {"q4 1024x1x1024", 1024, 1, 1024, Type::kQ4, Type::kF32, Type::kF32},
};

struct Timing {
    double median, least, most;
    std::size_t samples;
};

Timing timing_of(std::vector<double> seconds) {
    std::sort(seconds.begin(), seconds.end());
    return {seconds[seconds.size() / 2], seconds.front(), seconds.back(), seconds.size()};
}

Timing measure(const gpu::Device& device, const gpu::Matmul& matmul, const Operands& operands,
               std::size_t repeats, double warm) {
    // What takes microseconds would be timed together with its timestamps: then all of a recording
    // is one sample.
    const bool whole = matmul.shape().n <= 8;
    gpu::Recording recording(device, whole ? gpu::Timing::kWhole : gpu::Timing::kEach);
    for (std::size_t i = 0; i < repeats; i++) {
        recording.matmul(matmul, operands.arguments(i % operands.sets()));
    }
    // A GPU that was idle takes its time to raise its clocks.
    double busy = 0;
    do {
        recording.submit();
        busy += recording.finished_after().back();
    } while (busy < warm);
    std::vector<double> seconds;
    for (int round = 0; round < (whole ? 9 : 1); round++) {
        recording.submit();
        const auto ends = recording.finished_after();
        if (whole) {
            seconds.push_back(ends.back() / static_cast<double>(repeats));
        }
        for (std::size_t i = 1; i < ends.size(); i++) {
            seconds.push_back(ends[i] - ends[i - 1]);
        }
    }
    return timing_of(std::move(seconds));
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app("Matrix multiplication on a Vulkan device: GPU time, checked");
    std::string which;
    std::string only;
    std::string kernel;
    bool all = false;
    bool tune = false;
    bool json = false;
    app.add_option("--device", which, "number, uuid or part of the name");
    app.add_option("--case", only, "only cases whose name starts so");
    app.add_option("--kernel", kernel, "only kernels whose name contains this");
    app.add_flag("--all-kernels", all, "every kernel that fits, not only the one chosen");
    app.add_flag("--tune", tune, "choose by measuring");
    app.add_flag("--json", json, "one JSON object a line");
    CLI11_PARSE(app, argc, argv);

    if (gpu::Device::list().empty()) {
        std::puts("bench/gpu_matmul: no Vulkan device here");
        return 77;
    }
    const gpu::Device device({.which = which});
    const gpu::DeviceInfo& info = device.info();
    const bool small = info.kind == gpu::DeviceKind::kCpu;
    std::printf("device %s, driver %s, %u cores\n", info.name.c_str(), info.driver.c_str(),
                info.cores);
    for (const auto& unit : info.units) {
        if (!only.empty()) {
            break;
        }
        std::printf("  unit %ux%ux%u %s -> %s\n", unit.m, unit.n, unit.k,
                    std::string(to_string(unit.a)).c_str(),
                    std::string(to_string(unit.sum)).c_str());
    }
    int failures = 0;
    const std::span<const Case> cases =
        small ? std::span<const Case>(kSmallCases) : std::span<const Case>(kCases);
    for (const Case& c : cases) {
        if (!std::string(c.name).starts_with(only)) {
            continue;
        }
        const gpu::MatmulShape shape{
            .m = c.m,
            .n = c.n,
            .k = c.k,
            .a = {.type = c.a},
            .b = {.type = c.b, .transposed = true},
            // n rows of m: a column of results lies together, as it came in
            .c = {.type = c.c, .transposed = true}};
        std::vector<std::string> kernels;
        if (all || !kernel.empty()) {
            for (const std::string& name : gpu::Matmul::kernels(device, shape)) {
                if (name.find(kernel) != std::string::npos) {
                    kernels.push_back(name);
                }
            }
            if (!all && !kernels.empty()) {
                kernels.resize(1);
            }
        } else {
            kernels.emplace_back();
        }
        if (kernels.empty()) {
            continue;
        }
        const std::size_t bytes =
            gpu::bytes_of(c.a, std::size_t{c.m} * c.k) + gpu::bytes_of(c.b, std::size_t{c.n} * c.k);
        const Operands operands(
            device, shape,
            small ? 1 : std::clamp<std::size_t>((std::size_t{128} << 20) / bytes, 1, 16));
        for (const std::string& name : kernels) {
            const gpu::Matmul matmul(device, shape, {.tune = tune && name.empty(), .kernel = name});
            operands.poison();
            const std::size_t repeats =
                small ? 3 : std::max<std::size_t>(12, (c.n <= 8 ? 8 : 2) * operands.sets());
            const Timing time = measure(device, matmul, operands, repeats, small ? 0 : 1.5);
            const std::string wrong = operands.check();
            failures += wrong.empty() ? 0 : 1;
            const double operations = 2.0 * c.m * c.n * c.k;
            if (json) {
                std::cout << nlohmann::json{{"case", c.name},
                                            {"kernel", matmul.kernel()},
                                            {"device", info.name},
                                            {"driver", info.driver},
                                            {"median_us", time.median * 1e6},
                                            {"least_us", time.least * 1e6},
                                            {"most_us", time.most * 1e6},
                                            {"samples", time.samples},
                                            {"tera_per_second", operations / time.median / 1e12},
                                            {"correct", wrong.empty()}}
                          << '\n';
            } else {
                std::printf("%-20s %9.1f us (%.1f to %.1f, %zu)  %7.1f T/s  %s  %s\n", c.name,
                            time.median * 1e6, time.least * 1e6, time.most * 1e6, time.samples,
                            operations / time.median / 1e12, matmul.kernel().c_str(),
                            wrong.empty() ? "correct" : ("WRONG: " + wrong).c_str());
            }
            std::fflush(stdout);
        }
    }
    return failures == 0 ? 0 : 1;
} catch (const gpu::Error& error) {
    std::fprintf(stderr, "bench/gpu_matmul: %s\n", error.what());
    return 1;
}
