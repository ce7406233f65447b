#include "emu/array/array.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "emu/array/machine.hpp"
#include "emu/array/register_file.hpp"
#include "emu/array/scheduler.hpp"

namespace xdna::emu {

std::string to_string(const Wait& wait) {
    return to_string(wait.tile) + " " + wait.who + " waits: " + wait.what;
}

Array::Array() : machine_(std::make_unique<Machine>()) {
    scheduler_ = std::make_unique<Scheduler>(*machine_);
}

Array::~Array() = default;

std::optional<Fault> Array::write(image::TileAddress at, uint32_t value) {
    return write_register(*machine_, at, value);
}

std::optional<Fault> Array::mask_write(image::TileAddress at, uint32_t value, uint32_t mask) {
    uint32_t old = 0;
    if (auto fault = read_register(*machine_, at, old)) {
        return fault;
    }
    return write_register(*machine_, at, (old & ~mask) | (value & mask));
}

std::optional<Fault> Array::write_block(image::TileAddress at, std::span<const uint32_t> words) {
    for (const uint32_t word : words) {
        if (auto fault = write_register(*machine_, at, word)) {
            return fault;
        }
        at.offset += 4;
    }
    return std::nullopt;
}

std::optional<Fault> Array::read(image::TileAddress at, uint32_t& value) {
    return read_register(*machine_, at, value);
}

void Array::reset_partition(unsigned first_column, unsigned columns) {
    const unsigned end = std::min(first_column + columns, kColumns);
    for (unsigned c = first_column; c < end; ++c) {
        for (unsigned r = 0; r < kRows; ++r) {
            const Tile tile = {static_cast<uint8_t>(c), static_cast<uint8_t>(r)};
            machine_->reset_tile(tile);
            TileState& state = machine_->at(tile);
            std::fill(state.data.begin(), state.data.end(), 0);
            std::fill(state.program.begin(), state.program.end(), 0);
            if (state.core.model) {
                state.core.model->program_changed();
            }
            machine_->isolate(tile, (c == first_column ? 1U << static_cast<int>(Side::kWest) : 0) |
                                        (c + 1 == end ? 1U << static_cast<int>(Side::kEast) : 0));
        }
    }
    machine_->network.clear(first_column, columns);
    std::erase_if(machine_->tokens, [&](const TaskToken& token) {
        return token.tile.column >= first_column && token.tile.column < end;
    });
}

void Array::attach_host_memory(unsigned first_column, unsigned columns, HostMemory* memory) {
    for (unsigned c = first_column; c < std::min(first_column + columns, kColumns); ++c) {
        machine_->host[c] = memory;
    }
}

void Array::plug_cores(const CoreFactory& factory) {
    for (auto& state : machine_->tiles) {
        if (state->tile.kind() == TileKind::kCore) {
            state->core.bus = make_core_bus(*machine_, state->tile);
            state->core.model = factory(state->tile);
            state->core.model->reset();
        }
    }
}

uint64_t Array::cycle() const {
    return machine_->now;
}

RunResult Array::run(uint64_t cycles) {
    const uint64_t start = machine_->now;
    const uint64_t end = start + cycles;
    Stop stop = Stop::kBudget;
    while (machine_->now < end) {
        if (scheduler_->step(end - machine_->now) == 0) {
            stop = Stop::kQuiescent;
            scheduler_->idle(end - machine_->now);
        }
        if (!machine_->faults.empty()) {
            return {Stop::kFault, machine_->now - start};
        }
    }
    return {stop, cycles};
}

RunResult Array::run_until_token(uint64_t budget) {
    const uint64_t start = machine_->now;
    for (;;) {
        const uint64_t passed = machine_->now - start;
        if (!machine_->faults.empty()) {
            return {Stop::kFault, passed};
        }
        if (!machine_->tokens.empty()) {
            return {Stop::kToken, passed};
        }
        if (passed >= budget) {
            return {Stop::kBudget, passed};
        }
        if (scheduler_->step(budget - passed) == 0 && machine_->faults.empty() &&
            machine_->tokens.empty()) {
            return {Stop::kQuiescent, machine_->now - start};
        }
    }
}

RunResult Array::poll(image::TileAddress at, uint32_t mask, uint32_t value, uint64_t budget) {
    const uint64_t start = machine_->now;
    for (bool moves = true;;) {
        uint32_t word = 0;
        const uint64_t passed = machine_->now - start;
        if (auto fault = read(at, word)) {
            machine_->faults.push_back(std::move(*fault));
        }
        if (!machine_->faults.empty()) {
            return {Stop::kFault, passed};
        }
        if ((word & mask) == value) {
            return {Stop::kMatched, passed};
        }
        if (passed >= budget) {
            return {Stop::kBudget, passed};
        }
        if (!moves) {
            return {Stop::kQuiescent, passed};
        }
        // A step that takes no time may still be the one in which a channel becomes idle.
        moves = scheduler_->step(budget - passed) != 0;
    }
}

std::optional<TaskToken> Array::take_token() {
    if (machine_->tokens.empty()) {
        return std::nullopt;
    }
    const TaskToken token = machine_->tokens.front();
    machine_->tokens.pop_front();
    return token;
}

std::vector<Fault> Array::take_faults() {
    return std::exchange(machine_->faults, {});
}

std::vector<Wait> Array::waits(unsigned first_column, unsigned columns) const {
    std::vector<Wait> found;
    for (const auto& state : machine_->tiles) {
        for (const DmaChannel& channel : state->channels) {
            if (channel.idle()) {
                continue;
            }
            if (auto wait = channel.wait(*machine_)) {
                found.push_back({state->tile, std::move(wait->who), std::move(wait->what)});
            }
        }
        if (!state->control_words.empty()) {
            found.push_back({state->tile, std::to_string(state->control_words.size()) + " tokens",
                             state->control == nullptr
                                 ? "slave port Tile_Ctrl 0 is not enabled"
                                 : "full: stream to " + state->control->whereto});
        } else if (state->control != nullptr && state->control->pipe.size() != 0 &&
                   state->control->end.kind == StreamEnd::Kind::kNowhere) {
            found.push_back({state->tile, std::to_string(state->control->pipe.size()) + " tokens",
                             "their stream ends in " + state->control->whereto});
        }
        if (state->core.runs() && state->core.stalled()) {
            found.push_back(
                {state->tile, "core",
                 state->core.last.waits_for ? state->core.last.waits_for() : "stalled"});
        }
        if (!state->core.trapped.empty()) {
            found.push_back({state->tile, "core", "a reset: " + state->core.trapped});
        }
    }
    std::vector<StreamNetwork::Wait> junctions;
    machine_->network.waits(machine_->now, junctions);
    for (auto& wait : junctions) {
        found.push_back({wait.tile, std::move(wait.who), std::move(wait.what)});
    }
    std::erase_if(found, [&](const Wait& wait) {
        return wait.tile.column < first_column || wait.tile.column >= first_column + columns;
    });
    return found;
}

Activity Array::activity(unsigned first_column, unsigned columns) const {
    Activity all;
    for (const auto& state : machine_->tiles) {
        if (state->tile.column - first_column >= columns) {
            continue;
        }
        const CoreSlot& core = state->core;
        if (core.model) {
            CoreActivity& row = all.cores.emplace_back();
            row.tile = state->tile;
            row.work = core.model->work();
            row.stalls = core.stalls;
            uint64_t executed = core.executed;
            const uint64_t open = machine_->now - std::min(core.since, machine_->now);
            if (core.doing == CoreSlot::Doing::kExecuting) {
                executed += open;
            } else if (core.doing == CoreSlot::Doing::kStalled) {
                row.stalls[static_cast<size_t>(core.last.stall)] += open;
            }
            row.cycles = std::accumulate(row.stalls.begin(), row.stalls.end(), executed);
        }
        for (const DmaChannel& channel : state->channels) {
            all.channels.push_back(
                {state->tile, channel.direction(), channel.channel(), channel.counters()});
        }
    }
    return all;
}

std::vector<BundleTime> Array::profile(Tile tile) const {
    for (const auto& state : machine_->tiles) {
        if (state->tile == tile && state->core.model) {
            return state->core.model->profile();
        }
    }
    return {};
}

void Array::show(Trace* trace) {
    if (trace == nullptr) {
        for (const auto& state : machine_->tiles) {
            machine_->change(*state, state->core.doing);
        }
    }
    machine_->trace = trace;
}

uint64_t Array::last_progress(unsigned first_column, unsigned columns) const {
    uint64_t last = 0;
    for (unsigned c = first_column; c < std::min(first_column + columns, kColumns); ++c) {
        last = std::max(last, scheduler_->last_progress(c));
    }
    return last;
}

}  // namespace xdna::emu
