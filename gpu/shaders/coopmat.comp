// VK_KHR_cooperative_matrix: tiles of A and B staged in shared memory, kPartM x kPartN of C a subgroup.
// While one step is multiplied out of shared memory, the next one's tiles arrive in registers. They go to
// shared memory as soon as the last fragments have been loaded from it, under that unit's multiplications.
// ELEMENT_F16, ELEMENT_BF16 or ELEMENT_I8 says what is multiplied; block types and i4 become that on
// their way into shared memory.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_cooperative_matrix : require
#include "common.glsl"

#if defined(ELEMENT_I8)
#define ELEMENT int8_t
#define SUM int
#else
#define SUM float
#if defined(ELEMENT_BF16)
#extension GL_EXT_bfloat16 : require
#define ELEMENT bfloat16_t
#else
#define ELEMENT float16_t
#endif
#endif

// What is staged at a time. NARROW: matrix instructions that take eight i8 of k have a place in it, too.
#if defined(NARROW)
#define VECTOR uvec2
const uint kVector = 8;
#elif defined(ELEMENT_I8)
#define VECTOR uvec4
const uint kVector = 16;
#else
#define VECTOR uvec4
const uint kVector = 8;
#endif
const uint kBytes = kVector * (kTypeB == I8 ? 1 : 2);

layout(binding = 0, std430) readonly buffer A { uint words_a[]; };
layout(binding = 0, std430) readonly buffer A64 { uvec2 pairs_a[]; };
layout(binding = 0, std430) readonly buffer A128 { VECTOR vectors_a[]; };
layout(binding = 1, std430) readonly buffer B { uint words_b[]; };
layout(binding = 1, std430) readonly buffer B128 { VECTOR vectors_b[]; };
layout(binding = 2, std430) buffer C { SUM c[]; };
#ifdef ELEMENT_F16
layout(binding = 3, std430) readonly buffer ScalesA { float16_t scales_a[]; };
#endif
#ifndef ELEMENT_I8
layout(binding = 2, std430) buffer C16 { float16_t c16[]; };
#endif

// A stored row of a tile and a vector of padding: rows at one column are in different banks.
const uint kWideA = (kTransA ? kBlockM : kBlockK) / kVector;
const uint kWideB = (kTransB ? kBlockK : kBlockN) / kVector;
const uint kStrideA = kWideA + 1;
const uint kStrideB = kWideB + 1;
const uint kHighA = kTransA ? kBlockK : kBlockM;
const uint kHighB = kTransB ? kBlockN : kBlockK;
shared VECTOR stage_a[kHighA * kStrideA];
shared VECTOR stage_b[kHighB * kStrideB];

const uint kAcross = kBlockN / kPartN;
const uint kSubgroups = kAcross * (kBlockM / kPartM);
const uint kScratch = kUnitM * kUnitN / 4;
shared uvec4 scratch[kCheckC == 0 ? 1 : kSubgroups * kScratch];

const uint kThreads = kSubgroups * kSubgroupSize;
// Invocations beside each other read vectors beside each other, kPass rows at a time.
const uint kPassA = kThreads / kWideA;
const uint kPassB = kThreads / kWideB;
const uint kFetchA = (kHighA + kPassA - 1) / kPassA;
const uint kFetchB = (kHighB + kPassB - 1) / kPassB;

// Eight invocations store at once. Where they have more than one row, those rows must not meet in a bank: with a
// stride of an odd number of vectors (of 16 bytes), rows four apart are half the banks apart, rows two apart a quarter.
uint row_of(uint invocation, uint wide) {
    uint row = invocation / wide;
    return wide == 4   ? (row & ~7u) | (row & 1) << 2 | (row >> 1 & 3)
           : wide == 2 ? (row & ~7u) | (row & 3) << 1 | (row >> 2 & 1)
                       : row;
}

