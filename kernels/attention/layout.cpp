#include "kernels/attention/layout.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>

namespace xdna::kernels::attention {
namespace {

constexpr uint32_t kGroup = 8;

// Place of a query in the order of cores.
uint32_t place(uint32_t query) {
    const uint32_t in_block = query % kQueryBlock;
    const uint32_t group = in_block / (kCores * kGroup);
    const uint32_t core = in_block / kGroup % kCores;
    return query - in_block + core * kCoreQueries + group * kGroup + in_block % kGroup;
}

void expect_size(const char* what, size_t got, uint64_t wanted) {
    if (got != wanted) {
        throw std::invalid_argument(std::string(what) + " has " + std::to_string(got) +
                                    " elements or bytes, not " + std::to_string(wanted));
    }
}

// Where a key block has column `column` of key `row`, counted in elements. The multiplier takes
// int4 as its second operand only: so 8 keys are beside each other.
uint64_t place_of_key(uint32_t d, uint32_t bits, uint64_t row, uint32_t column) {
    return bits == 8 ? row * d + column : row / 8 * 8 * d + column * 8 + row % 8;
}

void put(uint8_t* to, uint32_t bits, uint64_t at, int8_t value, const char* what) {
    if (bits == 8) {
        to[at] = static_cast<uint8_t>(value);
        return;
    }
    if (value < -8 || value > 7) {
        throw std::invalid_argument(std::string(what) + " has a " + std::to_string(value) +
                                    ", no int4");
    }
    to[at / 2] |= static_cast<uint8_t>((value & 0xF) << 4 * (at % 2));
}

int8_t get(const uint8_t* from, uint32_t bits, uint64_t at) {
    if (bits == 8) {
        return static_cast<int8_t>(from[at]);
    }
    const int nibble = from[at / 2] >> 4 * (at % 2) & 0xF;
    return static_cast<int8_t>(nibble >= 8 ? nibble - 16 : nibble);
}

}  // namespace

uint32_t Problem::key_blocks(uint32_t query_block) const {
    const uint32_t block = key_block(head_size, widths);
    const uint32_t needed = ((query_block + 1) * kQueryBlock + block - 1) / block;
    return causal ? std::min(needed, key_blocks()) : key_blocks();
}

std::vector<uint8_t> pack_queries(const Problem& problem, std::span<const int8_t> q,
                                  std::span<const QueryHeader> headers) {
    const uint32_t d = problem.head_size;
    const uint64_t rows = uint64_t{problem.heads} * problem.length;
    expect_size("q", q.size(), rows * d);
    expect_size("headers", headers.size(), rows);
    const uint64_t row_bytes = sizeof(QueryHeader) + d;
    std::vector<uint8_t> out(problem.heads * problem.head_q_bytes());
    for (uint32_t head = 0; head < problem.heads; ++head) {
        uint8_t* const base = &out[head * problem.head_q_bytes()];
        for (uint32_t i = 0; i < problem.query_blocks() * kQueryBlock; ++i) {
            uint8_t* const at = base + place(i) * row_bytes;
            const uint32_t last = std::min(i, problem.length - 1);
            QueryHeader header = headers[uint64_t{head} * problem.length + last];
            header.visible = static_cast<uint16_t>(problem.visible(last));
            header.blocks = static_cast<uint16_t>(problem.key_blocks(i / kQueryBlock));
            if (problem.widths.k == 4 && header.multiplier < 0) {
                throw std::invalid_argument("headers: a multiplier of " +
                                            std::to_string(header.multiplier) +
                                            ", with int4 keys it must not be negative");
            }
            std::memcpy(at, &header, sizeof header);
            if (i < problem.length) {
                std::memcpy(at + sizeof header, &q[(uint64_t{head} * problem.length + i) * d], d);
            }
        }
    }
    return out;
}

std::vector<uint8_t> pack_keys(const Problem& problem, std::span<const int8_t> k,
                               std::span<const int8_t> v) {
    const uint32_t d = problem.head_size;
    const uint64_t head = uint64_t{problem.length} * d;
    expect_size("k", k.size(), problem.kv_heads * head);
    expect_size("v", v.size(), problem.kv_heads * head);
    const uint32_t block = key_block(d, problem.widths);
    const auto [k_bits, v_bits] = problem.widths;
    std::vector<uint8_t> out(problem.kv_heads * problem.head_kv_bytes());
    for (uint64_t row = 0; row < uint64_t{problem.kv_heads} * problem.length; ++row) {
        const uint64_t in_head = row % problem.length;
        uint8_t* const keys =
            &out[row / problem.length * problem.head_kv_bytes() +
                 in_head / block * (problem.block_k_bytes() + problem.block_v_bytes())];
        uint8_t* const values = keys + problem.block_k_bytes();
        const uint64_t in_block = in_head % block;
        for (uint32_t j = 0; j < d; ++j) {
            put(keys, k_bits, place_of_key(d, k_bits, in_block, j), k[row * d + j], "k");
            put(values, v_bits, in_block * d + j, v[row * d + j], "v");
        }
    }
    return out;
}

std::vector<uint16_t> unpack_output(const Problem& problem, std::span<const uint8_t> buffer) {
    const uint32_t d = problem.head_size;
    expect_size("o", buffer.size(), problem.heads * problem.head_o_bytes());
    std::vector<uint16_t> out(uint64_t{problem.heads} * problem.length * d);
    for (uint32_t head = 0; head < problem.heads; ++head) {
        for (uint32_t i = 0; i < problem.length; ++i) {
            std::memcpy(&out[(uint64_t{head} * problem.length + i) * d],
                        &buffer[head * problem.head_o_bytes() + uint64_t{place(i)} * d * 2],
                        uint64_t{d} * 2);
        }
    }
    return out;
}

std::vector<uint8_t> reference(const Problem& problem, std::span<const uint8_t> q,
                               std::span<const uint8_t> kv) {
    const uint32_t d = problem.head_size;
    expect_size("q", q.size(), problem.heads * problem.head_q_bytes());
    expect_size("kv", kv.size(), problem.kv_heads * problem.head_kv_bytes());
    const uint64_t row_bytes = sizeof(QueryHeader) + d;
    const uint32_t block = key_block(d, problem.widths);
    const auto [k_bits, v_bits] = problem.widths;
    std::vector<uint8_t> out;
    for (uint32_t head = 0; head < problem.heads; ++head) {
        std::vector<QueryHeader> headers;
        std::vector<int8_t> queries;
        for (uint64_t at = 0; at < problem.head_q_bytes(); at += row_bytes) {
            const uint8_t* const row = &q[head * problem.head_q_bytes() + at];
            QueryHeader header;
            std::memcpy(&header, row, sizeof header);
            headers.push_back(header);
            queries.insert(queries.end(), row + sizeof header, row + row_bytes);
        }
        std::vector<int8_t> k;
        std::vector<int8_t> v;
        const uint32_t shared = head / (problem.heads / problem.kv_heads);
        for (uint64_t row = 0; row < uint64_t{problem.key_blocks()} * block; ++row) {
            const uint8_t* const keys =
                &kv[shared * problem.head_kv_bytes() +
                    row / block * (problem.block_k_bytes() + problem.block_v_bytes())];
            const uint8_t* const values = keys + problem.block_k_bytes();
            for (uint32_t j = 0; j < d; ++j) {
                k.push_back(get(keys, k_bits, place_of_key(d, k_bits, row % block, j)));
                v.push_back(get(values, v_bits, row % block * d + j));
            }
        }
        const auto rows = reference({d, problem.widths, headers, queries, k, v});
        const auto* const bytes = reinterpret_cast<const uint8_t*>(rows.data());
        out.insert(out.end(), bytes, bytes + rows.size() * 2);
    }
    return out;
}

}  // namespace xdna::kernels::attention
