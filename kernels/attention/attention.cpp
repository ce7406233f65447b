// One head a column at a time. The shim streams the head's keys and values once for every 256 of
// its queries; the memory tile broadcasts them to the four cores of the column, which have 64
// queries each. A memory tile's six channels each way are all in use:
//
//   shim MM2S 0  keys and values -> memory S2MM 0, MM2S 0 -> all cores' S2MM 0
//   shim MM2S 1  queries         -> memory S2MM 1, MM2S 1 to 4 -> each core's S2MM 1
//   each core's MM2S 0           -> memory S2MM 2 to 5, MM2S 5 -> shim S2MM 0
#include "kernels/attention/attention.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

#include "kernels/flow/sequence.hpp"

namespace xdna::kernels {
namespace {

using attention::kCoreQueries;
using attention::kCores;
using attention::kQueryBlock;
using attention::Problem;
using flow::Buffers;
using flow::Design;
using flow::Dimension;
using flow::Direction;
using flow::Endpoint;
using flow::Sequence;
using flow::Tile;

namespace int8_d32 {
#include "kernels/attention/int8_d32.inc"
}
namespace int8_d64 {
#include "kernels/attention/int8_d64.inc"
}
namespace int8_d128 {
#include "kernels/attention/int8_d128.inc"
}
namespace int4_int8_d32 {
#include "kernels/attention/int4_int8_d32.inc"
}
namespace int4_int8_d64 {
#include "kernels/attention/int4_int8_d64.inc"
}
namespace int4_int8_d128 {
#include "kernels/attention/int4_int8_d128.inc"
}
namespace int4_d32 {
#include "kernels/attention/int4_d32.inc"
}
namespace int4_d64 {
#include "kernels/attention/int4_d64.inc"
}
namespace int4_d128 {
#include "kernels/attention/int4_d128.inc"
}

constexpr Direction kIn = Direction::kS2mm;
constexpr Direction kOut = Direction::kMm2s;

constexpr int kColumns = flow::kMaxColumns;
constexpr uint32_t kMaxHeads = 1024;

// Channels of a memory tile.
constexpr int kKv = 0;
constexpr int kQ = 1;     // in; to core c by 1 + c
constexpr int kO = 2;     // in, from core c by 2 + c
constexpr int kOAll = 5;  // out
// Channels of a core: keys and values, queries; results.
constexpr int kCoreKv = 0;
constexpr int kCoreQ = 1;
constexpr int kCoreO = 0;

// Buffers in memory tiles: pages of keys and values; queries and results of each core.
constexpr uint32_t kPages = 4;
constexpr uint32_t kRowBuffers = 2;

// A wave is what each column is told at once: up to this many heads. Two waves are in flight where
// there are BDs for both; their tasks fit a channel's queue.
constexpr uint32_t kWaveHeads = 2;
constexpr uint32_t kMostSets = 2;

constexpr int kQBd = 12;  // and 13
constexpr int kOBd = 14;  // and 15
constexpr uint32_t kKvBds = 12;

struct Program {
    std::span<const uint8_t> code;
    uint32_t k, v, q, o;  // addresses, as the core has them
    int k_free, k_full, v_free, v_full, q_free, q_full, o_free, o_full;
    LoopCycles cycles;
};
#define XDNA_PROGRAM(program)                                                             \
    {                                                                                     \
        program::kCode, program::kK, program::kV, program::kQ, program::kO,               \
            own(program::kLockKFree), own(program::kLockKFull), own(program::kLockVFree), \
            own(program::kLockVFull), own(program::kLockQFree), own(program::kLockQFull), \
            own(program::kLockOFree), own(program::kLockOFull), {                         \
            program::kScoresCycles, program::kProbabilitiesCycles, program::kValuesCycles \
        }                                                                                 \
    }

// Locks as a core numbers them: its own tile's from 48 on.
constexpr int own(uint32_t lock) {
    return static_cast<int>(lock) - 48;
}

// What K and V are, and the programs for head sizes 32, 64 and 128.
struct Types {
    const char* name;
    const char* summary;
    attention::Widths widths;
    Program programs[3];
};
constexpr Types kTypes[] = {
    {"int8",
     "int8",
     {8, 8},
     {XDNA_PROGRAM(int8_d32), XDNA_PROGRAM(int8_d64), XDNA_PROGRAM(int8_d128)}},
    {"int4_int8",
     "int8 with int4 keys",
     {4, 8},
     {XDNA_PROGRAM(int4_int8_d32), XDNA_PROGRAM(int4_int8_d64), XDNA_PROGRAM(int4_int8_d128)}},
    {"int4",
     "int8 with int4 keys and values",
     {4, 4},
     {XDNA_PROGRAM(int4_d32), XDNA_PROGRAM(int4_d64), XDNA_PROGRAM(int4_d128)}},
};

Tile shim(int column) {
    return {column, 0};
}
Tile memory(int column) {
    return {column, 1};
}
Tile core(int column, uint32_t row) {
    return {column, 2 + static_cast<int>(row)};
}

// Heads of one column in one wave.
struct Work {
    uint32_t first = 0;
    uint32_t count = 0;
};

class Attention final : public Kernel {
  public:
    Attention(const Types& types, uint32_t length, uint32_t head_size)
        : types_(types),
          length_(length),
          head_size_(head_size),
          name_("attention_" + std::to_string(length) + "_" + types.name + "_d" +
                std::to_string(head_size)),
          summary_(std::string("softmax(Q K^T) V, ") + types.summary + ", head size " +
                   std::to_string(head_size) + ", up to " + std::to_string(length) + " tokens") {}