// What is read of an operand: a vector's elements as stored; a block type's scale beside them in w.
uvec4 raw_a(uint index) {
    if (kTypeA == Q4) {
#ifdef ELEMENT_F16
        return uvec4(words_a[index / 8], 0, 0, uint(float16BitsToUint16(scales_a[index / 32])));
#endif
    }
    if (kTypeA == Q8) {
#ifdef ELEMENT_F16
        return uvec4(pairs_a[index / 8], 0, uint(float16BitsToUint16(scales_a[index / 32])));
#endif
    }
    if (kTypeA == I4) {
#ifdef NARROW
        return uvec4(words_a[index / 8], 0, 0, 0);
#else
        return uvec4(pairs_a[index / 16], 0, 0);
#endif
    }
#ifdef NARROW
    return uvec4(vectors_a[index / kVector], 0, 0);
#else
    return vectors_a[index / kVector];
#endif
}

// Element by element, for strides that leave vectors unaligned.
uint bits_a(uint index) {
    uint word = words_a[word_of(kTypeA, index)];
#ifdef ELEMENT_I8
    return uint(integer_in(kTypeA, word, index)) & (kTypeA == I4 ? 0xf : 0xff);
#else
    return half_in(word, index);
#endif
}
uint bits_b(uint index) {
    uint word = words_b[word_of(kTypeB, index)];
#ifdef ELEMENT_I8
    return uint(integer_in(kTypeB, word, index)) & 0xff;
#else
    return half_in(word, index);
#endif
}

uvec4 fetch_a(uint base, uint row, uint column, uint rows, uint columns) {
    uint index = base + row * p.stride_a + column;
    if (kCheckA == 0) {
        return raw_a(index);
    }
    uvec4 raw = uvec4(0);
    if (kCheckA == 1) {
        if (row < rows && column < columns) {
            raw = raw_a(index);
        }
    } else if (row < rows) {
        uint bits = kTypeA == I4 ? 4 : kBytes * 8 / kVector;
        uint count = min(kVector, columns - min(column, columns));
        [[dont_unroll]] for (uint i = 0; i < count; i++) {
            raw[i * bits / 32] |= bits_a(index + i) << (i * bits % 32);
        }
    }
    return raw;
}
VECTOR fetch_b(uint base, uint row, uint column, uint rows, uint columns) {
    uint index = base + row * p.stride_b + column;
    if (kCheckB == 0) {
        return vectors_b[index / kVector];
    }
    VECTOR raw = VECTOR(0);
    if (kCheckB == 1) {
        if (row < rows && column < columns) {
            raw = vectors_b[index / kVector];
        }
    } else if (row < rows) {
        const uint kBits = kBytes * 8 / kVector;
        uint count = min(kVector, columns - min(column, columns));
        [[dont_unroll]] for (uint i = 0; i < count; i++) {
            raw[i * kBits / 32] |= bits_b(index + i) << (i * kBits % 32);
        }
    }
    return raw;
}

// Integers below 1024 are the low bits of the f16 1024 + integer.
#ifdef ELEMENT_F16
uint scaled(uint biased, float16_t bias, float16_t scale) {
    return packFloat2x16((unpackFloat2x16(biased) - f16vec2(bias)) * f16vec2(scale));
}
#endif

// The elements that are multiplied, out of what was read.
uvec4 staged_a(uvec4 raw) {
#ifdef ELEMENT_F16
    if (kTypeA == Q4) {
        float16_t scale = uint16BitsToFloat16(uint16_t(raw.w));
        uvec4 biased;
        [[unroll]] for (uint i = 0; i < 4; i++) {
            uint two = raw.x >> (8 * i);
            biased[i] = ((two & 0xf) | ((two << 12) & 0xf0000)) ^ 0x64086408;
        }
        [[unroll]] for (uint i = 0; i < 4; i++) {
            biased[i] = scaled(biased[i], float16_t(1032), scale);
        }
        return biased;
    }
    if (kTypeA == Q8) {
        float16_t scale = uint16BitsToFloat16(uint16_t(raw.w));
        uvec4 biased;
        [[unroll]] for (uint i = 0; i < 4; i++) {
            uint two = raw[i / 2] >> (16 * (i % 2));
            biased[i] = scaled(((two & 0xff) | ((two << 8) & 0xff0000)) ^ 0x64806480, float16_t(1152), scale);
        }
        return biased;
    }
#endif
    if (kTypeA == I4) {
        uvec4 bytes;
        [[unroll]] for (uint i = 0; i < 4; i++) {
            uint four = raw[i / 2] >> (16 * (i % 2));
            uint spread = (four & 0xf) | ((four & 0xf0) << 4) | ((four & 0xf00) << 8) | ((four & 0xf000) << 12);
            bytes[i] = spread | ((spread & 0x08080808) * 0x1e);  // signs
        }
        return bytes;
    }
    return raw;
}

