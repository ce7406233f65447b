// The GPU's side of the comparison: products by the GPU module, and attention made of two of them,
// on the Vulkan device that $XDNA_GPU names, or the fastest kind. Names are as
// bench/report/records.py has them, times are the device's own timestamps, and what was timed is
// checked.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/energy.hpp"
#include "bench/gpu_operands.hpp"
#include "bench/gpu_pass.hpp"

namespace {

using namespace xdna;
using bench::EnergyMeter;
using bench::EnergySensor;
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

constexpr std::uint32_t kHeads = 8;
constexpr std::uint32_t kHeadSize = 64;

namespace shaders {
using gpu::detail::Module;
#include "bench/shaders.inc"
}  // namespace shaders

const gpu::detail::Module& shader(std::string_view name) {
    return *std::find_if(std::begin(shaders::kModules), std::end(shaders::kModules),
                         [&](const gpu::detail::Module& module) { return module.name == name; });
}

const gpu::Device& device() {
    static const gpu::Device opened;
    return opened;
}

bool is_software() {
    return device().info().kind == gpu::DeviceKind::kCpu;
}

/// A GPU that was idle takes its time to raise its clocks.
template <class Run>
void warm_up(Run run) {
    const double enough = is_software() ? 0 : 0.1;
    for (double busy = 0; busy <= enough;) {
        busy += run();
    }
}

/// Times `run`, which returns the device time of `repeats` operations, and counts what one did.
template <class Run>
void measure(benchmark::State& state, std::size_t repeats, double macs, double bytes, Run run) {
    static const EnergySensor sensor = bench::gpu_energy();
    EnergyMeter meter(is_software() ? EnergySensor{} : sensor);
    while (state.KeepRunning()) {
        state.SetIterationTime(run() / static_cast<double>(repeats));
    }
    if (const auto joules = meter.joules()) {
        state.counters["joules"] =
            *joules / static_cast<double>(repeats * static_cast<std::size_t>(state.iterations()));
    }
    if (macs != 0) {
        state.counters["macs"] = macs;
    }
    if (bytes != 0) {
        state.counters["bytes"] = bytes;
    }
    state.counters["software"] = is_software() ? 1 : 0;
}

/// A benchmark's function is called several times a repetition: it finds here what it used last.
template <class Prepared, class... Arguments>
Prepared& prepared(const Arguments&... arguments) {
    static std::unique_ptr<Prepared> last;
    if (!last || !last->is(arguments...)) {
        last.reset();  // its memory first
        last = std::make_unique<Prepared>(arguments...);
    }
    return *last;
}

struct PreparedMatmul {
    PreparedMatmul(const Types& types, const Product& product)
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
    bool is(const Types& types, const Product& product) const {
        return of_types == &types && of_product == &product;
    }

    const Types* of_types;
    const Product* of_product;
    gpu::Matmul matmul;
    std::size_t bytes;
    bench::Operands operands;
};

void matmul(benchmark::State& state, const Types& types, const Product& product) {
    const double macs = 1.0 * product.m * product.n * product.k;
    if (is_software() && macs > kSoftwareMacs) {
        state.SkipWithError("too much for Vulkan on the CPU");
        return;
    }
    const auto& p = prepared<PreparedMatmul>(types, product);
    // What takes microseconds would be timed together with its timestamps.
    const std::size_t repeats = is_software() ? 1 : std::max<std::size_t>(16, p.operands.sets());
    gpu::Recording recording(device());
    for (std::size_t i = 0; i < repeats; i++) {
        recording.matmul(p.matmul, p.operands.arguments(i % p.operands.sets()));
    }
    const auto run = [&] {
        recording.submit();
        return recording.finished_after().back();
    };
    warm_up(run);
    p.operands.poison();
    measure(state, repeats, macs, static_cast<double>(p.bytes), run);
    if (const std::string wrong = p.operands.check(); !wrong.empty()) {
        throw std::runtime_error(std::string(types.name) + ", " + p.matmul.kernel() + ": " + wrong);
    }
    state.SetLabel(p.matmul.kernel());
}

/// Scores = Q K^T in f32, their softmax in f16, out = probabilities V; V as columns, as caches have
/// it. f16 in, f32 out, batches of heads.
class Attention {
  public:
    explicit Attention(std::uint32_t length)
        : length_(length),
          scores_matmul_(device(), {.m = length,
                                    .n = length,
                                    .k = kHeadSize,
                                    .batch = kHeads,
                                    .a = {.type = Type::kF16},
                                    .b = {.type = Type::kF16, .transposed = true}}),
          out_matmul_(device(), {.m = length,
                                 .n = kHeadSize,
                                 .k = length,
                                 .batch = kHeads,
                                 .a = {.type = Type::kF16},
                                 .b = {.type = Type::kF16, .transposed = true}}),
          q_(random_f16()),
          k_(random_f16()),
          v_(random_f16()),
          q_there_(upload(q_)),
          k_there_(upload(k_)),
          v_there_(upload(v_)),
          scores_(device(), scores_matmul_.bytes_c()),
          probabilities_(device(), out_matmul_.bytes_a()),
          out_(device(), out_matmul_.bytes_c()),
          first_(device()),
          softmax_(device(), shader("softmax"), scores_, probabilities_,
                   {length, std::bit_cast<std::uint32_t>(scale()), 0}, kHeads * length),
          second_(device()) {
        first_.matmul(scores_matmul_, {{&q_there_}, {&k_there_}, {&scores_}, {}});
        second_.matmul(out_matmul_, {{&probabilities_}, {&v_there_}, {&out_}, {}});
    }
    bool is(std::uint32_t length) const { return length_ == length; }

