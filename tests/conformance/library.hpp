// libxdna's objects with owners, for the cases that go through its C interface.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/fixture.hpp"
#include "xdna/xdna.h"

namespace xdna::conformance {

template <auto Destroy>
struct Destroyer {
    template <typename T>
    void operator()(T* object) const {
        Destroy(object);
    }
};
using Device = std::unique_ptr<xdna_device, Destroyer<xdna_device_close>>;
using Bo = std::unique_ptr<xdna_bo, Destroyer<xdna_bo_destroy>>;
using Hwctx = std::unique_ptr<xdna_hwctx, Destroyer<xdna_hwctx_destroy>>;
using Cmd = std::unique_ptr<xdna_cmd, Destroyer<xdna_cmd_destroy>>;

class Library : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    Status make_bo(xdna_bo_type type, uint64_t size, Bo& out) const;
    /// The BO, or empty; a failure is the test's.
    Bo bo(xdna_bo_type type, uint64_t size) const;
    /// A DEV BO that holds these words, synced.
    Bo dev_bo(const Words& words) const;
    /// What the last call said; every failure must say something.
    static std::string message() { return xdna_error_message(); }

    Device device;
};

/// A context of one column with one CU, and control code that does nothing.
class LibraryContext : public Library {
  protected:
    void SetUp() override;

    Hwctx make_context(const Words& pdi = minimal_pdi()) const;
    Cmd command(xdna_hwctx* on) const;
    /// START_NPU of `code` in a new command of `on`.
    Cmd filled(xdna_hwctx* on, const Bo& code) const;

    static constexpr uint32_t kEmptyCodeBytes = 16;
    Hwctx context;
    Bo empty_code;
};

inline constexpr int64_t kPatienceNs = kPatienceMs * 1'000'000;

}  // namespace xdna::conformance
