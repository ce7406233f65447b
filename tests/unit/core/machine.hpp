// A core by itself: its program memory, its own data memory, and locks and streams that the test
// sets. Programs are assembly text.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "emu/core/core.hpp"
#include "kernels/as/assembler.hpp"

namespace xdna::emu::test {

/// Machine code of `source`, at address 0. With `insert_nops`, instructions wait for what they
/// read.
inline std::vector<std::byte> assemble(const std::string& source, bool insert_nops = true) {
    as::Options options;
    options.insert_nops = insert_nops;
    as::Diagnostics diagnostics;
    const auto object = as::assemble("test.s", source, options, diagnostics);
    if (!object) {
        std::string text;
        for (const auto& each : diagnostics.list()) {
            text += each.message + "\n";
        }
        ADD_FAILURE() << text << source;
        return {};
    }
    const auto code = as::flat_program(as::link(*object));
    const auto* first = reinterpret_cast<const std::byte*>(code.data());
    return {first, first + code.size()};
}

class Machine final : public CoreBus {
  public:
    /// The address of a byte of `memory`, as the core has it.
    static constexpr uint32_t kBase = 0x70000;

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
    uint64_t cycles = 0;                     ///< of all calls of run()

    void load(const std::vector<std::byte>& code) {
        std::copy(code.begin(), code.end(), program_.begin());
        core_->program_changed();
        recorded_.clear();
    }
    void load(const std::string& source, bool insert_nops = true) {
        load(assemble(source, insert_nops));
    }

    /// Loads a linked object: code into program memory, data into the core's own memory.
    void load(const as::Object& object) {
        for (const as::ObjectSection& section : object.sections) {
            if (!(section.flags & as::kAllocate) || section.bytes.empty()) {
                continue;
            }
            std::byte* to = section.address < program_.size() ? &program_[section.address]
                                                              : &memory.at(section.address - kBase);
            std::memcpy(to, section.bytes.data(), section.bytes.size());
        }
        core_->program_changed();
        recorded_.clear();
    }
    /// Lets the core go on at `address`.
    void jump(uint32_t address) { core_->write_register(kPc, address); }
    void set_sp(uint32_t address) { core_->write_register(kSp, address); }
    /// Calls a function and runs until it returns. Arguments are registers set before; the
    /// stack grows up from `stack`.
    void call(uint32_t address, uint32_t stack = 0x7C000) {
        // DONE where the function returns to, at the end of program memory.
        const std::vector<std::byte> code = assemble("done\nnop\n");
        constexpr uint32_t kReturn = 0x3FF0;
        std::copy(code.begin(), code.end(), program_.begin() + kReturn);
        core_->program_changed();
        set_sp(stack);
        core_->write_register(kLr, kReturn);
        jump(address);
        finish();
    }

    /// Runs until the core is done or waits; at most `limit` cycles, `quantum` at a time. Cycle by
    /// cycle, what is executed is recorded in executed().
    CoreProgress run(uint64_t limit = 100000, uint64_t quantum = 1) {
        CoreProgress progress;
        while (cycles < limit) {
            if (quantum == 1) {
                record();
            }
            progress = core_->run(*this, cycles, std::min(quantum, limit - cycles));
            cycles += progress.cycles;
            if (progress.state != CoreProgress::State::kRunning) {
                break;
            }
        }
        return progress;
    }
    /// The operations that the tests of each suite have executed so far.
    static std::map<std::string, std::set<isa::Op>>& executed() {
        static std::map<std::string, std::set<isa::Op>> by_suite;
        return by_suite;
    }

    /// As run(), and fails the test unless the core is done.
    void finish(uint64_t limit = 100000) {
        const CoreProgress progress = run(limit);
        ASSERT_EQ(progress.state, CoreProgress::State::kDone)
            << (progress.waits_for ? progress.waits_for() : "still running");
    }

    template <typename T>
    void put(uint32_t offset, std::span<const T> values) {
        std::memcpy(&memory[offset], values.data(), values.size_bytes());
    }
    template <typename T>
    std::vector<T> get(uint32_t offset, size_t count) const {
        std::vector<T> values(count);
        std::memcpy(values.data(), &memory[offset], count * sizeof(T));
        return values;
    }
    /// A scalar register through the debug window: r0 is 0x30C00, 16 bytes apart.
    uint32_t r(unsigned number) const { return core_->read_register(0x30C00 + 16 * number); }
    uint32_t p(unsigned number) const { return core_->read_register(0x31000 + 16 * number); }
    void set_r(unsigned number, uint32_t value) {
        core_->write_register(0x30C00 + 16 * number, value);
    }
    void set_p(unsigned number, uint32_t value) {
        core_->write_register(0x31000 + 16 * number, value);
    }
    /// 32-bit word `word` of a vector (wl0 is 0, wh0 is 1, ...) or accumulator quarter (amll0 is
    /// 0, amlh0 is 1, ...).
    void set_w(unsigned number, unsigned word, uint32_t value) {
        core_->write_register(0x30800 + 32 * number + 4 * word, value);
    }
    uint32_t am(unsigned number, unsigned word) const {
        return core_->read_register(0x30000 + 32 * number + 4 * word);
    }
    CoreModel& core() { return *core_; }

    Tile tile() const override { return {1, 2}; }
    std::span<const std::byte> program() const override { return program_; }
    std::array<std::span<std::byte>, 4> memories() override { return {{{}, {}, {}, memory}}; }
    uint32_t claim_bank(uint32_t, uint64_t) override { return 0; }
    bool acquire(unsigned id, int change) override {
        int& value = locks[id];
        if (change < 0 ? value < -change : value != change) {
            return false;
        }
        value -= change < 0 ? -change : change;
        return true;
    }
    void release(unsigned id, int change) override { locks[id] += change; }
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
    static constexpr uint32_t kPc = 0x31100;
    static constexpr uint32_t kSp = 0x31120;
    static constexpr uint32_t kLr = 0x31130;

    void record() {
        const uint32_t pc = core_->read_register(kPc);
        if (pc >= program_.size() || !recorded_.insert(pc).second) {
            return;
        }
        const auto* from = reinterpret_cast<const uint8_t*>(program_.data());
        const auto bundle = isa::decode(std::span(from, program_.size()).subspan(pc));
        const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
        if (bundle && test) {
            for (const isa::Instruction& instruction : bundle->instructions()) {
                executed()[test->test_suite_name()].insert(instruction.op);
            }
        }
    }

    std::set<uint32_t> recorded_;
    std::vector<std::byte> program_ = std::vector<std::byte>(16 * 1024);
    std::unique_ptr<CoreModel> core_ = make_core({1, 2});
};

}  // namespace xdna::emu::test
