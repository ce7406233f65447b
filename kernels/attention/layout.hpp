// How attention's tensors lie in the buffers of a command.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/attention/reference.hpp"

namespace xdna::kernels::attention {

/// Cores of a column share a head's keys and values; each has 64 queries at a time.
inline constexpr uint32_t kCores = 4;
inline constexpr uint32_t kCoreQueries = 64;
inline constexpr uint32_t kQueryBlock = kCores * kCoreQueries;

/// Heads of one size. Query head h reads keys and values of head h / (heads / kv_heads).
struct Problem {
    uint32_t head_size = 0;
    uint32_t heads = 0;
    uint32_t kv_heads = 0;
    uint32_t length = 0;  ///< queries, and keys, of each head
    bool causal = false;  ///< query i sees keys 0 to i; otherwise all
    Widths widths = {};

    uint32_t query_blocks() const { return (length + kQueryBlock - 1) / kQueryBlock; }
    uint32_t key_blocks() const {
        return (length + key_block(head_size, widths) - 1) / key_block(head_size, widths);
    }
    /// Key blocks that a block of queries needs.
    uint32_t key_blocks(uint32_t query_block) const;
    uint32_t visible(uint32_t query) const { return causal ? query + 1 : length; }

    // Bytes of what one head, or one key block of it, has in the buffers.
    uint64_t head_q_bytes() const {
        return uint64_t{query_blocks()} * kQueryBlock * (sizeof(QueryHeader) + head_size);
    }
    uint64_t block_k_bytes() const {
        return uint64_t{key_block(head_size, widths)} * head_size * widths.k / 8;
    }
    uint64_t block_v_bytes() const {
        return uint64_t{key_block(head_size, widths)} * head_size * widths.v / 8;
    }
    uint64_t head_kv_bytes() const { return key_blocks() * (block_k_bytes() + block_v_bytes()); }
    uint64_t head_o_bytes() const {
        return uint64_t{query_blocks()} * kQueryBlock * head_size * sizeof(uint16_t);
    }
};

/// Buffer q: int8 queries, [heads][length][head_size], each behind its header. In the order of
/// cores: of every 256 queries first those of core 0, which has rows 0-7, 32-39, 64-71, ..., and so
/// on, so that the cores have equal work where queries see only what is before them. What pads the
/// last 256 is zero. `headers`, [heads][length]: multipliers and shifts; the rest is filled in
/// here.
std::vector<uint8_t> pack_queries(const Problem& problem, std::span<const int8_t> q,
                                  std::span<const QueryHeader> headers);
/// Buffer kv: pages of a key block's keys, then its values, [kv_heads][key blocks]; zeros behind
/// the last. Rows of [head_size], int4 two a byte, the first in the low half; but int4 keys are
/// [key block / 8][head_size][8 keys]. `k`, `v`: [kv_heads][length][head_size]. Throws
/// std::invalid_argument for an element that is no int4 where one is wanted.
std::vector<uint8_t> pack_keys(const Problem& problem, std::span<const int8_t> k,
                               std::span<const int8_t> v);
/// From buffer o: bf16, [heads][length][head_size].
std::vector<uint16_t> unpack_output(const Problem& problem, std::span<const uint8_t> buffer);

/// What the device computes of these buffers, in buffer o's layout.
std::vector<uint8_t> reference(const Problem& problem, std::span<const uint8_t> q,
                               std::span<const uint8_t> kv);

}  // namespace xdna::kernels::attention
