// The vector unit's integer lanes in the mv slot: arithmetic, compares, selects, and what moves
// scalars in and out of vectors. Semantics: notes of aie2_api and AM020 as cited in
// docs/silicon-questions.md where a point is open.
#include <algorithm>

#include "emu/core/lanes.hpp"
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

template <typename T>
using Unsigned = std::make_unsigned_t<T>;

const isa::Atom r29_atom = atom_of(isa::RegisterFile::kR, 29);

template <typename T>
T wrap_add(T a, T b) {
    return static_cast<T>(static_cast<Unsigned<T>>(a) + static_cast<Unsigned<T>>(b));
}
template <typename T>
T wrap_subtract(T a, T b) {
    return static_cast<T>(static_cast<Unsigned<T>>(a) - static_cast<Unsigned<T>>(b));
}

template <typename T>
bool less_than(T a, T b, bool sign) {
    return sign ? a < b : static_cast<Unsigned<T>>(a) < static_cast<Unsigned<T>>(b);
}

// bf16 order: by sign and magnitude, -0 below +0; a NaN is neither below nor above (observed on
// silicon, FIM43-Redeye/xdna-emu, docs/fidelity-gaps/vector-compute.md).
bool is_nan(uint16_t value) {
    return (value & 0x7FFF) > 0x7F80;
}
int32_t bf16_key(uint16_t value) {
    return value & 0x8000 ? -1 - (value & 0x7FFF) : value;
}

// ---- two vectors in, one out ----

template <typename T, T (*F)(T, T)>
void lanewise(Pipeline& p, const Exec& e) {
    const auto a = read_lanes<T>(p, e, 1);
    const auto b = read_lanes<T>(p, e, 2);
    Lanes<T, 2> d;
    for (size_t i = 0; i < d.size(); ++i) {
        d[i] = F(a[i], b[i]);
    }
    write_lanes(p, e, 0, d);
}
uint32_t lane_and(uint32_t a, uint32_t b) {
    return a & b;
}
uint32_t lane_or(uint32_t a, uint32_t b) {
    return a | b;
}

// Bit i of the mask: 0 takes s1 (or adds), 1 takes s2 (or subtracts).
template <typename T, bool Select>
void by_mask(Pipeline& p, const Exec& e) {
    const auto a = read_lanes<T>(p, e, 1);
    const auto b = read_lanes<T>(p, e, 2);
    const uint64_t mask = read_scalar64(p, e, 3);
    Lanes<T, 2> d;
    for (size_t i = 0; i < d.size(); ++i) {
        const bool bit = mask >> i & 1;
        if constexpr (Select) {
            d[i] = bit ? b[i] : a[i];
        } else {
            d[i] = bit ? wrap_subtract(a[i], b[i]) : wrap_add(a[i], b[i]);
        }
    }
    write_lanes(p, e, 0, d);
}

// ---- compares: d, mask <- s1, s2 ----

enum class Compare : uint8_t { kLess, kAtLeast };
enum class Value : uint8_t { kNone, kMaximum, kMinimum, kDifference, kPositiveDifference };

template <typename T, Sign S, Compare C, Value V>
void compare(Pipeline& p, const Exec& e) {
    constexpr int kFirst = V == Value::kNone ? 1 : 2;
    const auto a = read_lanes<T>(p, e, kFirst);
    const auto b = read_lanes<T>(p, e, kFirst + 1);
    const bool sign = is_signed(p, S, Control::kVaddSign);
    uint64_t mask = 0;
    Lanes<T, 2> d;
    for (size_t i = 0; i < d.size(); ++i) {
        const bool less = less_than(a[i], b[i], sign);
        mask |= uint64_t{(C == Compare::kLess) == less} << i;
        if constexpr (V == Value::kMaximum) {
            d[i] = less ? b[i] : a[i];
        } else if constexpr (V == Value::kMinimum) {
            d[i] = less ? a[i] : b[i];
        } else if constexpr (V == Value::kDifference) {
            d[i] = wrap_subtract(a[i], b[i]);
        } else if constexpr (V == Value::kPositiveDifference) {
            d[i] = less ? T{0} : wrap_subtract(a[i], b[i]);
        }
    }
    if constexpr (V != Value::kNone) {
        write_lanes(p, e, 0, d);
    }
    write_scalar64(p, e, kFirst - 1, mask);
}

