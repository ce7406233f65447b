// What a multiplication on a GPU is measured on: fresh random data, results that are poisoned
// before and checked after.
#pragma once

#include <algorithm>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/support/matmul_reference.hpp"

namespace xdna::bench {

/// One case's operands on the device, several times over so that no cache holds all of them.
class Operands {
  public:
    Operands(const gpu::Device& device, const gpu::MatmulShape& shape, std::size_t sets)
        : device_(device),
          problem_(test::random_problem(shape, random())),
          expected_c_(test::poisoned_matrix(shape.c, shape.m, shape.n, 1)) {
        for (std::size_t i = 0; i < sets; i++) {
            a_.push_back(upload(problem_.a.values));
            b_.push_back(upload(problem_.b.values));
            scales_.push_back(problem_.a.scales.empty() ? upload(std::vector<std::byte>(16))
                                                        : upload(as_bytes(problem_.a.scales)));
            c_.push_back(upload(expected_c_.values));
        }
    }

    static std::mt19937_64& random() {
        static std::mt19937_64 generator{std::random_device{}()};
        return generator;
    }
    std::size_t sets() const { return a_.size(); }
    gpu::MatmulArguments arguments(std::size_t set) const {
        return {{&a_[set]}, {&b_[set]}, {&c_[set]}, {&scales_[set]}};
    }
    void poison() const {
        for (const gpu::Buffer& c : c_) {
            c.write(expected_c_.values);
        }
    }
    /// Of every set; the first in full.
    std::string check() const {
        std::vector<std::byte> first;
        for (std::size_t set = 0; set < sets(); set++) {
            test::Matrix c = expected_c_;
            c_[set].read(c.values);
            if (set == 0) {
                if (std::string wrong = test::compare_sampled(problem_, c, 512, random());
                    !wrong.empty()) {
                    return wrong;
                }
                first = c.values;
            } else if (c.values != first) {
                return "sets of the same data differ";
            }
        }
        return "";
    }

  private:
    static std::vector<std::byte> as_bytes(const std::vector<std::uint16_t>& scales) {
        const auto bytes = std::as_bytes(std::span(scales));
        return {bytes.begin(), bytes.end()};
    }
    gpu::Buffer upload(const std::vector<std::byte>& bytes) const {
        gpu::Buffer buffer(device_, bytes.size());
        buffer.write(bytes);
        return buffer;
    }

    const gpu::Device& device_;
    test::Problem problem_;
    test::Matrix expected_c_;
    std::vector<gpu::Buffer> a_, b_, c_, scales_;
};

}  // namespace xdna::bench
