// One to eight columns of B: every subgroup walks kPartM rows of A together, eight elements of k an
// invocation, so that A is read once, in one piece, and what is read of B serves all rows. kBlockN is how
// many columns; kCheckA and kCheckB are 1 where whole vectors may be read. A is not transposed.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_arithmetic : require
#ifdef STORE_F16
#extension GL_EXT_shader_16bit_storage : require
#endif
#include "common.glsl"

#ifdef INTEGER
#define SUM int
#else
#define SUM float
#endif
layout(binding = 0, std430) readonly buffer A { uint words_a[]; };
layout(binding = 0, std430) readonly buffer A64 { uvec2 pairs_a[]; };
layout(binding = 0, std430) readonly buffer A128 { uvec4 vectors_a[]; };
layout(binding = 1, std430) readonly buffer B { uint words_b[]; };
layout(binding = 1, std430) readonly buffer B64 { uvec2 pairs_b[]; };
layout(binding = 1, std430) readonly buffer B128 { uvec4 vectors_b[]; };
layout(binding = 3, std430) readonly buffer ScalesA { uint scales_a[]; };
#ifdef STORE_F16
layout(binding = 2, std430) writeonly buffer C { float16_t c[]; };
#define STORED(sum) float16_t(sum)
#else
layout(binding = 2, std430) writeonly buffer C { SUM c[]; };
#define STORED(sum) (sum)
#endif

const uint kSpan = 8;

// Eight elements at an index that is a multiple of eight.
struct Span {
    uvec4 low, high;
};
#define DEFINE_SPAN(name, type, words, pairs, vectors)                                  \
    Span name(uint index) {                                                             \
        Span span = Span(uvec4(0), uvec4(0));                                           \
        if (type == F32) {                                                              \
            span = Span(vectors[index / 4], vectors[index / 4 + 1]);                    \
        } else if (type == F16 || type == BF16) {                                       \
            span.low = vectors[index / 8];                                              \
        } else if (type == I8 || type == Q8) {                                          \
            span.low.xy = pairs[index / 8];                                             \
        } else {                                                                        \
            span.low.x = words[index / 8];                                              \
        }                                                                               \
        return span;                                                                    \
    }
DEFINE_SPAN(span_a, kTypeA, words_a, pairs_a, vectors_a)
DEFINE_SPAN(span_b, kTypeB, words_b, pairs_b, vectors_b)

SUM value_in(uint type, uint word, uint index) {
#ifdef INTEGER
    return integer_in(type, word, index);
#else
    // An integer below 2^23 is the low bits of the f32 2^23 + integer: cheaper than a conversion.
    if (type == Q4) {
        return uintBitsToFloat(((word >> (index % 8 * 4)) & 0xf) ^ 0x4b000008) - 8388616.0;
    }
    if (type == Q8) {
        return uintBitsToFloat(((word >> (index % 4 * 8)) & 0xff) ^ 0x4b000080) - 8388736.0;
    }
    return float_in(type, word, index);
#endif
}

SUM value_of(uint type, Span span, uint i) {
    uint word = word_of(type, i);
    return value_in(type, word < 4 ? span.low[word] : span.high[word - 4], i);
}

void main() {
    uint base_a = gl_WorkGroupID.z * p.batch_a;
    uint base_b = gl_WorkGroupID.z * p.batch_b;
    uint base_c = gl_WorkGroupID.z * p.batch_c;
    const bool kBlocks = kTypeA == Q4 || kTypeA == Q8;
    uint step = gl_NumWorkGroups.x * gl_NumSubgroups * kPartM;
    for (uint row = (gl_WorkGroupID.x * gl_NumSubgroups + gl_SubgroupID) * kPartM; row < p.m; row += step) {
        uint start[kPartM];
        SUM sum[kPartM * kBlockN];
        [[unroll]] for (uint i = 0; i < kPartM; i++) {
            // Rows past the last are the last, and not stored.
            start[i] = base_a + min(row + i, p.m - 1) * p.stride_a;
            [[unroll]] for (uint n = 0; n < kBlockN; n++) {
                sum[i * kBlockN + n] = SUM(0);
            }
        }
        for (uint k = gl_SubgroupInvocationID * kSpan; k < p.k; k += gl_SubgroupSize * kSpan) {
            float scale[kPartM];
            [[unroll]] for (uint i = 0; i < kPartM; i++) {
                scale[i] = 1.0;
                if (kBlocks) {
                    uint block = (start[i] + k) / 32;
                    scale[i] = unpackHalf2x16(half_in(scales_a[block / 2], block)).x;
                }
            }
            if (kCheckA == 1 && kCheckB == 1) {
                Span a[kPartM];
                [[unroll]] for (uint i = 0; i < kPartM; i++) {
                    a[i] = span_a(start[i] + k);
                }
                [[unroll]] for (uint n = 0; n < kBlockN; n++) {
                    Span b = span_b(base_b + n * p.stride_b + k);
                    [[unroll]] for (uint i = 0; i < kPartM; i++) {
                        SUM part = SUM(0);
                        [[unroll]] for (uint j = 0; j < kSpan; j++) {
                            part += value_of(kTypeA, a[i], j) * value_of(kTypeB, b, j);
                        }
                        sum[i * kBlockN + n] += kBlocks ? SUM(scale[i] * part) : part;
                    }
                }
            } else {
                for (uint at = k; at < min(k + kSpan, p.k); at++) {
                    [[unroll]] for (uint i = 0; i < kPartM; i++) {
                        uint index = start[i] + at;
                        SUM a = value_in(kTypeA, words_a[word_of(kTypeA, index)], index);
                        if (kBlocks) {
                            a = SUM(scale[i] * a);
                        }
                        [[unroll]] for (uint n = 0; n < kBlockN; n++) {
                            uint b = base_b + (kTransB ? n * p.stride_b + at : at * p.stride_b + n);
                            sum[i * kBlockN + n] += a * value_in(kTypeB, words_b[word_of(kTypeB, b)], b);
                        }
                    }
                }
            }
        }
        [[unroll]] for (uint i = 0; i < kPartM; i++) {
            [[unroll]] for (uint n = 0; n < kBlockN; n++) {
                SUM total = subgroupAdd(sum[i * kBlockN + n]);
                if (gl_SubgroupInvocationID == 0 && row + i < p.m) {
                    c[base_c + (kTransC ? n * p.stride_c + row + i : (row + i) * p.stride_c + n)] = STORED(total);
                }
            }
        }
    }
}
