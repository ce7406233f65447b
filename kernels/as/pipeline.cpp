#include "kernels/as/pipeline.hpp"

#include <algorithm>
#include <limits>

#include "kernels/isa/timing.hpp"

namespace xdna::as {

namespace {

using isa::Access;
using isa::Atom;
using isa::Instruction;

/// `to` issues at least `delay` cycles after `from` of `distance` iterations before.
struct Edge {
    std::size_t from;
    std::size_t to;
    int delay;
    int distance;

    [[nodiscard]] int weight(unsigned interval) const {
        return delay - distance * static_cast<int>(interval);
    }
};

/// What one instruction takes in the cycle that is `cycle` after its issue.
struct Use {
    unsigned resource;
    unsigned cycle;
    bool shared;  ///< conflicts only with uses that are not
};

struct Body {
    std::vector<Edge> edges;
    std::vector<std::vector<Use>> uses;
};

constexpr unsigned kPortBase = isa::kSlotCount;
constexpr unsigned kBankBase = kPortBase + isa::kPortCount;
constexpr unsigned kBanks = 4;
constexpr unsigned kResources = kBankBase + kBanks;

std::vector<Use> uses_of(const Instruction& instruction, const Banks& banks) {
    const isa::Operation& row = isa::operation(instruction.op);
    std::vector<Use> uses{{static_cast<unsigned>(row.slot), 0, false}};
    if (row.slot == isa::Slot::kLng) {
        uses.push_back({static_cast<unsigned>(isa::Slot::kAlu), 0, false});
        uses.push_back({static_cast<unsigned>(isa::Slot::kMv), 0, false});
    }
    for (const isa::PortUse& use : row.ports())
        if (isa::takes(use, instruction))
            for (unsigned cycle = use.first; cycle <= use.last; ++cycle)
                uses.push_back({kPortBase + static_cast<unsigned>(use.port), cycle, use.shared});
    if (const int pointer = row.operand_index("ptr");
        row.memory != isa::Memory::kNone && pointer >= 0) {
        const isa::Register reg = instruction.values[static_cast<std::size_t>(pointer)].reg();
        if (const auto bank = banks.find(isa::atoms(reg)[0]); bank != banks.end())
            uses.push_back({kBankBase + bank->second, row.memory_cycle, false});
    }
    return uses;
}

/// Status registers gather flags that nobody reads inside a loop.
bool orders(const Access& access) {
    return access.reg.file != isa::RegisterFile::kSr;
}

/// As isa::latency, for readers that may issue before the writer: they read late.
int exact_latency(const Access& write, const Access& read) {
    const bool bypassed = write.bypass != isa::Bypass::kNone && write.bypass == read.bypass;
    return write.cycle - read.cycle + (bypassed ? 0 : 1);
}

std::vector<Edge> edges_of(std::span<const Instruction> body) {
    struct Event {
        std::size_t instruction;
        int iteration;
        Access access;
    };
    std::vector<Edge> edges;
    std::array<std::optional<Event>, isa::kAtomCount> written;
    std::array<std::vector<Event>, isa::kAtomCount> read_since;
    // The second iteration is there for what it has to do with the first.
    const auto add = [&](const Event& from, const Event& to, int delay) {
        if (from.iteration == 0)
            edges.push_back({from.instruction, to.instruction, delay, to.iteration});
    };
    for (int iteration = 0; iteration < 2; ++iteration) {
        for (std::size_t i = 0; i < body.size(); ++i) {
            for (const Access& read : isa::reads(body[i])) {
                if (!orders(read))
                    continue;
                for (const Atom atom : isa::atoms(read.reg)) {
                    const Event event{i, iteration, read};
                    if (written[atom])
                        add(*written[atom], event, isa::latency(written[atom]->access, read));
                    read_since[atom].push_back(event);
                }
            }
            for (const Access& write : isa::writes(body[i])) {
                if (!orders(write))
                    continue;
                for (const Atom atom : isa::atoms(write.reg)) {
                    const Event event{i, iteration, write};
                    for (const Event& reader : read_since[atom])
                        if (reader.instruction != i || reader.iteration != iteration)
                            add(reader, event, 1 - exact_latency(write, reader.access));
                    if (written[atom])
                        add(*written[atom], event, written[atom]->access.cycle - write.cycle + 1);
                    read_since[atom].clear();
                    written[atom] = event;
                }
            }
        }
    }
    return edges;
}

/// Reservations of one interval, by resource and cycle modulo the interval.
class Reservations {
  public:
    explicit Reservations(unsigned interval)
        : interval_(interval), owners_(std::size_t{kResources} * interval) {}

