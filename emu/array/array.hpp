// Phoenix's array behind one door: registers in, bytes moved, cycles and tokens out.
//
// It knows nothing of contexts, commands or doors. Addresses are physical: whoever runs a context's
// relative columns adds the start column first. One thread at a time may use an Array; nothing in
// it depends on wall-clock time, so that one program gives one result and one cycle count.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emu/array/activity.hpp"
#include "emu/array/core_model.hpp"
#include "emu/array/fault.hpp"
#include "emu/array/host_memory.hpp"
#include "emu/array/task_token.hpp"
#include "emu/array/trace.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::emu {

class Machine;
class Scheduler;

/// Why a run ended.
enum class Stop : uint8_t {
    kBudget,     ///< the cycles are spent
    kToken,      ///< a token is there to be taken
    kMatched,    ///< poll(): the register has the value
    kQuiescent,  ///< nothing can move any more until a register is written: see Array::waits()
    kFault,      ///< see Array::take_faults()
};

struct RunResult {
    Stop stop = Stop::kBudget;
    uint64_t cycles = 0;  ///< that passed
};

/// Something that cannot go on, for a report of who waits on what.
struct Wait {
    Tile tile;
    std::string who;   ///< "S2MM 0 (BD 3, ...)", "core", "switch, slave South 3"
    std::string what;  ///< "lock 65 (1 of (1,1)): value 0, wants >= 1", "full: stream to ..."
};
/// "(1,1) S2MM 0 (...) waits: lock ..."
std::string to_string(const Wait& wait);

class Array {
  public:
    Array();
    ~Array();
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;

    // --- registers: what PDIs and control code do. A fault means that nothing was changed. ---

    [[nodiscard]] std::optional<Fault> write(image::TileAddress at, uint32_t value);
    [[nodiscard]] std::optional<Fault> mask_write(image::TileAddress at, uint32_t value,
                                                  uint32_t mask);
    /// Consecutive words. Stops at the first that cannot be written, whose fault it returns.
    [[nodiscard]] std::optional<Fault> write_block(image::TileAddress at,
                                                   std::span<const uint32_t> words);
    /// Reading may act: a Lock_Request address performs the request.
    [[nodiscard]] std::optional<Fault> read(image::TileAddress at, uint32_t& value);

    // --- surroundings ---

    /// What a fresh partition finds in `columns` columns: registers at their reset values, locks
    /// and memories zero, streams and queues empty, tiles isolated from the columns beside it and
    /// not from each other (as Xilinx/aie-rt's partition initialisation leaves them).
    void reset_partition(unsigned first_column, unsigned columns);

    /// What the shims of these columns reach; null (the first state): nothing. Not owned.
    void attach_host_memory(unsigned first_column, unsigned columns, HostMemory* memory);

    /// Gives every core tile a core, at once. Without, enabling a core is a fault.
    void plug_cores(const CoreFactory& factory);

    // --- time ---

    /// Array clocks since construction.
    uint64_t cycle() const;

    /// Lets `cycles` pass. Ends early on a fault only. kQuiescent: at the end nothing could move.
    RunResult run(uint64_t cycles);
    /// Runs until a token is there (at once if one already is), nothing can move, or `budget`
    /// cycles have passed.
    RunResult run_until_token(uint64_t budget);
    /// Runs until (register & mask) == value, looked at whenever something may have changed.
    /// kFault also for a register that cannot be read; take_faults() has it.
    RunResult poll(image::TileAddress at, uint32_t mask, uint32_t value, uint64_t budget);

    /// The oldest token not taken yet.
    std::optional<TaskToken> take_token();
    /// Errors of running channels, cores and switches since the last call, oldest first.
    std::vector<Fault> take_faults();

    // --- reports ---

    /// Everything in these columns that has work and cannot go on. Channels that wait for a first
    /// word or lock of a loop that is over are among them: that is how a finished program looks.
    std::vector<Wait> waits(unsigned first_column = 0, unsigned columns = kColumns) const;
    /// What the cores and channels of these columns have done so far.
    Activity activity(unsigned first_column, unsigned columns) const;
    /// See CoreModel::profile(). Empty for a tile without a core.
    std::vector<BundleTime> profile(Tile tile) const;
    /// Where the array's activity is shown from now on; null: nowhere, at no cost. Not owned.
    void show(Trace* trace);
    /// The last cycle in which a word moved, a lock was taken or a core ran there.
    uint64_t last_progress(unsigned first_column, unsigned columns) const;

  private:
    std::unique_ptr<Machine> machine_;
    std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace xdna::emu
