#include "emu/array/register_file.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include "emu/array/choices.hpp"
#include "emu/array/machine.hpp"

namespace xdna::emu {
namespace {

using image::Access;
using image::Field;
using image::Module;
using image::Register;
using image::RegisterHit;
using image::TileAddress;

/// What a register does besides holding a word.
enum class Behaviour : uint8_t {
    kPlain,  // a word, read back; nothing in the model depends on it
    kTrap,   // zero or its reset value is accepted, anything else is not modelled
    kDescriptor,
    kS2mmControl,
    kMm2sControl,
    kS2mmQueue,
    kMm2sQueue,
    kS2mmStatus,
    kMm2sStatus,
    kWriteCount,
    kFotCount,
    kEventSelection,
    kLock,
    kLockSelector,
    kLockOverflow,
    kLockUnderflow,
    kLockRequest,
    kSwitch,
    kTileControl,
    kZeroise,
    kColumnReset,
    kTimerControl,
    kTimerLow,
    kTimerHigh,
    kGenerate,
    kEventStatus,
    kBroadcast,
    kBlockSet,
    kBlockClear,
    kBlockValue,
    kCounterControl,
    kCounter,
    kCounterCompare,
    kCoreControl,
    kCoreStatus,
    kCoreState,
};

struct NamedBehaviour {
    std::string_view name;  // of the row, in whichever modules have it
    Behaviour behaviour;
};

using enum Behaviour;

constexpr NamedBehaviour kNamed[] = {
    {"DMA_S2MM_{}_Ctrl", kS2mmControl},
    {"DMA_MM2S_{}_Ctrl", kMm2sControl},
    {"DMA_S2MM_{}_Start_Queue", kS2mmQueue},
    {"DMA_MM2S_{}_Start_Queue", kMm2sQueue},
    {"DMA_S2MM_{}_Task_Queue", kS2mmQueue},
    {"DMA_MM2S_{}_Task_Queue", kMm2sQueue},
    {"DMA_S2MM_Status_{}", kS2mmStatus},
    {"DMA_MM2S_Status_{}", kMm2sStatus},
    {"DMA_S2MM_Current_Write_Count_{}", kWriteCount},
    {"DMA_S2MM_FoT_Count_FIFO_Pop_{}", kFotCount},
    {"DMA_Event_Channel_Selection", kEventSelection},
    {"Lock{}_value", kLock},
    {"Locks_Event_Selection_{}", kLockSelector},
    {"Locks_Overflow", kLockOverflow},
    {"Locks_Overflow_0", kLockOverflow},
    {"Locks_Overflow_1", kLockOverflow},
    {"Locks_Underflow", kLockUnderflow},
    {"Locks_Underflow_0", kLockUnderflow},
    {"Locks_Underflow_1", kLockUnderflow},
    {"Lock_Request", kLockRequest},
    {"Mux_Config", kSwitch},
    {"Demux_Config", kSwitch},
    {"Tile_Control", kTileControl},
    {"Memory_Control", kZeroise},
    {"AIE_Tile_Column_Reset", kColumnReset},
    {"Timer_Control", kTimerControl},
    {"Timer_Low", kTimerLow},
    {"Timer_High", kTimerHigh},
    {"Event_Generate", kGenerate},
    {"Event_Broadcast{}", kBroadcast},
    {"Event_Broadcast{}_A", kBroadcast},
    {"Performance_Control0", kCounterControl},
    {"Performance_Control1", kCounterControl},
    {"Performance_Control2", kCounterControl},
    {"Performance_Ctrl0", kCounterControl},
    {"Performance_Ctrl1", kCounterControl},
    {"Performance_Counter{}", kCounter},
    {"Performance_Counter{}_Event_Value", kCounterCompare},
    {"Core_Control", kCoreControl},
    {"Core_Status", kCoreStatus},
    {"Core_Processor_Bus", kPlain},
    // Not modelled: these ask hardware for something.
    {"Trace_Control0", kTrap},
    {"WatchPoint{}", kTrap},
    {"Combo_event_control", kTrap},
    {"Edge_Detection_event_control", kTrap},
    {"Timer_Trig_Event_Low_Value", kTrap},
    {"Timer_Trig_Event_High_Value", kTrap},
    {"Stream_Switch_Deterministic_Merge_arb{}_ctrl", kTrap},
    {"Stream_Switch_Event_Port_Selection_0", kTrap},
    {"Stream_Switch_Event_Port_Selection_1", kTrap},
    {"Stream_Switch_Parity_Injection", kTrap},
    {"Checkbit_Error_Generation", kTrap},
    {"PC_Event{}", kTrap},
    {"Enable_Events", kTrap},
    {"Reset_Event", kTrap},
    {"Debug_Control0", kTrap},
    {"Debug_Control1", kTrap},
    {"Debug_Control2", kTrap},
    {"Error_Halt_Event", kTrap},
    {"Module_Reset_Control", kTrap},
    {"Module_Reset_Control_0", kTrap},
    {"Module_Reset_Control_1", kTrap},
};

struct NamedGroup {
    std::string_view prefix;
    std::string_view suffix;
    Behaviour behaviour;
};

constexpr NamedGroup kGroups[] = {
    {"DMA_BD{}_", "", kDescriptor},
    {"Stream_Switch_Master_Config_", "", kSwitch},
    {"Stream_Switch_Slave_", "", kSwitch},
    {"Event_Status", "", kEventStatus},
    {"Event_Broadcast_", "_Set", kBlockSet},
    {"Event_Broadcast_", "_Clr", kBlockClear},
    {"Event_Broadcast_", "_Value", kBlockValue},
    {"Core_", "", kCoreState},
};

/// A row of the table, with what an access needs to know of it.
struct Row {
    Behaviour behaviour = kPlain;
    uint32_t writable = 0;  // bits that a write sets
    uint32_t clearing = 0;  // bits that a write of 1 clears
};

Row row_of(const Register& reg) {
    Row row;
    for (const NamedGroup& group : kGroups) {
        if (reg.name.starts_with(group.prefix) && reg.name.ends_with(group.suffix)) {
            row.behaviour = group.behaviour;
        }
    }
    for (const NamedBehaviour& named : kNamed) {
        if (reg.name == named.name) {
            row.behaviour = named.behaviour;
        }
    }
    if (reg.bits != 32) {
        row.writable = ~0U;
        return row;
    }
    image::for_each_field(reg, [&](const Field& field) {
        if (field.access == Access::kRw || field.access == Access::kWo) {
            row.writable |= field.mask();
        } else if (field.access == Access::kWtc) {
            row.clearing |= field.mask();
        }
    });
    return row;
}

const Row& row(const Register& reg) {
    static const std::vector<Row> rows = [] {
        std::vector<Row> all;
        for (const Register& each : image::registers()) {
            all.push_back(row_of(each));
        }
        return all;
    }();
    return rows[static_cast<size_t>(&reg - image::registers().data())];
}

std::string hex(uint32_t value) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%x", value);
    return text;
}

// Where an access goes: tile, register, behaviour.
struct Target {
    Machine& machine;
    TileState& state;
    uint32_t offset;
    const Register& reg;
    RegisterHit hit;

