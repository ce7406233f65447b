// The core's program by itself, on the simulator, against the reference.
#include <fstream>
#include <iterator>

#include "tests/unit/attention/samples.hpp"
#include "tests/unit/core/machine.hpp"

namespace xdna::kernels::attention {
namespace {

using emu::CoreProgress;
using test::Sample;

constexpr uint32_t kQueries = 64;
constexpr unsigned kKEmpty = 48, kKFull = 49, kVEmpty = 50, kVFull = 51, kQEmpty = 52, kQFull = 53,
                   kOEmpty = 54, kOFull = 55;

std::vector<std::byte> program(uint32_t d, Widths widths, bool pipeline) {
    std::ifstream file(widths.k == 8 ? "kernels/attention/int8.asm" : "kernels/attention/int4.asm");
    const std::string source(std::istreambuf_iterator<char>(file), {});
    as::Options options;
    options.insert_nops = true;
    options.pipeline = pipeline;
    options.include_folders = {"kernels/attention"};
    options.defines = {
        {"kHeadSize", d}, {"kBlock", key_block(d, widths)}, {"kValueBits", widths.v}};
    as::Diagnostics diagnostics;
    const auto object = as::assemble("attention.s", source, options, diagnostics);
    for (const auto& each : diagnostics.list()) {
        ADD_FAILURE() << format(each);
    }
    const auto code = as::flat_program(as::link(object.value()));
    const auto* first = reinterpret_cast<const std::byte*>(code.data());
    return {first, first + code.size()};
}

// One core and what feeds it.
class Bench {
  public:
    Bench(uint32_t d, Widths widths, bool pipeline) : d_(d), widths_(widths) {
        machine.load(program(d, widths, pipeline));
        for (const unsigned lock : {kKEmpty, kVEmpty, kQEmpty, kOEmpty}) {
            machine.locks[lock] = 1;
        }
    }

    // Results of the queries from `first` on, 64 of them, the way that one core has them.
    std::vector<uint16_t> run(const Sample& sample, uint32_t first) {
        const uint32_t block = key_block(d_, widths_);
        uint32_t most = 0;
        for (uint32_t i = 0; i < kQueries; ++i) {
            most = std::max<uint32_t>(most, sample.headers[first + i].visible);
        }
        const uint32_t blocks = (most + block - 1) / block;
        put_queries(sample, first, blocks);
        machine.locks[kQEmpty] = 0;
        machine.locks[kQFull] = 1;
        uint32_t k = 0;
        uint32_t v = 0;
        while (machine.locks[kOFull] == 0) {
            if (k < blocks && machine.locks[kKEmpty]) {
                put_keys(sample.k8, k++ * block);
                machine.locks[kKEmpty] = 0;
                machine.locks[kKFull] = 1;
            }
            if (v < blocks && machine.locks[kVEmpty]) {
                put_values(block * d_ * widths_.k / 8, sample.v8, v++ * block);
                machine.locks[kVEmpty] = 0;
                machine.locks[kVFull] = 1;
            }
            const uint64_t before = machine.cycles;
            const CoreProgress progress = machine.run(machine.cycles + 1000000);
            if (progress.state != CoreProgress::State::kStalled ||
                (before == machine.cycles && ++idle > 4)) {
                ADD_FAILURE() << "stuck: " << (progress.waits_for ? progress.waits_for() : "runs");
                return {};
            }
        }
        EXPECT_EQ(k, blocks);
        EXPECT_EQ(machine.locks[kQEmpty], 1);
        machine.locks[kOFull] = 0;
        machine.locks[kOEmpty] = 1;
        const auto tiles = machine.get<uint16_t>(0x8000, size_t{kQueries} * d_);
        std::vector<uint16_t> out(tiles.size());
        for (uint32_t i = 0; i < kQueries; ++i) {
            for (uint32_t j = 0; j < d_; ++j) {
                out[i * d_ + j] = tiles[(j / 8 * kQueries + i) * 8 + j % 8];
            }
        }
        return out;
    }

    emu::test::Machine machine;
    int idle = 0;

