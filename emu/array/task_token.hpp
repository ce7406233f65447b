// The token that a finished DMA task sends to the array's controller.
#pragma once

#include <cstdint>
#include <optional>

#include "emu/array/dma_channel.hpp"

namespace xdna::emu {

struct TaskToken {
    Tile tile;
    Direction direction = Direction::kS2mm;
    uint8_t channel = 0;
    uint8_t controller_id = 0;
    uint64_t cycle = 0;  ///< when it reached the controller
    uint32_t word = 0;   ///< as it came over the stream
};

/// The stream word of a token. Layout: packet header with type 6, controller id in 7:0, actor id
/// from bit 8 (xdna-emu src/device/array/ctrl.rs); actors from mlir-aie's tables.
uint32_t encode_token(Tile tile, Direction direction, unsigned channel, unsigned controller_id);
/// None where the word is no token of a channel that there is.
std::optional<TaskToken> decode_token(uint32_t word);

/// A packet header: id, type, where it comes from; odd parity over the word (AM020 table 2).
uint32_t packet_header(Tile tile, unsigned id, unsigned type, unsigned out_of_order_id);

}  // namespace xdna::emu
