#include "emu/array/scheduler.hpp"

#include <algorithm>
#include <utility>

#include "emu/array/choices.hpp"

namespace xdna::emu {
namespace {

using image::Field;
using image::Module;

// A core's run without looking at anything else; long enough to amortise the step.
constexpr uint64_t kCoreQuantum = 1024;

constexpr uint32_t kMux = image::register_row(Module::kNoc, "Mux_Config").offset;
constexpr uint32_t kDemux = image::register_row(Module::kNoc, "Demux_Config").offset;
constexpr uint32_t kToDma = 1;  // of PL, DMA, NoC

// Shim channels and the switch's south ports, and the field that connects them: AM025,
// Xilinx/aie-rt driver/src/pl/xaie_plif_aieml.c.
struct ShimPort {
    uint8_t south;
    Field select;
};
constexpr std::array<ShimPort, 2> kMm2sPorts = {{
    {3, image::field(Module::kNoc, "Mux_Config", "South3")},
    {7, image::field(Module::kNoc, "Mux_Config", "South7")},
}};
constexpr std::array<ShimPort, 2> kS2mmPorts = {{
    {2, image::field(Module::kNoc, "Demux_Config", "South2")},
    {3, image::field(Module::kNoc, "Demux_Config", "South3")},
}};

}  // namespace

// Ties channels, cores and controllers to the streams of the present configuration.
void Scheduler::connect() {
    machine_.network.rebuild(
        [&](Tile tile, uint32_t offset) { return machine_.stored(tile, offset); }, machine_.faults);
    for (auto& state : machine_.tiles) {
        const Tile tile = state->tile;
        for (DmaChannel& channel : state->channels) {
            const bool mm2s = channel.direction() == Direction::kMm2s;
            Port port = {PortKind::kDma, static_cast<uint8_t>(channel.channel())};
            if (tile.kind() == TileKind::kShim) {
                const ShimPort& shim = (mm2s ? kMm2sPorts : kS2mmPorts)[channel.channel()];
                port = {PortKind::kSouth, shim.south};
                if (shim.select.get(machine_.stored(tile, mm2s ? kMux : kDemux)) != kToDma) {
                    channel.connect(nullptr, std::string(mm2s ? "Mux_Config" : "Demux_Config") +
                                                 " does not connect the DMA to " + to_string(port));
                    continue;
                }
            }
            Stream* stream =
                mm2s ? machine_.network.from(tile, port) : machine_.network.to(tile, port);
            channel.connect(stream, mm2s ? "slave port " + to_string(port) + " is not enabled"
                                         : "no stream ends in master port " + to_string(port));
        }
        state->control = machine_.network.from(tile, {PortKind::kControl, 0});
        state->control_in = machine_.network.to(tile, {PortKind::kControl, 0});
        if (tile.kind() == TileKind::kCore) {
            state->core.in = machine_.network.to(tile, {PortKind::kCore, 0});
            state->core.out = machine_.network.from(tile, {PortKind::kCore, 0});
        }
        if (tile.kind() == TileKind::kShim) {
            controllers_[tile.column] =
                machine_.network.to(tile, {PortKind::kSouth, choices::kControllerSouthPort});
        }
    }
    machine_.network_stale = false;
}

// The channels and cores that have work, in a fixed order.
void Scheduler::collect() {
    active_.clear();
    cores_.clear();
    for (auto& state : machine_.tiles) {
        for (DmaChannel& channel : state->channels) {
            if (!channel.idle()) {
                active_.push_back(&channel);
            }
        }
        if (state->core.runs()) {
            state->core.time = std::max(state->core.time, machine_.now);
            cores_.push_back(state.get());
        }
    }
    machine_.work_stale = false;
}

void Scheduler::deliver_events() {
    auto& arrivals = machine_.arrivals;
    while (!arrivals.empty() && arrivals.front().cycle <= machine_.now) {
        const Machine::Arrival arrival = arrivals.front();
        arrivals.erase(arrivals.begin());
        machine_.raise(arrival.tile, arrival.unit, arrival.event);
    }
    for (const auto& [tile, unit] : machine_.comparing) {
        EventUnit& events = machine_.at(tile).events[unit];
        for (unsigned k = 0; k < events.counters.size(); ++k) {
            if (events.matches(k, machine_.now)) {
                machine_.raise(tile, unit, kEventCounter + k);
            }
        }
    }
}

void Scheduler::run_cores(uint64_t limit) {
    const uint64_t quantum = std::min(limit, kCoreQuantum);
    const auto finish = [&](TileState& state) {
        state.core.done = true;
        machine_.change(state, CoreSlot::Doing::kNothing);
        machine_.work_stale = true;
    };
    for (TileState* state : cores_) {
        CoreSlot& core = state->core;
        if (core.time > machine_.now || !core.runs()) {
            continue;
        }
        core.time = machine_.now;
        if (core.last.state == CoreProgress::State::kDone) {
            finish(*state);
            continue;
        }
        CoreProgress progress;
        try {
            progress = core.model->run(*core.bus, machine_.now, quantum);
        } catch (const CoreTrap& trap) {
            machine_.change(*state, CoreSlot::Doing::kNothing);
            core.trapped = trap.what;
            core.last = {};
            machine_.work_stale = true;
            machine_.fault(trap.kind, state->tile, 0,
                           to_string(state->tile) + " core: " + trap.what);
            continue;
        }
        const auto doing = progress.state == CoreProgress::State::kStalled
                               ? CoreSlot::Doing::kStalled
                               : CoreSlot::Doing::kExecuting;
        if (doing != core.doing ||
            (doing == CoreSlot::Doing::kStalled && progress.stall != core.last.stall)) {
            machine_.change(*state, doing);
        }
        core.last = std::move(progress);
        core.time += core.last.cycles;
        if (core.last.state == CoreProgress::State::kDone && core.last.cycles == 0) {
            finish(*state);
        }
        if (!core.stalled()) {
            note_progress(state->tile);
        }
    }
}

void Scheduler::grant_locks() {
    asking_.clear();
    for (DmaChannel* channel : active_) {
        if (const auto since = channel->asks_since()) {
            asking_.emplace_back(*since, channel);
        }
    }
    std::stable_sort(asking_.begin(), asking_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [since, channel] : asking_) {
        if (channel->ask(machine_)) {
            note_progress(channel->tile());
        } else if (since == machine_.now) {
            machine_.raise_dma(*channel, DmaEvent::kStalledLock);
        }
    }
}

// Tokens into the switches, and out of them at the shims' controller ports: a word a cycle.
void Scheduler::pass_tokens() {
    tokens_next_ = kNever;
    for (auto& state : machine_.tiles) {
        // A control packet holds its stream up for good, so one report is enough.
        if (state->control_in != nullptr && state->control_in->pipe.readable(machine_.now) &&
            !std::exchange(state->control_reported, true)) {
            machine_.fault(FaultKind::kNotModelled, state->tile, 0,
                           to_string(state->tile) +
                               " Tile_Ctrl: a control packet arrived; register accesses by "
                               "packet are not modelled");
        }
        if (state->control_words.empty() || state->control == nullptr ||
            state->control->pipe.full()) {
            continue;
        }
        Pipe& pipe = state->control->pipe;
        pipe.tail(1)[0] = state->control_words.front();
        pipe.push(machine_.now, 1, true);
        state->control_words.pop_front();
        note_progress(state->tile);
        if (!state->control_words.empty()) {
            tokens_next_ = machine_.now + 1;
        }
    }
    for (unsigned column = 0; column < kColumns; ++column) {
        Stream* stream = controllers_[column];
        if (stream == nullptr || !stream->pipe.readable(machine_.now)) {
            continue;
        }
        const uint32_t word = stream->pipe.head(1)[0];
        stream->pipe.pop(1);
        const Tile shim = {static_cast<uint8_t>(column), 0};
        note_progress(shim);
        if (auto token = decode_token(word)) {
            token->cycle = machine_.now;
            machine_.tokens.push_back(*token);
        } else {
            machine_.fault(FaultKind::kNotModelled, shim, 0,
                           to_string(shim) +
                               " South 0: the controller received a word that is no "
                               "task-complete token; other packets to it are not "
                               "modelled");
        }
        tokens_next_ = machine_.now + 1;
    }
}

uint64_t Scheduler::steady() const {
    uint64_t cycles = machine_.network.steady(machine_.now);
    for (const DmaChannel* channel : active_) {
        cycles = std::min(cycles, channel->steady(machine_.now));
    }
    for (const TileState* state : cores_) {
        if (state->core.time > machine_.now) {
            cycles = std::min(cycles, state->core.time - machine_.now);
        }
        for (const auto& [cycle, value] : state->core.cascade) {
            if (cycle > machine_.now) {
                cycles = std::min(cycles, cycle - machine_.now);
            }
        }
    }
    if (!machine_.arrivals.empty()) {
        cycles = std::min(cycles, machine_.arrivals.front().cycle - machine_.now);
    }
    for (const auto& [tile, unit] : machine_.comparing) {
        cycles = std::min(cycles, machine_.at(tile).events[unit].next_match(machine_.now));
    }
    if (!machine_.releases.empty() || machine_.work_stale) {
        cycles = std::min<uint64_t>(cycles, 1);
    }
    if (tokens_next_ != kNever) {
        cycles = std::min(cycles, tokens_next_ - machine_.now);
    }
    return cycles;
}

void Scheduler::idle(uint64_t cycles) {
    for (DmaChannel* channel : active_) {
        channel->account(machine_, cycles);
    }
    machine_.now += cycles;
}

uint64_t Scheduler::step(uint64_t limit) {
    if (machine_.network_stale) {
        connect();
    }
    if (machine_.work_stale) {
        collect();
    }
    deliver_events();
    machine_.network.begin_step();
    run_cores(limit);
    for (DmaChannel* channel : active_) {
        channel->advance(machine_);
    }
    grant_locks();
    machine_.network.decide(machine_.now, machine_.faults);
    for (DmaChannel* channel : active_) {
        channel->decide(machine_);
    }
    pass_tokens();

    const uint64_t cycles = steady();
    if (cycles == kNever) {
        return 0;
    }
    const auto run = static_cast<uint32_t>(std::min({cycles, limit, uint64_t{Pipe::kLongestRun}}));
    for (DmaChannel* channel : active_) {
        if (channel->direction() == Direction::kMm2s) {
            channel->move(machine_, run);
        }
    }
    machine_.network.move(machine_.now, run);
    bool finished = false;
    for (DmaChannel* channel : active_) {
        if (channel->direction() == Direction::kS2mm) {
            channel->move(machine_, run);
        }
        channel->account(machine_, run);
        if (channel->moving()) {
            progress_[channel->tile().column] = machine_.now + run - 1;
        }
        finished |= channel->idle();
    }
    if (finished) {
        std::erase_if(active_, [](const DmaChannel* channel) { return channel->idle(); });
    }
    machine_.now += run;
    for (const auto& [lock, change] : machine_.releases) {
        machine_.release(lock, change);
    }
    machine_.releases.clear();
    return run;
}

}  // namespace xdna::emu
