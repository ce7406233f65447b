// The streams that the switches' configurations make.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "emu/array/fault.hpp"
#include "emu/array/pipe.hpp"
#include "libxdna/image/switch_ports.hpp"

namespace xdna::emu {

using image::kArbiters;
using image::kSlots;
using image::Port;
using image::PortKind;

/// Where a stream ends.
struct StreamEnd {
    enum class Kind : uint8_t {
        kNowhere,   ///< a port that leads no further: words pile up
        kLocal,     ///< a local master port: DMA, core, control
        kJunction,  ///< a slave port where the words are copied or packets are sorted
        kHost,      ///< a south port of a shim
    };
    Kind kind = Kind::kNowhere;
    Tile tile;
    Port port;
    bool operator==(const StreamEnd&) const = default;
};

/// A stretch of ports with one writer and one reader.
struct Stream {
    Pipe pipe;
    StreamEnd end;
    std::string whereto;  ///< for reports: "(1,1) DMA 0", or why it leads nowhere
};

/// All streams of the array. Circuit-switched hops are folded into one pipe; where streams fork or
/// packets are arbitrated a junction moves words on from pipe to pipe.
class StreamNetwork {
  public:
    using ReadRegister = std::function<uint32_t(Tile, uint32_t offset)>;

    /// Follows the configuration anew. Words under way stay where a stream keeps its
    /// two ends, or led nowhere; the others are lost, each stream that lost some is named in
    /// `lost`.
    void rebuild(const ReadRegister& registers, std::vector<Fault>& lost);

    /// Forgets what is under way in some columns.
    void clear(unsigned first_column, unsigned columns);

    /// The stream that a local slave port (DMA, core, control; a shim's DMA: its South port) writes
    /// to; null where the port is not enabled.
    Stream* from(Tile tile, Port slave);
    /// The stream that ends in a local master port (a shim's: South); null where none does.
    Stream* to(Tile tile, Port master);

    /// The three parts of a step: which junctions move in this cycle, for how many cycles that and
    /// the sources' and sinks' movements stay as they are, and the movement.
    void decide(uint64_t now, std::vector<Fault>& faults);
    uint64_t steady(uint64_t now) const;
    void move(uint64_t now, uint32_t cycles);
    /// The streams' notes of the step before are wiped.
    void begin_step();

    /// Junctions that hold words and cannot move them: tile, and a sentence.
    struct Wait {
        Tile tile;
        std::string who;
        std::string what;
    };
    void waits(uint64_t now, std::vector<Wait>& out) const;
    /// Whether a packet or a copied word moved in the step decided last, in a column.
    bool moved(unsigned column) const { return (moved_ >> column & 1) != 0; }

  private:
    struct Key {
        unsigned tile = 0;
        bool master = false;
        unsigned port = 0;
        auto operator<=>(const Key&) const = default;
    };
    struct Output {
        Stream* stream = nullptr;
        bool drop_header = false;
    };
    struct Slot {
        bool enabled = false;
        uint8_t id = 0;
        uint8_t mask = 0;
        uint8_t arbiter = 0;
        uint8_t msel = 0;
        std::vector<Output> outputs;
    };
    struct Junction {
        Tile tile;
        unsigned slave = 0;
        bool packet = false;
        Stream* in = nullptr;
        std::vector<Output> fork;
        std::array<Slot, kSlots> slots;
        // Packet under way: the slot it matched; its header not passed on yet.
        int slot = -1;
        bool header = false;
        uint64_t granted = 0;
        int wants = -1;  // slot of a packet that waits for its arbiter
        bool reported = false;
        bool moving = false;

        const std::vector<Output>& outputs() const {
            return packet ? slots[static_cast<unsigned>(slot)].outputs : fork;
        }
    };
    struct Arbiter {
        const Junction* owner = nullptr;
        std::vector<Junction*> members;
        size_t next = 0;  // member that is asked first
    };
    struct Builder;

    void arbitrate(uint64_t now);
    Arbiter& arbiter_of(const Junction& junction, int slot);

    std::map<Key, std::unique_ptr<Stream>> streams_;
    std::map<Key, std::unique_ptr<Junction>> junctions_;
    std::vector<Stream*> all_;
    std::vector<Junction*> order_;          // writers before readers
    std::map<unsigned, Arbiter> arbiters_;  // by tile index * kArbiters + arbiter
    bool cyclic_ = false;
    unsigned moved_ = 0;
};

}  // namespace xdna::emu
