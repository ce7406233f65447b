// Attention of 64 queries over any number of key blocks, one core. Written for one head size D and
// one key block BK (docs/kernels/attention.md has the arithmetic; here is how it is laid out).
//
//   .equ kHeadSize, 32 | 64 | 128      D
//   .equ kBlock, 128 | 128 | 32        BK
//
// What arrives and leaves, each behind two locks:
//   Q  64 queries in 8 groups of 8, each [1 + D/8][8 queries][8 bytes]: headers, then values
//   K  [BK/16][D/8][16 keys][8 bytes]; V the same
//   O  bf16 [D/8][64 queries][8]
//
// A group is 8 queries. Scores are computed as K Q^T, 4 keys x 8 queries a tile, so that everything
// about a query is in lane mod 8; probabilities are transposed to 4 queries x 8 keys for P V, so
// that O has rows. Regions of data memory, by 16 KiB quarter (two accesses of a cycle to one quarter
// cost a stall):
//   quarter 0  K, V
//   quarter 1  Q (transposed in place, a group's header tile becomes its pattern of multipliers),
//              what belongs to queries: patterns of maxima and limits, sums
//   quarter 2  O, int32 [D/8][64 queries][8]  (D = 128: quarters 2 and 3)
//   quarter 3  Y: exponents, 16 bits, [8 groups][BK/4][4 keys][8 queries]; probabilities replace
//              them, [8 groups][BK/8][8 queries][8 keys], 128 bytes apart  (D = 128: quarter 1)
//
// Cycles that the assembler's schedules take, in brackets what they would if the fullest slot were
// all (D = 32, 64, 128); docs/benchmarks.md has whole commands:
//   scores         42 (40), 72, 136 a 32 keys x 8 queries: the multiplier, D/8 products and one by M
//                  a tile
//   probabilities  130 (128), 130 (128), 36 (32) a block of 8 queries: mv, 4 a tile (difference, two
//                  shuffles, rounding)
//   values         128, 128 a 32 queries x 8 columns: the multiplier. BK = 32: 70 (64) a 32 queries
//                  x 16 columns: multiplier, loads and stores of O, all at once
// Values keep V in x0..x7 (64 keys x 8 columns, or 32 x 16) and go by it over 32 queries, whose O is
// in cm0..cm7: a probability tile is loaded for every product, O once a block.
//
// At least four groups see a block: those that see nothing of it are left out by four.

// Registers that stay: r8 -1, r9 1, r10..r15 multiplier words and shuffle modes, s2 16; r2 key block,
// r3 key blocks, r4 first group that sees the block, r6 its first key, r28 how many keys the first
// query of that group sees, r29 how many the first four groups do, r30 the next query's; how
// scores and values address memory: d1 to d6, m0, m7. Loops name the rest.

.equ GROUPS, 8
.equ KV_BYTES, kBlock * kHeadSize
.equ Q_GROUP, (1 + kHeadSize / 8) * 64
.equ Y_GROUP, kBlock * 16
.equ TILE_COLUMN, 64 * 8 * 4        // bytes of 8 columns of O
.equ UNITS, kBlock / 32                 // of 32 keys
.if kBlock == 32
.equ PASSES, kHeadSize / 16             // of two columns of O
.equ FAR_COLUMN, 8 * TILE_COLUMN
.equ V_STEP, kHeadSize * 8 - 96
.equ P_STEP, 32 - 3 * 128               // from the first 4 queries of a group to the next
.equ P_BACK, -3 * Y_GROUP - 3 * 128 - 32
.else
.equ PASSES, kHeadSize / 8              // of a column of O
.equ FAR_COLUMN, 0
.equ V_STEP, kHeadSize * 16 - 96
.equ P_STEP, 128 - 3 * Y_GROUP          // to the next 64 keys
.equ P_BACK, -3 * Y_GROUP - (kBlock / 8 - 1) * 128
.endif

.insert_nops
.include "core.asm"

.equ kK, 0x70000
.equ kV, kK + KV_BYTES
.equ kQ, 0x74000
.equ BIAS, 0x76200                  // [8 groups][32] maximum - 16127, for the exponent
.equ MAXIMUM, 0x76400               // [8 groups][32]
.equ VISIBLE, 0x76600               // [8 groups][32]
.equ SUM, 0x76800                   // [64] int32
.equ SUM_STEP, 4
.equ MOVED, 0x76900                 // [64][2] how far the maximum moved, twice
.equ KEYS, 0x76A40                  // [32] lane / 8
.equ kO, 0x78000
.if kHeadSize == 128
.equ PARTIAL, 0x76B00               // [8 groups][UNITS][32] maxima of 32 keys
.equ Y, 0x77000
.equ Y_BANK, 1
.else
.equ PARTIAL, 0x77000
.equ Y, 0x7C000
.equ Y_BANK, 3
.endif
.equ INVERSE, Y                     // [64][8] int16: reciprocals, when Y is done with