void main() {
    Tile tile = tile_of_workgroup();
    uint subgroup_m = gl_SubgroupID / kAcross * kPartM;
    uint subgroup_n = gl_SubgroupID % kAcross * kPartN;
    uint invocation = gl_SubgroupID * kSubgroupSize + gl_SubgroupInvocationID;
    const uint kUnitsM = kPartM / kUnitM;
    const uint kUnitsN = kPartN / kUnitN;

    coopmat<SUM, gl_ScopeSubgroup, kUnitM, kUnitN, gl_MatrixUseAccumulator> sum[kUnitsM * kUnitsN];
    [[unroll]] for (uint i = 0; i < kUnitsM * kUnitsN; i++) {
        sum[i] = coopmat<SUM, gl_ScopeSubgroup, kUnitM, kUnitN, gl_MatrixUseAccumulator>(SUM(0));
    }

    uvec4 next_a[kFetchA];
    VECTOR next_b[kFetchB];
    uint row_a = row_of(invocation, kWideA);
    uint row_b = row_of(invocation, kWideB);
    uint vector_a = invocation % kWideA;
    uint vector_b = invocation % kWideB;
#define EACH_A(i)                                       \
    [[unroll]] for (uint i = 0; i < kFetchA; i++)       \
        if (kHighA % kPassA == 0 || row_a + i * kPassA < kHighA)
#define EACH_B(i)                                       \
    [[unroll]] for (uint i = 0; i < kFetchB; i++)       \
        if (kHighB % kPassB == 0 || row_b + i * kPassB < kHighB)
#define FETCH(at)                                                                                              \
    EACH_A(i) {                                                                                                \
        uint row = row_a + i * kPassA;                                                                         \
        uint column = vector_a * kVector;                                                                      \
        next_a[i] = kTransA ? fetch_a(tile.a, (at) + row, tile.m + column, p.k, p.m)                           \
                            : fetch_a(tile.a, tile.m + row, (at) + column, p.m, p.k);                          \
    }                                                                                                          \
    EACH_B(i) {                                                                                                \
        uint row = row_b + i * kPassB;                                                                         \
        uint column = vector_b * kVector;                                                                      \
        next_b[i] = kTransB ? fetch_b(tile.b, tile.n + row, (at) + column, p.n, p.k)                           \
                            : fetch_b(tile.b, (at) + row, tile.n + column, p.k, p.n);                          \
    }
#define STORE                                                                                                  \
    EACH_A(i) {                                                                                                \
        stage_a[(row_a + i * kPassA) * kStrideA + vector_a] = VECTOR(staged_a(next_a[i]));                     \
    }                                                                                                          \
    EACH_B(i) {                                                                                                \
        stage_b[(row_b + i * kPassB) * kStrideB + vector_b] = next_b[i];                                       \
    }

    // What would be read past the end is the last step again, which nothing multiplies.
    uint last = tile.k + (tile.k_end - tile.k - 1) / kBlockK * kBlockK;
    FETCH(tile.k)
    STORE
    FETCH(min(tile.k + kBlockK, last))
    barrier();
    [[dont_unroll]] for (uint k = tile.k; k < tile.k_end; k += kBlockK) {
        [[unroll]] for (uint unit = 0; unit < kBlockK; unit += kUnitK) {
            coopmat<ELEMENT, gl_ScopeSubgroup, kUnitM, kUnitK, gl_MatrixUseA> a[kUnitsM];
            coopmat<ELEMENT, gl_ScopeSubgroup, kUnitK, kUnitN, gl_MatrixUseB> b[kUnitsN];
            [[unroll]] for (uint i = 0; i < kUnitsM; i++) {
                uint row = subgroup_m + i * kUnitM;
                if (kTransA) {
                    coopMatLoad(a[i], stage_a, unit * kStrideA + row / kVector, kStrideA,
                                gl_CooperativeMatrixLayoutColumnMajor);
                } else {
                    coopMatLoad(a[i], stage_a, row * kStrideA + unit / kVector, kStrideA,
                                gl_CooperativeMatrixLayoutRowMajor);
                }
            }
            [[unroll]] for (uint j = 0; j < kUnitsN; j++) {
                uint column = subgroup_n + j * kUnitN;
                if (kTransB) {
                    coopMatLoad(b[j], stage_b, column * kStrideB + unit / kVector, kStrideB,
                                gl_CooperativeMatrixLayoutColumnMajor);
                } else {
                    coopMatLoad(b[j], stage_b, unit * kStrideB + column / kVector, kStrideB,
                                gl_CooperativeMatrixLayoutRowMajor);
                }
            }
            if (unit + kUnitK == kBlockK) {
                barrier();
                STORE
                FETCH(min(k + 2 * kBlockK, last))
            }
            [[unroll]] for (uint j = 0; j < kUnitsN; j++) {
                [[unroll]] for (uint i = 0; i < kUnitsM; i++) {
                    sum[i * kUnitsN + j] = coopMatMulAdd(a[i], b[j], sum[i * kUnitsN + j]);
                }
            }
        }
        barrier();
    }

    const bool kStoreF16 = kTypeC == F16 && !kSplit;
    // The same for the whole workgroup, as matrix stores and barriers need it.
    bool direct = kCheckC == 0 || (kCheckC == 1 && tile.m + kBlockM <= p.m && tile.n + kBlockN <= p.n);
    [[unroll]] for (uint i = 0; i < kUnitsM; i++) {
        [[unroll]] for (uint j = 0; j < kUnitsN; j++) {
            uint row = tile.m + subgroup_m + i * kUnitM;
            uint column = tile.n + subgroup_n + j * kUnitN;
            if (direct) {
                uint index = tile.c + (kTransC ? column * tile.stride_c + row : row * tile.stride_c + column);
#ifndef ELEMENT_I8
                if (kStoreF16) {
                    coopmat<float16_t, gl_ScopeSubgroup, kUnitM, kUnitN, gl_MatrixUseAccumulator> rounded =
                        coopmat<float16_t, gl_ScopeSubgroup, kUnitM, kUnitN, gl_MatrixUseAccumulator>(sum[i * kUnitsN + j]);
                    if (kTransC) {
                        coopMatStore(rounded, c16, index, tile.stride_c, gl_CooperativeMatrixLayoutColumnMajor);
                    } else {
                        coopMatStore(rounded, c16, index, tile.stride_c, gl_CooperativeMatrixLayoutRowMajor);
                    }
                } else
#endif
                if (kTransC) {
                    coopMatStore(sum[i * kUnitsN + j], c, index, tile.stride_c, gl_CooperativeMatrixLayoutColumnMajor);
                } else {
                    coopMatStore(sum[i * kUnitsN + j], c, index, tile.stride_c, gl_CooperativeMatrixLayoutRowMajor);
                }
            } else {
                uint start = gl_SubgroupID * kScratch;
                coopMatStore(sum[i * kUnitsN + j], scratch, start, kUnitN / 4, gl_CooperativeMatrixLayoutRowMajor);
                barrier();
                for (uint e = gl_SubgroupInvocationID; e < kUnitM * kUnitN; e += kSubgroupSize) {
                    uint at_m = row + e / kUnitN;
                    uint at_n = column + e % kUnitN;
                    if (at_m < p.m && at_n < p.n) {
                        uint bits = scratch[start + e / 4][e % 4];
                        uint index = tile.c + (kTransC ? at_n * tile.stride_c + at_m : at_m * tile.stride_c + at_n);
#ifdef ELEMENT_I8
                        c[index] = int(bits);
#else
                        if (kStoreF16) {
                            c16[index] = float16_t(uintBitsToFloat(bits));
                        } else {
                            c[index] = uintBitsToFloat(bits);
                        }
#endif
                    }
                }
                barrier();
            }
        }
    }
}
