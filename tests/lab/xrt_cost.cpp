// What a command that does nothing costs in user space through AMD's XRT: the same phases, counted
// the same way, as bench/count_instructions has for libxdna and for bare ioctls.
//   xrt-cost XCLBIN     any of ours: its control code is not used
#include <xrt/experimental/xrt_kernel.h>
#include <xrt/experimental/xrt_xclbin.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_hw_context.h>
#include <xrt/xrt_kernel.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string>
#include <vector>

#include "libxdna/image/transaction.hpp"
#include "tests/support/phases.hpp"
#include "tests/support/step_counter.hpp"

namespace {

const int kRounds = xdna::test::rounds();
constexpr size_t kInFlight = 4, kChain = 24;

const xdna::test::Phase kRows[] = {
    {"XRT: start + wait", kRounds},
    {"XRT: start + wait2", kRounds},
    {"XRT: set_arg of all + start + wait", kRounds},
    {"XRT: start + wait, four in flight", kRounds* static_cast<int>(kInFlight)},
    {"XRT: runlist of 24, per command", kRounds* static_cast<int>(kChain)},
};

int measure(const std::string& path) {
    xrt::device device(0);
    const xrt::xclbin xclbin(path);
    device.register_xclbin(xclbin);
    xrt::hw_context context(device, xclbin.get_uuid());
    const xrt::xclbin::kernel known = xclbin.get_kernels().at(0);
    xrt::kernel kernel(context, known.get_name());

    const auto code = xdna::image::serialize(xdna::image::Transaction{});
    xrt::bo instructions(context, code.size(), xrt::bo::flags::cacheable, kernel.group_id(1));
    instructions.write(code.data());
    instructions.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    constexpr size_t kBytes = 4096;
    xrt::bo buffer(context, kBytes, xrt::bo::flags::host_only, kernel.group_id(3));
    const auto set_all = [&](xrt::run& run) {
        run.set_arg(0, uint64_t{3});
        run.set_arg(1, instructions);
        run.set_arg(2, static_cast<uint32_t>(code.size() / sizeof(uint32_t)));
        for (size_t i = 3; i < known.get_num_args(); ++i) {
            run.set_arg(static_cast<int>(i), buffer);
        }
    };
    std::vector<xrt::run> runs;
    xrt::runlist list(context);
    for (size_t i = 0; i < kInFlight + kChain; ++i) {
        set_all(runs.emplace_back(kernel));
        if (i >= kInFlight) {
            list.add(runs.back());
        }
    }
    xrt::run& one = runs[0];
    bool good = true;
    const auto wait = [&good](xrt::run& run) { good &= run.wait() == ERT_CMD_STATE_COMPLETED; };
    // Once outside the count, so that symbols are resolved and pages are there.
    one.start();
    wait(one);
    one.start();
    one.wait2();
    list.execute();
    list.wait();

    xdna::test::begin_phase();
    for (int i = 0; i < kRounds; ++i) {
        one.start();
        wait(one);
    }
    xdna::test::begin_phase();
    for (int i = 0; i < kRounds; ++i) {
        one.start();
        one.wait2();
    }
    xdna::test::begin_phase();
    for (int i = 0; i < kRounds; ++i) {
        set_all(one);
        one.start();
        wait(one);
    }
    xdna::test::begin_phase();
    for (int i = 0; i < kRounds; ++i) {
        for (size_t k = 0; k < kInFlight; ++k) {
            runs[k].start();
        }
        for (size_t k = 0; k < kInFlight; ++k) {
            wait(runs[k]);
        }
    }
    xdna::test::begin_phase();
    for (int i = 0; i < kRounds; ++i) {
        list.execute();
        list.wait();
    }
    xdna::test::stop_counting();
    return good ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: xrt-cost XCLBIN\n");
        return 3;
    }
    std::string error;
    const auto phases = xdna::test::count_steps(
        [&] {
            try {
                return measure(argv[1]);
            } catch (const std::exception& problem) {
                std::fprintf(stderr, "xrt-cost: %s\n", problem.what());
                return 1;
            }
        },
        error);
    if (phases.size() != std::size(kRows)) {
        std::fprintf(stderr, "xrt-cost: nothing was counted: %s\n", error.c_str());
        return 1;
    }
    xdna::test::print_phases(kRows, phases);
    return 0;
}