// Up to five pointers to what belongs to the first group that sees the block, 0 or 4, `bytes` a
// group; r0: `count` of each group.
.macro pointers name, count, p, a, pb, q, b, qb, r, c, rb, s, d, sb
    jz r4, #\name
    movxm \p, #\a
    movxm \q, #\b
    movxm \r, #\c
    movxm \s, #\d
    mova r0, #GROUPS * \count
    movxm \p, #\a + 4 * \pb
    movxm \q, #\b + 4 * \qb
    movxm \r, #\c + 4 * \rb
    movxm \s, #\d + 4 * \sb
    mova r0, #GROUPS / 2 * \count
\name:
.endm

.globl _start
_start:
    mova r8, #-1
    mova r9, #1
    movxm r10, #0x308               // int8 x int8, 4x8x8
    movxm r11, #0x338               // int16, lane by lane
    movxm r12, #0x208               // 4x8x8, Y unsigned: ones by probabilities
    movxm r13, #0x108               // 4x8x8, X unsigned: probabilities by V
    mova r14, #2                    // T16_32x2_lo: low halves of 32-bit lanes
    mova r15, #35                   // T8_8x8
    mova r0, #9
    mov crRnd, r0                   // halves up
    mov crSat, r9
    mova r0, #0
    mov crVaddSign, r0              // .d16 is unsigned
    mova r0, #16
    mov s2, r0
    pointer p0, KEYS
    mova r0, #0
    movxm m0, #16
    .rept 4
    vbcst.16 x0, r0
    vst.128 wl0, [p0], m0
    add r0, r0, #1
    .endr

query_block:
    acquire kLockQFull

