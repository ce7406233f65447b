// A core tile by itself: program memory, its own data memory, and locks, streams and cascade that
// whoever runs the core sets and reads.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "emu/array/core_model.hpp"

namespace xdna::emu::test {

class LoneTile : public CoreBus {
  public:
    /// The address of a byte of `memory`, as the core has it.
    static constexpr uint32_t kBase = 0x70000;

    std::vector<std::byte> program_memory = std::vector<std::byte>(16 * 1024);
    std::vector<std::byte> memory = std::vector<std::byte>(64 * 1024);
    std::map<unsigned, int> locks;
    std::deque<uint32_t> input;
    std::vector<uint32_t> output;
    std::vector<bool> tlasts;  ///< of the words of `output`
    bool room = true;          ///< on the output stream
    std::vector<unsigned> events;
    std::deque<CascadeWord> cascade_in;
    std::vector<CascadeWord> cascade_out;
    std::map<uint32_t, uint32_t> registers;  ///< of the tile, over the processor bus

    Tile tile() const override { return {1, 2}; }
    std::span<const std::byte> program() const override { return program_memory; }
    std::array<std::span<std::byte>, 4> memories() override { return {{{}, {}, {}, memory}}; }
    // As the array does it: each of the banks of a tile serves one access a cycle.
    uint32_t claim_bank(uint32_t address, uint64_t cycle) override {
        uint64_t& used = bank_used_[2 * (address >> 14 & 3) + (address >> 4 & 1)];
        const uint32_t wait = used == cycle + 1;
        used = std::max(used, cycle + wait + 1);
        return wait;
    }
    bool acquire(unsigned id, int change) override {
        int& value = locks[id];
        const int64_t wanted = change < 0 ? -int64_t{change} : change;
        if (change < 0 ? value < wanted : value != wanted) {
            return false;
        }
        value -= static_cast<int>(wanted);
        return true;
    }
    void release(unsigned id, int change) override {
        locks[id] =
            static_cast<int>(static_cast<unsigned>(locks[id]) + static_cast<unsigned>(change));
    }
    bool stream_read(uint32_t& word, bool& tlast) override {
        if (input.empty()) {
            return false;
        }
        word = input.front();
        input.pop_front();
        tlast = input.empty();
        return true;
    }
    bool stream_write(uint32_t word, bool tlast) override {
        if (room) {
            output.push_back(word);
            tlasts.push_back(tlast);
        }
        return room;
    }
    bool cascade_read(CascadeWord& value) override {
        if (cascade_in.empty()) {
            return false;
        }
        value = cascade_in.front();
        cascade_in.pop_front();
        return true;
    }
    bool cascade_write(const CascadeWord& value) override {
        cascade_out.push_back(value);
        return true;
    }
    uint32_t read_register(uint32_t offset) override { return registers[offset]; }
    void write_register(uint32_t offset, uint32_t value) override { registers[offset] = value; }
    uint64_t timer(uint64_t cycle) const override { return cycle; }
    void raise(unsigned event) override { events.push_back(event); }

  private:
    std::array<uint64_t, 8> bank_used_{};
};

}  // namespace xdna::emu::test
