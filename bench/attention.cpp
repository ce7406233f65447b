// Cycles of attention commands on the modelled array, the firmware's launch and task costs
// included, as the table in docs/benchmarks.md. Every result is compared with the reference.
// Arguments: words that a kernel's name must contain, else all are run. --phases, first, adds where
// the cycles of the first core went, by label of its program; run it where kernels/ is.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <stdexcept>

#include "kernels/as/assembler.hpp"
#include "kernels/attention/attention.hpp"
#include "tests/support/npu.hpp"

namespace {

using namespace xdna::kernels;
using attention::Problem;
using attention::QueryHeader;

struct Result {
    uint64_t cycles;
    double seconds;  // of the host
    std::vector<xdna::emu::BundleTime> core;
};

Result run(const Kernel& kernel, const Shape& shape) {
    const Problem p = attention_problem(kernel, shape);
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 30);
    const auto draw = [&](size_t count, uint32_t bits) {
        std::vector<int8_t> out(count);
        for (int8_t& each : out) {
            const float value = std::clamp(normal(random), -127.F, 127.F);
            each = static_cast<int8_t>(bits == 8 ? value : value / 16);
        }
        return out;
    };
    const size_t rows = size_t{p.heads} * p.length;
    const double scale = (p.widths.k == 8 ? 1 : 16) / (30.0 * 30.0 * std::sqrt(p.head_size));
    const std::vector<QueryHeader> headers(
        rows, attention::score_scale(p.head_size, p.widths, scale, scale));
    const size_t keys = size_t{p.kv_heads} * p.length * p.head_size;
    const auto k = draw(keys, p.widths.k);
    const auto v = draw(keys, p.widths.v);
    const std::vector<test::Bytes> in = {
        attention::pack_queries(p, draw(rows * p.head_size, 8), headers),
        attention::pack_keys(p, k, v)};
    test::Npu npu(kernel.design());
    const auto start = std::chrono::steady_clock::now();
    const auto out = npu.run(kernel.command(shape), in);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (attention::unpack_output(p, out[0]) !=
        attention::unpack_output(p, kernel.reference(shape, in)[0])) {
        throw std::runtime_error(std::string(kernel.name()) + ": wrong result");
    }
    return {npu.cycles(), took.count(), npu.array().profile({1, 2})};
}

// Labels of a core's program by address.
std::map<uint32_t, std::string> labels(const std::string& path) {
    std::ifstream file(path);
    const std::string source{std::istreambuf_iterator<char>(file), {}};
    xdna::as::Options options;
    options.include_folders = {std::filesystem::path(path).parent_path()};
    xdna::as::Diagnostics diagnostics;
    const auto object = xdna::as::assemble(path, source, options, diagnostics);
    if (!object) {
        throw std::runtime_error(path + " cannot be assembled");
    }
    std::map<uint32_t, std::string> out;
    for (const auto& symbol : xdna::as::link(*object).symbols) {
        if (symbol.section) {
            out[symbol.value] = symbol.name;
        }
    }
    return out;
}

void print_phases(const Result& result, const std::string& path) {
    struct Phase {
        std::string name;
        uint64_t executed = 0;
        uint64_t stalled = 0;
        uint64_t waited = 0;
    };
    std::map<uint32_t, Phase> phases;
    const auto names = labels(path);
    for (const auto& bundle : result.core) {
        const auto behind = names.upper_bound(bundle.address);
        const auto label = behind == names.begin() ? behind : std::prev(behind);
        Phase& phase = phases[label->first];
        phase.name = label->second;
        phase.executed += bundle.executed;
        phase.stalled += bundle.stalled;
        phase.waited += bundle.waited;
    }
    std::printf(
        "\n| from label | bundles | stalls | waits | of the command |\n|---|---|---|---|---|\n");
    for (const auto& [address, phase] : phases) {
        const double all = static_cast<double>(phase.executed + phase.stalled + phase.waited);
        std::printf("| %s | %lu | %lu | %lu | %.1f %% |\n", phase.name.c_str(), phase.executed,
                    phase.stalled, phase.waited, 100 * all / static_cast<double>(result.cycles));
    }
    std::printf("\n");
}

bool wanted(const Kernel& kernel, int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
        if (kernel.name().find(argv[i]) == std::string_view::npos) {
            return false;
        }
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    const bool phases = argc > 1 && std::strcmp(argv[1], "--phases") == 0;
    argv += phases;
    argc -= phases;
    try {
        std::printf(
            "| kernel | heads | mask | cycles | of peak | simulated in |\n"
            "|---|---|---|---|---|---|\n");
        for (const Kernel* kernel : attention_kernels()) {
            for (const bool causal : {false, true}) {
                if (!wanted(*kernel, argc, argv)) {
                    continue;
                }
                Shape shape = kernel->example();
                shape.causal = causal;
                const Result result = run(*kernel, shape);
                const Problem p = attention_problem(*kernel, shape);
                const double n = p.length;
                const double pairs = causal ? n * (n + 1) / 2 : n * n;
                const double peak = 256.0 * 16 * static_cast<double>(result.cycles);
                std::printf("| %s | %u | %s | %lu | %.1f %% | %.1f s |\n",
                            std::string(kernel->name()).c_str(), p.heads,
                            causal ? "causal" : "full", result.cycles,
                            100 * 2 * pairs * p.head_size * p.heads / peak, result.seconds);
                if (phases) {
                    // attention_LENGTH_TYPES_dSIZE: kernels/attention/TYPES_dSIZE.s
                    const std::string name(kernel->name());
                    const auto types = name.find('_', name.find('_') + 1) + 1;
                    print_phases(result, "kernels/attention/" + name.substr(types) + ".s");
                }
                std::fflush(stdout);
            }
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/attention: %s\n", error.what());
        return 1;
    }
    return 0;
}
