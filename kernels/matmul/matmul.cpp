#include "kernels/matmul/matmul.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "kernels/flow/sequence.hpp"
#include "kernels/matmul/bf16_sum.hpp"
#include "kernels/matmul/requantise.hpp"

namespace xdna::kernels {
namespace {

using flow::Bd;
using flow::Buffers;
using flow::Design;
using flow::Dimension;
using flow::Direction;
using flow::Endpoint;
using flow::Sequence;
using flow::Tile;

namespace int8_program {
#include "kernels/matmul/int8.inc"
}
namespace bf16_program {
#include "kernels/matmul/bf16.inc"
}
namespace int4_program {
#include "kernels/matmul/int4.inc"
}
namespace int4_q_program {
#include "kernels/matmul/int4_q.inc"
}
namespace int8_q_program {
#include "kernels/matmul/int8_q.inc"
}

constexpr Direction kIn = Direction::kS2mm;
constexpr Direction kOut = Direction::kMm2s;

// What goes between a memory tile and a core: one operand's objects.
struct Object {
    uint32_t rows;                       // of the operand's matrix
    uint32_t row_words;                  // 32-bit words of a row
    uint32_t parts;                      // one after the other in the core's buffers
    std::vector<uint32_t> core_buffers;  // addresses, as the core has them
    int free_lock;
    int full_lock;
    std::vector<Dimension> order;  // in which the memory tile reads, or gives back, a row-major one
};

// A program and what it works on.
struct Variant {
    std::string_view summary;
    std::span<const uint8_t> code;
    Type a_type, b_type, c_type;
    bool requantised;
    uint32_t m, n, k;          // of a core's tile, and of a step of it
    uint32_t numbers_address;  // of what a command writes: objects of a tile, then its own
    Object a, b, c;
};

// Buffers in memory tiles.
constexpr uint32_t kInputBuffers = 4;
constexpr uint32_t kOutputBuffers = 4;

// Channels: A and B enter and leave a memory tile by 0 and 1. Results of the core in row r enter by
// 2 + r, and leave by 2 for the lower half of the rows, by 3 for the upper.
constexpr int kA = 0;
constexpr int kB = 1;
constexpr int kC = 2;

// Shim limits: a wrap is a 10-bit field, a step has 20 bits; tasks repeat at most 256 times; all
// channels share 16 BDs.
constexpr uint64_t kMaxWrap = 1023;
constexpr uint64_t kMaxStep = 1 << 20;
constexpr uint64_t kMaxRepeats = 256;
constexpr uint64_t kShimBds = 16;
constexpr uint64_t kRoundsInFlight = 2;

// Larger ones would overflow no field; they would not fit in memory.
constexpr uint64_t kMaxSide = 1 << 16;

Tile shim(int column) {
    return {column, 0};
}
Tile memory(int column) {
    return {column, 1};
}
Tile core(int column, int row) {
    return {column, 2 + row};
}

Buffers core_buffers(const Object& object) {
    Buffers buffers{
        {}, object.rows * object.row_words / object.parts, object.free_lock, object.full_lock};
    for (const uint32_t address : object.core_buffers) {
        buffers.addresses.push_back(address - flow::kCoreOwnMemory);
    }
    return buffers;
}

// Buffers of a memory tile from `at` on, which moves behind them; locks likewise.
Buffers take_buffers(const Object& object, uint32_t count, uint32_t& at, int& lock) {
    Buffers buffers{{}, object.rows * object.row_words, lock, lock + 1};
    for (uint32_t i = 0; i < count; ++i) {
        buffers.addresses.push_back(at);
        at += 4 * buffers.words;
    }
    lock += 2;
    return buffers;
}

uint64_t divide_up(uint64_t value, uint64_t by) {
    return (value + by - 1) / by;
}

uint64_t round_up(uint64_t value, uint64_t to) {
    return divide_up(value, to) * to;
}

// Blocks of C that one task of each shim channel covers: column after column, each downwards.
struct Round {
    uint64_t row;  // first block row
    uint64_t rows;
    uint64_t column;  // first block column
    uint64_t columns;
};

std::vector<uint32_t> int8_reference(const Shape& shape, const std::vector<uint8_t>& a_bytes,
                                     const std::vector<uint8_t>& b_bytes) {
    const auto* a = reinterpret_cast<const int8_t*>(a_bytes.data());
    const auto* b = reinterpret_cast<const int8_t*>(b_bytes.data());
    // A product of 64 bits is two of 32, of b's columns j and j + 1: x y + 2^32 x z. What the lower
    // sum borrowed from the upper one is given back at the end, where its sign says so: kMaxSide
    // products do not reach it.
    constexpr uint64_t kLanes = 4;
    const uint64_t groups = (shape.n + 2 * kLanes - 1) / (2 * kLanes);
    std::vector<std::array<uint64_t, kLanes>> pairs(groups * shape.k);
    for (uint64_t t = 0; t < shape.k; ++t) {
        for (uint64_t j = 0; j < shape.n; ++j) {
            const auto value = static_cast<uint64_t>(int64_t{b[t * shape.n + j]});
            pairs[j / (2 * kLanes) * shape.k + t][j / 2 % kLanes] += value << (j % 2 * 32);
        }
    }
    std::vector<uint32_t> sums(shape.m * shape.n);
    for (uint64_t i = 0; i < shape.m; ++i) {
        for (uint64_t group = 0; group < groups; ++group) {
            std::array<uint64_t, kLanes> both{};
            for (uint64_t t = 0; t < shape.k; ++t) {
                const auto x = static_cast<uint64_t>(int64_t{a[i * shape.k + t]});
                for (uint64_t lane = 0; lane < kLanes; ++lane) {
                    both[lane] += x * pairs[group * shape.k + t][lane];
                }
            }
            const uint64_t first = group * 2 * kLanes;
            for (uint64_t j = first; j < std::min(first + 2 * kLanes, shape.n); ++j) {
                const uint64_t sum = both[(j - first) / 2];
                const auto lower = static_cast<uint32_t>(sum);
                sums[i * shape.n + j] =
                    j % 2 == 0 ? lower : static_cast<uint32_t>(sum >> 32) + (lower >> 31);
            }
        }
    }
    return sums;
}

// Sums of eight products after the other, along k, as the core makes them.
std::vector<uint8_t> bf16_reference(const Shape& shape, const std::vector<uint8_t>& a_bytes,
                                    const std::vector<uint8_t>& b_bytes) {
    constexpr uint64_t kStep = 8;
    const uint64_t k = round_up(shape.k, kStep);
    std::vector<uint16_t> a(shape.m * k);
    std::vector<uint16_t> b(k * shape.n);
    for (uint64_t i = 0; i < shape.m; ++i) {
        std::memcpy(&a[i * k], &a_bytes[2 * i * shape.k], 2 * shape.k);
    }
    std::memcpy(b.data(), b_bytes.data(), b_bytes.size());
    std::vector<uint8_t> out(4 * shape.m * shape.n);
    for (uint64_t i = 0; i < shape.m; ++i) {
        for (uint64_t j = 0; j < shape.n; ++j) {
            uint32_t sum = 0;
            for (uint64_t t = 0; t < k; t += kStep) {
                sum = add_bf16_products(sum, &a[i * k + t], &b[t * shape.n + j], shape.n);
            }
            std::memcpy(&out[4 * (i * shape.n + j)], &sum, sizeof sum);
        }
    }
    return out;
}

class Matmul final : public Kernel {
  public:
    /// On side x side cores. Core (column c, row r) computes block (r, c).
    Matmul(std::string_view name, Variant variant, int side)
        : name_(name), variant_(std::move(variant)), side_(side) {}

