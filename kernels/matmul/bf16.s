// C = A B: bf16 x bf16 -> fp32, one core's 64 x 64 tiles of C, which go out in halves of 32 rows:
// objects.asm.
//
// Objects (k is 64 of K, a step t is 8 of it):
//   A, 64 x 64 bf16: [row group g: 4][t: 8][i: 4][row: 4][8 of k]; rows are 16 g + 4 i + row
//   B, 64 x 64 bf16: [column group n: 8][j: 2][t: 8][8 of k][4 columns]; columns are 8 n + 4 j + ...
//   sums, 32 rows: [g: 2][n: 8][j: 2][i: 4][row: 4][4 columns] fp32
//
// Block: 16 rows x 8 columns, eight accumulators (i, j), 8 steps of k: 64 multiplies. A sum is read
// by its two stores before the next block's first multiply lands, 6 cycles after that one's issue;
// only for the last accumulator that is too early: its last multiply goes to a register of its own.
//
// Registers, beyond those of objects.asm: bml0..3 and bmh0..3 sums of accumulators (i, 0) and (i, 1);
//   bml4..bmh7 sums of the next block as memory has them; bmh8 the last sum of (3, 1)
//   x0..3 A of i; x4, x5 B of j for even t, x6, x7 for odd t
//   p0 A, p1 and p2 B of j, p5 sums to load, p6 sums to store
//   d0..d2 rewind p0..p2: A at the end of a block, 8 times, then on; B at the end of 8 blocks
//
// Cycles: 64 a block for 64 multiplies (vec and, with A, load unit B are full; load unit A has 48
// of 64, the store unit 16), 1024 a half; 39 around that to fill and drain the pipeline.
// Measured: 2,163 cycles an object of A and B (unit/kernels, Matmul.InnerLoopBf16) for its 2,048
// multiplies.

.include "objects.asm"

    movxm ls, #loop
    movxm le, #loop_end
    movxm p7, #kSteps
    movxm r0, #0x1c         // 4x8x4 bf16
    movxm r6, #kA
    movxm r7, #kB
    movxm r11, #kObject
    movxm r5, #kObject / 2
    // d0: A goes back to the block's first step 7 times, then on to the next row group.
    mova r3, #-1;           movxm m0, #32
    mova r4, #1;            movxm dj0, #32 - 2048
    mova dn0, #7
    mova dc0, #0
    // d1, d2: B goes on past the other j 7 times, then back to the first column group.
    mova dn1, #7;           movxm dj1, #32 + 512
    mova dn2, #7;           mov dj2, dj1
    mova dc1, #0;           movxm m1, #32 + 512 - kObject
    mova dc2, #0;           mov m2, m1
    send_sums

// 32 rows of A (r6) times B (r7), added to a half of C (r12).
half:
    // The first block's sums, and as much of A and B as the loop is ahead by.
    mov p5, r12
                                                              vlda amll4, [p5], #32;                          mov p1, r7
                                                              vlda amlh4, [p5], #224;                         mov p2, r7
                                                              vlda amhl4, [p5], #32;  padds [p2], #512;       mov p0, r6
                                                              vlda amhh4, [p5], #-224;                        mov p6, r12
                                                              vlda amll5, [p5], #32;  padds [p6], #-256;      mov lc, #16
                                                              vlda amlh5, [p5], #224
                                                              vlda amhl5, [p5], #32
                                                              vlda amhh5, [p5], #-224
                                                              vlda wl4, [p1], #32
                                                              vlda wh4, [p1], #32
                                                              vlda amll6, [p5], #32
                                                              vlda amlh6, [p5], #224
                                                              vlda wl5, [p2], #32
                                                              vlda wh5, [p2], #32
                                                              vlda amhl6, [p5], #32
                                                              vlda amhh6, [p5], #-224
                                      vldb wl0, [p0], #32;    vlda wl6, [p1], #32
                                      vldb wh0, [p0], #32;    vlda wh6, [p1], #32
                                      vldb wl1, [p0], #32;    vlda amll7, [p5], #32
                                      vldb wh1, [p0], #32;    vlda amlh7, [p5], #224
                                      vldb wl2, [p0], #32;    vlda wl7, [p2], #32
                                      vldb wh2, [p0], #32;    vlda wh7, [p2], #32
                                      vldb wl3, [p0], #32;    vlda amhl7, [p5], #32
                                      vldb wh3, [p0], #32;    vlda amhh7, [p5], #32
