#include "emu/array/task_token.hpp"

#include <array>
#include <bit>
#include <span>

#include "emu/array/choices.hpp"

namespace xdna::emu {
namespace {

// Actor ids by channel. Xilinx/mlir-aie, AIENpuToCert tables as held in FIM43-Redeye/xdna-emu,
// crates/xdna-archspec; they give core tiles no actor for MM2S 1: 7 is the next one, inferred.
constexpr std::array<uint8_t, 2> kShimS2mm = {0, 2};
constexpr std::array<uint8_t, 2> kShimMm2s = {6, 7};
constexpr std::array<uint8_t, 6> kMemS2mm = {1, 2, 3, 4, 5, 6};
constexpr std::array<uint8_t, 6> kMemMm2s = {16, 17, 18, 19, 20, 22};
constexpr std::array<uint8_t, 2> kCoreS2mm = {0, 1};
constexpr std::array<uint8_t, 2> kCoreMm2s = {6, 7};

constexpr uint32_t kTokenType = 6;
constexpr unsigned kActorShift = 8;

std::span<const uint8_t> actors(TileKind kind, Direction direction) {
    const bool s2mm = direction == Direction::kS2mm;
    switch (kind) {
        case TileKind::kShim:
            return s2mm ? kShimS2mm : kShimMm2s;
        case TileKind::kMem:
            return s2mm ? kMemS2mm : kMemMm2s;
        case TileKind::kCore:
            break;
    }
    return s2mm ? kCoreS2mm : kCoreMm2s;
}

uint32_t with_odd_parity(uint32_t word) {
    return std::popcount(word) % 2 == 0 ? word | 1U << 31 : word;
}

uint32_t origin(Tile tile) {
    return uint32_t{tile.row} << 16 | uint32_t{tile.column} << 21;
}

}  // namespace

uint32_t packet_header(Tile tile, unsigned id, unsigned type, unsigned out_of_order_id) {
    return with_odd_parity(id | out_of_order_id << choices::kOutOfOrderIdShift | type << 12 |
                           origin(tile));
}

uint32_t encode_token(Tile tile, Direction direction, unsigned channel, unsigned controller_id) {
    const uint32_t actor = actors(tile.kind(), direction)[channel];
    return with_odd_parity((controller_id & 0xFF) | actor << kActorShift | kTokenType << 12 |
                           origin(tile));
}

std::optional<TaskToken> decode_token(uint32_t word) {
    TaskToken token;
    token.word = word;
    token.tile = {static_cast<uint8_t>(word >> 21 & 0x7F), static_cast<uint8_t>(word >> 16 & 0x1F)};
    if (token.tile.column >= kColumns || token.tile.row >= kRows ||
        (word >> 12 & kTokenType) != kTokenType || with_odd_parity(word & ~(1U << 31)) != word) {
        return std::nullopt;
    }
    token.controller_id = static_cast<uint8_t>(word & 0xFF);
    // The type's low bit is 0, so bit 12 belongs to the actor.
    const uint32_t actor = word >> kActorShift & 0x1F;
    for (const Direction direction : {Direction::kS2mm, Direction::kMm2s}) {
        const auto ids = actors(token.tile.kind(), direction);
        for (size_t channel = 0; channel < ids.size(); ++channel) {
            if (ids[channel] == actor) {
                token.direction = direction;
                token.channel = static_cast<uint8_t>(channel);
                return token;
            }
        }
    }
    return std::nullopt;
}

}  // namespace xdna::emu