    std::string_view name() const override { return name_; }
    std::string_view summary() const override { return variant_.summary; }
    std::vector<std::string_view> takes() const override {
        std::vector<std::string_view> members{"m", "n", "k"};
        if (variant_.requantised) {
            members.emplace_back("scale");
        }
        return members;
    }
    Shape example() const override {
        return {.m = 1024, .n = 1024, .k = 1024, .scale = variant_.requantised ? 1.0 / 4096 : 0};
    }
    void adopt(Shape& shape, std::string_view name,
               const std::vector<uint64_t>& sizes) const override {
        if (sizes.size() != 2) {
            throw std::invalid_argument("has " + std::to_string(sizes.size()) +
                                        " dimensions; a matrix has 2");
        }
        const auto take = [](uint64_t& member, const char* what, uint64_t size) {
            if (member != 0 && member != size) {
                throw std::invalid_argument("says that " + std::string(what) + " is " +
                                            std::to_string(size) + ", elsewhere it is " +
                                            std::to_string(member));
            }
            member = size;
        };
        take(name == "a" ? shape.m : shape.k, name == "a" ? "m" : "k", sizes[0]);
        take(name == "a" ? shape.k : shape.n, name == "a" ? "k" : "n", sizes[1]);
    }

    Design design() const override {
        Design design(side_);
        // Results first: they go down, where a tile has only four lanes.
        for (int column = 0; column < side_; ++column) {
            uint32_t at = 0;
            int lock = 0;
            const Buffers a = take_buffers(variant_.a, kInputBuffers, at, lock);
            const Buffers b = take_buffers(variant_.b, kInputBuffers, at, lock);
            std::vector<Buffers> c;
            for (int row = 0; row < side_; ++row) {
                c.push_back(take_buffers(variant_.c, kOutputBuffers, at, lock));
                const Endpoint in{memory(column), kIn, kC + row};
                design.loop(in, {c.back()});
                design.loop({core(column, row), kOut, 0}, {core_buffers(variant_.c)});
                design.stream({core(column, row), kOut, 0}, {in});
            }
            for (int half = 0; half < halves(); ++half) {
                const auto first = c.begin() + half * rows_of_half();
                design.loop({memory(column), kOut, kC + half}, {first, first + rows_of_half()},
                            variant_.c.order, variant_.m / variant_.c.rows);
                design.stream({memory(column), kOut, kC + half}, {{shim(column), kIn, half}});
            }
            for (const auto& [channel, buffers, object] :
                 {std::tuple{kA, a, &variant_.a}, {kB, b, &variant_.b}}) {
                design.stream({shim(column), kOut, channel}, {{memory(column), kIn, channel}});
                design.loop({memory(column), kIn, channel}, {buffers});
                design.loop({memory(column), kOut, channel}, {buffers}, object->order);
            }
        }
        for (int i = 0; i < side_; ++i) {
            // A's i-th rows go to all cores of row i, B's i-th columns to all cores of column i.
            std::vector<Endpoint> a;
            std::vector<Endpoint> b;
            for (int j = 0; j < side_; ++j) {
                a.push_back({core(j, i), kIn, kA});
                b.push_back({core(i, j), kIn, kB});
                design.core(core(i, j), variant_.code);
                design.loop({core(i, j), kIn, kA}, {core_buffers(variant_.a)});
                design.loop({core(i, j), kIn, kB}, {core_buffers(variant_.b)});
            }
            design.stream({memory(i), kOut, kA}, a);
            design.stream({memory(i), kOut, kB}, b);
        }
        return design;
    }

