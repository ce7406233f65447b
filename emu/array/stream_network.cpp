#include "emu/array/stream_network.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "emu/array/timing.hpp"

namespace xdna::emu {
namespace {

using image::Field;
using image::Module;

constexpr Field kMasterEnable =
    image::field(Module::kMemTile, "Stream_Switch_Master_Config_DMA{}", "Master_Enable");
constexpr Field kMasterPacket =
    image::field(Module::kMemTile, "Stream_Switch_Master_Config_DMA{}", "Packet_Enable");
constexpr Field kDropHeader =
    image::field(Module::kMemTile, "Stream_Switch_Master_Config_DMA{}", "Drop_Header");
constexpr Field kConfiguration =
    image::field(Module::kMemTile, "Stream_Switch_Master_Config_DMA{}", "Configuration");
constexpr Field kSlaveEnable =
    image::field(Module::kMemTile, "Stream_Switch_Slave_Config_DMA_{}", "Slave_Enable");
constexpr Field kSlavePacket =
    image::field(Module::kMemTile, "Stream_Switch_Slave_Config_DMA_{}", "Packet_Enable");
constexpr Field kSlotId = image::field(Module::kMemTile, "Stream_Switch_Slave_DMA_{}_Slot{}", "id");
constexpr Field kSlotMask =
    image::field(Module::kMemTile, "Stream_Switch_Slave_DMA_{}_Slot{}", "mask");
constexpr Field kSlotEnable =
    image::field(Module::kMemTile, "Stream_Switch_Slave_DMA_{}_Slot{}", "enable");
constexpr Field kSlotMsel =
    image::field(Module::kMemTile, "Stream_Switch_Slave_DMA_{}_Slot{}", "msel");
constexpr Field kSlotArbiter =
    image::field(Module::kMemTile, "Stream_Switch_Slave_DMA_{}_Slot{}", "arbit");

// A packet master's configuration: arbiter in the low three bits, mask of msel above
// (aie-rt driver/src/stream_switch/xaie_ss_aieml.c).
constexpr unsigned arbiter_of_configuration(uint32_t configuration) {
    return configuration & 7;
}
constexpr unsigned msel_of_configuration(uint32_t configuration) {
    return configuration >> 3;
}

std::string name_of(Tile tile, Port port) {
    return to_string(tile) + " " + to_string(port);
}

}  // namespace

// Follows one configuration.
struct StreamNetwork::Builder {
    StreamNetwork& network;
    const ReadRegister& registers;

    struct Way {
        uint32_t latency = 0;
        uint32_t depth = 0;
        void add(timing::PortCost cost) {
            latency += cost.latency;
            depth += cost.depth;
        }
    };

    struct Master {
        unsigned index;
        uint32_t config;
    };

    std::vector<Master> enabled_masters(Tile tile, bool packet) const {
        std::vector<Master> found;
        for (unsigned m = 0; m < master_count(tile.kind()); ++m) {
            const uint32_t config = registers(tile, master_config_offset(tile.kind(), m));
            if (kMasterEnable.get(config) != 0 && (kMasterPacket.get(config) != 0) == packet) {
                found.push_back({m, config});
            }
        }
        return found;
    }

    uint32_t slave_config(Tile tile, unsigned slave) const {
        return registers(tile, slave_config_offset(tile.kind(), slave));
    }

    // A source's or a junction's stream, made on first demand.
    Stream* stream(Key key) {
        auto& made = network.streams_[key];
        if (!made) {
            const Tile tile = tile_of(key.tile);
            Way way;
            StreamEnd end;
            std::string whereto;
            if (key.master) {
                leave(tile, master_port(tile.kind(), key.port), way, end, whereto);
            } else {
                arrive(tile, key.port, way, end, whereto);
            }
            made = std::make_unique<Stream>(Stream{Pipe(way.latency, way.depth), end, whereto});
            if (end.kind == StreamEnd::Kind::kJunction) {
                junction(end.tile, static_cast<unsigned>(slave_index(end.tile.kind(), end.port)))
                    ->in = made.get();
            }
        }
        return made.get();
    }

