// Attention with int8 keys (core.asm has what is around it). Scores are computed as K Q^T, 4 keys x 8
// queries a tile, so that everything about a query is in lane mod 8; probabilities are transposed to
// 4 queries x 8 keys for P V, so that O has rows.
//
//   kBlock, BK: 128 for D = 32 and 64, 32 for D = 128
//   K  [BK/16][D/8][16 keys][8 bytes]
//   Q  [8 groups][1 + D/8][8][8]: transposed in place, a group's header tile becomes MULTIPLIERS
//   Y  exponents, 16 bits, [8 groups][BK/4][4 keys][8 queries]
//   P  replaces them, [8 groups][BK/8][8 queries][8 keys], 128 bytes apart
//
// Regions of data memory, by 16 KiB quarter (two accesses of a cycle to one quarter cost a stall):
//   quarter 0  K, V
//   quarter 1  Q, what belongs to queries: patterns of maxima and limits, sums
//   quarter 2  O, int32 [D/8][64 queries][8]  (D = 128: quarters 2 and 3)
//   quarter 3  Y and P  (D = 128: quarter 1)
//
// Registers of loops. Scores: x0..x3 16 keys, x4, x5 queries, x10 multipliers, x6, x11 scores, x7, x8
// exponents, x9 their maximum, cm0..cm7 a tile each. Probabilities: x0, x1, x6, x7 exponents, then
// bytes, x2..x5 floors, x11 maximum, x10 128, x9 ones, cm8 sums.
//
// Cycles that the assembler's schedules take, in brackets what they would if the fullest slot were
// all (D = 32, 64, 128), with what fills that; tests hold the programs to them, docs/benchmarks.md has
// whole commands:
//   scores         42 (40), 72 (72), 136 (136) a 32 keys x 8 queries: the multiplier, D/8 products and
//                  one by M a tile
//   probabilities  130 (128), 130 (128), 36 (32) a block of 8 queries: mv, 4 a tile (difference, two
//                  shuffles, rounding)

.equ K_BYTES, kBlock * kHeadSize
.equ V_BYTES, K_BYTES
.if kHeadSize == 128
.equ SCORE_SHIFT, 6
.else
.equ SCORE_SHIFT, kHeadSize / 32 + 3
.endif
.equ TILE_KEYS, 4

.equ kK, 0x70000
.equ kV, kK + K_BYTES
.equ kQ, 0x74000
.equ MULTIPLIERS, kQ
.equ MULTIPLIERS_GROUP, (1 + kHeadSize / 8) * 64
.equ BIAS, 0x76200
.equ BIAS_GROUP, 64
.equ MAXIMUM, 0x76400
.equ VISIBLE, 0x76600
.equ SUM, 0x76800
.equ SUM_STEP, 4
.equ MOVED, 0x76900
.equ KEYS, 0x76A40
.equ kO, 0x78000
.if kHeadSize == 128
.equ PARTIAL, 0x76B00
.equ Y, 0x77000
.equ Y_BANK, 1
.else
.equ PARTIAL, 0x77000
.equ Y, 0x7C000
.equ Y_BANK, 3
.endif
.equ INVERSE, Y                     // [64][8] int16: reciprocals, when Y is done with

.macro key_modes
    movxm r10, #0x308               // int8 x int8, 4x8x8
    movxm r12, #0x208               // 4x8x8, Y unsigned: ones by probabilities
    mova r15, #35                   // T8_8x8
.endm
.macro key_lanes
    pointer p0, KEYS
    mova r0, #0
    movxm m0, #16
    .rept 4
    vbcst.16 x0, r0
    vst.128 wl0, [p0], m0
    add r0, r0, #1
    .endr
.endm
.macro key_headers
.endm
.macro key_header
.endm

// Q^T, 8 x 8 bytes at a time, in place.
.macro key_queries
    pointer p0, kQ + 64
    pointer p1, kQ + 64
    dimension 0, 32, kHeadSize / 8, 96
    dimension 1, 32, kHeadSize / 8, 96
    mova r0, #kHeadSize
    .pipeline transpose, r0
    vlda wl0, [p0], #32
    vlda.2d wh0, [p0], d0
    vshuffle x1, x0, x0, r15
    vst wl1, [p1], #32
    vst.2d wh1, [p1], d1
    .endpipeline
