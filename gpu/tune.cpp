#include "gpu/tune.hpp"

#include <algorithm>
#include <limits>
#include <random>

#include "gpu/device.hpp"
#include "gpu/problem.hpp"

namespace xdna::gpu::detail {
namespace {

/// Operands that multiply without infinities, whatever their type.
void fill(const Buffer& buffer, Type type) {
    std::minstd_rand random(1);
    std::vector<std::byte> bytes(buffer.size());
    if (bits_of(type) == 16) {
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
            // Between 0.5 and 2 in f16, and small in bf16.
            bytes[i] = static_cast<std::byte>(random());
            bytes[i + 1] = static_cast<std::byte>(0x38 + (random() & 7));
        }
    } else if (type == Type::kF32) {
        for (std::size_t i = 0; i + 3 < bytes.size(); i += 4) {
            bytes[i + 2] = static_cast<std::byte>(random());
            bytes[i + 3] = std::byte{0x3f};
        }
    } else {
        std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random()); });
    }
    buffer.write(bytes);
}

double seconds(const Device& device, const Matmul& matmul, const MatmulArguments& arguments) {
    constexpr int kRepeats = 3;
    Recording recording(device, Timing::kEach);
    for (int i = 0; i < kRepeats; i++) {
        recording.matmul(matmul, arguments);
    }
    double best = std::numeric_limits<double>::infinity();
    recording.submit();
    for (int round = 0; round < 2; round++) {
        recording.submit();
        const auto ends = recording.finished_after();
        for (std::size_t i = 0; i < ends.size(); i++) {
            best = std::min(best, ends[i] - (i == 0 ? 0 : ends[i - 1]));
        }
    }
    return best;
}

}  // namespace

Choice tuned_choice(const Device& device, const MatmulShape& shape, const Problem& problem,
                    std::vector<Choice>&& list) {
    // Without timestamps there is nothing to go by.
    if (list.size() == 1 || device.info().timestamp_period == 0) {
        return std::move(list.front());
    }
    DeviceState& state = *device.state();
    const std::string key = device.info().driver + " " + problem.key();
    if (const auto kept = state.tuned(key)) {
        const auto found = std::find_if(list.begin(), list.end(),
                                        [&](const Choice& choice) { return choice.name == *kept; });
        if (found != list.end()) {
            return std::move(*found);
        }
    }
    const Matmul sizes(device, shape);
    const auto operand = [&device](std::size_t bytes, Type type) {
        const Buffer buffer(device, bytes);
        fill(buffer, type);
        return buffer;
    };
    const Buffer a = operand(sizes.bytes_a(), shape.a.type);
    const Buffer b = operand(sizes.bytes_b(), shape.b.type);
    const Buffer c(device, sizes.bytes_c());
    const std::size_t scale_bytes = scale_bytes_of(problem.a.type, problem.a.span(problem.batch));
    const Buffer scales = operand(std::max<std::size_t>(scale_bytes, 1), Type::kF16);
    const MatmulArguments arguments{{&a}, {&b}, {&c}, {scale_bytes != 0 ? &scales : nullptr}};

    double best = std::numeric_limits<double>::infinity();
    std::string fastest;
    for (const Choice& choice : list) {
        // A family that is far behind by its prediction is not worth compiling.
        if (choice.cost > 4 * list.front().cost && choice.cost > 0 && list.front().cost > 0) {
            continue;
        }
        const double time =
            seconds(device, Matmul(device, shape, {.kernel = choice.name}), arguments);
        if (time < best) {
            best = time;
            fastest = choice.name;
        }
    }
    state.keep_tuned(key, fastest);
    return std::move(*std::find_if(list.begin(), list.end(),
                                   [&](const Choice& choice) { return choice.name == fastest; }));
}

}  // namespace xdna::gpu::detail
