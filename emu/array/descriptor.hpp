// A buffer descriptor, decoded.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "emu/array/address_generator.hpp"
#include "emu/array/geometry.hpp"

namespace xdna::emu {

struct Descriptor {
    bool valid = false;
    uint64_t base = 0;    ///< bytes; a memory tile's counts from its west neighbour's memory
    uint64_t length = 0;  ///< words
    AddressGenerator::Dimensions dimensions;

    uint64_t iteration_step = 1;  ///< words
    uint32_t iteration_wrap = 1;  ///< uses until it starts over
    uint32_t iteration = 0;       ///< uses so far

    std::optional<uint8_t> next;  ///< BD to go on with
    bool compression = false;
    bool tlast_suppress = false;

    bool packet = false;  ///< MM2S: a header goes first
    uint8_t packet_id = 0;
    uint8_t packet_type = 0;
    uint8_t out_of_order_id = 0;

    bool acquire = false;
    uint8_t acquire_id = 0;
    int8_t acquire_value = 0;
    uint8_t release_id = 0;
    int8_t release_value = 0;  ///< 0: no release
};

/// `words` are the BD's registers: 6 on a core tile, 8 elsewhere.
Descriptor decode_descriptor(TileKind kind, std::span<const uint32_t> words);

/// Counts a use: Iteration_Current goes up by one, modulo the wrap.
void count_iteration(TileKind kind, std::span<uint32_t> words);

}  // namespace xdna::emu