    double macs() const { return 2.0 * kHeads * length_ * length_ * kHeadSize; }
    double bytes() const { return static_cast<double>(3 * q_.size() * 2 + out_.size()); }

    /// Device time of the three submissions, one right after the other.
    double run() {
        first_.submit();
        softmax_.submit();
        second_.submit();
        return first_.finished_after().back() + softmax_.seconds() +
               second_.finished_after().back();
    }

    void poison() const {
        for (const gpu::Buffer* buffer : {&scores_, &probabilities_, &out_}) {
            buffer->write(std::vector<std::byte>(buffer->size(), std::byte{0xff}));
        }
    }

    /// Every element for having been written, some rows against float64.
    std::string check() const {
        std::vector<float> out(out_.size() / sizeof(float));
        out_.read(std::as_writable_bytes(std::span(out)));
        for (const float value : out) {
            if (!std::isfinite(value)) {
                return "an element is " + std::to_string(value);
            }
        }
        std::mt19937 random(2);
        for (int sample = 0; sample < 16; sample++) {
            const std::size_t row = random() % (kHeads * length_);
            const std::vector<double> wanted = reference(row);
            for (std::size_t d = 0; d < kHeadSize; d++) {
                // Probabilities are rounded to f16, and the values about 1 in size.
                const double got = out[row * kHeadSize + d];
                if (std::fabs(got - wanted[d]) > 2e-3) {
                    return "out[" + std::to_string(row) + "][" + std::to_string(d) + "] is " +
                           std::to_string(got) + ", not " + std::to_string(wanted[d]);
                }
            }
        }
        return "";
    }

  private:
    static float scale() { return 1 / std::sqrt(static_cast<float>(kHeadSize)); }

    std::vector<std::uint16_t> random_f16() const {
        static std::mt19937 random(1);
        std::normal_distribution<float> normal;
        std::vector<std::uint16_t> values(std::size_t{kHeads} * length_ * kHeadSize);
        std::generate(values.begin(), values.end(), [&] { return gpu::to_f16(normal(random)); });
        return values;
    }
    static gpu::Buffer upload(const std::vector<std::uint16_t>& values) {
        gpu::Buffer buffer(device(), values.size() * 2);
        buffer.write(std::as_bytes(std::span(values)));
        return buffer;
    }

    std::vector<double> reference(std::size_t row) const {
        const std::size_t head = row / length_;
        const auto value = [&](const std::vector<std::uint16_t>& of, std::size_t i) {
            return static_cast<double>(gpu::from_f16(of[head * length_ * kHeadSize + i]));
        };
        std::vector<double> weights(length_);
        double sum = 0;
        for (std::size_t key = 0; key < length_; key++) {
            double score = 0;
            for (std::size_t d = 0; d < kHeadSize; d++) {
                score += gpu::from_f16(q_[row * kHeadSize + d]) * value(k_, key * kHeadSize + d);
            }
            weights[key] = std::exp(score * scale());
            sum += weights[key];
        }
        std::vector<double> out(kHeadSize);
        for (std::size_t d = 0; d < kHeadSize; d++) {
            for (std::size_t key = 0; key < length_; key++) {
                out[d] += weights[key] / sum * value(v_, d * length_ + key);
            }
        }
        return out;
    }