    std::string_view name() const override { return name_; }
    std::string_view summary() const override { return summary_; }
    std::vector<std::string_view> takes() const override {
        return {"heads", "kv_heads", "length", "causal"};
    }
    bool takes_any_bytes() const override { return false; }  // headers say how many key blocks come
    Shape example() const override {
        Shape shape;
        shape.heads = 8;
        shape.kv_heads = 8;
        shape.length = length_;
        return shape;
    }

    Problem problem(const Shape& shape) const {
        const auto check = [](const char* what, uint64_t value, uint64_t most) {
            if (value < 1 || value > most) {
                throw std::invalid_argument(std::string(what) + ": " + std::to_string(value) +
                                            " is not in 1 to " + std::to_string(most));
            }
            return static_cast<uint32_t>(value);
        };
        Problem problem;
        problem.head_size = head_size_;
        problem.heads = check("heads", shape.heads, kMaxHeads);
        problem.kv_heads = check("kv heads", shape.kv_heads, shape.heads);
        problem.length = check("length", shape.length, length_);
        problem.causal = shape.causal;
        problem.widths = types_.widths;
        if (problem.heads % problem.kv_heads) {
            throw std::invalid_argument("heads: " + std::to_string(problem.heads) +
                                        " is no multiple of " + std::to_string(problem.kv_heads) +
                                        " kv heads");
        }
        return problem;
    }

    Design design() const override {
        Design design(kColumns);
        for (int column = 0; column < kColumns; ++column) {
            set_up(design, column);
        }
        return design;
    }

    Command command(const Shape& shape) const override {
        const Problem p = problem(shape);
        Sequence sequence(kColumns);
        const uint32_t each = (p.heads + kColumns - 1) / kColumns;
        std::vector<std::array<Work, kColumns>> waves;
        for (uint32_t done = 0; done < each; done += wave_heads(p)) {
            std::array<Work, kColumns> wave;
            for (uint32_t column = 0; column < kColumns; ++column) {
                // A column's heads follow each other, so that one task reads all their queries.
                const uint32_t from = p.heads * column / kColumns;
                const uint32_t to = p.heads * (column + 1) / kColumns;
                wave[column].first = std::min(from + done, to);
                wave[column].count = std::min(wave_heads(p), to - wave[column].first);
            }
            waves.push_back(wave);
        }
        const size_t in_flight = sets(p);
        for (size_t i = 0; i < waves.size(); ++i) {
            if (i >= in_flight) {
                finish(sequence, waves[i - in_flight]);
            }
            start(sequence, p, waves[i], static_cast<int>(i % in_flight));
        }
        for (size_t i = waves.size() - std::min(waves.size(), in_flight); i < waves.size(); ++i) {
            finish(sequence, waves[i]);
        }
        return {sequence.code(),
                {{"q", p.heads * p.head_q_bytes(), false},
                 {"kv", p.kv_heads * p.head_kv_bytes(), false},
                 {"o", p.heads * p.head_o_bytes(), true}}};
    }

