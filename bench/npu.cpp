// The NPU's side of the comparison: whole commands of the kernels, through libxdna, each result
// compared with its reference. Names are as bench/report/records.py has them.
//
//   build/bench/npu, or build/bin/xdna-emu --stats FILE -- build/bench/npu
//
// On the virtual NPU the times mean nothing; what a command costs there is in FILE, and the counter
// `command` says where: the place of the last command of a benchmark among all.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/energy.hpp"
#include "kernels/attention/attention.hpp"
#include "kernels/catalog.hpp"
#include "tools/xdna-run/session.hpp"

namespace {

using xdna::kernels::Argument;
using xdna::kernels::Kernel;
using xdna::kernels::Shape;
using xdna::kernels::Type;
using Bytes = std::vector<uint8_t>;

struct Case {
    const char* name;  // GROUP/npu/TYPE/SHAPE
    const char* kernel;
    Shape shape;
    uint64_t macs;
    uint64_t peak;  // multiply-accumulates a cycle that the columns used could do
};

constexpr uint64_t kInt8Peak = 16 * 256;
constexpr uint64_t kInt4Peak = 16 * 512;
constexpr uint64_t kBf16Peak = 16 * 128;

// Bytes a cycle between memory and the array at most: a word of each of a column's two channels in
// and two out (AM020 chapter 2), in four columns.
constexpr uint64_t kShimBytes = uint64_t{4} * 4 * 4;

constexpr Case matmul(const char* name, const char* kernel, uint64_t m, uint64_t n, uint64_t k,
                      uint64_t peak) {
    return {name, kernel, {.m = m, .n = n, .k = k}, m * n * k, peak};
}

constexpr Case attention(const char* name, const char* kernel, uint64_t length, uint64_t head_size,
                         uint64_t peak) {
    constexpr uint64_t kHeads = 8;
    return {name,
            kernel,
            {.heads = kHeads, .kv_heads = kHeads, .length = length},
            2 * kHeads * length * length * head_size,
            peak};
}

constexpr Case kCases[] = {
    {"copy/npu/passthrough/4096", "passthrough", {.bytes = 4096}, 0, 0},
    {"copy/npu/passthrough/1048576", "passthrough", {.bytes = 1 << 20}, 0, 0},
    {"copy/npu/passthrough/16777216", "passthrough", {.bytes = 16 << 20}, 0, 0},
    matmul("matmul/npu/int8/256x256x256", "matmul_int8", 256, 256, 256, kInt8Peak),
    matmul("matmul/npu/int8/512x512x512", "matmul_int8", 512, 512, 512, kInt8Peak),
    matmul("matmul/npu/int8/1024x1024x1024", "matmul_int8", 1024, 1024, 1024, kInt8Peak),
    matmul("matmul/npu/int8/512x2048x1024", "matmul_int8", 512, 2048, 1024, kInt8Peak),
    matmul("matmul/npu/int8xint4/1024x1024x1024", "matmul_int8_int4", 1024, 1024, 1024, kInt4Peak),
    matmul("matmul/npu/bf16/512x512x512", "matmul_bf16", 512, 512, 512, kBf16Peak),
    matmul("matvec/npu/int8/1x1024x1024", "matmul_int8", 1, 1024, 1024, kInt8Peak),
    matmul("matvec/npu/int8/1x4096x4096", "matmul_int8", 1, 4096, 4096, kInt8Peak),
    attention("attention/npu/int8/256x64x8", "attention_256_int8_d64", 256, 64, kInt8Peak),
    attention("attention/npu/int8/512x64x8", "attention_512_int8_d64", 512, 64, kInt8Peak),
    attention("attention/npu/int8/1024x64x8", "attention_1024_int8_d64", 1024, 64, kInt8Peak),
    attention("attention/npu/int8/2048x64x8", "attention_2048_int8_d64", 2048, 64, kInt8Peak),
    attention("attention/npu/int8xint4/256x64x8", "attention_256_int4_d64", 256, 64, kInt4Peak),
    attention("attention/npu/int8xint4/512x64x8", "attention_512_int4_d64", 512, 64, kInt4Peak),
    attention("attention/npu/int8xint4/1024x64x8", "attention_1024_int4_d64", 1024, 64, kInt4Peak),
    attention("attention/npu/int8xint4/2048x64x8", "attention_2048_int4_d64", 2048, 64, kInt4Peak),
};

Bytes random_input(const Argument& argument) {
    std::mt19937 random(1);
    const bool tensor = argument.tensor.type != Type::kBytes;
    Bytes bytes(tensor ? user_bytes(argument.tensor) : argument.bytes);
    for (size_t i = 0; i < bytes.size(); ++i) {
        // -8 to 7; bf16 from 1/8 to 2, of either sign
        const bool high = tensor && argument.tensor.type == Type::kBf16 && i % 2 == 1;
        bytes[i] = static_cast<uint8_t>(high ? (random() & 0x80) | (0x3E + random() % 2)
                                             : random() % 16 - 8);
    }
    return bytes;
}

// Queries, keys and values whose scores are of order 1 (int4 keys are sixteenths of int8 ones).
std::vector<Bytes> attention_inputs(const Kernel& kernel, const Shape& shape) {
    namespace attention = xdna::kernels::attention;
    const attention::Problem problem = attention_problem(kernel, shape);
    std::mt19937 random(1);
    const auto values = [&](size_t heads, uint32_t bits) {
        std::vector<int8_t> out(heads * problem.length * problem.head_size);
        const int most = bits == 4 ? 7 : 50;
        for (int8_t& value : out) {
            value = static_cast<int8_t>(static_cast<int>(random() % (2 * most + 1)) - most);
        }
        return out;
    };
    const double scale =
        (problem.widths.k == 8 ? 1 : 16) / (30.0 * 30.0 * std::sqrt(problem.head_size));
    const std::vector<attention::QueryHeader> headers(
        size_t{problem.heads} * problem.length,
        attention::score_scale(problem.head_size, problem.widths, scale, scale));
    const auto q = values(problem.heads, 8);
    const auto k = values(problem.kv_heads, problem.widths.k);
    const auto v = values(problem.kv_heads, problem.widths.v);
    return {pack_queries(problem, q, headers), pack_keys(problem, k, v)};
}

std::vector<Bytes> make_inputs(const Kernel& kernel, const Shape& shape,
                               const xdna::kernels::Command& command) {
    if (kernel.name().starts_with("attention_")) {
        return attention_inputs(kernel, shape);
    }
    std::vector<Bytes> inputs;
    for (const Argument& argument : command.arguments) {
        if (!argument.output) {
            inputs.push_back(random_input(argument));
        }
    }
    return inputs;
}

Bytes device_form(const Argument& argument, const Bytes& values) {
    return argument.tensor.type == Type::kBytes ? values : to_device(argument.tensor, values);
}

uint64_t commands_run = 0;

/// What the driver's query says the NPU draws, milliwatts (aie2_pci.c, aie2_get_sensors()).
xdna::bench::EnergySensor power_of(const xdna::Device& device) {
    const auto watts = [&device]() -> std::optional<double> {
        for (const xdna_sensor& sensor : device.sensors()) {
            if (sensor.type == XDNA_SENSOR_POWER && std::string_view(sensor.units) == "mW") {
                return sensor.input * 1e-3;
            }
        }
        return std::nullopt;
    };
    try {
        if (watts()) {
            return {"the driver's sensor query", watts};
        }
        return {"the driver's sensor query lists no power in mW"};
    } catch (const xdna::Error& error) {
        return {std::string("the driver's sensor query answered ") + std::strerror(error.code())};
    }
}

void run(benchmark::State& state, const Case& test, uint64_t clock,
         const xdna::bench::EnergySensor& energy) {
    const Kernel* kernel = xdna::kernels::find(test.kernel);
    if (kernel == nullptr) {
        throw std::runtime_error(std::string("no kernel ") + test.kernel);
    }
    const auto command = kernel->command(test.shape);
    const std::vector<Bytes> inputs = make_inputs(*kernel, test.shape, command);
    const auto design = kernel->design();
    xdna::run::Session session("", static_cast<uint32_t>(design.columns()), design.pdi(), command);
    uint64_t bytes = 0;
    auto input = inputs.begin();
    for (size_t i = 0; i < command.arguments.size(); ++i) {
        const Argument& argument = command.arguments[i];
        bytes += argument.bytes;
        const Bytes contents =
            argument.output ? Bytes(argument.bytes, 0xA5) : device_form(argument, *input++);
        std::copy(contents.begin(), contents.end(), session.buffer(i).begin());
    }
    session.run();  // the context's first command loads the PDI
    ++commands_run;
    xdna::bench::EnergyMeter meter(energy);
    while (state.KeepRunning()) {
        state.SetIterationTime(session.run());
        ++commands_run;
    }
    if (const auto joules = meter.joules()) {
        state.counters["joules"] = *joules / static_cast<double>(state.iterations());
    }
    const auto expected = kernel->reference(test.shape, inputs);
    auto output = expected.begin();
    for (size_t i = 0; i < command.arguments.size(); ++i) {
        const Argument& argument = command.arguments[i];
        if (!argument.output) {
            continue;
        }
        const Bytes wanted = device_form(argument, *output++);
        if (!std::equal(wanted.begin(), wanted.end(), session.buffer(i).begin())) {
            throw std::runtime_error(std::string(test.name) + ": wrong result");
        }
    }
    state.counters["bytes"] = static_cast<double>(bytes);
    state.counters["command"] = static_cast<double>(commands_run - 1);
    if (test.macs != 0) {
        state.counters["macs"] = static_cast<double>(test.macs);
        state.counters["peak"] = static_cast<double>(test.peak * clock);
        state.counters["peak_bytes"] = static_cast<double>(kShimBytes * clock);
    }
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    try {
        const xdna::Device device;
        const uint64_t clock = uint64_t{device.clocks().h.mhz} * 1'000'000;
        benchmark::AddCustomContext("xdna_array_clock_Hz", std::to_string(clock));
        const auto energy = power_of(device);
        benchmark::AddCustomContext(energy ? "xdna_NPU energy" : "absent_NPU energy", energy.name);
        for (const Case& test : kCases) {
            if (xdna::kernels::find(test.kernel) != nullptr) {
                benchmark::RegisterBenchmark(test.name,
                                             [&test, clock, &energy](benchmark::State& state) {
                                                 run(state, test, clock, energy);
                                             })
                    ->UseManualTime()
                    ->Unit(benchmark::kMicrosecond);
            }
        }
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/npu: %s\n", error.what());
        return 1;
    }
    return 0;
}