    // From a slave port on.
    void arrive(Tile tile, unsigned slave, Way& way, StreamEnd& end, std::string& whereto) {
        for (unsigned hops = 0;; ++hops) {
            const Port port = slave_port(tile.kind(), slave);
            const uint32_t config = slave_config(tile, slave);
            whereto = name_of(tile, port);
            end = {StreamEnd::Kind::kNowhere, tile, port};
            if (kSlaveEnable.get(config) == 0) {
                whereto += " (slave port not enabled)";
                return;
            }
            way.add(timing::kSlavePort);
            if (kSlavePacket.get(config) != 0) {
                end.kind = StreamEnd::Kind::kJunction;
                return;
            }
            std::vector<Master> takers;
            for (const Master& master : enabled_masters(tile, false)) {
                if (kConfiguration.get(master.config) == slave) {
                    takers.push_back(master);
                }
            }
            if (takers.empty()) {
                whereto += " (no master port selects it)";
                return;
            }
            if (takers.size() > 1) {
                end.kind = StreamEnd::Kind::kJunction;
                return;
            }
            const Port master = master_port(tile.kind(), takers[0].index);
            if (!connectable(tile.kind(), port, master)) {
                whereto += " (the switch has no connection to " + to_string(master) + ")";
                return;
            }
            if (hops == kTiles * 4) {
                whereto += " (the route is a loop)";
                return;
            }
            if (!leave_one(tile, slave, master, way, end, whereto)) {
                return;
            }
        }
    }

    // From a master port on.
    void leave(Tile tile, Port master, Way& way, StreamEnd& end, std::string& whereto) {
        unsigned slave = 0;
        if (leave_one(tile, slave, master, way, end, whereto)) {
            arrive(tile, slave, way, end, whereto);
        }
    }

    // Through one master port; true, and tile and slave moved on, if the way goes on.
    static bool leave_one(Tile& tile, unsigned& slave, Port master, Way& way, StreamEnd& end,
                          std::string& whereto) {
        whereto = name_of(tile, master);
        end = {StreamEnd::Kind::kNowhere, tile, master};
        if (master.kind == PortKind::kFifo) {
            way.add(timing::kLocalMaster);
            way.depth += timing::kSwitchFifoDepth;
            slave = static_cast<unsigned>(slave_index(tile.kind(), master));
            return true;
        }
        if (!master.external()) {
            way.add(timing::kLocalMaster);
            if (master.kind == PortKind::kDma) {
                way.depth += timing::kS2mmIngress;
            }
            end.kind = StreamEnd::Kind::kLocal;
            return false;
        }
        way.add(timing::kExternalMaster);
        Tile next;
        if (!neighbour(tile, master.side(), next)) {
            if (master.kind == PortKind::kSouth) {
                way.depth += timing::kS2mmIngress;
                end.kind = StreamEnd::Kind::kHost;
            } else {
                whereto += " (the edge of the array)";
            }
            return false;
        }
        const Port arrives = image::port_on(opposite(master.side()), master.number);
        const int index = slave_index(next.kind(), arrives);
        if (index < 0) {
            whereto += " (no such port on the other side)";
            return false;
        }
        tile = next;
        slave = static_cast<unsigned>(index);
        return true;
    }