template <Compare C, Value V>
void compare_bf16(Pipeline& p, const Exec& e) {
    constexpr int kFirst = V == Value::kNone ? 1 : 2;
    const auto a = read_lanes<uint16_t>(p, e, kFirst);
    const auto b = read_lanes<uint16_t>(p, e, kFirst + 1);
    uint64_t mask = 0;
    Lanes<uint16_t, 2> d;
    for (size_t i = 0; i < d.size(); ++i) {
        const bool ordered = !is_nan(a[i]) && !is_nan(b[i]);
        const bool less = bf16_key(a[i]) < bf16_key(b[i]);
        const bool holds = ordered && (C == Compare::kLess) == less;
        mask |= uint64_t{holds} << i;
        // max_lt and min_ge take s2 exactly where their condition holds.
        d[i] = holds ? b[i] : a[i];
    }
    if constexpr (V != Value::kNone) {
        write_lanes(p, e, 0, d);
    }
    write_scalar64(p, e, kFirst - 1, mask);
}

// ---- one vector in: d, mask <- s1 ----

enum class Unary : uint8_t { kAbsolute, kNegate, kComplement };

template <typename T, Sign S, Unary U>
void unary_compare(Pipeline& p, const Exec& e) {
    const auto a = read_lanes<T>(p, e, 2);
    const bool sign = is_signed(p, S, Control::kVaddSign);
    uint64_t mask = 0;
    Lanes<T, 2> d;
    for (size_t i = 0; i < d.size(); ++i) {
        const bool negative = sign && a[i] < 0;
        const bool positive = a[i] != 0 && !negative;
        mask |= uint64_t{U == Unary::kComplement ? negative : positive} << i;
        d[i] = U == Unary::kAbsolute ? (negative ? wrap_subtract(T{0}, a[i]) : a[i])
               : U == Unary::kNegate ? wrap_subtract(T{0}, a[i])
                                     : static_cast<T>(~a[i]);
    }
    write_lanes(p, e, 0, d);
    write_scalar64(p, e, 1, mask);
}

template <typename T>
void equal_zero(Pipeline& p, const Exec& e) {
    const auto a = read_lanes<T>(p, e, 1);
    uint64_t mask = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        mask |= uint64_t{a[i] == 0} << i;
    }
    write_scalar64(p, e, 0, mask);
}

// ---- between scalars and vectors ----

template <typename T>
void broadcast(Pipeline& p, const Exec& e) {
    Lanes<T, 2> d;
    d.fill(static_cast<T>(read_scalar64(p, e, 1)));
    write_lanes(p, e, 0, d);
}
// Lane indices count modulo the number of lanes (silicon-questions).
template <typename T>
void broadcast_lane(Pipeline& p, const Exec& e) {
    const auto a = read_lanes<T>(p, e, 1);
    Lanes<T, 2> d;
    d.fill(a[p.read(e, 2) % a.size()]);
    write_lanes(p, e, 0, d);
}
template <typename T, Sign S>
void extract(Pipeline& p, const Exec& e) {
    const auto a = read_lanes<T>(p, e, 1);
    const T lane = a[p.read(e, 2) % a.size()];
    write_scalar64(p, e, 0,
                   is_signed(p, S, Control::kVaddSign)
                       ? static_cast<uint64_t>(static_cast<int64_t>(lane))
                       : static_cast<uint64_t>(static_cast<Unsigned<T>>(lane)));
}
template <typename T>
void insert(Pipeline& p, const Exec& e) {
    auto d = read_lanes<T>(p, e, 1);
    d[p.state.scalar(r29_atom) % d.size()] = static_cast<T>(read_scalar64(p, e, 2));
    write_lanes(p, e, 0, d);
}
template <typename T>
void push_low(Pipeline& p, const Exec& e) {
    auto d = read_lanes<T>(p, e, 2);
    std::shift_right(d.begin(), d.end(), 1);
    d.front() = static_cast<T>(read_scalar64(p, e, 1));
    write_lanes(p, e, 0, d);
}
template <typename T>
void push_high(Pipeline& p, const Exec& e) {
    auto d = read_lanes<T>(p, e, 1);
    std::shift_left(d.begin(), d.end(), 1);
    d.back() = static_cast<T>(read_scalar64(p, e, 2));
    write_lanes(p, e, 0, d);
}

