// What the programs that count a command's cost measure, and how they print it.
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "tests/support/step_counter.hpp"

namespace xdna::test {

struct Phase {
    const char* name;
    int commands;
};

/// How often a phase repeats itself: XDNA_ROUNDS, or 8.
inline int rounds() {
    const char* text = std::getenv("XDNA_ROUNDS");
    return text != nullptr ? std::max(1, std::atoi(text)) : 8;
}

/// A line a phase, per command.
inline void print_phases(std::span<const Phase> phases, const std::vector<StepCount>& counts) {
    const bool emulated = !counts.empty() && counts[0].kernel_instructions != 0;
    std::printf("%-42s %13s %13s %12s %12s\n", "per command", "instructions", "system calls",
                emulated ? "in kernel" : "allocations", emulated ? "CPU us" : "");
    for (size_t i = 0; i < counts.size() && i < phases.size(); i++) {
        const double commands = phases[i].commands;
        const StepCount& count = counts[i];
        std::printf("%-42s %13.1f %13.3f", phases[i].name,
                    static_cast<double>(count.instructions) / commands,
                    static_cast<double>(count.system_calls) / commands);
        if (emulated) {
            std::printf(" %12.0f %12.1f\n",
                        static_cast<double>(count.kernel_instructions) / commands,
                        count.cpu_seconds * 1e6 / commands);
        } else {
            std::printf(" %12.3f\n", static_cast<double>(count.allocations) / commands);
        }
    }
}

}  // namespace xdna::test
