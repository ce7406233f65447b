// O += P V, int8 V. It stays in x0..x7 (64 keys x 8 columns, or 32 x 16) and goes by it over 32
// queries, whose O is in cm0..cm7: a probability tile is loaded for every product, O once a block. P
// is [8 groups][BK/8][8 queries][8 keys], 128 bytes apart.
//
// Cycles of values_loop, in brackets what they would be if the fullest slot were all: 128 (128) a 32
// queries x 8 columns, the multiplier; BK = 32: 70 (64) a 32 queries x 16 columns, multiplier, loads
// and stores of O all at once.

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

.if kBlock == 32
.macro value i, j, a, v, w, ldb, step
    \ldb wl\a, [p1], \step
    vmac cm\i, cm\i, x\a, x\v, r13
    vmac cm\j, cm\j, x\a, x\w, r13
.endm
.macro four_rows i, j, ldb, step, lda, vst, s2, s3, s4, s7
    sums \i, p3, \lda, \s3
    sums \j, p5, \lda, \s2
    value \i, \j, 8, 0, 2, vldb, #128
    value \i, \j, 9, 1, 3, vldb, #128
    value \i, \j, 10, 4, 6, vldb, #128
    value \i, \j, 11, 5, 7, \ldb, \step
    save \i, p4, \vst, \s4
    save \j, p6, \vst, \s7
.endm
.else
.macro value i, j, a, b, v, ldb, s1, s2
    \ldb wl\a, [p1], \s1
    \ldb wl\b, [p2], \s2
    vmac cm\i, cm\i, x\a, x\v, r13
    vmac cm\j, cm\j, x\b, x\v, r13
.endm
.macro eight_rows i, j, ldb, s1, s2
    value \i, \j, 8, 9, 0, vldb, #128, #128
    value \i, \j, 10, 11, 1, vldb, #128, #128
    value \i, \j, 8, 9, 2, vldb, #128, #128
    value \i, \j, 10, 11, 3, vldb, #128, #128
    value \i, \j, 8, 9, 4, vldb, #128, #128
    value \i, \j, 10, 11, 5, vldb, #128, #128
    value \i, \j, 8, 9, 6, vldb, #128, #128
    value \i, \j, 10, 11, 7, \ldb, \s1, \s2
.endm
.endif
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
// m7 is also used by who rescales O.
.macro value_step
    movxm m7, #P_STEP
.endm
.macro value_addresses
    value_step
// P of 4 queries and the next 4; O, for reading and writing.
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
    .endif
.endm
.macro values_loop
    pointer p0, kV
    pointers groups_of_values, PASSES / 4, p1, Y, Y_GROUP, p2, Y + 32, Y_GROUP, p3, kO, 256, p5, kO + FAR_COLUMN, 256
    mov p4, p3
    mov p6, p5
    mova r1, #0                     // the column of V, in bytes
    movxm r16, #PASSES * 128 - 1
    movxm r17, #kV
    movxm r18, #128
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
.endm
