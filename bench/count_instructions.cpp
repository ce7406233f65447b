// User-space instructions and system calls of one command, counted exactly by single-stepping:
// through libxdna, and by bare ioctls beside it.
//   build/bench/count_instructions, or build/bin/xdna-emu -- build/bench/count_instructions
// On a real kernel libc's ioctl() is counted, too. Under the virtual NPU an ioctl is one system
// call, and nothing of the door that serves it is counted.
#include <drm/amdxdna_accel.h>
#include <xf86drm.h>

#include <algorithm>
#include <cerrno>

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/empty_command.hpp"
#include "tests/support/phases.hpp"
#include "tests/support/step_counter.hpp"
#include "xdna/xdna.hpp"

namespace xdna::bench {
namespace {

const int kRounds = test::rounds();
constexpr size_t kInFlight = 4;
constexpr size_t kChain = 24;

// In the order of the phases of measure().
const test::Phase kRows[] = {
    {"bare EXEC_CMD + TIMELINE_WAIT (drmIoctl)", kRounds},
    {"submit + wait", kRounds},
    {"submit + wait, at most a second", kRounds},
    {"set_words of 6 + submit + wait", kRounds},
    {"submit + wait, four in flight", kRounds* static_cast<int>(kInFlight)},
    {"chain of 24, per command", kRounds* static_cast<int>(kChain)},
};

/// As spare as it can be: both structs filled anew each time, and nothing checked but the results.
void run_bare(int fd, uint32_t hwctx, uint32_t syncobj, uint32_t cmd_bo, uint32_t* packet,
              uint32_t code_bo) {
    *packet = (*packet & ~0xfU) | 1;
    amdxdna_drm_exec_cmd exec{};
    exec.hwctx = hwctx;
    exec.cmd_handles = cmd_bo;
    exec.args = reinterpret_cast<uintptr_t>(&code_bo);
    exec.cmd_count = 1;
    exec.arg_count = 1;
    if (drmIoctl(fd, DRM_IOCTL_AMDXDNA_EXEC_CMD, &exec) != 0) {
        throw std::runtime_error("EXEC_CMD failed");
    }
    drm_syncobj_timeline_wait wait{};
    wait.handles = reinterpret_cast<uintptr_t>(&syncobj);
    wait.points = reinterpret_cast<uintptr_t>(&exec.seq);
    wait.timeout_nsec = INT64_MAX;
    wait.count_handles = 1;
    if (drmIoctl(fd, DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, &wait) != 0 || (*packet & 0xf) != 4) {
        throw std::runtime_error("the bare command failed");
    }
}

int measure() {
    Device device;
    const EmptyCommands commands(device);

    // A packet of our own for the bare path: what Command writes, in a CMD BO.
    const std::vector<uint32_t> words = commands.words();
    const Bo bare(device, XDNA_BO_CMD, 4096);
    auto* packet = static_cast<uint32_t*>(bare.memory());
    packet[0] = static_cast<uint32_t>(words.size() + 1) << 12 | 1;
    packet[1] = 1;
    std::copy(words.begin(), words.end(), packet + 2);

    std::vector<Command> ring;
    for (size_t i = 0; i < kInFlight; i++) {
        ring.push_back(commands.make());
    }
    std::vector<Command> members;
    for (size_t i = 0; i < kChain; i++) {
        members.push_back(commands.make());
    }
    Command chain(commands.hwctx());
    chain.set_chain(members);
    xdna_cmd* one = ring[0].get();
    const uint32_t six[6] = {};
    constexpr int64_t kSecond = 1'000'000'000;

    // Once outside the count, so that symbols are resolved and pages are there.
    const auto bare_command = [&] {
        run_bare(device.fd(), commands.hwctx().handle(), commands.hwctx().syncobj(), bare.handle(),
                 packet, commands.code().handle());
    };
    bare_command();
    check(xdna_cmd_set_words(one, 5, six, 6));
    check(xdna_cmd_submit(one));
    check(xdna_cmd_wait(one, kSecond));
    chain.run();

    int failed = 0;
    test::begin_phase();
    for (int i = 0; i < kRounds; i++) {
        bare_command();
    }
    test::begin_phase();
    for (int i = 0; i < kRounds; i++) {
        failed |= xdna_cmd_submit(one) | xdna_cmd_wait(one, -1);
    }
    test::begin_phase();
    for (int i = 0; i < kRounds; i++) {
        failed |= xdna_cmd_submit(one) | xdna_cmd_wait(one, kSecond);
    }
    test::begin_phase();
    for (int i = 0; i < kRounds; i++) {
        failed |=
            xdna_cmd_set_words(one, 5, six, 6) | xdna_cmd_submit(one) | xdna_cmd_wait(one, -1);
    }
    test::begin_phase();
    for (int i = 0; i < kRounds; i++) {
        for (Command& command : ring) {
            failed |= xdna_cmd_submit(command.get());
        }
        for (Command& command : ring) {
            failed |= xdna_cmd_wait(command.get(), -1);
        }
    }
    test::begin_phase();
    for (int i = 0; i < kRounds; i++) {
        failed |= xdna_cmd_submit(chain.get()) | xdna_cmd_wait(chain.get(), -1);
    }
    test::stop_counting();
    return failed != 0 ? 1 : 0;
}

int measure_or_say_why() {
    try {
        return measure();
    } catch (const Error& error) {
        std::fprintf(stderr, "bench/count_instructions: %s\n", error.what());
        return error.code() == ENODEV ? 77 : 1;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "bench/count_instructions: %s\n", error.what());
        return 1;
    }
}

}  // namespace
}  // namespace xdna::bench

int main() {
    using xdna::bench::kRows;
    std::string error;
    const auto phases = xdna::test::count_steps(xdna::bench::measure_or_say_why, error);
    if (phases.size() != std::size(kRows)) {
        std::fprintf(stderr, "bench/count_instructions: nothing was counted: %s\n", error.c_str());
        return 77;
    }
    xdna::test::print_phases(kRows, phases);
    return 0;
}
