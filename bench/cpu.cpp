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
#include <vector>

namespace {

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
    std::vector<Sum> c(static_cast<size_t>(p.m * p.n), Sum{-1});
    while (state.KeepRunning()) {
        multiply(p, a.data(), b.data(), c.data());
        benchmark::DoNotOptimize(c.data());
    }
    check_last(p, a, b, c);
    state.counters["macs"] = static_cast<double>(p.m * p.n * p.k);
    state.counters["bytes"] =
        static_cast<double>((a.size() + b.size()) * sizeof(T) + c.size() * sizeof(Sum));
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
    while (state.KeepRunning()) {
        for (int64_t head = 0; head < heads; ++head) {
            multiply({length, length, head_size}, q.data(), k_transposed.data(), scores.data());
            softmax(scores, length, 1 / std::sqrt(static_cast<float>(head_size)));
            multiply({length, head_size, length}, scores.data(), v.data(), out.data());
            benchmark::DoNotOptimize(out.data());
        }
    }
    state.counters["macs"] = static_cast<double>(2 * heads * length * length * head_size);
    state.counters["bytes"] = static_cast<double>(4 * heads * length * head_size) * sizeof(float);
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
    add_products<float, float>("f32");
    add_products<int8_t, int32_t>("int8");
    for (int64_t length : {256, 512, 1024, 2048}) {
        benchmark::RegisterBenchmark(
            ("attention/cpu/f32/" + std::to_string(length) + "x64x8").c_str(), attention, length,
            64, 8)
            ->Unit(benchmark::kMicrosecond)
            ->UseRealTime();
    }
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
