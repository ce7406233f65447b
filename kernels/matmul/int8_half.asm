// The multiply of int8.s and int8_q.s: 32 rows of an object A times an object B, added to half a
// tile of int32 sums.
//
// Objects (k is 128 of K, a step t is 8 of it):
//   A, 64 x 128 bytes: [row group g: 4][t: 16][i: 4][row: 4][8 of k]; rows are 16 g + 4 i + row
//   B, 128 x 64 bytes: [column group n: 8][t: 16][8 of k][8 columns]
//   sums, 32 rows: [g: 2][n: 8][i: 4][row: 4][8 columns] int32
//
// Block: 16 rows x 8 columns, four accumulators, 16 steps of k: 64 multiplies. Accumulator i runs
// 5 i cycles behind accumulator 0. So it is finished when the store unit is free for its 4 stores,
// which must be read before the next block's first multiply lands, 5 cycles later.
//
// Registers, beyond those of objects.asm: cm0..3 sums of the block; cm4..7 sums of the next block as
//   memory has them; x0..3 A of accumulator i; x4..11 B of step t mod 8
//   p0..3 A for accumulator i, p4 B, p5 sums to load, p6 sums to store
//   d0..d4 rewind p0..p4: A at the end of a block, 8 times, then on; B at the end of 8 blocks
//
// Cycles: 64 a block for 64 multiplies (vec and, with A, load unit B are full; load unit A has 48
// of 64, the store unit 16), 1024 a half; 41 around that to fill and drain the pipeline.
// Measured: 2,166 cycles an object of A and B (unit/kernels, Matmul.InnerLoopInt8) for its 2,048
// multiplies: 94.6 %.

.include "objects.asm"

// What stays in registers for ever.
.macro constants
    movxm ls, #loop
    movxm le, #loop_end
    movxm p7, #kSteps
    movxm r0, #0x308        // 4x8x8, both signed
    movxm r6, #kA
    movxm r7, #kB
    movxm r11, #kObject
    movxm r5, #kObject / 2
    // d0..2: 7 times back to the block's first step, then on; d3 is one use ahead (half, below).
    mova r3, #-1;           movxm m0, #128
    mova r4, #1;            movxm dj0, #-1920
    mova dn0, #7;           mov m1, m0
    mova dc0, #0;           mov dj1, dj0
    mova dn1, #7;           mov m2, m0
    mova dc1, #0;           mov dj2, dj0
    mova dn2, #7;           mov m3, m0
    mova dc2, #0;           mov dj3, dj0
    mova dn3, #8
    // d4: B goes on 7 times, then back to the first column group.
    mova dj4, #32;          movxm m4, #32 - kObject
    mova dn4, #7
    mova dc4, #0
.endm

// half, a function below the program that uses these.
.macro half_function
// 32 rows of A (r6) times B (r7), added to a half of C (r12).
half:
    // The first block's sums, and as much of A and B as the loop is ahead by. p3 starts two steps
    // before its block: the loop begins by loading what it thinks is the end of one before.
    mov p5, r12
                                                         vlda amll4, [p5], #32;                          mov p4, r7
                                                         vlda amlh4, [p5], #32;                          mov p0, r6
                                                         vlda amhl4, [p5], #32;                          mov p1, r6
                                                         vlda amhh4, [p5], #32;  padds [p1], #32;        mov p2, r6
                                                         vlda amll5, [p5], #32;  padds [p2], #64;        mov p3, r6
                                                         vlda amlh5, [p5], #32;  padds [p3], #1888;      mov p6, r12
                                                         vlda amhl5, [p5], #32;  padds [p6], #-512;      mov dc3, #0
                                                         vlda amhh5, [p5], #32;                          mov lc, #16
                                                         vlda amll6, [p5], #32
                                                         vlda amlh6, [p5], #32
                                                         vlda amhl6, [p5], #32
                                                         vlda amhh6, [p5], #32
                                                         vlda wl4, [p4], #32
                                 vldb wl0, [p0], #128;   vlda wh4, [p4], #32
                                                         vlda amll7, [p5], #32
                                                         vlda amlh7, [p5], #32
                                                         vlda wl5, [p4], #32
                                 vldb wl0, [p0], #128;   vlda wh5, [p4], #32
                                 vldb wl1, [p1], #128;   vlda amhl7, [p5], #32
                                                         vlda amhh7, [p5], #32