    Command command(const Shape& shape) const override {
        const auto arguments = arguments_of(shape);
        const uint64_t rows = arguments[2].tensor.padded[0] / block(variant_.m);
        const uint64_t columns = arguments[2].tensor.padded[1] / block(variant_.n);
        const uint64_t k = arguments[0].tensor.padded[1];

        std::vector<uint32_t> numbers = {static_cast<uint32_t>(k / variant_.k)};
        if (variant_.requantised) {
            const auto by = Requantise::by(shape.scale);
            numbers.insert(numbers.end(),
                           {by.first, static_cast<uint32_t>(by.multiplier), by.second});
        }
        const std::vector<Round> rounds = plan(rows, columns, arguments);
        Sequence sequence(side_);
        for (size_t i = 0; i < rounds.size(); ++i) {
            if (i >= kRoundsInFlight) {
                finish(sequence);
            }
            const int first = static_cast<int>(i % kRoundsInFlight * kShimBds / kRoundsInFlight);
            std::vector<int> bd(static_cast<size_t>(side_), first);  // next of each column's
            for (int column = 0; column < side_; ++column) {
                read_a(sequence, column, bd[column], rounds[i], arguments[0].tensor);
                if (i == 0 && column == 0) {
                    // In the time until the controller may start another task.
                    send_numbers(sequence, numbers);
                }
            }
            for (int column = 0; column < side_; ++column) {
                read_b(sequence, column, bd[column], rounds[i], arguments[1].tensor);
            }
            for (int column = 0; column < side_; ++column) {
                write_c(sequence, column, bd[column], rounds[i], arguments[2].tensor);
            }
        }
        for (size_t i = 0; i < std::min<size_t>(rounds.size(), kRoundsInFlight); ++i) {
            finish(sequence);
        }
        return {sequence.code(), arguments};
    }

