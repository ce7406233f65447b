// The socket for cores, with cores that follow a script instead of a program.
#include <deque>
#include <functional>

#include "tests/unit/array/board.hpp"

namespace xdna::emu::test {
namespace {

using enum Direction;
using State = CoreProgress::State;

// Steps of a script: compute for so many cycles, or try something that may have to wait.
struct Step {
    uint64_t cycles = 0;                 // compute
    std::function<bool(CoreBus&)> sync;  // false: wait
    std::string waits_for;
};

class ScriptedCore : public CoreModel {
  public:
    explicit ScriptedCore(std::vector<Step> script) : script_(std::move(script)) {}

    void reset() override { at_ = 0, left_ = 0, ++resets; }
    void program_changed() override { ++program_changes; }

    CoreProgress run(CoreBus& bus, uint64_t now, uint64_t cycles) override {
        CoreProgress progress;
        while (progress.cycles < cycles) {
            if (at_ == script_.size()) {
                progress.state = State::kDone;
                return progress;
            }
            Step& step = script_[at_];
            if (step.sync) {
                if (progress.cycles != 0) {
                    return progress;  // only as the first of a call
                }
                if (!step.sync(bus)) {
                    progress.state = State::kStalled;
                    progress.waits_for = [text = step.waits_for] { return text; };
                    return progress;
                }
                when.push_back(now);
                ++at_;
                progress.cycles = 1;
                return progress;
            }
            if (left_ == 0) {
                left_ = step.cycles;
            }
            const uint64_t run = std::min(left_, cycles - progress.cycles);
            left_ -= run;
            progress.cycles += run;
            at_ += left_ == 0 ? 1 : 0;
        }
        return progress;
    }
    uint32_t read_register(uint32_t offset) const override { return offset + 1; }
    void write_register(uint32_t, uint32_t value) override { written = value; }

    std::vector<uint64_t> when;  // cycles of the synchronising steps
    unsigned resets = 0;
    unsigned program_changes = 0;
    uint32_t written = 0;

