#include "kernels/flow/design.hpp"

#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "libxdna/image/pdi.hpp"

namespace xdna::flow {
namespace {

using image::field;
using image::Field;
using image::Module;
using image::register_row;

// The words of a switch are alike in every tile; the shim's rows stand for all.
consteval Field master(std::string_view name) {
    return field(Module::kPl, "Stream_Switch_Master_Config_South{}", name);
}
consteval Field slave(std::string_view name) {
    return field(Module::kPl, "Stream_Switch_Slave_Config_South_{}", name);
}
consteval Field slot(std::string_view name) {
    return field(Module::kPl, "Stream_Switch_Slave_South_{}_Slot{}", name);
}

// Offsets of one register that each kind of tile has under its own number, by TileKind.
constexpr uint32_t kTileControl[] = {register_row(Module::kPl, "Tile_Control").offset,
                                     register_row(Module::kMemTile, "Tile_Control").offset,
                                     register_row(Module::kCore, "Tile_Control").offset};
constexpr const image::Register* kLockValue[] = {
    &register_row(Module::kNoc, "Lock{}_value"),
    &register_row(Module::kMemTile, "Lock{}_value"),
    &register_row(Module::kMemory, "Lock{}_value"),
};

constexpr uint32_t kProgramMemory = register_row(Module::kCore, "Program_Memory").offset;
constexpr uint32_t kProgramBytes = 16 * 1024;
constexpr uint32_t kCoreControl = register_row(Module::kCore, "Core_Control").offset;
// Enabled, and still in reset: the firmware takes the reset away when a workload starts
// (FIM43-Redeye/xdna-emu, 2026-07-03-sp4a-core-reset-mechanism-part1).
constexpr uint32_t kCoreStart = field(Module::kCore, "Core_Control", "Enable").put(1) |
                                field(Module::kCore, "Core_Control", "Reset").put(1);

constexpr uint32_t kMuxConfig = register_row(Module::kNoc, "Mux_Config").offset;
constexpr uint32_t kDemuxConfig = register_row(Module::kNoc, "Demux_Config").offset;

// South ports of the shim that the DMA shares with the programmable logic: value 1 gives a port to
// the DMA (Xilinx/aie-rt, driver/src/pl/xaie_plif_aieml.c). By channel.
constexpr Field kMux[] = {field(Module::kNoc, "Mux_Config", "South3"),
                          field(Module::kNoc, "Mux_Config", "South7")};
constexpr Field kDemux[] = {field(Module::kNoc, "Demux_Config", "South2"),
                            field(Module::kNoc, "Demux_Config", "South3")};
constexpr uint32_t kToDma = 1;

// Tokens leave every column by South 0 of its shim.
constexpr image::Port kTokenExit = {PortKind::kSouth, 0};
constexpr image::Port kTokenSource = {PortKind::kControl, 0};

image::Port shim_dma(Direction direction, int channel) {
    return {PortKind::kSouth, shim_dma_port(direction, channel)};
}

}  // namespace

Design::Design(int columns) : columns_(columns), router_(columns) {
    if (columns < 1 || columns > kMaxColumns) {
        throw std::invalid_argument("a partition has 1 to " + std::to_string(kMaxColumns) +
                                    " columns, not " + std::to_string(columns));
    }
    for (int column = 0; column < columns; ++column) {
        router_.reserve_master({column, 0}, kTokenExit);
    }
}

void Design::use(Tile tile) {
    if (tile.column < 0 || tile.column >= columns_ || tile.row < 0 || tile.row >= kRows) {
        throw std::invalid_argument("no " + tile.name() + " in a partition of " +
                                    std::to_string(columns_) + " columns");
    }
    tiles_.insert(tile);
}

void Design::stream(const Endpoint& from, const std::vector<Endpoint>& to) {
    router_.connect(from, to);
    use(from.tile);
    for (const Endpoint& end : to) {
        use(end.tile);
    }
    for (const Hop& hop : router_.hops()) {
        use(hop.tile);
    }
}

void Design::lock(Tile tile, int id, int value) {
    use(tile);
    if (id < 0 || id >= shape(tile.kind()).locks || value < 0 || value > 63) {
        throw std::invalid_argument(tile.name() + " cannot set lock " + std::to_string(id) +
                                    " to " + std::to_string(value));
    }
    locks_[{tile, id}] = value;
}

void Design::bd(Tile tile, int id, const Bd& bd) {
    use(tile);
    used_bds_.insert({tile, id});
    bds_.push_back({tile.address(bd_offset(tile.kind(), id)), encode_bd(tile.kind(), bd)});
}

void Design::start(Tile tile, Direction direction, int channel, int bd, int repeats) {
    use(tile);
    tasks_.push_back({tile.address(queue_offset(tile.kind(), direction, channel)),
                      {task_word(tile.kind(), bd, repeats, false)}});
}

int Design::take_bd(const Endpoint& channel) {
    // Memory tiles: BDs 0 to 23 serve even channels, 24 to 47 odd ones (Xilinx/mlir-aie,
    // AIETargetModel).
    const TileKind kind = channel.tile.kind();
    const int all = shape(kind).bds;
    const int half = kind == TileKind::kMem ? all / 2 : all;
    const int first = kind == TileKind::kMem && channel.channel % 2 ? half : 0;
    for (int id = first; id < first + half; ++id) {
        if (used_bds_.insert({channel.tile, id}).second) {
            return id;
        }
    }
    throw std::invalid_argument(channel.tile.name() + " has no BD left for channel " +
                                std::to_string(channel.channel));
}

void Design::loop(const Endpoint& channel, const std::vector<Buffers>& objects,
                  const std::vector<Dimension>& order, size_t run) {
    const bool fills = channel.direction == Direction::kS2mm;
    const size_t buffers = objects.empty() ? 0 : objects[0].addresses.size();
    for (const Buffers& object : objects) {
        if (object.addresses.size() != buffers || run == 0 || buffers % run) {
            throw std::invalid_argument("a loop in " + channel.tile.name() + " takes " +
                                        std::to_string(run) + " in a row of " +
                                        std::to_string(buffers) + " and " +
                                        std::to_string(object.addresses.size()) + " buffers");
        }
    }
    std::vector<Bd> chain;
    for (size_t i = 0; i < buffers * objects.size(); ++i) {
        const Buffers& object = objects[i / run % objects.size()];
        Bd bd;
        bd.address = object.addresses[i / (run * objects.size()) * run + i % run];
        bd.words = object.words;
        bd.dimensions = fills || !order.empty() ? order : object.order;
        bd.acquire = {fills ? object.free_lock : object.full_lock, 1};
        bd.release = {fills ? object.full_lock : object.free_lock, 1};
        chain.push_back(bd);
    }
    if (chain.empty()) {
        throw std::invalid_argument("a loop of no buffers in " + channel.tile.name());
    }
    for (const Buffers& object : objects) {
        lock(channel.tile, object.free_lock, static_cast<int>(buffers));
        lock(channel.tile, object.full_lock, 0);
    }
    std::vector<int> ids;
    for (size_t i = 0; i < chain.size(); ++i) {
        ids.push_back(take_bd(channel));
    }
    for (size_t i = 0; i < chain.size(); ++i) {
        chain[i].next = ids[(i + 1) % ids.size()];
        bd(channel.tile, ids[i], chain[i]);
    }
    start(channel.tile, channel.direction, channel.channel, ids[0]);
}

void Design::core(Tile tile, std::span<const uint8_t> code) {
    use(tile);
    if (tile.kind() != TileKind::kCore || code.empty() || code.size() > kProgramBytes) {
        throw std::invalid_argument(tile.name() + " cannot be given " +
                                    std::to_string(code.size()) + " bytes of code");
    }
    std::vector<uint32_t> words((code.size() + 3) / 4);
    std::memcpy(words.data(), code.data(), code.size());
    memories_.push_back({tile.address(kProgramMemory), std::move(words)});
    cores_.insert(tile);
}

void Design::data(Tile tile, uint32_t address, std::vector<uint32_t> words) {
    use(tile);
    if (address % 4 || address + uint64_t{4} * words.size() > shape(tile.kind()).data_bytes) {
        throw std::invalid_argument(tile.name() + " has no " + std::to_string(4 * words.size()) +
                                    " bytes of data memory at " + std::to_string(address));
    }
    memories_.push_back({tile.address(address), std::move(words)});
}

std::vector<Design::Write> Design::switch_writes() const {
    std::vector<Write> writes;
    std::map<int, uint32_t> mux;
    std::map<int, uint32_t> demux;
    for (const Hop& hop : router_.hops()) {
        const TileKind kind = hop.tile.kind();
        writes.push_back({hop.tile.address(slave_config_offset(kind, hop.slave)),
                          {slave("Slave_Enable").put(1)}});
        writes.push_back(
            {hop.tile.address(master_config_offset(kind, hop.master)),
             {master("Master_Enable").put(1) | master("Configuration").put(hop.slave)}});
        if (kind != TileKind::kShim) {
            continue;
        }
        for (int channel = 0; channel < 2; ++channel) {
            if (slave_port(kind, hop.slave) == shim_dma(Direction::kMm2s, channel)) {
                mux[hop.tile.column] |= kMux[channel].put(kToDma);
            }
            if (master_port(kind, hop.master) == shim_dma(Direction::kS2mm, channel)) {
                demux[hop.tile.column] |= kDemux[channel].put(kToDma);
            }
        }
    }
    for (const auto& [column, word] : mux) {
        writes.push_back({Tile{column, 0}.address(kMuxConfig), {word}});
    }
    for (const auto& [column, word] : demux) {
        writes.push_back({Tile{column, 0}.address(kDemuxConfig), {word}});
    }

    // Tokens of the shim's own DMAs: a packet of id kControllerId from tile control to South 0,
    // with its header, which says who finished.
    const auto source = static_cast<unsigned>(slave_index(TileKind::kShim, kTokenSource));
    const auto exit = static_cast<unsigned>(master_index(TileKind::kShim, kTokenExit));
    for (const Tile& tile : tiles_) {
        if (tile.kind() != TileKind::kShim) {
            continue;
        }
        constexpr uint32_t kArbiter = 0;
        constexpr uint32_t kMsel = 0;
        writes.push_back({tile.address(slave_config_offset(TileKind::kShim, source)),
                          {slave("Slave_Enable").put(1) | slave("Packet_Enable").put(1)}});
        writes.push_back(
            {tile.address(slave_slot_offset(TileKind::kShim, source, 0)),
             {slot("id").put(kControllerId) | slot("mask").put(slot("mask").max()) |
              slot("enable").put(1) | slot("msel").put(kMsel) | slot("arbit").put(kArbiter)}});
        // In packet mode the configuration is the arbiter, and above it one bit for each msel.
        writes.push_back({tile.address(master_config_offset(TileKind::kShim, exit)),
                          {master("Master_Enable").put(1) | master("Packet_Enable").put(1) |
                           master("Configuration").put(kArbiter | 1U << (3 + kMsel))}});
    }
    return writes;
}

std::vector<uint8_t> Design::pdi() const {
    std::vector<Write> writes;
    for (const Tile& tile : tiles_) {
        // Tiles are isolated from their neighbours after reset.
        writes.push_back({tile.address(kTileControl[static_cast<int>(tile.kind())]), {0}});
    }
    const auto append = [&](const std::vector<Write>& more) {
        writes.insert(writes.end(), more.begin(), more.end());
    };
    append(memories_);
    append(switch_writes());
    for (const auto& [at, value] : locks_) {
        const auto& [tile, id] = at;
        const image::Register& row = *kLockValue[static_cast<int>(tile.kind())];
        writes.push_back({tile.address(row.offset_of(static_cast<uint32_t>(id))),
                          {static_cast<uint32_t>(value)}});
    }
    append(bds_);
    append(tasks_);
    for (const Tile& tile : cores_) {
        writes.push_back({tile.address(kCoreControl), {kCoreStart}});
    }

    image::Cdo cdo;
    for (const Write& write : writes) {
        if (write.words.size() == 1) {
            cdo.commands.push_back({image::cdo::Write{write.address, write.words[0]}});
        } else {
            cdo.commands.push_back({image::cdo::DmaWrite{write.address, write.words}});
        }
    }
    return image::serialize(image::make_pdi(std::move(cdo)));
}

}  // namespace xdna::flow
