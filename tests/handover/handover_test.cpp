// One memory for the NPU and the GPU: what one wrote is read by the other without a copy.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "kernels/catalog.hpp"
#include "tools/xdna-run/session.hpp"
#include "xdna/gpu.hpp"

namespace xdna {
namespace {

enum class Way { kMapping, kDmabuf };

/// The passthrough kernel on buffers of `bytes`: the NPU reads buffer 0 and writes buffer 1.
run::Session passthrough(std::size_t bytes) {
    const kernels::Kernel& kernel = *kernels::find("passthrough");
    const auto design = kernel.design();
    return {"", static_cast<std::uint32_t>(design.columns()), design.pdi(),
            kernel.command({.bytes = bytes})};
}

class Handover : public testing::TestWithParam<Way> {
  protected:
    static void SetUpTestSuite() {
        if (!gpu::Device::list().empty()) {
            gpu_.emplace();
        }
    }
    static void TearDownTestSuite() { gpu_.reset(); }
    void SetUp() override {
        if (!gpu_) {
            GTEST_SKIP() << "no Vulkan device here";
        }
        const gpu::DeviceInfo& info = gpu_->info();
        if (GetParam() == Way::kDmabuf && !info.dmabuf) {
            GTEST_SKIP() << info.name << " has no VK_EXT_external_memory_dma_buf";
        }
        if (GetParam() == Way::kMapping && !info.host_import) {
            GTEST_SKIP() << info.name << " has no VK_EXT_external_memory_host";
        }
    }
    static gpu::Buffer buffer_of(const Bo& bo) {
        if (GetParam() == Way::kMapping) {
            return gpu::Buffer::import_host(*gpu_, bo.memory(), bo.size());
        }
        const int fd = bo.export_dmabuf();
        gpu::Buffer buffer = gpu::Buffer::import_dmabuf(*gpu_, fd, bo.size());
        EXPECT_EQ(close(fd), 0) << "the descriptor stays the caller's";
        return buffer;
    }
    /// int32 sums of int8 rows: a product with a column of ones.
    static void sum_rows(const gpu::Buffer& rows, const gpu::Buffer& sums) {
        const gpu::Buffer ones(*gpu_, kColumns);
        ones.write(std::vector<std::byte>(kColumns, std::byte{1}));
        const gpu::Matmul product(*gpu_, {.m = kRows,
                                          .n = 1,
                                          .k = kColumns,
                                          .a = {.type = gpu::Type::kI8},
                                          .b = {.type = gpu::Type::kI8},
                                          .c = {.type = gpu::Type::kI32}});
        gpu::multiply(*gpu_, product, {{&rows}, {&ones}, {&sums}, {}});
    }
    static std::vector<std::int8_t> random_rows() {
        std::mt19937 random(7);
        std::vector<std::int8_t> values(std::size_t{kRows} * kColumns);
        std::generate(values.begin(), values.end(),
                      [&] { return static_cast<std::int8_t>(random()); });
        return values;
    }
    static std::vector<std::int32_t> sums_of(const std::vector<std::int8_t>& values) {
        std::vector<std::int32_t> sums;
        for (auto row = values.begin(); row != values.end(); row += kColumns) {
            sums.push_back(std::accumulate(row, row + kColumns, 0));
        }
        return sums;
    }

    static constexpr std::uint32_t kRows = 1024;
    static constexpr std::uint32_t kColumns = 1024;
    static inline std::optional<gpu::Device> gpu_;
};

TEST_P(Handover, GpuReadsWhatTheNpuWrote) {
    const auto rows = random_rows();
    run::Session session = passthrough(rows.size());
    std::copy(rows.begin(), rows.end(), session.buffer(0).begin());
    std::ranges::fill(session.buffer(1), std::uint8_t{0xA5});
    session.run();

    const gpu::Buffer sums(*gpu_, kRows * sizeof(std::int32_t));
    sum_rows(buffer_of(session.bo(1)), sums);
    std::vector<std::int32_t> got(kRows);
    sums.read(std::as_writable_bytes(std::span(got)));
    EXPECT_EQ(got, sums_of(rows));
}

TEST_P(Handover, NpuReadsWhatTheGpuWrote) {
    const auto values = random_rows();
    const gpu::Buffer rows(*gpu_, values.size());
    rows.write(std::as_bytes(std::span(values)));
    run::Session session = passthrough(kRows * sizeof(std::int32_t));
    std::ranges::fill(session.buffer(0), std::uint8_t{0xA5});
    std::ranges::fill(session.buffer(1), std::uint8_t{0xA5});
    sum_rows(rows, buffer_of(session.bo(0)));
    session.run();

    EXPECT_TRUE(std::ranges::equal(session.bo(1).span<std::int32_t>(), sums_of(values)));
}

INSTANTIATE_TEST_SUITE_P(, Handover, testing::Values(Way::kMapping, Way::kDmabuf),
                         [](const auto& way) {
                             return way.param == Way::kMapping ? "Mapping" : "Dmabuf";
                         });

}  // namespace
}  // namespace xdna
