// Where a core's instruction-set simulator plugs into its tile.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "emu/array/fault.hpp"
#include "emu/array/geometry.hpp"

namespace xdna::emu {

/// A value on the cascade: 512 bits, least significant word first.
using CascadeWord = std::array<uint32_t, 16>;

/// What a core sees of the array. Locks, streams, cascade and registers may be used only while
/// CoreModel::run() is in its first cycle, that is, at the array's own time; see there.
class CoreBus {
  public:
    virtual ~CoreBus() = default;

    virtual Tile tile() const = 0;

    /// The tile's program memory, 16 KiB. CoreModel::program_changed() tells of writes to it.
    virtual std::span<const std::byte> program() const = 0;

    /// Data memory as the core addresses it: data address bits 17:16 choose the neighbour (0x4xxxx
    /// south, 0x5xxxx west, 0x6xxxx north, 0x7xxxx own), bits 15:0 the byte. Empty where there is
    /// no core tile on that side, or the tile is isolated from it. The views stay valid, and
    /// memory may be accessed at any time, also ahead of the array's.
    virtual std::array<std::span<std::byte>, 4> memories() = 0;

    /// Claims the memory bank that holds data address `address` for the core's cycle `cycle`, and
    /// returns the cycles that the core has to wait for it (0: free). One call for each 16-byte
    /// word that an access touches.
    virtual uint32_t claim_bank(uint32_t address, uint64_t cycle) = 0;

    /// Lock `id` as the core numbers it: 0-15 south, 16-31 west, 32-47 north, 48-63 own. `change`
    /// as in a BD: negative acquires at least that much, else exactly that much. False: wait. A
    /// lock that is not there throws CoreTrap.
    virtual bool acquire(unsigned id, int change) = 0;
    virtual void release(unsigned id, int change) = 0;

    /// The core's one input and one output stream. False: wait.
    virtual bool stream_read(uint32_t& word, bool& tlast) = 0;
    virtual bool stream_write(uint32_t word, bool tlast) = 0;

    /// The cascade, as Accumulator_Control directs it. False: wait.
    virtual bool cascade_read(CascadeWord& value) = 0;
    virtual bool cascade_write(const CascadeWord& value) = 0;

    /// The 64-bit timer of the core module at the core's cycle `cycle`.
    virtual uint64_t timer(uint64_t cycle) const = 0;

    /// The tile's own registers, 32-bit words at `offset` within the tile, over the processor bus.
    /// Throws CoreTrap where the bus is not enabled (Core_Processor_Bus) or there is no such
    /// register.
    virtual uint32_t read_register(uint32_t offset) = 0;
    virtual void write_register(uint32_t offset, uint32_t value) = 0;

    /// Raises an event of the core module (array.md 6: 33 and up are the core's).
    virtual void raise(unsigned event) = 0;
};

/// What ends a core: thrown from run(), reported as the array's fault with tile and text. Thrown
/// from the registers below for one that the model lacks, it is the fault of that access.
struct CoreTrap {
    std::string what;
    FaultKind kind = FaultKind::kNotModelled;
};

/// What keeps a core from going on.
enum class Stall : uint8_t { kLock, kStreamIn, kStreamOut, kCascadeIn, kCascadeOut };
inline constexpr std::array kStallNames = {"lock", "stream in", "stream out", "cascade in",
                                           "cascade out"};

/// What instructions are counted as; a bundle has several.
enum class InstructionClass : uint8_t { kScalar, kLoad, kStore, kSync, kVector, kMultiply };
inline constexpr std::array kInstructionClassNames = {"scalar", "load",   "store",
                                                      "sync",   "vector", "multiply"};

/// What a core has executed since it was made, over all resets.
struct CoreWork {
    uint64_t bundles = 0;
    std::array<uint64_t, kInstructionClassNames.size()> instructions{};  ///< nops left out
    uint64_t bank_stalls = 0;  ///< cycles that accesses waited for a bank
    uint64_t lock_cycles = 0;  ///< cycles that lock instructions took beyond their own
};

/// What one bundle of the program has cost since it was decoded.
struct BundleTime {
    uint32_t address = 0;
    uint64_t executed = 0;
    uint64_t stalled = 0;  ///< cycles for banks and of lock instructions, beyond its own
    uint64_t waited = 0;   ///< cycles until a lock, a stream or the cascade let it
};

/// How a call of run() ended.
struct CoreProgress {
    enum class State : uint8_t {
        kRunning,  ///< more to do at once
        kStalled,  ///< the next instruction waits: see `waits_for`
        kDone,     ///< the core executed DONE; it is disabled until enabled again
    };
    uint64_t cycles = 0;  ///< spent; 0 only if stalled or done at once
    State state = State::kRunning;
    Stall stall{};  ///< if stalled
    /// Stalled: on what, for the deadlock report ("lock 48: value 0, wants >= 1").
    std::function<std::string()> waits_for;
};

/// One core. The array makes one for each core tile, resets it when Core_Control does, and runs it
/// while it is enabled.
class CoreModel {
  public:
    virtual ~CoreModel() = default;

    virtual void reset() = 0;
    virtual void program_changed() = 0;

    /// Runs for at most `cycles` (at least 1) from the array's cycle `now`. An instruction that
    /// uses a lock, a stream, the cascade, the processor bus or an event may be executed only as
    /// the first of a call: before a later one, return kRunning with the cycles spent so far, and
    /// the array calls again when it is as late. That keeps the order of events between tiles
    /// exact, while stretches without them run at full speed. A call whose first instruction has to
    /// wait returns kStalled with 0 cycles; the array calls again each time something has changed.
    virtual CoreProgress run(CoreBus& bus, uint64_t now, uint64_t cycles) = 0;

    virtual CoreWork work() const { return {}; }
    /// Where the time went, in no order: those bundles that have run since the last reset.
    virtual std::vector<BundleTime> profile() const { return {}; }

    /// A register of the core's debug window (Core_PC, Core_R{}, ...), 32-bit part at `offset`
    /// within the tile.
    virtual uint32_t read_register(uint32_t offset) const = 0;
    virtual void write_register(uint32_t offset, uint32_t value) = 0;
};

/// Makes the core of a tile.
using CoreFactory = std::function<std::unique_ptr<CoreModel>(Tile)>;

}  // namespace xdna::emu