    Junction* junction(Tile tile, unsigned slave) {
        auto& made = network.junctions_[{tile.index(), false, slave}];
        if (made) {
            return made.get();
        }
        made = std::make_unique<Junction>();
        Junction& j = *made;
        j.tile = tile;
        j.slave = slave;
        j.packet = kSlavePacket.get(slave_config(tile, slave)) != 0;
        if (!j.packet) {
            for (const Master& master : enabled_masters(tile, false)) {
                if (kConfiguration.get(master.config) == slave) {
                    j.fork.push_back({stream({tile.index(), true, master.index}), false});
                }
            }
            return &j;
        }
        for (unsigned s = 0; s < kSlots; ++s) {
            const uint32_t word = registers(tile, slave_slot_offset(tile.kind(), slave, s));
            Slot& slot = j.slots[s];
            slot.enabled = kSlotEnable.get(word) != 0;
            slot.id = static_cast<uint8_t>(kSlotId.get(word));
            slot.mask = static_cast<uint8_t>(kSlotMask.get(word));
            slot.arbiter = static_cast<uint8_t>(kSlotArbiter.get(word));
            slot.msel = static_cast<uint8_t>(kSlotMsel.get(word));
            if (!slot.enabled) {
                continue;
            }
            for (const Master& master : enabled_masters(tile, true)) {
                const uint32_t configuration = kConfiguration.get(master.config);
                if (arbiter_of_configuration(configuration) == slot.arbiter &&
                    (msel_of_configuration(configuration) >> slot.msel & 1) != 0) {
                    slot.outputs.push_back({stream({tile.index(), true, master.index}),
                                            kDropHeader.get(master.config) != 0});
                }
            }
            auto& members = network.arbiters_[tile.index() * kArbiters + slot.arbiter].members;
            if (std::find(members.begin(), members.end(), &j) == members.end()) {
                members.push_back(&j);
            }
        }
        return &j;
    }

