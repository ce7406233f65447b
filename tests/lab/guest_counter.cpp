// tests/support/step_counter.hpp in the lab's guest, where single-stepping takes for ever: the
// emulator counts (count_plugin.cpp). What else runs in the guest meanwhile is counted, too:
// nothing of user space does.
#include "tests/lab/guest_counter.hpp"

#include <sys/mman.h>
#include <time.h>

#include <cerrno>
#include <cstring>

#include "tests/support/step_counter.hpp"

namespace xdna::test {
namespace {

struct Reading {
    lab::Counters counters;
    double cpu_seconds = 0;
};

std::vector<StepCount> done;
Reading start;
bool counting = false;

double cpu_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

const volatile lab::Counters& page() {
    return *reinterpret_cast<const volatile lab::Counters*>(lab::kCountersAddress);
}

lab::Counters read_counters() {
    asm volatile("nopl 0x414e4458(%%rax,%%rax,1)" ::: "memory");
    return {page().user, page().kernel, page().system_calls};
}

}  // namespace

void begin_phase() {
    stop_counting();
    counting = true;
    start.cpu_seconds = cpu_seconds();
    start.counters = read_counters();
}

void stop_counting() {
    const lab::Counters now = read_counters();
    const double cpu = cpu_seconds();
    if (counting) {
        done.push_back({.instructions = now.user - start.counters.user,
                        .system_calls = now.system_calls - start.counters.system_calls,
                        .kernel_instructions = now.kernel - start.counters.kernel,
                        .cpu_seconds = cpu - start.cpu_seconds});
    }
    counting = false;
}

std::vector<StepCount> count_steps(const std::function<int()>& body, std::string& error) {
    constexpr size_t kPage = 4096;
    void* const at =
        mmap(reinterpret_cast<void*>(lab::kCountersAddress), kPage, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_POPULATE, -1, 0);
    if (at == MAP_FAILED) {
        error = std::string("mmap: ") + std::strerror(errno);
        return {};
    }
    done.reserve(64);  // no allocation may come between
    begin_phase();     // the first is not counted: it brings code in
    begin_phase();
    stop_counting();
    const StepCount overhead = done.back();
    if (overhead.instructions == 0) {
        error = "the emulator does not count";
        return {};
    }
    done.clear();
    if (body() != 0) {
        error = "the program failed";
        return {};
    }
    for (StepCount& phase : done) {
        phase.instructions -= overhead.instructions;
        phase.kernel_instructions -= overhead.kernel_instructions;
    }
    return done;
}

}  // namespace xdna::test
