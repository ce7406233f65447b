// What differs where keys are int4: the multiplier takes int4 as its second operand only, 4x16x8, so
// scores are computed as Q K^T, 4 queries x 8 keys a tile, and a query is a row of 8 lanes. Then
// probabilities need no transposing; patterns of what belongs to queries do.
//
//   Q  [8 groups][64 bytes of headers, [D/16][2 tiles of 4 queries][4][16 bytes]]
//   K  [BK/16][D/16][2 tiles of 8 keys][16 columns][8 keys], int4
//   V  int4: [BK/16][D/8][16 keys][8 columns]
//   Y  [8 groups][BK/8][2 tiles][4 queries][8 keys]; int4 V: probabilities replace them as
//      [8 groups][BK/16][2 tiles][4 queries][16 keys], 256 bytes apart
//   MULTIPLIER, BIAS  [8 groups][2 tiles][4 queries][8 times]
//   SUM  [64 queries][4], of which the first counts
//   PARTIAL  [8 groups][UNITS][8 queries][4]
//
// Cycles a block (D = 32, 64, 128), and what binds:
//   scores        32, 40, 72 a 32 keys x 8 queries: stores; the multiplier, D/16 products and one by
//                 M a tile
//   probabilities 4 a tile, 3.5 with int8 V: mv
//   values, int4  (BK + 32) / 4 a 8 queries x 16 columns: loads
//
// Registers that stay: r15 and r24..r31 shuffle modes.

.macro row_modes
    movxm r10, #0x300               // int8 x int4, 4x16x8
    movxm r12, #0x100               // the same, X unsigned
    mova r15, #3                    // T16_32x2_hi: every other lane; lo is r14
    mova r24, #18                   // T16_2x32_lo: every lane twice, of one register
    mova r25, #16                   // T32_2x16_lo
    mova r26, #14                   // T64_2x8_lo
    mova r27, #15                   // T64_2x8_hi
    mova r28, #6                    // T64_8x2_lo
    mova r29, #7                    // T64_8x2_hi
    mova r30, #4                    // T32_16x2_lo
    mova r31, #5                    // T32_16x2_hi
.endm

// 8 lanes of \x, 4 times, to 4 lanes, 8 times each, in \low, and the others in \high.
.macro row_pattern x, low, high
    vshuffle \high, \x, \x, r24
    vshuffle \high, \high, \high, r25
    vshuffle \low, \high, \high, r26
    vshuffle \high, \high, \high, r27
.endm

// KEYS: 0 to 7, 4 times.
.macro row_keys
    pointer p0, KEYS
    movxm r0, #0x10000
    movxm r1, #0x30002
    movxm r2, #0x50004
    movxm r3, #0x70006
    .rept 4
    st r0, [p0], #4
    st r1, [p0], #4
    st r2, [p0], #4
    st r3, [p0], #4
    .endr
.endm

.macro row_headers
    pointer p0, kQ
    pointer p1, MULTIPLIER
    pointer p2, VISIBLE
    movxm m1, #16
    movxm m3, #Q_GROUP - 32
    mova r0, #GROUPS
    mova r5, #28                    // T16_8x4
    mova r6, #16
    .pipeline headers, r0
    vlda wl0, [p0], #32
    vlda wh0, [p0], m3
    vshuffle x1, x0, x0, r5
    row_pattern x1, x2, x3
    vst wl2, [p1], #32
    vst wh2, [p1], #32
    vst wl3, [p1], #32
    vst wh3, [p1], #32
    vshift x4, x1, x1, r6
    vst.128 wl4, [p2], m1
    vst.128 wl4, [p2], m1
    vst.128 wl4, [p2], m1
    vst.128 wl4, [p2], m1
    .endpipeline
.endm

// From 8 bytes of 8 queries to 16 bytes of 4, in place.
.macro row_queries
    pointer p0, kQ + 64
    pointer p1, kQ + 64
    dimension 0, 32, kHeadSize / 16, 96
    dimension 1, 32, kHeadSize / 16, 96
    mova r0, #kHeadSize / 2
    .pipeline transpose, r0
    vlda wl0, [p0], #32
    vlda wh0, [p0], #32
    vlda wl1, [p0], #32
    vlda.2d wh1, [p0], d0
    vshuffle x2, x0, x1, r26
    vshuffle x3, x0, x1, r27
    vst wl2, [p1], #32
    vst wh2, [p1], #32
    vst wl3, [p1], #32
    vst.2d wh3, [p1], d1
    .endpipeline
