// C = A B: int8 x int4 -> int32, one core's 64 x 64 tiles of C, which go out in halves of 32 rows:
// objects.asm. B holds two elements a byte, the first in the low half.
//
// Objects (k is 128 of K, a step t is 16 of it):
//   A, 64 x 128 bytes: [row group g: 8][t: 8][i: 2][row: 4][16 of k]; rows are 8 g + 4 i + row
//   B, 128 x 64 int4: [column group n: 8][t: 8][16 of k][8 columns]; 4 KiB
//   sums, 32 rows: [g: 4][n: 8][i: 2][row: 4][8 columns] int32
//
// Block: 8 rows x 16 columns (two column groups j), four accumulators, 8 steps of k: 32 multiplies of
// 512. The assembler puts iterations into each other.
//
// Registers, beyond those of objects.asm: cm0..1 sums of i for j = 0, cm2..3 for j = 1; cm4..7 as
//   memory has them; x0, x1 A of i for even t, x2, x3 for odd t; x4..x7 B of j likewise
//   p0 A, p1 and p2 B of j, p5 sums to load, p6 sums to store
//   d0..d2 rewind p0..p2: A at the end of a block, 4 times, then on; B at the end of 4 blocks
//
// Cycles: 48 a block for 32 multiplies: load unit A has 32 loads of B and 16 of sums. An object needs
// 32 blocks; its A takes 2,048 cycles to come, a word a cycle, and that is what binds.
// Measured: 2,048 cycles an object of A and B (unit/kernels, Matmul.InnerLoopInt4) for its 1,024
// multiplies.

.include "objects.asm"

    movxm p7, #kSteps
    movxm r0, #0x300        // 4x16x8, both signed
    movxm r6, #kA
    movxm r7, #kB
    movxm r11, #kObject
    movxm r5, #kObject / 2
    mova r3, #-1;           movxm m0, #32
    mova r4, #1;            movxm dj0, #32 - 1024
    mova dn0, #3
    mova dc0, #0
    mova dn1, #3;           movxm dj1, #32 + 512
    mova dn2, #3;           mov dj2, dj1
    mova dc1, #0;           movxm m1, #32 + 512 - 4096
    mova dc2, #0;           mov m2, m1
    send_sums

// 32 rows of A (r6) times B (r7), added to a half of C (r12).
half:
    mov p5, r12
    mov p6, r12
    mov p0, r6
    mov p1, r7
    mov p2, r7
    padda [p2], #512
    movxm r19, #16
