// The exposed pipeline of one core: what each instruction reads and writes, in the cycle in which
// it does. There is no interlock, as the silicon has none: a reader that issues too early gets the
// old value.
//
// Cycles here are unstalled cycles. A bundle that issues at the end of cycle c reads its early
// operands in c + 1, and so on; a value written in a cycle is seen by reads of later cycles, and in
// the same cycle by reads that share the write's bypass. Source of the rule and of every cycle:
// kernels/isa/table.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emu/array/core_model.hpp"
#include "emu/core/load_buffer.hpp"
#include "emu/core/state.hpp"
#include "kernels/isa/bundle.hpp"

namespace xdna::emu::core {

class Pipeline;
struct Exec;

/// Does what an instruction does in its first cycle.
using Handler = void (*)(Pipeline&, const Exec&);
/// Tries what may have to wait for another tile: a lock, a stream, the cascade. False: wait.
using Attempt = bool (*)(Pipeline&, const Exec&);

/// A register operand, resolved.
struct OperandRef {
    isa::Atom atom = 0;  ///< the first
    uint8_t cells = 0;   ///< consecutive atoms; 0 for an immediate
    isa::RegisterFile file{};
    uint8_t read_cycle = 0;
    uint8_t write_cycle = 0;
    isa::Bypass read_bypass{};
    isa::Bypass write_bypass{};
};

/// One instruction of a decoded bundle, ready to run.
struct Exec {
    Handler run = nullptr;
    Attempt attempt = nullptr;
    const isa::Operation* operation = nullptr;
    std::array<OperandRef, isa::kMaxOperands> operands{};
    std::array<int32_t, isa::kMaxOperands> immediates{};
    std::array<isa::Register, isa::kMaxOperands> registers{};
    int8_t pointer = -1;     ///< operand that addresses memory
    int8_t modifier = -1;    ///< operand that indexes or modifies it
    uint32_t parameter = 0;  ///< of the semantics row
    uint32_t pc = 0;         ///< of its bundle
};

/// What a late step of an instruction carries from its first cycle: as much of it as the two
/// handlers agree on.
struct LateData {
    uint32_t address;
    uint32_t word;
    std::array<Cell, 7> cells;
};
using LateHandler = void (*)(Pipeline&, const Exec&, LateData&);

class Pipeline {
  public:
    State state;
    LoadBuffer load_buffer;
    uint32_t pc = 0;

    void reset();
    /// Drops decoded bundles: program memory changed.
    void program_changed();

    /// See CoreModel::run().
    CoreProgress run(CoreBus& bus, uint64_t now, uint64_t cycles);

    // ---- for handlers ----

    /// A scalar operand, as it is in this cycle.
    uint32_t read(const Exec& exec, int operand) const {
        const OperandRef& ref = exec.operands[static_cast<size_t>(operand)];
        return ref.cells ? state.scalar(ref.atom)
                         : static_cast<uint32_t>(exec.immediates[static_cast<size_t>(operand)]);
    }
    /// A scalar operand's value from the cycle in which the operation writes it.
    void write(const Exec& exec, int operand, uint32_t value) {
        const OperandRef& ref = exec.operands[static_cast<size_t>(operand)];
        write_atom(ref.atom, value, ref.write_cycle);
    }
    /// As above for any atom; `write_cycle` counts from issue.
    void write_atom(isa::Atom atom, uint32_t value, unsigned write_cycle) {
        in(write_cycle).scalars.push() = {atom, value};
    }

    /// Copies an operand's N cells as they are in this cycle, with what is bypassed to it.
    template <unsigned N>
    void read_cells(const Exec& exec, int operand, Cell* to) const {
        const OperandRef& ref = exec.operands[static_cast<size_t>(operand)];
        std::copy_n(state.cells(ref.atom), N, to);
        if (ref.read_bypass != isa::Bypass::kNone) {
            take_bypassed(ref, to);
        }
    }
    /// The same for an operand of 1, 2 or 4 cells.
    void read_cells(const Exec& exec, int operand, Cell* to) const {
        switch (exec.operands[static_cast<size_t>(operand)].cells) {
            case 1:
                return read_cells<1>(exec, operand, to);
            case 2:
                return read_cells<2>(exec, operand, to);
            default:
                return read_cells<4>(exec, operand, to);
        }
    }
    /// What the operand's register will hold: `count` cells from the cycle in which the operation
    /// writes it. To be filled in at once.
    Cell* write_cells(const Exec& exec, int operand) {
        const OperandRef& ref = exec.operands[static_cast<size_t>(operand)];
        CellWrite& write = in(ref.write_cycle).cells.push();
        write.atom = ref.atom;
        write.count = ref.cells;
        write.bypass = ref.write_bypass;
        return write.cells.data();
    }
    template <size_t N>
    void write_cells(const Exec& exec, int operand, const std::array<Cell, N>& cells) {
        std::copy_n(cells.data(), N, write_cells(exec, operand));
    }
    /// The same for one atom of a register whose atoms are not consecutive.
    Cell& write_cell(isa::Atom atom, unsigned write_cycle) {
        CellWrite& write = in(write_cycle).cells.push();
        write.atom = atom;
        write.count = 1;
        write.bypass = isa::Bypass::kNone;
        return write.cells[0];
    }

