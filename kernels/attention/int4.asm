// Attention with int4 keys, of 64 queries over any number of key blocks, one core. Written for one
// head size D and one key block BK (docs/kernels/attention.md has the arithmetic).
//
//   .equ kHeadSize, 32 | 64 | 128      D
//   .equ kBlock                        BK
//   .equ kValueBits, 4 | 8
//
// query_rows.asm has the parts in which a query is a row of 8 lanes, and the layouts of what they
// read and write; here is what goes around them. What arrives and leaves, each behind two locks:
//   Q  64 queries in 8 groups of 8;  K, V;  O  bf16 [D/8][64 queries][8]
//
// Regions of data memory, by 16 KiB quarter (two accesses of a cycle to one quarter cost a stall):
//   quarter 0  K, V
//   quarter 1  Q (transposed in place), what belongs to queries: multipliers, maxima, limits, sums
//   quarter 2  O, int32 [D/8][64 queries][8]  (D = 128: quarters 2 and 3)
//   quarter 3  Y: exponents, 16 bits; probabilities replace them  (D = 128: quarter 0)
//
// Registers that stay: r8 -1, r9 1, r10..r15 multiplier words and shuffle modes, s2 16; r2 key block,
// r3 key blocks, r4 first group that sees the block. Loops name the rest.

.equ GROUPS, 8
.equ K_BYTES, kBlock * kHeadSize / 2
.equ V_BYTES, kBlock * kHeadSize * kValueBits / 8
.equ Q_GROUP, (1 + kHeadSize / 8) * 64
.equ Y_GROUP, kBlock * 16
.equ TILE_COLUMN, 64 * 8 * 4        // bytes of 8 columns of O
.equ UNITS, kBlock / 32                 // of 32 keys
.if kHeadSize == 128
.equ SCORE_SHIFT, 2
.else
.equ SCORE_SHIFT, kHeadSize / 32 - 1
.endif
.if kValueBits == 4
.equ P_STEP, 160                    // from the last of some probabilities to the next
.else
.equ P_STEP, 96
.endif
.if kBlock == 32
.equ PASSES, kHeadSize / 16             // of two columns of O
.equ FAR_COLUMN, 8 * TILE_COLUMN
.equ VALUE_CHUNKS, 4
.equ V_STEP, kHeadSize * 8 - 96
.equ P_BACK, -3 * Y_GROUP - 3 * 128 - 32
.else
.equ PASSES, kHeadSize / 8              // of a column of O
.equ FAR_COLUMN, 0
.equ VALUE_CHUNKS, kBlock / 16
.equ V_STEP, kHeadSize * 16 - 96
.equ P_BACK, -3 * Y_GROUP - (kBlock / 8 - 1) * 128
.endif

.insert_nops
.include "core.asm"
.include "query_rows.asm"

.equ kK, 0x70000
.equ kV, kK + K_BYTES
.equ kQ, 0x74000
.equ MAXIMUM, 0x76200
.equ VISIBLE, 0x76400
.equ BIAS, 0x76600
.equ MULTIPLIER, 0x76A00
.equ SUM, 0x76E00
.equ SUM_STEP, 16
.equ MOVED, 0x77200
.equ MOVERS, 0x77300
.equ KEYS, 0x77340
.equ PARTIAL, 0x77380
.equ BLOCK_SUM, 0x77B80              // as SUM
.equ kO, 0x78000
.if kHeadSize == 128
.equ Y, kQ - GROUPS * Y_GROUP
.equ Y_BANK, 0
.else
.equ Y, 0x7C000
.equ Y_BANK, 3
.endif
.equ INVERSE, Y                     // [64][8] int16: reciprocals, when Y is done with

.globl _start
_start:
    mova r8, #-1
    mova r9, #1
    movxm r10, #0x308               // int8 x int8, 4x8x8; with int4 keys see query_rows.asm
    movxm r11, #0x338               // int16, lane by lane
    movxm r12, #0x208               // 4x8x8, Y unsigned: ones by probabilities
    movxm r13, #0x108               // 4x8x8, X unsigned: probabilities by V
    mova r14, #2                    // T16_32x2_lo: low halves of 32-bit lanes
    mova r15, #35                   // T8_8x8
    row_modes
    mova r0, #9
    mov crRnd, r0                   // halves up
    mov crSat, r9
    mova r0, #0
    mov crVaddSign, r0              // .d16 is unsigned
    mova r0, #16
    mov s2, r0
    row_keys

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
    mova r0, #SCORE_SHIFT
    mov s0, r0

