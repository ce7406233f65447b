// Counts what a piece of code costs in user space, exactly: a child process is single-stepped, one
// instruction after the other (ptrace(2)).
//
// The kernel's side of ioctl() is not counted. Where ioctl() is not libc's (a virtual NPU's door in
// the process, a test's stand-in), that function plays the kernel: one entry is one system call,
// and nothing in it is counted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace xdna::test {

struct StepCount {
    uint64_t instructions = 0;
    uint64_t system_calls = 0;
    uint64_t allocations = 0;  ///< calls of malloc()
    // Only where an emulator counts (tests/lab/guest_counter.cpp), which does not see allocations:
    uint64_t kernel_instructions = 0;
    double cpu_seconds = 0;
};

/// In the child: ends the phase that is being counted, if any, and begins the next. Elsewhere it
/// does nothing, as does stop_counting().
void begin_phase();
/// Ends the phase; what follows runs at full speed.
void stop_counting();

/// Runs `body` in a child and returns the counts of its phases, less what beginning one costs
/// itself. `body` returns 0 if it could do its work; else nothing counts, and `error` says why, as
/// it does where ptrace is not permitted.
std::vector<StepCount> count_steps(const std::function<int()>& body, std::string& error);

}  // namespace xdna::test
