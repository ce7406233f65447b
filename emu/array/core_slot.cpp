#include "emu/array/core_slot.hpp"

#include <algorithm>

#include "emu/array/machine.hpp"
#include "emu/array/register_file.hpp"
#include "emu/array/timing.hpp"

namespace xdna::emu {
namespace {

using image::Module;

constexpr uint32_t kAccumulatorControl =
    image::register_row(Module::kCore, "Accumulator_Control").offset;
constexpr const image::Register& kProcessorBus =
    image::register_row(Module::kCore, "Core_Processor_Bus");
constexpr image::Field kCascadeIn = image::field(Module::kCore, "Accumulator_Control", "Input");
constexpr image::Field kCascadeOut = image::field(Module::kCore, "Accumulator_Control", "Output");

// The order of neighbours in a core's data addresses and lock ids: notes/array.md 1. Own is last.
constexpr std::array kViews = {Side::kSouth, Side::kWest, Side::kNorth};
constexpr unsigned kLocksOfView = 16;
constexpr uint32_t kViewBytes = 0x10000;

class TileCoreBus final : public CoreBus {
  public:
    TileCoreBus(Machine& machine, Tile tile) : machine_(machine), tile_(tile) {}

    Tile tile() const override { return tile_; }

    std::span<const std::byte> program() const override {
        return std::as_bytes(std::span(machine_.at(tile_).program));
    }

    std::array<std::span<std::byte>, 4> memories() override {
        std::array<std::span<std::byte>, 4> views;
        for (unsigned v = 0; v < views.size(); ++v) {
            if (const auto tile = view(v)) {
                views[v] = std::as_writable_bytes(std::span(machine_.at(*tile).data));
            }
        }
        return views;
    }

    uint32_t claim_bank(uint32_t address, uint64_t cycle) override {
        const auto tile = view(address / kViewBytes % 4);
        if (!tile) {
            throw CoreTrap{"data address " + std::to_string(address) + " has no memory behind it"};
        }
        // Four logical banks of 16 KiB, each two physical ones that alternate every 16 bytes.
        const unsigned bank = 2 * (address >> 14 & 3) + (address >> 4 & 1);
        uint64_t& used = machine_.at(*tile).core.bank_used[bank];
        const uint32_t wait = used == cycle + 1 ? timing::kBankConflict : 0;
        used = std::max(used, cycle + wait + 1);
        return wait;
    }

    bool acquire(unsigned id, int change) override { return machine_.acquire(lock(id), change); }

    void release(unsigned id, int change) override { machine_.release_later(lock(id), change); }

    bool stream_read(uint32_t& word, bool& tlast) override {
        Stream* stream = machine_.at(tile_).core.in;
        if (stream == nullptr || !stream->pipe.readable(machine_.now)) {
            return false;
        }
        word = stream->pipe.head(1)[0];
        tlast = stream->pipe.to_tlast() == 1;
        stream->pipe.pop(1);
        return true;
    }

    bool stream_write(uint32_t word, bool tlast) override {
        Stream* stream = machine_.at(tile_).core.out;
        if (stream == nullptr || stream->pipe.full()) {
            return false;
        }
        stream->pipe.tail(1)[0] = word;
        stream->pipe.push(machine_.now, 1, tlast);
        return true;
    }

    bool cascade_read(CascadeWord& value) override {
        auto& cascade = machine_.at(tile_).core.cascade;
        if (cascade.empty() || cascade.front().first > machine_.now) {
            return false;
        }
        value = cascade.front().second;
        cascade.pop_front();
        return true;
    }

    bool cascade_write(const CascadeWord& value) override {
        const bool east = kCascadeOut.get(control(tile_)) != 0;
        Tile next;
        if (!neighbour(tile_, east ? Side::kEast : Side::kSouth, next) ||
            next.kind() != TileKind::kCore) {
            return false;
        }
        const bool from_west = kCascadeIn.get(control(next)) != 0;
        auto& cascade = machine_.at(next).core.cascade;
        if (from_west != east || cascade.size() >= timing::kCascade.depth) {
            return false;
        }
        cascade.emplace_back(machine_.now + timing::kCascade.latency, value);
        return true;
    }

    uint64_t timer(uint64_t cycle) const override {
        return machine_.at(tile_).events[0].timer(cycle);
    }

    uint32_t read_register(uint32_t offset) override {
        check_processor_bus();
        uint32_t value = 0;
        if (const auto fault = emu::read_register(machine_, address(offset), value)) {
            throw CoreTrap{fault->what};
        }
        return value;
    }

    void write_register(uint32_t offset, uint32_t value) override {
        check_processor_bus();
        if (const auto fault = emu::write_register(machine_, address(offset), value)) {
            throw CoreTrap{fault->what};
        }
    }

    void raise(unsigned event) override { machine_.raise(tile_, 0, event); }

  private:
    image::TileAddress address(uint32_t offset) const { return {tile_.column, tile_.row, offset}; }

    void check_processor_bus() const {
        if (machine_.stored(tile_, kProcessorBus.offset) == 0) {
            throw CoreTrap{"the processor bus is not enabled (Core_Processor_Bus)"};
        }
    }

    uint32_t control(Tile tile) const { return machine_.stored(tile, kAccumulatorControl); }

    // The tile behind a view, where the core can reach one.
    std::optional<Tile> view(unsigned which) const {
        if (which >= kViews.size()) {
            return tile_;
        }
        Tile next;
        if (!neighbour(tile_, kViews[which], next) || next.kind() != TileKind::kCore ||
            machine_.isolated(next, opposite(kViews[which]))) {
            return std::nullopt;
        }
        return next;
    }

    Machine::LockPlace lock(unsigned id) const {
        const auto tile = view(id / kLocksOfView);
        if (id >= 4 * kLocksOfView || !tile) {
            throw CoreTrap{"lock " + std::to_string(id) + " is not there"};
        }
        return {*tile, id % kLocksOfView};
    }

    Machine& machine_;
    Tile tile_;
};

}  // namespace

std::unique_ptr<CoreBus> make_core_bus(Machine& machine, Tile tile) {
    return std::make_unique<TileCoreBus>(machine, tile);
}

}  // namespace xdna::emu