// Headers: 8 x {multiplier, visible, shift, blocks} to a pattern of multipliers, in place, and one
// of visible.
    row_headers
    row_queries

    movxm r0, #LOWEST
    vbcst.16 x0, r0
    pointer p0, MAXIMUM
    pointer p1, SUM
    mova r0, #0
    vbcst.32 x1, r0
    .rept 16
    vst wl0, [p0], #32
    .endr
    .rept 2 * SUM_STEP
    vst wl1, [p1], #32
    .endr

    mova r2, #0                     // key block
    mova r4, #0                     // first group
    movxm r7, #VISIBLE + 3 * 64 + 14    // the last query of the first four groups

key_block:
// Groups go by four. Those that see nothing of the block any more are left out.
    movxm r6, #kBlock
    mul r6, r6, r2
    movxm r1, #7
skip_group:
    mov p0, r7
    lda.u16 r0, [p0, #0]
    mova r5, #4
    ltu r5, r4, r5
    geu r0, r6, r0
    and r0, r0, r5
    jz r0, #scores
    delay_slots
    add r4, r4, #4
    movxm r0, #256
    add r7, r7, r0
    j #skip_group
    delay_slots

// --- scores: Y = M (K Q^T), and the largest of each 32 keys ---
scores:
    acquire kLockKFull
    pointer p0, kK
    movxm r0, #Q_GROUP
    mul r0, r0, r4
    movxm r1, #kQ + 512 + 64
    add r0, r0, r1
    mov p1, r0
    movxm r0, #Y_GROUP
    mul r0, r0, r4
    movxm r1, #Y
    add r0, r0, r1
    mov p2, r0
    movxm r0, #UNITS * 64
    mul r0, r0, r4
    movxm r1, #PARTIAL
    add r0, r0, r1
    mov p3, r0
    mova r5, #GROUPS
    sub r5, r5, r4                  // groups that see the block
    row_scores
    release kLockKFree

// The last key block does not need Q any more.
    add r0, r2, #1
    sub r0, r3, r0
    jnz r0, #queries_stay
    delay_slots
    rel #kLockQFree, r9
queries_stay:

// --- what a query may not see: exponents of -32768 ---
// Only if the first query of the first group does not see the whole block.
    movxm r0, #64
    mul r0, r0, r4
    movxm r1, #VISIBLE
    add r0, r0, r1
    mov p0, r0
    lda.u16 r0, [p0, #0]
    movxm r6, #kBlock
    mul r6, r6, r2                  // first key of the unit
    movxm r1, #kBlock
    add r1, r6, r1
    geu r0, r0, r1
    jnz r0, #maxima
    delay_slots
    pointer p5, KEYS
    vlda wl9, [p5, #0]
    vlda wh9, [p5, #32]
    movxm r0, #-32768
    vbcst.16 x11, r0
    mova r0, #8
    vbcst.16 x10, r0
    mova r1, #0                     // unit
mask_unit:
    vbcst.16 x0, r6
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
    movxm m0, #Y_GROUP - 512 + 32
    movxm m1, #UNITS * 64 - 32
    mov r0, r5
    row_mask_loop
    movxm r0, #32
    add r6, r6, r0
    add r1, r1, #1
    mova r0, #UNITS
    sub r0, r0, r1
    jnz r0, #mask_unit
    delay_slots

// --- maxima of the block: whole octaves; how far they moved ---
maxima:
    movxm r0, #UNITS * 64
    mul r0, r0, r4
    movxm r1, #PARTIAL
    add r0, r0, r1
    mov p0, r0
    movxm r0, #64
    mul r0, r0, r4
    movxm r1, #MAXIMUM
    add r1, r0, r1
    mov p1, r1
    mov p2, r1
    add r0, r0, r0
    movxm r1, #BIAS
    add r1, r0, r1
    mov p3, r1
    movxm r0, #32
    mul r0, r0, r4
    movxm r1, #MOVED
    add r1, r0, r1
    mov p4, r1
    mova r0, #4
    mul r0, r0, r4
    movxm r1, #MOVERS
    add r1, r0, r1
    mov p5, r1
    movxm r0, #-128
    vbcst.16 x10, r0
    movxm r0, #TOP
    vbcst.16 x9, r0
    movxm r0, #31 * 128
    vbcst.16 x11, r0
    mova r20, #32
    mova r21, #16
    mova r19, #0                    // lanes whose maximum moved, of all groups
    mov r0, r5
    .pipeline maxima_loop, r0, 2
    .bank p0, 1
    .bank p1, 1
    .bank p2, 1
    .bank p3, 1
    .bank p4, 1
    .bank p5, 1
    vlda wl0, [p0], #32
    vlda wh0, [p0], #32
    .rept UNITS - 1
    vlda wl1, [p0], #32
    vlda wh1, [p0], #32
    vmax_lt.s16 x0, r16, x0, x1
    .endr
    row_maximum
    vband x0, x0, x10
    vlda wl3, [p1], #32
    vlda wh3, [p1], #32
    vmax_lt.s16 x4, r18, x3, x0
    vst wl4, [p2], #32
    vst wh4, [p2], #32
    vsub.16 x5, x4, x9
    row_pattern x5, x8, x7
    vst wl8, [p3], #32
    vst wh8, [p3], #32
    vst wl7, [p3], #32
    vst wh7, [p3], #32
    vsub.16 x6, x4, x3
    vmin_ge.d16 x6, r17, x6, x11
    vst wl6, [p4], #32
    st r18, [p5], #4
    or r19, r19, r18
    .endpipeline

// --- where a maximum moved by D octaves, that query's sum and row of O lose D bits ---
    jz r2, #probabilities           // nothing there before the first block
    delay_slots
    jz r19, #probabilities
    delay_slots
    mova r0, #0
    mov s0, r0
    mov r1, r4                      // group
rescale_group:
    lshl r0, r1, r9
    add r0, r0, r0
    movxm r20, #MOVERS
    add r0, r0, r20
    mov p0, r0
    lda r21, [p0, #0]
    movxm r20, #0xFF
    and r21, r21, r20
rescale_row:
    jz r21, #rescale_next
    delay_slots
    clz r22, r21
    mova r20, #31
    sub r22, r20, r22               // the query in the group
    lshl r20, r9, r22
    xor r21, r21, r20
    mova r20, #16
    mul r20, r20, r1
    add r20, r20, r22
    add r20, r20, r20
    movxm r0, #MOVED
    add r20, r20, r0
    mov p0, r20
    lda.u16 r23, [p0, #0]           // octaves << 7
    mova r20, #-7
    lshl r23, r23, r20
    mov s3, r23
    mova r20, #8
    mul r20, r20, r1
    add r20, r20, r22               // row
    mova r0, #SUM_STEP
    mul r0, r0, r20
    movxm r22, #SUM
    add r0, r0, r22
    mov p1, r0
    lda r0, [p1, #0]
    add r22, r23, #-1
    lshl r22, r9, r22
    add r0, r0, r22
    mova r22, #0
    sub r22, r22, r23
    lshl r0, r0, r22
    st r0, [p1, #0]
    mova r0, #32
    mul r0, r0, r20
    movxm r22, #kO
    add r0, r0, r22
    mov p0, r0
    mov p1, r0
    movxm m0, #TILE_COLUMN
    .irp half, l, h
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .ifdef column_\half\i
    vlda.ups.s64.s32 bm\half\i, s0, [p0], m0
    .endif
    .endr
    .endr
    .irp half, l, h
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .ifdef column_\half\i
    vst.srs.s32.s64 bm\half\i, s3, [p1], m0
    .endif
    .endr
    .endr
    j #rescale_row
    delay_slots
rescale_next:
    add r1, r1, #1
    mova r0, #GROUPS
    sub r0, r0, r1
    jnz r0, #rescale_group
    delay_slots
    mova r0, #SCORE_SHIFT
    mov s0, r0

// --- probabilities: Y to bytes, 8 queries x 8 keys, and their sums ---
probabilities:
    movxm r0, #Y_GROUP
    mul r0, r0, r4
    movxm r1, #Y
    add r0, r0, r1
    mov p0, r0
    mov p1, r0
    movxm r0, #128
    mul r0, r0, r4
    movxm r1, #BIAS
    add r0, r0, r1
    mov p2, r0
    movxm r0, #8 * SUM_STEP
    mul r0, r0, r4
    movxm r1, #SUM
    add r0, r0, r1
    mov p3, r0
    mov p4, r0
    movxm m0, #P_STEP
    movxm r0, #128
    vbcst.16 x10, r0
    mova r0, #1
    vbcst.8 x9, r0
    mov r0, r5
    row_probabilities

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
    acquire kLockVFull
    pointer p0, kV
    movxm r0, #Y_GROUP
    mul r0, r0, r4
    movxm r1, #Y
    add r0, r0, r1
    mov p1, r0
    movxm r1, #32
    add r0, r0, r1
    mov p2, r0
    movxm r0, #8 * 32
    mul r0, r0, r4
    movxm r1, #kO
    add r0, r0, r1
    mov p3, r0
    mov p4, r0
    .if kValueBits == 4
    row_values
    .else
    movxm r1, #FAR_COLUMN
    add r0, r0, r1
    mov p5, r0
    mov p6, r0
    dimension 0, V_STEP + 128 - VALUE_CHUNKS * (V_STEP + 96), PASSES, V_STEP + 128 - VALUE_CHUNKS * (V_STEP + 96) - PASSES * 128
    dimension 1, P_BACK, PASSES, P_BACK + 4 * Y_GROUP
    dimension 2, P_BACK, PASSES, P_BACK + 4 * Y_GROUP
    dimension 3, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    dimension 4, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    mova r1, #-2
    lshl r0, r5, r1
    mova r1, #PASSES
    mul r0, r0, r1

// 16 keys of V for two registers.
.macro rows a, b, lda, step
    vlda wl\a, [p0], #32
    vlda wh\a, [p0], #32
    vlda wl\b, [p0], #32
    \lda wh\b, [p0], \step
.endm
.if kBlock == 32
    movxm m5, #32 - 3 * 128
    movxm m6, #Y_GROUP - 32 - 3 * 128
    dimension 2, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    dimension 7, TILE_COLUMN - 992, PASSES, 32 - (PASSES - 1) * TILE_COLUMN
    .pipeline values_loop, r0, 3
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p3, 2
    .bank p4, 2
    .bank p5, 3
    .bank p6, 3
    rows 0, 1, vlda, #V_STEP
    rows 2, 3, vlda, #V_STEP
    rows 4, 5, vlda, #V_STEP
    rows 6, 7, vlda.2d, d0
    .rept 1
    four_rows 0, 1, vldb, m5, vlda, vst, #32, #32, #32, #32
    four_rows 2, 3, vldb, m6, vlda, vst, #32, #32, #32, #32
    four_rows 4, 5, vldb, m5, vlda, vst, #32, #32, #32, #32
    four_rows 6, 7, vldb, m6, vlda, vst, #32, #32, #32, #32
    .endr
    four_rows 0, 1, vldb, m5, vlda, vst, #32, #32, #32, #32
    four_rows 2, 3, vldb, m6, vlda, vst, #32, #32, #32, #32
    four_rows 4, 5, vldb, m5, vlda, vst, #32, #32, #32, #32
    four_rows 6, 7, vldb.2d, d1, vlda.2d, vst.2d, d2, d3, d4, d7
    .endpipeline
.else
    movxm m5, #Y_GROUP - 7 * 128
    movxm m6, #128 - 3 * Y_GROUP
    .pipeline values_loop, r0, 3
    .bank p0, 0
    .bank p1, Y_BANK
    .bank p2, Y_BANK
    .bank p3, 2
    .bank p4, 2
    sums 0, p3, vlda, #32
    sums 1, p3, vlda, #32
    rows 0, 1, vlda, #V_STEP
    rows 2, 3, vlda, #V_STEP
    rows 4, 5, vlda, #V_STEP
    rows 6, 7, vlda, #V_STEP
    eight_rows 0, 1, vldb, m5, m5
    sums 2, p3, vlda, #32
    sums 3, p3, vlda, #32
    eight_rows 2, 3, vldb, m5, m5
    sums 4, p3, vlda, #32
    sums 5, p3, vlda, #32
    eight_rows 4, 5, vldb, m5, m5
    sums 6, p3, vlda, #32
    sums 7, p3, vlda.2d, d3
    eight_rows 6, 7, vldb, m6, m6
    rows 0, 1, vlda, #V_STEP
    rows 2, 3, vlda, #V_STEP
    rows 4, 5, vlda, #V_STEP
    rows 6, 7, vlda.2d, d0
    eight_rows 0, 1, vldb, m5, m5
    save 0, p4, vst, #32
    save 1, p4, vst, #32
    eight_rows 2, 3, vldb, m5, m5
    save 2, p4, vst, #32
    save 3, p4, vst, #32
    eight_rows 4, 5, vldb, m5, m5
    save 4, p4, vst, #32
    save 5, p4, vst, #32
    eight_rows 6, 7, vldb.2d, d1, d2
    save 6, p4, vst, #32
    save 7, p4, vst.2d, d4
    .endpipeline
.endif
    .endif
    release kLockVFree

    add r2, r2, #1
    sub r0, r3, r2
    jnz r0, #key_block
    delay_slots

.include "quotient.asm"
