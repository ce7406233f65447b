// What libxdna's calls cost: opening, BOs, sync, copies, contexts, and commands that do nothing.
//   build/bench/xdna, or build/bin/xdna-emu -- build/bench/xdna
#include <benchmark/benchmark.h>

#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "bench/empty_command.hpp"
#include "xdna/xdna.hpp"

namespace xdna::bench {
namespace {

Device& device() {
    static Device opened;
    return opened;
}

/// The context of the command benchmarks. Made once, after the benchmarks that make contexts of all
/// columns: a context takes columns and firmware.
EmptyCommands& commands() {
    static EmptyCommands made(device());
    return made;
}

void open_close(benchmark::State& state) {
    while (state.KeepRunning()) {
        const Device opened;
        benchmark::DoNotOptimize(opened.get());
    }
}
BENCHMARK(open_close)->Name("setup/npu/open/1")->UseRealTime();

/// Columns.
void create_context(benchmark::State& state) {
    const auto columns = static_cast<uint32_t>(state.range(0));
    while (state.KeepRunning()) {
        const HwContext hwctx(device(), columns);
        benchmark::DoNotOptimize(hwctx.get());
    }
}
BENCHMARK(create_context)->Name("setup/npu/context")->Arg(1)->Arg(4)->UseRealTime();

/// With a PDI of nothing; the context's making and end are left out.
void configure_context(benchmark::State& state) {
    const image::Bytes pdi = EmptyCommands::pdi();
    while (state.KeepRunning()) {
        state.PauseTiming();
        {
            HwContext hwctx(device(), 1);
            state.ResumeTiming();
            hwctx.configure(std::as_bytes(std::span(pdi)));
            state.PauseTiming();
        }
        state.ResumeTiming();
    }
}
BENCHMARK(configure_context)->Name("setup/npu/configure/1")->UseRealTime();

void create_map_destroy(benchmark::State& state, xdna_bo_type type) {
    const auto size = static_cast<uint64_t>(state.range(0));
    while (state.KeepRunning()) {
        Bo bo(device(), type, size);
        benchmark::DoNotOptimize(bo.memory());
    }
}
BENCHMARK_CAPTURE(create_map_destroy, share, XDNA_BO_SHARE)
    ->Name("bo/npu/share")
    ->RangeMultiplier(16)
    ->Range(4096, 64 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(create_map_destroy, dev, XDNA_BO_DEV)
    ->Name("bo/npu/dev")
    ->RangeMultiplier(16)
    ->Range(4096, 16 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(create_map_destroy, cmd, XDNA_BO_CMD)
    ->Name("bo/npu/cmd")
    ->Arg(4096)
    ->UseRealTime();

void export_dmabuf(benchmark::State& state) {
    const Bo bo(device(), XDNA_BO_SHARE, static_cast<uint64_t>(state.range(0)));
    while (state.KeepRunning()) {
        close(bo.export_dmabuf());
    }
}
BENCHMARK(export_dmabuf)->Name("bo/npu/export")->Arg(4096)->Arg(1 << 20)->UseRealTime();

/// By the CPU, between its own memory and a BO's.
void copy(benchmark::State& state, bool in) {
    const auto size = static_cast<uint64_t>(state.range(0));
    const Bo bo(device(), XDNA_BO_SHARE, size);
    std::vector<std::byte> own(size, std::byte{1});
    std::memset(bo.memory(), 2, size);
    while (state.KeepRunning()) {
        std::memcpy(in ? bo.memory() : own.data(), in ? own.data() : bo.memory(), size);
        benchmark::ClobberMemory();
    }
    if (std::memcmp(bo.memory(), own.data(), size) != 0) {
        state.SkipWithError("the copy differs");
    }
    state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK_CAPTURE(copy, in, true)
    ->Name("copy/npu/cpu_to_bo")
    ->RangeMultiplier(16)
    ->Range(4096, 16 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(copy, out, false)
    ->Name("copy/npu/bo_to_cpu")
    ->RangeMultiplier(16)
    ->Range(4096, 16 << 20)
    ->UseRealTime();

void sync(benchmark::State& state, xdna_sync direction) {
    const auto size = static_cast<uint64_t>(state.range(0));
    Bo bo(device(), XDNA_BO_SHARE, size);
    while (state.KeepRunning()) {
        check(xdna_bo_sync(bo.get(), direction, 0, size));
    }
    state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK_CAPTURE(sync, to_device, XDNA_SYNC_TO_DEVICE)
    ->Name("sync/npu/to_device")
    ->RangeMultiplier(16)
    ->Range(4096, 16 << 20)
    ->UseRealTime();
BENCHMARK_CAPTURE(sync, from_device, XDNA_SYNC_FROM_DEVICE)
    ->Name("sync/npu/from_device")
    ->Arg(1 << 20)
    ->UseRealTime();

/// As sync(), on lines that the CPU has just written: these go out to memory.
void write_and_sync(benchmark::State& state) {
    const auto size = static_cast<uint64_t>(state.range(0));
    Bo bo(device(), XDNA_BO_SHARE, size);
    const auto bytes = bo.span();
    while (state.KeepRunning()) {
        state.PauseTiming();
        std::memset(bytes.data(), 1, bytes.size());
        state.ResumeTiming();
        bo.sync_to_device();
    }
    state.counters["bytes"] = static_cast<double>(size);
}
BENCHMARK(write_and_sync)->Name("sync/npu/written")->Arg(1 << 20)->UseRealTime();

void submit_and_wait(benchmark::State& state) {
    Command command = commands().make();
    while (state.KeepRunning()) {
        command.run();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(submit_and_wait)->Name("submit/npu/one/1")->UseRealTime();

void set_words_submit_and_wait(benchmark::State& state) {
    Command command = commands().make();
    const uint32_t six[6] = {};
    while (state.KeepRunning()) {
        command.set_words(5, six);
        command.run();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(set_words_submit_and_wait)->Name("submit/npu/changed/1")->UseRealTime();

/// Several commands in flight: each is waited for when its turn to be submitted again comes.
void pipelined(benchmark::State& state) {
    std::vector<Command> ring;
    for (int64_t i = 0; i < state.range(0); i++) {
        ring.push_back(commands().make());
    }
    size_t next = 0;
    for (Command& command : ring) {
        command.submit();
    }
    while (state.KeepRunning()) {
        ring[next].wait();
        ring[next].submit();
        next = (next + 1) % ring.size();
    }
    for (Command& command : ring) {
        command.wait();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(pipelined)->Name("submit/npu/pipelined")->Arg(2)->Arg(4)->UseRealTime();

void chained(benchmark::State& state) {
    std::vector<Command> members;
    for (int64_t i = 0; i < state.range(0); i++) {
        members.push_back(commands().make());
    }
    Command chain(commands().hwctx());
    chain.set_chain(members);
    while (state.KeepRunningBatch(state.range(0))) {  // the time is a command's, not a chain's
        chain.run();
    }
    state.SetItemsProcessed(state.iterations());
}
BENCHMARK(chained)->Name("submit/npu/chain")->Arg(8)->Arg(24)->UseRealTime();

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
        return 1;
    }
    try {
        xdna::Device& device = xdna::bench::device();
        const auto info = device.info();
        const auto version = device.driver_version();
        benchmark::AddCustomContext("xdna_NPU", std::string(info.generation) + " " +
                                                    info.marketing_name + " at " + info.bdf);
        benchmark::AddCustomContext(
            "xdna_driver", std::to_string(version.major) + "." + std::to_string(version.minor));
        // An empty command must complete before its time means anything.
        xdna::bench::EmptyCommands(device).make().run();
    } catch (const xdna::Error& error) {
        std::fprintf(stderr, "bench/xdna: %s\n", error.what());
        return 77;
    }
    try {
        benchmark::RunSpecifiedBenchmarks();
    } catch (const xdna::Error& error) {
        std::fprintf(stderr, "bench/xdna: %s\n", error.what());
        return 1;
    }
    return 0;
}