    std::vector<std::vector<uint8_t>> reference(
        const Shape& shape, std::span<const std::vector<uint8_t>> inputs) const override {
        if (variant_.a_type == Type::kBf16) {
            return {bf16_reference(shape, inputs[0], inputs[1])};
        }
        const std::vector<uint32_t> sums = int8_reference(shape, inputs[0], inputs[1]);
        if (!variant_.requantised) {
            const auto* bytes = reinterpret_cast<const uint8_t*>(sums.data());
            return {{bytes, bytes + 4 * sums.size()}};
        }
        const auto by = Requantise::by(shape.scale);
        std::vector<uint8_t> out(sums.size());
        std::transform(sums.begin(), sums.end(), out.begin(), [&](uint32_t sum) {
            return static_cast<uint8_t>(by(static_cast<int32_t>(sum)));
        });
        return {out};
    }

  private:
    /// What all cores together do of a core's `size`.
    uint64_t block(uint32_t size) const { return size * static_cast<uint64_t>(side_); }
    /// Both S2MM channels of a shim take results, each those of some rows.
    int halves() const { return side_ > 1 ? 2 : 1; }
    int rows_of_half() const { return side_ / halves(); }

    std::vector<Argument> arguments_of(const Shape& shape) const {
        for (const auto& [what, side] : {std::pair{"m", shape.m}, {"n", shape.n}, {"k", shape.k}}) {
            if (side == 0 || side > kMaxSide) {
                throw std::invalid_argument(std::string(what) + ": " + std::to_string(side) +
                                            " is not in 1 to " + std::to_string(kMaxSide));
            }
        }
        const uint64_t m = round_up(shape.m, block(variant_.m));
        const uint64_t n = round_up(shape.n, block(variant_.n));
        const uint64_t k = round_up(shape.k, variant_.k);
        std::vector<Argument> arguments = {
            {"a", 0, false, {variant_.a_type, {shape.m, shape.k}, {m, k}}},
            {"b", 0, false, {variant_.b_type, {shape.k, shape.n}, {k, n}}},
            {"c", 0, true, {variant_.c_type, {shape.m, shape.n}, {m, n}}}};
        for (Argument& argument : arguments) {
            argument.bytes = device_bytes(argument.tensor);
        }
        return arguments;
    }

    void send_numbers(Sequence& sequence, const std::vector<uint32_t>& numbers) const {
        for (int column = 0; column < side_; ++column) {
            for (int row = 0; row < side_; ++row) {
                sequence.data(core(column, row), variant_.numbers_address - flow::kCoreOwnMemory,
                              numbers);
            }
        }
    }

    // Whether one BD can go along all blocks of B that lie beside each other.
    static bool b_in_one(const Tensor& b) { return b.padded[0] <= kMaxWrap; }

    // BDs of a shim that a round takes: as read_a, read_b and write_c use them.
    uint64_t bds(uint64_t rows, uint64_t columns, const Tensor& b) const {
        const uint64_t of_b = columns == 1 || (rows == 1 && b_in_one(b)) ? 1 : rows * columns;
        return rows + of_b + static_cast<uint64_t>(halves()) * (rows == 1 ? 1 : columns);
    }

