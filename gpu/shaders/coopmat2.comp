// VK_NV_cooperative_matrix2: a workgroup's tile of C as one matrix, read by tensor addressing, which also
// says what lies outside. How tiles are staged is the driver's affair.
// ELEMENT_F16, ELEMENT_BF16 or ELEMENT_I8 says what is multiplied; BLOCK_Q4 or BLOCK_Q8, what A is stored as.
#version 460
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_NV_cooperative_matrix2 : require
#if defined(BLOCK_Q4) || defined(BLOCK_Q8)
#extension GL_EXT_buffer_reference : require
#endif
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

layout(binding = 1, std430) readonly buffer B { ELEMENT b[]; };
layout(binding = 2, std430) buffer C { SUM c[]; };
#ifndef ELEMENT_I8
layout(binding = 2, std430) buffer C16 { float16_t c16[]; };
#endif

#if defined(BLOCK_Q4) || defined(BLOCK_Q8)
layout(binding = 0, std430) readonly buffer A { uint8_t a[]; };
layout(binding = 3, std430) readonly buffer ScalesA { float16_t scales_a[]; };
// The whole of A begins at tile.a; a block's scale is found by the block's place.
uint first_block;
layout(buffer_reference, std430, buffer_reference_align = 16) buffer Block {
#ifdef BLOCK_Q4
    uint8_t bytes[16];
#else
    int8_t bytes[32];
#endif
};
float16_t decode(const in Block block, const in uint place[2], const in uint inside[2]) {
    float16_t scale = scales_a[first_block + place[0] * (p.stride_a / 32) + place[1]];
#ifdef BLOCK_Q4
    uint two = uint(block.bytes[inside[1] / 2]);
    return float16_t(bitfieldExtract(int(two), int(inside[1] & 1) * 4, 4)) * scale;
#else
    return float16_t(block.bytes[inside[1]]) * scale;
#endif
}
#define A_STRIDE (p.stride_a / 32)
#define DECODE , decode
#define BLOCKED(t) t = setTensorLayoutBlockSizeNV(t, 1, 32)
#else
layout(binding = 0, std430) readonly buffer A { ELEMENT a[]; };
#define A_STRIDE stride_a
#define DECODE
#define BLOCKED(t)
#endif

// What is known of a stride lets the driver read wider: 16 bytes of what B holds.
#ifdef ELEMENT_I8
const uint kVector = 16;
#else
const uint kVector = 8;
#endif

void main() {
    Tile tile = tile_of_workgroup();
    uint stride_a = kCheckA == 2 ? p.stride_a : p.stride_a / kVector * kVector;
    uint stride_b = kCheckB == 2 ? p.stride_b : p.stride_b / kVector * kVector;
    tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> checked_a =
        createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
    tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> checked_b = checked_a;
    tensorLayoutNV<2> whole_a = createTensorLayoutNV(2);
    tensorLayoutNV<2> whole_b = createTensorLayoutNV(2);
    BLOCKED(checked_a);
    BLOCKED(whole_a);
    checked_a = setTensorLayoutDimensionNV(checked_a, kTransA ? p.k : p.m, kTransA ? p.m : p.k);
    checked_b = setTensorLayoutDimensionNV(checked_b, kTransB ? p.n : p.k, kTransB ? p.k : p.n);
    whole_a = setTensorLayoutDimensionNV(whole_a, kTransA ? p.k : p.m, kTransA ? p.m : p.k);
    whole_b = setTensorLayoutDimensionNV(whole_b, kTransB ? p.n : p.k, kTransB ? p.k : p.n);
    checked_a = setTensorLayoutStrideNV(checked_a, A_STRIDE, 1);
    whole_a = setTensorLayoutStrideNV(whole_a, A_STRIDE, 1);
    checked_b = setTensorLayoutStrideNV(checked_b, stride_b, 1);
    whole_b = setTensorLayoutStrideNV(whole_b, stride_b, 1);
    tensorViewNV<2, false, 1, 0> turned = createTensorViewNV(2, false, 1, 0);
    uint start_a = tile.a;
#if defined(BLOCK_Q4) || defined(BLOCK_Q8)
    first_block = tile.a / 32;
#ifdef BLOCK_Q4
    start_a = tile.a / 2;
#endif
#endif

    coopmat<SUM, gl_ScopeWorkgroup, kBlockM, kBlockN, gl_MatrixUseAccumulator> sum =
        coopmat<SUM, gl_ScopeWorkgroup, kBlockM, kBlockN, gl_MatrixUseAccumulator>(SUM(0));
    [[dont_unroll]] for (uint k = tile.k; k < tile.k_end; k += kBlockK) {
        coopmat<ELEMENT, gl_ScopeWorkgroup, kBlockM, kBlockK, gl_MatrixUseA> part_a;
        coopmat<ELEMENT, gl_ScopeWorkgroup, kBlockK, kBlockN, gl_MatrixUseB> part_b;
#define LOAD_A(t)                                                                                            \
    if (kTransA) {                                                                                           \
        coopMatLoadTensorNV(part_a, a, start_a, sliceTensorLayoutNV(t, k, kBlockK, tile.m, kBlockM), turned DECODE); \
    } else {                                                                                                 \
        coopMatLoadTensorNV(part_a, a, start_a, sliceTensorLayoutNV(t, tile.m, kBlockM, k, kBlockK) DECODE); \
    }
#define LOAD_B(t)                                                                                            \
    if (kTransB) {                                                                                           \
        coopMatLoadTensorNV(part_b, b, tile.b, sliceTensorLayoutNV(t, tile.n, kBlockN, k, kBlockK), turned); \
    } else {                                                                                                 \
        coopMatLoadTensorNV(part_b, b, tile.b, sliceTensorLayoutNV(t, k, kBlockK, tile.n, kBlockN));         \
    }
        if (kCheckA == 0) {
            LOAD_A(whole_a)
        } else {
            LOAD_A(checked_a)
        }
        if (kCheckB == 0) {
            LOAD_B(whole_b)
        } else {
            LOAD_B(checked_b)
        }
        sum = coopMatMulAdd(part_a, part_b, sum);
    }

    tensorLayoutNV<2, gl_CooperativeMatrixClampModeConstantNV> layout_c =
        createTensorLayoutNV(2, gl_CooperativeMatrixClampModeConstantNV);
    layout_c = setTensorLayoutDimensionNV(layout_c, kTransC ? p.n : p.m, kTransC ? p.m : p.n);
    layout_c = setTensorLayoutStrideNV(layout_c, tile.stride_c, 1);
    layout_c = kTransC ? sliceTensorLayoutNV(layout_c, tile.n, kBlockN, tile.m, kBlockM)
                           : sliceTensorLayoutNV(layout_c, tile.m, kBlockM, tile.n, kBlockN);
#ifndef ELEMENT_I8
    if (kTypeC == F16 && !kSplit) {
        coopmat<float16_t, gl_ScopeWorkgroup, kBlockM, kBlockN, gl_MatrixUseAccumulator> rounded =
            coopmat<float16_t, gl_ScopeWorkgroup, kBlockM, kBlockN, gl_MatrixUseAccumulator>(sum);
        if (kTransC) {
            coopMatStoreTensorNV(rounded, c16, tile.c, layout_c, turned);
        } else {
            coopMatStoreTensorNV(rounded, c16, tile.c, layout_c);
        }
        return;
    }
#endif
    if (kTransC) {
        coopMatStoreTensorNV(sum, c, tile.c, layout_c, turned);
    } else {
        coopMatStoreTensorNV(sum, c, tile.c, layout_c);
    }
}
