// The CPU's side of the comparison: matrix products by oneDNN, and attention made of two of them.
// Names are as bench/report/records.py has them.
#include <benchmark/benchmark.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "bench/energy.hpp"

namespace {

using xdna::bench::EnergyMeter;
using xdna::bench::EnergySensor;

const EnergySensor& energy() {
    static const EnergySensor sensor = xdna::bench::cpu_energy();
    return sensor;
}

/// What one iteration did.
void count(benchmark::State& state, EnergyMeter& meter, double macs, double bytes) {
    if (const auto joules = meter.joules()) {
        state.counters["joules"] = *joules / static_cast<double>(state.iterations());
    }
    if (macs != 0) {
        state.counters["macs"] = macs;
    }
    if (bytes != 0) {
        state.counters["bytes"] = bytes;
    }
}

struct Product {
    int64_t m, n, k;
};

// As the NPU's and the GPU's: squares, a wide one, and vectors.
constexpr Product kProducts[] = {
    {256, 256, 256}, {512, 512, 512}, {1024, 1024, 1024}, {2048, 2048, 2048}, {512, 2048, 1024}};
constexpr Product kVectors[] = {{1, 1024, 1024}, {1, 4096, 4096}};

// Of 7 bits: without VNNI oneDNN adds pairs of 8-bit products in 16 bits, which would saturate
// (oneDNN's guide, "Nuances of int8 Computations").
template <typename T>
std::vector<T> random_values(int64_t count) {
    std::mt19937 random(1);
    std::vector<T> values(static_cast<size_t>(count));
    std::generate(values.begin(), values.end(),
                  [&] { return static_cast<T>(static_cast<int>(random() % 127) - 63); });
    return values;
}

void require(dnnl_status_t status) {
    if (status != dnnl_success) {
        throw std::runtime_error("oneDNN refused, status " + std::to_string(status));
    }
}

// C = A B, row-major.
void multiply(const Product& p, const float* a, const float* b, float* c) {
    require(dnnl_sgemm('N', 'N', p.m, p.n, p.k, 1.0F, a, p.k, b, p.n, 0.0F, c, p.n));
}
void multiply(const Product& p, const int8_t* a, const int8_t* b, int32_t* c) {
    const int32_t offset = 0;
    require(dnnl_gemm_s8s8s32('N', 'N', 'F', p.m, p.n, p.k, 1.0F, a, p.k, 0, b, p.n, 0, 0.0F, c,
                              p.n, &offset));
}

// The last element of C, computed plainly: a library that returned early would be fast.
template <typename T, typename Sum>
void check_last(const Product& p, const std::vector<T>& a, const std::vector<T>& b,
                const std::vector<Sum>& c) {
    double sum = 0;
    for (int64_t k = 0; k < p.k; ++k) {
        sum += static_cast<double>(a[static_cast<size_t>((p.m - 1) * p.k + k)]) *
               static_cast<double>(b[static_cast<size_t>((k + 1) * p.n - 1)]);
    }
    if (std::abs(sum - static_cast<double>(c.back())) > 1e-4 * std::abs(sum) + 1) {
        throw std::runtime_error("wrong product: " + std::to_string(c.back()) + ", not " +
                                 std::to_string(sum));
    }
}

template <typename T, typename Sum>
void matmul(benchmark::State& state, Product p) {
    const auto a = random_values<T>(p.m * p.k);
    const auto b = random_values<T>(p.k * p.n);
    std::vector<Sum> c(static_cast<size_t>(p.m * p.n));
    multiply(p, a.data(), b.data(), c.data());  // oneDNN writes its kernels when first called
    std::fill(c.begin(), c.end(), Sum{-1});
    EnergyMeter meter(energy());
    while (state.KeepRunning()) {
        multiply(p, a.data(), b.data(), c.data());
        benchmark::DoNotOptimize(c.data());
    }
    count(state, meter, static_cast<double>(p.m * p.n * p.k),
          static_cast<double>((a.size() + b.size()) * sizeof(T) + c.size() * sizeof(Sum)));
    check_last(p, a, b, c);
}

// Softmax of each row of scores, which are scaled first.
void softmax(std::vector<float>& scores, int64_t columns, float scale) {
    for (auto row = scores.begin(); row != scores.end(); row += columns) {
        const float top = *std::max_element(row, row + columns);
        float sum = 0;
        for (auto at = row; at != row + columns; ++at) {
            sum += * at = std::exp((*at - top) * scale);
        }
        std::for_each(row, row + columns, [sum](float& p) { p /= sum; });
    }
}

void attention(benchmark::State& state, int64_t length, int64_t head_size, int64_t heads) {
    const auto q = random_values<float>(length * head_size);
    const auto k_transposed = random_values<float>(length * head_size);
    const auto v = random_values<float>(length * head_size);
    std::vector<float> scores(static_cast<size_t>(length * length));
    std::vector<float> out(static_cast<size_t>(length * head_size));
    multiply({length, length, head_size}, q.data(), k_transposed.data(), scores.data());
    multiply({length, head_size, length}, scores.data(), v.data(), out.data());
    EnergyMeter meter(energy());
    while (state.KeepRunning()) {
        for (int64_t head = 0; head < heads; ++head) {
            multiply({length, length, head_size}, q.data(), k_transposed.data(), scores.data());
            softmax(scores, length, 1 / std::sqrt(static_cast<float>(head_size)));
            multiply({length, head_size, length}, scores.data(), v.data(), out.data());
            benchmark::DoNotOptimize(out.data());
        }
    }
    count(state, meter, static_cast<double>(2 * heads * length * length * head_size),
          static_cast<double>(4 * heads * length * head_size) * sizeof(float));
    // A row of probabilities adds up to 1.
    float sum = 0;
    for (int64_t column = 0; column < length; ++column) {
        sum += scores[static_cast<size_t>((length - 1) * length + column)];
    }
    if (std::abs(sum - 1) > 1e-3F) {
        throw std::runtime_error("wrong probabilities: they add up to " + std::to_string(sum));
    }
}

/// `work(thread)` on every core at once.
template <class Work>
void on_every_core(Work work) {
    std::vector<std::thread> threads;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) {
        threads.emplace_back(work, i);
    }
    work(0);
    for (std::thread& thread : threads) {
        thread.join();
    }
}

