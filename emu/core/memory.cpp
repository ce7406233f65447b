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

// Mask registers (128 bits in two cells) share the mnemonic of scalar words.
unsigned access_size(const Exec& e) {
    const unsigned size = e.parameter & kSizeMask;
    return size == kWord && e.operands[0].file == RegisterFile::kQ ? 16 : size;
}

void finish_load(Pipeline& p, const Exec& e, LateData& data) {
    const unsigned size = access_size(e);
    const OperandRef& to = e.operands[0];
    if (to.file == RegisterFile::kQ) {
        std::array<uint64_t, 2> halves;
        p.load(data.address, halves.data(), 16);
        std::array<Cell, 2> cells{};
        std::memcpy(cells[0].words.data(), &halves[0], 8);
        std::memcpy(cells[1].words.data(), &halves[1], 8);
        p.write_cells(e, 0, cells.data());
        return;
    }
    Cell cell{};
    p.load(data.address, &cell, size);
    if (size >= kVector128) {
        p.write_cells(to.atom, 1, &cell, to.write_cycle);
        return;
    }
    uint32_t value = cell.words[0];
    if (e.parameter & kSigned) {
        const unsigned unused = 32 - 8 * size;
        value = static_cast<uint32_t>(static_cast<int32_t>(value << unused) >> unused);
    }
    p.write(e, 0, value);
}

void load(Pipeline& p, const Exec& e) {
    LateData data;
    data.address = p.address(e);
    p.later(e, e.operation->memory_cycle, finish_load, data);
}

void finish_store(Pipeline& p, const Exec& e, LateData& data) {
    p.store(data.address, &data.cells[0], access_size(e));
}

void store(Pipeline& p, const Exec& e) {
    LateData data;
    data.address = p.address(e);
    const OperandRef& from = e.operands[0];
    if (from.file == RegisterFile::kQ) {
        std::array<Cell, 2> halves;
        p.read_cells(e, 0, halves.data());
        std::memcpy(&data.cells[0].words[0], &halves[0], 8);
        std::memcpy(&data.cells[0].words[2], &halves[1], 8);
    } else {
        p.read_cells(e, 0, data.cells.data());
    }
    p.later(e, e.operation->memory_cycle, finish_store, data);
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
    data.cells[0].words[0] = p.read(e, 0);
    p.later(e, e.operation->memory_write_cycle, finish_partial, data);
}
void read_partial_word(Pipeline& p, const Exec& e, LateData& data) {
    if (data.address % (e.parameter & kSizeMask)) {
        p.trap("misaligned store");
    }
    p.load(data.address & ~3U, &data.word, 4);
    p.later(e, e.operands[0].read_cycle, read_partial_data, data);
}
void store_partial(Pipeline& p, const Exec& e) {
    LateData data;
    data.address = p.address(e);
    p.later(e, e.operation->memory_cycle, read_partial_word, data);
}

constexpr Semantics kRows[] = {
    {"lda", load, kWord},
    {"lda.s8", load, kByte | kSigned},
    {"lda.u8", load, kByte},
    {"lda.s16", load, kHalf | kSigned},
    {"lda.u16", load, kHalf},
    {"vlda", load, kVector},
    {"vlda.128", load, kVector128},
    {"vldb", load, kVector},
    {"vldb.128", load, kVector128},
    {"st", store, kWord},
    {"st.s8", store_partial, kByte},
    {"st.s16", store_partial, kHalf},
    {"vst", store, kVector},
    {"vst.128", store, kVector128},
};

}  // namespace

std::span<const Semantics> memory_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
