#include "libxdna/cache.hpp"

#ifndef __x86_64__
#error "amdxdna exists on x86-64 only (drivers/accel/amdxdna/Kconfig)"
#endif

#include <cpuid.h>
#include <immintrin.h>

namespace xdna {
namespace {

struct CacheFeatures {
    uintptr_t line;
    bool has_clflushopt;
};

// AMD64 Architecture Programmer's Manual, volume 3, appendix E: function 1 EBX[15:8] is the CLFLUSH
// line in quadwords, function 7 EBX[23] is CLFLUSHOPT.
CacheFeatures query_features() {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    CacheFeatures features{64, false};
    if (__get_cpuid(1, &a, &b, &c, &d) != 0 && ((b >> 8) & 0xff) != 0) {
        features.line = ((b >> 8) & 0xff) * uintptr_t{8};
    }
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) != 0) {
        features.has_clflushopt = (b >> 23 & 1) != 0;
    }
    return features;
}

__attribute__((target("clflushopt"))) void flush_lines_unordered(uintptr_t from, uintptr_t to,
                                                                 uintptr_t line) {
    for (; from < to; from += line) {
        _mm_clflushopt(reinterpret_cast<void*>(from));
    }
}

void flush_lines(uintptr_t from, uintptr_t to, uintptr_t line) {
    for (; from < to; from += line) {
        _mm_clflush(reinterpret_cast<void*>(from));
    }
}

}  // namespace

void flush_cache(const void* begin, uint64_t size) {
    static const CacheFeatures features = query_features();
    if (size == 0) {
        return;
    }
    const auto first = reinterpret_cast<uintptr_t>(begin);
    const uintptr_t from = first & ~(features.line - 1);
    _mm_mfence();
    if (features.has_clflushopt) {
        flush_lines_unordered(from, first + size, features.line);
    } else {
        flush_lines(from, first + size, features.line);
    }
    _mm_mfence();
}

}  // namespace xdna