loop:
    vmac cm0, cm4, x0, x4, r1;   vldb wl3, [p3], #128;   vlda wl6, [p4], #32
    vmac cm1, cm1, x1, x11, r0;  vldb wl0, [p0], #128;   vlda wh6, [p4], #32;    vst amll0, [p6], #32
    vmac cm2, cm2, x2, x10, r0;  vldb wl1, [p1], #128;                           vst amlh0, [p6], #32
    vmac cm3, cm3, x3, x9, r0;   vldb wl2, [p2], #128;                           vst amhl0, [p6], #32
    vmac cm0, cm0, x0, x5, r0;   vldb.2d wl3, [p3], d3;  vlda wl7, [p4], #32;    vst amhh0, [p6], #32
    vmac cm1, cm5, x1, x4, r1;   vldb wl0, [p0], #128;   vlda wh7, [p4], #32
    vmac cm2, cm2, x2, x11, r0;  vldb wl1, [p1], #128;                           vst amll1, [p6], #32
    vmac cm3, cm3, x3, x10, r0;  vldb wl2, [p2], #128;                           vst amlh1, [p6], #32
    vmac cm0, cm0, x0, x6, r0;   vldb wl3, [p3], #128;   vlda wl8, [p4], #32;    vst amhl1, [p6], #32
    vmac cm1, cm1, x1, x5, r0;   vldb wl0, [p0], #128;   vlda wh8, [p4], #32;    vst amhh1, [p6], #32
    vmac cm2, cm6, x2, x4, r1;   vldb wl1, [p1], #128
    vmac cm3, cm3, x3, x11, r0;  vldb wl2, [p2], #128;                           vst amll2, [p6], #32
    vmac cm0, cm0, x0, x7, r0;   vldb wl3, [p3], #128;   vlda wl9, [p4], #32;    vst amlh2, [p6], #32
    vmac cm1, cm1, x1, x6, r0;   vldb wl0, [p0], #128;   vlda wh9, [p4], #32;    vst amhl2, [p6], #32
    vmac cm2, cm2, x2, x5, r0;   vldb wl1, [p1], #128;                           vst amhh2, [p6], #32
    vmac cm3, cm7, x3, x4, r1;   vldb wl2, [p2], #128
    vmac cm0, cm0, x0, x8, r0;   vldb wl3, [p3], #128;   vlda wl10, [p4], #32;   vst amll3, [p6], #32
    vmac cm1, cm1, x1, x7, r0;   vldb wl0, [p0], #128;   vlda wh10, [p4], #32;   vst amlh3, [p6], #32
    vmac cm2, cm2, x2, x6, r0;   vldb wl1, [p1], #128;                           vst amhl3, [p6], #32
    vmac cm3, cm3, x3, x5, r0;   vldb wl2, [p2], #128;                           vst amhh3, [p6], #32
    vmac cm0, cm0, x0, x9, r0;   vldb wl3, [p3], #128;   vlda wl11, [p4], #32
    vmac cm1, cm1, x1, x8, r0;   vldb wl0, [p0], #128;   vlda wh11, [p4], #32
    vmac cm2, cm2, x2, x7, r0;   vldb wl1, [p1], #128;   vlda amll4, [p5], #32
    vmac cm3, cm3, x3, x6, r0;   vldb wl2, [p2], #128;   vlda amlh4, [p5], #32
    vmac cm0, cm0, x0, x10, r0;  vldb wl3, [p3], #128;   vlda wl4, [p4], #32
    vmac cm1, cm1, x1, x9, r0;   vldb wl0, [p0], #128;   vlda wh4, [p4], #32
    vmac cm2, cm2, x2, x8, r0;   vldb wl1, [p1], #128;   vlda amhl4, [p5], #32
    vmac cm3, cm3, x3, x7, r0;   vldb wl2, [p2], #128;   vlda amhh4, [p5], #32
    vmac cm0, cm0, x0, x11, r0;  vldb wl3, [p3], #128;   vlda wl5, [p4], #32
    vmac cm1, cm1, x1, x10, r0;  vldb wl0, [p0], #128;   vlda wh5, [p4], #32
    vmac cm2, cm2, x2, x9, r0;   vldb wl1, [p1], #128;   vlda amll5, [p5], #32
    vmac cm3, cm3, x3, x8, r0;   vldb wl2, [p2], #128;   vlda amlh5, [p5], #32
    vmac cm0, cm0, x0, x4, r0;   vldb wl3, [p3], #128;   vlda wl6, [p4], #32
    vmac cm1, cm1, x1, x11, r0;  vldb wl0, [p0], #128;   vlda wh6, [p4], #32
    vmac cm2, cm2, x2, x10, r0;  vldb wl1, [p1], #128;   vlda amhl5, [p5], #32
    vmac cm3, cm3, x3, x9, r0;   vldb wl2, [p2], #128;   vlda amhh5, [p5], #32
    vmac cm0, cm0, x0, x5, r0;   vldb wl3, [p3], #128;   vlda wl7, [p4], #32
    vmac cm1, cm1, x1, x4, r0;   vldb wl0, [p0], #128;   vlda wh7, [p4], #32
    vmac cm2, cm2, x2, x11, r0;  vldb wl1, [p1], #128;   vlda amll6, [p5], #32
    vmac cm3, cm3, x3, x10, r0;  vldb wl2, [p2], #128;   vlda amlh6, [p5], #32
    vmac cm0, cm0, x0, x6, r0;   vldb wl3, [p3], #128;   vlda wl8, [p4], #32
    vmac cm1, cm1, x1, x5, r0;   vldb wl0, [p0], #128;   vlda wh8, [p4], #32
    vmac cm2, cm2, x2, x4, r0;   vldb wl1, [p1], #128;   vlda amhl6, [p5], #32
    vmac cm3, cm3, x3, x11, r0;  vldb wl2, [p2], #128;   vlda amhh6, [p5], #32
    vmac cm0, cm0, x0, x7, r0;   vldb wl3, [p3], #128;   vlda wl9, [p4], #32
    vmac cm1, cm1, x1, x6, r0;   vldb wl0, [p0], #128;   vlda wh9, [p4], #32
    vmac cm2, cm2, x2, x5, r0;   vldb wl1, [p1], #128;   vlda amll7, [p5], #32
    vmac cm3, cm3, x3, x4, r0;   vldb wl2, [p2], #128;   vlda amlh7, [p5], #32
    vmac cm0, cm0, x0, x8, r0;   vldb wl3, [p3], #128;   vlda wl10, [p4], #32
    vmac cm1, cm1, x1, x7, r0;   vldb wl0, [p0], #128;   vlda wh10, [p4], #32
    vmac cm2, cm2, x2, x6, r0;   vldb wl1, [p1], #128;   vlda amhl7, [p5], #32
    vmac cm3, cm3, x3, x5, r0;   vldb wl2, [p2], #128;   vlda amhh7, [p5], #32
    vmac cm0, cm0, x0, x9, r0;   vldb wl3, [p3], #128;   vlda wl11, [p4], #32
    vmac cm1, cm1, x1, x8, r0;   vldb.2d wl0, [p0], d0;  vlda.2d wh11, [p4], d4
    vmac cm2, cm2, x2, x7, r0;   vldb wl1, [p1], #128
    vmac cm3, cm3, x3, x6, r0;   vldb wl2, [p2], #128
    vmac cm0, cm0, x0, x10, r0;  vldb wl3, [p3], #128;   vlda wl4, [p4], #32
    vmac cm1, cm1, x1, x9, r0;   vldb wl0, [p0], #128;   vlda wh4, [p4], #32
    vmac cm2, cm2, x2, x8, r0;   vldb.2d wl1, [p1], d1
    vmac cm3, cm3, x3, x7, r0;   vldb wl2, [p2], #128
    vmac cm0, cm0, x0, x11, r0;  vldb wl3, [p3], #128;   vlda wl5, [p4], #32
    vmac cm1, cm1, x1, x10, r0;  vldb wl0, [p0], #128;   vlda wh5, [p4], #32
    vmac cm2, cm2, x2, x9, r0;   vldb wl1, [p1], #128
