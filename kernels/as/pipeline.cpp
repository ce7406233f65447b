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
    std::vector<bool> loads;
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

/// A unit that an instruction holds for longer than the interval.
bool takes_twice(const std::vector<Use>& uses, unsigned interval) {
    for (std::size_t i = 0; i < uses.size(); ++i)
        for (std::size_t k = i + 1; k < uses.size(); ++k)
            if (uses[i].resource == uses[k].resource &&
                uses[i].cycle % interval == uses[k].cycle % interval)
                return true;
    return false;
}

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
            if (takes_twice(uses, interval_))
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

/// What is used most has its instructions placed first, as written, so that it has no holes; the
/// others go where these leave them room, those with the least room first (Huff, 1993), and loads
/// as late as can be, so that they hold their registers for as short as can be.
class BottleneckScheduler {
  public:
    BottleneckScheduler(const Body& body, unsigned interval, unsigned bottleneck, bool in_a_row)
        : body_(body),
          interval_(static_cast<int>(interval)),
          bottleneck_(bottleneck),
          in_a_row_(in_a_row),
          count_(body.uses.size()),
          reservations_(interval) {}

    std::optional<std::vector<unsigned>> run() {
        constexpr std::size_t kBudget = 8;  // placements an instruction, on average
        if (std::ranges::any_of(body_.uses,
                                [&](const std::vector<Use>& uses) {
                                    return takes_twice(uses, static_cast<unsigned>(interval_));
                                }) ||
            !find_distances())
            return std::nullopt;
        at_.assign(count_, std::nullopt);
        last_.assign(count_, std::nullopt);
        earliest_.assign(count_, kNever);
        latest_.assign(count_, -kNever);
        for (std::size_t budget = kBudget * count_; budget > 0; --budget) {
            const auto next = choose();
            if (!next)
                return normalized();
            place(*next);
        }
        return std::nullopt;
    }

  private:
    static constexpr int kNever = std::numeric_limits<int>::min() / 4;

    [[nodiscard]] int& distance(std::size_t from, std::size_t to) {
        return distances_[from * count_ + to];
    }

    // The longest way from each instruction to each other; false if a cycle of them grows.
    bool find_distances() {
        distances_.assign(count_ * count_, kNever);
        for (const Edge& edge : body_.edges) {
            int& way = distance(edge.from, edge.to);
            way = std::max(way, edge.weight(static_cast<unsigned>(interval_)));
        }
        for (std::size_t via = 0; via < count_; ++via) {
            for (std::size_t from = 0; from < count_; ++from) {
                const int first = distance(from, via);
                if (first == kNever)
                    continue;
                for (std::size_t to = 0; to < count_; ++to)
                    if (const int second = distance(via, to); second != kNever)
                        distance(from, to) = std::max(distance(from, to), first + second);
            }
            if (distance(via, via) > 0)
                return false;
        }
        return true;
    }

    [[nodiscard]] std::optional<std::size_t> choose() const {
        std::optional<std::size_t> best;
        std::pair<bool, int> best_room;
        for (std::size_t i = 0; i < count_; ++i) {
            if (at_[i])
                continue;
            const bool first = uses_bottleneck(i);
            const std::pair room{!first, first ? 0 : latest_[i] - earliest_[i]};
            if (!best || room < best_room) {
                best = i;
                best_room = room;
            }
        }
        return best;
    }

    [[nodiscard]] bool uses_bottleneck(std::size_t i) const {
        return std::ranges::any_of(body_.uses[i],
                                   [&](const Use& use) { return use.resource == bottleneck_; });
    }

    void place(std::size_t i) {
        const bool in_row = in_a_row_ && uses_bottleneck(i);
        const bool bound_below = earliest_[i] != kNever;
        const bool bound_above = latest_[i] != -kNever;
        const bool late =
            !in_row && bound_above && (body_.loads[i] || !bound_below || latest_[i] < row_begin_);
        int start = late ? latest_[i] : bound_below ? earliest_[i] : 0;
        if (in_row && row_end_)
            start = std::max(start, *row_end_ + 1);
        const int step = late ? -1 : 1;
        std::vector<std::size_t> in_the_way;
        std::optional<int> cycle;
        for (int at = start; std::abs(at - start) < interval_ && !cycle; at += step) {
            if (at < earliest_[i] || at > latest_[i])
                break;
            in_the_way.clear();
            conflicts(i, at, in_the_way);
            if (in_the_way.empty())
                cycle = at;
        }
        if (!cycle) {
            cycle = !last_[i] ? start
                    : late    ? std::min(start, *last_[i] - 1)
                              : std::max(start, *last_[i] + 1);
            in_the_way.clear();
            conflicts(i, *cycle, in_the_way);
            for (std::size_t other = 0; other < count_; ++other)
                if (other != i && at_[other] &&
                    (*cycle + distance(i, other) > *at_[other] ||
                     *at_[other] + distance(other, i) > *cycle))
                    in_the_way.push_back(other);
            for (const std::size_t other : in_the_way)
                remove(other);
        }
        at_[i] = last_[i] = cycle;
        if (uses_bottleneck(i)) {
            row_begin_ = std::min(row_begin_, *cycle);
            row_end_ = cycle;
        }
        reservations_.take(i, body_.uses[i], modulo(*cycle));
        if (in_the_way.empty()) {
            for (std::size_t other = 0; other < count_; ++other)
                narrow(other, i);
            return;
        }
        for (std::size_t other = 0; other < count_; ++other) {
            if (at_[other])
                continue;
            earliest_[other] = kNever;
            latest_[other] = -kNever;
            for (std::size_t placed = 0; placed < count_; ++placed)
                if (at_[placed])
                    narrow(other, placed);
        }
    }

