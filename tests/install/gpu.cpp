// As a user of libxdna-gpu would: weights quantized, multiplied where there is a Vulkan device.
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "xdna/gpu.hpp"

int main() {
    using namespace xdna::gpu;
    const std::vector<float> ones(64, 1.0F);
    const Quantized weights = quantize(Type::kQ4, ones, 64);
    if (weights.stride != 64 || weights.scales.size() != 2) {
        std::puts("quantize() went wrong");
        return 1;
    }
    if (Device::list().empty()) {
        return 0;
    }
    DeviceOptions options;
    options.cache = "none";
    const Device device(options);
    const Buffer a(device, weights.values.size());
    const Buffer scales(device, weights.scales.size() * 2);
    const Buffer b(device, ones.size() * 4);
    const Buffer c(device, 4);
    a.write(weights.values);
    scales.write(std::as_bytes(std::span(weights.scales)));
    b.write(std::as_bytes(std::span(ones)));
    MatmulShape shape;
    shape.m = shape.n = 1;
    shape.k = 64;
    shape.a.type = Type::kQ4;
    const MatmulArguments arguments{{&a, 0}, {&b, 0}, {&c, 0}, {&scales, 0}};
    multiply(device, Matmul(device, shape), arguments);
    float sum = 0;
    c.read(std::as_writable_bytes(std::span(&sum, 1)));
    if (std::fabs(sum - 64) > 0.1F) {
        std::printf("the sum of 64 ones is %g\n", static_cast<double>(sum));
        return 1;
    }
    return 0;
}
