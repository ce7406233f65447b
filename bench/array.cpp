// How fast the array moves data: host memory through shim and memory tile and back, both ways at
// once, in ping-pong buffers as an object FIFO makes them. Bytes a second of wall-clock time; the
// counter `cycles/word` is the modelled speed. Argument: words in a buffer.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "emu/array/array.hpp"

namespace {

using namespace xdna::emu;

constexpr uint32_t kWords = 1 << 22;  // 16 MiB
constexpr uint64_t kIn = 0x1000'0000;
constexpr uint64_t kOut = 0x2000'0000;
constexpr uint64_t kDdr = 0x8000'0000;

class TwoBuffers : public HostMemory {
  public:
    TwoBuffers() : in_(kWords), out_(kWords) {}

    bool read(uint64_t address, void* to, size_t size) override {
        const std::byte* at = span(address, size);
        return at != nullptr && std::memcpy(to, at, size) != nullptr;
    }
    bool write(uint64_t address, const void* from, size_t size) override {
        std::byte* at = span(address, size);
        return at != nullptr && std::memcpy(at, from, size) != nullptr;
    }
    std::byte* span(uint64_t address, size_t size) override {
        std::vector<uint32_t>& words = address < kOut ? in_ : out_;
        const uint64_t offset = address - (address < kOut ? kIn : kOut);
        return offset + size <= words.size() * 4
                   ? reinterpret_cast<std::byte*>(words.data()) + offset
                   : nullptr;
    }

  private:
    std::vector<uint32_t> in_, out_;
};

class Board {
  public:
    explicit Board(uint32_t buffer) {
        array.reset_partition(0, 5);
        array.attach_host_memory(0, 5, &memory_);
        write(0, 0x1F000, 1 << 10);  // shim MM2S 0 to South 3
        write(0, 0x1F004, 1 << 4);   // South 2 to shim S2MM 0
        connect(0, 0x3F000, 5, 12);  // South 3 to North 0
        connect(1, 0xB0000, 7, 0);   // South 0 to DMA 0
        connect(1, 0xB0000, 0, 7);   // DMA 0 to South 0
        connect(0, 0x3F000, 14, 4);  // North 0 to South 2
        connect(0, 0x3F000, 0, 2);   // Tile_Ctrl to South 0: tokens
        write(1, 0xC0000, 2);        // lock 0: two free buffers
        for (uint32_t i = 0; i < 2; ++i) {
            fifo_bd(i, i * buffer, buffer, 1 - i, 64, 65);      // wait for free, fill
            fifo_bd(2 + i, i * buffer, buffer, 3 - i, 65, 64);  // wait for full, drain
        }
        write(1, 0xA0604, 0);
        write(1, 0xA0634, 2);
        shim_bd(0, kIn);
        shim_bd(1, kOut);
    }

    // The time that one pass takes, cycles.
    uint64_t pass() {
        write(0, 0x1D204, 1U << 31 | 1);
        write(0, 0x1D214, 0);
        const RunResult result = array.run_until_token(uint64_t{kWords} * 4);
        array.take_token();
        return result.stop == Stop::kToken ? result.cycles : 0;
    }

    Array array;

  private:
    void write(uint32_t row, uint32_t offset, uint32_t value) {
        if (const auto fault = array.write({1, row, offset}, value)) {
            std::fprintf(stderr, "%s\n", fault->what.c_str());
            std::abort();
        }
    }
    void connect(uint32_t row, uint32_t base, uint32_t slave, uint32_t master) {
        write(row, base + 0x100 + 4 * slave, 1U << 31);
        write(row, base + 4 * master, 1U << 31 | slave);
    }
    void fifo_bd(uint32_t id, uint32_t word, uint32_t length, uint32_t next, uint32_t acquire,
                 uint32_t release) {
        const uint32_t at = 0xA0000 + 0x20 * id;
        write(1, at, length);
        write(1, at + 4, next << 20 | 1 << 19 | (0x20000 + word));
        write(1, at + 28, 1U << 31 | 1 << 24 | release << 16 | 1 << 15 | 0x7F << 8 | acquire);
    }
    void shim_bd(uint32_t id, uint64_t address) {
        const uint32_t at = 0x1D000 + 0x20 * id;
        write(0, at, kWords);
        write(0, at + 4, static_cast<uint32_t>(address + kDdr));
        write(0, at + 8, static_cast<uint32_t>((address + kDdr) >> 32));
        write(0, at + 28, 1 << 25);
    }

    TwoBuffers memory_;
};

void passthrough(benchmark::State& state) {
    Board board(static_cast<uint32_t>(state.range(0)));
    uint64_t cycles = 0;
    while (state.KeepRunning()) {
        cycles = board.pass();
        if (cycles == 0) {
            state.SkipWithError("no token");
            return;
        }
    }
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) * kWords * 4);
    state.counters["cycles/word"] = static_cast<double>(cycles) / kWords;
}
BENCHMARK(passthrough)->Arg(64)->Arg(256)->Arg(1024)->Arg(16384)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
