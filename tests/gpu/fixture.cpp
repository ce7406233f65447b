#include "tests/gpu/fixture.hpp"

#include <algorithm>
#include <memory>
#include <mutex>

namespace xdna::test {
namespace {

std::mutex lock;
std::vector<std::string> messages;
std::string reason;

std::unique_ptr<gpu::Device> open() {
    const auto listen = [](const std::string& message) {
        const std::lock_guard guard(lock);
        messages.push_back(message);
    };
    if (gpu::Device::list().empty()) {
        reason = "no Vulkan device here (Debian: mesa-vulkan-drivers)";
        return nullptr;
    }
    gpu::DeviceOptions options{.cache = "none", .validate = true, .on_message = listen};
    try {
        return std::make_unique<gpu::Device>(options);
    } catch (const gpu::Error& error) {
        if (error.code() != gpu::ErrorCode::kUnsupported) {
            throw;
        }
        std::printf("without validation: %s\n", error.what());
        options.validate = false;
        return std::make_unique<gpu::Device>(options);
    }
}

std::vector<std::byte> bytes_or_one(const std::vector<std::uint16_t>& scales) {
    const auto bytes = std::as_bytes(std::span(scales));
    return scales.empty() ? std::vector<std::byte>(1)
                          : std::vector<std::byte>(bytes.begin(), bytes.end());
}

gpu::Buffer upload(std::span<const std::byte> bytes) {
    gpu::Buffer buffer(*device(), bytes.size());
    buffer.write(bytes);
    return buffer;
}

}  // namespace

const gpu::Device* device() {
    static std::unique_ptr<gpu::Device> opened = open();
    // Closed before main() ends: afterwards drivers take their own libraries down.
    class Closing : public testing::Environment {
        void TearDown() override { opened.reset(); }
    };
    static const testing::Environment* const kClosing =
        testing::AddGlobalTestEnvironment(new Closing);  // GoogleTest owns it
    static_cast<void>(kClosing);
    return opened.get();
}

const std::string& no_device() {
    return reason;
}

std::vector<std::string> validation_messages() {
    const std::lock_guard guard(lock);
    return std::exchange(messages, {});
}

Uploaded::Uploaded(const Matrix& matrix)
    : values(upload(matrix.values)), scales(upload(bytes_or_one(matrix.scales))) {}

std::string multiply_and_compare(const gpu::MatmulShape& shape, const std::string& kernel,
                                 std::mt19937_64& random) {
    const gpu::Matmul matmul(*device(), shape, {.kernel = kernel});
    const Problem problem = random_problem(shape, random);
    const Uploaded a(problem.a);
    const Uploaded b(problem.b);
    Matrix c = poisoned_matrix(shape.c, shape.m, shape.n, shape.batch);
    const std::vector<std::byte> before = c.values;
    const gpu::Buffer result(*device(), c.values.size());
    result.write(c.values);
    const gpu::View scales{problem.a.scales.empty() ? &b.scales : &a.scales};
    gpu::multiply(*device(), matmul, {{&a.values}, {&b.values}, {&result}, scales});
    result.read(c.values);
    if (std::string wrong = compare_all(problem, c); !wrong.empty()) {
        return matmul.kernel() + ": " + wrong;
    }
    // Gaps between rows are the caller's.
    std::vector<bool> inside(c.values.size());
    const std::size_t size = gpu::bytes_of(shape.c.type, 1);
    for (std::uint32_t i = 0; i < shape.batch; i++) {
        for (std::uint32_t row = 0; row < shape.m; row++) {
            for (std::uint32_t column = 0; column < shape.n; column++) {
                std::fill_n(
                    inside.begin() + static_cast<std::ptrdiff_t>(c.index(i, row, column) * size),
                    size, true);
            }
        }
    }
    for (std::size_t i = 0; i < inside.size(); i++) {
        if (!inside[i] && c.values[i] != before[i]) {
            return matmul.kernel() + ": byte " + std::to_string(i) +
                   " of c is between rows, and was written";
        }
    }
    return "";
}

std::vector<std::string> kernel_of_each_family(const gpu::MatmulShape& shape) {
    std::vector<std::string> kernels;
    for (const std::string& name : gpu::Matmul::kernels(*device(), shape)) {
        const std::string family = name.substr(0, name.find(' ') + 1);
        if (name.find("splits 1") != std::string::npos ||
            name.find("splits") == std::string::npos) {
            if (std::none_of(kernels.begin(), kernels.end(), [&](const std::string& kernel) {
                    return kernel.starts_with(family);
                })) {
                kernels.push_back(name);
            }
        }
    }
    return kernels;
}

}  // namespace xdna::test
