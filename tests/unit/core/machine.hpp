// A core by itself: its program memory, its own data memory, and locks and streams that the test
// sets. Programs are assembly text.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "emu/core/core.hpp"
#include "kernels/as/assembler.hpp"
#include "tests/support/lone_tile.hpp"

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

class Machine final : public LoneTile {
  public:
    uint64_t cycles = 0;  ///< of all calls of run()

    void load(const std::vector<std::byte>& code) {
        std::copy(code.begin(), code.end(), program_memory.begin());
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
            std::byte* to = section.address < program_memory.size()
                                ? &program_memory[section.address]
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
        std::copy(code.begin(), code.end(), program_memory.begin() + kReturn);
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

  private:
    static constexpr uint32_t kPc = 0x31100;
    static constexpr uint32_t kSp = 0x31120;
    static constexpr uint32_t kLr = 0x31130;

    void record() {
        const uint32_t pc = core_->read_register(kPc);
        if (pc >= program_memory.size() || !recorded_.insert(pc).second) {
            return;
        }
        const auto* from = reinterpret_cast<const uint8_t*>(program_memory.data());
        const auto bundle = isa::decode(std::span(from, program_memory.size()).subspan(pc));
        const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
        if (bundle && test) {
            for (const isa::Instruction& instruction : bundle->instructions()) {
                executed()[test->test_suite_name()].insert(instruction.op);
            }
        }
    }

    std::set<uint32_t> recorded_;
    std::unique_ptr<CoreModel> core_ = make_core(tile());
};

}  // namespace xdna::emu::test
