// Attention with int4 keys (core.asm has what is around it). The multiplier takes int4 as its second
// operand only, 4x16x8, so scores are computed as Q K^T, 4 queries x 8 keys a tile, and a query is a
// row of 8 lanes. Then probabilities need no turning; patterns of what belongs to queries do.
//
//   kBlock, BK: 128 for D = 32 and 64; for D = 128 it is 32, and 64 with int4 values
//   Q  [8 groups][64 bytes of headers, [D/16][2 tiles of 4 queries][4][16 bytes]], in place
//   K  [BK/16][D/16][2 tiles of 8 keys][16 columns][8 keys], int4
//   V  int4: [BK/16][D/8][16 keys][8 columns]
//   Y  exponents, 16 bits, [8 groups][BK/8][2 tiles][4 queries][8 keys]
//   P  replaces them, [8 groups][BK/8][2 tiles][4 queries][8 keys], 128 bytes apart; in the program
//      of D = 128 and int4 values [8 groups][BK/16][2 tiles][4 queries][16 keys], 256 bytes apart
//   BIAS, ROW_MULTIPLIERS  [8 groups][2 tiles][4 queries][8 times]; MULTIPLIERS [8 groups][4][8 queries]
//   PARTIAL  maxima of scores, [8 groups][UNITS][8 queries][4]; of exponents in a masked block
//
// Regions of data memory, by 16 KiB quarter (two accesses of a cycle to one quarter cost a stall):
//   quarter 0  K, V
//   quarter 1  Q, what belongs to queries
//   quarter 2  O, int32 [D/8][64 queries][8]  (D = 128: quarters 2 and 3)
//   quarter 3  Y and P  (D = 128: quarter 0)
//
// Registers of loops. Scores: x0, x1 and x4, x5 16 columns of 8 queries, x2, x3 of 16 keys, x6, x7
// multipliers, x8..x11 scores and their maxima, cm0..cm7 a tile each. Probabilities: x0..x2 and x3..x5
// a tile's exponents and floors, x11, x6 maxima, x10 128, x9 ones, x8, x7 ones of odd bytes, cm0..cm3
// bytes, cm7, cm8 sums. int4 values: x0..x3 of V, x4, x5, x8, x9 probabilities of 8 queries x 8 keys,
// x6, x7, x10, x11 of 4 x 16, cm0..cm3 O at first, cm4..cm7 then; at D = 128 x0..x7 of V, x8..x11
// probabilities, cm0..cm7 O.
//
// Cycles that the assembler's schedules take, in brackets what they would if the fullest resource were
// all (D = 32, 64, 128), with what fills that; tests hold the programs to them, docs/benchmarks.md has
// whole commands:
//   scores         29 (26), 42 (40), 84 (80) a 32 keys x 8 queries: stores, 3 a tile; the multiplier,
//                  D/16 products and one by M a tile, and as much the register port that lda and vsrs
//                  share; quarter 0, keys and exponents
//   probabilities  109 (100), 109 (100), 31 (28) a block of 8 queries: st, 3 a tile (two floors, the
//                  bytes) and 4 for sums; 73 (64) at D = 128 with int4 values: mv, 4 a tile
//   int4 values    44 (40), 44 (40) a 8 queries x 16 columns: loads; D = 128: 80 (80) a 32 queries x
//                  16 columns, quarter 0, probabilities and V

.equ K_BYTES, kBlock * kHeadSize / 2
.equ V_BYTES, kBlock * kHeadSize * kValueBits / 8
.if kHeadSize == 128
.equ SCORE_SHIFT, 2
.else
.equ SCORE_SHIFT, kHeadSize / 32 - 1
.endif
.equ TILE_KEYS, 8
.if kBlock == 64
.equ P_PAIRS, 1                     // P is for int4 values that stay in registers
.else
.equ P_PAIRS, 0
.endif
.equ SUM_STEP, 16

