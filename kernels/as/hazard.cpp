// Timing of code: what is read before it is ready, over all ways through a section.
//
// The state before a bundle says, for every atom of storage, in how many cycles a value that is
// still on its way lands. It flows along the bundles, from the last delay slot of a branch to its
// target, and from the last bundle of a zero-overhead loop to its first.

#include <algorithm>
#include <array>
#include <bit>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "kernels/as/unit.hpp"
#include "kernels/isa/timing.hpp"

namespace xdna::as {

namespace {

using isa::Atom;
using isa::Bypass;
using isa::Op;

/// Between a call and the return to it pass at least the ret and its delay slots.
constexpr unsigned kCallCycles = 1 + isa::kDelaySlots;
constexpr std::size_t kBypasses = 3;
constexpr std::size_t bypass_index(Bypass bypass) {
    return bypass == Bypass::kMov ? 1 : bypass == Bypass::kVec ? 2 : 0;
}

/// Values on their way into an atom, by the bypass they have: bit c is one that lands in c cycles,
/// counted from the issue of the bundle at hand.
struct Pending {
    using Cycles = std::uint16_t;
    std::array<Cycles, kBypasses> lands{};
    /// Those of them that have not seen another value land since they were issued. A read while
    /// others are on their way is meant to get the one that landed: pipelined loops keep several
    /// generations of a value in one register.
    std::array<Cycles, kBypasses> unseen{};
    /// Those of them that make a generation: what takes long. A broadcast that lands while a load
    /// is on its way was not what the next read waits for.
    Cycles generations = 0;
    std::uint32_t writer = 0;  ///< number of the bundle whose value lands last

    [[nodiscard]] Cycles all() const { return lands[0] | lands[1] | lands[2]; }
    [[nodiscard]] int latest() const { return last(all()); }
    static int last(Cycles cycles) { return cycles == 0 ? 0 : std::bit_width(cycles) - 1; }

    void pass(unsigned cycles) {
        const bool landed = (generations & ((2U << cycles) - 1)) != 0;
        generations = static_cast<Cycles>(generations >> cycles & ~1U);
        for (std::size_t b = 0; b < kBypasses; ++b) {
            lands[b] = static_cast<Cycles>(lands[b] >> cycles & ~1U);
            unseen[b] = landed ? Cycles{0} : static_cast<Cycles>(unseen[b] >> cycles);
        }
    }

    bool merge(const Pending& other) {
        bool more = false;
        if (other.latest() > latest())
            writer = other.writer;
        more = (other.generations & ~generations) != 0;
        generations |= other.generations;
        for (std::size_t b = 0; b < kBypasses; ++b) {
            more = more || (other.lands[b] & ~lands[b]) != 0 || (other.unseen[b] & ~unseen[b]) != 0;
            lands[b] |= other.lands[b];
            unseen[b] |= other.unseen[b];
        }
        return more;
    }
};

struct State {
    std::array<Pending, isa::kAtomCount> atoms{};
    /// Cycles ahead in which a port is taken (bit 0: the cycle of issue of the bundle at hand).
    std::array<std::uint32_t, isa::kPortCount> owned{};
    std::array<std::uint32_t, isa::kPortCount> shared{};
    std::array<std::uint32_t, isa::kPortCount> port_user{};  ///< number of the bundle

    void pass(unsigned cycles) {
        for (Pending& pending : atoms)
            if (pending.all() != 0)
                pending.pass(cycles);
        for (auto* ports : {&owned, &shared})
            for (std::uint32_t& port : *ports)
                port >>= cycles;
    }