    // Depth first; what a junction writes to comes before it in `done`.
    void visit(Junction* j, std::set<Junction*>& open, std::set<Junction*>& closed,
               std::vector<Junction*>& done) {
        if (closed.contains(j)) {
            return;
        }
        if (!open.insert(j).second) {
            network.cyclic_ = true;
            return;
        }
        const auto follow = [&](const std::vector<Output>& outputs) {
            for (const Output& output : outputs) {
                const StreamEnd& end = output.stream->end;
                if (end.kind == StreamEnd::Kind::kJunction) {
                    const auto slave =
                        static_cast<unsigned>(slave_index(end.tile.kind(), end.port));
                    visit(network.junctions_.at({end.tile.index(), false, slave}).get(), open,
                          closed, done);
                }
            }
        };
        follow(j->fork);
        for (const Slot& slot : j->slots) {
            follow(slot.outputs);
        }
        closed.insert(j);
        done.push_back(j);
    }
};

void StreamNetwork::rebuild(const ReadRegister& registers, std::vector<Fault>& lost) {
    auto old_streams = std::move(streams_);
    auto old_junctions = std::move(junctions_);
    auto old_arbiters = std::move(arbiters_);
    streams_.clear();
    junctions_.clear();
    arbiters_.clear();
    order_.clear();
    cyclic_ = false;

    Builder build{*this, registers};
    for (unsigned t = 0; t < kTiles; ++t) {
        const Tile tile = tile_of(t);
        for (unsigned s = 0; s < slave_count(tile.kind()); ++s) {
            const Port port = slave_port(tile.kind(), s);
            const bool source = port.kind == PortKind::kCore || port.kind == PortKind::kDma ||
                                port.kind == PortKind::kControl ||
                                (port.kind == PortKind::kSouth && tile.row == 0);
            if (source && kSlaveEnable.get(build.slave_config(tile, s)) != 0) {
                build.stream({t, false, s});
            }
        }
    }

    std::set<Junction*> open;
    std::set<Junction*> closed;
    for (auto& [key, junction] : junctions_) {
        build.visit(junction.get(), open, closed, order_);
    }
    std::reverse(order_.begin(), order_.end());
    all_.clear();
    for (auto& [key, stream] : streams_) {
        all_.push_back(stream.get());
    }

    for (auto& [key, old] : old_streams) {
        if (old->pipe.size() == 0) {
            continue;
        }
        const auto found = streams_.find(key);
        // Words that were held up at the end of a route go on where it is made longer.
        if (found != streams_.end() &&
            (found->second->end == old->end || old->end.kind == StreamEnd::Kind::kNowhere)) {
            found->second->pipe.take_over(std::move(old->pipe));
            continue;
        }
        const Tile tile = tile_of(key.tile);
        lost.push_back({FaultKind::kBadRoute, tile, 0,
                        std::to_string(old->pipe.size()) + " words on their way to " +
                            old->whereto + " lost when its switches were configured anew"});
    }
    for (auto& [key, old] : old_junctions) {
        const auto found = junctions_.find(key);
        if (found == junctions_.end() || old->slot < 0) {
            continue;
        }
        Junction& now = *found->second;
        if (!now.packet || !now.slots[static_cast<unsigned>(old->slot)].enabled) {
            continue;
        }
        now.slot = old->slot;
        now.header = old->header;
        now.granted = old->granted;
        arbiter_of(now, now.slot).owner = &now;
    }
}

void StreamNetwork::clear(unsigned first_column, unsigned columns) {
    const auto within = [&](unsigned tile) {
        const unsigned column = tile_of(tile).column;
        return column >= first_column && column < first_column + columns;
    };
    for (auto& [key, stream] : streams_) {
        if (within(key.tile)) {
            stream->pipe.clear();
        }
    }
    for (auto& [key, junction] : junctions_) {
        if (within(key.tile)) {
            junction->slot = -1;
            junction->wants = -1;
        }
    }
    for (auto& [key, arbiter] : arbiters_) {
        if (within(key / kArbiters)) {
            arbiter.owner = nullptr;
        }
    }
}

Stream* StreamNetwork::from(Tile tile, Port slave) {
    const int index = slave_index(tile.kind(), slave);
    const auto found = streams_.find({tile.index(), false, static_cast<unsigned>(index)});
    return found == streams_.end() ? nullptr : found->second.get();
}

Stream* StreamNetwork::to(Tile tile, Port master) {
    for (auto& [key, stream] : streams_) {
        const StreamEnd& end = stream->end;
        if ((end.kind == StreamEnd::Kind::kLocal || end.kind == StreamEnd::Kind::kHost) &&
            end.tile == tile && end.port == master) {
            return stream.get();
        }
    }
    return nullptr;
}

void StreamNetwork::begin_step() {
    for (Stream* stream : all_) {
        stream->pipe.pushing = stream->pipe.popping = false;
    }
}

StreamNetwork::Arbiter& StreamNetwork::arbiter_of(const Junction& junction, int slot) {
    return arbiters_[junction.tile.index() * kArbiters +
                     junction.slots[static_cast<unsigned>(slot)].arbiter];
}

void StreamNetwork::arbitrate(uint64_t now) {
    for (auto& [key, arbiter] : arbiters_) {
        for (size_t i = 0; arbiter.owner == nullptr && i < arbiter.members.size(); ++i) {
            const size_t at = (arbiter.next + i) % arbiter.members.size();
            Junction& junction = *arbiter.members[at];
            if (junction.wants < 0 || &arbiter_of(junction, junction.wants) != &arbiter) {
                continue;
            }
            junction.slot = std::exchange(junction.wants, -1);
            junction.header = true;
            junction.granted = now + timing::kArbitration;
            arbiter.owner = &junction;
            arbiter.next = at + 1;
        }
    }
}

void StreamNetwork::decide(uint64_t now, std::vector<Fault>& faults) {
    for (Junction* j : order_) {
        if (!j->packet || j->slot >= 0 || j->wants >= 0 || !j->in->pipe.readable(now)) {
            continue;
        }
        const uint32_t id = j->in->pipe.head(1)[0] & 0x1F;
        for (unsigned s = 0; s < kSlots && j->wants < 0; ++s) {
            const Slot& slot = j->slots[s];
            if (slot.enabled && (id & slot.mask) == (slot.id & slot.mask)) {
                j->wants = static_cast<int>(s);
            }
        }
        if (j->wants < 0 && !std::exchange(j->reported, true)) {
            faults.push_back(
                {FaultKind::kBadRoute, j->tile, slave_config_offset(j->tile.kind(), j->slave),
                 "no slot of " + name_of(j->tile, slave_port(j->tile.kind(), j->slave)) +
                     " matches packet id " + std::to_string(id)});
        }
    }
    arbitrate(now);

    moved_ = 0;
    for (Junction* j : order_) {
        j->moving =
            j->in->pipe.readable(now) && (!j->packet || (j->slot >= 0 && now >= j->granted));
        if (!j->moving) {
            continue;
        }
        const auto& outputs = j->outputs();
        j->moving =
            !outputs.empty() && std::none_of(outputs.begin(), outputs.end(),
                                             [](const Output& o) { return o.stream->pipe.full(); });
        if (!j->moving) {
            continue;
        }
        moved_ |= 1U << j->tile.column;
        j->in->pipe.popping = true;
        for (const Output& output : outputs) {
            output.stream->pipe.pushing = !(j->packet && j->header && output.drop_header);
        }
    }
}

uint64_t StreamNetwork::steady(uint64_t now) const {
    uint64_t cycles = kNever;
    bool any = false;
    for (const Junction* j : order_) {
        if (j->packet && j->slot >= 0 && now < j->granted) {
            cycles = std::min(cycles, j->granted - now);
        }
        if (j->moving) {
            any = true;
            cycles = std::min(cycles, j->packet && j->header ? 1 : j->in->pipe.to_tlast());
        }
    }
    for (const Stream* stream : all_) {
        cycles = std::min(cycles, stream->pipe.steady(now));
    }
    return cyclic_ && any ? 1 : cycles;
}

void StreamNetwork::move(uint64_t now, uint32_t cycles) {
    for (Junction* j : order_) {
        if (!j->moving) {
            continue;
        }
        const auto words = j->in->pipe.head(cycles);
        const bool tlast = j->in->pipe.to_tlast() == cycles;
        for (const Output& output : j->outputs()) {
            if (j->packet && j->header && output.drop_header) {
                continue;
            }
            Pipe& pipe = output.stream->pipe;
            std::copy(words.begin(), words.end(), pipe.tail(cycles).begin());
            pipe.push(now, cycles, tlast);
        }
        j->in->pipe.pop(cycles);
        j->header = false;
        j->reported = false;
        if (j->packet && tlast) {
            arbiter_of(*j, j->slot).owner = nullptr;
            j->slot = -1;
        }
    }
}

void StreamNetwork::waits(uint64_t now, std::vector<Wait>& out) const {
    for (const Junction* j : order_) {
        if (!j->in->pipe.readable(now)) {
            continue;
        }
        const std::string who = "switch, slave " + to_string(slave_port(j->tile.kind(), j->slave));
        if (!j->packet || j->slot >= 0) {
            for (const Output& output : j->outputs()) {
                if (output.stream->pipe.full()) {
                    out.push_back({j->tile, who, "full: stream to " + output.stream->whereto});
                }
            }
            if (j->outputs().empty()) {
                out.push_back(
                    {j->tile, who,
                     "packet: no master port takes arbiter " +
                         std::to_string(j->slots[static_cast<unsigned>(j->slot)].arbiter) +
                         ", msel " +
                         std::to_string(j->slots[static_cast<unsigned>(j->slot)].msel)});
            }
        } else if (j->wants >= 0) {
            const unsigned arbiter = j->slots[static_cast<unsigned>(j->wants)].arbiter;
            out.push_back(
                {j->tile, who,
                 "packet: arbiter " + std::to_string(arbiter) + " is held by another packet"});
        } else {
            out.push_back({j->tile, who,
                           "packet id " + std::to_string(j->in->pipe.head(1)[0] & 0x1F) +
                               " matches no slot"});
        }
    }
}

}  // namespace xdna::emu