    std::string name() const {
        return to_string(state.tile) + " " + image::register_name(state.tile.kind(), offset) +
               " (offset " + hex(offset) + ")";
    }
    Fault fault(FaultKind kind, const std::string& what) const {
        return {kind, state.tile, offset, name() + ": " + what};
    }
    EventUnit& events() const { return state.events[unit()]; }
    unsigned unit() const { return reg.module == Module::kMemory ? 1 : 0; }
    unsigned instance() const { return hit.i; }
    // A number that ends the register's name: 1 of "Locks_Overflow_1", 0 without one.
    unsigned trailing_number() const {
        const char last = reg.name.back();
        return last >= '0' && last <= '9' ? static_cast<unsigned>(last - '0') : 0;
    }
    DmaChannel& channel(Direction direction) const { return state.channel(direction, instance()); }
    // BD word: number in the name, after "DMA_BD{}_".
    uint32_t& descriptor_word() const { return state.bd(instance())[trailing_number()]; }
};

std::optional<Fault> find(Machine& machine, TileAddress at, std::optional<Target>& target) {
    const auto where = [&] {
        return "column " + std::to_string(at.column) + ", row " + std::to_string(at.row) +
               ", offset " + hex(at.offset);
    };
    const Tile tile = {static_cast<uint8_t>(at.column), static_cast<uint8_t>(at.row)};
    if (at.column >= kColumns || at.row >= kRows) {
        return Fault{FaultKind::kBadAddress, {}, at.offset, where() + ": no such tile"};
    }
    if (at.offset % 4 != 0) {
        return Fault{FaultKind::kBadAddress, tile, at.offset, where() + ": not a multiple of 4"};
    }
    const auto hit = image::find_register(tile.kind(), at.offset);
    if (!hit) {
        return Fault{FaultKind::kUnlistedRegister, tile, at.offset,
                     where() + ": the register table has nothing there"};
    }
    target.emplace(Target{machine, machine.at(tile), at.offset, *hit->reg, *hit});
    return std::nullopt;
}

Side side_of(std::string_view name) {
    return name.find("South") != name.npos   ? Side::kSouth
           : name.find("West") != name.npos  ? Side::kWest
           : name.find("North") != name.npos ? Side::kNorth
                                             : Side::kEast;
}

uint16_t& blocked_lines(const Target& t) {
    const bool network_b = t.reg.name.find("_B_") != t.reg.name.npos;
    return t.events().blocked[static_cast<size_t>(side_of(t.reg.name))][network_b ? 1 : 0];
}

// "Cnt1_Start_Event": counter 1, start.
void set_counter_control(const Target& t, uint32_t value) {
    image::for_each_field(t.reg, [&](const Field& field) {
        const auto k = static_cast<unsigned>(field.name[3] - '0');
        const auto event = static_cast<uint8_t>(field.get(value));
        EventUnit::Counter& counter = t.events().counters[k];
        if (field.name.ends_with("Start_Event")) {
            t.events().configure(k, event, counter.stop, t.machine.now);
        } else if (field.name.ends_with("Stop_Event")) {
            t.events().configure(k, counter.start, event, t.machine.now);
        } else {
            counter.reset = event;
        }
    });
    t.events().watch();
}

void set_compare(const Target& t, uint32_t value) {
    t.events().counters[t.instance()].compare = value;
    auto& comparing = t.machine.comparing;
    const std::pair<Tile, unsigned> unit = {t.state.tile, t.unit()};
    if (std::find(comparing.begin(), comparing.end(), unit) == comparing.end()) {
        comparing.push_back(unit);
    }
}

constexpr uint32_t kCoreEnable = image::field(Module::kCore, "Core_Control", "Enable").mask();
constexpr uint32_t kCoreReset = image::field(Module::kCore, "Core_Control", "Reset").mask();
constexpr uint32_t kCoreDone = image::field(Module::kCore, "Core_Status", "Core_Done").mask();
constexpr uint32_t kCoreErrorHalt = image::field(Module::kCore, "Core_Status", "Error_Halt").mask();
constexpr Field kFotMode = image::field(Module::kMemTile, "DMA_S2MM_{}_Ctrl", "FoT_Mode");
constexpr uint32_t kFotWithoutCounts = 1;
constexpr Field kTimerReset = image::field(Module::kCore, "Timer_Control", "Reset");
constexpr unsigned kTimerEventShift = 8;  // the field is a bit wider on memory tiles
constexpr Field kZeroiseCore =
    image::field(Module::kMemory, "Memory_Control", "Memory_Zeroisation");
constexpr Field kSelectorLock =
    image::field(Module::kMemTile, "Locks_Event_Selection_{}", "Lock_Select");
constexpr Field kSelectorValue =
    image::field(Module::kMemTile, "Locks_Event_Selection_{}", "Lock_Value");

std::optional<Fault> set_core_control(const Target& t, uint32_t value) {
    CoreSlot& core = t.state.core;
    const uint32_t control = value & (kCoreEnable | kCoreReset);
    if (control == kCoreEnable && !core.model) {
        return t.fault(FaultKind::kNotModelled,
                       "enables the core, and no core model is plugged in");
    }
    const bool started = control == kCoreEnable && core.control != kCoreEnable;
    if ((control & kCoreReset) != 0 && (core.control & kCoreReset) == 0 && core.model) {
        core.model->reset();
        core.trapped.clear();
    }
    if (control != kCoreEnable) {
        t.machine.change(t.state, CoreSlot::Doing::kNothing);
    }
    core.control = control;
    if (started) {
        core.done = false;
        core.last = {};
        core.time = t.machine.now;
    }
    t.machine.work_stale = true;
    return std::nullopt;
}

// A write to a data or program memory.
void write_memory(const Target& t, uint32_t value) {
    const uint32_t word = (t.offset - t.reg.offset) / 4;
    if (t.reg.module == Module::kCore) {
        t.state.program[word] = value;
        if (t.state.core.model) {
            t.state.core.model->program_changed();
        }
    } else {
        t.state.data[word] = value;
    }
}

uint32_t request_lock(const Target& t) {
    // Lock_Id 15:10, Acq_Rel 9, Change_Value 8:2 of the offset in the window: AM025.
    const uint32_t request = t.offset - t.reg.offset;
    const unsigned id = request >> 10;
    const bool acquires = ((request >> 9 & 1) != 0) == choices::kLockRequestBit9Acquires;
    const int change = static_cast<int>((request >> 2 & 0x7F) ^ 0x40) - 0x40;
    const Machine::LockPlace lock = {t.state.tile, id};
    if (acquires) {
        return t.machine.acquire(lock, change) ? 1 : 0;
    }
    t.machine.release(lock, change);
    return 1;
}

}  // namespace

