// An array with host memory behind it, programmed by register writes as a PDI would. BD words are
// composed here from AM025's bit positions by hand, apart from the table that the array decodes
// with.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "emu/array/array.hpp"

namespace xdna::emu::test {

/// Host memory made of separate mappings.
class Ram : public HostMemory {
  public:
    /// Maps `words` words at a device address.
    std::vector<uint32_t>& map(uint64_t address, size_t words) {
        auto& mapping = mappings_[address];
        mapping.assign(words, 0);
        return mapping;
    }

    bool read(uint64_t address, void* to, size_t size) override {
        return copy(address, size, [&](std::byte* at, size_t done, size_t bytes) {
            std::memcpy(static_cast<std::byte*>(to) + done, at, bytes);
        });
    }
    bool write(uint64_t address, const void* from, size_t size) override {
        return copy(address, size, [&](std::byte* at, size_t done, size_t bytes) {
            std::memcpy(at, static_cast<const std::byte*>(from) + done, bytes);
        });
    }
    std::byte* span(uint64_t address, size_t size) override {
        if (!spans) {
            return nullptr;
        }
        size_t there = 0;
        std::byte* at = find(address, there);
        return there >= size ? at : nullptr;
    }

    bool spans = true;  ///< whether direct pointers are handed out

  private:
    std::byte* find(uint64_t address, size_t& there) {
        auto after = mappings_.upper_bound(address);
        if (after == mappings_.begin()) {
            return nullptr;
        }
        auto& [base, words] = *std::prev(after);
        const uint64_t offset = address - base;
        if (offset >= words.size() * 4) {
            return nullptr;
        }
        there = words.size() * 4 - offset;
        return reinterpret_cast<std::byte*>(words.data()) + offset;
    }

    template <typename Copy>
    bool copy(uint64_t address, size_t size, Copy&& part) {
        for (size_t done = 0; done < size;) {
            size_t there = 0;
            std::byte* at = find(address + done, there);
            if (at == nullptr) {
                return false;
            }
            const size_t bytes = std::min(there, size - done);
            part(at, done, bytes);
            done += bytes;
        }
        return true;
    }

    std::map<uint64_t, std::vector<uint32_t>> mappings_;
};

struct Dim {
    uint32_t step = 1;  // words, as meant; the register holds one less
    uint32_t wrap = 0;
    uint32_t before = 0;
    uint32_t after = 0;
};

/// A BD as one means it: true strides, bytes or words as named.
struct Bd {
    uint64_t base = 0;  // shim: device address; else words (memory tile: own memory's)
    uint32_t length = 0;
    std::array<Dim, 4> d{};
    uint32_t iteration_step = 1;
    uint32_t iteration_wrap = 1;
    uint32_t iteration = 0;
    std::optional<unsigned> next;
    std::optional<unsigned> packet_id;
    unsigned packet_type = 0;
    unsigned out_of_order_id = 0;
    bool tlast_suppress = false;
    bool compression = false;
    bool valid = true;
    std::optional<unsigned> acquire_lock;
    int acquire = 0;
    unsigned release_lock = 0;
    int release = 0;
    unsigned memtile_view = 1;  // 0 west, 1 own, 2 east