    /// Takes in what can come here another way; true if that says more.
    bool merge(const State& other) {
        bool more = false;
        for (std::size_t i = 0; i < atoms.size(); ++i)
            more = atoms[i].merge(other.atoms[i]) || more;
        for (std::size_t p = 0; p < owned.size(); ++p) {
            more = more || (other.owned[p] & ~owned[p]) != 0 || (other.shared[p] & ~shared[p]) != 0;
            if (other.owned[p] > owned[p])
                port_user[p] = other.port_user[p];
            owned[p] |= other.owned[p];
            shared[p] |= other.shared[p];
        }
        return more;
    }
};

struct Hazard {
    std::size_t bundle;
    std::size_t instruction;  ///< in the bundle's text
    int missing;              ///< cycles
    std::size_t writer;       ///< bundle
    bool inside;              ///< of one bundle: no distance helps
    std::string message;
};

/// The bundles of one section with the ways between them.
class Flow {
  public:
    explicit Flow(const UnitSection& section) : section_(section) {
        std::vector<const Symbol*> waiting;
        for (std::size_t i = 0; i < section.fragments.size(); ++i) {
            const Fragment& fragment = section.fragments[i];
            if (fragment.kind == Fragment::Kind::kLabel)
                waiting.push_back(fragment.label);
            if (fragment.kind != Fragment::Kind::kBundle)
                continue;
            for (const Symbol* label : waiting)
                bundle_of_[label] = bundles_.size();
            waiting.clear();
            bundles_.push_back(i);
        }
        follow_.resize(bundles_.size());
        for (std::size_t b = 0; b < bundles_.size(); ++b)
            if (b + 1 < bundles_.size())
                follow_[b].push_back({b + 1, 1});
        for (std::size_t b = 0; b < bundles_.size(); ++b)
            for (const ParsedInstruction& parsed : bundle(b).instructions)
                if (isa::is_branch(parsed.instruction.op))
                    add_branch(b, parsed);
        add_loops();
    }

    [[nodiscard]] std::size_t size() const { return bundles_.size(); }
    [[nodiscard]] const Fragment& bundle(std::size_t b) const {
        return section_.fragments[bundles_[b]];
    }
    [[nodiscard]] std::size_t fragment_index(std::size_t b) const { return bundles_[b]; }

    struct Loop {
        std::size_t first;
        std::size_t last;
        std::size_t setup;  ///< the bundle that writes le
    };
    [[nodiscard]] const std::vector<Loop>& loops() const { return loops_; }

    /// The branch in whose delay slots a bundle is.
    [[nodiscard]] std::optional<std::size_t> branch_before(std::size_t b) const {
        for (std::size_t back = 1; back <= isa::kDelaySlots && back <= b; ++back)
            for (const ParsedInstruction& parsed : bundle(b - back).instructions)
                if (isa::is_branch(parsed.instruction.op))
                    return b - back;
        return std::nullopt;
    }

    /// What is wrong, in the order of the code.
    [[nodiscard]] std::vector<Hazard> hazards() const {
        if (size() == 0)
            return {};
        std::vector<State> before(size());
        std::deque<std::size_t> work;
        std::vector<bool> queued(size(), true);
        for (std::size_t b = 0; b < size(); ++b)
            work.push_back(b);
        while (!work.empty()) {
            const std::size_t b = work.front();
            work.pop_front();
            queued[b] = false;
            const State after = issue(b, before[b], nullptr);
            for (const auto& [next, cycles] : follow_[b]) {
                State arriving = after;
                arriving.pass(cycles);
                if (before[next].merge(arriving) && !queued[next]) {
                    queued[next] = true;
                    work.push_back(next);
                }
            }
        }
        std::vector<Hazard> found;
        for (std::size_t b = 0; b < size(); ++b)
            issue(b, before[b], &found);
        // An operand that is named twice is one mistake.
        // A pipelined loop was placed with all of its own registers in mind.
        std::erase_if(found, [&](const Hazard& hazard) {
            const unsigned loop = bundle(hazard.bundle).loop;
            return loop != 0 && loop == bundle(hazard.writer).loop;
        });
        const auto same = [](const Hazard& a, const Hazard& b) {
            return a.bundle == b.bundle && a.instruction == b.instruction && a.message == b.message;
        };
        found.erase(std::unique(found.begin(), found.end(), same), found.end());
        return found;
    }

  private:
    struct Way {
        std::size_t to;
        unsigned cycles;
    };