    // Where an instruction can be, now that another is placed.
    void narrow(std::size_t i, std::size_t placed) {
        if (i == placed)
            return;
        if (const int way = distance(placed, i); way != kNever)
            earliest_[i] = std::max(earliest_[i], *at_[placed] + way);
        if (const int way = distance(i, placed); way != kNever)
            latest_[i] = std::min(latest_[i], *at_[placed] - way);
    }

    void conflicts(std::size_t i, int cycle, std::vector<std::size_t>& found) const {
        reservations_.conflicts(body_.uses[i], modulo(cycle), found);
    }

    void remove(std::size_t i) {
        if (!at_[i])
            return;
        reservations_.drop(i, body_.uses[i], modulo(*at_[i]));
        at_[i].reset();
    }

    [[nodiscard]] unsigned modulo(int cycle) const {
        return static_cast<unsigned>((cycle % interval_ + interval_) % interval_);
    }

    [[nodiscard]] std::vector<unsigned> normalized() const {
        const int first = **std::ranges::min_element(at_);
        std::vector<unsigned> cycles;
        for (const auto& at : at_)
            cycles.push_back(static_cast<unsigned>(*at - first));
        return cycles;
    }

    const Body& body_;
    int interval_;
    unsigned bottleneck_;
    bool in_a_row_;
    int row_begin_ = 0;           // where the bottleneck's first instruction is
    std::optional<int> row_end_;  // where the last one went
    std::size_t count_;
    Reservations reservations_;
    std::vector<int> distances_;
    std::vector<std::optional<int>> at_;
    std::vector<std::optional<int>> last_;  // where it was placed last
    std::vector<int> earliest_;             // by what is placed; kNever: anywhere
    std::vector<int> latest_;
};

// How often each resource is needed.
std::array<unsigned, kResources> needs(const Body& body) {
    std::array<unsigned, kResources> owned{};
    for (const std::vector<Use>& uses : body.uses)
        for (const Use& use : uses)
            owned[use.resource] += use.shared ? 0 : 1;
    return owned;
}

}  // namespace

std::optional<Schedule> schedule_loop(std::span<const Instruction> body, const Banks& banks,
                                      unsigned max_stages, unsigned max_interval) {
    Body parts{edges_of(body), {}, {}};
    for (const Instruction& instruction : body) {
        parts.uses.push_back(uses_of(instruction, banks));
        parts.loads.push_back(isa::operation(instruction.op).memory == isa::Memory::kLoad);
    }
    const auto needed = needs(parts);
    const unsigned least = std::max(1U, *std::ranges::max_element(needed));
    // Of slots with equally much to do, the multiplier's: its instructions hang together most.
    unsigned bottleneck = static_cast<unsigned>(isa::Slot::kVec);
    for (unsigned slot = 0; slot < isa::kSlotCount; ++slot)
        if (needed[slot] > needed[bottleneck])
            bottleneck = slot;
    for (unsigned interval = least; interval <= max_interval; ++interval) {
        const auto fits = [&](std::optional<std::vector<unsigned>> cycles) {
            std::optional<Schedule> schedule;
            if (cycles) {
                const unsigned length = *std::ranges::max_element(*cycles) + 1;
                schedule = Schedule{interval, length, std::move(*cycles)};
                if (schedule->stages() > max_stages)
                    schedule.reset();
            }
            return schedule;
        };
        for (const Order order : {Order::kHeight, Order::kAsWritten})
            if (auto schedule = fits(Scheduler(parts, interval, order).run()))
                return schedule;
        for (const bool in_a_row : {true, false})
            if (auto schedule =
                    fits(BottleneckScheduler(parts, interval, bottleneck, in_a_row).run()))
                return schedule;
    }
    return std::nullopt;
}

}  // namespace xdna::as