.pipeline block, r19
.bank p0, 0
.bank p1, 1
.bank p2, 1
.bank p5, 2
.bank p6, 2
    vlda amll4, [p5], #32
    vlda amlh4, [p5], #32
    vlda amhl4, [p5], #32
    vlda amhh4, [p5], #32
    vlda amll5, [p5], #32
    vlda amlh5, [p5], #32
    vlda amhl5, [p5], #32
    vlda amhh5, [p5], #32
    vlda amll6, [p5], #32
    vlda amlh6, [p5], #32
    vlda amhl6, [p5], #32
    vlda amhh6, [p5], #32
    vlda amll7, [p5], #32
    vlda amlh7, [p5], #32
    vlda amhl7, [p5], #32
    vlda amhh7, [p5], #32
    vldb wl0, [p0], #32
    vldb wh0, [p0], #32
    vldb wl1, [p0], #32
    vldb wh1, [p0], #32
    vlda wl4, [p1], #32
    vlda wh4, [p1], #32
    vlda wl5, [p2], #32
    vlda wh5, [p2], #32
    vmac cm0, cm4, x0, x4, r1
    vmac cm1, cm5, x1, x4, r1
    vmac cm2, cm6, x0, x5, r1
    vmac cm3, cm7, x1, x5, r1
    vldb wl2, [p0], #32
    vldb wh2, [p0], #32
    vldb wl3, [p0], #32
    vldb wh3, [p0], #32
    vlda wl6, [p1], #32
    vlda wh6, [p1], #32
    vlda wl7, [p2], #32
    vlda wh7, [p2], #32
    vmac cm0, cm0, x2, x6, r0
    vmac cm1, cm1, x3, x6, r0
    vmac cm2, cm2, x2, x7, r0
    vmac cm3, cm3, x3, x7, r0
    vldb wl0, [p0], #32
    vldb wh0, [p0], #32
    vldb wl1, [p0], #32
    vldb wh1, [p0], #32
    vlda wl4, [p1], #32
    vlda wh4, [p1], #32
    vlda wl5, [p2], #32
    vlda wh5, [p2], #32
    vmac cm0, cm0, x0, x4, r0
    vmac cm1, cm1, x1, x4, r0
    vmac cm2, cm2, x0, x5, r0
    vmac cm3, cm3, x1, x5, r0
    vldb wl2, [p0], #32
    vldb wh2, [p0], #32
    vldb wl3, [p0], #32
    vldb wh3, [p0], #32
    vlda wl6, [p1], #32
    vlda wh6, [p1], #32
    vlda wl7, [p2], #32
    vlda wh7, [p2], #32
    vmac cm0, cm0, x2, x6, r0
    vmac cm1, cm1, x3, x6, r0
    vmac cm2, cm2, x2, x7, r0
    vmac cm3, cm3, x3, x7, r0
    vldb wl0, [p0], #32
    vldb wh0, [p0], #32
    vldb wl1, [p0], #32
    vldb wh1, [p0], #32
    vlda wl4, [p1], #32
    vlda wh4, [p1], #32
    vlda wl5, [p2], #32
    vlda wh5, [p2], #32
    vmac cm0, cm0, x0, x4, r0
    vmac cm1, cm1, x1, x4, r0
    vmac cm2, cm2, x0, x5, r0
    vmac cm3, cm3, x1, x5, r0
    vldb wl2, [p0], #32
    vldb wh2, [p0], #32
    vldb wl3, [p0], #32
    vldb wh3, [p0], #32
    vlda wl6, [p1], #32
    vlda wh6, [p1], #32
    vlda wl7, [p2], #32
    vlda wh7, [p2], #32
    vmac cm0, cm0, x2, x6, r0
    vmac cm1, cm1, x3, x6, r0
    vmac cm2, cm2, x2, x7, r0
    vmac cm3, cm3, x3, x7, r0
    vldb wl0, [p0], #32
    vldb wh0, [p0], #32
    vldb wl1, [p0], #32
    vldb wh1, [p0], #32
    vlda wl4, [p1], #32
    vlda wh4, [p1], #32
    vlda wl5, [p2], #32
    vlda wh5, [p2], #32
    vmac cm0, cm0, x0, x4, r0
    vmac cm1, cm1, x1, x4, r0
    vmac cm2, cm2, x0, x5, r0
    vmac cm3, cm3, x1, x5, r0
    vldb wl2, [p0], #32
    vldb wh2, [p0], #32
    vldb wl3, [p0], #32
    vldb.2d wh3, [p0], d0
    vlda wl6, [p1], #32
    vlda.2d wh6, [p1], d1
    vlda wl7, [p2], #32
    vlda.2d wh7, [p2], d2
    vmac cm0, cm0, x2, x6, r0
    vmac cm1, cm1, x3, x6, r0
    vmac cm2, cm2, x2, x7, r0
    vmac cm3, cm3, x3, x7, r0
    vst amll0, [p6], #32
    vst amlh0, [p6], #32
    vst amhl0, [p6], #32
    vst amhh0, [p6], #32
    vst amll1, [p6], #32
    vst amlh1, [p6], #32
    vst amhl1, [p6], #32
    vst amhh1, [p6], #32
    vst amll2, [p6], #32
    vst amlh2, [p6], #32
    vst amhl2, [p6], #32
    vst amhh2, [p6], #32
    vst amll3, [p6], #32
    vst amlh3, [p6], #32
    vst amhl3, [p6], #32
    vst amhh3, [p6], #32
.endpipeline
    ret lr
    nop
    nop
    nop
    nop
    nop
