// Between lane widths and number formats: UPS, SRS, pack, unpack, bf16; in registers, and fused
// with loads and stores.
#include <algorithm>

#include "emu/core/lanes.hpp"
#include "emu/core/numeric.hpp"
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

Rounding rounding(const Pipeline& p) {
    const uint32_t mode = control(p, Control::kRounding);
    if (!is_rounding(mode)) {
        p.trap("reserved rounding mode " + std::to_string(mode));
    }
    return static_cast<Rounding>(mode);
}
Saturation saturation(const Pipeline& p) {
    const uint32_t mode = control(p, Control::kSaturation);
    if (!is_saturation(mode)) {
        p.trap("reserved saturation mode " + std::to_string(mode));
    }
    return static_cast<Saturation>(mode);
}
void set_status(Pipeline& p, Status status, bool value, unsigned cycle) {
    if (value) {  // sticky
        p.write_atom(static_cast<isa::Atom>(first_status + static_cast<unsigned>(status)), 1,
                     cycle);
    }
}

// The shift register's six bits count from -4 to 59: compiled code shifts by -2 to multiply by 4
// (amd/Triton-XDNA, examples/sigmoid: getExpBf16; the range: silicon-questions).
int srs_amount(uint32_t shift) {
    return static_cast<int>((shift + 4) % 64) - 4;
}

// ---- SRS: accumulator lanes of type A to lanes of type T ----

template <typename T, typename A, size_t N>
std::array<T, N> srs_lanes(std::array<A, N> lanes, int amount, bool is_signed_out, Rounding round,
                           Saturation limit, bool& overflow) {
    if constexpr (sizeof(A) == 4) {
        if (amount < 0 || amount > 31) {
            std::array<int64_t, N> wide;
            std::copy(lanes.begin(), lanes.end(), wide.begin());
            return srs_lanes<T>(wide, amount, is_signed_out, round, limit, overflow);
        }
    } else if (amount < 0) {
        shift_up(lanes, static_cast<unsigned>(-amount), limit);
        amount = 0;
    }
    shift_round(lanes, static_cast<unsigned>(amount), round);
    saturate(lanes, 8 * sizeof(T), is_signed_out, limit, overflow);
    std::array<T, N> out;
    for (size_t i = 0; i < N; ++i) {
        out[i] = static_cast<T>(lanes[i]);
    }
    return out;
}

template <typename A, typename T, size_t Cells>
auto srs(Pipeline& p, const Exec& e, int source, int shift, Sign sign) {
    bool overflow = false;
    const auto out =
        srs_lanes<T>(read_lanes<A, Cells>(p, e, source), srs_amount(p.read(e, shift)),
                     is_signed(p, sign, Control::kSrsSign), rounding(p), saturation(p), overflow);
    set_status(p, Status::kSrsOverflow, overflow, 3);
    return out;
}
// The source operand is half an accumulator (bm) or a whole one (cm).
template <typename A, typename T, Sign S>
void vsrs(Pipeline& p, const Exec& e) {
    // Half of an accumulator fills a vector only if lanes halve.
    if constexpr (sizeof(A) == 2 * sizeof(T)) {
        if (e.operands[1].cells == 2) {
            write_lanes(p, e, 0, srs<A, T, 2>(p, e, 1, 2, S));
            return;
        }
    }
    write_lanes(p, e, 0, srs<A, T, 4>(p, e, 1, 2, S));
}

// Stores of 256 bits computed in the first cycle.
void finish_store(Pipeline& p, const Exec&, LateData& data) {
    p.store(data.address, data.cells.data(), 32);
}
template <typename T, size_t N>
void store_later(Pipeline& p, const Exec& e, const std::array<T, N>& lanes) {
    static_assert(sizeof lanes == sizeof(Cell));
    const uint32_t address = p.address(e);
    LateData& data = p.later(e, e.operation->memory_cycle, finish_store);
    data.address = address;
    data.cells[0] = std::bit_cast<Cell>(lanes);
}
template <typename A, typename T, Sign S>
void store_srs(Pipeline& p, const Exec& e) {
    store_later(p, e, srs<A, T, sizeof(A) / sizeof(T)>(p, e, 0, 1, S));
}

// ---- UPS: lanes of type T to accumulator lanes of type A ----