    void add_branch(std::size_t b, const ParsedInstruction& parsed) {
        const std::size_t last_slot = b + isa::kDelaySlots;
        if (last_slot >= size())
            return;
        const Op op = parsed.instruction.op;
        const bool call = op == Op::JL || op == Op::JL_IND;
        const bool always = op == Op::J_jump_imm || op == Op::J_jump_ind || op == Op::RET;
        auto& ways = follow_[last_slot];
        if (always)
            std::erase_if(ways, [&](const Way& way) { return way.to == last_slot + 1; });
        if (call)
            for (Way& way : ways)
                if (way.to == last_slot + 1)
                    way.cycles += kCallCycles;
        for (const auto& immediate : parsed.immediates)
            if (const auto target = target_of(*immediate.value))
                ways.push_back({*target, 1});
    }

    void add_loops() {
        std::optional<std::size_t> first;
        for (std::size_t b = 0; b < size(); ++b) {
            for (const ParsedInstruction& parsed : bundle(b).instructions) {
                for (const isa::Access& write : isa::writes(parsed.instruction)) {
                    if (parsed.immediates.empty())
                        continue;
                    const auto target = target_of(*parsed.immediates[0].value);
                    if (target && isa::name(write.reg) == "ls")
                        first = target;
                    if (target && isa::name(write.reg) == "le")
                        loops_.push_back({0, *target, b});
                    if (!loops_.empty() && first && loops_.back().setup + isa::kDelaySlots >= b)
                        loops_.back().first = *first;
                }
            }
        }
        for (const Loop& loop : loops_)
            if (loop.first <= loop.last)
                follow_[loop.last].push_back({loop.first, 1});
    }

    [[nodiscard]] std::optional<std::size_t> target_of(const Expression& value) const {
        const Symbol* label = plain_label(value);
        const auto found = bundle_of_.find(label);
        return label == nullptr || found == bundle_of_.end() ? std::nullopt
                                                             : std::optional(found->second);
    }

    /// The state after bundle b, before a cycle has passed. Reads come before writes.
    State issue(std::size_t b, const State& before, std::vector<Hazard>* found) const {
        State state = before;
        const Fragment& fragment = bundle(b);
        for (std::size_t i = 0; i < fragment.instructions.size(); ++i)
            if (found != nullptr)
                find_early_reads(b, i, before, *found);
        for (std::size_t i = 0; i < fragment.instructions.size(); ++i) {
            write(b, i, before, state, found);
            take_ports(b, i, before, state, found);
        }
        return state;
    }

    void find_early_reads(std::size_t b, std::size_t i, const State& state,
                          std::vector<Hazard>& found) const {
        const isa::Instruction& instruction = bundle(b).instructions[i].instruction;
        for (const isa::Access& read : isa::reads(instruction)) {
            int missing = 0;
            Atom worst = 0;
            for (const Atom atom : isa::atoms(read.reg)) {
                for (std::size_t k = 0; k < kBypasses; ++k) {
                    const int left = Pending::last(state.atoms[atom].unseen[k]);
                    const bool bypassed = k != 0 && k == bypass_index(read.bypass);
                    // The value is there if it lands before the cycle of the read, or in it
                    // by a bypass.
                    const int wait = left == 0 ? 0 : left - read.cycle + 1 - (bypassed ? 1 : 0);
                    if (wait > missing) {
                        missing = wait;
                        worst = atom;
                    }
                }
            }
            if (missing == 0)
                continue;
            const std::size_t writer = state.atoms[worst].writer;
            // The delay slots of a call see the old lr, and save it there.
            if (isa::name(read.reg) == "lr" && b - writer <= isa::kDelaySlots)
                continue;
            found.push_back({b, i, missing, writer, false,
                             std::string(isa::name(read.reg)) + " is read " + cycles(missing) +
                                 " before its value from line " + line_of(writer) + " is there"});
        }
    }

