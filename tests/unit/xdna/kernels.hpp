// Runs a test once for each kind of kernel.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/xdna/script.hpp"

namespace xdna::test {

inline std::string kernel_name(const testing::TestParamInfo<Kernel>& row) {
    return row.param.name;
}

}  // namespace xdna::test

/// A fixture whose tests (TEST_P) run on every kernel.
#define XDNA_ON_EVERY_KERNEL(Fixture)                                                      \
    class Fixture : public testing::TestWithParam<Kernel> {};                              \
    INSTANTIATE_TEST_SUITE_P(On, Fixture, testing::Values(kLinux614, kLinux618, kLinux73), \
                             kernel_name)
