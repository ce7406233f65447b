// transpose: a row-major matrix of 32-bit words, by DMA strides alone. The shim reads it tile by
// tile, the memory tile sends each tile's columns as rows, the shim writes those below each other.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/passthrough/kernels.hpp"
#include "kernels/passthrough/pipe.hpp"

namespace xdna::kernels {
namespace {

using flow::Bd;
using flow::Design;
using flow::Direction;
using flow::Sequence;
using flow::Tile;

constexpr Tile kShim{0, 0};
constexpr Tile kMemory{0, 1};
constexpr int kFreeLock = 0;
constexpr int kFullLock = 1;

// Shim steps are 20-bit fields, wraps 10-bit; a tile and its double fit the memory tile.
constexpr uint64_t kMaxSide = 1 << 20;
constexpr uint64_t kMaxWrap = 1023;
constexpr uint64_t kTileWords = 32768;
constexpr uint64_t kTileColumns = 128;
// Tiles of one task: pairs, and a task repeats at most 256 times.
constexpr uint64_t kMaxRun = 512;

// Tiles of one size, side by side in one band of rows.
struct Run {
    uint64_t row, column;  // of the first tile's first word
    uint64_t tile_rows, tile_columns;
    uint64_t count;
};

class Transpose final : public Kernel {
  public:
    std::string_view name() const override { return "transpose"; }
    std::string_view summary() const override { return "transposes a matrix by DMA strides"; }
    std::vector<std::string_view> takes() const override { return {"rows", "columns"}; }
    std::string_view shape_note() const override { return "of 32-bit words"; }

    Design design() const override {
        Design design(1);
        design.stream({kShim, Direction::kMm2s, 0}, {{kMemory, Direction::kS2mm, 0}});
        design.stream({kMemory, Direction::kMm2s, 0}, {{kShim, Direction::kS2mm, 0}});
        design.lock(kMemory, kFreeLock, 2);
        return design;
    }

    Command command(const Shape& shape) const override {
        for (const auto& [what, side] :
             {std::pair{"rows", shape.rows}, {"columns", shape.columns}}) {
            if (side == 0 || side > kMaxSide) {
                throw std::invalid_argument(std::string(what) + ": " + std::to_string(side) +
                                            " is not in 1 to " + std::to_string(kMaxSide));
            }
        }
        const uint64_t bytes = shape.rows * shape.columns * 4;
        checked_words(bytes);

        Sequence sequence(1);
        const uint64_t tile_columns = std::min(shape.columns, kTileColumns);
        const uint64_t tile_rows = std::min(kMaxWrap, kTileWords / tile_columns);
        for (uint64_t row = 0; row < shape.rows; row += tile_rows) {
            const uint64_t rows = std::min(tile_rows, shape.rows - row);
            const uint64_t whole = shape.columns / tile_columns;
            for (uint64_t tile = 0; tile < whole; tile += kMaxRun) {
                add(sequence, shape,
                    {row, tile * tile_columns, rows, tile_columns,
                     std::min(kMaxRun, whole - tile)});
            }
            if (const uint64_t rest = shape.columns % tile_columns) {
                add(sequence, shape, {row, whole * tile_columns, rows, rest, 1});
            }
        }
        return {sequence.code(), {{"in", bytes, false}, {"out", bytes, true}}};
    }

    std::vector<std::vector<uint8_t>> reference(
        const Shape& shape, std::span<const std::vector<uint8_t>> inputs) const override {
        std::vector<uint8_t> out(inputs[0].size());
        for (uint64_t row = 0; row < shape.rows; ++row) {
            for (uint64_t column = 0; column < shape.columns; ++column) {
                std::copy_n(&inputs[0][(row * shape.columns + column) * 4], 4,
                            &out[(column * shape.rows + row) * 4]);
            }
        }
        return {out};
    }

  private:
    // Each run ends before the next begins: its tiles may have filled an odd number of buffers,
    // and the next run starts at the first one again.
    static void add(Sequence& sequence, const Shape& shape, const Run& run) {
        const uint64_t tile = run.tile_rows * run.tile_columns;
        const auto size = [](uint64_t n) { return static_cast<uint32_t>(n); };

        Bd read;
        read.address = (run.row * shape.columns + run.column) * 4;
        read.words = size(tile * run.count);
        read.dimensions = {{.step = 1, .size = size(run.tile_columns)},
                           {.step = size(shape.columns), .size = size(run.tile_rows)},
                           {.step = size(run.tile_columns)}};
        sequence.bd(0, 0, read, 0);

        // Output rows of one tile follow those of the tile before it: one stride for all.
        Bd write;
        write.address = (run.column * shape.rows + run.row) * 4;
        write.words = read.words;
        write.dimensions = {{.step = 1, .size = size(run.tile_rows)}, {.step = size(shape.rows)}};
        sequence.bd(0, 1, write, 1);
        sequence.start(kShim, Direction::kS2mm, 0, 1, 1, true);

        for (int buffer = 0; buffer < 2; ++buffer) {
            Bd fill;
            fill.address = static_cast<uint64_t>(buffer) * kTileWords * 4;
            fill.words = size(tile);
            fill.acquire = {kFreeLock, 1};
            fill.release = {kFullLock, 1};
            Bd drain = fill;
            drain.acquire = {kFullLock, 1};
            drain.release = {kFreeLock, 1};
            drain.dimensions = {{.step = size(run.tile_columns), .size = size(run.tile_rows)},
                                {.step = 1, .size = size(run.tile_columns)}};
            // BDs 0, 1 and 2, 3: pairs of tiles. 4 and 5: the odd one, in the first buffer.
            if (buffer == 0) {
                sequence.bd(kMemory, 4, fill);
                sequence.bd(kMemory, 5, drain);
                fill.next = 1;
                drain.next = 3;
            }
            sequence.bd(kMemory, buffer, fill);
            sequence.bd(kMemory, 2 + buffer, drain);
        }
        if (const int pairs = static_cast<int>(run.count / 2)) {
            sequence.start(kMemory, Direction::kS2mm, 0, 0, pairs);
            sequence.start(kMemory, Direction::kMm2s, 0, 2, pairs);
        }
        if (run.count % 2) {
            sequence.start(kMemory, Direction::kS2mm, 0, 4);
            sequence.start(kMemory, Direction::kMm2s, 0, 5);
        }
        sequence.start(kShim, Direction::kMm2s, 0, 0);
        sequence.wait(kShim, Direction::kS2mm, 0);
    }
};

}  // namespace

const Kernel& transpose() {
    static const Transpose kernel;
    return kernel;
}

}  // namespace xdna::kernels