    void write(std::size_t b, std::size_t i, const State& before, State& state,
               std::vector<Hazard>* found) const {
        const isa::Instruction& instruction = bundle(b).instructions[i].instruction;
        for (const isa::Access& write : isa::writes(instruction)) {
            // Status registers gather flags: writes do not undo each other.
            const bool gathers = write.reg.file == isa::RegisterFile::kSr;
            int overtaken = 0;
            std::size_t writer = 0;
            bool inside = true;
            for (const Atom atom : isa::atoms(write.reg)) {
                Pending& pending = state.atoms[atom];
                if (pending.latest() >= write.cycle && !gathers) {
                    overtaken = std::max(overtaken, pending.latest() - write.cycle + 1);
                    writer = pending.writer;
                    inside = inside && before.atoms[atom].latest() < write.cycle;
                }
                const auto lands = static_cast<Pending::Cycles>(1U << write.cycle);
                if (write.cycle >= pending.latest())
                    pending.writer = static_cast<std::uint32_t>(b);
                pending.lands[bypass_index(write.bypass)] |= lands;
                pending.unseen[bypass_index(write.bypass)] |= lands;
                constexpr unsigned kLong = 3;
                if (write.cycle >= kLong)
                    pending.generations |= lands;
            }
            if (overtaken == 0 || found == nullptr)
                continue;
            const std::string name(isa::name(write.reg));
            if (inside)
                found->push_back(
                    {b, i, overtaken, writer, true, name + " is written twice in this bundle"});
            else
                found->push_back({b, i, overtaken, writer, false,
                                  name + " is written here, but the value from line " +
                                      line_of(writer) + " lands " +
                                      (overtaken == 1 ? "in the same cycle"
                                                      : cycles(overtaken - 1) + " later")});
        }
    }

    void take_ports(std::size_t b, std::size_t i, const State& before, State& state,
                    std::vector<Hazard>* found) const {
        const isa::Instruction& instruction = bundle(b).instructions[i].instruction;
        for (const isa::PortUse& use : isa::operation(instruction.op).ports()) {
            if (!isa::takes(use, instruction))
                continue;
            std::uint32_t wanted = 0;
            for (unsigned cycle = use.first; cycle <= use.last; ++cycle)
                wanted |= 1U << cycle;
            const auto port = static_cast<std::size_t>(use.port);
            const auto taken_in = [&](const State& at) {
                return (at.owned[port] | (use.shared ? 0U : at.shared[port])) & wanted;
            };
            if (taken_in(state) != 0 && found != nullptr) {
                const bool inside = taken_in(before) == 0;
                // The last cycle in conflict must be over when the first one begins.
                const int missing = std::bit_width(taken_in(state)) - static_cast<int>(use.first);
                const std::string name = "port " + std::string(isa::name(use.port));
                const std::size_t user = state.port_user[port];
                found->push_back({b, i, missing, user, inside,
                                  inside ? name + " is taken twice in this bundle"
                                         : name + " is still taken by line " + line_of(user) +
                                               " for " + cycles(missing)});
            }
            state.port_user[port] = static_cast<std::uint32_t>(b);
            (use.shared ? state.shared : state.owned)[port] |= wanted;
        }
    }

    static std::string cycles(int count) {
        return std::to_string(count) + (count == 1 ? " cycle" : " cycles");
    }
    [[nodiscard]] std::string line_of(std::size_t b) const {
        return std::to_string(bundle(b).where.line);
    }

