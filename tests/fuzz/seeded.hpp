// A fuzz target that starts from a sample instead of from nothing: a container's magic numbers and
// lengths would take long to guess. Include it in one target and define seed().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "libxdna/image/bytes.hpp"

// libFuzzer's, and what it calls here.
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int random);
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace xdna::fuzz {

// The sample; defined by the target.
const image::Bytes& seed();

// What a parser took, its writer has to give back.
inline void expect_same(image::ByteView read, const image::Bytes& written) {
    if (!std::equal(read.begin(), read.end(), written.begin(), written.end())) {
        std::abort();
    }
}

// Word `at` of the bytes, and setting it; nothing where it is outside.
inline uint32_t word(const image::Bytes& bytes, size_t at) {
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0 && at + 4 <= bytes.size();) {
        value = value << 8 | bytes[at + i];
    }
    return value;
}
// Puts NOT(sum of the words before it) at `begin + size - 4`, so that a changed byte gets past it.
inline void repair_checksum(image::Bytes& bytes, uint64_t begin, size_t size) {
    if (begin > bytes.size() || size > bytes.size() - begin) {
        return;
    }
    uint32_t sum = 0;
    for (size_t at = begin; at + 4 < begin + size; at += 4) {
        sum += word(bytes, at);
    }
    for (size_t i = 0; i < 4; ++i) {
        bytes[begin + size - 4 + i] = static_cast<uint8_t>(~sum >> 8 * i);
    }
}

}  // namespace xdna::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int random) {
    const xdna::image::Bytes& seed = xdna::fuzz::seed();
    if ((size < 16 || random % 1024 == 0) && seed.size() <= max_size) {
        std::copy(seed.begin(), seed.end(), data);
        return seed.size();
    }
    return LLVMFuzzerMutate(data, size, max_size);
}