    // As few rounds as the BDs allow: starting a task takes as long as an object.
    std::vector<Round> plan(uint64_t rows, uint64_t columns,
                            const std::vector<Argument>& arguments) const {
        const Tensor& b = arguments[1].tensor;
        const Tensor& c = arguments[2].tensor;
        const uint64_t block_row_words = block(variant_.m) * device_bytes(c) / c.padded[0] / 4;
        const uint64_t most_rows = block_row_words <= kMaxStep ? std::min(rows, kShimBds) : 1;
        Round best{0, 1, 0, 1};
        uint64_t least = rows * columns + 1;
        for (uint64_t high = 1; high <= most_rows; ++high) {
            for (uint64_t wide = 1; wide <= std::min(columns, kMaxRepeats); ++wide) {
                const uint64_t count = divide_up(rows, high) * divide_up(columns, wide);
                const uint64_t room = count == 1 ? kShimBds : kShimBds / kRoundsInFlight;
                if (count < least && bds(high, wide, b) <= room) {
                    least = count;
                    best = {0, high, 0, wide};
                }
            }
        }
        std::vector<Round> rounds;
        for (uint64_t row = 0; row < rows; row += best.rows) {
            for (uint64_t column = 0; column < columns; column += best.columns) {
                rounds.push_back({row, std::min(best.rows, rows - row), column,
                                  std::min(best.columns, columns - column)});
            }
        }
        return rounds;
    }

    // Starts a task that runs the BDs one after the other, all of them `repeats` times; they are
    // put into the shim's from `id` on, which moves behind them.
    static void start_chain(Sequence& sequence, const Endpoint& channel, int argument,
                            std::vector<Bd> chain, uint64_t repeats, int& id) {
        const int first = id;
        for (size_t i = 0; i < chain.size(); ++i, ++id) {
            chain[i].next = i + 1 < chain.size() ? std::optional<int>(id + 1) : std::nullopt;
            sequence.bd(channel.tile.column, id, chain[i], argument);
        }
        sequence.start(channel.tile, channel.direction, channel.channel, first,
                       static_cast<int>(repeats), channel.direction == kIn);
    }

    // The core row that column `column` reads for, object by object along k, once for each block.
    void read_a(Sequence& sequence, int column, int& id, const Round& round,
                const Tensor& a) const {
        const uint64_t row_bytes = device_bytes(a) / a.padded[0];
        std::vector<Bd> chain;
        for (uint64_t i = 0; i < round.rows; ++i) {
            const uint64_t first =
                (round.row + i) * block(variant_.m) + variant_.m * static_cast<uint64_t>(column);
            Bd& bd = chain.emplace_back();
            bd.address = first * row_bytes;
            bd.words = static_cast<uint32_t>(variant_.m * row_bytes / 4);
            bd.dimensions = {{.step = 1, .size = variant_.a.row_words},
                             {.step = static_cast<uint32_t>(row_bytes / 4), .size = variant_.m},
                             {.step = variant_.a.row_words}};
        }
        start_chain(sequence, {shim(column), kOut, kA}, 0, chain, round.columns, id);
    }

    // The columns of each block that belong to the core column, all rows of B.
    void read_b(Sequence& sequence, int column, int& id, const Round& round,
                const Tensor& b) const {
        const auto step = static_cast<uint32_t>(device_bytes(b) / b.padded[0] / 4);
        const auto next_block = variant_.b.row_words * static_cast<uint32_t>(side_);
        const auto height = static_cast<uint32_t>(b.padded[0]);
        Bd bd;
        bd.address =
            4 * (round.column * next_block + variant_.b.row_words * static_cast<uint64_t>(column));
        bd.words = height * variant_.b.row_words;
        bd.dimensions = {{.step = 1, .size = variant_.b.row_words}, {.step = step}};
        std::vector<Bd> chain;
        uint64_t repeats = 1;
        if (round.columns == 1) {
            chain = {bd};
            repeats = round.rows;
        } else if (round.rows == 1 && b_in_one(b)) {
            bd.words *= static_cast<uint32_t>(round.columns);
            bd.dimensions[1].size = height;
            bd.dimensions.push_back({.step = next_block});
            chain = {bd};
        } else {
            for (uint64_t i = 0; i < round.columns; ++i) {
                chain.insert(chain.end(), round.rows, bd);
                bd.address += uint64_t{4} * next_block;
            }
        }
        start_chain(sequence, {shim(column), kOut, kB}, 1, chain, repeats, id);
    }