    std::vector<std::vector<uint8_t>> reference(
        const Shape& shape, std::span<const std::vector<uint8_t>> inputs) const override {
        return {attention::reference(problem(shape), inputs[0], inputs[1])};
    }

    LoopCycles loop_cycles() const { return program().cycles; }

  private:
    const Program& program() const {
        return types_.programs[head_size_ == 32 ? 0 : head_size_ == 64 ? 1 : 2];
    }

    void set_up(Design& design, int column) const {
        const Program& program = this->program();
        Problem problem;
        problem.head_size = head_size_;
        problem.widths = types_.widths;
        const auto k_words = static_cast<uint32_t>(problem.block_k_bytes() / 4);
        const auto v_words = static_cast<uint32_t>(problem.block_v_bytes() / 4);
        const uint32_t query_words = (sizeof(attention::QueryHeader) + head_size_) / 4;
        const uint32_t columns = head_size_ / 8;
        uint32_t at = 0;
        int lock = 0;
        const auto take = [&](uint32_t count, uint32_t words) {
            Buffers buffers{{}, words, lock, lock + 1};
            lock += 2;
            for (uint32_t i = 0; i < count; ++i) {
                buffers.addresses.push_back(at);
                at += words * 4;
            }
            return buffers;
        };
        const auto in_core = [](uint32_t address, uint32_t words, int free, int full) {
            return Buffers{{address - flow::kCoreOwnMemory}, words, free, full};
        };

        // Keys and values: 8 elements of each of 16 rows beside each other; int4 keys, which have
        // columns: 16 columns of 8 keys, and those of the next 8.
        const auto rows = [&](uint32_t bits) {
            const uint32_t words = bits / 4;
            return std::vector<Dimension>{
                {1, words}, {words * columns, 16}, {words, columns}, {words * columns * 16, 0}};
        };
        Buffers keys = take(kPages, k_words);
        keys.order =
            types_.widths.k == 8
                ? rows(8)
                : std::vector<Dimension>{
                      {1, 16}, {head_size_, 2}, {16, head_size_ / 16}, {2 * head_size_, 0}};
        Buffers values = take(kPages, v_words);
        values.order = rows(types_.widths.v);
        design.stream({shim(column), kOut, 0}, {{memory(column), kIn, kKv}});
        design.loop({memory(column), kIn, kKv}, {keys, values});
        design.loop({memory(column), kOut, kKv}, {keys, values});
        std::vector<Endpoint> cores;
        std::vector<Buffers> queries;
        std::vector<Buffers> results;
        for (uint32_t c = 0; c < kCores; ++c) {
            const Tile tile = core(column, c);
            design.core(tile, program.code);
            cores.push_back({tile, kIn, kCoreKv});
            design.loop(cores.back(),
                        {in_core(program.k, k_words, program.k_free, program.k_full),
                         in_core(program.v, v_words, program.v_free, program.v_full)});

            // Queries: 8 bytes of each of 8 rows beside each other, headers first.
            const uint32_t words = kCoreQueries * query_words;
            queries.push_back(take(kRowBuffers, words));
            const Endpoint to_core{memory(column), kOut, kQ + static_cast<int>(c)};
            design.stream(to_core, {{tile, kIn, kCoreQ}});
            design.loop({tile, kIn, kCoreQ},
                        {in_core(program.q, words, program.q_free, program.q_full)});
            design.loop(to_core, {queries.back()},
                        {{1, 2}, {query_words, 8}, {2, columns + 1}, {8 * query_words, 0}});

            // Results: from columns of 8 to rows.
            const uint32_t result_words = kCoreQueries * head_size_ / 2;
            results.push_back(take(kRowBuffers, result_words));
            const Endpoint from_core{memory(column), kIn, kO + static_cast<int>(c)};
            design.stream({tile, kOut, kCoreO}, {from_core});
            design.loop({tile, kOut, kCoreO},
                        {in_core(program.o, result_words, program.o_free, program.o_full)},
                        {{1, 4}, {4 * kCoreQueries, columns}, {4, 0}});
            design.loop(from_core, {results.back()});
        }
        design.stream({memory(column), kOut, kKv}, cores);
        design.stream({shim(column), kOut, 1}, {{memory(column), kIn, kQ}});
        design.loop({memory(column), kIn, kQ}, queries);
        design.loop({memory(column), kOut, kOAll}, results);
        design.stream({memory(column), kOut, kOAll}, {{shim(column), kIn, 0}});
    }