    std::vector<uint32_t> words(TileKind kind) const {
        const auto bits = [](uint32_t value, unsigned width, unsigned shift) {
            EXPECT_TRUE(width == 32 || value < (1ULL << width)) << value << " in " << width;
            return value << shift;
        };
        const auto sign7 = [](int value) { return static_cast<uint32_t>(value) & 0x7F; };
        const uint32_t acq = acquire_lock ? 1 : 0;
        const uint32_t acq_id = acquire_lock.value_or(0);
        const uint32_t chain = next ? 1 : 0;
        const uint32_t packet = packet_id ? 1 : 0;
        switch (kind) {
            case TileKind::kCore:
                return {
                    bits(static_cast<uint32_t>(base), 14, 14) | bits(length, 14, 0),
                    bits(compression, 1, 31) | bits(packet, 1, 30) | bits(out_of_order_id, 6, 24) |
                        bits(packet_id.value_or(0), 5, 19) | bits(packet_type, 3, 16),
                    bits(d[1].step - 1, 13, 13) | bits(d[0].step - 1, 13, 0),
                    bits(d[1].wrap, 8, 21) | bits(d[0].wrap, 8, 13) | bits(d[2].step - 1, 13, 0),
                    bits(iteration, 6, 19) | bits(iteration_wrap - 1, 6, 13) |
                        bits(iteration_step - 1, 13, 0),
                    bits(tlast_suppress, 1, 31) | bits(next.value_or(0), 4, 27) |
                        bits(chain, 1, 26) | bits(valid, 1, 25) | bits(sign7(release), 7, 18) |
                        bits(release_lock, 4, 13) | bits(acq, 1, 12) | bits(sign7(acquire), 7, 5) |
                        bits(acq_id, 4, 0)};
            case TileKind::kMem:
                return {
                    bits(packet, 1, 31) | bits(packet_type, 3, 28) |
                        bits(packet_id.value_or(0), 5, 23) | bits(out_of_order_id, 6, 17) |
                        bits(length, 17, 0),
                    bits(d[0].before, 6, 26) | bits(next.value_or(0), 6, 20) | bits(chain, 1, 19) |
                        bits(static_cast<uint32_t>(base) + memtile_view * 0x20000, 19, 0),
                    bits(tlast_suppress, 1, 31) | bits(d[0].wrap, 10, 17) |
                        bits(d[0].step - 1, 17, 0),
                    bits(d[1].before, 5, 27) | bits(d[1].wrap, 10, 17) | bits(d[1].step - 1, 17, 0),
                    bits(compression, 1, 31) | bits(d[2].before, 4, 27) | bits(d[2].wrap, 10, 17) |
                        bits(d[2].step - 1, 17, 0),
                    bits(d[2].after, 4, 28) | bits(d[1].after, 5, 23) | bits(d[0].after, 6, 17) |
                        bits(d[3].step - 1, 17, 0),
                    bits(iteration, 6, 23) | bits(iteration_wrap - 1, 6, 17) |
                        bits(iteration_step - 1, 17, 0),
                    bits(valid, 1, 31) | bits(sign7(release), 7, 24) | bits(release_lock, 8, 16) |
                        bits(acq, 1, 15) | bits(sign7(acquire), 7, 8) | bits(acq_id, 8, 0)};
            case TileKind::kShim:
                break;
        }
        const uint64_t address = base + 0x8000'0000;  // how the array sees DDR
        return {length,
                static_cast<uint32_t>(address),
                bits(packet, 1, 30) | bits(out_of_order_id, 6, 24) |
                    bits(packet_id.value_or(0), 5, 19) | bits(packet_type, 3, 16) |
                    bits(static_cast<uint32_t>(address >> 32), 16, 0),
                bits(d[0].wrap, 10, 20) | bits(d[0].step - 1, 20, 0),
                bits(d[1].wrap, 10, 20) | bits(d[1].step - 1, 20, 0),
                bits(d[2].step - 1, 20, 0),
                bits(iteration, 6, 26) | bits(iteration_wrap - 1, 6, 20) |
                    bits(iteration_step - 1, 20, 0),
                bits(tlast_suppress, 1, 31) | bits(next.value_or(0), 4, 27) | bits(chain, 1, 26) |
                    bits(valid, 1, 25) | bits(sign7(release), 7, 18) | bits(release_lock, 4, 13) |
                    bits(acq, 1, 12) | bits(sign7(acquire), 7, 5) | bits(acq_id, 4, 0)};
    }
};

// Port indices (notes/array.md 5).
namespace shim {
inline constexpr unsigned kCtrlSlave = 0, kMm2s0 = 5, kMm2s1 = 9, kNorthSlave = 14, kWestSlave = 10,
                          kEastSlave = 18;
inline constexpr unsigned kController = 2, kS2mm0 = 4, kS2mm1 = 5, kNorthMaster = 12,
                          kWestMaster = 8, kEastMaster = 18, kCtrlMaster = 0;
}  // namespace shim
namespace mem {
inline constexpr unsigned kDma = 0, kCtrl = 6, kSouthMaster = 7, kNorthMaster = 11, kSouthSlave = 7,
                          kNorthSlave = 13;
}  // namespace mem
namespace core {
inline constexpr unsigned kCore = 0, kDma = 1, kCtrl = 3, kFifo = 4, kSouth = 5, kWestMaster = 9,
                          kNorthMaster = 13, kEastMaster = 19, kWestSlave = 11, kNorthSlave = 15,
                          kEastSlave = 19;
}  // namespace core

inline constexpr uint32_t kNoBd = 0;

class Board : public testing::Test {
  protected:
    static constexpr Tile kShimTile{1, 0};
    static constexpr Tile kMemTile{1, 1};
    static constexpr Tile kCoreTile{1, 2};