  private:
    std::vector<Step> script_;
    size_t at_ = 0;
    uint64_t left_ = 0;
};

Step compute(uint64_t cycles) {
    return {cycles, nullptr, {}};
}
Step sync(std::function<bool(CoreBus&)> what, std::string name = {}) {
    return {0, std::move(what), std::move(name)};
}
Step acquire(unsigned id, int change) {
    return sync([=](CoreBus& bus) { return bus.acquire(id, change); },
                "lock " + std::to_string(id));
}
Step release(unsigned id, int change) {
    return sync([=](CoreBus& bus) {
        bus.release(id, change);
        return true;
    });
}

class Cores : public Board {
  protected:
    void plug(std::map<unsigned, std::vector<Step>> scripts) {
        array.plug_cores([&](Tile tile) {
            auto core = std::make_unique<ScriptedCore>(scripts[tile.index()]);
            cores[tile.index()] = core.get();
            return core;
        });
    }
    void enable(Tile tile) { write(tile, 0x32000, 1); }
    ScriptedCore& core(Tile tile) { return *cores[tile.index()]; }
    std::map<unsigned, ScriptedCore*> cores;
};

constexpr unsigned kOwn = 48;
constexpr Tile kCore2{1, 2}, kCore3{1, 3};

// The loop of every kernel: the DMA fills, the core doubles, the DMA drains.
TEST_F(Cores, HandShakesWithTheDmasThroughLocks) {
    constexpr unsigned kBlocks = 5, kWords = 32;
    std::vector<Step> script;
    for (unsigned i = 0; i < kBlocks; ++i) {
        script.push_back(acquire(kOwn + 1, -1));
        script.push_back(sync([](CoreBus& bus) {
            auto own = bus.memories()[3];
            for (unsigned w = 0; w < kWords; ++w) {
                uint32_t word = 0;
                std::memcpy(&word, &own[w * 4], 4);
                word *= 2;
                std::memcpy(&own[0x1000 + w * 4], &word, 4);
            }
            return true;
        }));
        script.push_back(compute(100));
        script.push_back(release(kOwn + 0, 1));
        script.push_back(release(kOwn + 2, 1));
        script.push_back(acquire(kOwn + 3, -1));
    }
    plug({{kCore2.index(), script}});
    set_lock(kCore2, 0, 1);
    poke(kMemTile, 0, noise(kBlocks * kWords));
    connect(kMemTile, mem::kDma, mem::kNorthMaster);
    connect(kCore2, core::kSouth, core::kDma);
    connect(kCore2, core::kDma, core::kSouth);
    connect(kMemTile, mem::kNorthSlave, mem::kDma);
    bd(kMemTile, 0, {.base = 0, .length = kBlocks * kWords});
    bd(kMemTile, 1, {.base = 0x1000, .length = kBlocks * kWords});
    Bd in{.base = 0, .length = kWords, .next = 0};
    in.acquire_lock = 0;
    in.acquire = -1;
    in.release_lock = 1;
    in.release = 1;
    bd(kCore2, 0, in);
    Bd out{.base = 0x400, .length = kWords, .next = 1};
    out.acquire_lock = 2;
    out.acquire = -1;
    out.release_lock = 3;
    out.release = 1;
    bd(kCore2, 1, out);
    start(kMemTile, kS2mm, 0, 1);
    start(kMemTile, kMm2s, 0, 0);
    start(kCore2, kS2mm, 0, 0);
    start(kCore2, kMm2s, 0, 1);
    enable(kCore2);
    settle();
    const auto in_words = noise(kBlocks * kWords);
    const auto out_words = peek(kMemTile, 0x1000, kBlocks * kWords);
    for (size_t i = 0; i < in_words.size(); ++i) {
        ASSERT_EQ(out_words[i], in_words[i] * 2) << i;
    }
    EXPECT_NE(read(kCore2, 0x32004) & 1 << 20, 0U) << "Core_Done";
    // Each block was computed on for 100 cycles, between its locks.
    for (unsigned i = 0; i < kBlocks; ++i) {
        EXPECT_GE(core(kCore2).when[5 * i + 2], core(kCore2).when[5 * i] + 101);
    }
}

// A lock that one core releases in cycle t can be taken from t + 1 on, however far ahead the cores
// may run in between.
TEST_F(Cores, LocksBetweenNeighboursKeepTheirOrderInTime) {
    plug({{kCore2.index(), {compute(777), release(32 + 5, 1), compute(50'000)}},  // north's lock 5
          {kCore3.index(), {acquire(kOwn + 5, -1), compute(10)}}});
    enable(kCore2);
    enable(kCore3);
    const uint64_t begin = array.cycle();
    settle();
    ASSERT_EQ(core(kCore2).when.size(), 1U);
    ASSERT_EQ(core(kCore3).when.size(), 1U);
    EXPECT_EQ(core(kCore2).when[0] - begin, 777U);
    EXPECT_EQ(core(kCore3).when[0] - begin, 778U);
}

TEST_F(Cores, MemoriesAreSouthWestNorthOwn) {
    const Tile middle{2, 3};
    bool checked = false;
    plug({{middle.index(), {sync([&](CoreBus& bus) {
               const auto views = bus.memories();
               for (unsigned v = 0; v < 4; ++v) {
                   EXPECT_EQ(views[v].size(), 65536U);
                   views[v][4 * v] = std::byte{static_cast<uint8_t>(v + 1)};
               }
               EXPECT_EQ(bus.program().size(), 16384U);
               EXPECT_EQ(bus.tile(), middle);
               checked = true;
               return true;
           })}}});
    enable(middle);
    settle();
    EXPECT_TRUE(checked);
    EXPECT_EQ(read({2, 2}, 0), 1U);
    EXPECT_EQ(read({1, 3}, 4), 2U);
    EXPECT_EQ(read({2, 4}, 8), 3U);
    EXPECT_EQ(read(middle, 12), 4U);
}

TEST_F(Cores, EdgesHaveNoNeighbours) {
    const Tile corner{0, 2};
    plug({{corner.index(),
           {sync([](CoreBus& bus) {
                EXPECT_TRUE(bus.memories()[0].empty()) << "a memory tile is no neighbour's memory";
                EXPECT_TRUE(bus.memories()[1].empty());
                EXPECT_FALSE(bus.memories()[2].empty());
                return true;
            }),
            acquire(3, -1)}}});
    enable(corner);
    EXPECT_EQ(array.run(100).stop, Stop::kFault);
    const auto faults = array.take_faults();
    ASSERT_EQ(faults.size(), 1U);
    EXPECT_EQ(faults[0].tile, corner);
    EXPECT_NE(faults[0].what.find("lock 3 is not there"), std::string::npos) << faults[0].what;
}

TEST_F(Cores, StreamsRunFromCoreToCore) {
    std::vector<Step> sender, receiver;
    std::vector<uint32_t> got;
    bool last = false;
    for (uint32_t i = 0; i < 20; ++i) {
        sender.push_back(sync([=](CoreBus& bus) { return bus.stream_write(i * i, i == 19); }));
        receiver.push_back(sync([&](CoreBus& bus) {
            uint32_t word = 0;
            if (!bus.stream_read(word, last)) {
                return false;
            }
            got.push_back(word);
            return true;
        }));
    }
    plug({{kCore2.index(), sender}, {kCore3.index(), receiver}});
    connect(kCore2, core::kCore, core::kNorthMaster);
    connect(kCore3, core::kSouth, core::kCore);
    enable(kCore2);
    settle();
    EXPECT_EQ(core(kCore2).when.size(), 14U) << "ports hold 4 + 4 + 4 + 2 words, the rest waits";
    enable(kCore3);
    settle();
    ASSERT_EQ(got.size(), 20U);
    for (uint32_t i = 0; i < 20; ++i) {
        EXPECT_EQ(got[i], i * i);
    }
    EXPECT_TRUE(last);
}

TEST_F(Cores, CascadeFollowsAccumulatorControl) {
    std::vector<CascadeWord> got;
    std::vector<Step> sender, receiver;
    for (uint32_t i = 0; i < 6; ++i) {
        sender.push_back(sync([=](CoreBus& bus) {
            CascadeWord value{};
            value[0] = i;
            value[15] = ~i;
            return bus.cascade_write(value);
        }));
        receiver.push_back(sync(
            [&](CoreBus& bus) {
                CascadeWord value{};
                if (!bus.cascade_read(value)) {
                    return false;
                }
                got.push_back(value);
                return true;
            },
            "cascade"));
    }
    plug({{kCore3.index(), sender}, {kCore2.index(), receiver}});
    write(kCore3, 0x36060, 0);  // out to the south
    write(kCore2, 0x36060, 1);  // in from the west: not the same link
    enable(kCore3);
    enable(kCore2);
    settle();
    EXPECT_TRUE(got.empty());
    EXPECT_NE(report().find("(1,2) core waits: cascade"), std::string::npos) << report();
    write(kCore2, 0x36060, 0);  // in from the north
    settle();
    ASSERT_EQ(got.size(), 6U);
    for (uint32_t i = 0; i < 6; ++i) {
        EXPECT_EQ(got[i][0], i);
        EXPECT_EQ(got[i][15], ~i);
    }
}

TEST_F(Cores, BanksServeOneAccessACycle) {
    plug({{kCore2.index(), {sync([](CoreBus& bus) {
               EXPECT_EQ(bus.claim_bank(0x70000, 10), 0U);
               EXPECT_EQ(bus.claim_bank(0x70010, 10), 0U) << "the other physical bank";
               EXPECT_EQ(bus.claim_bank(0x74000, 10), 0U) << "the next logical bank";
               EXPECT_EQ(bus.claim_bank(0x70020, 10), 1U) << "bank 0 again";
               EXPECT_EQ(bus.claim_bank(0x70000, 20), 0U);
               return true;
           })}}});
    enable(kCore2);
    settle();
}

TEST_F(Cores, ControlResetsEnablesAndFinishes) {
    plug({{kCore2.index(), {compute(100)}}});
    EXPECT_EQ(read(kCore2, 0x32000), 2U);
    write(kCore2, 0x32000, 3);  // what a PDI leaves: enabled, and still in reset
    EXPECT_EQ(array.run(1000).stop, Stop::kQuiescent);
    EXPECT_EQ(read(kCore2, 0x32004) & 1 << 20, 0U) << "in reset nothing runs";
    const unsigned resets = core(kCore2).resets;
    ASSERT_FALSE(array.mask_write(at(kCore2, 0x32000), 0, 2));  // what firmware does at launch
    const RunResult result = array.poll(at(kCore2, 0x32004), 1 << 20, 1 << 20, 1000);
    EXPECT_EQ(result.stop, Stop::kMatched);
    EXPECT_GE(result.cycles, 100U);
    EXPECT_LE(result.cycles, 101U);
    ASSERT_FALSE(array.mask_write(at(kCore2, 0x32000), 2, 2));
    EXPECT_EQ(core(kCore2).resets, resets + 1);
    write(kCore2, 0x20000, 5);
    EXPECT_EQ(core(kCore2).program_changes, 1U);
    EXPECT_EQ(read(kCore2, 0x31100), 0x31101U) << "Core_PC is the model's";
    write(kCore2, 0x30C00, 42);
    EXPECT_EQ(core(kCore2).written, 42U);
}

TEST_F(Cores, CyclesAreCountedAsExecutedOrStalledUntilDoneOrDisabled) {
    plug({{kCore2.index(), {compute(50), acquire(kOwn, -1), compute(20)}},
          {kCore3.index(), {acquire(kOwn, -1)}}});
    enable(kCore2);
    enable(kCore3);
    array.run(200);
    const Activity waiting = array.activity(1, 1);
    set_lock(kCore2, 0, 1);
    write(kCore3, 0x32000, 0);
    array.run(500);
    const Activity all = array.activity(1, 1);
    const auto lock = static_cast<size_t>(Stall::kLock);
    ASSERT_EQ(all.cores.size(), 4U);
    EXPECT_EQ(waiting.cores[0].cycles, 200U);
    EXPECT_EQ(waiting.cores[0].stalls[lock], 150U);
    EXPECT_EQ(all.cores[0].cycles, 221U) << "50, 150 for the lock, 1 to take it, 20";
    EXPECT_EQ(all.cores[0].stalls[lock], 150U);
    EXPECT_EQ(all.cores[1].cycles, 200U) << "disabled then";
    const Activity later = all.since(waiting);
    ASSERT_EQ(later.cores.size(), 1U) << "only who did something";
    EXPECT_EQ(later.cores[0].tile, kCore2);
    EXPECT_EQ(later.cores[0].cycles, 21U);
}

TEST_F(Cores, AnInfiniteCoreEndsWithTheBudget) {
    plug({{kCore2.index(), {compute(uint64_t{1} << 60)}}});
    enable(kCore2);
    const RunResult result = array.run_until_token(12'345);
    EXPECT_EQ(result.stop, Stop::kBudget);
    EXPECT_EQ(result.cycles, 12'345U);
}

}  // namespace
}  // namespace xdna::emu::test