// f32 lanes of the widest vectors, in as many chains as hide a multiply-add's latency and fit
// into registers. GCC makes one function of each target and picks at run time.
constexpr int kChains = 12;
constexpr int64_t kTurns = 4'000'000;
#define XDNA_VECTOR_LOOP(name, target_name, bytes)                          \
    __attribute__((target(target_name))) float name() {                     \
        using Lanes [[gnu::vector_size(bytes)]] = float;                    \
        Lanes sums[kChains];                                                \
        _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) {        \
            sums[i] = Lanes{} + static_cast<float>(i);                      \
        }                                                                   \
        for (int64_t turn = 0; turn < kTurns; ++turn) {                     \
            _Pragma("GCC unroll 12") for (int i = 0; i < kChains; ++i) {    \
                sums[i] = sums[i] * 0.5F + 1.0F;                            \
                asm("" : "+v"(sums[i])); /* in a register, and each turn */ \
            }                                                               \
        }                                                                   \
        Lanes all = sums[0];                                                \
        _Pragma("GCC unroll 12") for (int i = 1; i < kChains; ++i) {        \
            all += sums[i];                                                 \
        }                                                                   \
        return all[0] / kChains;                                            \
    }
XDNA_VECTOR_LOOP(multiply_adds_512, "avx512f", 64)
XDNA_VECTOR_LOOP(multiply_adds_256, "avx2,fma", 32)
XDNA_VECTOR_LOOP(multiply_adds_128, "sse2", 16)
#undef XDNA_VECTOR_LOOP

struct VectorLoop {
    float (*run)();
    int lanes;
};

VectorLoop widest_loop() {
    if (__builtin_cpu_supports("avx512f")) {
        return {multiply_adds_512, 16};
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return {multiply_adds_256, 8};
    }
    return {multiply_adds_128, 4};
}

/// What all cores could do at most in f32, at the clock they keep under it.
void multiply_adds_roof(benchmark::State& state) {
    const VectorLoop loop = widest_loop();
    std::vector<float> results(std::thread::hardware_concurrency());
    while (state.KeepRunning()) {
        on_every_core([&](unsigned thread) { results[thread] = loop.run(); });
    }
    for (const float result : results) {
        if (result != 2.0F) {
            throw std::runtime_error("multiply_adds: " + std::to_string(result) + ", not 2");
        }
    }
    state.counters["macs"] =
        static_cast<double>(kTurns) * kChains * loop.lanes * static_cast<double>(results.size());
}

/// What memory gives all cores at most: more than any cache holds is read once.
void read_roof(benchmark::State& state) {
    constexpr size_t kWords = size_t{192} << 17;  // 192 MiB
    static const std::vector<uint64_t> words(kWords, 1);
    const unsigned cores = std::thread::hardware_concurrency();
    const size_t share = kWords / cores;
    std::vector<uint64_t> sums(cores);
    while (state.KeepRunning()) {
        on_every_core([&](unsigned core) {
            uint64_t sum = 0;
            for (size_t i = core * share; i < (core + 1) * share; ++i) {
                sum += words[i];
            }
            sums[core] = sum;
        });
    }
    for (const uint64_t sum : sums) {
        if (sum != share) {
            throw std::runtime_error("read: " + std::to_string(sum) + ", not " +
                                     std::to_string(share));
        }
    }
    state.counters["bytes"] = static_cast<double>(share * cores * sizeof(uint64_t));
}

std::string shape(const Product& p) {
    return std::to_string(p.m) + "x" + std::to_string(p.n) + "x" + std::to_string(p.k);
}

template <typename T, typename Sum>
void add_products(const std::string& type) {
    const auto add = [&](const char* group, const Product& p) {
        benchmark::RegisterBenchmark((group + ("/cpu/" + type + "/" + shape(p))).c_str(),
                                     matmul<T, Sum>, p)
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
    };
    for (const Product& p : kProducts) {
        add("matmul", p);
    }
    for (const Product& p : kVectors) {
        add("matvec", p);
    }
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    const auto add_roof = [](const char* name, void (*roof)(benchmark::State&)) {
        benchmark::RegisterBenchmark(name, roof)->Unit(benchmark::kMicrosecond)->UseRealTime();
    };
    add_roof("roof/cpu/f32/multiply_adds", multiply_adds_roof);
    add_roof("roof/cpu/memory/read", read_roof);
    add_products<float, float>("f32");
    add_products<int8_t, int32_t>("int8");
    for (int64_t length : {256, 512, 1024, 2048}) {
        benchmark::RegisterBenchmark(
            ("attention/cpu/f32/" + std::to_string(length) + "x64x8").c_str(), attention, length,
            64, 8)
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
    }
    benchmark::AddCustomContext(energy() ? "xdna_CPU energy" : "absent_CPU energy", energy().name);
    const dnnl_version_t* version = dnnl_version();
    benchmark::AddCustomContext("xdna_oneDNN", std::to_string(version->major) + "." +
                                                   std::to_string(version->minor) + "." +
                                                   std::to_string(version->patch));
    try {
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/cpu: %s\n", error.what());
        return 1;
    }
    return 0;
}