.equ kK, 0x70000
.equ kV, kK + K_BYTES
.equ kQ, 0x74000
.equ MAXIMUM, 0x76200
.equ VISIBLE, 0x76400
.equ BIAS, 0x76600
.equ BIAS_GROUP, 128
.equ ROW_MULTIPLIERS, 0x76A00
.equ SUM, 0x76E00
.equ SUM_AT, 0x77200                // [64] where in SUM a query's is
.equ MOVED, 0x77600
.equ ONES, 0x77700                  // multipliers of a masked block's maxima
.equ KEYS, 0x77740
.equ MULTIPLIERS, 0x77780
.equ MULTIPLIERS_GROUP, 64
.equ kO, 0x78000
.if kHeadSize == 128
.equ PARTIAL, 0x77980
.equ Y, kQ - 8 * 16 * kBlock
.equ Y_BANK, 0
.else
.equ PARTIAL, 0x75800
.equ Y, 0x7C000
.equ Y_BANK, 3
.endif
.equ INVERSE, Y                     // [64][8] int16: reciprocals, when Y is done with

.macro key_modes
    movxm r10, #0x300               // int8 x int4, 4x16x8
    movxm r12, #0x100               // the same, X unsigned
    mova r15, #3                    // T16_32x2_hi: every other lane; lo is r14
.endm

// 8 lanes of \x, 4 times, to 4 lanes, 8 times each, in \low, and the others in \high; by T16_2x32_lo,
// T32_2x16_lo, T64_2x8_lo and T64_2x8_hi.
.macro row_pattern x, low, high, twice, four_times, low_half, high_half
    vshuffle \high, \x, \x, \twice
    vshuffle \high, \high, \high, \four_times
    vshuffle \low, \high, \high, \low_half
    vshuffle \high, \high, \high, \high_half
.endm

