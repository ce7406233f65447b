// Locks, streams, cascade, processor bus and events: every instruction, by what the tile's
// surroundings see of it.
#include <bit>

#include "tests/unit/core/trial.hpp"

namespace xdna::emu::test {
namespace {

using State = CoreProgress::State;
using isa::RegisterFile;

constexpr isa::Register kR26{RegisterFile::kR, 26};
constexpr isa::Register kR28{RegisterFile::kR, 28};

TEST(Sync, EveryLockInstruction) {
    for (const char* name : {"acq", "acq.cond", "rel", "rel.cond"}) {
        for (const isa::Op op : operations_of(name)) {
            const bool acquires = name[0] == 'a';
            const bool conditional = std::string(name).size() > 3;
            for (const uint32_t condition : {1U, 0U}) {
                Trial trial(op);
                const unsigned id = 51;
                if (trial.is_register(0)) {
                    trial.set_scalar(0, id);
                } else {
                    trial.set_immediate(0, id);
                }
                trial.set_scalar(1, acquires ? static_cast<uint32_t>(-2) : 3);
                trial.set_scalar(kR26, condition);
                trial.machine.locks[id] = 5;
                trial.run();
                const bool acts = !conditional || condition != 0;
                EXPECT_EQ(trial.machine.locks[id], !acts ? 5 : acquires ? 3 : 8) << trial.text();
            }
        }
    }
    // Positive: exactly that much.
    Machine machine;
    machine.locks[48] = 3;
    machine.load("mova r0, #2\nacq #48, r0\ndone\n");
    EXPECT_EQ(machine.run().state, State::kStalled);
    machine.locks[48] = 2;
    machine.finish();
    EXPECT_EQ(machine.locks[48], 0);
}

// What each of the 18 stream writes sends, its tlast, and what it does where there is no room.
TEST(Sync, EveryStreamWrite) {
    int found = 0;
    for (size_t i = 0; i < isa::kOpCount; ++i) {
        const isa::Operation& row = isa::operations()[i];
        if (row.syntax.find(" ms,") == std::string_view::npos) {
            continue;
        }
        ++found;
        const bool blocks = row.mnemonic.find(".nb") == std::string_view::npos;
        const bool by_register = row.name.find("doTlast_reg") != std::string_view::npos;
        const bool always = row.mnemonic.find("tlast") != std::string_view::npos;
        const bool packet = row.name.find("_ph2ms") != std::string_view::npos;
        const bool control = row.name.find("_cph2ms") != std::string_view::npos;
        for (const uint32_t r28 : {0U, 1U}) {
            Trial trial(static_cast<isa::Op>(i));
            uint32_t expected = 0x12345678;
            trial.set_scalar(kR28, r28);
            if (packet || control) {
                // Source fields, low operand first: their places are in array.md 5 and formats.md.
                std::array<uint32_t, 4> value{};
                for (size_t k = 0; k < trial.count(); ++k) {
                    value[k] =
                        packet ? std::array{21U, 5U}[k] : std::array{0x1D204U, 2U, 1U, 9U}[k];
                    if (trial.is_register(k)) {
                        trial.set_scalar(k, value[k]);
                    } else {
                        trial.set_immediate(k, static_cast<int32_t>(value[k]));
                    }
                }
                const Tile tile = trial.machine.tile();
                expected = packet ? value[0] | value[1] << 12 | tile.row << 16 | tile.column << 21
                                  : value[0] | value[1] << 20 | value[2] << 22 | value[3] << 24;
                expected |= std::popcount(expected) % 2 ? 0 : 1U << 31;  // odd parity
            } else {
                trial.set_scalar(0, expected);
            }
            trial.run();
            ASSERT_EQ(trial.machine.output.size(), 1U) << trial.text();
            EXPECT_EQ(trial.machine.output[0], expected) << trial.text();
            EXPECT_EQ(trial.machine.tlasts[0], always || (by_register && r28)) << trial.text();

            trial.machine.room = false;
            trial.machine.load(trial.text() + "\nnop\nnop\nnop\nmov r9, srMS0\ndone\n", false);
            trial.machine.jump(0);
            const CoreProgress progress = trial.machine.run(trial.machine.cycles + 100);
            if (blocks) {
                EXPECT_EQ(progress.state, State::kStalled) << trial.text();
            } else {
                EXPECT_EQ(progress.state, State::kDone) << trial.text();
                EXPECT_EQ(trial.machine.r(9), 0U) << trial.text();
            }
        }
    }
    EXPECT_EQ(found, 18);
}

TEST(Sync, StreamReadsWaitOrReport) {
    for (const bool blocks : {true, false}) {
        Machine machine;
        machine.load(std::string(blocks ? "mov r0, SS\n" : "mov.nb r0, SS\n") +
                         "nop\nnop\nnop\nnop\nnop\nnop\nnop\nmov r1, srSS0\ndone\n",
                     false);
        machine.set_r(0, 7);
        EXPECT_EQ(machine.run().state, blocks ? State::kStalled : State::kDone);
        if (!blocks) {
            EXPECT_EQ(machine.r(0), 7U);
            EXPECT_EQ(machine.r(1), 0U);
        }
        machine.core().reset();
        machine.input = {99};
        machine.cycles = 0;
        machine.finish();
        EXPECT_EQ(machine.r(0), 99U);
        EXPECT_EQ(machine.r(1), 3U);  // a word, and it was the last
    }
}

TEST(Sync, CascadeCarries512Bits) {
    std::mt19937_64 random(1);
    for (size_t i = 0; i < isa::kOpCount; ++i) {
        const isa::Operation& row = isa::operations()[i];
        const bool reads = row.syntax.ends_with("SCD");
        if (!reads && row.syntax.find("MCD") == std::string_view::npos) {
            continue;
        }
        Trial trial(static_cast<isa::Op>(i));
        const Bytes data = random_bytes(random, 64);
        CascadeWord word;
        std::memcpy(word.data(), data.data(), 64);
        if (!reads) {
            trial.set(size_t{0}, data);
            trial.run();
            ASSERT_EQ(trial.machine.cascade_out.size(), 1U) << trial.text();
            EXPECT_EQ(trial.machine.cascade_out[0], word);
            continue;
        }
        trial.machine.load(trial.text() + "\ndone\n");
        EXPECT_EQ(trial.machine.run().state, State::kStalled) << trial.text();
        trial.machine.cascade_in = {word};
        trial.run();
        Bytes expected(trial.size(0));
        std::copy(data.begin(), data.end(),
                  expected.begin() + (row.mnemonic == "vmov.hi" ? 64 : 0));
        EXPECT_EQ(trial.get(0), expected) << trial.text();
    }
}

TEST(Sync, ProcessorBusReachesTheTilesRegisters) {
    Machine machine;
    machine.registers[0x1D204] = 41;
    machine.load(
        "movxm p0, #0x9D204\nmovxm p1, #0x9D208\nlda.tm r0, [p0]\nadd r1, r0, #1\nst.tm r1, "
        "[p1]\ndone\n");
    machine.finish();
    EXPECT_EQ(machine.registers[0x1D208], 42U);
}

TEST(Sync, EventsHaveTheirNumbers) {
    Machine machine;
    machine.load("event #0\nevent #3\ndone\n");
    machine.finish();
    EXPECT_EQ(machine.events, (std::vector<unsigned>{124, 127}));
}

}  // namespace
}  // namespace xdna::emu::test