.endm

// Sixteen columns of 8 queries, x\q and x\r, by 16 keys, x2 and x3.
.macro row_product q, r, a0, a1, a2, a3, load, step
    vlda wl\q, [p1, #128 * column - 512]
    vlda wh\q, [p1, #128 * column - 480]
    vlda wl\r, [p1, #128 * column - 448]
    vlda wh\r, [p1, #128 * column - 416]
    vldb wl2, [p0], #32
    vldb wh2, [p0], #32
    vldb wl3, [p0], #32
    \load wh3, [p0], \step
    .if column == 0
    vmul \a0, x\q, x2, r10
    vmul \a1, x\r, x2, r10
    vmul \a3, x\r, x3, r10
    vmul \a2, x\q, x3, r10
    .else
    vmac \a0, \a0, x\q, x2, r10
    vmac \a1, \a1, x\r, x2, r10
    vmac \a3, \a3, x\r, x3, r10
    vmac \a2, \a2, x\q, x3, r10
    .endif
    .set column, column + 1
.endm
.macro row_products a0, a1, a2, a3, load, step
    .set column, 0
    .rept kHeadSize / 32 - 1
    row_product 0, 1, \a0, \a1, \a2, \a3, vldb, #32
    row_product 4, 5, \a0, \a1, \a2, \a3, vldb, #32
    .endr
    row_product 0, 1, \a0, \a1, \a2, \a3, vldb, #32
    row_product 4, 5, \a0, \a1, \a2, \a3, \load, \step
.endm
// The largest of a query's scores gives the largest exponent, so only its exponent is taken to a
// register: the others are shifted on their way to memory.
.macro row_exponent i, multiplier, s
    vsrs.s16.s32 x\s, cm\i, s0
    vmul cm\i, x\s, \multiplier, r11
    vst.srs.s16.s32 bml\i, s1, [p2], #32
    vst.srs.s16.s32 bmh\i, s1, [p2], #32
.endm
// Maxima of 4 queries in each of \a and \b to [8 queries][4] in \a.
.macro row_partial a, b, t
    vshuffle \t, \a, \b, r28
    vshuffle \a, \a, \b, r29
    vmax_lt.s16 \a, r16, \a, \t
.endm

// r5 groups from r4 on; p0 K, p1 their queries, p2 Y, p3 PARTIAL.
.macro row_scores
    movxm r0, #128
    mul r0, r0, r4
    movxm r1, #MULTIPLIER
    add r0, r0, r1
    mov p4, r0
    dimension 0, 32, UNITS, 32 - K_BYTES
    dimension 1, 0, UNITS, Q_GROUP
    dimension 2, -96, UNITS, 32
    mova r0, #UNITS
    mul r0, r0, r5
    .pipeline scores_loop, r0, 2
    .bank p0, 0
    .bank p1, 1
    .bank p2, Y_BANK
    .bank p3, 1
    .bank p4, 1
    vlda wl6, [p4], #32
    vlda wh6, [p4], #32
    vlda wl7, [p4], #32
    vlda.2d wh7, [p4], d2
    row_products cm0, cm1, cm2, cm3, vldb, #32
    row_exponent 0, x6, 10
    row_exponent 1, x7, 11
    row_exponent 2, x6, 8
    vmax_lt.s16 x10, r16, x10, x8
    row_exponent 3, x7, 9
    vmax_lt.s16 x11, r16, x11, x9
    row_products cm4, cm5, cm6, cm7, vldb.2d, d0
    padda.2d [p1], d1
    row_exponent 4, x6, 8
    vmax_lt.s16 x10, r16, x10, x8
    row_exponent 5, x7, 9
    vmax_lt.s16 x11, r16, x11, x9
    row_exponent 6, x6, 8
    vmax_lt.s16 x10, r16, x10, x8
    row_exponent 7, x7, 9
    vmax_lt.s16 x11, r16, x11, x9
    vmul cm8, x10, x6, r11
    vsrs.s16.s32 x10, cm8, s1
    vmul cm8, x11, x7, r11
    vsrs.s16.s32 x11, cm8, s1
    row_partial x10, x11, x8
    vst wl10, [p3], #32
    vst wh10, [p3], #32
    .endpipeline
.endm

// As int8.asm's, with x8 the unit's first 8 keys, p0 and p1 Y, p2 VISIBLE, p3 PARTIAL.
.macro row_mask y, yl, yh, visible, mod
    vlda \yl, [p0], #32
    vlda \yh, [p0], \mod
    vge.s16 r16, x2, \visible
    vsel.16 \y, \y, x11, r16
    vst \yl, [p1], #32
    vst \yh, [p1], \mod
.endm
.macro row_mask_loop
    .pipeline mask_loop, r0, 2
    vlda wl0, [p2], #32
    vlda wh0, [p2], #32
    row_pattern x0, x0, x1
    vmov x2, x8
    row_mask x6, wl6, wh6, x0, #32
    row_mask x7, wl7, wh7, x1, #32
    .rept 2
    vadd.16 x2, x2, x10
    row_mask x3, wl3, wh3, x0, #32
    vmax_lt.s16 x6, r17, x6, x3
    row_mask x4, wl4, wh4, x1, #32
    vmax_lt.s16 x7, r17, x7, x4
    .endr
    vadd.16 x2, x2, x10
    row_mask x3, wl3, wh3, x0, #32
    vmax_lt.s16 x6, r17, x6, x3
    row_mask x4, wl4, wh4, x1, m0
    vmax_lt.s16 x7, r17, x7, x4
    row_partial x6, x7, x3
    vst wl6, [p3], #32
    vst wh6, [p3], m1
    .endpipeline
.endm

// The largest of [8 queries][4] in x0, 4 times.
.macro row_maximum
    vshuffle x2, x0, x0, r30
    vshuffle x0, x0, x0, r31
    vmax_lt.s16 x0, r16, x0, x2
    vshuffle x2, x0, x0, r14
    vshuffle x0, x0, x0, r15
    vmax_lt.s16 x0, r16, x0, x2
.endm

// 8 keys of 8 queries: bytes in x\o, and their sums by way of x\y0, x\y1 and x\t0 to x\t3.
.macro row_pair y0, y1, t0, t1, t2, t3, o, word
    vlda wl\y0, [p0], #32
    vlda wh\y0, [p0], #32
    vldb wl\y1, [p0], #32
    vldb wh\y1, [p0], #32
    vmaxdiff_lt.s16 x\y0, r17, x\y0, x11
    vmaxdiff_lt.s16 x\y1, r17, x\y1, x8
    vfloor.s32.bf16 x\t0, wl\y0, s2
    vfloor.s32.bf16 x\t1, wh\y0, s2
    vshuffle x\t0, x\t0, x\t1, r14
    vfloor.s32.bf16 x\t2, wl\y1, s2
    vfloor.s32.bf16 x\t3, wh\y1, s2
    vshuffle x\t2, x\t2, x\t3, r14
    vadd.16 x\t0, x\t0, x10
    vadd.16 x\t2, x\t2, x10
    vshuffle x\o, x\t0, x\t2, r9    // T8_64x2_hi: high bytes
    vmac cm8, cm8, x\o, x9, \word
.endm
.macro row_save x, step
    vst wl\x, [p1], #32
    vst wh\x, [p1], \step
.endm
.if kValueBits == 8
.macro row_quad word
    row_pair 7, 6, 4, 3, 0, 5, 5, \word
    row_save 5, m0
    row_pair 2, 7, 4, 0, 6, 3, 0, r12
    row_save 0, m0
.endm
.else
.macro row_quad word
    row_pair 6, 0, 7, 2, 3, 4, 7, \word
    row_pair 5, 2, 1, 4, 0, 4, 3, r12
    vshuffle x4, x7, x3, r26
    vshuffle x1, x7, x3, r27
    row_save 4, #32
    row_save 1, m0
.endm
.endif

// r5 groups from r4 on: p0 and p1 Y, p2 BIAS, p3 and p4 SUM. A block's sums are put by themselves
// first: 32 keys at a time are as many as the assembler schedules well.
.macro row_probabilities
    movxm r1, #0x1111               // x9 sums 8 keys of a row into 4 lanes, the next 8 into 4 more
    vbcst.32 x9, r1
    movxm r1, #0x11110000
    vbcst.32 x8, r1
    mova r1, #10                    // T256_2x2_lo
    vshuffle x9, x9, x8, r1
    pointer p5, BLOCK_SUM
    mov p6, p5
    dimension 2, -96, UNITS, 32
    dimension 5, -96, UNITS, 32
    mova r20, #0
    mova r21, #UNITS - 1
    mova r0, #UNITS
    mul r0, r0, r5
    .pipeline probabilities_loop, r0, 3
    .bank p0, Y_BANK
    .bank p1, Y_BANK
    .bank p2, 1
    .bank p5, 1
    and r20, r20, r21               // units of the group done: the first starts from zero
    eqz r22, r20
    add r20, r20, #1
    or r22, r22, r12
    vlda wl11, [p2], #32
    vlda wh11, [p2], #32
    vlda wl8, [p2], #32
    vlda.2d wh8, [p2], d2
    row_quad r22
    row_quad r12
    vst amll8, [p5], #32
    vst amlh8, [p5], #32
    vst amhl8, [p5], #32
    vst.2d amhh8, [p5], d5
    .endpipeline
    mov r0, r5
    mova r6, #0
    .pipeline sums_loop, r0, 2
    vlda amll0, [p3], #32
    vlda amlh0, [p3], #32
    vlda amhl0, [p3], #32
    vlda amhh0, [p3], #32
    vlda amll1, [p6], #32
    vlda amlh1, [p6], #32
    vlda amhl1, [p6], #32
    vlda amhh1, [p6], #32
    vadd cm0, cm0, cm1, r6
    vst amll0, [p4], #32
    vst amlh0, [p4], #32
    vst amhl0, [p4], #32
    vst amhh0, [p4], #32
    .endpipeline
.endm

// O += P V, int4 V: r5 groups from r4 on; p0 V, p1 P, p3 and p4 O.
.if kBlock == 128
// 16 keys: x\b0, x\b1 of V, x\a0, x\a1 of the probabilities.
.macro row_value c0, c1, c2, c3, a0, a1, b0, b1, lda, v_step, ldb, p_step
    vlda wl\b0, [p0], #32
    vldb wh\b0, [p0], #32
    vlda wl\b1, [p0], #32
    \lda wh\b1, [p0], \v_step
    vldb wl\a0, [p1], #32
    vldb wh\a0, [p1], #32
    vldb wl\a1, [p1], #32
    \ldb wh\a1, [p1], \p_step
    vmac cm4, \c0, x\a0, x\b0, r12
    vmac cm5, \c1, x\a1, x\b0, r12
    vmac cm7, \c3, x\a1, x\b1, r12
    vmac cm6, \c2, x\a0, x\b1, r12
.endm
.macro row_values
    movxm m5, #kHeadSize * 8 - 96
    movxm m6, #P_STEP
    dimension 0, kHeadSize * 8 - 96 - V_BYTES + 128, kHeadSize / 16, kHeadSize * 8 - 96 - V_BYTES - (kHeadSize / 16 - 1) * 128
    dimension 1, P_STEP - Y_GROUP, kHeadSize / 16, P_STEP
    movxm m2, #TILE_COLUMN - 224
    dimension 3, TILE_COLUMN - 224, kHeadSize / 16, 32 - (kHeadSize / 8 - 1) * TILE_COLUMN
    dimension 4, TILE_COLUMN - 224, kHeadSize / 16, 32 - (kHeadSize / 8 - 1) * TILE_COLUMN
    mova r1, #kHeadSize / 16
    mul r0, r5, r1
    .pipeline values_loop, r0, kHeadSize / 8
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p3, 2
    .bank p4, 2
    .irp i, 0, 1, 2, 3
    vlda amll\i, [p3], #32
    vlda amlh\i, [p3], #32
    vlda amhl\i, [p3], #32
    .if \i == 3
    vlda.2d amhh\i, [p3], d3
    .elseif \i == 1
    vlda amhh\i, [p3], m2
    .else
    vlda amhh\i, [p3], #32
    .endif
    .endr
    row_value cm0, cm1, cm2, cm3, 0, 1, 2, 3, vlda, m5, vldb, m6
    .rept 2
    row_value cm4, cm5, cm6, cm7, 4, 5, 6, 7, vlda, m5, vldb, m6
    row_value cm4, cm5, cm6, cm7, 8, 9, 10, 11, vlda, m5, vldb, m6
    row_value cm4, cm5, cm6, cm7, 0, 1, 2, 3, vlda, m5, vldb, m6
    .endr
    row_value cm4, cm5, cm6, cm7, 4, 5, 6, 7, vlda.2d, d0, vldb.2d, d1
    .irp i, 4, 5, 6, 7
    vst amll\i, [p4], #32
    vst amlh\i, [p4], #32
    vst amhl\i, [p4], #32
    .if \i == 7
    vst.2d amhh\i, [p4], d4
    .elseif \i == 5
    vst amhh\i, [p4], m2
    .else
    vst amhh\i, [p4], #32
    .endif
    .endr
    .endpipeline
.endm
.else
// Two columns of V, one in each half of O, so that loads and stores of O need not meet; they stay in
// registers for two groups. x\a: probabilities of 16 keys.
.macro row_value i, j, a, v, w, p, ldb, step
    vldb wl\a, [\p], #32
    \ldb wh\a, [\p], \step
    vmac cm\i, cm\i, x\a, x\v, r12
    vmac cm\j, cm\j, x\a, x\w, r12
.endm
.macro row_tile i, j, p, ldb, step, lda, vst, near, far, near_to, far_to
    sums \i, p3, \lda, \near
    sums \j, p5, \lda, \far
    row_value \i, \j, 8, 0, 1, \p, vldb, m5
    row_value \i, \j, 9, 2, 3, \p, vldb, m5
    row_value \i, \j, 10, 4, 5, \p, vldb, m5
    row_value \i, \j, 11, 6, 7, \p, \ldb, \step
    save \i, p4, \vst, \near_to
    save \j, p6, \vst, \far_to
.endm
.macro row_values
    mov p5, p3
    movxm m0, #8 * TILE_COLUMN
    padda [p5], m0
    mov p6, p5
    mov p2, p1
    padda [p2], #64
    movxm m5, #224
    dimension 0, 64 - 32 - 7 * 512, kHeadSize / 16, 64 - 32 - 7 * 512 - kHeadSize * 4
    dimension 1, 224 - 2 * Y_GROUP, kHeadSize / 16, 224
    dimension 6, 224 - 2 * Y_GROUP, kHeadSize / 16, 224
    .irp i, 2, 3, 4, 7
    dimension \i, TILE_COLUMN - 480, kHeadSize / 16, 32 - (kHeadSize / 16 - 1) * TILE_COLUMN
    .endr
    mova r1, #-1
    lshl r0, r5, r1
    mova r1, #kHeadSize / 16
    mul r0, r0, r1
    .pipeline values_loop, r0, 3
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p2, Y_BANK
    .bank p3, 2
    .bank p4, 2
    .bank p5, 3
    .bank p6, 3
    .irp i, 0, 1, 2, 3, 4, 5, 6
    vlda wl\i, [p0], #32
    vlda wh\i, [p0], #480
    .endr
    vlda wl7, [p0], #32
    vlda.2d wh7, [p0], d0
    row_tile 0, 1, p1, vldb, m5, vlda, vst, #32, #32, #32, #32
    row_tile 2, 3, p2, vldb, m5, vlda, vst, #32, #32, #32, #32
    row_tile 4, 5, p1, vldb.2d, d1, vlda, vst, #32, #32, #32, #32
    row_tile 6, 7, p2, vldb.2d, d6, vlda.2d, vst.2d, d3, d7, d4, d2
    .endpipeline
.endm
.endif
