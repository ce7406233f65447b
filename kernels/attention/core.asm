// Attention of 64 queries over any number of key blocks, one core: what programs have in common
// whose keys are int8 and int4. Written for one head size D, one key block BK and one width of
// values (docs/kernels/attention.md has the arithmetic; here is how it is laid out).
//
//   .equ kHeadSize, 32 | 64 | 128      D
//   .equ kBlock                        BK
//   .equ kValueBits, 4 | 8
//
// int8.asm and int4.asm have what depends on the keys: how scores are computed, in which order of
// lanes, and so what the patterns of a query's maximum and multiplier look like. They include this
// file, which calls their macros key_..., and say where things lie in memory:
//
//   K_BYTES, V_BYTES; kK, kV, kQ, kO, Y; Y_BANK    and in which quarter Y is
//   VISIBLE, MAXIMUM   [8 groups][32]; MULTIPLIERS as well, MULTIPLIERS_GROUP bytes apart
//   BIAS               maximum - 16127, for the exponent, BIAS_GROUP bytes a group
//   MOVED              [64][2] how far the maximum moved, twice
//   SUM                [64] of SUM_STEP bytes, of which the first four count, in an order that
//                      key_sum_offset and key_next_sum know
//   PARTIAL            [8 groups][UNITS][32] maxima of 32 keys
//   KEYS               [32] the key of a lane in a tile of TILE_KEYS keys
//   SCORE_SHIFT        what scores are shifted by
//
// What arrives and leaves, each behind two locks:
//   Q  64 queries in 8 groups of 8, each [1 + D/8][8 queries][8 bytes]: headers, then values
//   K  int8: [BK/16][D/8][16 keys][8 bytes]; int4: see there
//   V  [BK/16][D/8][16 keys][8 columns]
//   O  bf16 [D/8][64 queries][8]
//
// A group is 8 queries. At least four groups see a block: those that see nothing of it are left out
// by four.
//
// Registers that stay: r8 -1, r9 1, r10..r15 multiplier words and shuffle modes, s0 SCORE_SHIFT, s1
// the queries' shift, s2 16; r2 key block, r3 key blocks, r4 first group that sees the block, r6 its
// first key, r28 how many keys the first query of that group sees, r29 how many the first four groups
// do, r30 the next query's; how scores and values address memory: d1 to d6, m0, m7. Loops name the
// rest.

.equ GROUPS, 8
.equ Q_GROUP, (1 + kHeadSize / 8) * 64
.equ Y_GROUP, kBlock * 16
.equ TILE_COLUMN, 64 * 8 * 4        // bytes of 8 columns of O
.equ UNITS, kBlock / 32                 // of 32 keys

.insert_nops
// Columns of 8, by the accumulator half that holds one at a time: bml0 is 1, ... bmh7 is 16.
.set column, 0
.irp half, l, h
.irp i, 0, 1, 2, 3, 4, 5, 6, 7
.set column, column + 1
.if column <= kHeadSize / 8
.set column_\half\i, column
.endif
.endr
.endr

.equ LOWEST, -16384
.equ TOP, 16127

.equ kLockKFree, 48
.equ kLockKFull, 49
.equ kLockVFree, 50
.equ kLockVFull, 51
.equ kLockQFree, 52
.equ kLockQFull, 53
.equ kLockOFree, 54
.equ kLockOFull, 55

.macro delay_slots
    nop
    nop
    nop
    nop
    nop
.endm
.macro acquire lock
    acq #\lock, r8
    nop
    nop
    nop
    nop
.endm
// What was stored before has landed.
.macro release lock
    nop
    nop
    nop
    nop
    nop
    nop
    nop
    nop
    rel #\lock, r9
.endm
.macro pointer p, address
    movxm \p, #\address
.endm
// 2D addressing: `length` steps of `step` bytes, the last of which is `turn`.
.macro dimension n, step, length, turn
    movxm dj\n, #\step
    movxm dn\n, #(\length) - 1
    movxm m\n, #\turn
    movxm dc\n, #0
.endm