    /// Instructions in the way of these uses, issued in `cycle`.
    void conflicts(const std::vector<Use>& uses, unsigned cycle,
                   std::vector<std::size_t>& found) const {
        for (const Use& use : uses)
            for (const Owner& owner : at(use, cycle))
                if (!owner.shared || !use.shared)
                    found.push_back(owner.instruction);
    }
    void take(std::size_t instruction, const std::vector<Use>& uses, unsigned cycle) {
        for (const Use& use : uses)
            at(use, cycle).push_back({instruction, use.shared});
    }
    void drop(std::size_t instruction, const std::vector<Use>& uses, unsigned cycle) {
        for (const Use& use : uses)
            std::erase_if(at(use, cycle),
                          [&](const Owner& owner) { return owner.instruction == instruction; });
    }

  private:
    struct Owner {
        std::size_t instruction;
        bool shared;
    };
    [[nodiscard]] std::size_t index(const Use& use, unsigned cycle) const {
        return std::size_t{use.resource} * interval_ + (cycle + use.cycle) % interval_;
    }
    std::vector<Owner>& at(const Use& use, unsigned cycle) { return owners_[index(use, cycle)]; }
    [[nodiscard]] const std::vector<Owner>& at(const Use& use, unsigned cycle) const {
        return owners_[index(use, cycle)];
    }

    unsigned interval_;
    std::vector<std::vector<Owner>> owners_;
};

/// Which instruction is placed first: the one with the most behind it, or the first as written.
enum class Order : std::uint8_t { kHeight, kAsWritten };

class Scheduler {
  public:
    Scheduler(const Body& body, unsigned interval, Order order)
        : body_(body),
          interval_(interval),
          order_(order),
          count_(body.uses.size()),
          reservations_(interval) {
        into_.resize(count_);
        out_of_.resize(count_);
        for (const Edge& edge : body.edges) {
            into_[edge.to].push_back(&edge);
            out_of_[edge.from].push_back(&edge);
        }
    }

    std::optional<std::vector<unsigned>> run() {
        constexpr std::size_t kBudget = 40;  // placements an instruction, on average
        for (const std::vector<Use>& uses : body_.uses)
            if (takes_twice(uses))
                return std::nullopt;
        if (!find_heights())
            return std::nullopt;
        at_.assign(count_, -1);
        last_.assign(count_, -1);
        for (std::size_t budget = kBudget * count_; budget > 0; --budget) {
            const auto next = most_urgent();
            if (!next)
                return normalized();
            place(*next);
        }
        return std::nullopt;
    }

  private:
    // A unit that an instruction holds for longer than the interval.
    [[nodiscard]] bool takes_twice(const std::vector<Use>& uses) const {
        for (std::size_t i = 0; i < uses.size(); ++i)
            for (std::size_t k = i + 1; k < uses.size(); ++k)
                if (uses[i].resource == uses[k].resource &&
                    uses[i].cycle % interval_ == uses[k].cycle % interval_)
                    return true;
        return false;
    }

