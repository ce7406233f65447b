#include "tools/xdna-run/attention.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>

#include "kernels/attention/attention.hpp"
#include "kernels/attention/quantise.hpp"
#include "tools/xdna-run/files.hpp"
#include "tools/xdna-run/npy.hpp"
#include "tools/xdna-run/session.hpp"

namespace xdna::run {
namespace {

using kernels::attention::Problem;
using kernels::attention::QueryHeader;

// One of q, k and v: numbers as given, and the integers of which value() makes them again.
struct Operand {
    uint64_t heads = 0;
    uint64_t length = 0;
    uint64_t head_size = 0;
    std::vector<double> values;
    std::vector<int8_t> quantised;
    std::vector<double> scale;  // one a row
    bool given_int8 = false;
    // One a channel of each head; none: 1 and 0.
    std::vector<double> channel_scale = {};
    std::vector<double> offset = {};

    uint64_t rows() const { return heads * length; }
    uint64_t channel(uint64_t i) const {
        return i / head_size / length * head_size + i % head_size;
    }
    // `integer`, or what is computed of such, in place i.
    double value(double integer, uint64_t i) const {
        const double scaled = integer * scale[i / head_size];
        return channel_scale.empty() ? scaled
                                     : scaled * channel_scale[channel(i)] + offset[channel(i)];
    }
};

double half_value(uint16_t bits) {
    const double sign = bits >> 15 ? -1 : 1;
    const int exponent = bits >> 10 & 31;
    const int fraction = bits & 0x3FF;
    if (exponent == 31) {
        return fraction ? NAN : sign * INFINITY;
    }
    return sign *
           (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

template <typename T, typename F>
std::vector<double> converted(const Array& array, F&& value) {
    std::vector<double> out(array.data.size() / sizeof(T));
    for (size_t i = 0; i < out.size(); ++i) {
        T element;
        std::memcpy(&element, &array.data[i * sizeof(T)], sizeof(T));
        out[i] = value(element);
    }
    return out;
}
std::vector<double> numbers(const std::string& path, const Array& array) {
    const auto plain = [](auto x) { return static_cast<double>(x); };
    if (array.type == "<f2") {
        return converted<uint16_t>(array, half_value);
    }
    if (array.type == "<f4") {
        return converted<float>(array, plain);
    }
    if (array.type == "<f8") {
        return converted<double>(array, plain);
    }
    if (array.type == "|i1") {
        return converted<int8_t>(array, plain);
    }
    throw std::invalid_argument(path + ": has elements of type " + array.type +
                                "; attention takes f2, f4, f8 and i1");
}

Array read_npy(const std::string& path) {
    const Bytes file = read_file(path);
    try {
        return parse_npy(file);
    } catch (const std::invalid_argument& e) {
        throw std::invalid_argument(path + ": " + e.what());
    }
}

Operand read_operand(const Options& options, const std::string& name) {
    const std::string& path = options.files.at(name);
    const Array array = read_npy(path);
    if (array.shape.size() != 2 && array.shape.size() != 3) {
        throw std::invalid_argument(path + ": is not [heads][length][head size]");
    }
    Operand out;
    out.heads = array.shape.size() == 3 ? array.shape[0] : 1;
    out.length = array.shape[array.shape.size() - 2];
    out.head_size = array.shape.back();
    out.values = numbers(path, array);
    if (std::any_of(out.values.begin(), out.values.end(),
                    [](double x) { return !std::isfinite(x); })) {
        throw std::invalid_argument(path + ": holds infinities or NaNs");
    }
    out.given_int8 = array.type == "|i1";
    if (!out.given_int8) {
        return out;
    }
    std::vector<double> scale(out.heads, 1);
    if (const auto file = options.files.find(name + "_scale"); file != options.files.end()) {
        const Array scales = read_npy(file->second);
        scale = numbers(file->second, scales);
        if (scale.size() != out.heads) {
            throw std::invalid_argument(file->second + ": has " + std::to_string(scale.size()) +
                                        " scales for " + std::to_string(out.heads) + " heads");
        }
    }
    for (uint64_t row = 0; row < out.rows(); ++row) {
        out.scale.push_back(scale[row / out.length]);
    }
    for (size_t i = 0; i < out.values.size(); ++i) {
        out.quantised.push_back(static_cast<int8_t>(out.values[i]));
        out.values[i] *= out.scale[i / out.head_size];
    }
    return out;
}

Operand random_operand(uint64_t heads, uint64_t length, uint64_t head_size,
                       std::mt19937_64& random) {
    Operand out{heads, length, head_size, {}, {}, {}};
    std::normal_distribution<double> normal;
    out.values.resize(out.rows() * head_size);
    std::generate(out.values.begin(), out.values.end(), [&] { return normal(random); });
    return out;
}

// Integers with one scale for each `rows_together` rows, of what is left of the values when each
// channel's offset and scale are taken out.
void quantise_rows(Operand& operand, uint64_t rows_together, uint32_t bits) {
    std::vector<double> left = operand.values;
    if (!operand.channel_scale.empty()) {
        for (size_t i = 0; i < left.size(); ++i) {
            const uint64_t channel = operand.channel(i);
            left[i] = (left[i] - operand.offset[channel]) / operand.channel_scale[channel];
        }
    }
    operand.quantised.resize(left.size());
    operand.scale.resize(operand.rows());
    const uint64_t count = rows_together * operand.head_size;
    for (uint64_t first = 0; first < left.size(); first += count) {
        const double scale =
            kernels::attention::best_scale(std::span(left).subspan(first, count), bits);
        for (uint64_t i = first; i < first + count; ++i) {
            operand.quantised[i] = kernels::attention::quantised(left[i], scale, bits);
            operand.scale[i / operand.head_size] = scale;
        }
    }
}

// Integers of `bits` with one scale and one offset, the mean, for each channel of a head.
void quantise_channels(Operand& operand, uint32_t bits) {
    operand.quantised.resize(operand.values.size());
    operand.scale.assign(operand.rows(), 1);
    const uint64_t d = operand.head_size;
    std::vector<double> column(operand.length);
    for (uint64_t c = 0; c < operand.heads * d; ++c) {
        const uint64_t first = c / d * operand.length * d + c % d;
        double mean = 0;
        for (uint64_t i = 0; i < operand.length; ++i) {
            column[i] = operand.values[first + i * d];
            mean += column[i] / static_cast<double>(operand.length);
        }
        for (double& each : column) {
            each -= mean;
        }
        const double scale = kernels::attention::best_scale(column, bits);
        operand.channel_scale.push_back(scale);
        operand.offset.push_back(mean);
        for (uint64_t i = 0; i < operand.length; ++i) {
            operand.quantised[first + i * d] =
                kernels::attention::quantised(column[i], scale, bits);
        }
    }
}

// 8 bits: Q a scale a query, K and V one a head. 4 bits: K and V one a channel, the mean taken out.
// K's mean adds the same to all scores of a query and so changes nothing, its channels' scales go
// to Q; V's are the reader's affair.
void quantise(Operand& q, Operand& k, Operand& v, kernels::attention::Widths widths) {
    const auto one = [](Operand& operand, uint32_t bits) {
        if (!operand.given_int8 && bits == 8) {
            quantise_rows(operand, operand.length, bits);
        } else if (!operand.given_int8) {
            quantise_channels(operand, bits);
        }
    };
    one(v, widths.v);
    if (widths.k == 8 || !q.given_int8) {
        one(k, widths.k);
    } else if (!k.given_int8) {
        quantise_rows(k, k.length, widths.k);
    }
    if (q.given_int8) {
        return;
    }
    if (!k.channel_scale.empty()) {
        q.offset.assign(q.heads * q.head_size, 0);
        for (uint64_t c = 0; c < q.heads * q.head_size; ++c) {
            const uint64_t shared = c / q.head_size / (q.heads / k.heads);
            q.channel_scale.push_back(1 / k.channel_scale[shared * q.head_size + c % q.head_size]);
        }
    }
    quantise_rows(q, 1, 8);
}

// As the integers have it.
std::vector<double> dequantised(const Operand& operand) {
    std::vector<double> out(operand.quantised.size());
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = operand.value(operand.quantised[i], i);
    }
    return out;
}

std::span<const double> head_of(const std::vector<double>& values, uint64_t head, uint64_t heads) {
    const size_t each = values.size() / heads;
    return std::span(values).subspan(head * each, each);
}

std::vector<double> exact(const Problem& p, const std::vector<double>& q,
                          const std::vector<double>& k, const std::vector<double>& v) {
    const std::vector<double> scale(p.length, 1 / std::sqrt(p.head_size));
    std::vector<uint32_t> visible;
    for (uint32_t i = 0; i < p.length; ++i) {
        visible.push_back(p.visible(i));
    }
    std::vector<double> out;
    for (uint32_t head = 0; head < p.heads; ++head) {
        const uint32_t shared = head / (p.heads / p.kv_heads);
        const auto one = kernels::attention::exact(
            p.head_size, scale, visible, head_of(q, head, p.heads), head_of(k, shared, p.kv_heads),
            head_of(v, shared, p.kv_heads));
        out.insert(out.end(), one.begin(), one.end());
    }
    return out;
}

const kernels::Kernel& find_kernel(const std::string& name, uint64_t head_size) {
    const std::string wanted =
        name.find("_d") == std::string::npos ? name + "_d" + std::to_string(head_size) : name;
    const kernels::Kernel* const kernel = kernels::find(wanted);
    if (kernel == nullptr) {
        throw std::invalid_argument("no kernel '" + wanted + "'; xdna-run --list names them");
    }
    return *kernel;
}

// A kernel's name, where a file of its set-up is given.
std::string name_of(const std::string& kernel) {
    return std::filesystem::path(kernel).stem().string();
}

std::vector<Operand> operands(const Options& options) {
    for (const auto& [name, file] : options.files) {
        static const char* const kNames[] = {"q", "k", "v", "o", "q_scale", "k_scale", "v_scale"};
        if (std::find(std::begin(kNames), std::end(kNames), name) == std::end(kNames)) {
            throw std::invalid_argument("--" + name + ": attention has no such argument");
        }
    }
    const size_t given =
        options.files.count("q") + options.files.count("k") + options.files.count("v");
    for (const auto* const list : {&options.inputs, &options.outputs}) {
        if (!list->empty()) {
            throw std::invalid_argument(list->front() +
                                        ": files for attention are named: --q, --k, --v, --o");
        }
    }
    if (given == 3) {
        for (const char* const size : {"heads", "kv-heads", "length", "head-size"}) {
            if (options.sizes.contains(size)) {
                throw std::invalid_argument(std::string("--") + size +
                                            ": the files of q, k and v say it");
            }
        }
        return {read_operand(options, "q"), read_operand(options, "k"), read_operand(options, "v")};
    }
    if (given != 0) {
        throw std::invalid_argument("--q, --k and --v: all three of them, or none");
    }
    const uint64_t heads = options.shape.heads ? options.shape.heads : 8;
    const uint64_t kv_heads = options.shape.kv_heads ? options.shape.kv_heads : heads;
    const std::string name = name_of(options.kernel);
    const size_t suffix = name.rfind("_d");
    uint64_t head_size = options.head_size ? options.head_size : 64;
    for (const uint64_t each : {32, 64, 128}) {
        if (suffix != std::string::npos && name.substr(suffix + 2) == std::to_string(each)) {
            head_size = each;
        }
    }
    if (options.head_size && options.head_size != head_size) {
        throw std::invalid_argument("--head-size: " + name + " has " + std::to_string(head_size));
    }
    const uint64_t length =
        options.shape.length ? options.shape.length : find_kernel(name, head_size).example().length;
    std::mt19937_64 random(options.seed);
    return {random_operand(heads, length, head_size, random),
            random_operand(kv_heads, length, head_size, random),
            random_operand(kv_heads, length, head_size, random)};
}

std::string in_words(const kernels::attention::Error& error) {
    char text[120];
    std::snprintf(text, sizeof text, "cosine %.6f, largest error %.4f of %.4f", error.cosine,
                  error.largest, error.largest_expected);
    return text;
}

}  // namespace

bool is_attention(const std::string& kernel) {
    return name_of(kernel).starts_with("attention_") &&
           std::filesystem::path(kernel).extension() != ".json";
}

int run_attention(const Options& options) {
    auto all = operands(options);
    Operand& q = all[0];
    Operand& k = all[1];
    Operand& v = all[2];
    if (k.length != q.length || v.length != q.length || k.head_size != q.head_size ||
        v.head_size != q.head_size || v.heads != k.heads) {
        throw std::invalid_argument(
            "q, k and v differ in length or head size, or k and v in heads");
    }
    const kernels::Kernel& kernel = find_kernel(name_of(options.kernel), q.head_size);
    check_sizes(options, kernel, {"head-size"});
    kernels::Shape shape;
    shape.heads = q.heads;
    shape.kv_heads = k.heads;
    shape.length = q.length;
    shape.causal = options.shape.causal;
    const Problem problem = attention_problem(kernel, shape);
    if (problem.head_size != q.head_size) {
        throw std::invalid_argument(std::string(kernel.name()) + " has head size " +
                                    std::to_string(problem.head_size) + ", q " +
                                    std::to_string(q.head_size));
    }
    quantise(q, k, v, problem.widths);
    std::vector<QueryHeader> headers;
    const uint64_t group = q.heads / k.heads;
    const double root = std::sqrt(static_cast<double>(q.head_size));
    for (uint64_t head = 0; head < q.heads; ++head) {
        const double k_scale = k.scale[head / group * k.length];
        double largest = 0;
        for (uint64_t i = 0; i < q.length; ++i) {
            largest = std::max(largest, q.scale[head * q.length + i] * k_scale / root);
        }
        for (uint64_t i = 0; i < q.length; ++i) {
            headers.push_back(kernels::attention::score_scale(
                problem.head_size, problem.widths, q.scale[head * q.length + i] * k_scale / root,
                largest));
        }
    }
    const Bytes q_buffer = pack_queries(problem, q.quantised, headers);
    const Bytes kv_buffer = pack_keys(problem, k.quantised, v.quantised);
    const auto command = kernel.command(shape);
    Session session(options.device, static_cast<uint32_t>(kernel.design().columns()),
                    read_pdi(kernel_file(std::filesystem::path(options.kernel).has_extension()
                                             ? options.kernel
                                             : std::string(kernel.name()))),
                    command);
    std::copy(q_buffer.begin(), q_buffer.end(), session.buffer(0).begin());
    std::copy(kv_buffer.begin(), kv_buffer.end(), session.buffer(1).begin());
    const auto o_buffer = session.buffer(2);
    std::fill(o_buffer.begin(), o_buffer.end(), uint8_t{0xA5});
    std::vector<double> seconds;
    for (unsigned i = 0; i < options.repeat; ++i) {
        seconds.push_back(session.run());
    }
    if (!options.buffers.empty()) {
        session.write_buffers(options.buffers);
    }

    const Bytes raw(o_buffer.begin(),
                    o_buffer.begin() + static_cast<ptrdiff_t>(command.arguments[2].bytes));
    const auto bits = unpack_output(problem, raw);
    std::vector<double> o(bits.size());
    for (size_t i = 0; i < o.size(); ++i) {
        const uint64_t each = q.length * q.head_size;
        o[i] =
            v.value(kernels::attention::value_of_bf16(bits[i]), i / each / group * each + i % each);
    }
    if (const auto file = options.files.find("o"); file != options.files.end()) {
        Array array{"<f4", {q.heads, q.length, q.head_size}, Bytes(o.size() * 4)};
        for (size_t i = 0; i < o.size(); ++i) {
            const auto value = static_cast<float>(o[i]);
            std::memcpy(&array.data[i * 4], &value, 4);
        }
        write_file(file->second, serialize_npy(array));
    }

    nlohmann::json report = {
        {"kernel", kernel.name()},     {"device", session.where()}, {"heads", q.heads},
        {"length", q.length},          {"head_size", q.head_size},  {"causal", shape.causal},
        {"seconds_first", seconds[0]}, {"result", "not checked"}};
    std::string text = std::string(kernel.name()) + " on " + session.where() + ": " +
                       std::to_string(q.heads) + " heads of " + std::to_string(q.length) +
                       (shape.causal ? " tokens, causal" : " tokens");
    bool wrong = false;
    if (options.check) {
        wrong = bits != unpack_output(problem, reference(problem, q_buffer, kv_buffer));
        report["result"] = wrong ? "WRONG" : "correct";
        text += wrong ? ": WRONG, not what the reference computes"
                      : ": bit for bit what the reference computes";
        const auto add = [&](const char* key, const char* what, const std::vector<double>& to) {
            const auto error = kernels::attention::compare(o, to);
            report[key] = {{"cosine", error.cosine},
                           {"largest_error", error.largest},
                           {"largest_value", error.largest_expected}};
            text += std::string("\n  to float64 attention on ") + what + ": " + in_words(error);
        };
        add("to_float64_of_integers", "the quantised values",
            exact(problem, dequantised(q), dequantised(k), dequantised(v)));
        if (!q.given_int8) {
            add("to_float64", "the original values", exact(problem, q.values, k.values, v.values));
        }
    }
    std::cout << (options.json ? report.dump(2) : text) << "\n";
    return wrong ? 1 : 0;
}

}  // namespace xdna::run
