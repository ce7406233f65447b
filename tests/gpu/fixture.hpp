#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/matmul_reference.hpp"
#include "xdna/gpu.hpp"

namespace xdna::test {

/// The device under test, opened once, with the validation layer listening; nullptr where there is
/// no Vulkan here.
const gpu::Device* device();
/// Why device() is nullptr.
const std::string& no_device();
/// What the validation layer has said since the last call.
std::vector<std::string> validation_messages();

/// Skips where there is no device, and fails where the validation layer had something to say.
class GpuTest : public testing::Test {
  protected:
    void SetUp() override {
        if (device() == nullptr) {
            GTEST_SKIP() << no_device();
        }
        validation_messages();
    }
    void TearDown() override {
        for (const std::string& message : validation_messages()) {
            ADD_FAILURE() << message;
        }
    }
    static std::mt19937_64& random() {
        static std::mt19937_64 generator(
            static_cast<std::uint64_t>(testing::UnitTest::GetInstance()->random_seed()));
        return generator;
    }
};

/// An operand in a buffer of the device's own, and its scales.
struct Uploaded {
    explicit Uploaded(const Matrix& matrix);
    gpu::Buffer values, scales;
};

/// Multiplies on the device into poisoned memory, and compares every element.
/// @returns empty where all is right
std::string multiply_and_compare(const gpu::MatmulShape& shape, const std::string& kernel,
                                 std::mt19937_64& random);
/// The names of kernels that compute a shape, one a family: the shape's edges are the same for all
/// tile sizes.
std::vector<std::string> kernel_of_each_family(const gpu::MatmulShape& shape);

}  // namespace xdna::test