    // The longest way from each instruction to the end; false if a cycle of them grows.
    bool find_heights() {
        height_.assign(count_, 0);
        for (std::size_t round = 0; round <= count_; ++round) {
            bool more = false;
            for (const Edge& edge : body_.edges) {
                const int height = height_[edge.to] + edge.weight(interval_);
                if (height > height_[edge.from]) {
                    height_[edge.from] = height;
                    more = true;
                }
            }
            if (!more)
                return true;
        }
        return false;
    }

    [[nodiscard]] std::optional<std::size_t> most_urgent() const {
        std::optional<std::size_t> best;
        for (std::size_t i = 0; i < count_; ++i) {
            if (at_[i] >= 0)
                continue;
            if (order_ == Order::kAsWritten)
                return i;
            if (!best || height_[i] > height_[*best])
                best = i;
        }
        return best;
    }

    void place(std::size_t i) {
        int earliest = 0;
        for (const Edge* edge : into_[i])
            if (edge->from != i && at_[edge->from] >= 0)
                earliest = std::max(earliest, at_[edge->from] + edge->weight(interval_));
        int cycle = -1;
        std::vector<std::size_t> in_the_way;
        for (int at = earliest; at < earliest + static_cast<int>(interval_) && cycle < 0; ++at) {
            in_the_way.clear();
            reservations_.conflicts(body_.uses[i], static_cast<unsigned>(at), in_the_way);
            if (in_the_way.empty())
                cycle = at;
        }
        if (cycle < 0)
            cycle = std::max(earliest, last_[i] + 1);
        in_the_way.clear();
        reservations_.conflicts(body_.uses[i], static_cast<unsigned>(cycle), in_the_way);
        for (const std::size_t other : in_the_way)
            remove(other);
        for (const Edge* edge : out_of_[i])
            if (edge->to != i && at_[edge->to] >= 0 &&
                at_[edge->to] < cycle + edge->weight(interval_))
                remove(edge->to);
        at_[i] = last_[i] = cycle;
        reservations_.take(i, body_.uses[i], static_cast<unsigned>(cycle));
    }

    void remove(std::size_t i) {
        if (at_[i] < 0)
            return;
        reservations_.drop(i, body_.uses[i], static_cast<unsigned>(at_[i]));
        at_[i] = -1;
    }

    [[nodiscard]] std::vector<unsigned> normalized() const {
        const int first = *std::ranges::min_element(at_);
        std::vector<unsigned> cycles;
        for (const int at : at_)
            cycles.push_back(static_cast<unsigned>(at - first));
        return cycles;
    }

    const Body& body_;
    unsigned interval_;
    Order order_;
    std::size_t count_;
    Reservations reservations_;
    std::vector<std::vector<const Edge*>> into_;
    std::vector<std::vector<const Edge*>> out_of_;
    std::vector<int> height_;
    std::vector<int> at_;    // -1: not placed
    std::vector<int> last_;  // where it was placed last
};

// No resource is used more often than there are cycles.
unsigned least_interval(const Body& body) {
    std::array<unsigned, kResources> owned{};
    for (const std::vector<Use>& uses : body.uses)
        for (const Use& use : uses)
            owned[use.resource] += use.shared ? 0 : 1;
    return std::max(1U, *std::ranges::max_element(owned));
}

}  // namespace

std::optional<Schedule> schedule_loop(std::span<const Instruction> body, const Banks& banks,
                                      unsigned max_stages, unsigned max_interval) {
    Body parts{edges_of(body), {}};
    for (const Instruction& instruction : body)
        parts.uses.push_back(uses_of(instruction, banks));
    for (unsigned interval = least_interval(parts); interval <= max_interval; ++interval) {
        for (const Order order : {Order::kHeight, Order::kAsWritten}) {
            auto cycles = Scheduler(parts, interval, order).run();
            if (!cycles)
                continue;
            Schedule schedule;
            schedule.interval = interval;
            schedule.length = *std::ranges::max_element(*cycles) + 1;
            schedule.cycles = std::move(*cycles);
            if (schedule.stages() <= max_stages)
                return schedule;
        }
    }
    return std::nullopt;
}

}  // namespace xdna::as