std::optional<Fault> write_register(Machine& machine, TileAddress at, uint32_t value) {
    std::optional<Target> found;
    if (auto fault = find(machine, at, found)) {
        return fault;
    }
    const Target& t = *found;
    if (t.reg.is_memory() && t.reg.name != "Lock_Request") {
        write_memory(t, value);
        return std::nullopt;
    }
    const Row& info = row(t.reg);
    uint32_t& stored =
        t.state.registers.try_emplace(t.offset, t.hit.byte == 0 ? t.reg.reset : 0).first->second;
    const uint32_t next =
        ((stored & ~info.writable) | (value & info.writable)) & ~(value & info.clearing);

    switch (info.behaviour) {
        case kPlain:
            break;
        case kTrap:
            if ((value & info.writable) != 0 && (value & info.writable) != t.reg.reset) {
                return t.fault(FaultKind::kNotModelled,
                               "writing " + hex(value) + " asks for what is not modelled");
            }
            break;
        case kDescriptor:
            t.descriptor_word() = value;
            break;
        case kS2mmControl:
            if (kFotMode.get(value) > kFotWithoutCounts) {
                return t.fault(FaultKind::kNotModelled,
                               "FoT_Mode " + std::to_string(kFotMode.get(value)) +
                                   " (finish on TLAST with counts) is not modelled");
            }
            t.channel(Direction::kS2mm).set_control(value);
            break;
        case kMm2sControl:
            t.channel(Direction::kMm2s).set_control(value);
            break;
        case kS2mmQueue:
            t.channel(Direction::kS2mm).queue(value);
            machine.work_stale = true;
            break;
        case kMm2sQueue:
            t.channel(Direction::kMm2s).queue(value);
            machine.work_stale = true;
            break;
        case kS2mmStatus:
            t.channel(Direction::kS2mm).clear_status(value & info.clearing);
            break;
        case kMm2sStatus:
            t.channel(Direction::kMm2s).clear_status(value & info.clearing);
            break;
        case kEventSelection:
            t.state.event_selection = next;
            break;
        case kLock:
            t.state.locks.set(t.instance(), value);
            break;
        case kLockSelector:
            t.state.lock_selectors[t.instance()] = {static_cast<uint8_t>(kSelectorLock.get(next)),
                                                    static_cast<uint8_t>(kSelectorValue.get(next))};
            t.events().watch();
            break;
        case kLockOverflow:
            t.state.locks.clear_overflow(uint64_t{value} << (32 * t.trailing_number()));
            break;
        case kLockUnderflow:
            t.state.locks.clear_underflow(uint64_t{value} << (32 * t.trailing_number()));
            break;
        case kSwitch:
            machine.network_stale |= next != stored;
            break;
        case kTileControl:
            t.state.isolation = static_cast<uint8_t>(next & 0xF);
            break;
        case kZeroise:
            stored = next & ~kZeroiseCore.mask();  // clears itself
            if (kZeroiseCore.get(value) != 0) {
                auto& memory = t.reg.module == Module::kCore ? t.state.program : t.state.data;
                std::fill(memory.begin(), memory.end(), 0);
                if (t.reg.module == Module::kCore && t.state.core.model) {
                    t.state.core.model->program_changed();
                }
            }
            return std::nullopt;
        case kColumnReset:
            if (value != 0) {
                for (uint8_t r = 1; r < kRows; ++r) {
                    machine.reset_tile({t.state.tile.column, r});
                }
            }
            break;
        case kTimerControl:
            t.events().timer_reset_event =
                static_cast<uint8_t>((next & ~kTimerReset.mask()) >> kTimerEventShift);
            t.events().watch();
            if (kTimerReset.get(value) != 0) {
                t.events().reset_timer(machine.now);
            }
            break;
        case kGenerate:
            if (value >= event_numbers(t.state.tile.kind(), t.unit()).count) {
                return t.fault(FaultKind::kNotModelled, "no event " + std::to_string(value));
            }
            machine.raise(t.state.tile, t.unit(), value);
            break;
        case kEventStatus:
            t.events().clear_status(t.trailing_number(), value);
            break;
        case kBroadcast:
            t.events().broadcast[t.instance()] = static_cast<uint8_t>(next);
            t.events().watch();
            break;
        case kBlockSet:
            blocked_lines(t) |= static_cast<uint16_t>(value);
            break;
        case kBlockClear:
            blocked_lines(t) &= static_cast<uint16_t>(~value);
            break;
        case kCounterControl:
            set_counter_control(t, next);
            break;
        case kCounter:
            t.events().set_counter(t.instance(), value, machine.now);
            break;
        case kCounterCompare:
            set_compare(t, value);
            break;
        case kCoreControl:
            if (auto fault = set_core_control(t, value)) {
                return fault;
            }
            break;
        case kCoreState:
            if (t.state.core.model) {
                try {
                    t.state.core.model->write_register(t.offset, value);
                } catch (const CoreTrap& trap) {
                    return t.fault(FaultKind::kNotModelled, trap.what);
                }
            }
            break;
        case kWriteCount:
        case kFotCount:
        case kLockRequest:
        case kTimerLow:
        case kTimerHigh:
        case kBlockValue:
        case kCoreStatus:
            return t.fault(FaultKind::kNotModelled, "written, and can only be read");
    }
    stored = next;
    return std::nullopt;
}

