#include "emu/array/dma_channel.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "emu/array/choices.hpp"
#include "emu/array/machine.hpp"
#include "emu/array/timing.hpp"

namespace xdna::emu {
namespace {

using image::Field;
using image::Module;

// The channel registers have these fields in the same bits on every kind of tile.
constexpr Field kToken =
    image::field(Module::kMemTile, "DMA_S2MM_{}_Start_Queue", "Enable_Token_Issue");
constexpr Field kRepeat = image::field(Module::kMemTile, "DMA_S2MM_{}_Start_Queue", "Repeat_Count");
constexpr Field kStartBd = image::field(Module::kMemTile, "DMA_S2MM_{}_Start_Queue", "Start_BD_ID");
constexpr Field kStartBdNarrow =
    image::field(Module::kMemory, "DMA_S2MM_{}_Start_Queue", "Start_BD_ID");
constexpr Field kFot = image::field(Module::kMemTile, "DMA_S2MM_{}_Ctrl", "FoT_Mode");
constexpr Field kController = image::field(Module::kMemTile, "DMA_S2MM_{}_Ctrl", "Controller_ID");
constexpr Field kOutOfOrder =
    image::field(Module::kMemTile, "DMA_S2MM_{}_Ctrl", "Enable_Out_of_Order");
constexpr Field kCompression =
    image::field(Module::kMemTile, "DMA_MM2S_{}_Ctrl", "Compression_Enable");
constexpr Field kReset = image::field(Module::kMemTile, "DMA_S2MM_{}_Ctrl", "Reset");
constexpr Field kPauseStream = image::field(Module::kNoc, "DMA_S2MM_{}_Ctrl", "Pause_Stream");
constexpr Field kPauseMemory = image::field(Module::kNoc, "DMA_S2MM_{}_Ctrl", "Pause_Mem");

constexpr const char* kStatus = "DMA_S2MM_Status_{}";
constexpr Field kCurrentBd = image::field(Module::kMemTile, kStatus, "Cur_BD");
constexpr Field kQueueSize = image::field(Module::kMemTile, kStatus, "Task_Queue_Size");
constexpr Field kRunning = image::field(Module::kMemTile, kStatus, "Channel_Running");
constexpr Field kOverflow = image::field(Module::kMemTile, kStatus, "Task_Queue_Overflow");
constexpr Field kDecodeError = image::field(Module::kNoc, kStatus, "AXI_MM_Decode_Error");
constexpr Field kFotLength = image::field(Module::kMemTile, kStatus, "Error_FoT_Length_Exceeded");
constexpr Field kBdInvalid = image::field(Module::kMemTile, kStatus, "Error_BD_Invalid");
constexpr Field kBdUnavailable = image::field(Module::kMemTile, kStatus, "Error_BD_Unavailable");
constexpr Field kNoMemory =
    image::field(Module::kMemTile, kStatus, "Error_DM_Access_to_Unavailable");
constexpr Field kNoLock =
    image::field(Module::kMemTile, kStatus, "Error_Lock_Access_to_Unavailable");
constexpr Field kStalledToken =
    image::field(Module::kMemTile, kStatus, "Stalled_TCT_or_Count_FIFO_Full");
constexpr Field kStalledStream =
    image::field(Module::kMemTile, kStatus, "Stalled_Stream_Starvation");
constexpr Field kStalledLock = image::field(Module::kMemTile, kStatus, "Stalled_Lock_Acq");
constexpr Field kState = image::field(Module::kMemTile, kStatus, "Status");

constexpr uint32_t kIdleState = 0, kStartingState = 1, kRunningState = 2;

// Tokens a tile holds before the channels that finish have to wait; the depth is a guess.
constexpr size_t kTokenFifo = 4;

// Words from which on a direct pointer is asked for.
constexpr size_t kWorthASpan = 4;

std::string hex(uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

uint32_t longest(uint64_t words) {
    return static_cast<uint32_t>(std::min<uint64_t>(words, Pipe::kLongestRun));
}

}  // namespace

std::string to_string(Direction direction, unsigned channel) {
    return (direction == Direction::kS2mm ? "S2MM " : "MM2S ") + std::to_string(channel);
}

std::string DmaChannel::name() const {
    return to_string(tile_) + " " + to_string(direction_, channel_);
}

bool DmaChannel::paused() const {
    return tile_.kind() == TileKind::kShim &&
           (kPauseStream.get(control_) | kPauseMemory.get(control_)) != 0;
}

bool DmaChannel::out_of_order() const {
    return direction_ == Direction::kS2mm && kOutOfOrder.get(control_) != 0;
}

bool DmaChannel::finish_on_tlast() const {
    return direction_ == Direction::kS2mm && kFot.get(control_) != 0;
}

void DmaChannel::queue(uint32_t word) {
    if (tasks_.size() >= choices::kTaskQueueDepth) {
        sticky_ |= kOverflow.mask();
        return;
    }
    const Field& bd = tile_.kind() == TileKind::kMem ? kStartBd : kStartBdNarrow;
    tasks_.push_back({static_cast<uint8_t>(bd.get(word)),
                      static_cast<uint16_t>(kRepeat.get(word) + 1), kToken.get(word) != 0});
}

void DmaChannel::set_control(uint32_t word) {
    control_ = word;
    if (tile_.kind() != TileKind::kShim && kReset.get(word) != 0) {
        reset();
    }
}

void DmaChannel::reset() {
    tasks_.clear();
    state_ = State::kIdle;
    sticky_ = 0;
    warm_ = false;
    moving_ = false;
    stalled_ = was_stalled_ = false;
    header_.reset();
    left_ = 0;
    done_ = 0;
}

uint32_t DmaChannel::status() const {
    uint32_t word =
        sticky_ | kCurrentBd.put(bd_id_) | kQueueSize.put(static_cast<uint32_t>(tasks_.size()));
    const bool running = state_ != State::kIdle && state_ != State::kHalted;
    if (running || !tasks_.empty()) {
        word |= kRunning.mask();
    }
    switch (state_) {
        case State::kIdle:
        case State::kHalted:
            word |= kState.put(kIdleState);
            break;
        case State::kSetup:
        case State::kHeader:
        case State::kStart:
            word |= kState.put(kStartingState);
            break;
        case State::kAcquire:
            word |= kState.put(kStartingState) | kStalledLock.mask();
            break;
        case State::kTransfer:
            word |= kState.put(kRunningState) | (stalled_ ? kStalledStream.mask() : 0);
            break;
        case State::kRelease:
        case State::kFinish:
            word |= kState.put(kRunningState);
            break;
        case State::kToken:
            word |= kState.put(kRunningState) | kStalledToken.mask();
            break;
    }
    return word;
}

void DmaChannel::connect(Stream* stream, std::string why) {
    stream_ = stream;
    no_stream_ = std::move(why);
}

void DmaChannel::halt(Machine& machine, uint32_t status_bit, FaultKind kind,
                      const std::string& what) {
    sticky_ |= status_bit;
    state_ = State::kHalted;
    machine.fault(kind, tile_, 0, name() + ": " + what);
}

// Takes the next task; false if there is none.
bool DmaChannel::begin(Machine& machine) {
    if (tasks_.empty()) {
        warm_ = false;
        return false;
    }
    task_ = tasks_.front();
    tasks_.pop_front();
    repeat_ = 0;
    first_bd_ = true;
    uint32_t cost = timing::kBdSetup;
    if (tile_.kind() == TileKind::kShim) {
        if (direction_ == Direction::kMm2s) {
            cost = warm_ ? timing::kShimMm2sTask : timing::kShimMm2sCold;
        } else if (!warm_) {
            cost = timing::kShimS2mmCold - timing::kShimS2mmTask;
        }
    }
    warm_ = true;
    due_ = machine.now + cost;
    bd_id_ = task_.bd;
    state_ = State::kSetup;
    ++counters_.tasks;
    task_since_ = machine.now;
    machine.raise_dma(*this, DmaEvent::kStartTask);
    return true;
}

bool DmaChannel::load(Machine& machine, unsigned bd, uint32_t delay) {
    const TileKind kind = tile_.kind();
    bd_id_ = bd;
    const std::string which = "BD " + std::to_string(bd);
    const bool available =
        bd < shape(kind).bds &&
        (kind != TileKind::kMem || bd / choices::kMemTileBdsPerParity == channel_ % 2U);
    if (!available) {
        halt(machine, kBdUnavailable.mask(), FaultKind::kBadDescriptor,
             which + " is not one that this channel can load");
        return false;
    }
    const auto words = machine.at(tile_).bd(bd);
    bd_ = decode_descriptor(kind, words);
    if (!bd_.valid) {
        halt(machine, kBdInvalid.mask(), FaultKind::kBadDescriptor, which + " has Valid_BD = 0");
        return false;
    }
    if (bd_.compression && kCompression.get(control_) != 0) {
        halt(machine, 0, FaultKind::kNotModelled,
             which +
                 " has Enable_Compression = 1 on a channel with compression enabled: "
                 "compressed streams are not modelled");
        return false;
    }
    const bool sends_header = bd_.packet && direction_ == Direction::kMm2s;
    if (sends_header && bd_.length == 0) {
        halt(machine, 0, FaultKind::kBadDescriptor,
             which +
                 " has Enable_Packet = 1 with Buffer_Length = 0, which hardware leaves undefined");
        return false;
    }
    base_ = bd_.base + uint64_t{bd_.iteration} * bd_.iteration_step * 4;
    count_iteration(kind, words);
    auto dimensions = bd_.dimensions;
    if (direction_ == Direction::kS2mm) {
        for (Dimension& d : dimensions) {
            d.before = d.after = 0;
        }
    }
    addresses_ = AddressGenerator(dimensions);
    left_ = bd_.length;
    done_ = 0;
    ended_by_tlast_ = false;
    header_.reset();
    if (sends_header) {
        header_ = packet_header(tile_, bd_.packet_id, bd_.packet_type, bd_.out_of_order_id);
    }
    if (bd_.acquire) {
        if (!machine.lock_of(*this, bd_.acquire_id)) {
            halt(machine, kNoLock.mask(), FaultKind::kBadMemory,
                 which + " acquires lock " + std::to_string(bd_.acquire_id) +
                     ", which the channel cannot reach");
            return false;
        }
        state_ = State::kAcquire;
        asked_ = machine.now;
        return true;
    }
    state_ = State::kStart;
    due_ = machine.now + delay;
    bd_since_ = machine.now;
    return true;
}

void DmaChannel::after_acquire(uint64_t now, bool had_to_wait) {
    due_ = now + timing::kLock;
    if (first_bd_) {
        due_ += timing::kChannelStart;
    }
    // Reads of a chain's next BD are under way before the last word has left, if the lock was free.
    if (direction_ == Direction::kMm2s && (first_bd_ || had_to_wait)) {
        due_ += timing::kMemoryLatency;
    }
    first_bd_ = false;
    state_ = State::kStart;
    bd_since_ = now;
}

// The BD is done: the next of the chain, the chain again, or the task's end.
void DmaChannel::next_bd(Machine& machine) {
    if (machine.trace != nullptr) {
        machine.trace->slice(tile_.index(), to_string(direction_, channel_),
                             "BD " + std::to_string(bd_id_), bd_since_, machine.now,
                             "\"words\":" + std::to_string(done_));
    }
    machine.raise_dma(*this, DmaEvent::kFinishedBd);
    if (bd_.release_value != 0) {
        const auto lock = machine.lock_of(*this, bd_.release_id);
        if (!lock) {
            halt(machine, kNoLock.mask(), FaultKind::kBadMemory,
                 "BD " + std::to_string(bd_id_) + " releases lock " +
                     std::to_string(bd_.release_id) + ", which the channel cannot reach");
            return;
        }
        machine.release_later(*lock, bd_.release_value);
    }
    if (!out_of_order() && bd_.next) {
        load(machine, *bd_.next, timing::kBdSwitch);
        return;
    }
    if (++repeat_ < task_.repeats) {
        if (out_of_order()) {
            state_ = State::kHeader;
        } else {
            load(machine, task_.bd, timing::kBdSwitch);
        }
        return;
    }
    const bool awaits_memory = tile_.kind() == TileKind::kShim && direction_ == Direction::kS2mm;
    state_ = State::kFinish;
    due_ = machine.now + (awaits_memory ? timing::kShimS2mmTask : 0);
}

void DmaChannel::advance(Machine& machine) {
    for (;;) {
        switch (state_) {
            case State::kIdle:
                if (!begin(machine)) {
                    return;
                }
                break;
            case State::kSetup:
                if (machine.now < due_) {
                    return;
                }
                if (out_of_order()) {
                    state_ = State::kHeader;
                    break;
                }
                if (!load(machine, bd_id_, 0)) {
                    return;
                }
                if (state_ == State::kStart) {
                    after_acquire(machine.now - timing::kLock, false);
                }
                break;
            case State::kStart:
                if (machine.now < due_) {
                    return;
                }
                state_ = State::kTransfer;
                break;
            case State::kTransfer:
                if (left_ != 0 || header_) {
                    return;
                }
                state_ = State::kRelease;
                break;
            case State::kRelease:
                next_bd(machine);
                break;
            case State::kFinish:
                if (machine.now < due_) {
                    return;
                }
                machine.raise_dma(*this, DmaEvent::kFinishedTask);
                if (machine.trace != nullptr) {
                    machine.trace->slice(tile_.index(), to_string(direction_, channel_) + " tasks",
                                         "task of BD " + std::to_string(task_.bd), task_since_,
                                         machine.now,
                                         "\"repeats\":" + std::to_string(task_.repeats));
                }
                state_ = task_.token ? State::kToken : State::kIdle;
                break;
            case State::kToken: {
                auto& words = machine.at(tile_).control_words;
                if (words.size() >= kTokenFifo) {
                    return;
                }
                words.push_back(
                    encode_token(tile_, direction_, channel_, kController.get(control_)));
                state_ = State::kIdle;
                break;
            }
            case State::kHeader:
            case State::kAcquire:
            case State::kHalted:
                return;
        }
    }
}

std::optional<uint64_t> DmaChannel::asks_since() const {
    return state_ == State::kAcquire ? std::optional(asked_) : std::nullopt;
}

bool DmaChannel::ask(Machine& machine) {
    const auto lock = machine.lock_of(*this, bd_.acquire_id);
    if (!lock || !machine.acquire(*lock, bd_.acquire_value)) {
        return false;
    }
    if (machine.trace != nullptr && asked_ != machine.now) {
        machine.trace->slice(tile_.index(), to_string(direction_, channel_),
                             "waits: lock " + std::to_string(bd_.acquire_id), asked_, machine.now);
    }
    after_acquire(machine.now, asked_ != machine.now);
    return true;
}

void DmaChannel::decide(const Machine& machine) {
    moving_ = false;
    stalled_ = false;
    const bool wants = state_ == State::kTransfer || state_ == State::kHeader;
    if (!wants || stream_ == nullptr || paused()) {
        return;
    }
    Pipe& pipe = stream_->pipe;
    if (direction_ == Direction::kMm2s) {
        moving_ = pipe.pushing = !pipe.full();
    } else {
        moving_ = pipe.popping = pipe.readable(machine.now);
    }
    stalled_ = !moving_;
}

uint64_t DmaChannel::steady(uint64_t now) const {
    switch (state_) {
        case State::kSetup:
        case State::kStart:
        case State::kFinish:
            return due_ - now;
        case State::kHeader:
            return moving_ ? 1 : kNever;
        case State::kTransfer:
            if (!moving_) {
                return kNever;
            }
            if (finish_on_tlast()) {
                return std::min(left_, stream_->pipe.to_tlast());
            }
            return left_ + (header_ ? 1 : 0);
        default:
            return kNever;
    }
}

void DmaChannel::account(Machine& machine, uint64_t cycles) {
    (moving_                     ? counters_.moving
     : stalled_                  ? counters_.stream_stalls
     : state_ == State::kAcquire ? counters_.lock_stalls
                                 : counters_.other) += cycles;
    const unsigned unit = tile_.kind() == TileKind::kCore ? 1 : 0;
    if (stalled_ && (!was_stalled_ || machine.at(tile_).events[unit].watched())) {
        machine.raise_dma(*this, DmaEvent::kStreamStall, cycles);
    }
    was_stalled_ = stalled_;
}

void DmaChannel::move(Machine& machine, uint32_t cycles) {
    if (!moving_) {
        return;
    }
    Pipe& pipe = stream_->pipe;
    if (direction_ == Direction::kMm2s) {
        auto words = pipe.tail(cycles);
        if (header_) {
            words[0] = *header_;
            header_.reset();
            words = words.subspan(1);
        }
        transfer(machine, words);
        left_ -= words.size();
        done_ += words.size();
        pipe.push(machine.now, cycles, left_ == 0 && !bd_.tlast_suppress);
        return;
    }
    const auto words = pipe.head(cycles);
    if (state_ == State::kHeader) {
        const unsigned bd = words[0] >> choices::kOutOfOrderIdShift & 0x3F;
        pipe.pop(1);
        load(machine, bd, timing::kBdSwitch);
        return;
    }
    const bool tlast = pipe.to_tlast() == cycles;
    transfer(machine, words);
    pipe.pop(cycles);
    left_ -= cycles;
    done_ += cycles;
    if (finish_on_tlast()) {
        if (tlast) {
            left_ = 0;
        } else if (left_ == 0 && state_ == State::kTransfer) {
            halt(machine, kFotLength.mask(), FaultKind::kBadDescriptor,
                 "BD " + std::to_string(bd_id_) + " received its " + std::to_string(bd_.length) +
                     " words without TLAST in finish-on-TLAST mode");
        }
    }
}

namespace {

// Moves a run between `words` and host memory; on failure `address` is in what is not mapped.
bool host_run(HostMemory& host, uint64_t& address, uint32_t stride, std::span<uint32_t> words,
              bool store) {
    const auto copy = [&](uint64_t at, void* to, size_t bytes) {
        return store ? host.write(at, to, bytes) : host.read(at, to, bytes);
    };
    if (stride == 1 && words.size() < kWorthASpan) {
        return copy(address, words.data(), words.size_bytes());
    }
    const size_t step = size_t{stride} * 4;
    std::byte* span = host.span(address, step * (words.size() - 1) + 4);
    if (stride == 1) {
        if (span == nullptr) {
            return copy(address, words.data(), words.size_bytes());
        }
        std::memcpy(store ? static_cast<void*>(span) : words.data(),
                    store ? static_cast<const void*>(words.data()) : span, words.size_bytes());
        return true;
    }
    for (uint32_t& word : words) {
        if (span == nullptr) {
            if (!copy(address, &word, 4)) {
                return false;
            }
            address += step;
            continue;
        }
        std::memcpy(store ? static_cast<void*>(span) : &word,
                    store ? static_cast<const void*>(&word) : span, 4);
        span += step;
    }
    return true;
}

}  // namespace

// Moves words along the BD's addresses, between memory and `words`.
void DmaChannel::transfer(Machine& machine, std::span<uint32_t> words) {
    const bool stores = direction_ == Direction::kS2mm;
    while (!words.empty()) {
        const AddressRun run = addresses_.next(longest(words.size()));
        auto part = words.first(run.count);
        words = words.subspan(run.count);
        if (run.zeros) {
            std::fill(part.begin(), part.end(), 0);
            continue;
        }
        if (state_ == State::kHalted) {
            continue;  // the rest of a run that hit a bad address
        }
        uint64_t byte = base_ + run.offset * 4;
        if (tile_.kind() == TileKind::kShim) {
            HostMemory* host = machine.host[tile_.column];
            uint64_t address = (byte - choices::kDdrOffset) & choices::kDeviceAddressMask;
            if (host == nullptr || !host_run(*host, address, run.stride, part, stores)) {
                halt(machine, kDecodeError.mask(), FaultKind::kHostMemory,
                     "BD " + std::to_string(bd_id_) + (stores ? " writes" : " reads") +
                         " unmapped device address " + hex(address));
            }
            continue;
        }
        while (!part.empty()) {
            const auto memory = machine.data_of(*this, byte);
            if (memory.empty()) {
                halt(machine, kNoMemory.mask(), FaultKind::kBadMemory,
                     "BD " + std::to_string(bd_id_) + (stores ? " writes" : " reads") +
                         " byte address " + hex(byte) + ", which the channel cannot reach");
                break;
            }
            const size_t count =
                std::min<size_t>(part.size(), (memory.size() - 1) / run.stride + 1);
            for (size_t i = 0; i < count; ++i) {
                if (stores) {
                    memory[i * run.stride] = part[i];
                } else {
                    part[i] = memory[i * run.stride];
                }
            }
            part = part.subspan(count);
            byte += uint64_t{run.stride} * 4 * count;
        }
    }
}

std::optional<DmaChannel::Wait> DmaChannel::wait(const Machine& machine) const {
    Wait wait{to_string(direction_, channel_) + " (BD " + std::to_string(bd_id_) + ", " +
                  std::to_string(done_) + " of " + std::to_string(bd_.length) + " words, run " +
                  std::to_string(repeat_ + 1) + " of " + std::to_string(task_.repeats) + ", " +
                  std::to_string(tasks_.size()) + " more queued)",
              {}};
    switch (state_) {
        case State::kAcquire: {
            const auto lock = machine.lock_of(*this, bd_.acquire_id);
            wait.what = "lock " + std::to_string(bd_.acquire_id);
            if (lock) {
                wait.what += " (" + std::to_string(lock->id) + " of " + to_string(lock->tile) +
                             "): value " +
                             std::to_string(machine.at(lock->tile).locks.value(lock->id));
            }
            wait.what += bd_.acquire_value < 0 ? ", wants >= " + std::to_string(-bd_.acquire_value)
                                               : ", wants = " + std::to_string(bd_.acquire_value);
            return wait;
        }
        case State::kHeader:
        case State::kTransfer:
            if (stream_ == nullptr) {
                wait.what = no_stream_;
            } else if (paused()) {
                wait.what = "paused by its control register";
            } else if (direction_ == Direction::kMm2s && stream_->pipe.full()) {
                wait.what = "full: stream to " + stream_->whereto;
            } else if (direction_ == Direction::kS2mm && !stream_->pipe.readable(machine.now)) {
                wait.what = "no words on its stream";
            } else {
                return std::nullopt;
            }
            return wait;
        case State::kToken:
            wait.what = "its token cannot leave: " + std::to_string(kTokenFifo) + " others wait";
            return wait;
        case State::kHalted:
            wait.what = "halted by an error";
            return wait;
        default:
            return std::nullopt;
    }
}

}  // namespace xdna::emu
