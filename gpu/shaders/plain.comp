// Any device: a workgroup's tile of A and B in shared memory, kPartM x kPartN of C an invocation.
// INTEGER: i32 sums. DOT: four k in one word, through the packed dot product. STORE_F16: C is f16.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#ifdef STORE_F16
#extension GL_EXT_shader_16bit_storage : require
#endif
#ifdef DOT
#extension GL_EXT_integer_dot_product : require
#endif
#include "common.glsl"

layout(binding = 0, std430) readonly buffer A { uint words_a[]; };
layout(binding = 1, std430) readonly buffer B { uint words_b[]; };
layout(binding = 3, std430) readonly buffer ScalesA { uint scales_a[]; };

#ifdef INTEGER
#define SUM int
#else
#define SUM float
#endif
#ifdef STORE_F16
layout(binding = 2, std430) writeonly buffer C { float16_t c[]; };
#define STORED(sum) float16_t(sum)
#else
layout(binding = 2, std430) writeonly buffer C { SUM c[]; };
#define STORED(sum) (sum)
#endif
#ifdef DOT
const uint kPack = 4;
#else
const uint kPack = 1;
#endif

// One column of padding: neighbours in k are in different banks.
const uint kStrideA = kBlockM + 1;
const uint kStrideB = kBlockN + 1;
shared SUM tile_a[kBlockK / kPack * kStrideA];
shared SUM tile_b[kBlockK / kPack * kStrideB];

SUM element_a(uint index) {
    uint word = words_a[word_of(kTypeA, index)];
#ifdef INTEGER
    return integer_in(kTypeA, word, index);
#else
    float value = float_in(kTypeA, word, index);
    if (kTypeA == Q4 || kTypeA == Q8) {
        uint block = index / 32;
        value *= unpackHalf2x16(half_in(scales_a[block / 2], block)).x;
    }
    return value;
#endif
}

SUM element_b(uint index) {
    uint word = words_b[word_of(kTypeB, index)];
#ifdef INTEGER
    return integer_in(kTypeB, word, index);
#else
    return float_in(kTypeB, word, index);
#endif
}

SUM staged_a(uint base, uint row, uint k, uint k_end) {
    SUM staged = SUM(0);
    for (uint i = 0; i < kPack; i++) {
        if (row < p.m && k + i < k_end) {
            SUM value = element_a(base + (kTransA ? (k + i) * p.stride_a + row : row * p.stride_a + k + i));
#ifdef DOT
            staged |= (value & 0xff) << (8 * i);
#else
            staged = value;
#endif
        }
    }
    return staged;
}

SUM staged_b(uint base, uint column, uint k, uint k_end) {
    SUM staged = SUM(0);
    for (uint i = 0; i < kPack; i++) {
        if (column < p.n && k + i < k_end) {
            SUM value = element_b(base + (kTransB ? column * p.stride_b + k + i : (k + i) * p.stride_b + column));
#ifdef DOT
            staged |= (value & 0xff) << (8 * i);
#else
            staged = value;
#endif
        }
    }
    return staged;
}

void main() {
    Tile tile = tile_of_workgroup();
    const uint kSteps = kBlockK / kPack;
    const uint kAcross = kBlockN / kPartN;
    uint invocation = gl_LocalInvocationIndex;
    // Parts interleave: neighbouring invocations read neighbouring columns.
    uint first_m = invocation / kAcross;
    uint first_n = invocation % kAcross;
    const uint kDown = kBlockM / kPartM;

    SUM sum[kPartM * kPartN];
    [[unroll]] for (uint i = 0; i < kPartM * kPartN; i++) {
        sum[i] = SUM(0);
    }
    for (uint k = tile.k; k < tile.k_end; k += kBlockK) {
        // Neighbouring invocations read neighbouring elements of a stored row.
        for (uint i = invocation; i < kBlockM * kSteps; i += gl_WorkGroupSize.x) {
            uint row = kTransA ? i % kBlockM : i / kSteps;
            uint step = kTransA ? i / kBlockM : i % kSteps;
            tile_a[step * kStrideA + row] = staged_a(tile.a, tile.m + row, k + step * kPack, tile.k_end);
        }
        for (uint i = invocation; i < kBlockN * kSteps; i += gl_WorkGroupSize.x) {
            uint column = kTransB ? i / kSteps : i % kBlockN;
            uint step = kTransB ? i % kSteps : i / kBlockN;
            tile_b[step * kStrideB + column] = staged_b(tile.b, tile.n + column, k + step * kPack, tile.k_end);
        }
        barrier();
        for (uint step = 0; step < kSteps; step++) {
            SUM a[kPartM];
            SUM b[kPartN];
            [[unroll]] for (uint i = 0; i < kPartM; i++) {
                a[i] = tile_a[step * kStrideA + first_m + i * kDown];
            }
            [[unroll]] for (uint j = 0; j < kPartN; j++) {
                b[j] = tile_b[step * kStrideB + first_n + j * kAcross];
            }
            [[unroll]] for (uint i = 0; i < kPartM; i++) {
                [[unroll]] for (uint j = 0; j < kPartN; j++) {
#if defined(DOT)
                    sum[i * kPartN + j] += dotPacked4x8EXT(a[i], b[j]);
#elif defined(INTEGER)
                    sum[i * kPartN + j] += a[i] * b[j];
#else
                    sum[i * kPartN + j] = fma(a[i], b[j], sum[i * kPartN + j]);
#endif
                }
            }
        }
        barrier();
    }
    [[unroll]] for (uint i = 0; i < kPartM; i++) {
        [[unroll]] for (uint j = 0; j < kPartN; j++) {
            uint row = tile.m + first_m + i * kDown;
            uint column = tile.n + first_n + j * kAcross;
            if (row < p.m && column < p.n) {
                c[tile.c + (kTransC ? column * tile.stride_c + row : row * tile.stride_c + column)] =
                    STORED(sum[i * kPartN + j]);
            }
        }
    }
}