// KEYS: 0 to 7, 4 times.
.macro key_lanes
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
    pointer p0, ONES
    vbcst.16 x0, r9
    vst wl0, [p0, #0]
    vst wh0, [p0, #32]
    pointer p0, SUM_AT
    pointer p1, SUM_AT
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .if P_PAIRS == 1
    movxm r0, #\i * SUM_STEP
    .else
    movxm r0, #(\i & 3) * 32 + (\i >> 2) * 16
    .endif
    st r0, [p0], #4
    .endr
    movxm r0, #8 * SUM_STEP
    vbcst.32 x1, r0
    vlda wl0, [p1], #32
    .rept 7
    vadd.32 x0, x0, x1
    vst wl0, [p1], #32
    .endr
.endm

.macro key_headers
    pointer p3, ROW_MULTIPLIERS
    mova r20, #18
    mova r21, #16
    mova r22, #14
    mova r23, #15
.endm
.macro key_header
    row_pattern x1, x3, x4, r20, r21, r22, r23
    vst wl3, [p3], #32
    vst wh3, [p3], #32
    vst wl4, [p3], #32
    vst wh4, [p3], #32
.endm

// From 8 bytes of 8 queries to 16 bytes of 4, in place.
.macro key_queries
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
    vshuffle x2, x0, x1, r22
    vshuffle x3, x0, x1, r23
    vst wl2, [p1], #32
    vst wh2, [p1], #32
    vst wl3, [p1], #32
    vst.2d wh3, [p1], d1
    .endpipeline
.endm

// K and Q.
.macro key_addresses
    .if kBlock != 32
    dimension 5, 32, UNITS, 32 - K_BYTES
    dimension 6, 0, UNITS, Q_GROUP
    .endif
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
// Exponents are shifted on their way to memory.
.macro row_exponent i, multiplier, s
    vsrs.s16.s32 x\s, cm\i, s0
    vmul cm\i, x\s, \multiplier, r11
    vst.srs.s16.s32 bml\i, s1, [p2], #32
    vst.srs.s16.s32 bmh\i, s1, [p2], #32
.endm
// Maxima of 4 queries in each of \a and \b to [8 queries][4] in \a.
.macro row_partial a, b, t, lo, hi
    vshuffle \t, \a, \b, \lo
    vshuffle \a, \a, \b, \hi
    vmax_lt.s16 \a, r16, \a, \t
.endm
// The largest of a query's scores has the largest exponent, so that maxima are those of scores. K and
// multipliers come by ldb: lda shares a register port with vsrs.
.macro key_scores
    pointer p0, kK
    pointers groups_of_scores, UNITS, p1, kQ + 64 + 512, Q_GROUP, p2, Y, Y_GROUP, p3, PARTIAL, UNITS * 64, p4, 0, 0
    movxm r17, #ROW_MULTIPLIERS
    mova r18, #7
    lshl r19, r4, r18
    add r19, r19, r17               // of the first group
    mova r18, #0
    movxm r20, #-128
    movxm r21, #128 / UNITS
    mova r22, #6                    // T64_8x2_lo
    mova r23, #7                    // T64_8x2_hi
    mova r31, #0                    // the block is not masked
    .pipeline scores_loop, r0, 3
    .bank p0, 0
    .bank p1, 1
    .bank p2, Y_BANK
    .bank p3, 1
    .bank p4, 1
    and r17, r18, r20
    add r17, r17, r19
    add r18, r18, r21
    mov p4, r17
    vldb wl6, [p4, #0]
    vldb wh6, [p4, #32]
    vldb wl7, [p4, #64]
    vldb wh7, [p4, #96]
    row_products cm0, cm1, cm2, cm3, vldb, #32
    row_exponent 0, x6, 10
    row_exponent 1, x7, 11
    row_exponent 2, x6, 8
    vmax_lt.s16 x10, r16, x10, x8
    row_exponent 3, x7, 9
    vmax_lt.s16 x11, r16, x11, x9
    row_partial x10, x11, x8, r22, r23
    .if kBlock == 32
    row_products cm4, cm5, cm6, cm7, vldb, #32
    movxm p0, #kK
    padda [p1], #Q_GROUP
    .else
    row_products cm4, cm5, cm6, cm7, vldb.2d, d5
    padda.2d [p1], d6
    .endif
    row_exponent 4, x6, 11
    row_exponent 5, x7, 9
    row_exponent 6, x6, 8
    vmax_lt.s16 x11, r16, x11, x8
    row_exponent 7, x7, 8
    vmax_lt.s16 x9, r16, x9, x8
    row_partial x11, x9, x8, r22, r23
    vmax_lt.s16 x11, r16, x11, x10
    vst wl11, [p3], #32
    vst wh11, [p3], #32
    .endpipeline
.endm

.macro key_mask
    mova r31, #1                    // PARTIAL will have exponents
    mova r19, #18
    mova r21, #16
    mova r22, #14
    mova r23, #15
    mova r24, #6
    mova r25, #7
.endm
.macro mask y, yl, yh, visible, mod
    vlda \yl, [p0], #32
    vlda \yh, [p0], \mod
    vge.s16 r16, x2, \visible
    vsel.16 \y, \y, x11, r16
    vst \yl, [p1], #32
    vst \yh, [p1], \mod
.endm
.macro key_mask_loop
    .pipeline mask_loop, r0, 2
    vlda wl0, [p2], #32
    vlda wh0, [p2], #32
    row_pattern x0, x0, x1, r19, r21, r22, r23
    vmov x2, x8
    mask x6, wl6, wh6, x0, #32
    mask x7, wl7, wh7, x1, #32
    .rept 2
    vadd.16 x2, x2, x10
    mask x3, wl3, wh3, x0, #32
    vmax_lt.s16 x6, r17, x6, x3
    mask x4, wl4, wh4, x1, #32
    vmax_lt.s16 x7, r17, x7, x4
    .endr
    vadd.16 x2, x2, x10
    mask x3, wl3, wh3, x0, #32
    vmax_lt.s16 x6, r17, x6, x3
    mask x4, wl4, wh4, x1, #Y_GROUP - 512 + 32
    vmax_lt.s16 x7, r17, x7, x4
    row_partial x6, x7, x3, r24, r25
    vst wl6, [p3], #32
    vst wh6, [p3], #UNITS * 64 - 32
    .endpipeline
.endm

// p5, s3: what makes exponents of a group's PARTIAL.
.macro key_maxima
    mova r20, #16
    mova r7, #15
    mov r27, r31
    movxm r19, #MULTIPLIERS
    mova r21, #6
    lshl r21, r4, r21
    add r19, r19, r21
    movxm r21, #ONES
    sel.nez r19, r21, r19, r27
    movxm r21, #MULTIPLIERS_GROUP
    mova r31, #0
    sel.nez r21, r31, r21, r27
    mov r17, s1
    sel.nez r17, r31, r17, r27
    mov s3, r17
    mova r31, #14
    mova r27, #4
    mova r17, #5
.endm
.macro key_maximum
    vshuffle x2, x0, x0, r27        // T32_16x2_lo
    vshuffle x0, x0, x0, r17        // T32_16x2_hi
    vmax_lt.s16 x0, r16, x0, x2
    vshuffle x2, x0, x0, r14
    vshuffle x0, x0, x0, r15
    vmax_lt.s16 x0, r16, x0, x2
    mov p5, r19
    add r19, r19, r21
    vlda wl2, [p5, #0]
    vlda wh2, [p5, #32]
    vmul cm0, x0, x2, r11
    vsrs.s16.s32 x0, cm0, s3
.endm
.macro key_bias
    row_pattern x5, x8, x7, r22, r20, r31, r7
    vst wl8, [p3], #32
    vst wh8, [p3], #32
    vst wl7, [p3], #32
    vst wh7, [p3], #32
.endm

// Probabilities. Tiles of 4 queries x 8 keys go through six stages, one tile in each, so that a tile
// takes three cycles: differences, floors, their low halves, bytes by the multiplier's way to memory,
// and sums. Those are of high bytes: what is added to 128 and has 1 in odd rows only.
.if P_PAIRS == 0
.equ TILES, kBlock / 4
.macro row_load y
    vldb wl\y, [p0], #32
    vldb wh\y, [p0], #32
.endm
// Of a tile, \y its exponents, \f and \g floors; of the one before, oy, of and og.
.macro row_step y, f, g, bias, oy, of, og, sum, made, stored, step
    .if tile == 3
    vmac cm8, cm7, x\og, \sum, r12
    .elseif tile > 3 && tile < TILES + 3
    vmac cm8, cm8, x\og, \sum, r12
    .endif
    .if tile > 0 && tile < TILES + 1
    vfloor.s32.bf16 x\og, wh\oy, s2
    .endif
    .if tile < TILES
    vmaxdiff_lt.s16 x\y, r17, x\y, \bias
    .endif
    .if tile > 3
    vst.srs.d8.s32 cm\stored, s3, [p1], #\step
    .endif
    .if tile > 1 && tile < TILES + 2
    vmul cm\made, x\f, x9, r16
    vadd.16 x\g, x\f, x10
    .endif
    .if tile > 0 && tile < TILES + 1
    vshuffle x\of, x\of, x\og, r14
    .endif
    .if tile < TILES
    vfloor.s32.bf16 x\f, wl\y, s2
    .endif
    .if tile < TILES - 1
    row_load \oy
    .endif
    .set tile, tile + 1
.endm
.macro key_probabilities
    pointers groups_of_probabilities, 1, p0, Y, Y_GROUP, p2, BIAS, BIAS_GROUP, p3, SUM, 8 * SUM_STEP, p4, 0, 0
    mov p1, p0
    mov p4, p3
    movxm r1, #128
    vbcst.16 x10, r1
    vbcst.16 x9, r9
    mova r1, #0
    vbcst.32 x0, r1
    movxm r1, #0x1111
    vbcst.32 x8, r1
    movxm r1, #0x11110000
    vbcst.32 x7, r1
    mova r1, #16                    // T32_2x16_lo
    vshuffle x8, x0, x8, r1         // x8 sums odd bytes into columns 0 to 3
    vshuffle x7, x0, x7, r1         // and x7 into the others
    movxm r16, #0x138               // int16, lane by lane, X unsigned
    mova r1, #8
    mov s3, r1
    .pipeline probabilities_loop, r0, 2
    .bank p0, Y_BANK
    .bank p1, Y_BANK
    .bank p2, 1
    .bank p3, 1
    .bank p4, 1
    vldb wl11, [p2], #32
    vldb wh11, [p2], #32
    vldb wl6, [p2], #32
    vldb wh6, [p2], #32
    sums 7, p3, vlda, #32
    .set tile, 0
    row_load 0
    .rept TILES / 4 + 1
    row_step 0, 1, 2, x11, 3, 4, 5, x7, 2, 0, 32
    row_step 3, 4, 5, x6, 0, 1, 2, x8, 3, 1, 96
    row_step 0, 1, 2, x11, 3, 4, 5, x7, 0, 2, 32
    row_step 3, 4, 5, x6, 0, 1, 2, x8, 1, 3, 96
    .endr
    save 8, p4, vst, #32
    .endpipeline
.endm
.endif
.if P_PAIRS == 1
// 8 keys of 8 queries: bytes in x\o, and their sums by way of x\y0, x\y1 and x\t0 to x\t3.
.macro row_pair y0, y1, t0, t1, t2, t3, o
    vldb wl\y0, [p0], #32
    vldb wh\y0, [p0], #32
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
    vmac cm8, cm8, x\o, x9, r12
.endm
.macro row_quad
    row_pair 6, 0, 7, 2, 3, 4, 7
    row_pair 5, 2, 1, 4, 0, 4, 3
    vshuffle x4, x7, x3, r18
    vshuffle x1, x7, x3, r19
    vst wl4, [p1], #32
    vst wh4, [p1], #32
    vst wl1, [p1], #32
    vst wh1, [p1], #160
.endm
.macro key_probabilities
    pointers groups_of_probabilities, 1, p0, Y, Y_GROUP, p2, BIAS, BIAS_GROUP, p3, SUM, 8 * SUM_STEP, p4, 0, 0
    mov p1, p0
    mov p4, p3
    movxm r1, #128
    vbcst.16 x10, r1
    movxm r1, #0x1111               // x9 sums 8 keys of a row into 4 lanes, the next 8 into 4 more
    vbcst.32 x9, r1
    movxm r1, #0x11110000
    vbcst.32 x8, r1
    mova r1, #10                    // T256_2x2_lo
    vshuffle x9, x9, x8, r1
    mova r18, #14                   // T64_2x8_lo
    mova r19, #15                   // T64_2x8_hi
    .pipeline probabilities_loop, r0, 2
    .bank p0, Y_BANK
    .bank p1, Y_BANK
    .bank p2, 1
    .bank p3, 1
    .bank p4, 1
    vldb wl11, [p2], #32
    vldb wh11, [p2], #32
    vldb wl8, [p2], #32
    vldb wh8, [p2], #32
    sums 8, p3, vlda, #32
    .rept kBlock / 16
    row_quad
    .endr
    save 8, p4, vst, #32
    .endpipeline
.endm

// O += P V, int4 V, 64 keys. Two columns of V, one in each half of O, so that loads and stores of O
// need not meet; they stay in registers for 32 queries. x\a: probabilities of 16 keys.
.equ PASSES, kHeadSize / 16             // of two columns of O
.macro value_step
.endm
.macro value_addresses
    .irp i, 1, 2, 3, 4
    dimension \i, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    .endr
.endm
.macro row_value i, j, a, v, w, p
    vldb wl\a, [\p], #32
    vldb wh\a, [\p], #224
    vmac cm\i, cm\i, x\a, x\v, r12
    vmac cm\j, cm\j, x\a, x\w, r12
.endm
.macro row_tile i, j, p, lda, vst, near, far, near_to, far_to
    sums \i, p3, \lda, \near
    sums \j, p5, \lda, \far
    row_value \i, \j, 8, 0, 1, \p
    row_value \i, \j, 9, 2, 3, \p
    row_value \i, \j, 10, 4, 5, \p
    row_value \i, \j, 11, 6, 7, \p
    save \i, p4, \vst, \near_to
    save \j, p6, \vst, \far_to
.endm
.macro values_loop
    pointers groups_of_values, PASSES / 4, p1, Y, Y_GROUP, p2, 0, 0, p3, kO, 256, p5, kO + 8 * TILE_COLUMN, 256
    mov p4, p3
    mov p6, p5
    mov r1, p1
    mova r16, #0                    // passes done, by 64
    movxm r17, #kV
    movxm r18, #64
    movxm r19, #(PASSES - 1) * 64
    movxm r20, #-64 * PASSES
    mova r21, #3                    // 64 bytes a pass, 4 groups of Y after PASSES
    .pipeline values_loop, r0, 2
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p2, Y_BANK
    .bank p3, 2
    .bank p4, 2
    .bank p5, 3
    .bank p6, 3
    and r22, r16, r19
    add r22, r22, r17
    mov p0, r22
    and r22, r16, r20
    lshl r22, r22, r21
    add r22, r22, r1
    mov p1, r22
    add r22, r22, r18
    mov p2, r22
    add r16, r16, r18
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    vlda wl\i, [p0], #32
    vlda wh\i, [p0], #480
    .endr
    row_tile 0, 1, p1, vlda, vst, #32, #32, #32, #32
    row_tile 2, 3, p2, vlda, vst, #32, #32, #32, #32
    row_tile 4, 5, p1, vlda, vst, #32, #32, #32, #32
    row_tile 6, 7, p2, vlda, vst, #32, #32, #32, #32
    row_tile 0, 1, p1, vlda, vst, #32, #32, #32, #32
    row_tile 2, 3, p2, vlda, vst, #32, #32, #32, #32
    row_tile 4, 5, p1, vlda, vst, #32, #32, #32, #32
    row_tile 6, 7, p2, vlda.2d, vst.2d, d1, d2, d3, d4
    .endpipeline
.endm
.elseif kValueBits == 4
// O += P V, int4 V: 8 queries x 16 columns at a time. 16 keys: x\v, x\w of V; probabilities of 8 and
// 8 in x\s, x\t become those of 4 queries and 4 in x\a, x\b. O changes accumulators half way, so that
// the next one is loaded while this one is stored; a quarter of V comes by ldb, so that lda and ldb
// have equally much to do.
.macro value_step
.endm
.macro value_addresses
    movxm m0, #TILE_COLUMN - 224
    dimension 1, 96 - Y_GROUP, kHeadSize / 16, 96
    dimension 2, 32 - 7 * kHeadSize * 8, kHeadSize / 16, 32 - V_BYTES
    dimension 3, TILE_COLUMN - 224, kHeadSize / 16, 32 - (kHeadSize / 8 - 1) * TILE_COLUMN
    dimension 4, TILE_COLUMN - 224, kHeadSize / 16, 32 - (kHeadSize / 8 - 1) * TILE_COLUMN
.endm
.macro row_value d0, d1, d2, d3, c0, c1, c2, c3, load, v, w, s, t, a, b, lda, v_step, ldb, p_step
    \load wl\v, [p0], #32
    \load wh\v, [p0], #32
    vlda wl\w, [p0], #32
    \lda wh\w, [p0], \v_step
    vldb wl\s, [p1], #32
    vldb wh\s, [p1], #96
    vldb wl\t, [p1], #32
    \ldb wh\t, [p1], \p_step
    vshuffle x\a, x\s, x\t, r18
    vshuffle x\b, x\s, x\t, r19
    vmac \d0, \c0, x\a, x\v, r12
    vmac \d1, \c1, x\b, x\v, r12
    vmac \d3, \c3, x\b, x\w, r12
    vmac \d2, \c2, x\a, x\w, r12
.endm
.macro values_loop
    pointer p0, kV
    pointers groups_of_values, kHeadSize / 16, p1, Y, Y_GROUP, p3, kO, 256, p4, kO, 256, p5, 0, 0
    mova r18, #14                   // T64_2x8_lo
    mova r19, #15                   // T64_2x8_hi
    .pipeline values_loop, r0, 2
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p3, 2
    .bank p4, 2
    sums 0, p3, vlda, #32
    sums 1, p3, vlda, m0
    sums 2, p3, vlda, #32
    sums 3, p3, vlda.2d, d3
    row_value cm0, cm1, cm2, cm3, cm0, cm1, cm2, cm3, vldb, 0, 1, 4, 5, 6, 7, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm0, cm1, cm2, cm3, cm0, cm1, cm2, cm3, vlda, 2, 3, 8, 9, 10, 11, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm0, cm1, cm2, cm3, cm0, cm1, cm2, cm3, vldb, 0, 1, 4, 5, 6, 7, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm4, cm5, cm6, cm7, cm0, cm1, cm2, cm3, vlda, 2, 3, 8, 9, 10, 11, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm4, cm5, cm6, cm7, cm4, cm5, cm6, cm7, vldb, 0, 1, 4, 5, 6, 7, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm4, cm5, cm6, cm7, cm4, cm5, cm6, cm7, vlda, 2, 3, 8, 9, 10, 11, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm4, cm5, cm6, cm7, cm4, cm5, cm6, cm7, vldb, 0, 1, 4, 5, 6, 7, vlda, #kHeadSize * 8 - 96, vldb, #96
    row_value cm4, cm5, cm6, cm7, cm4, cm5, cm6, cm7, vlda, 2, 3, 8, 9, 10, 11, vlda.2d, d2, vldb.2d, d1
    save 4, p4, vst, #32
    save 5, p4, vst, m0
    save 6, p4, vst, #32
    save 7, p4, vst.2d, d4
    .endpipeline
.endm
.endif

// A sum's place comes from SUM_AT.
.macro key_rescale
    pointer p5, SUM_AT
.endm
.macro key_sum_offset
    lda r18, [p5, dj7]
    mov dj0, r18
.endm
.macro key_next_sum
    lda r23, [p5], #4
    mov dj7, r23
    lda r1, [p0, dj7]
.endm

.include "core.asm"
