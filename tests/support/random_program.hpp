// Any bytes as a core's program: they run, trap, wait or go on for ever, and the host survives it.
#pragma once

#include <cstdlib>
#include <cstring>
#include <span>

#include "emu/core/core.hpp"
#include "tests/support/lone_tile.hpp"

namespace xdna::emu::test {

/// Runs `program`, over and over in program memory, for `cycles` cycles at most, with pointers to
/// memory and something in every register. Returns the cycles that it ran; aborts if a trap has no
/// text.
inline uint64_t run_random_program(std::span<const uint8_t> program, uint64_t cycles) {
    LoneTile tile;
    for (size_t at = 0; !program.empty() && at < tile.program_memory.size(); ++at) {
        tile.program_memory[at] = static_cast<std::byte>(program[at % program.size()]);
    }
    const auto core = make_core(tile.tile());
    for (uint32_t i = 0; i < 32; ++i) {
        // Zero is a mode of most that have modes; of other numbers they trap.
        core->write_register(0x30C00 + 16 * i, i < 28 ? 0 : i * 0x01234567);
    }
    for (uint32_t i = 0; i < 8; ++i) {
        core->write_register(0x31000 + 16 * i, 0x70000 + 0x1100 * i);  // pointers
        for (const uint32_t file : {0x30E00, 0x30E80, 0x30F00, 0x30F80}) {
            core->write_register(file + 16 * i, 32 * i);  // m, dn, dj, dc
        }
    }
    core->write_register(0x31120, 0x7C000);  // sp
    tile.input.assign(64, 7);
    tile.cascade_in.assign(16, CascadeWord{});
    for (unsigned id = 0; id < 64; ++id) {
        tile.locks[id] = 1;
    }
    uint64_t now = 0;
    try {
        while (now < cycles) {
            const CoreProgress progress = core->run(tile, now, cycles - now);
            now += progress.cycles;
            if (progress.state != CoreProgress::State::kRunning) {
                break;
            }
        }
    } catch (const CoreTrap& trap) {
        if (trap.what.empty()) {
            std::abort();
        }
    }
    return now;
}

}  // namespace xdna::emu::test