// ---- moves ----

void move_cells(Pipeline& p, const Exec& e) {
    p.read_cells(e, 1, p.write_cells(e, 0));
}
// 256 bits between accumulators, vectors and masks; a mask is the low 128 bits.
void move_quarter(Pipeline& p, const Exec& e) {
    std::array<Cell, 4> in{};
    p.read_cells(e, 1, in.data());
    if (e.operands[1].cells == 2) {
        std::copy_n(in[1].words.begin(), 2, in[0].words.begin() + 2);
        std::fill(in[0].words.begin() + 4, in[0].words.end(), 0);
    }
    if (e.operands[0].cells == 2) {
        in[1] = {};
        std::copy_n(in[0].words.begin() + 2, 2, in[1].words.begin());
    }
    std::copy_n(in.begin(), e.operands[0].cells, p.write_cells(e, 0));
}

#define XDNA_WIDTHS(row, ...)                                                                   \
    row("8", int8_t __VA_OPT__(, ) __VA_ARGS__), row("16", int16_t __VA_OPT__(, ) __VA_ARGS__), \
        row("32", int32_t __VA_OPT__(, ) __VA_ARGS__)

#define XDNA_PLAIN(w, T)                                                               \
    {"vadd." w, lanewise<T, wrap_add<T>>}, {"vsub." w, lanewise<T, wrap_subtract<T>>}, \
        {"vsel." w, by_mask<T, true>}, {"vaddsub." w, by_mask<T, false>},              \
        {"veqz." w, equal_zero<T>},                                                    \
        {"vneg_gtz" w, unary_compare<T, Sign::kSigned, Unary::kNegate>}, {             \
        "vbneg_ltz.s" w, unary_compare<T, Sign::kSigned, Unary::kComplement>           \
    }

#define XDNA_SIGNED(w, T, letter, S)                                                            \
    {"vlt." letter w, compare<T, S, Compare::kLess, Value::kNone>},                             \
        {"vge." letter w, compare<T, S, Compare::kAtLeast, Value::kNone>},                      \
        {"vmax_lt." letter w, compare<T, S, Compare::kLess, Value::kMaximum>},                  \
        {"vmin_ge." letter w, compare<T, S, Compare::kAtLeast, Value::kMinimum>},               \
        {"vsub_lt." letter w, compare<T, S, Compare::kLess, Value::kDifference>},               \
        {"vsub_ge." letter w, compare<T, S, Compare::kAtLeast, Value::kDifference>},            \
        {"vmaxdiff_lt." letter w, compare<T, S, Compare::kLess, Value::kPositiveDifference>}, { \
        "vabs_gtz." letter w, unary_compare<T, S, Unary::kAbsolute>                             \
    }

#define XDNA_SCALAR(w, T)                                                                      \
    {"vbcst." w, broadcast<T>}, {"vextbcst." w, broadcast_lane<T>}, {"vinsert." w, insert<T>}, \
        {"vpush.lo." w, push_low<T>}, {"vpush.hi." w, push_high<T>},                           \
        {"vextract.s" w, extract<T, Sign::kSigned>}, {                                         \
        "vextract.d" w, extract<T, Sign::kDynamic>                                             \
    }

constexpr Semantics kRows[] = {
    XDNA_WIDTHS(XDNA_PLAIN),
    XDNA_WIDTHS(XDNA_SIGNED, "s", Sign::kSigned),
    XDNA_WIDTHS(XDNA_SIGNED, "d", Sign::kDynamic),
    XDNA_WIDTHS(XDNA_SCALAR),
    XDNA_SCALAR("64", int64_t),
    {"vband", lanewise<uint32_t, lane_and>},
    {"vbor", lanewise<uint32_t, lane_or>},
    {"vlt.bf16", compare_bf16<Compare::kLess, Value::kNone>},
    {"vge.bf16", compare_bf16<Compare::kAtLeast, Value::kNone>},
    {"vmax_lt.bf16", compare_bf16<Compare::kLess, Value::kMaximum>},
    {"vmin_ge.bf16", compare_bf16<Compare::kAtLeast, Value::kMinimum>},
    {"VMOV_mv_x", move_cells},
    {"VMOV_mv_cm", move_cells},
    {"VMOV_mv_w", move_quarter},
};

}  // namespace

std::span<const Semantics> vector_alu_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