// Eight columns of O, of 4 queries.
.macro sums i, from, lda, step
    vlda amll\i, [\from], #32
    vlda amlh\i, [\from], #32
    vlda amhl\i, [\from], #32
    \lda amhh\i, [\from], \step
.endm
.macro save i, to, vst, step
    vst amll\i, [\to], #32
    vst amlh\i, [\to], #32
    vst amhl\i, [\to], #32
    \vst amhh\i, [\to], \step
.endm

// Four pointers to what belongs to the first group that sees the block, 0 or 4, `bytes` a
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

.if kValueBits == 8
.include "values.asm"
.endif

.globl _start
_start:
    mova r8, #-1
    mova r9, #1
    movxm r11, #0x338               // int16, lane by lane
    movxm r13, #0x108               // 4x8x8, X unsigned: probabilities by V
    mova r14, #2                    // T16_32x2_lo: low halves of 32-bit lanes
    key_modes
    mova r0, #9
    mov crRnd, r0                   // halves up
    mov crSat, r9
    mova r0, #0
    mov crVaddSign, r0              // .d16 is unsigned
    mova r0, #16
    mov s2, r0
    key_lanes

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

// Headers: 8 x {multiplier, visible, shift, blocks} to a pattern of multipliers and one of visible.
    pointer p1, MULTIPLIERS
    pointer p2, VISIBLE
    movxm m1, #16
    movxm m2, #MULTIPLIERS_GROUP - 48
    movxm m3, #Q_GROUP - 32
    mova r0, #GROUPS
    mova r5, #28                    // T16_8x4
    mova r6, #16
    key_headers
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
    key_header
    .endpipeline

    key_queries

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

    key_addresses
    value_addresses

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
    key_scores
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
    mova r0, #TILE_KEYS
    vbcst.16 x10, r0
    mova r1, #0                     // unit
    mov r18, r6                     // its first key
    key_mask
mask_unit:
    vbcst.16 x0, r18
    vadd.16 x8, x9, x0              // the keys of the unit's first tile
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
    key_mask_loop
    movxm r0, #32
    add r18, r18, r0
    add r1, r1, #1
    mova r0, #UNITS
    sub r0, r0, r1
    jnz r0, #mask_unit
    delay_slots

// --- maxima of the block: whole octaves; how far they moved ---
maxima:
    pointers groups_of_maxima, 1, p0, PARTIAL, UNITS * 64, p1, MAXIMUM, 64, p3, BIAS, BIAS_GROUP, p4, MOVED, 32
    mov p2, p1
    movxm r7, #-128
    vbcst.16 x10, r7
    movxm r7, #TOP
    vbcst.16 x9, r7
    movxm r7, #31 * 128
    vbcst.16 x11, r7
    mova r22, #18                   // T16_2x32_lo
    mova r23, #24
    mova r1, #-8
    movxm r5, #0xFF
    mova r24, #0                    // queries whose maximum moved: the first 32
    mova r25, #0                    // and the others
    key_maxima
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
    key_maximum
    vband x0, x0, x10
    vlda wl3, [p1], #32
    vlda wh3, [p1], #32
    vmax_lt.s16 x4, r18, x3, x0
    vst wl4, [p2], #32
    vst wh4, [p2], #32
    vsub.16 x5, x4, x9
    key_bias
    vsub.16 x6, x4, x3
    vmin_ge.d16 x6, r16, x6, x11
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
    key_rescale
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
    key_sum_offset
    lda r21, [p1, dj0]
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
    st r21, [p1, dj0]
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
    mova r0, #SCORE_SHIFT
    mov s0, r0
    value_step

// --- probabilities: Y to bytes, 8 queries x 8 keys, and their sums ---
probabilities:
    key_probabilities

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
    values_loop
    rel #kLockVFree, r9             // the loop's last loads are long done

    movxm r1, #kBlock
    add r6, r6, r1
    add r2, r2, #1
    sub r0, r3, r2
    jnz r0, #key_block
    delay_slots

.include "quotient.asm"

// What tests hold the programs to.
.equ kScoresCycles, scores_loop_interval
.equ kProbabilitiesCycles, probabilities_loop_interval
.equ kValuesCycles, values_loop_interval