    Board() {
        array.reset_partition(0, kColumns);
        array.attach_host_memory(0, kColumns, &ram);
    }

    static image::TileAddress at(Tile tile, uint32_t offset) {
        return {tile.column, tile.row, offset};
    }

    void write(Tile tile, uint32_t offset, uint32_t value) {
        const auto fault = array.write(at(tile, offset), value);
        ASSERT_FALSE(fault) << fault->what;
    }

    uint32_t read(Tile tile, uint32_t offset) {
        uint32_t value = 0;
        const auto fault = array.read(at(tile, offset), value);
        EXPECT_FALSE(fault) << fault->what;
        return value;
    }

    static uint32_t switch_base(Tile tile) {
        return tile.kind() == TileKind::kMem ? 0xB0000 : 0x3F000;
    }

    /// A circuit-switched connection.
    void connect(Tile tile, unsigned slave, unsigned master) {
        write(tile, switch_base(tile) + 0x100 + 4 * slave, 1U << 31);
        write(tile, switch_base(tile) + 4 * master, 1U << 31 | slave);
    }

    void packet_slave(Tile tile, unsigned slave, unsigned slot, unsigned id, unsigned mask,
                      unsigned arbiter, unsigned msel) {
        write(tile, switch_base(tile) + 0x100 + 4 * slave, 3U << 30);
        write(tile, switch_base(tile) + 0x200 + 16 * slave + 4 * slot,
              id << 24 | mask << 16 | 1 << 8 | msel << 4 | arbiter);
    }
    void packet_master(Tile tile, unsigned master, unsigned arbiter, unsigned msels,
                       bool drop_header) {
        write(tile, switch_base(tile) + 4 * master,
              3U << 30 | (drop_header ? 1U << 7 : 0) | msels << 3 | arbiter);
    }

    /// Shim DMA channels to their south ports, both ways (mux and demux), and its tokens to the
    /// controller.
    void open_shim(uint8_t column) {
        const Tile tile{column, 0};
        write(tile, 0x1F000, 1U << 10 | 1U << 14);
        write(tile, 0x1F004, 1U << 4 | 1U << 6);
        connect(tile, shim::kCtrlSlave, shim::kController);
    }

    static uint32_t bd_base(Tile tile) { return tile.kind() == TileKind::kMem ? 0xA0000 : 0x1D000; }

    void bd(Tile tile, unsigned id, const Bd& bd) {
        const auto words = bd.words(tile.kind());
        const auto fault = array.write_block(at(tile, bd_base(tile) + 0x20 * id), words);
        ASSERT_FALSE(fault) << fault->what;
    }

