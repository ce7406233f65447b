// Who is told what the NPU did, beside the host that asked for it.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "emu/array/activity.hpp"
#include "emu/array/trace.hpp"

namespace xdna::emu::firmware {

/// One command: a packet, or one of a chain. Cycles are the array's.
struct CommandReport {
    uint32_t context = 0;  ///< the firmware's id
    uint64_t serial = 0;   ///< of the context: ids are used again
    uint32_t index = 0;    ///< in its chain
    uint32_t start_column = 0;
    uint32_t columns = 0;
    std::string_view outcome;  ///< "completed", "error", "hung", "cancelled"
    uint64_t start = 0;        ///< cycle in which it was taken
    uint64_t cycles = 0;       ///< from there to its end: the sum of the next three
    uint64_t launch = 0;       ///< PDI, if it had to be loaded, and the firmware's cost of a launch
    uint64_t control = 0;      ///< the firmware's cost of operations and task starts
    uint64_t wait = 0;         ///< control code waited for tokens and registers
    Activity activity;         ///< of its columns, meanwhile
};

struct Observers {
    /// Called from the controller's thread, in the order in which commands end, before the host
    /// hears of it.
    std::function<void(const CommandReport&)> report;
    Trace* trace = nullptr;  ///< must outlive the firmware
};

}  // namespace xdna::emu::firmware