    const UnitSection& section_;
    std::vector<std::size_t> bundles_;  ///< fragments that are bundles
    std::map<const Symbol*, std::size_t> bundle_of_;
    std::vector<std::vector<Way>> follow_;
    std::vector<Loop> loops_;
};

Fragment nop_before(const Fragment& place) {
    Fragment nop{};
    nop.kind = Fragment::Kind::kBundle;
    nop.where = place.where;
    nop.auto_align = place.auto_align;
    nop.format = isa::Format::I16_NOP;
    return nop;
}

/// One round over the section: inserts nops where they are needed, far enough apart not to count
/// one need twice. False if there was nothing that could be done.
bool insert_round(UnitSection& section, Diagnostics& diagnostics, bool& failed) {
    constexpr std::size_t kApart = 16;
    const Flow flow(section);
    std::map<std::size_t, int, std::greater<>> insertions;  // fragment, how many; last first
    std::size_t quiet_until = 0;
    std::set<std::pair<std::size_t, std::size_t>> told;
    for (const Hazard& hazard : flow.hazards()) {
        std::size_t at = hazard.bundle;
        const auto branch = flow.branch_before(at);
        if (hazard.inside || (branch && hazard.writer >= *branch && hazard.writer < at)) {
            if (told.emplace(hazard.bundle, hazard.instruction).second)
                diagnostics.error(flow.bundle(at).instructions[hazard.instruction].where,
                                  hazard.message + "; inserting nops cannot help");
            failed = true;
            continue;
        }
        if (branch)
            at = *branch;
        // Inside a pipelined loop nothing may move.
        while (at > 0 && flow.bundle(at).loop != 0 &&
               flow.bundle(at - 1).loop == flow.bundle(at).loop)
            --at;
        std::size_t fragment = flow.fragment_index(at);
        // The label of a loop's last bundle stays with that bundle.
        while (fragment > 0 && section.fragments[fragment - 1].kind == Fragment::Kind::kLabel &&
               section.fragments[fragment - 1].label->loop_end)
            --fragment;
        const auto planned = insertions.find(fragment);
        if (planned != insertions.end())
            planned->second = std::max(planned->second, hazard.missing);
        else if (hazard.bundle >= quiet_until)
            insertions[fragment] = hazard.missing;
        quiet_until = std::max(quiet_until, hazard.bundle + kApart);
    }
    for (const auto& [fragment, count] : insertions) {
        const auto place = section.fragments.begin() + static_cast<std::ptrdiff_t>(fragment);
        section.fragments.insert(place, static_cast<std::size_t>(count), nop_before(*place));
    }
    return !insertions.empty();
}

/// Timing is followed only through programs that a core can hold: AM020 gives it 16 KiB, and the
/// shortest bundle has 2 bytes.
bool fits_a_core(const UnitSection& section, Diagnostics& diagnostics) {
    constexpr std::ptrdiff_t kMaxBundles = 16 * 1024 / 2;
    const auto bundles =
        std::ranges::count(section.fragments, Fragment::Kind::kBundle, &Fragment::kind);
    if (bundles > kMaxBundles)
        diagnostics.error(section.fragments.front().where,
                          "section " + section.name + " has " + std::to_string(bundles) +
                              " bundles; the program memory of a core holds " +
                              std::to_string(kMaxBundles) + " at most");
    return bundles <= kMaxBundles;
}

}  // namespace

void check_hazards(const Unit& unit, Diagnostics& diagnostics) {
    for (const UnitSection& section : unit.sections) {
        if (!section.executable() || !fits_a_core(section, diagnostics))
            continue;
        const Flow flow(section);
        for (const Hazard& hazard : flow.hazards())
            diagnostics.warn(flow.bundle(hazard.bundle).instructions[hazard.instruction].where,
                             hazard.message);
        for (const Flow::Loop& loop : flow.loops()) {
            const Fragment& setup = flow.bundle(loop.setup);
            const std::uint32_t end = flow.bundle(loop.last).address();
            if (loop.setup < loop.last && end - setup.address() < kLoopSetupBytes)
                diagnostics.warn(setup.where, "le is set " + std::to_string(end - setup.address()) +
                                                  " bytes before the last bundle of the loop; the "
                                                  "core needs " +
                                                  std::to_string(kLoopSetupBytes));
        }
    }
}

void insert_nops(Unit& unit, Diagnostics& diagnostics) {
    constexpr int kMaxRounds = 10000;
    for (UnitSection& section : unit.sections) {
        bool failed = false;
        for (int round = 0; section.executable() && !failed && round < kMaxRounds; ++round)
            if (!fits_a_core(section, diagnostics) || !insert_round(section, diagnostics, failed))
                break;
    }
}

}  // namespace xdna::as
