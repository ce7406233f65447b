// What the NPU wrote, handed over to the GPU: from a BO to the end of a product that the GPU makes
// of its bytes. Against `there`, whose bytes lie in the GPU's memory already, the rest is what the
// hand-over costs.
//   build/bench/handover, or build/bin/xdna-emu -- build/bench/handover
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/catalog.hpp"
#include "tools/xdna-run/session.hpp"
#include "xdna/gpu.hpp"

namespace {

using namespace xdna;

constexpr std::uint32_t kColumns = 1024;

const gpu::Device& gpu_device() {
    static const gpu::Device opened;
    return opened;
}

/// The passthrough kernel's output, which the NPU has written.
class Produced {
  public:
    explicit Produced(std::size_t bytes) : bytes_(bytes) {
        const kernels::Kernel* kernel = kernels::find("passthrough");
        const kernels::Command command = kernel->command({.bytes = bytes});
        const auto design = kernel->design();
        session_.emplace("", static_cast<uint32_t>(design.columns()), design.pdi(), command);
        for (std::size_t i = 0; i < command.arguments.size(); i++) {
            const auto buffer = session_->buffer(i);
            if (command.arguments[i].output) {
                output_ = i;
                std::fill(buffer.begin(), buffer.end(), uint8_t{0xA5});
            } else {
                for (std::size_t byte = 0; byte < bytes; byte++) {
                    buffer[byte] = static_cast<uint8_t>(byte * 7 + byte / kColumns);
                }
            }
        }
        session_->run();
    }
    Bo& bo() { return session_->bo(output_); }
    std::size_t bytes() const { return bytes_; }

  private:
    std::size_t bytes_;
    std::optional<run::Session> session_;
    std::size_t output_ = 0;
};

/// Sums of rows of 1024 bytes, as int8: a product that reads all of them.
class RowSums {
  public:
    explicit RowSums(std::size_t bytes)
        : rows_(static_cast<std::uint32_t>(bytes / kColumns)),
          matmul_(gpu_device(), {.m = rows_,
                                 .n = 1,
                                 .k = kColumns,
                                 .a = {.type = gpu::Type::kI8},
                                 .b = {.type = gpu::Type::kI8},
                                 .c = {.type = gpu::Type::kI32}}),
          ones_(gpu_device(), kColumns),
          sums_(gpu_device(), std::size_t{rows_} * 4),
          recording_(gpu_device()) {
        ones_.write(std::vector<std::byte>(kColumns, std::byte{1}));
    }
    /// Once.
    void read_from(const gpu::Buffer& buffer) {
        recording_.matmul(matmul_, {{&buffer}, {&ones_}, {&sums_}, {}});
    }
    void poison() const { sums_.write(std::vector<std::byte>(sums_.size(), std::byte{0xff})); }
    void run() { recording_.wait(recording_.submit()); }
    void check(std::span<const std::int8_t> bytes) const {
        std::vector<std::int32_t> got(rows_);
        sums_.read(std::as_writable_bytes(std::span(got)));
        for (std::uint32_t row = 0; row < rows_; row++) {
            const auto values = bytes.subspan(std::size_t{row} * kColumns, kColumns);
            if (const int wanted = std::accumulate(values.begin(), values.end(), 0);
                got[row] != wanted) {
                throw std::runtime_error("row " + std::to_string(row) + " adds up to " +
                                         std::to_string(got[row]) + ", not " +
                                         std::to_string(wanted));
            }
        }
    }

  private:
    std::uint32_t rows_;
    gpu::Matmul matmul_;
    gpu::Buffer ones_, sums_;
    gpu::Recording recording_;
};

enum class Way { kThere, kCopy, kHost, kDmabuf };

gpu::Buffer buffer_for(Way way, const Bo& bo, std::size_t bytes) {
    if (way == Way::kHost) {
        return gpu::Buffer::import_host(gpu_device(), bo.memory(), bytes);
    }
    if (way == Way::kDmabuf) {
        const int fd = bo.export_dmabuf();
        try {
            gpu::Buffer buffer = gpu::Buffer::import_dmabuf(gpu_device(), fd, bytes);
            close(fd);
            return buffer;
        } catch (...) {
            close(fd);
            throw;
        }
    }
    return {gpu_device(), bytes};
}

void hand_over(benchmark::State& state, Way way) {
    Produced produced(static_cast<std::size_t>(state.range(0)));
    Bo& bo = produced.bo();
    std::optional<gpu::Buffer> buffer;
    try {
        buffer = buffer_for(way, bo, produced.bytes());
    } catch (const gpu::Error& error) {
        state.SkipWithError(error.what());
        return;
    }
    const auto bytes = bo.span().first(produced.bytes());
    if (way == Way::kThere) {
        buffer->write(bytes);
    }
    RowSums sums(produced.bytes());
    sums.read_from(*buffer);
    sums.run();
    sums.poison();
    while (state.KeepRunning()) {
        if (way != Way::kThere) {
            bo.sync_from_device();
        }
        if (way == Way::kCopy) {
            buffer->write(bytes);
        }
        sums.run();
    }
    sums.check(bo.span<std::int8_t>().first(produced.bytes()));
    state.counters["bytes"] = static_cast<double>(produced.bytes());
    state.counters["software"] = gpu_device().info().kind == gpu::DeviceKind::kCpu ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    try {
        if (gpu::Device::list().empty()) {
            std::fputs("bench/handover: no Vulkan device here\n", stderr);
            return 77;
        }
        const auto add = [](const char* name, Way way) {
            benchmark::RegisterBenchmark(name, hand_over, way)
                ->Arg(1 << 16)
                ->Arg(1 << 20)
                ->Arg(1 << 24)
                ->UseRealTime()
                ->Unit(benchmark::kMicrosecond);
        };
        add("handover/gpu/there", Way::kThere);
        add("handover/gpu/copy", Way::kCopy);
        add("handover/gpu/host_import", Way::kHost);
        add("handover/gpu/dmabuf_import", Way::kDmabuf);
        benchmark::RunSpecifiedBenchmarks();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/handover: %s\n", error.what());
        return 1;
    }
    return 0;
}