    void write_c(Sequence& sequence, int column, int& id, const Round& round,
                 const Tensor& c) const {
        const uint64_t row_bytes = device_bytes(c) / c.padded[0];
        const uint32_t rows = variant_.m * static_cast<uint32_t>(rows_of_half());
        const auto next_column = variant_.c.row_words * static_cast<uint32_t>(side_);
        const auto next_row = static_cast<uint32_t>(block(variant_.m) * row_bytes / 4);
        // A single row of blocks is one BD, as each column of several is.
        const bool one_row = round.rows == 1;
        for (int half = 0; half < halves(); ++half) {
            const uint64_t first =
                round.row * block(variant_.m) + rows * static_cast<uint64_t>(half);
            Bd bd;
            bd.address =
                first * row_bytes + 4 * (round.column * next_column +
                                         variant_.c.row_words * static_cast<uint64_t>(column));
            bd.words = static_cast<uint32_t>(rows * variant_.c.row_words *
                                             (one_row ? round.columns : round.rows));
            bd.dimensions = {{.step = 1, .size = variant_.c.row_words},
                             {.step = static_cast<uint32_t>(row_bytes / 4), .size = rows},
                             {.step = one_row ? next_column : next_row}};
            std::vector<Bd> chain;
            for (uint64_t i = 0; i < (one_row ? 1 : round.columns); ++i) {
                chain.push_back(bd);
                bd.address += uint64_t{4} * next_column;
            }
            start_chain(sequence, {shim(column), kIn, half}, 2, chain, 1, id);
        }
    }

    // Waits for the oldest round's results.
    void finish(Sequence& sequence) const {
        for (int column = 0; column < side_; ++column) {
            for (int half = 0; half < halves(); ++half) {
                sequence.wait(shim(column), kIn, half);
            }
        }
    }