template <typename T, typename A, size_t N>
std::array<A, N> ups(Pipeline& p, const std::array<T, N>& in, unsigned amount, Sign sign,
                     unsigned status_cycle) {
    const bool is_signed_in = is_signed(p, sign, Control::kUpsSign);
    const Saturation limit = saturation(p);
    std::array<int64_t, N> lanes;
    for (size_t i = 0; i < N; ++i) {
        lanes[i] =
            is_signed_in ? int64_t{in[i]} : int64_t{static_cast<std::make_unsigned_t<T>>(in[i])};
    }
    bool overflow = false;
    if constexpr (sizeof(A) == 4) {
        // 16 bits by up to 63: what leaves 64 bits has left 32 before.
        constexpr unsigned kFar = 47;
        for (int64_t& lane : lanes) {
            lane = amount < kFar ? lane << amount : lane << (kFar - 1);
        }
        saturate(lanes, 32, true, limit, overflow);
        if (amount >= kFar && limit == Saturation::kWrap) {
            lanes.fill(0);
        }
    } else {
        for (int64_t& lane : lanes) {
            lane = static_cast<int64_t>(static_cast<uint64_t>(lane) << amount);
        }
    }
    std::array<A, N> out;
    for (size_t i = 0; i < N; ++i) {
        out[i] = static_cast<A>(lanes[i]);
    }
    set_status(p, Status::kUpsOverflow, overflow, status_cycle);
    return out;
}
template <typename T, typename A, Sign S>
void vups(Pipeline& p, const Exec& e) {
    const unsigned amount = p.read(e, 2) & 63;
    if (e.operands[1].cells == 1) {
        write_lanes(p, e, 0, ups<T, A, 32 / sizeof(T)>(p, read_lanes<T, 1>(p, e, 1), amount, S, 1));
    } else {
        write_lanes(p, e, 0, ups<T, A, 64 / sizeof(T)>(p, read_lanes<T, 2>(p, e, 1), amount, S, 1));
    }
}

template <typename T, typename A, Sign S>
void load_ups_finish(Pipeline& p, const Exec& e, LateData& data) {
    const auto in = carried_lanes<T, 1>(data);
    write_lanes(p, e, 0, ups<T, A, 32 / sizeof(T)>(p, in, p.read(e, 1) & 63, S, 8));
}
// Reads 256 bits of memory into the data of the late step `Next`, run in cycle 7: where loaded
// values, shifts and signs come together.
template <LateHandler Next>
void load_finish_later(Pipeline& p, const Exec& e, LateData& data) {
    p.load(data.address, p.later(e, 7, Next).cells.data(), 32);
}
template <LateHandler Next>
void load_then(Pipeline& p, const Exec& e) {
    const uint32_t address = p.address(e);
    p.later(e, e.operation->memory_cycle, load_finish_later<Next>).address = address;
}

// ---- pack and unpack ----

template <typename From, unsigned Bits>
Cell pack(Pipeline& p, const Exec& e, int source, Sign sign) {
    auto lanes = read_lanes<From>(p, e, source);
    bool overflow = false;  // no status bit
    saturate(lanes, Bits, is_signed(p, sign, Control::kPackSign), saturation(p), overflow);
    std::array<uint8_t, sizeof(Cell)> out;
    for (size_t i = 0; i < out.size(); ++i) {
        if constexpr (Bits == 4) {
            out[i] = static_cast<uint8_t>((lanes[2 * i] & 0xF) | lanes[2 * i + 1] << 4);
        } else {
            out[i] = static_cast<uint8_t>(lanes[i]);
        }
    }
    return std::bit_cast<Cell>(out);
}
template <typename From, unsigned Bits, Sign S>
void vpack(Pipeline& p, const Exec& e) {
    *p.write_cells(e, 0) = pack<From, Bits>(p, e, 1, S);
}
template <typename From, unsigned Bits, Sign S>
void store_pack(Pipeline& p, const Exec& e) {
    store_later(p, e, pack<From, Bits>(p, e, 0, S).words);
}

template <unsigned Bits, typename To>
Lanes<To, 2> unpack(const Pipeline& p, const Cell& in, Sign sign) {
    const auto bytes = std::bit_cast<Lanes<uint8_t, 1>>(in);
    Lanes<To, 2> out;
    for (size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<To>(Bits == 4 ? bytes[i / 2] >> 4 * (i % 2) & 0xF : bytes[i]);
    }
    if (is_signed(p, sign, Control::kUnpackSign)) {
        constexpr To kTop = To{1} << (Bits - 1);
        for (To& lane : out) {
            lane = static_cast<To>((lane ^ kTop) - kTop);
        }
    }
    return out;
}
template <unsigned Bits, typename To, Sign S>
void finish_unpack(Pipeline& p, const Exec& e, LateData& data) {
    write_lanes(p, e, 0, unpack<Bits, To>(p, data.cells[0], S));
}
// The register form reads its source late, as the load form gets its data.
template <unsigned Bits, typename To, Sign S>
void unpack_register(Pipeline& p, const Exec& e, LateData& data) {
    p.read_cells<1>(e, 1, data.cells.data());
    finish_unpack<Bits, To, S>(p, e, data);
}
template <unsigned Bits, typename To, Sign S>
void vunpack(Pipeline& p, const Exec& e) {
    p.later(e, e.operands[1].read_cycle, unpack_register<Bits, To, S>);
}

