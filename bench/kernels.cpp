// Cycles of whole commands on the modelled array, the firmware's launch and task costs included, as
// the table in docs/benchmarks.md. Every result is compared with the reference.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <stdexcept>

#include "kernels/matmul/matmul.hpp"
#include "tests/support/npu.hpp"

namespace {

using namespace xdna::kernels;
using test::Bytes;

struct Case {
    std::string_view name;
    int cores;    // 1 or 16
    double peak;  // multiply-accumulates a core and cycle
    Shape shape;
};

struct Result {
    uint64_t cycles;
    double seconds;  // of the host
};

// Any integers; bf16 from 1/4 to 4.
Bytes values(const Tensor& tensor, std::mt19937_64& random) {
    Bytes bytes(user_bytes(tensor));
    for (size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<uint8_t>(random());
        if (tensor.type == Type::kInt4) {
            bytes[i] = static_cast<uint8_t>(bytes[i] % 16 - 8);
        } else if (tensor.type == Type::kBf16 && i % 2 == 1) {
            bytes[i] = static_cast<uint8_t>((bytes[i] & 0x80) | (0x3E + bytes[i] % 2));
        }
    }
    return bytes;
}

Result run(const Case& test) {
    const Kernel& kernel = test.cores == 1 ? matmul_on_one_core(test.name) : *find(test.name);
    test::Npu npu(kernel.design());
    const Command command = kernel.command(test.shape);
    std::mt19937_64 random(1);
    std::vector<Bytes> inputs;
    std::vector<Bytes> buffers;
    for (const Argument& argument : command.arguments) {
        if (argument.output) {
            continue;
        }
        inputs.push_back(values(argument.tensor, random));
        buffers.push_back(to_device(argument.tensor, inputs.back()));
    }
    const auto start = std::chrono::steady_clock::now();
    const auto outputs = npu.run(command, buffers);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (from_device(command.arguments.back().tensor, outputs[0]) !=
        kernel.reference(test.shape, inputs)[0]) {
        throw std::runtime_error(std::string(test.name) + ": wrong result");
    }
    return {npu.cycles(), took.count()};
}

}  // namespace

// Arguments choose kernels by a part of their names.
int main(int argc, char** argv) {
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    const Case cases[] = {
        {"matmul_int8", 1, 256, {.m = 512, .n = 512, .k = 512}},
        {"matmul_int8", 16, 256, {.m = 512, .n = 512, .k = 512}},
        {"matmul_int8", 1, 256, {.m = 1024, .n = 1024, .k = 1024}},
        {"matmul_int8", 16, 256, {.m = 1024, .n = 1024, .k = 1024}},
        {"matmul_int8_q", 16, 256, {.m = 1024, .n = 1024, .k = 1024, .scale = 1.0 / 4096}},
        {"matmul_int8_int4", 1, 512, {.m = 512, .n = 512, .k = 512}},
        {"matmul_int8_int4", 16, 512, {.m = 512, .n = 512, .k = 512}},
        {"matmul_int8_int4", 16, 512, {.m = 1024, .n = 1024, .k = 1024}},
        {"matmul_int8_int4_q", 16, 512, {.m = 1024, .n = 1024, .k = 1024, .scale = 1.0 / 4096}},
        {"matmul_bf16", 16, 128, {.m = 1024, .n = 1024, .k = 512}},
    };
    try {
        std::printf(
            "| kernel | M x N x K | cores | cycles | of peak | simulated in |\n"
            "|---|---|---|---|---|---|\n");
        for (const Case& each : cases) {
            if (!words.empty() && std::ranges::none_of(words, [&](std::string_view word) {
                    return each.name.find(word) != std::string_view::npos;
                })) {
                continue;
            }
            const Result result = run(each);
            const Shape& s = each.shape;
            const double macs = static_cast<double>(s.m * s.n) * static_cast<double>(s.k);
            const double peak = each.peak * each.cores * static_cast<double>(result.cycles);
            std::printf("| `%s` | %lu x %lu x %lu | %d | %lu | %.1f %% | %.1f s |\n",
                        std::string(each.name).c_str(), s.m, s.n, s.k, each.cores, result.cycles,
                        100 * macs / peak, result.seconds);
            std::fflush(stdout);
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/kernels: %s\n", error.what());
        return 1;
    }
    return 0;
}