    static uint32_t channel_base(Tile tile, Direction direction, unsigned channel) {
        const bool mm2s = direction == Direction::kMm2s;
        switch (tile.kind()) {
            case TileKind::kShim:
                return (mm2s ? 0x1D210 : 0x1D200) + 8 * channel;
            case TileKind::kMem:
                return (mm2s ? 0xA0630 : 0xA0600) + 8 * channel;
            case TileKind::kCore:
                break;
        }
        return (mm2s ? 0x1DE10 : 0x1DE00) + 8 * channel;
    }
    static uint32_t status_offset(Tile tile, Direction direction, unsigned channel) {
        const bool mm2s = direction == Direction::kMm2s;
        switch (tile.kind()) {
            case TileKind::kShim:
                return (mm2s ? 0x1D228 : 0x1D220) + 4 * channel;
            case TileKind::kMem:
                return (mm2s ? 0xA0680 : 0xA0660) + 4 * channel;
            case TileKind::kCore:
                break;
        }
        return (mm2s ? 0x1DF10 : 0x1DF00) + 4 * channel;
    }

    void start(Tile tile, Direction direction, unsigned channel, unsigned bd_id,
               unsigned repeats = 1, bool token = false) {
        write(tile, channel_base(tile, direction, channel) + 4,
              bd_id | (repeats - 1) << 16 | (token ? 1U << 31 : 0));
    }

    static uint32_t lock_base(Tile tile) {
        return tile.kind() == TileKind::kMem    ? 0xC0000
               : tile.kind() == TileKind::kShim ? 0x14000
                                                : 0x1F000;
    }
    void set_lock(Tile tile, unsigned id, uint32_t value) {
        write(tile, lock_base(tile) + 16 * id, value);
    }
    uint32_t lock(Tile tile, unsigned id) { return read(tile, lock_base(tile) + 16 * id); }

    /// Shim MM2S 0 of a column to memory tile S2MM `to`, through lane `lane`.
    void route_in(uint8_t column, unsigned to = 0, unsigned lane = 0) {
        connect({column, 0}, shim::kMm2s0, shim::kNorthMaster + lane);
        connect({column, 1}, mem::kSouthSlave + lane, mem::kDma + to);
    }
    /// Memory tile MM2S `from` of a column to shim S2MM 0.
    void route_out(uint8_t column, unsigned from = 0, unsigned lane = 0) {
        connect({column, 1}, mem::kDma + from, mem::kSouthMaster + lane);
        connect({column, 0}, shim::kNorthSlave + lane, shim::kS2mm0);
    }

    /// Shim MM2S 0 of a column to its S2MM 0, turned around in the memory tile's switch.
    void turn_around(uint8_t column) {
        connect({column, 0}, shim::kMm2s0, shim::kNorthMaster);
        connect({column, 1}, mem::kSouthSlave, mem::kSouthMaster);
        connect({column, 0}, shim::kNorthSlave, shim::kS2mm0);
    }

    void poke(Tile tile, uint32_t word, const std::vector<uint32_t>& values) {
        const auto fault = array.write_block(at(tile, word * 4), values);
        ASSERT_FALSE(fault) << fault->what;
    }
    std::vector<uint32_t> peek(Tile tile, uint32_t word, size_t count) {
        std::vector<uint32_t> values(count);
        for (size_t i = 0; i < count; ++i) {
            values[i] = read(tile, (word + static_cast<uint32_t>(i)) * 4);
        }
        return values;
    }

    /// Until nothing moves; fails on a fault or where that takes longer than a second of NPU time.
    void settle() {
        const RunResult result = array.run(1'000'000'000);
        for (const Fault& fault : array.take_faults()) {
            ADD_FAILURE() << fault.what;
        }
        EXPECT_EQ(result.stop, Stop::kQuiescent);
    }

    std::string report() {
        std::string text;
        for (const Wait& wait : array.waits()) {
            text += to_string(wait) + "\n";
        }
        return text;
    }

    static std::vector<uint32_t> noise(size_t words, uint32_t seed = 1) {
        std::mt19937 random(seed);
        std::vector<uint32_t> values(words);
        for (uint32_t& value : values) {
            value = static_cast<uint32_t>(random());
        }
        return values;
    }
    static std::vector<uint32_t> counting(size_t words, uint32_t first = 0) {
        std::vector<uint32_t> values(words);
        for (size_t i = 0; i < words; ++i) {
            values[i] = first + static_cast<uint32_t>(i);
        }
        return values;
    }

    Ram ram;
    Array array;
};

}  // namespace xdna::emu::test