loop_end:
    vmac cm3, cm3, x3, x8, r0;   vldb.2d wl2, [p2], d2

    // What is left of the last block.
                                 vldb wl3, [p3], #128
    vmac cm1, cm1, x1, x11, r0;                                                  vst amll0, [p6], #32
    vmac cm2, cm2, x2, x10, r0;                                                  vst amlh0, [p6], #32
    vmac cm3, cm3, x3, x9, r0;                                                   vst amhl0, [p6], #32
                                 vldb wl3, [p3], #128;                           vst amhh0, [p6], #32
    nop
    vmac cm2, cm2, x2, x11, r0;                                                  vst amll1, [p6], #32
    vmac cm3, cm3, x3, x10, r0;                                                  vst amlh1, [p6], #32
                                                                                 vst amhl1, [p6], #32
                                                                                 vst amhh1, [p6], #32
    nop
    vmac cm3, cm3, x3, x11, r0;                                                  vst amll2, [p6], #32
                                                                                 vst amlh2, [p6], #32
                                                                                 vst amhl2, [p6], #32
                                                                                 vst amhh2, [p6], #32;   ret lr
    nop
                                                                                 vst amll3, [p6], #32
                                                                                 vst amlh3, [p6], #32
                                                                                 vst amhl3, [p6], #32
                                                                                 vst amhh3, [p6], #32
.endm