    /// Runs `handler` in cycle `cycle` of the instruction, counted from issue. The Exec must be
    /// the one given to the handler that calls this. The data is to be filled in at once: the next
    /// call moves it.
    LateData& later(const Exec& exec, unsigned cycle, LateHandler handler) {
        Late& late = in(cycle).late.push();
        late.run = handler;
        late.exec = &exec;
        late.stage = cycle;
        return late.data;
    }

    /// The address that the instruction accesses; post-modifies the pointer.
    uint32_t address(const Exec& exec);

    /// `size` bytes (1, 2, 4, 8, 16, 32) of data memory, aligned to their size. Charges bank
    /// conflicts. Traps where there is no memory.
    void load(uint32_t address, void* to, unsigned size) {
        std::memcpy(to, place(address, size), size);
    }
    void store(uint32_t address, const void* from, unsigned size) {
        std::memcpy(place(address, size), from, size);
    }

    /// Jumps after the delay slots.
    void branch(uint32_t target);
    /// The address after the delay slots of the bundle in progress.
    uint32_t return_address();
    /// Stops once what is in flight has landed.
    void finish() { finishing_ = true; }

    /// Ends the core; where the instruction is and which, run() adds.
    [[noreturn]] static void trap(const std::string& what);

    /// Cycles that pass without the pipeline moving, for a lock operation.
    void stall(uint64_t cycles) {
        spent_ += cycles;
        lock_cycles_ += cycles;
    }
    /// The tile's 64-bit timer in this cycle.
    uint64_t timer() const { return bus_->timer(now_ + spent_); }

    CoreBus& bus() { return *bus_; }
    /// Why an attempt waits; `id` and `change` are the lock's. False, for the attempt to return.
    bool waits_for(Stall stall, uint32_t id = 0, int32_t change = 0) {
        waiting_ = {stall, id, change};
        return false;
    }

    CoreWork work() const;
    std::vector<BundleTime> profile() const;

  private:
    static constexpr unsigned kDepth = 16;  // no operation takes longer, see the table

    struct Decoded {
        uint8_t size = 0;
        uint8_t count = 0;
        bool waits = false;  ///< has an attempt
        mutable BundleTime time;
        std::array<Exec, isa::kMaxSlots> execs{};
    };
    struct Waiting {
        Stall stall;
        uint32_t id;
        int32_t change;
    };
    struct ScalarWrite {
        isa::Atom atom;
        uint32_t value;
    };
    struct CellWrite {
        isa::Atom atom;  // the first
        uint8_t count;
        isa::Bypass bypass;
        std::array<Cell, 4> cells;
    };
    struct Late {
        LateHandler run;
        const Exec* exec;
        unsigned stage;
        LateData data;
    };
    // Keeps its room when cleared, and does not touch what is pushed.
    template <typename T>
    class Queue {
      public:
        T& push() {
            if (count_ == capacity_) {
                capacity_ = 2 * count_ + 2;
                room_.resize(capacity_);
            }
            return room_[count_++];
        }
        size_t size() const { return count_; }
        T& operator[](size_t i) { return room_[i]; }
        const T* begin() const { return room_.data(); }
        const T* end() const { return room_.data() + count_; }
        void clear() { count_ = 0; }

      private:
        std::vector<T> room_;
        size_t count_ = 0;
        size_t capacity_ = 0;
    };
    struct Cycle {
        Queue<ScalarWrite> scalars;
        Queue<CellWrite> cells;
        Queue<Late> late;
    };

    /// A cycle counted from the issue of the instruction whose handler runs.
    Cycle& in(unsigned cycle) { return ring_[(cycle_ + cycle - stage_) % kDepth]; }
    const Cycle& current() const { return ring_[cycle_ % kDepth]; }
    const Decoded& fetch(uint32_t address);
    Decoded decode(uint32_t address) const;
    bool attempts(const Decoded& bundle);
    void step(const Decoded& bundle);
    void advance(const Decoded& bundle);
    [[noreturn]] void trap_here(const std::string& what) const;
    std::string where(const Exec& exec) const;
    static std::string describe(const Waiting& waiting);
    void take_bypassed(const OperandRef& ref, Cell* to) const;
    std::byte* place(uint32_t address, unsigned size);

    uint64_t cycle_ = 0;  ///< the cycle in which the bundle now issued reads early operands
    unsigned stage_ = 1;  ///< the cycle, counted from issue, of the handler that runs
    std::array<Cycle, kDepth> ring_{};

    std::vector<const Decoded*> decoded_at_;  ///< by address / 2
    std::deque<Decoded> decoded_;             ///< what is in flight refers to these

    unsigned delay_ = 0;  ///< bundles until a branch takes effect, the branch itself included
    uint32_t target_ = 0;
    bool finishing_ = false;
    unsigned drained_ = 0;
    uint32_t attempted_ = 0;  ///< instructions of the stalled bundle that need not wait any more
    Waiting waiting_{};
    std::optional<uint64_t>
        waits_since_;  ///< array cycle in which the bundle at pc was first tried
    CoreWork before_;  ///< what was done by bundles that are decoded no more
    uint64_t bank_stalls_ = 0;
    uint64_t lock_cycles_ = 0;

    CoreBus* bus_ = nullptr;
    std::array<std::span<std::byte>, 4> memories_;  ///< the bus's, in this call of run()
    uint64_t now_ = 0;                              ///< array cycle of the call of run()
    uint64_t spent_ = 0;                            ///< cycles of this call, stalls included
};

}  // namespace xdna::emu::core