.endm

// K and Q^T.
.macro key_addresses
    .if kBlock != 32
    dimension 5, 32, UNITS, 32 - K_BYTES
    dimension 6, 0, UNITS, Q_GROUP
    .endif
.endm

// One eighth of the dot products of 16 keys and 8 queries. The step's keys: x0..x3, queries: \b.
.macro product b, bl, bh, a0, a1, a2, a3, load, step
    vlda \bl, [p1, #64 * column + 64 - 512]
    vlda \bh, [p1, #64 * column + 96 - 512]
    vldb wl0, [p0], #32
    vldb wl1, [p0], #32
    vldb wl2, [p0], #32
    \load wl3, [p0], \step
    .if column == 0
    vmul \a0, x0, \b, r10
    vmul \a1, x1, \b, r10
    vmul \a2, x2, \b, r10
    vmul \a3, x3, \b, r10
    .else
    vmac \a0, \a0, x0, \b, r10
    vmac \a1, \a1, x1, \b, r10
    vmac \a2, \a2, x2, \b, r10
    vmac \a3, \a3, x3, \b, r10
    .endif
    .set column, column + 1
.endm
.macro exponent acc, s, y
    vsrs.s16.s32 x\s, \acc, s0
    vmul \acc, x\s, x10, r11
    vsrs.s16.s32 x\y, \acc, s1
    vst wl\y, [p2], #32
    vst wh\y, [p2], #32
.endm
.macro products a0, a1, a2, a3, load, step
    .set column, 0
    .rept kHeadSize / 16 - 1
    product x4, wl4, wh4, \a0, \a1, \a2, \a3, vldb, #32
    product x5, wl5, wh5, \a0, \a1, \a2, \a3, vldb, #32
    .endr
    product x4, wl4, wh4, \a0, \a1, \a2, \a3, vldb, #32
    product x5, wl5, wh5, \a0, \a1, \a2, \a3, \load, \step
.endm
.macro key_scores
    pointer p0, kK
    pointers groups_of_scores, UNITS, p1, kQ + 512, Q_GROUP, p2, Y, Y_GROUP, p3, PARTIAL, UNITS * 64, p4, 0, 0
    .pipeline scores_loop, r0, 2
    .bank p0, 0
    .bank p1, 1
    .bank p2, Y_BANK
    .bank p3, 1
    vlda wl10, [p1, #-512]
    vlda wh10, [p1, #-480]
    products cm0, cm1, cm2, cm3, vldb, #32
    exponent cm0, 6, 7
    exponent cm1, 11, 8
    vmax_lt.s16 x9, r16, x7, x8
    exponent cm2, 6, 7
    vmax_lt.s16 x9, r16, x9, x7
    exponent cm3, 11, 8
    vmax_lt.s16 x9, r16, x9, x8
    .if kBlock == 32
    products cm4, cm5, cm6, cm7, vldb, #32
    movxm p0, #kK
    padda [p1], #Q_GROUP
    .else
    products cm4, cm5, cm6, cm7, vldb.2d, d5
    padda.2d [p1], d6
    .endif
    exponent cm4, 6, 7
    vmax_lt.s16 x9, r16, x9, x7
    exponent cm5, 11, 8
    vmax_lt.s16 x9, r16, x9, x8
    exponent cm6, 6, 7
    vmax_lt.s16 x9, r16, x9, x7
    exponent cm7, 11, 8
    vmax_lt.s16 x9, r16, x9, x8
    vst wl9, [p3], #32
    vst wh9, [p3], #32
    .endpipeline
.endm

.macro key_mask
.endm
.macro mask x, xl, xh, mod
    vlda \xl, [p0], #32
    vlda \xh, [p0], \mod
    vge.s16 r16, x1, x0
    vsel.16 \x, \x, x11, r16
    vadd.16 x1, x1, x10
    vst \xl, [p1], #32
    vst \xh, [p1], \mod
.endm
.macro key_mask_loop
    .pipeline mask_loop, r0, 2
    vlda wl0, [p2], #32
    vlda wh0, [p2], #32
    vmov x1, x8
    mask x2, wl2, wh2, #32
    mask x3, wl3, wh3, #32
    vmax_lt.s16 x7, r17, x2, x3
    .rept 2
    mask x4, wl4, wh4, #32
    vmax_lt.s16 x7, r17, x7, x4
    mask x5, wl5, wh5, #32
    vmax_lt.s16 x7, r17, x7, x5
    .endr
    mask x2, wl2, wh2, #32
    vmax_lt.s16 x7, r17, x7, x2
    mask x3, wl3, wh3, #Y_GROUP - 512 + 32
    vmax_lt.s16 x7, r17, x7, x3
    vst wl7, [p3], #32
    vst wh7, [p3], #UNITS * 64 - 32
    .endpipeline
.endm

.macro key_maxima
    mova r20, #32
    mova r21, #16
.endm
.macro key_maximum
    vshift x2, x0, x0, r20
    vmax_lt.s16 x0, r16, x0, x2
    vshift x2, x0, x0, r21
    vmax_lt.s16 x0, r16, x0, x2
.endm
.macro key_bias
    vst wl5, [p3], #32
    vst wh5, [p3], #32
.endm

// 8 keys x 8 queries in two tiles, \a and \b: differences, floors and bytes. The next ones'
// differences come before this one's bytes, so that mv need not wait.
.macro differences a, al, ah, b, bl, bh
    vlda \al, [p0], #32
    vlda \ah, [p0], #32
    vldb \bl, [p0], #32
    vldb \bh, [p0], #32
    vmaxdiff_lt.s16 \a, r17, \a, x11
    vmaxdiff_lt.s16 \b, r17, \b, x11
.endm
.macro floors al, ah, bl, bh
    vfloor.s32.bf16 x2, \al, s2
    vfloor.s32.bf16 x3, \ah, s2
    vfloor.s32.bf16 x4, \bl, s2
    vfloor.s32.bf16 x5, \bh, s2
.endm
.macro low_halves a, b
    vshuffle \a, x2, x3, r14
    vshuffle \b, x4, x5, r14
.endm
.macro bytes a, b
    vadd.16 \a, \a, x10
    vadd.16 \b, \b, x10
    vshuffle \a, \a, \b, r9         // T8_64x2_hi: high bytes
    vmac cm8, cm8, x9, \a, r12
    vshuffle x8, \a, \a, r15
    vst wl8, [p1], #32
    vst wh8, [p1], #96
.endm
.macro key_probabilities
    pointers groups_of_probabilities, 1, p0, Y, Y_GROUP, p1, Y, Y_GROUP, p2, BIAS, 64, p3, SUM, 32
    mov p4, p3
    movxm r1, #128
    vbcst.16 x10, r1
    vbcst.8 x9, r9
    .pipeline probabilities_loop, r0, 2
    .bank p0, Y_BANK
    .bank p1, Y_BANK
    .bank p2, 1
    .bank p3, 1
    .bank p4, 1
    vlda wl11, [p2], #32
    vlda wh11, [p2], #32
    vlda amll8, [p3], #32
    differences x0, wl0, wh0, x1, wl1, wh1
    floors wl0, wh0, wl1, wh1
    .rept kBlock / 16 - 1
    differences x6, wl6, wh6, x7, wl7, wh7
    low_halves x0, x1
    floors wl6, wh6, wl7, wh7
    bytes x0, x1
    differences x0, wl0, wh0, x1, wl1, wh1
    low_halves x6, x7
    floors wl0, wh0, wl1, wh1
    bytes x6, x7
    .endr
    differences x6, wl6, wh6, x7, wl7, wh7
    low_halves x0, x1
    floors wl6, wh6, wl7, wh7
    bytes x0, x1
    low_halves x6, x7
    bytes x6, x7
    vst amll8, [p4], #32
    .endpipeline
.endm

// As far apart as MOVED.
.macro key_rescale
.endm
.macro key_sum_offset
    mov dj0, r18
.endm
.macro key_next_sum
    lda r1, [p0], #SUM_STEP
.endm

.include "core.asm"