// ---- bf16 ----

Lanes<uint32_t, 2> widen(const Cell& cell) {
    const auto in = std::bit_cast<Lanes<uint16_t, 1>>(cell);
    Lanes<uint32_t, 2> out;
    std::transform(in.begin(), in.end(), out.begin(), fp32_of_bf16);
    return out;
}
void to_fp32(Pipeline& p, const Exec& e) {
    Cell in;
    p.read_cells<1>(e, 1, &in);
    write_lanes(p, e, 0, widen(in));
}
void load_to_fp32(Pipeline& p, const Exec& e, LateData& data) {
    write_lanes(p, e, 0, widen(data.cells[0]));
}
Lanes<uint16_t, 1> narrow(Pipeline& p, const Exec& e, int source) {
    const auto in = read_lanes<uint32_t>(p, e, source);
    const RoundingRule& when = rule(rounding(p));
    Lanes<uint16_t, 1> out;
    std::transform(in.begin(), in.end(), out.begin(),
                   [&](uint32_t lane) { return bf16_of_fp32(lane, when); });
    return out;
}
void to_bf16(Pipeline& p, const Exec& e) {
    write_lanes(p, e, 0, narrow(p, e, 1));
}
void store_bf16(Pipeline& p, const Exec& e) {
    store_later(p, e, narrow(p, e, 0));
}
void floor_to_int(Pipeline& p, const Exec& e) {
    const auto in = read_lanes<uint16_t, 1>(p, e, 1);
    // The shift register holds six bits; as a scale it counts from -32 to 31.
    const int shift = static_cast<int>(p.read(e, 2) << 26) >> 26;
    Lanes<int32_t, 2> out;
    std::transform(in.begin(), in.end(), out.begin(),
                   [&](uint16_t lane) { return floor_bf16(lane, shift); });
    write_lanes(p, e, 0, out);
}

#define XDNA_UPS(A, a, T, t, letter, S)                                    \
    {"vups.s" a "." letter t, vups<T, A, S>}, {                            \
        "vlda.ups.s" a "." letter t, load_then<load_ups_finish<T, A, (S)>> \
    }
#define XDNA_SRS(A, a, T, t, letter, S)                                                    \
    {"vsrs." letter t ".s" a, vsrs<A, T, S>}, {"vsrsm." letter t ".s" a, vsrs<A, T, S>}, { \
        "vst.srs." letter t ".s" a, store_srs<A, T, S>                                     \
    }
#define XDNA_ACCUMULATOR(row, letter, S)                                                      \
    row(int32_t, "32", int8_t, "8", letter, S), row(int32_t, "32", int16_t, "16", letter, S), \
        row(int64_t, "64", int16_t, "16", letter, S), row(int64_t, "64", int32_t, "32", letter, S)
#define XDNA_PACK(from, From, to, Bits, letter, S)                                          \
    {"vpack." letter to "." letter from, vpack<From, Bits, S>},                             \
        {"vst.pack." letter to "." letter from, store_pack<From, Bits, S>},                 \
        {"vunpack." letter from "." letter to, vunpack<Bits, From, S>}, {                   \
        "vldb.unpack." letter from "." letter to, load_then<finish_unpack<Bits, From, (S)>> \
    }

constexpr Semantics kRows[] = {
    XDNA_ACCUMULATOR(XDNA_UPS, "s", Sign::kSigned),
    XDNA_ACCUMULATOR(XDNA_UPS, "d", Sign::kDynamic),
    XDNA_ACCUMULATOR(XDNA_SRS, "s", Sign::kSigned),
    XDNA_ACCUMULATOR(XDNA_SRS, "d", Sign::kDynamic),
    XDNA_PACK("16", int16_t, "8", 8, "s", Sign::kSigned),
    XDNA_PACK("16", int16_t, "8", 8, "d", Sign::kDynamic),
    XDNA_PACK("8", int8_t, "4", 4, "s", Sign::kSigned),
    XDNA_PACK("8", int8_t, "4", 4, "d", Sign::kDynamic),
    {"vconv.fp32.bf16", to_fp32},
    {"vlda.conv.fp32.bf16", load_then<load_to_fp32>},
    {"vconv.bf16.fp32", to_bf16},
    {"vst.conv.bf16.fp32", store_bf16},
    {"vfloor.s32.bf16", floor_to_int},
};

}  // namespace

std::span<const Semantics> vector_convert_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
