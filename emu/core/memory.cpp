// Scalar and plain vector loads and stores.
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

using isa::RegisterFile;

// Bytes, and for loads whether the sign fills the register.
enum Access : uint32_t {
    kByte = 1,
    kHalf = 2,
    kWord = 4,
    kVector128 = 16,
    kVector = 32,
    kSigned = 64
};
constexpr uint32_t kSizeMask = 63;

void finish_vector(Pipeline& p, const Exec& e, LateData& data) {
    p.load(data.address, p.write_cells(e, 0), kVector);
}
void finish_vector_128(Pipeline& p, const Exec& e, LateData& data) {
    Cell& cell = *p.write_cells(e, 0);
    cell = {};
    p.load(data.address, &cell, kVector128);
}
void finish_mask(Pipeline& p, const Exec& e, LateData& data) {
    std::array<uint64_t, 2> halves;
    p.load(data.address, halves.data(), 16);
    std::array<Cell, 2> cells{};
    std::memcpy(&cells[0], &halves[0], 8);
    std::memcpy(&cells[1], &halves[1], 8);
    p.write_cells(e, 0, cells);
}
void finish_scalar(Pipeline& p, const Exec& e, LateData& data) {
    const unsigned size = e.parameter & kSizeMask;
    uint32_t value = 0;
    p.load(data.address, &value, size);
    if (e.parameter & kSigned) {
        const unsigned unused = 32 - 8 * size;
        value = static_cast<uint32_t>(static_cast<int32_t>(value << unused) >> unused);
    }
    p.write(e, 0, value);
}

template <LateHandler Finish>
void load_with(Pipeline& p, const Exec& e) {
    const uint32_t address = p.address(e);
    p.later(e, e.operation->memory_cycle, Finish).address = address;
}
// Words and masks share a mnemonic.
void load(Pipeline& p, const Exec& e) {
    e.operands[0].file == RegisterFile::kQ ? load_with<finish_mask>(p, e)
                                           : load_with<finish_scalar>(p, e);
}

template <unsigned Size>
void finish_store(Pipeline& p, const Exec&, LateData& data) {
    p.store(data.address, data.cells.data(), Size);
}
template <unsigned Size>
void store_with(Pipeline& p, const Exec& e) {
    const uint32_t address = p.address(e);
    LateData& data = p.later(e, e.operation->memory_cycle, finish_store<Size>);
    data.address = address;
    p.read_cells<1>(e, 0, data.cells.data());
}
void store_mask(Pipeline& p, const Exec& e) {
    const uint32_t address = p.address(e);
    LateData& data = p.later(e, e.operation->memory_cycle, finish_store<16>);
    data.address = address;
    std::array<Cell, 2> halves;
    p.read_cells<2>(e, 0, halves.data());
    std::memcpy(&data.cells[0].words[0], &halves[0], 8);
    std::memcpy(&data.cells[0].words[2], &halves[1], 8);
}
void store(Pipeline& p, const Exec& e) {
    e.operands[0].file == RegisterFile::kQ ? store_mask(p, e) : store_with<kWord>(p, e);
}

// Partial words: the word is read, the data register comes two cycles later, the changed word is
// written last (aie2-core.md 5).
void finish_partial(Pipeline& p, const Exec& e, LateData& data) {
    const unsigned size = e.parameter & kSizeMask;
    const unsigned shift = 8 * (data.address & 3);
    const uint32_t mask = (size == kByte ? 0xFFU : 0xFFFFU) << shift;
    const uint32_t word = (data.word & ~mask) | (data.cells[0].words[0] << shift & mask);
    p.store(data.address & ~3U, &word, 4);
}
void read_partial_data(Pipeline& p, const Exec& e, LateData& data) {
    LateData& next = p.later(e, e.operation->memory_write_cycle, finish_partial);
    next.address = data.address;
    next.word = data.word;
    next.cells[0].words[0] = p.read(e, 0);
}
void read_partial_word(Pipeline& p, const Exec& e, LateData& data) {
    if (data.address % (e.parameter & kSizeMask)) {
        p.trap("misaligned store");
    }
    uint32_t word;
    p.load(data.address & ~3U, &word, 4);
    LateData& next = p.later(e, e.operands[0].read_cycle, read_partial_data);
    next.address = data.address;
    next.word = word;
}

constexpr Semantics kRows[] = {
    {"lda", load, kWord},
    {"lda.s8", load, kByte | kSigned},
    {"lda.u8", load, kByte},
    {"lda.s16", load, kHalf | kSigned},
    {"lda.u16", load, kHalf},
    {"vlda", load_with<finish_vector>},
    {"vlda.128", load_with<finish_vector_128>},
    {"vldb", load_with<finish_vector>},
    {"vldb.128", load_with<finish_vector_128>},
    {"st", store},
    {"st.s8", load_with<read_partial_word>, kByte},
    {"st.s16", load_with<read_partial_word>, kHalf},
    {"vst", store_with<kVector>},
    {"vst.128", store_with<kVector128>},
};

}  // namespace

std::span<const Semantics> memory_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
