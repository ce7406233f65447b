// Software pipelining: a loop body written in order becomes a loop whose iterations overlap.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "kernels/as/syntax.hpp"

namespace xdna::as {

/// When each instruction of a loop body issues, so that a new iteration starts every `interval`
/// cycles: instruction i of iteration k in cycle k * interval + cycles[i].
struct Schedule {
    unsigned interval = 0;
    unsigned length = 0;  ///< cycles from the first issue of an iteration to behind its last
    std::vector<unsigned> cycles;

    /// Iterations that overlap; a loop must run at least as often.
    [[nodiscard]] unsigned stages() const { return (length + interval - 1) / interval; }
};

/// Which 16 KiB quarter of data memory accesses through a pointer go to, by the pointer's atom: two
/// accesses to one quarter in a cycle cost a stall.
using Banks = std::map<isa::Atom, unsigned>;

/// Iterative modulo scheduling (Rau, 1994) with the registers as they are named. The schedule does
/// what the instructions do one after the other, iteration after iteration, as long as no store of
/// the loop goes where a load of the loop reads. Nothing if there is none with at most
/// `max_stages`, of at most `max_interval` cycles.
[[nodiscard]] std::optional<Schedule> schedule_loop(std::span<const isa::Instruction> body,
                                                    const Banks& banks, unsigned max_stages,
                                                    unsigned max_interval);

}  // namespace xdna::as
