#include "tests/conformance/packet.hpp"

#include <algorithm>
#include <numeric>

namespace xdna::conformance {

namespace {

uint32_t low(uint64_t value) {
    return static_cast<uint32_t>(value);
}

uint32_t high(uint64_t value) {
    return static_cast<uint32_t>(value >> 32);
}

void append(Words& to, const Words& words) {
    to.insert(to.end(), words.begin(), words.end());
}

// Bitwise NOT of the sum of all words but the last, into the last.
void seal(Words& words) {
    words.back() = ~std::accumulate(words.begin(), words.end() - 1, 0U);
}

Words sized(Words words, size_t count) {
    words.resize(count);
    return words;
}

}  // namespace

Words packet(Opcode opcode, const Words& payload) {
    Words words{packet_header(opcode, static_cast<uint32_t>(payload.size()))};
    append(words, payload);
    return words;
}

Words start_npu(uint64_t code, uint32_t bytes, const Words& args, uint32_t cu_mask) {
    Words payload{cu_mask, low(code), high(code), bytes, 0};
    append(payload, args);
    return packet(Opcode::kStartNpu, payload);
}

Words start_cu(uint64_t code, uint32_t words, uint32_t cu_mask) {
    constexpr uint32_t kRunTransaction = 3;
    constexpr size_t kBufferWords = 10;
    Words payload{cu_mask, kRunTransaction, 0, low(code), high(code), words};
    payload.resize(payload.size() + kBufferWords);
    return packet(Opcode::kStartCu, payload);
}

Words chain(const std::vector<uint32_t>& handles) {
    Words payload{static_cast<uint32_t>(handles.size()), 0, 0, 0, 0, 0};
    for (uint32_t handle : handles) {
        append(payload, {handle, 0});
    }
    return packet(Opcode::kCmdChain, payload);
}

Words empty_transaction() {
    // Version 0.1, generation 3, 6 rows; 5 columns, 1 memory-tile row; 0 operations; 16 bytes.
    return {0x06030100, 0x00000105, 0, 16};
}

Words corrupt_transaction() {
    return {0x06030100, 0x00000105, 1, 24, 0x0000007F, 8};
}

Words hanging_transaction() {
    // One TCT of 16 bytes: column, row and direction, then channel, columns and rows.
    return {0x06030100, 0x00000105, 1, 32, 0x00000080, 16, 0, 0x00010100};
}

Words faulting_transaction() {
    // WRITE to the task queue of shim 0, MM2S 0 (AM025): BD 0, which no one has made valid. TCT of
    // column 0, row 0, MM2S, channel 0.
    return {0x06030100, 0x00000105, 2, 56, 0, 0, 0x1D214, 0, 0, 24, 0x00000080, 16, 1, 0x00010100};
}

Words minimal_pdi() {
    // Four-word header, its checksum, and a body of one NOP and the end mark.
    Words cdo{4, 0x004F4443, 0x0200, 2, 0};
    seal(cdo);
    append(cdo, {0x00000111, 0x00000100});
    const auto cdo_words = static_cast<uint32_t>(cdo.size());
    cdo.resize((cdo.size() + 3) / 4 * 4);
    const auto padded_words = static_cast<uint32_t>(cdo.size());

    Words table = sized({0x00040000, 1, 0x24, 1, 0x34, 0, 0x14CA8093, 0, 0, 0, 0x50504449,
                         0x00201020, 0x30, 0, 0, 0, 0, 1},
                        32);
    seal(table);
    Words image = sized({0x34, 1, 0, 0, 0x5F656961, 0x67616D69, 0x65, 0, 0x1C000000}, 16);
    seal(image);
    constexpr uint32_t kAllOnes = ~0U;
    Words partition = sized(
        {padded_words, cdo_words, padded_words, 0, 0, 0, kAllOnes, kAllOnes, 0x54, 0x02000006, 1},
        32);
    seal(partition);

    Words pdi{0x000000DD, 0x11223344, 0x55667788, 0x99AABBCC};
    append(pdi, table);
    append(pdi, image);
    append(pdi, partition);
    append(pdi, cdo);
    return pdi;
}

Words bad_pdi() {
    constexpr size_t kWords = 256;
    constexpr uint32_t kNonsense = 0xDEADBEEF;
    return Words(kWords, kNonsense);
}

}  // namespace xdna::conformance
