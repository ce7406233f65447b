// C = A B: int8 x int8 -> int32, one core's 64 x 64 tiles of C.
//
// Objects (k is 128 of K, a step t is 8 of it):
//   A, 64 x 128 bytes: [row group g: 4][t: 16][i: 4][row: 4][8 of k]; rows are 16 g + 4 i + row
//   B, 128 x 64 bytes: [column group n: 8][t: 16][8 of k][8 columns]
//   C, two halves of 32 rows: [g: 2][n: 8][i: 4][row: 4][8 columns] int32
// Data memory: A twice in the first 16 KiB, B twice in the second, so that the two loads of a bundle
// never meet in a bank; then three halves of C, each behind 512 bytes that the first block's stores
// of nothing go to; then the number of A objects that make up one tile, which a command writes.
//
// Block: 16 rows x 8 columns, four accumulators, 16 steps of k: 64 multiplies. Accumulator i runs
// 5 i cycles behind accumulator 0. So it is finished when the store unit is free for its 4 stores,
// which must be read before the next block's first multiply lands, 5 cycles later.
//
// Registers: cm0..3 sums of the block; cm4..7 sums of the next block as memory has them;
//   x0..3 A of accumulator i; x4..11 B of step t mod 8
//   p0..3 A for accumulator i, p4 B, p5 sums to load, p6 sums to store, p7 kSteps
//   d0..d4 rewind p0..p4: A at the end of a block, 8 times, then on; B at the end of 8 blocks
//   r0 multiply int8 x int8; r1 the same for a block's first step: may clear the accumulator
//   r2 objects left, r3 -1, r4 1, r5 bytes of half an object A, r6 A, r7 B, r8..10 halves of C in
//   order of use, r11 what tells first and second buffer of A and B apart, r12 half of C at work,
//   r13 1 in the tile's last object
//
// Cycles: 64 a block for 64 multiplies (vec and, with A, load unit B are full; load unit A has 48
// of 64, the store unit 16), 1024 a half; 41 around that to fill and drain the pipeline.
// Measured: 2,165 cycles an object of A and B (unit/kernels, Matmul.InnerLoopInt8) for its 2,048
// multiplies: 94.6 %.

.equ kLockAFree, 0
.equ kLockAFull, 1
.equ kLockBFree, 2
.equ kLockBFull, 3
.equ kLockCFree, 4
.equ kLockCFull, 5
.equ kOwn, 48               // the core's number of its own lock 0

.equ kA, 0x70000            // and 8 KiB on
.equ kB, 0x74000
.equ kObject, 0x2000        // bytes of A, and of B
.equ kC, 0x78200
.equ kHalf, 0x2000          // bytes of half a C
.equ kHalfStride, 0x2200
.equ kSteps, 0x7f000

    movxm ls, #loop
    movxm le, #loop_end
    movxm p7, #kSteps
    movxm r0, #0x308        // 4x8x8, both signed
    movxm r6, #kA
    movxm r7, #kB
    movxm r8, #kC
    movxm r9, #kC + kHalfStride
    movxm r10, #kC + 2 * kHalfStride
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

tile:
    acq #kOwn + kLockAFull, r3
    nop
    nop
    nop
    acq #kOwn + kLockBFull, r3
    lda r2, [p7, #0]
    nop
    nop
    acq #kOwn + kLockCFree, r3
    add r1, r0, #1          // the first object's sums start at 0
    jl #half
    mov r12, r8
    nop
    nop
    nop
    nop
    acq #kOwn + kLockCFree, r3
    eq r13, r2, r4
    jl #half
    mov r12, r9
    add r6, r6, r5
    nop
    rel #kOwn + kLockCFull, r13
    nop
    rel #kOwn + kLockAFree, r4
    add r2, r2, #-1
    sub r6, r6, r5
    xor r6, r6, r11
    jz r2, #tile_end
    rel #kOwn + kLockBFree, r4
    xor r7, r7, r11
    nop
    nop
    nop

object:
    acq #kOwn + kLockAFull, r3
    mov r1, r0
    nop
    nop
    acq #kOwn + kLockBFull, r3
    nop
    nop
    nop
    jl #half
    mov r12, r8
    eq r13, r2, r4
    nop
    nop
    nop
    jl #half
    mov r12, r9
    add r6, r6, r5
    nop
    rel #kOwn + kLockCFull, r13
    nop
    rel #kOwn + kLockAFree, r4
    add r2, r2, #-1
    sub r6, r6, r5
    xor r6, r6, r11
    jnz r2, #object
    rel #kOwn + kLockBFree, r4
    xor r7, r7, r11
    nop
    nop
    nop

tile_end:
    rel #kOwn + kLockCFull, r4
    j #tile
    mov r12, r10
    mov r10, r9
    mov r9, r8
    mov r8, r12
    nop

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
