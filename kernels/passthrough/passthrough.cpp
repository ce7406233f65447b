// passthrough: one buffer through a memory tile into another. broadcast: one buffer to four, one a
// column. join: four buffers, one a column, block by block into one.
#include <algorithm>

#include "kernels/passthrough/kernels.hpp"
#include "kernels/passthrough/pipe.hpp"

namespace xdna::kernels {
namespace {

using flow::Bd;
using flow::Design;
using flow::Direction;
using flow::Endpoint;
using flow::Sequence;
using flow::Tile;

constexpr Direction kIn = Direction::kS2mm;
constexpr Direction kOut = Direction::kMm2s;
constexpr int kColumns = 4;

// Shim BDs: what the command reads, and what it writes.
constexpr int kReadBd = 0;
constexpr int kWriteBd = 1;

Tile shim(int column) {
    return {column, 0};
}
Tile memory(int column) {
    return {column, 1};
}

// A single lane with two buffers of 128 KiB.
Pipe single_pipe(int column) {
    constexpr uint32_t kBlock = 32768;
    return {.tile = memory(column),
            .lanes = {{.channel = 0, .first_bd = 0, .address = 0, .free_lock = 0, .full_lock = 1}},
            .second_buffer = kBlock * 4,
            .block = kBlock,
            .out_channel = 0,
            .out_first_bd = 4};
}

Bd linear(uint64_t words) {
    Bd bd;
    bd.words = static_cast<uint32_t>(words);
    return bd;
}

class Passthrough final : public Kernel {
  public:
    std::string_view name() const override { return "passthrough"; }
    std::string_view summary() const override { return "copies a buffer through a memory tile"; }
    std::vector<std::string_view> takes() const override { return {"bytes"}; }

    Design design() const override {
        Design design(1);
        design.stream({shim(0), kOut, 0}, {{memory(0), kIn, 0}});
        design.stream({memory(0), kOut, 0}, {{shim(0), kIn, 0}});
        single_pipe(0).prepare(design);
        return design;
    }

    Command command(const Shape& shape) const override {
        const uint64_t words = checked_words(shape.bytes);
        Sequence sequence(1);
        sequence.bd(0, kReadBd, linear(words), 0);
        sequence.bd(0, kWriteBd, linear(words), 1);
        sequence.start(shim(0), kIn, 0, kWriteBd, 1, true);
        single_pipe(0).run(sequence, words);
        sequence.start(shim(0), kOut, 0, kReadBd);
        sequence.wait(shim(0), kIn, 0);
        return {sequence.code(), {{"in", shape.bytes, false}, {"out", shape.bytes, true}}};
    }

    std::vector<std::vector<uint8_t>> reference(
        const Shape&, std::span<const std::vector<uint8_t>> inputs) const override {
        return {inputs[0]};
    }
};

class Broadcast final : public Kernel {
  public:
    std::string_view name() const override { return "broadcast"; }
    std::string_view summary() const override {
        return "copies a buffer to four, one through each column";
    }
    std::vector<std::string_view> takes() const override { return {"bytes"}; }

    Design design() const override {
        Design design(kColumns);
        std::vector<Endpoint> to;
        for (int column = 0; column < kColumns; ++column) {
            to.push_back({memory(column), kIn, 0});
            single_pipe(column).prepare(design);
        }
        design.stream({shim(0), kOut, 0}, to);
        for (int column = 0; column < kColumns; ++column) {
            design.stream({memory(column), kOut, 0}, {{shim(column), kIn, 0}});
        }
        return design;
    }

    Command command(const Shape& shape) const override {
        const uint64_t words = checked_words(shape.bytes);
        Command command;
        command.arguments.push_back({"in", shape.bytes, false});
        Sequence sequence(kColumns);
        sequence.bd(0, kReadBd, linear(words), 0);
        for (int column = 0; column < kColumns; ++column) {
            sequence.bd(column, kWriteBd, linear(words), 1 + column);
            sequence.start(shim(column), kIn, 0, kWriteBd, 1, true);
            single_pipe(column).run(sequence, words);
            command.arguments.push_back({"out" + std::to_string(column), shape.bytes, true});
        }
        sequence.start(shim(0), kOut, 0, kReadBd);
        for (int column = 0; column < kColumns; ++column) {
            sequence.wait(shim(column), kIn, 0);
        }
        command.code = sequence.code();
        return command;
    }

