#include "kernels/passthrough/pipe.hpp"

#include <stdexcept>
#include <string>

namespace xdna::kernels {
namespace {

using flow::Bd;
using flow::Direction;

constexpr uint64_t kMaxBytes = 64ULL << 20;
constexpr int kMaxRepeats = 256;

}  // namespace

uint64_t checked_words(uint64_t bytes) {
    if (bytes == 0 || bytes > kMaxBytes) {
        throw std::invalid_argument("bytes: " + std::to_string(bytes) + " is not in 1 to " +
                                    std::to_string(kMaxBytes));
    }
    return (bytes + 3) / 4;
}

void Pipe::prepare(flow::Design& design) const {
    for (const Lane& lane : lanes) {
        design.lock(tile, lane.free_lock, 2);
    }
}

void Pipe::run(flow::Sequence& sequence, uint64_t words) const {
    // Whole pairs of blocks are one task of two BDs, repeated; the rest is a task of one or two,
    // which starts at the first buffer again because pairs end at the second.
    const uint64_t pairs = words / (2 * block);
    const auto rest = static_cast<uint32_t>(words % (2 * block));

    const auto blocks_of = [&](bool tail) -> std::vector<uint32_t> {
        if (!tail) {
            return {block, block};
        }
        return rest > block ? std::vector<uint32_t>{block, rest - block}
                            : std::vector<uint32_t>{rest};
    };
    const auto start = [&](Direction direction, int channel, int bd, bool tail) {
        if (tail) {
            sequence.start(tile, direction, channel, bd);
            return;
        }
        for (uint64_t left = pairs; left > 0;) {
            const int repeats = static_cast<int>(std::min<uint64_t>(left, kMaxRepeats));
            sequence.start(tile, direction, channel, bd, repeats);
            left -= static_cast<uint64_t>(repeats);
        }
    };

    for (const bool tail : {false, true}) {
        if (tail ? rest == 0 : pairs == 0) {
            continue;
        }
        const std::vector<uint32_t> blocks = blocks_of(tail);
        const int out_count = static_cast<int>(blocks.size() * lanes.size());
        const int out_base = out_first_bd + (tail ? 2 * static_cast<int>(lanes.size()) : 0);
        int out = 0;
        for (size_t i = 0; i < blocks.size(); ++i) {
            for (const Lane& lane : lanes) {
                Bd bd;
                bd.address = lane.address + i * second_buffer;
                bd.words = blocks[i];

                bd.acquire = {lane.free_lock, 1};
                bd.release = {lane.full_lock, 1};
                const int in_bd = lane.first_bd + (tail ? 2 : 0) + static_cast<int>(i);
                bd.next = i + 1 < blocks.size() ? std::optional<int>(in_bd + 1) : std::nullopt;
                sequence.bd(tile, in_bd, bd);

                bd.acquire = {lane.full_lock, 1};
                bd.release = {lane.free_lock, 1};
                bd.next =
                    out + 1 < out_count ? std::optional<int>(out_base + out + 1) : std::nullopt;
                sequence.bd(tile, out_base + out, bd);
                ++out;
            }
        }
        for (const Lane& lane : lanes) {
            start(Direction::kS2mm, lane.channel, lane.first_bd + (tail ? 2 : 0), tail);
        }
        start(Direction::kMm2s, out_channel, out_base, tail);
    }
}

}  // namespace xdna::kernels
