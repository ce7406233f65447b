// Loads of compressed and of sparse vectors (ldb slot).
//
// In memory a vector is a mask, one bit a byte, and the bytes that are not zero; the next mask
// follows at a multiple of 4. Every operation reads a line of 32 bytes from its pointer, which
// moves on, into a buffer; pops and peeks decompress from the buffer at DP, and pops move DP on.
// Reset empties the buffer and sets DP to its pointer, which may be a DP that was kept: the lines
// are those that hold it. Source: AMD UG1583 (AI Engine-ML intrinsics), Compressed Load Operations
// and Compressed Sparse Load Operations, with their example of both pointers (whose DP after a full
// vector, 0x14, does not fit its own count of bytes, 0x24); mask alignment: Xilinx/aie_api,
// aie_doc.hpp, Sparse Data Format. Open points: docs/silicon-questions.md.
#include <algorithm>
#include <cstring>

#include "emu/core/lanes.hpp"
#include "emu/core/semantics.hpp"
#include "emu/core/sparsity.hpp"

namespace xdna::emu::core {
namespace {

const isa::Atom dp_atom = atom_of(isa::RegisterFile::kSpec, 1);
constexpr unsigned kDpCycle = 6;  // it is read and written

// Pops and peeks: bytes of a sparse vector's elements, or 0 for one that is decompressed whole.
enum Kind : uint32_t { kElementMask = 3, kPeek = 4 };

// Expands `Bytes` bytes from the buffer; advances `at` past them, to a multiple of 4.
template <size_t Bytes>
std::array<uint8_t, Bytes> decompress(Pipeline& p, uint32_t& at, uint64_t& mask) {
    constexpr uint32_t kMaskBytes = Bytes / 8;
    const auto take = [&](uint32_t count) {
        const uint8_t* bytes = p.load_buffer.find(at, count);
        if (!bytes) {
            p.trap("compressed load of more than what was read ahead (srCompr_uf)");
        }
        at += count;
        return bytes;
    };
    if (at % 4) {
        p.trap("compressed vector whose mask is not at a multiple of 4");
    }
    mask = 0;
    std::memcpy(&mask, take(kMaskBytes), kMaskBytes);
    const auto present = static_cast<uint32_t>(std::popcount(mask));
    const uint8_t* next = take(present);
    std::array<uint8_t, Bytes> out;
    for (size_t i = 0; i < Bytes; ++i) {
        out[i] = mask >> i & 1 ? *next++ : uint8_t{0};
    }
    at = (at + 3) & ~3U;
    return out;
}

// Of each four elements the two that are stored.
std::array<uint8_t, 32> partly(Pipeline& p, const std::array<uint8_t, 64>& full, uint64_t mask,
                               size_t element) {
    std::array<uint8_t, 32> out{};
    for (size_t group = 0; group < 16 / element; ++group) {
        const unsigned four =
            mask_of_four(mask >> 4 * element * group, static_cast<unsigned>(element));
        if (!fits_pair(four)) {
            p.trap("sparse vector with more than two of four elements (srSparse_of)");
        }
        for (size_t i = 0; i < 2; ++i) {
            if (const uint8_t from = kStoredPairs[four][i]; from != kNoElement) {
                std::copy_n(&full[(4 * group + from) * element], element,
                            &out[(2 * group + i) * element]);
            }
        }
    }
    return out;
}

constexpr uint32_t line_of(uint32_t address) {
    return address & ~(LoadBuffer::kLineBytes - 1);
}

void append(Pipeline& p, const LateData& data) {
    LoadBuffer& buffer = p.load_buffer;
    if (line_of(data.address) != buffer.end()) {
        p.trap("compressed load of another line than the one after what was loaded: needs a reset");
    }
    if (buffer.full()) {
        p.trap("compressed loads more than " + std::to_string(LoadBuffer::kMaxBytes) +
               " bytes ahead");
    }
    std::memcpy(buffer.append(), &data.cells[0], LoadBuffer::kLineBytes);
}

void fill(Pipeline& p, const Exec&, LateData& data) {
    append(p, data);
}
void reset(Pipeline& p, const Exec&, LateData& data) {
    p.load_buffer.restart(data.address);
    append(p, data);
    p.write_atom(dp_atom, data.address, kDpCycle);
}
void pop(Pipeline& p, const Exec& e, LateData& data) {
    append(p, data);
    uint32_t at = p.state.scalar(dp_atom);
    uint64_t mask = 0;
    Cell cell;
    if (const size_t element = e.parameter & kElementMask) {
        const auto full = decompress<64>(p, at, mask);
        cell = std::bit_cast<Cell>(partly(p, full, mask, element));
    } else {
        cell = std::bit_cast<Cell>(decompress<32>(p, at, mask));
    }
    // A w register, or half a vector and half a mask.
    const auto atoms = isa::atoms(e.registers[0]);
    const unsigned cycle = e.operands[0].write_cycle;
    p.write_cell(atoms[0], cycle) = cell;
    if (atoms.size() > 1) {
        Cell half{};
        std::memcpy(half.words.data(), &mask, sizeof mask);
        p.write_cell(atoms[1], cycle) = half;
    }
    if (!(e.parameter & kPeek)) {
        p.load_buffer.drop_before(at);
        p.write_atom(dp_atom, at, kDpCycle);
    }
}

// The line is read in the cycle of other loads. What is done with it is done with DP, a cycle
// later: in the order of issue.
template <LateHandler Use>
void read_line(Pipeline& p, const Exec& e, LateData& data) {
    LateData& next = p.later(e, kDpCycle, Use);
    next.address = data.address;
    p.load(line_of(data.address), &next.cells[0], LoadBuffer::kLineBytes);
}
template <LateHandler Use>
void start(Pipeline& p, const Exec& e) {
    const uint32_t address = p.read(e, e.pointer);
    p.write(e, e.pointer, address + LoadBuffer::kLineBytes);
    p.later(e, e.operation->memory_cycle, read_line<Use>).address = address;
}

// Elements of 4 bits are kept and counted in pairs, by bytes.
constexpr Semantics kRows[] = {
    {"vldb.compr.reset", start<reset>},
    {"vldb.compr.fill", start<fill>},
    {"vldb.compr.pop", start<pop>},
    {"vldb.compr.peek", start<pop>, kPeek},
    {"vldb.sparse.reset.4", start<reset>},
    {"vldb.sparse.reset.8", start<reset>},
    {"vldb.sparse.reset.16", start<reset>},
    {"vldb.sparse.fill.4", start<fill>},
    {"vldb.sparse.fill.8", start<fill>},
    {"vldb.sparse.fill.16", start<fill>},
    {"vldb.sparse.pop.4", start<pop>, 1},
    {"vldb.sparse.pop.8", start<pop>, 1},
    {"vldb.sparse.pop.16", start<pop>, 2},
    {"vldb.sparse.peek.4", start<pop>, 1 | kPeek},
    {"vldb.sparse.peek.8", start<pop>, 1 | kPeek},
    {"vldb.sparse.peek.16", start<pop>, 2 | kPeek},
};

}  // namespace

std::span<const Semantics> compressed_load_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