std::optional<Fault> read_register(Machine& machine, TileAddress at, uint32_t& value) {
    std::optional<Target> found;
    if (auto fault = find(machine, at, found)) {
        return fault;
    }
    const Target& t = *found;
    if (t.reg.is_memory() && t.reg.name != "Lock_Request") {
        const auto& memory = t.reg.module == Module::kCore ? t.state.program : t.state.data;
        value = memory[(t.offset - t.reg.offset) / 4];
        return std::nullopt;
    }
    EventUnit& events = t.events();
    switch (row(t.reg).behaviour) {
        case kDescriptor:
            value = t.descriptor_word();
            break;
        case kS2mmStatus:
            value = t.channel(Direction::kS2mm).status();
            break;
        case kMm2sStatus:
            value = t.channel(Direction::kMm2s).status();
            break;
        case kWriteCount:
            value = t.channel(Direction::kS2mm).write_count();
            break;
        case kFotCount:
            value = 0;  // not valid: no mode with counts
            break;
        case kLock:
            value = t.state.locks.value(t.instance());
            break;
        case kLockOverflow:
            value = static_cast<uint32_t>(t.state.locks.overflow() >> (32 * t.trailing_number()));
            break;
        case kLockUnderflow:
            value = static_cast<uint32_t>(t.state.locks.underflow() >> (32 * t.trailing_number()));
            break;
        case kLockRequest:
            value = request_lock(t);
            break;
        case kTimerLow:
            value = static_cast<uint32_t>(events.timer(machine.now));
            break;
        case kTimerHigh:
            value = static_cast<uint32_t>(events.timer(machine.now) >> 32);
            break;
        case kEventStatus:
            value = events.status(t.trailing_number());
            break;
        case kBlockValue:
            value = blocked_lines(t);
            break;
        case kCounter:
            value = events.counter(t.instance(), machine.now);
            break;
        case kCoreStatus: {
            const CoreSlot& core = t.state.core;
            value = (core.control & (kCoreEnable | kCoreReset)) | (core.done ? kCoreDone : 0) |
                    (core.trapped.empty() ? 0 : kCoreErrorHalt);
            break;
        }
        case kCoreState:
            if (!t.state.core.model) {
                value = machine.stored(t.state.tile, t.offset);
                break;
            }
            try {
                value = t.state.core.model->read_register(t.offset);
            } catch (const CoreTrap& trap) {
                return t.fault(FaultKind::kNotModelled, trap.what);
            }
            break;
        default:
            value = machine.stored(t.state.tile, t.offset);
            break;
    }
    return std::nullopt;
}

}  // namespace xdna::emu
