// Vectors of the tests as lanes of any width.
#pragma once

#include "tests/unit/core/trial.hpp"

namespace xdna::emu::test {

/// Lane `i` of `bits` bits, sign- or zero-extended.
inline int64_t lane(const Bytes& v, size_t i, unsigned bits, bool is_signed) {
    uint64_t raw = 0;
    if (bits == 4) {
        raw = v[i / 2] >> 4 * (i % 2) & 0xF;
    } else {
        std::memcpy(&raw, &v[i * bits / 8], bits / 8);
    }
    if (is_signed && bits < 64 && raw >> (bits - 1)) {
        raw |= ~0ULL << bits;
    }
    return static_cast<int64_t>(raw);
}
inline void set_lane(Bytes& v, size_t i, unsigned bits, int64_t value) {
    if (bits == 4) {
        uint8_t& byte = v[i / 2];
        byte = static_cast<uint8_t>((byte & ~(0xF << 4 * (i % 2))) | (value & 0xF) << 4 * (i % 2));
    } else {
        std::memcpy(&v[i * bits / 8], &value, bits / 8);
    }
}
/// Lanes of all kinds: any, small, extreme.
inline Bytes lanes(std::mt19937_64& random, size_t size, unsigned bits) {
    Bytes v = random_bytes(random, size);
    for (size_t i = 0; i < size * 8 / bits; ++i) {
        switch (random() % 6) {
            case 0:
                set_lane(v, i, bits, static_cast<int64_t>(random() % 3) - 1);
                break;
            case 1:
                set_lane(v, i, bits,
                         (int64_t{1} << (bits - 1)) - static_cast<int64_t>(random() % 2));
                break;
            default:
                break;
        }
    }
    return v;
}

}  // namespace xdna::emu::test
