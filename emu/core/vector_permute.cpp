// Byte movement: VSHUFFLE's 48 modes, VSHIFT, table look-up loads.
#include <algorithm>

#include "emu/core/lanes.hpp"
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

using Bytes = Lanes<uint8_t, 2>;

// A mode takes its inputs as `rows` rows of `columns` elements and transposes them. Two registers
// are one matrix of which half 0 or 1 is the result; one register holds whole matrices, each
// transposed by itself (half < 0). Names and numbers: Xilinx/llvm-aie,
// clang/lib/Headers/aiev2/aiev2_enums.h; the rule reproduces the routing that
// FIM43-Redeye/xdna-emu observed on a Phoenix (crates/xdna-archspec/src/aie2/permute.rs).
struct Mode {
    uint8_t element;  // bytes
    uint8_t rows;
    uint8_t columns;
    int8_t half;
};
constexpr Mode kModes[] = {
    {1, 64, 2, 0},  {1, 64, 2, 1},  {2, 32, 2, 0},  {2, 32, 2, 1},  {4, 16, 2, 0}, {4, 16, 2, 1},
    {8, 8, 2, 0},   {8, 8, 2, 1},   {16, 4, 2, 0},  {16, 4, 2, 1},  {32, 2, 2, 0}, {32, 2, 2, 1},
    {16, 2, 4, 0},  {16, 2, 4, 1},  {8, 2, 8, 0},   {8, 2, 8, 1},   {4, 2, 16, 0}, {4, 2, 16, 1},
    {2, 2, 32, 0},  {2, 2, 32, 1},  {1, 2, 64, 0},  {1, 2, 64, 1},  {64, 1, 2, 0}, {64, 1, 2, 1},
    {2, 16, 4, 0},  {2, 16, 4, 1},  {2, 4, 16, 0},  {2, 4, 16, 1},  {2, 8, 4, -1}, {2, 4, 8, -1},
    {4, 8, 4, 0},   {4, 8, 4, 1},   {4, 4, 8, 0},   {4, 4, 8, 1},   {4, 4, 4, -1}, {1, 8, 8, -1},
    {1, 16, 4, -1}, {1, 4, 16, -1}, {2, 1, 2, -1},  {2, 4, 4, -1},  {2, 4, 2, -1}, {2, 2, 4, -1},
    {2, 8, 2, -1},  {2, 2, 8, -1},  {2, 16, 2, -1}, {2, 2, 16, -1}, {1, 8, 4, -1}, {1, 4, 8, -1},
};
constexpr size_t kFlip = 38;  // swaps neighbouring 16-bit elements instead

// Where output byte `at` comes from: 0 to 63 in s1, 64 to 127 in s2.
constexpr uint8_t source_byte(size_t number, unsigned at) {
    const Mode& mode = kModes[number];
    if (number == kFlip) {
        return static_cast<uint8_t>(at ^ mode.element);
    }
    const unsigned matrix = unsigned{mode.rows} * mode.columns * mode.element;
    const unsigned position =
        mode.half < 0 ? at % matrix : at + 64U * static_cast<unsigned>(mode.half);
    const unsigned base = mode.half < 0 ? at - position : 0;
    const unsigned element = position / mode.element;
    const unsigned row = element % mode.rows;
    const unsigned column = element / mode.rows;
    return static_cast<uint8_t>(base + (row * mode.columns + column) * mode.element +
                                position % mode.element);
}

constexpr auto kRouting = [] {
    std::array<std::array<uint8_t, 64>, std::size(kModes)> routing{};
    for (size_t mode = 0; mode < routing.size(); ++mode) {
        for (unsigned at = 0; at < 64; ++at) {
            routing[mode][at] = source_byte(mode, at);
        }
    }
    return routing;
}();

Bytes route(Pipeline& p, const Bytes& low, const Bytes& high, uint32_t mode) {
    if (mode >= kRouting.size()) {
        p.trap("no shuffle mode " + std::to_string(mode));
    }
    std::array<uint8_t, 128> in;
    std::copy(low.begin(), low.end(), in.begin());
    std::copy(high.begin(), high.end(), in.begin() + 64);
    Bytes out;
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = in[kRouting[mode][i]];
    }
    return out;
}

void shuffle(Pipeline& p, const Exec& e) {
    write_lanes(p, e, 0,
                route(p, read_lanes<uint8_t>(p, e, 1), read_lanes<uint8_t>(p, e, 2), p.read(e, 3)));
}