    std::vector<std::vector<uint8_t>> reference(
        const Shape&, std::span<const std::vector<uint8_t>> inputs) const override {
        return std::vector<std::vector<uint8_t>>(kColumns, inputs[0]);
    }
};

class Join final : public Kernel {
  public:
    std::string_view name() const override { return "join"; }
    std::string_view summary() const override {
        return "joins four buffers in a memory tile, 64 KiB of each in turn";
    }
    std::vector<std::string_view> takes() const override { return {"bytes"}; }
    std::string_view shape_note() const override { return "of each input; a multiple of 4"; }

    Design design() const override {
        Design design(kColumns);
        for (int column = 0; column < kColumns; ++column) {
            design.stream({shim(column), kOut, 0}, {{memory(0), kIn, column}});
        }
        design.stream({memory(0), kOut, 0}, {{shim(0), kIn, 0}});
        pipe().prepare(design);
        return design;
    }

    Command command(const Shape& shape) const override {
        const uint64_t words = checked_words(shape.bytes);
        if (shape.bytes % 4) {
            throw std::invalid_argument("bytes: " + std::to_string(shape.bytes) +
                                        " is not a multiple of 4");
        }
        Command command;
        Sequence sequence(kColumns);
        sequence.bd(0, kWriteBd, linear(words * kColumns), kColumns);
        sequence.start(shim(0), kIn, 0, kWriteBd, 1, true);
        pipe().run(sequence, words);
        for (int column = 0; column < kColumns; ++column) {
            sequence.bd(column, kReadBd, linear(words), column);
            sequence.start(shim(column), kOut, 0, kReadBd);
            command.arguments.push_back({"in" + std::to_string(column), shape.bytes, false});
        }
        sequence.wait(shim(0), kIn, 0);
        command.code = sequence.code();
        command.arguments.push_back({"out", shape.bytes * kColumns, true});
        return command;
    }

    std::vector<std::vector<uint8_t>> reference(
        const Shape& shape, std::span<const std::vector<uint8_t>> inputs) const override {
        std::vector<uint8_t> out;
        out.reserve(shape.bytes * kColumns);
        for (uint64_t at = 0; at < shape.bytes; at += kBlock * 4) {
            const uint64_t end = std::min<uint64_t>(at + kBlock * 4, shape.bytes);
            for (const std::vector<uint8_t>& in : inputs) {
                out.insert(out.end(), in.begin() + static_cast<ptrdiff_t>(at),
                           in.begin() + static_cast<ptrdiff_t>(end));
            }
        }
        return {out};
    }

  private:
    static constexpr uint32_t kBlock = 16384;

    // Even channels take BDs 0 to 23, odd ones 24 to 47 (Xilinx/mlir-aie, AIETargetModel).
    static Pipe pipe() {
        Pipe pipe{.tile = memory(0),
                  .lanes = {},
                  .second_buffer = kBlock * 4 * kColumns,
                  .block = kBlock,
                  .out_channel = 0,
                  .out_first_bd = 8};
        for (int i = 0; i < kColumns; ++i) {
            pipe.lanes.push_back({.channel = i,
                                  .first_bd = (i % 2 ? 24 : 0) + i / 2 * 4,
                                  .address = static_cast<uint32_t>(i) * kBlock * 4,
                                  .free_lock = 2 * i,
                                  .full_lock = 2 * i + 1});
        }
        return pipe;
    }
};

}  // namespace

const Kernel& passthrough() {
    static const Passthrough kernel;
    return kernel;
}

const Kernel& broadcast() {
    static const Broadcast kernel;
    return kernel;
}

const Kernel& join() {
    static const Join kernel;
    return kernel;
}

}  // namespace xdna::kernels