    // Causal heads need a BD for every block of queries.
    static uint32_t kv_bds(const Problem& p) { return p.causal ? p.query_blocks() : 1; }
    static uint32_t sets(const Problem& p) {
        return std::clamp<uint32_t>(kKvBds / kv_bds(p), 1, kMostSets);
    }
    static uint32_t wave_heads(const Problem& p) {
        return std::clamp<uint32_t>(kKvBds / sets(p) / kv_bds(p), 1, kWaveHeads);
    }

    void start(Sequence& sequence, const Problem& p, const std::array<Work, kColumns>& wave,
               int set) const {
        const auto words = [](uint64_t bytes) { return static_cast<uint32_t>(bytes / 4); };
        for (int column = 0; column < kColumns; ++column) {
            const Work& work = wave[static_cast<size_t>(column)];
            if (work.count == 0) {
                continue;
            }
            flow::Bd q;
            q.address = work.first * p.head_q_bytes();
            q.words = words(work.count * p.head_q_bytes());
            sequence.bd(column, kQBd + set, q, 0);
            sequence.start(shim(column), kOut, 1, kQBd + set);
            for (uint32_t i = 0; i < work.count; ++i) {
                read_keys(sequence, p, column, work.first + i, set, i);
            }
        }
        for (int column = 0; column < kColumns; ++column) {
            const Work& work = wave[static_cast<size_t>(column)];
            if (work.count == 0) {
                continue;
            }
            flow::Bd o;
            o.address = work.first * p.head_o_bytes();
            o.words = words(work.count * p.head_o_bytes());
            sequence.bd(column, kOBd + set, o, 2);
            sequence.start(shim(column), kIn, 0, kOBd + set, 1, true);
        }
    }

    // Keys and values of a head, once for each block of queries.
    static void read_keys(Sequence& sequence, const Problem& p, int column, uint32_t head, int set,
                          uint32_t which) {
        const uint32_t count = kv_bds(p);
        const int first =
            static_cast<int>((static_cast<uint32_t>(set) * wave_heads(p) + which) * count);
        const uint64_t page = p.block_k_bytes() + p.block_v_bytes();
        for (uint32_t block = 0; block < count; ++block) {
            flow::Bd kv;
            kv.address = head / (p.heads / p.kv_heads) * p.head_kv_bytes();
            kv.words = static_cast<uint32_t>(p.key_blocks(block) * page / 4);
            const int id = first + static_cast<int>(block);
            kv.next = block + 1 < count ? std::optional<int>(id + 1) : std::nullopt;
            sequence.bd(column, id, kv, 1);
        }
        sequence.start(shim(column), kOut, 0, first,
                       p.causal ? 1 : static_cast<int>(p.query_blocks()));
    }

    static void finish(Sequence& sequence, const std::array<Work, kColumns>& wave) {
        for (int column = 0; column < kColumns; ++column) {
            if (wave[static_cast<size_t>(column)].count != 0) {
                sequence.wait(shim(column), kIn, 0);
            }
        }
    }

    const Types& types_;
    uint32_t length_;
    uint32_t head_size_;
    std::string name_;
    std::string summary_;
};

const Attention& as_attention(const Kernel& kernel) {
    const auto* const attention = dynamic_cast<const Attention*>(&kernel);
    if (attention == nullptr) {
        throw std::invalid_argument(std::string(kernel.name()) + " is no attention kernel");
    }
    return *attention;
}

}  // namespace

std::span<const Kernel* const> attention_kernels() {
    static const auto kernels = [] {
        std::vector<Attention> all;
        for (const Types& types : kTypes) {
            for (const uint32_t length : {256U, 512U, 1024U, 2048U}) {
                for (const uint32_t head_size : {32U, 64U, 128U}) {
                    all.emplace_back(types, length, head_size);
                }
            }
        }
        return all;
    }();
    static const auto pointers = [] {
        std::vector<const Kernel*> all;
        for (const Attention& kernel : kernels) {
            all.push_back(&kernel);
        }
        return all;
    }();
    return pointers;
}

Problem attention_problem(const Kernel& kernel, const Shape& shape) {
    return as_attention(kernel).problem(shape);
}

LoopCycles attention_loop_cycles(const Kernel& kernel) {
    return as_attention(kernel).loop_cycles();
}

}  // namespace xdna::kernels