// Shift and number of key blocks are in every header. 16 bits each.
    pointer p0, kQ
    lda r3, [p0, #4]
    mova r1, #-16
    movxm r0, #0xFFFF
    and r0, r0, r3
    mov s1, r0
    lshl r3, r3, r1
    mova r0, #kHeadSize / 32 + 3
    .if kHeadSize == 128
    mova r0, #6
    .endif
    mov s0, r0

// Headers: 8 x {multiplier, visible, shift, blocks} to a pattern of multipliers, in place, and one
// of visible.
    pointer p1, kQ
    pointer p2, VISIBLE
    movxm m1, #16
    movxm m2, #Q_GROUP - 48
    movxm m3, #Q_GROUP - 32
    mova r0, #GROUPS
    mova r5, #28                    // T16_8x4
    mova r6, #16
    .pipeline headers, r0
    vlda wl0, [p0], #32
    vlda wh0, [p0], m3
    vshuffle x1, x0, x0, r5
    vst.128 wl1, [p1], m1
    vst.128 wl1, [p1], m1
    vst.128 wl1, [p1], m1
    vst.128 wl1, [p1], m2
    vshift x2, x1, x1, r6
    vst.128 wl2, [p2], m1
    vst.128 wl2, [p2], m1
    vst.128 wl2, [p2], m1
    vst.128 wl2, [p2], m1
    .endpipeline

// Q^T, 8 x 8 bytes at a time, in place.
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

    movxm r0, #LOWEST
    vbcst.16 x0, r0
    pointer p0, MAXIMUM
    pointer p1, SUM
    mova r0, #0
    vbcst.32 x1, r0
    .rept 16
    vst wl0, [p0], #32
    .endr
    .rept 8
    vst wl1, [p1], #32
    .endr

// Addressing of values: P of 4 queries and the next 4; O, for reading and writing.
    dimension 1, P_BACK, PASSES, P_BACK + 4 * Y_GROUP
    dimension 3, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    dimension 4, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    .if kBlock == 32
    dimension 2, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    dimension 5, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    movxm m0, #V_STEP
    .else
    dimension 2, P_BACK, PASSES, P_BACK + 4 * Y_GROUP
    movxm m0, #Y_GROUP - 7 * 128
// Of scores: K and Q^T.
    dimension 5, 32, UNITS, 32 - KV_BYTES
    dimension 6, 0, UNITS, Q_GROUP
    .endif
    movxm m7, #P_STEP

    mova r2, #0                     // key block
    mova r4, #0                     // first group
    mova r6, #0                     // first key
    pointer p0, VISIBLE
    lda.u16 r28, [p0, #0]
    pointer p0, VISIBLE + 3 * 64 + 14
    lda.u16 r29, [p0, #0]
    pointer p0, VISIBLE + 4 * 64
    lda.u16 r30, [p0, #0]

key_block:
// Groups go by four. Those that see nothing of the block any more are left out.
    ltu r0, r6, r29
    jnz r0, #scores
    delay_slots
    mova r4, #4
    mov r28, r30
    movxm r29, #0x10000

// --- scores: Y = M (K Q^T), and the largest of each 32 keys ---
scores:
    acq #kLockKFull, r8
    pointer p0, kK
    pointers groups_of_scores, UNITS, p1, kQ + 512, Q_GROUP, p2, Y, Y_GROUP, p3, PARTIAL, UNITS * 64, p4, 0, 0

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
    rel #kLockKFree, r9             // the loop's last loads are long done

// The last key block does not need Q any more.
    add r0, r2, #1
    sub r0, r3, r0
    jnz r0, #queries_stay
    movxm r1, #kBlock
    add r7, r6, r1                  // first key behind the block
    geu r1, r28, r7
    nop
    nop
    rel #kLockQFree, r9
queries_stay:

// --- what a query may not see: exponents of -32768 ---
// Only if the first query of the first group does not see the whole block.
    jnz r1, #maxima
    delay_slots
    pointer p5, KEYS
    vlda wl9, [p5, #0]
    vlda wh9, [p5, #32]
    movxm r0, #-32768
    vbcst.16 x11, r0
    mova r0, #4
    vbcst.16 x10, r0
    mova r1, #0                     // unit
    mov r18, r6                     // its first key
mask_unit:
    vbcst.16 x0, r18
    vadd.16 x8, x9, x0              // the unit's first four keys
    movxm r0, #Y_GROUP
    mul r0, r0, r4
    movxm r20, #Y
    add r0, r0, r20
    movxm r20, #512
    mul r20, r20, r1
    add r0, r0, r20
    mov p0, r0
    mov p1, r0
    movxm r0, #64
    mul r0, r0, r4
    movxm r20, #VISIBLE
    add r0, r0, r20
    mov p2, r0
    movxm r0, #UNITS * 64
    mul r0, r0, r4
    movxm r20, #PARTIAL
    add r0, r0, r20
    movxm r20, #64
    mul r20, r20, r1
    add r0, r0, r20
    mov p3, r0
    mova r0, #GROUPS
    sub r0, r0, r4
    .macro mask x, xl, xh, mod
    vlda \xl, [p0], #32
    vlda \xh, [p0], \mod
    vge.s16 r16, x1, x0
    vsel.16 \x, \x, x11, r16
    vadd.16 x1, x1, x10
    vst \xl, [p1], #32
    vst \xh, [p1], \mod
    .endm
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
    movxm r0, #32
    add r18, r18, r0
    add r1, r1, #1
    mova r0, #UNITS
    sub r0, r0, r1
    jnz r0, #mask_unit
    delay_slots

// --- maxima of the block: whole octaves; how far they moved ---
maxima:
    pointers groups_of_maxima, 1, p0, PARTIAL, UNITS * 64, p1, MAXIMUM, 64, p3, BIAS, 64, p4, MOVED, 32
    mov p2, p1
    movxm r7, #-128
    vbcst.16 x10, r7
    movxm r7, #TOP
    vbcst.16 x9, r7
    movxm r7, #31 * 128
    vbcst.16 x11, r7
    mova r20, #32
    mova r21, #16
    mova r22, #18                   // T16_2x32_lo
    mova r23, #24
    mova r1, #-8
    movxm r5, #0xFF
    mova r24, #0                    // queries whose maximum moved: the first 32
    mova r25, #0                    // and the others
    .pipeline maxima_loop, r0, 2
    .bank p0, 1
    .bank p1, 1
    .bank p2, 1
    .bank p3, 1
    .bank p4, 1
    vlda wl0, [p0], #32
    vlda wh0, [p0], #32
    .rept UNITS - 1
    vlda wl1, [p0], #32
    vlda wh1, [p0], #32
    vmax_lt.s16 x0, r16, x0, x1
    .endr
    vshift x2, x0, x0, r20
    vmax_lt.s16 x0, r16, x0, x2
    vshift x2, x0, x0, r21
    vmax_lt.s16 x0, r16, x0, x2
    vband x0, x0, x10
    vlda wl3, [p1], #32
    vlda wh3, [p1], #32
    vmax_lt.s16 x4, r18, x3, x0
    vst wl4, [p2], #32
    vst wh4, [p2], #32
    vsub.16 x5, x4, x9
    vst wl5, [p3], #32
    vst wh5, [p3], #32
    vsub.16 x6, x4, x3
    vmin_ge.d16 x6, r17, x6, x11
    vshuffle x6, x6, x6, r22
    vst wl6, [p4], #32
    lshl r24, r24, r1
    lshl r26, r25, r23
    or r24, r24, r26
    lshl r25, r25, r1
    and r26, r18, r5
    lshl r26, r26, r23
    or r25, r25, r26
    .endpipeline

// --- where a maximum moved by D octaves, that query's sum and row of O lose D bits ---
    jz r2, #probabilities           // nothing there before the first block
    or r0, r24, r25
    nop
    nop
    nop
    nop
    jz r0, #probabilities
// How many there are. Four, in groups that see the block, at least: the loop overlaps iterations,
// and it does no harm where D is 0.
    mova r0, #15
    or r25, r25, r0
    movxm r0, #0x55555555
    movxm r1, #0x33333333
    movxm r5, #0x0F0F0F0F
    mova r16, #-1
    mova r17, #-2
    lshl r18, r24, r16
    and r18, r18, r0
    sub r18, r24, r18
    lshl r19, r25, r16
    and r19, r19, r0
    sub r19, r25, r19
    and r20, r18, r1
    lshl r18, r18, r17
    and r18, r18, r1
    add r18, r18, r20
    and r20, r19, r1
    lshl r19, r19, r17
    and r19, r19, r1
    add r19, r19, r20
    add r18, r18, r19               // up to 8 in each four bits
    and r19, r18, r5
    mova r16, #-4
    lshl r18, r18, r16
    and r18, r18, r5
    add r18, r18, r19
    movxm r16, #0x01010101
    mul r18, r18, r16
    mova r16, #-24
    lshl r16, r18, r16

    mova r0, #0
    mov s0, r0
    movxm m7, #TILE_COLUMN
    pointer p0, MOVED
    pointer p1, SUM
    pointer r23, kO
    mova r0, #31
    mova r1, #32
    mova r5, #5
    mova r7, #-7
    mova r19, #2
    mova r26, #0
// Registers: r24 queries left of the first 32, then of the others, r25; r26 0, then 32.
    mov r27, r24
    sel.nez r24, r24, r25, r27
    sel.nez r26, r26, r1, r27
    .pipeline rescale_loop, r16, 4
    .bank p2, 2
    .bank p3, 2
    clz r17, r24
    sub r17, r0, r17
    lshl r18, r9, r17
    xor r27, r24, r18
    add r17, r17, r26               // the query
    sel.nez r24, r27, r25, r27
    sel.nez r26, r26, r1, r27
    lshl r18, r17, r19
    mov dj7, r18
    lda.u16 r20, [p0, dj7]          // octaves << 7
    lda r21, [p1, dj7]
    lshl r17, r17, r5
    add r17, r17, r23
    mov p2, r17
    mov p3, r17
    lshl r20, r20, r7
    mov s3, r20
    add r22, r20, #-1
    lshl r22, r9, r22
    add r21, r21, r22
    sub r22, r2, r2
    sub r22, r22, r20
    lshl r21, r21, r22
    st r21, [p1, dj7]
    .irp half, l, h
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .ifdef column_\half\i
    vlda.ups.s64.s32 bm\half\i, s0, [p2], m7
    .endif
    .endr
    .endr
    .irp half, l, h
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .ifdef column_\half\i
    vst.srs.s32.s64 bm\half\i, s3, [p3], m7
    .endif
    .endr
    .endr
    .endpipeline
    mova r0, #kHeadSize / 32 + 3
    .if kHeadSize == 128
    mova r0, #6
    .endif
    mov s0, r0
    movxm m7, #P_STEP

// --- probabilities: Y to bytes, 8 queries x 8 keys, and their sums ---
probabilities:
    pointers groups_of_probabilities, 1, p0, Y, Y_GROUP, p1, Y, Y_GROUP, p2, BIAS, 64, p3, SUM, 32
    mov p4, p3
    movxm r1, #128
    vbcst.16 x10, r1
    vbcst.8 x9, r9

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

// --- values: O += P V ---
    jnz r2, #values
    delay_slots
    acquire kLockOFree
    mova r0, #0
    vbcst.32 x0, r0
    pointer p0, kO
    movxm r0, #kHeadSize * 64 * 4 / 32 / 8
    .pipeline clear_loop, r0
    .rept 8
    vst wl0, [p0], #32
    .endr
    .endpipeline
values:
    acq #kLockVFull, r8
    pointer p0, kV
    pointers groups_of_values, PASSES / 4, p1, Y, Y_GROUP, p2, Y + 32, Y_GROUP, p3, kO, 256, p5, kO + FAR_COLUMN, 256
    mov p4, p3
    mov p6, p5
    mova r1, #0                     // the column of V, in bytes
    movxm r16, #PASSES * 128 - 1
    movxm r17, #kV
    movxm r18, #128
.macro next_column
    add r19, r1, r17
    mov p0, r19
    add r1, r1, r18
    and r1, r1, r16
.endm
// 16 keys of V for two registers.
.macro rows a, b, load, last, step
    \load wl\a, [p0], #32
    \load wh\a, [p0], #32
    \load wl\b, [p0], #32
    \last wh\b, [p0], \step
.endm
.if kBlock == 32
    .pipeline values_loop, r0, 2
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p3, 2
    .bank p4, 2
    .bank p5, 3
    .bank p6, 3
    next_column
    rows 0, 1, vldb, vldb, m0
    rows 2, 3, vldb, vldb, m0
    rows 4, 5, vldb, vldb, m0
    rows 6, 7, vldb, vldb, #32
    four_rows 0, 1, vldb, m7, vlda, vst, #32, #32, #32, #32
    four_rows 2, 3, vldb, #96, vlda, vst, #32, #32, #32, #32
    four_rows 4, 5, vldb, m7, vlda, vst, #32, #32, #32, #32
    four_rows 6, 7, vldb, #96, vlda, vst, #32, #32, #32, #32
    four_rows 0, 1, vldb, m7, vlda, vst, #32, #32, #32, #32
    four_rows 2, 3, vldb, #96, vlda, vst, #32, #32, #32, #32
    four_rows 4, 5, vldb, m7, vlda, vst, #32, #32, #32, #32
    four_rows 6, 7, vldb.2d, d1, vlda.2d, vst.2d, d2, d3, d4, d5
    .endpipeline
.else
    .pipeline values_loop, r0, 2
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p2, Y_BANK
    .bank p3, 2
    .bank p4, 2
    next_column
    sums 0, p3, vlda, #32
    sums 1, p3, vlda, #32
    rows 0, 1, vlda, vlda, #V_STEP
    rows 2, 3, vlda, vlda, #V_STEP
    rows 4, 5, vlda, vlda, #V_STEP
    rows 6, 7, vlda, vlda, #V_STEP
    eight_rows 0, 1, vldb, m0, m0
    sums 2, p3, vlda, #32
    sums 3, p3, vlda, #32
    eight_rows 2, 3, vldb, m0, m0
    sums 4, p3, vlda, #32
    sums 5, p3, vlda, #32
    eight_rows 4, 5, vldb, m0, m0
    sums 6, p3, vlda, #32
    sums 7, p3, vlda.2d, d3
    eight_rows 6, 7, vldb, m7, m7
    rows 0, 1, vlda, vlda, #V_STEP
    rows 2, 3, vlda, vlda, #V_STEP
    rows 4, 5, vlda, vlda, #V_STEP
    rows 6, 7, vlda, vlda, #32
    eight_rows 0, 1, vldb, m0, m0
    save 0, p4, vst, #32
    save 1, p4, vst, #32
    eight_rows 2, 3, vldb, m0, m0
    save 2, p4, vst, #32
    save 3, p4, vst, #32
    eight_rows 4, 5, vldb, m0, m0
    save 4, p4, vst, #32
    save 5, p4, vst, #32
    eight_rows 6, 7, vldb.2d, d1, d2
    save 6, p4, vst, #32
    save 7, p4, vst.2d, d4
    .endpipeline
.endif
    rel #kLockVFree, r9             // the loop's last loads are long done

    movxm r1, #kBlock
    add r6, r6, r1
    add r2, r2, #1
    sub r0, r3, r2
    jnz r0, #key_block
    delay_slots

.include "quotient.asm"