loop:
    vmac.f bml0, bml4, x0, x4, r1;    vldb wl0, [p0], #32;    vlda wl4, [p1], #32;    vst amhl0, [p6], #32
    vmac.f bmh0, bmh4, x0, x5, r1;    vldb wh0, [p0], #32;    vlda wh4, [p1], #32;    vst amhh0, [p6], #-224
    vmac.f bml1, bml5, x1, x4, r1;    vldb wl1, [p0], #32;                            vst amll1, [p6], #32
    vmac.f bmh1, bmh5, x1, x5, r1;    vldb wh1, [p0], #32;                            vst amlh1, [p6], #224
    vmac.f bml2, bml6, x2, x4, r1;    vldb wl2, [p0], #32;    vlda wl5, [p2], #32;    vst amhl1, [p6], #32
    vmac.f bmh2, bmh6, x2, x5, r1;    vldb wh2, [p0], #32;    vlda wh5, [p2], #32;    vst amhh1, [p6], #-224
    vmac.f bml3, bml7, x3, x4, r1;    vldb wl3, [p0], #32;                            vst amll2, [p6], #32
    vmac.f bmh3, bmh7, x3, x5, r1;    vldb wh3, [p0], #32;                            vst amlh2, [p6], #224
    vmac.f bml0, bml0, x0, x6, r0;    vldb wl0, [p0], #32;    vlda wl6, [p1], #32;    vst amhl2, [p6], #32
    vmac.f bmh0, bmh0, x0, x7, r0;    vldb wh0, [p0], #32;    vlda wh6, [p1], #32;    vst amhh2, [p6], #-224
    vmac.f bml1, bml1, x1, x6, r0;    vldb wl1, [p0], #32;                            vst amll3, [p6], #32
    vmac.f bmh1, bmh1, x1, x7, r0;    vldb wh1, [p0], #32;                            vst amlh3, [p6], #224
    vmac.f bml2, bml2, x2, x6, r0;    vldb wl2, [p0], #32;    vlda wl7, [p2], #32;    vst amhl8, [p6], #32
    vmac.f bmh2, bmh2, x2, x7, r0;    vldb wh2, [p0], #32;    vlda wh7, [p2], #32;    vst amhh8, [p6], #32
    vmac.f bml3, bml3, x3, x6, r0;    vldb wl3, [p0], #32
    vmac.f bmh3, bmh3, x3, x7, r0;    vldb wh3, [p0], #32
    vmac.f bml0, bml0, x0, x4, r0;    vldb wl0, [p0], #32;    vlda wl4, [p1], #32
    vmac.f bmh0, bmh0, x0, x5, r0;    vldb wh0, [p0], #32;    vlda wh4, [p1], #32
    vmac.f bml1, bml1, x1, x4, r0;    vldb wl1, [p0], #32;    vlda amll4, [p5], #32
    vmac.f bmh1, bmh1, x1, x5, r0;    vldb wh1, [p0], #32;    vlda amlh4, [p5], #224
    vmac.f bml2, bml2, x2, x4, r0;    vldb wl2, [p0], #32;    vlda wl5, [p2], #32
    vmac.f bmh2, bmh2, x2, x5, r0;    vldb wh2, [p0], #32;    vlda wh5, [p2], #32
    vmac.f bml3, bml3, x3, x4, r0;    vldb wl3, [p0], #32;    vlda amhl4, [p5], #32
    vmac.f bmh3, bmh3, x3, x5, r0;    vldb wh3, [p0], #32;    vlda amhh4, [p5], #-224
    vmac.f bml0, bml0, x0, x6, r0;    vldb wl0, [p0], #32;    vlda wl6, [p1], #32
    vmac.f bmh0, bmh0, x0, x7, r0;    vldb wh0, [p0], #32;    vlda wh6, [p1], #32
    vmac.f bml1, bml1, x1, x6, r0;    vldb wl1, [p0], #32;    vlda amll5, [p5], #32
    vmac.f bmh1, bmh1, x1, x7, r0;    vldb wh1, [p0], #32;    vlda amlh5, [p5], #224
    vmac.f bml2, bml2, x2, x6, r0;    vldb wl2, [p0], #32;    vlda wl7, [p2], #32
    vmac.f bmh2, bmh2, x2, x7, r0;    vldb wh2, [p0], #32;    vlda wh7, [p2], #32
    vmac.f bml3, bml3, x3, x6, r0;    vldb wl3, [p0], #32;    vlda amhl5, [p5], #32
    vmac.f bmh3, bmh3, x3, x7, r0;    vldb wh3, [p0], #32;    vlda amhh5, [p5], #-224
    vmac.f bml0, bml0, x0, x4, r0;    vldb wl0, [p0], #32;    vlda wl4, [p1], #32
    vmac.f bmh0, bmh0, x0, x5, r0;    vldb wh0, [p0], #32;    vlda wh4, [p1], #32
    vmac.f bml1, bml1, x1, x4, r0;    vldb wl1, [p0], #32;    vlda amll6, [p5], #32
    vmac.f bmh1, bmh1, x1, x5, r0;    vldb wh1, [p0], #32;    vlda amlh6, [p5], #224
    vmac.f bml2, bml2, x2, x4, r0;    vldb wl2, [p0], #32;    vlda wl5, [p2], #32
    vmac.f bmh2, bmh2, x2, x5, r0;    vldb wh2, [p0], #32;    vlda wh5, [p2], #32
    vmac.f bml3, bml3, x3, x4, r0;    vldb wl3, [p0], #32;    vlda amhl6, [p5], #32
    vmac.f bmh3, bmh3, x3, x5, r0;    vldb wh3, [p0], #32;    vlda amhh6, [p5], #-224
    vmac.f bml0, bml0, x0, x6, r0;    vldb wl0, [p0], #32;    vlda wl6, [p1], #32
    vmac.f bmh0, bmh0, x0, x7, r0;    vldb wh0, [p0], #32;    vlda.2d wh6, [p1], d1
    vmac.f bml1, bml1, x1, x6, r0;    vldb wl1, [p0], #32;    vlda amll7, [p5], #32
    vmac.f bmh1, bmh1, x1, x7, r0;    vldb wh1, [p0], #32;    vlda amlh7, [p5], #224
    vmac.f bml2, bml2, x2, x6, r0;    vldb wl2, [p0], #32;    vlda wl7, [p2], #32
    vmac.f bmh2, bmh2, x2, x7, r0;    vldb wh2, [p0], #32;    vlda.2d wh7, [p2], d2
    vmac.f bml3, bml3, x3, x6, r0;    vldb wl3, [p0], #32;    vlda amhl7, [p5], #32
    vmac.f bmh3, bmh3, x3, x7, r0;    vldb wh3, [p0], #32;    vlda amhh7, [p5], #32
    vmac.f bml0, bml0, x0, x4, r0;    vldb wl0, [p0], #32;    vlda wl4, [p1], #32
    vmac.f bmh0, bmh0, x0, x5, r0;    vldb wh0, [p0], #32;    vlda wh4, [p1], #32
    vmac.f bml1, bml1, x1, x4, r0;    vldb wl1, [p0], #32
    vmac.f bmh1, bmh1, x1, x5, r0;    vldb wh1, [p0], #32
    vmac.f bml2, bml2, x2, x4, r0;    vldb wl2, [p0], #32;    vlda wl5, [p2], #32
    vmac.f bmh2, bmh2, x2, x5, r0;    vldb wh2, [p0], #32;    vlda wh5, [p2], #32
    vmac.f bml3, bml3, x3, x4, r0;    vldb wl3, [p0], #32
    vmac.f bmh3, bmh3, x3, x5, r0;    vldb.2d wh3, [p0], d0
    vmac.f bml0, bml0, x0, x6, r0;    vldb wl0, [p0], #32;    vlda wl6, [p1], #32
    vmac.f bmh0, bmh0, x0, x7, r0;    vldb wh0, [p0], #32;    vlda wh6, [p1], #32
    vmac.f bml1, bml1, x1, x6, r0;    vldb wl1, [p0], #32
    vmac.f bmh1, bmh1, x1, x7, r0;    vldb wh1, [p0], #32
    vmac.f bml2, bml2, x2, x6, r0;    vldb wl2, [p0], #32;    vlda wl7, [p2], #32
    vmac.f bmh2, bmh2, x2, x7, r0;    vldb wh2, [p0], #32;    vlda wh7, [p2], #32
    vmac.f bml3, bml3, x3, x6, r0;    vldb wl3, [p0], #32;                            vst amll0, [p6], #32
loop_end:
    vmac.f bmh8, bmh3, x3, x7, r0;    vldb wh3, [p0], #32;                            vst amlh0, [p6], #224

    // What is left of the last block.
                                                                                      vst amhl0, [p6], #32
                                                                                      vst amhh0, [p6], #-224
                                                                                      vst amll1, [p6], #32
                                                                                      vst amlh1, [p6], #224
                                                                                      vst amhl1, [p6], #32
                                                                                      vst amhh1, [p6], #-224
                                                                                      vst amll2, [p6], #32
                                                                                      vst amlh2, [p6], #224
                                                                                      vst amhl2, [p6], #32;   ret lr
                                                                                      vst amhh2, [p6], #-224
                                                                                      vst amll3, [p6], #32
                                                                                      vst amlh3, [p6], #224
                                                                                      vst amhl8, [p6], #32
                                                                                      vst amhh8, [p6], #32