  private:
    void put_queries(const Sample& sample, uint32_t first, uint32_t blocks) {
        std::vector<uint8_t> bytes;
        for (uint32_t group = first; group < first + kQueries; group += 8) {
            for (uint32_t i = group; i < group + 8; ++i) {
                QueryHeader header = sample.headers[i];
                header.blocks = static_cast<uint16_t>(blocks);
                const auto* raw = reinterpret_cast<const uint8_t*>(&header);
                bytes.insert(bytes.end(), raw, raw + sizeof header);
            }
            for (uint32_t j = 0; j < d_; j += 8) {
                for (uint32_t i = group; i < group + 8; ++i) {
                    const auto* raw = reinterpret_cast<const uint8_t*>(&sample.q8[i * d_ + j]);
                    bytes.insert(bytes.end(), raw, raw + 8);
                }
            }
        }
        machine.put<uint8_t>(0x4000, bytes);
    }
    // Tiles of 16 rows x 8 columns, by rows.
    void put_values(uint32_t offset, const std::vector<int8_t>& rows, uint32_t first) {
        std::vector<int8_t> elements;
        for (uint32_t key = first; key < first + key_block(d_, widths_); key += 16) {
            for (uint32_t j = 0; j < d_; j += 8) {
                for (uint32_t i = key; i < key + 16; ++i) {
                    for (uint32_t b = 0; b < 8; ++b) {
                        elements.push_back(element(rows, i, j + b));
                    }
                }
            }
        }
        put(offset, elements, widths_.v);
    }
    // The same of int8; of int4, pairs of tiles of 16 columns x 8 rows, by columns.
    void put_keys(const std::vector<int8_t>& rows, uint32_t first) {
        if (widths_.k == 8) {
            return put_values(0, rows, first);
        }
        std::vector<int8_t> elements;
        for (uint32_t key = first; key < first + key_block(d_, widths_); key += 16) {
            for (uint32_t j = 0; j < d_; j += 16) {
                for (uint32_t tile = key; tile < key + 16; tile += 8) {
                    for (uint32_t c = j; c < j + 16; ++c) {
                        for (uint32_t i = tile; i < tile + 8; ++i) {
                            elements.push_back(element(rows, i, c));
                        }
                    }
                }
            }
        }
        put(0, elements, widths_.k);
    }
    int8_t element(const std::vector<int8_t>& rows, uint32_t row, uint32_t column) const {
        return row * d_ < rows.size() ? rows[row * d_ + column] : 5;
    }
    void put(uint32_t offset, const std::vector<int8_t>& elements, uint32_t bits) {
        std::vector<uint8_t> bytes(elements.size() * bits / 8);
        for (size_t i = 0; i < elements.size(); ++i) {
            const auto value = static_cast<unsigned>(elements[i]) & ((1U << bits) - 1);
            bytes[i * bits / 8] |= static_cast<uint8_t>(value << i * bits % 8);
        }
        machine.put<uint8_t>(offset, bytes);
    }

    uint32_t d_;
    Widths widths_;
};

void expect_equal(const std::vector<uint16_t>& got, const Sample& sample, uint32_t first,
                  const std::string& what) {
    const uint32_t d = sample.d;
    const auto all = reference(sample.head());
    for (size_t i = 0; i < got.size(); ++i) {
        if (got[i] != all[first * d + i]) {
            ADD_FAILURE() << what << ": query " << first + i / d << ", column " << i % d << ": "
                          << value_of_bf16(got[i]) << " instead of "
                          << value_of_bf16(all[first * d + i]);
            return;
        }
    }
    EXPECT_EQ(got.size(), size_t{kQueries} * d) << what;
}

TEST(AttentionCore, EqualsTheReferenceInOrderAndPipelined) {
    for (const Widths widths : {Widths{8, 8}, Widths{4, 8}, Widths{4, 4}}) {
        const Sample sample = test::make_sample("normal", 32, 256, true, 1, widths);
        for (const bool pipeline : {false, true}) {
            if (pipeline && widths.k == 4) {
                continue;  // scheduling takes long; unit/kernels runs these programs
            }
            Bench bench(32, widths, pipeline);
            for (const uint32_t first : {0U, 192U}) {
                const auto out = bench.run(sample, first);
                expect_equal(out, sample, first,
                             std::to_string(widths.k) + " and " + std::to_string(widths.v) +
                                 (pipeline ? " bits, pipelined" : " bits, in order"));
            }
        }
    }
}

}  // namespace
}  // namespace xdna::kernels::attention