    std::string_view name_;
    Variant variant_;
    int side_;
};

// Orders: the objects' layouts in int8_half.asm and the programs, from or to row-major ones.
Variant int8_variant() {
    namespace program = int8_program;
    return {.summary = "C = A B, int8 x int8 -> int32",
            .code = program::kCode,
            .a_type = Type::kInt8,
            .b_type = Type::kInt8,
            .c_type = Type::kInt32,
            .requantised = false,
            .m = 64,
            .n = 64,
            .k = 128,
            .numbers_address = program::kSteps,
            .a = {.rows = 64,
                  .row_words = 32,
                  .parts = 1,
                  .core_buffers = {program::kA, program::kA + program::kObject},
                  .free_lock = program::kLockAFree,
                  .full_lock = program::kLockAFull,
                  .order = {{1, 2}, {32, 16}, {2, 16}, {16 * 32, 4}}},
            .b = {.rows = 128,
                  .row_words = 16,
                  .parts = 1,
                  .core_buffers = {program::kB, program::kB + program::kObject},
                  .free_lock = program::kLockBFree,
                  .full_lock = program::kLockBFull,
                  .order = {{1, 2}, {16, 128}, {2, 8}}},
            .c = {.rows = 32,
                  .row_words = 64,
                  .parts = 1,
                  .core_buffers = {program::kSums, program::kSums + program::kHalfStride,
                                   program::kSums + 2 * program::kHalfStride},
                  .free_lock = program::kLockCFree,
                  .full_lock = program::kLockCFull,
                  .order = {{1, 8}, {128, 8}, {8, 16}, {1024, 2}}}};
}

Variant int4_variant() {
    namespace program = int4_program;
    std::vector<uint32_t> sums;
    for (uint32_t quarter = 0; quarter < 3; ++quarter) {
        const uint32_t first = program::kSums + quarter * program::kSumsQuarter;
        sums.insert(sums.end(), {first, first + program::kSumsHalf});
    }
    sums.insert(sums.end(), {program::kOut, program::kOut + program::kOutHalf});
    return {.summary = "C = A B, int8 x int4 -> int32",
            .code = program::kCode,
            .a_type = Type::kInt8,
            .b_type = Type::kInt4,
            .c_type = Type::kInt32,
            .requantised = false,
            .m = 64,
            .n = 128,
            .k = 128,
            .numbers_address = program::kSteps,
            .a = {.rows = 64,
                  .row_words = 32,
                  .parts = 4,
                  .core_buffers = {program::kA, program::kA + program::kAQuarter},
                  .free_lock = program::kLockAFree,
                  .full_lock = program::kLockAFull,
                  .order = {{1, 4}, {32, 16}, {4, 8}, {16 * 32, 4}}},
            .b = {.rows = 128,
                  .row_words = 16,
                  .parts = 1,
                  .core_buffers = {program::kB, program::kB + program::kObject},
                  .free_lock = program::kLockBFree,
                  .full_lock = program::kLockBFull,
                  .order = {{16, 16}, {1, 2}, {16 * 16, 8}, {2, 8}}},
            .c = {.rows = 16,
                  .row_words = 128,
                  .parts = 2,
                  .core_buffers = sums,
                  .free_lock = program::kLockCFree,
                  .full_lock = program::kLockCFull,
                  .order = {{1, 8}, {128, 16}, {8, 16}}}};
}

Variant bf16_variant() {
    namespace program = bf16_program;
    Variant variant = int8_variant();  // the objects have the same sizes
    variant.summary = "C = A B, bf16 x bf16 -> fp32";
    variant.code = program::kCode;
    variant.a_type = Type::kBf16;
    variant.b_type = Type::kBf16;
    variant.c_type = Type::kFloat32;
    variant.k = 64;
    variant.a.order = {{1, 4}, {32, 16}, {4, 8}, {16 * 32, 4}};
    variant.b.rows = 64;
    variant.b.row_words = 32;
    variant.b.order = {{1, 2}, {32, 64}, {2, 16}};
    variant.c.order = {{1, 4}, {64, 16}, {4, 16}, {1024, 2}};
    return variant;
}

Variant int8_q_variant() {
    namespace program = int8_q_program;
    Variant variant = int8_variant();
    variant.summary = "C = A B x scale, int8 x int8 -> int8";
    variant.code = program::kCode;
    variant.c_type = Type::kInt8;
    variant.requantised = true;
    variant.c.rows = 64;
    variant.c.row_words = 16;
    variant.c.core_buffers = {program::kC, program::kC + program::kCStride};
    variant.c.order = {{1, 2}, {32, 8}, {2, 16}, {256, 4}};
    return variant;
}

Variant int4_q_variant() {
    namespace program = int4_q_program;
    Variant variant = int4_variant();
    variant.summary = "C = A B x scale, int8 x int4 -> int8";
    variant.code = program::kCode;
    variant.c_type = Type::kInt8;
    variant.requantised = true;
    variant.c.rows = 64;
    variant.c.row_words = 32;
    variant.c.parts = 1;
    variant.c.core_buffers = {program::kOut};
    variant.c.order = {{1, 2}, {32, 16}, {2, 16}, {512, 4}};
    return variant;
}

struct Row {
    std::string_view name;
    Variant (*variant)();
};
constexpr Row kRows[] = {{"matmul_int8", int8_variant},
                         {"matmul_int8_q", int8_q_variant},
                         {"matmul_int8_int4", int4_variant},
                         {"matmul_int8_int4_q", int4_q_variant},
                         {"matmul_bf16", bf16_variant}};

// Every variant on a square of side x side cores.
std::vector<std::unique_ptr<Matmul>> make_all(int side) {
    std::vector<std::unique_ptr<Matmul>> all;
    for (const Row& row : kRows) {
        all.push_back(std::make_unique<Matmul>(row.name, row.variant(), side));
    }
    return all;
}

}  // namespace

std::span<const Kernel* const> matmul_kernels() {
    static const auto all = make_all(4);
    static const auto kernels = [] {
        std::vector<const Kernel*> list;
        for (const auto& kernel : all) {
            list.push_back(kernel.get());
        }
        return list;
    }();
    return kernels;
}

const Kernel& matmul_on_one_core(std::string_view name) {
    static const auto all = make_all(1);
    for (const auto& kernel : all) {
        if (kernel->name() == name) {
            return *kernel;
        }
    }
    throw std::invalid_argument("no matmul " + std::string(name));
}

}  // namespace xdna::kernels