// A scalar in every lane, then shuffled with zeros as the second register (silicon-questions).
template <typename T>
void broadcast_shuffle(Pipeline& p, const Exec& e) {
    static const isa::Atom r29 = atom_of(isa::RegisterFile::kR, 29);
    Lanes<T, 2> lanes;
    lanes.fill(static_cast<T>(read_scalar64(p, e, 1)));
    write_lanes(p, e, 0, route(p, std::bit_cast<Bytes>(lanes), Bytes{}, p.state.scalar(r29)));
}

// The 1024 bits {s2:s1} from byte `amount` on; what lies beyond them is 0 (Xilinx/aie_api,
// detail/aie2/shift.hpp; silicon-questions). s1 may be taken from another byte, `from`.
Bytes shifted(const Bytes& low, const Bytes& high, uint32_t amount, uint32_t from) {
    Bytes out{};
    for (size_t i = 0; i < out.size(); ++i) {
        const uint64_t at = uint64_t{amount} + i;
        out[i] = at < 64 ? low[from + i] : at < 128 ? high[at - 64] : 0;
    }
    return out;
}
void shift(Pipeline& p, const Exec& e) {
    const uint32_t amount = p.read(e, 3);
    write_lanes(
        p, e, 0,
        shifted(read_lanes<uint8_t>(p, e, 1), read_lanes<uint8_t>(p, e, 2), amount, amount));
}
// With a step of 0 it is vshift. Steps 1 to 4 keep a window that slides by 4, 8, 16 or 32 bytes:
// what is not taken of s2 is s1 from that byte on. It is how AMD's library uses it (Xilinx/aie_api,
// detail/aie2/array_helpers.hpp, sliding_window_buffer_stream, and reverse.hpp); other steps, and
// windows that would reach behind s1, are open (silicon-questions).
void shift_align(Pipeline& p, const Exec& e) {
    const uint32_t step = p.read(e, 2);
    const uint32_t amount = p.read(e, 4);
    const uint32_t from = step == 0 ? amount : step <= 4 ? 2U << step : 64;
    if (from > amount && amount < 64) {
        p.trap("vshift.align by " + std::to_string(amount) + " with step " + std::to_string(step) +
               " is not modelled");
    }
    write_lanes(p, e, 0,
                shifted(read_lanes<uint8_t>(p, e, 1), read_lanes<uint8_t>(p, e, 3), amount, from));
}

// Four look-ups at the addresses in the low or high four 32-bit lanes of a vector. A table keeps
// two copies, 16 bytes of one beside 16 bytes of the other, and an address counts the bytes of
// both: element i of E bytes has address 2 E i. The second and fourth look-up take the second copy.
// This is how compiled code's tables are laid out and addressed (amd/Triton-XDNA,
// examples/sigmoid: getExpBf16). 64 bits come back; what follows the element in its 16 bytes comes
// with it, then zeros (silicon-questions). Parameter: E, and kHigh.
constexpr uint32_t kHigh = 64;

void finish_look_up(Pipeline& p, const Exec& e, LateData& data) {
    const uint32_t element = e.parameter & ~kHigh;
    const size_t first = e.parameter & kHigh ? 4 : 0;
    std::array<std::array<uint8_t, 8>, 4> out{};
    for (uint32_t i = 0; i < out.size(); ++i) {
        const uint32_t address = data.cells[0].words[first + i] & 0xFFFFF;
        std::array<uint8_t, 16> line;
        p.load((address & ~31U) + i % 2 * 16, line.data(), 16);
        const size_t at = address % 32 / 2 & ~(element - 1);
        std::copy_n(&line[at], std::min<size_t>(8, 16 - at), out[i].begin());
    }
    write_lanes(p, e, 0, std::bit_cast<std::array<uint64_t, 4>>(out));
}
void look_up(Pipeline& p, const Exec& e) {
    p.read_cells<1>(e, 1, p.later(e, e.operation->memory_cycle, finish_look_up).cells.data());
}

constexpr Semantics kRows[] = {
    {"vshuffle", shuffle},
    {"vshift", shift},
    {"vshift.align", shift_align},
    {"vbcstshfl.8", broadcast_shuffle<int8_t>},
    {"vbcstshfl.16", broadcast_shuffle<int16_t>},
    {"vbcstshfl.32", broadcast_shuffle<int32_t>},
    {"vbcstshfl.64", broadcast_shuffle<int64_t>},
    {"vldb.4x16.lo", look_up, 2},
    {"vldb.4x16.hi", look_up, 2 | kHigh},
    {"vldb.4x32.lo", look_up, 4},
    {"vldb.4x32.hi", look_up, 4 | kHigh},
    {"vldb.4x64.lo", look_up, 8},
    {"vldb.4x64.hi", look_up, 8 | kHigh},
};

}  // namespace

std::span<const Semantics> vector_permute_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