    std::uint32_t length_;
    gpu::Matmul scores_matmul_, out_matmul_;
    std::vector<std::uint16_t> q_, k_, v_;
    gpu::Buffer q_there_, k_there_, v_there_, scores_, probabilities_, out_;
    gpu::Recording first_;
    bench::Pass softmax_;
    gpu::Recording second_;
};

void attention(benchmark::State& state, std::uint32_t length) {
    auto& p = prepared<Attention>(length);
    const auto run = [&] { return p.run(); };
    if (!is_software() || p.macs() <= kSoftwareMacs) {
        warm_up(run);
    }
    p.poison();
    measure(state, 1, p.macs(), p.bytes(), run);
    if (const std::string wrong = p.check(); !wrong.empty()) {
        throw std::runtime_error("attention, " + std::to_string(length) + ": " + wrong);
    }
}

/// Every sum that a roof's shader wrote.
template <class Value>
void require_all(const gpu::Buffer& sums, Value wanted, const char* what) {
    std::vector<Value> got(sums.size() / sizeof(Value));
    sums.read(std::as_writable_bytes(std::span(got)));
    for (const Value value : got) {
        if (value != wanted) {
            throw std::runtime_error(std::string(what) + ": " + std::to_string(value) + ", not " +
                                     std::to_string(wanted));
        }
    }
}

/// What the device's lanes could do at most in f32; its matrix units do more.
void multiply_adds_roof(benchmark::State& state) {
    const std::uint32_t groups = is_software() ? 16 : 4096;
    constexpr std::uint32_t kTurns = 512;
    const gpu::Buffer sums(device(), std::size_t{groups} * bench::Pass::kLocalSize * 4);
    bench::Pass pass(
        device(), shader("multiply_adds"), sums, sums,
        {kTurns, std::bit_cast<std::uint32_t>(0.5F), std::bit_cast<std::uint32_t>(1.F)}, groups);
    const auto run = [&] {
        pass.submit();
        return pass.seconds();
    };
    warm_up(run);
    measure(state, 1, 64.0 * kTurns * groups * bench::Pass::kLocalSize, 0, run);
    require_all(sums, 2.F, "multiply_adds");
}

void read_roof(benchmark::State& state) {
    constexpr std::uint32_t kTurns = 64;
    const std::size_t bytes = std::size_t{is_software() ? 32U : 1024U} << 20;
    const auto groups = static_cast<std::uint32_t>(bytes / (16 * kTurns * bench::Pass::kLocalSize));
    const gpu::Buffer words(device(), bytes);
    words.write(std::vector<std::byte>(bytes, std::byte{1}));
    const gpu::Buffer sums(device(), std::size_t{groups} * bench::Pass::kLocalSize * 4);
    bench::Pass pass(device(), shader("read"), words, sums, {kTurns, 0, 0}, groups);
    const auto run = [&] {
        pass.submit();
        return pass.seconds();
    };
    warm_up(run);
    measure(state, 1, 0, static_cast<double>(bytes), run);
    require_all(sums, 4U * kTurns * 0x01010101U, "read");
}

template <class Function>
void add(const std::string& name, Function function) {
    benchmark::RegisterBenchmark(name.c_str(), function)
        ->UseManualTime()
        ->Unit(benchmark::kMicrosecond);
}

void add_all() {
    add("roof/gpu/f32/multiply_adds", multiply_adds_roof);
    add("roof/gpu/memory/read", read_roof);
    for (const Types& types : kTypes) {
        for (const Product& product : kProducts) {
            const std::string shape = std::to_string(product.m) + "x" + std::to_string(product.n) +
                                      "x" + std::to_string(product.k);
            add((product.m == 1 ? "matvec/gpu/" : "matmul/gpu/") + std::string(types.name) + "/" +
                    shape,
                [&](benchmark::State& state) { matmul(state, types, product); });
        }
    }
    for (const std::uint32_t length : {256, 512, 1024, 2048}) {
        add("attention/gpu/f16/" + std::to_string(length) + "x" + std::to_string(kHeadSize) + "x" +
                std::to_string(kHeads),
            [length](benchmark::State& state) { attention(state, length); });
    }
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
        if (info.kind != gpu::DeviceKind::kCpu) {
            const EnergySensor sensor = bench::gpu_energy();
            benchmark::AddCustomContext(sensor ? "xdna_GPU energy" : "absent_GPU energy",
                                        sensor.name);
        }
        add_all();
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/gpu: %s\n", error.what());
        return 1;
    }
    return 0;
}
