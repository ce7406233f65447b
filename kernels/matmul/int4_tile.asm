// What int4.s and int4_q.s share: a 64 x 128 tile of int32 sums of int8 x int4 products.
//
// Twice int8's columns: a core takes a word of A and one of B a cycle, and at 512 multiply-accumulates
// a cycle 64 x 128 is the tile for which that is enough. Its sums fill half of data memory.
//
// Objects (k is 128 of K, a step t is 16 of it), B with two elements a byte, the first in the low half:
//   A, 64 x 128 bytes, comes in quarters of 16 rows: [t: 8][i: 4][row: 4][16 of k]; rows are 4 i + row
//   B, 128 x 128 int4: [half h: 2][n: 4][t: 8][j: 2][16 of k][8 columns]; 8 KiB; columns are
//      64 h + 16 n + 8 j + ...
//   sums, [h: 2][quarter: 4][n: 4][j: 2][i: 4][row: 4][8 columns] int32
//
// Data memory: quarters of A twice in the first 16 KiB, where the numbers of the command are, too; B
// twice in the second; the sums of h = 0 in the third, those of h = 1 in the fourth. So the blocks
// (below) of both halves in turn load and store in different banks.
//
// Block: 16 rows x 16 columns, eight accumulators (i, j), 8 steps of k: 64 multiplies of 512. There is
// but one accumulator more, so a block's sums are loaded into those that the block before has in
// store, as soon as that is: the pairs (i, 0), (i, 1) begin 0, 5, 11 and 23 cycles behind the first, and
// each has a pause between blocks. A frame is 65 cycles: it begins with a block's first multiply, and
// has the first loads of the next, the last multiplies and most stores of the one before. An object is 32 frames one after the other without a break: quarter after
// quarter of rows, in each the four n, for each both h. A tile begins in the middle of a frame, whose block
// is none: what it multiplies and stores is never used.
//
// Registers: cm(2 i + j) sums of (i, j), cm8 the last sum of (0, 0); x0..3 A of i; x4..11 B of j and
//   t mod 4: x(4 + 2 (t mod 4) + j)
//   p0..3 A of i, p4 B, p5 sums to load, p6 sums to store, p7 kSteps
//   d0..3 rewind A at the end of a block, 8 times, then go to the other buffer (m0..3: r22, in turn
//   with r22 ^ r23); d4..6 go from a half h to the other and back, one n on (r25; r28); m4 at the end of
//   a quarter back to B's first n (r24) or to the other buffer (r29, in turn with r29 ^ r30), m5 and m6
//   at the end of an object back to the first sums (r27)
//   r0 the multiply, r1 the same for the first step of a block: it may clear the accumulator
//   r2 objects left of the tile, r21 whether this is the last; r3 -1, r4 1, r12 2, r20 -2, r7 B, r11 to
//   its other buffer, r26 quarters left of the object, but one
//   r18 halves of a quarter's sums that are sent when they are stored, r13 of the quarter before; r19
//   the same of a tile's last object
//   r14 where room for the sums of a quarter, but the fourth, comes from: kLockCFree in a tile's first
//   object, else r16, kLockKept, which is never empty, for r17 is given back to it at once
//   r5, r6, r8 what m6, dj6, m6 differ by where the fourth quarter's sums go to kOut; r9 dj6 elsewhere;
//   r10, r15 the fourth quarter's m6, dj6, lock and what is given back
//
// Cycles: 65 a block for 64 multiplies. Load unit B has 64 loads of A and 1 of B, load unit A 31 of B and
// 32 of sums, the store unit 32 stores. Which cycle each goes to was found by a constraint solver (CP-SAT)
// from the latencies, one use of a unit a cycle and the registers' lifetimes; with the two of a pair next to
// each other and one spare accumulator it found 64 cycles impossible.
// Measured: 2,115 cycles an object of A and B (unit/kernels, Matmul.InnerLoopInt4) for its 2,048
// multiplies: 96.8 %.

.include "locks.asm"
.equ kLockKept, 6

.equ kA, 0x70000            // and 2 KiB on
.equ kAQuarter, 0x800
.equ kSteps, 0x71000
.equ kOut, 0x72000          // 8 KiB
.equ kOutHalf, 0x1000       // to the other h
.equ kB, 0x74000            // and 8 KiB on
.equ kObject, 0x2000        // bytes of B
.equ kSums, 0x78000
.equ kSumsHalf, 0x4000      // to the other h
.equ kSumsQuarter, 0x1000   // bytes of a quarter's sums of one h

// From the last access of a block, 992 bytes in (A: 1824), to the first of the next.
.equ kABack, -1824
.equ kAOn, kAQuarter - 1824
.equ kARewind, -kAQuarter - 1824
.equ kBHalf, kObject / 2 - 992
.equ kBOn, 1024 - kObject / 2 - 992
.equ kBBack, -7 * 1024 - 992
.equ kBFirst, kBBack + kObject
.equ kBSecond, kBBack - kObject
.equ kSumsToHalf, kSumsHalf - 992
.equ kSumsOn, 1024 - kSumsHalf - 992
.equ kSumsBack, -15 * 1024 - kSumsHalf - 992
.equ kOutBegin, kOut - kSums - 3 * kSumsQuarter + 1024 - kSumsHalf - 992
.equ kOutToHalf, kOutHalf - 992
.equ kOutOn, 1024 - kOutHalf - 992

// Cycles 0 to 23, 24 to 47, 48 to 64 of a frame. \atN is what else issues in cycle N, \end a label for
// the last.
.macro head at2, at3, at4, at5, at6, at7, at8, at9, at10, at11, at12, at20, at22
    vmac cm0, cm0, x0, x4, r1;  vldb wl1, [p1], #32;   vlda wh9, [p4], #32;     vst amhh2, [p6], #416
    vmac cm1, cm1, x0, x5, r1;  vldb wl2, [p2], #32;   vlda amlh4, [p5], #32;   vst amll3, [p6], #32
                                vldb wh1, [p1], #224;  vlda amhl4, [p5], #32;   vst amlh3, [p6], #32;   \at2
    vmac cm0, cm0, x0, x6, r0;  vldb wh2, [p2], #224;  vlda amhh4, [p5], #416;  vst amhl3, [p6], #32;   \at3
    vmac cm1, cm1, x0, x7, r0;  vldb wl1, [p1], #32;   vlda amll5, [p5], #32;   vst amhh3, [p6], #-480; \at4
    vmac cm2, cm2, x1, x4, r1;  vldb wh1, [p1], #224;  vlda amlh5, [p5], #32;   vst amll4, [p6], #32;   \at5
    vmac cm3, cm3, x1, x5, r1;  vldb wl2, [p2], #32;   vlda amhl5, [p5], #32;   vst amlh4, [p6], #32;   \at6
    vmac cm0, cm0, x0, x8, r0;  vldb wl0, [p0], #32;   vlda amhh5, [p5], #-480; vst amhl4, [p6], #32;   \at7
    vmac cm1, cm1, x0, x9, r0;  vldb wh2, [p2], #224;  vlda wl10, [p4], #32;    vst amhh4, [p6], #416;  \at8
    vmac cm2, cm2, x1, x6, r0;  vldb wl1, [p1], #32;   vlda wh10, [p4], #32;    vst amll5, [p6], #32;   \at9
    vmac cm3, cm3, x1, x7, r0;  vldb wh1, [p1], #224;  vlda wl11, [p4], #32;    vst amlh5, [p6], #32;   \at10
    vmac cm4, cm4, x2, x4, r1;  vldb wl2, [p2], #32;   vlda wh11, [p4], #32;    vst amhl5, [p6], #32;   \at11
    vmac cm5, cm5, x2, x5, r1;  vldb wh0, [p0], #224;  vlda amll6, [p5], #32;   vst amhh5, [p6], #-480; \at12
    vmac cm2, cm2, x1, x8, r0;  vldb wl3, [p3], #32;   vlda amlh6, [p5], #32;   vst amll6, [p6], #32
    vmac cm3, cm3, x1, x9, r0;  vldb wh2, [p2], #224;  vlda amhl6, [p5], #32;   vst amlh6, [p6], #32
    vmac cm4, cm4, x2, x6, r0;  vldb wh3, [p3], #224;  vlda amhh6, [p5], #416;  vst amhl6, [p6], #32
    vmac cm5, cm5, x2, x7, r0;  vldb wl2, [p2], #32;   vlda amll7, [p5], #32;   vst amhh6, [p6], #416
    vmac cm2, cm2, x1, x10, r0; vldb wh2, [p2], #224;  vlda amlh7, [p5], #32;   vst amll7, [p6], #32
    vmac cm3, cm3, x1, x11, r0; vldb wl0, [p0], #32;   vlda amhl7, [p5], #32;   vst amlh7, [p6], #32
    vmac cm0, cm0, x0, x10, r0; vldb wl3, [p3], #32;   vlda.2d amhh7, [p5], d5; vst amhl7, [p6], #32
    vmac cm1, cm1, x0, x11, r0; vldb wh3, [p3], #224;  vlda wl4, [p4], #32;     vst.2d amhh7, [p6], d6; \at20
    vmac cm4, cm4, x2, x8, r0;  vldb wh0, [p0], #224;  vlda wh4, [p4], #32
    vmac cm5, cm5, x2, x9, r0;  vldb wl1, [p1], #32;   vlda wl5, [p4], #32;                             \at22
    vmac cm6, cm6, x3, x4, r1;  vldb wl3, [p3], #32;   vlda wh5, [p4], #32
.endm

.macro middle at25, at26, at28, at29, at30, at31, at36, at42, at46
    vmac cm7, cm7, x3, x5, r1;  vldb wh3, [p3], #224;  vlda wl6, [p4], #32
    vmac cm4, cm4, x2, x10, r0; vldb wl0, [p0], #32;   vlda wh6, [p4], #32;                             \at25
    vmac cm5, cm5, x2, x11, r0; vldb wh0, [p0], #224;  vlda wl7, [p4], #32;                             \at26
    vmac cm6, cm6, x3, x6, r0;  vldb wl3, [p3], #32;   vlda wh7, [p4], #32
    vmac cm7, cm7, x3, x7, r0;  vldb wh3, [p3], #224;  vlda wl8, [p4], #32;                             \at28
    vmac cm0, cm0, x0, x4, r0;  vldb wl0, [p0], #32;   vlda wh8, [p4], #32;                             \at29
    vmac cm1, cm1, x0, x5, r0;  vldb wh0, [p0], #224;  vlda wl9, [p4], #32;                             \at30
    vmac cm6, cm6, x3, x8, r0;  vldb wh1, [p1], #224;  vlda wh9, [p4], #32;                             \at31
    vmac cm7, cm7, x3, x9, r0;  vldb wl3, [p3], #32;   vlda wl10, [p4], #32
    vmac cm0, cm0, x0, x6, r0;  vldb wl0, [p0], #32;   vlda wh10, [p4], #32
    vmac cm1, cm1, x0, x7, r0;  vldb.2d wh0, [p0], d0; vlda wl11, [p4], #32
    vmac cm6, cm6, x3, x10, r0; vldb wl1, [p1], #32;   vlda.2d wh11, [p4], d4
    vmac cm7, cm7, x3, x11, r0; vldb wh1, [p1], #224;                                                   \at36
    vmac cm0, cm0, x0, x8, r0;  vldb wl2, [p2], #32;   vlda amll0, [p5], #32
    vmac cm1, cm1, x0, x9, r0;  vldb wh3, [p3], #224;  vlda amlh0, [p5], #32
    vmac cm2, cm2, x1, x4, r0;  vldb wh2, [p2], #224;  vlda amhl0, [p5], #32
    vmac cm3, cm3, x1, x5, r0;  vldb wl1, [p1], #32;   vlda amhh0, [p5], #416
    vmac cm8, cm0, x0, x10, r0; vldb wh1, [p1], #224
    vmac cm1, cm1, x0, x11, r0; vldb wl3, [p3], #32;   vlda wl4, [p4], #32;                             \at42
    vmac cm2, cm2, x1, x6, r0;  vldb wl2, [p2], #32;   vlda wh4, [p4], #32
    vmac cm3, cm3, x1, x7, r0;  vldb wh2, [p2], #224;  vlda wl5, [p4], #32
    vmac cm6, cm6, x3, x4, r0;  vldb wh3, [p3], #224;  vlda wh5, [p4], #32
    vmac cm7, cm7, x3, x5, r0;  vldb wl2, [p2], #32;   vlda amll1, [p5], #32;                           \at46
    vmac cm4, cm4, x2, x4, r0;  vldb wl1, [p1], #32;   vlda wl6, [p4], #32
.endm

.macro tail at48, at51, at58, at59, at64, end
    vmac cm5, cm5, x2, x5, r0;  vldb wh2, [p2], #224;  vlda amlh1, [p5], #32;   vst amll8, [p6], #32;   \at48
    vmac cm2, cm2, x1, x8, r0;  vldb.2d wh1, [p1], d1; vlda amhl1, [p5], #32;   vst amlh8, [p6], #32
    vmac cm3, cm3, x1, x9, r0;  vldb wl3, [p3], #32;   vlda wh6, [p4], #32;     vst amhl8, [p6], #32
    vmac cm4, cm4, x2, x6, r0;  vldb wl2, [p2], #32;   vlda wl7, [p4], #32;     vst amhh8, [p6], #416;  \at51
    vmac cm5, cm5, x2, x7, r0;  vldb wh3, [p3], #224;  vlda wh7, [p4], #32;     vst amll1, [p6], #32
    vmac cm6, cm6, x3, x6, r0;  vldb.2d wh2, [p2], d2; vlda wl8, [p4], #32;     vst amlh1, [p6], #32
    vmac cm7, cm7, x3, x7, r0;  vldb wh8, [p4], #32;   vlda amhh1, [p5], #-480; vst amhl1, [p6], #32
    vmac cm4, cm4, x2, x8, r0;  vldb wl3, [p3], #32;   vlda wl9, [p4], #32;     vst amhh1, [p6], #-480
    vmac cm5, cm5, x2, x9, r0;  vldb.2d wh3, [p3], d3; vlda amll2, [p5], #32
    vmac cm2, cm2, x1, x10, r0; vldb wl0, [p0], #32;   vlda amlh2, [p5], #32
    vmac cm3, cm3, x1, x11, r0; vldb wh0, [p0], #224;  vlda amhl2, [p5], #32;                           \at58
    vmac cm6, cm6, x3, x8, r0;  vldb wl1, [p1], #32;   vlda amhh2, [p5], #416;                          \at59
    vmac cm7, cm7, x3, x9, r0;  vldb wl0, [p0], #32;   vlda amll3, [p5], #32
    vmac cm4, cm4, x2, x10, r0; vldb wh0, [p0], #224;  vlda amlh3, [p5], #32
    vmac cm5, cm5, x2, x11, r0; vldb wh1, [p1], #224;  vlda amhl3, [p5], #32;   vst amll2, [p6], #32
    vmac cm6, cm6, x3, x10, r0; vldb wl0, [p0], #32;   vlda amhh3, [p5], #-480; vst amlh2, [p6], #32
\end
    vmac cm7, cm7, x3, x11, r0; vldb wh0, [p0], #224;  vlda amll4, [p5], #32;   vst amhl2, [p6], #32;   \at64
.endm

.macro frame end
    head
    middle
    tail end="\end"
.endm

// What stays in registers for ever; `out` is 1 if a tile's last quarter goes to kOut, else 0.
.macro constants out
    movxm p7, #kSteps
    movxm r0, #0x300        // 4x16x8, both signed
    movxm r7, #kB
    movxm r11, #kB ^ (kB + kObject)
    movxm r23, #kAOn ^ kARewind
    movxm r24, #kBBack
    movxm r25, #kBOn
    movxm r27, #kSumsBack
    movxm r28, #kSumsOn
    movxm r29, #kBFirst
    movxm r30, #kBFirst ^ kBSecond
    mova r3, #-1;           movxm dj0, #kABack
    mova r4, #1;            mov dj1, dj0
    mova r12, #2;           mov dj2, dj0
    mova dn0, #7;           mov dj3, dj0
    mova dn1, #7;           movxm dj4, #kBHalf
    mova dn2, #7;           movxm dj5, #kSumsToHalf
    mova dn3, #7;           movxm r9, #kSumsToHalf
    mova dn4, #1
    mova dn5, #1
    mova dn6, #1
    movxm r5, #\out * (kOutBegin - kSumsOn)
    movxm r6, #\out * (kOutToHalf - kSumsToHalf)
    movxm r8, #\out * (kOutOn - kSumsOn)
    rel #kOwn + kLockKept, r12
    nop
    nop
    nop
.endm

// A tile, to the end of its last frame: `sent` halves of each quarter are given away when they are
// there; a first object's quarters get their room from lock `room` and give `given_back` of it back.
.macro tile_product sent, room, given_back
tile:
    acq #kOwn + kLockAFull, r3
    movxm p0, #kA + 1280         // as far as A and B of a block have got by cycle 24
    movxm p1, #kA + 1120
    movxm p2, #kA + 1152
    acq #kOwn + kLockBFull, r3
    movxm p3, #kA + 736
    mov p4, r7
    padda [p4], #640
    lda r2, [p7, #0]
    movxm m4, #-992                 // back to where the object begins
    movxm p5, #kSums
    movxm p6, #kSums + kSumsHalf - 1024 // the stores of no block before: the fourth quarter's place
    mova dc0, #0;           mov m5, r28
    mova dc1, #0;           mov m6, r28
    mova dc2, #0
    nop
    eq r21, r2, r4
    mova dc3, #0;           add r1, r0, #1      // the first object's sums start at 0
    mova dc4, #1;           mov r13, #0
    mova dc5, #0;           movxm r22, #kAOn
    mova dc6, #1;           mov r26, #3
    mov dj6, r9
    mova r19, #\sent
    mova r20, #-2;          mul r18, r21, r19
    mova r14, #kOwn + \room
    mova r16, #kOwn + kLockKept
    mova r17, #\given_back
    nop
    nop
    nop
    middle
    tail

    // Three quarters, and the fourth. In the first frame what was stored before is sent, and room
    // awaited; in the last, the next rows of A.
quarter:
    head at2="mov lc, #6", at4="movxm ls, #blocks", at6="movxm le, #blocks_end", at8="mov dc0, #0", at9="mov dc1, #0", at10="mov dc2, #0", at11="mov dc3, #0", at12="mov m4, r25"
    middle at26="mov m6, r28", at30="rel #kOwn + kLockCFull, r13", at31="mov r13, r18", at36="acq r14, r20", at42="rel #kOwn + kLockKept, r17"
    tail
blocks:
    frame "blocks_end:"
    head at2="mov m0, r22", at3="mov m1, r22", at4="mov m2, r22", at5="mov m3, r22", at6="xor r22, r22, r23", at8="mov m4, r24"
    middle
    tail at48="mov m4, r25", at51="acq #kOwn + kLockAFull, r3", at58="add r26, r26, #-1", at59="jnz r26, #quarter", at64="rel #kOwn + kLockAFree, r4"

    // In a tile's last object this quarter's sums go to kOut.
    head at2="mov lc, #5", at4="movxm ls, #last_blocks", at6="movxm le, #last_blocks_end", at7="mul r15, r21, r5", at8="mul r10, r21, r6", at9="add r15, r15, r28", at10="mov m6, r15; mul r15, r21, r8", at11="add r10, r10, r9", at12="mov dj6, r10; add r15, r15, r28", at20="sub r10, r16, r18", at22="mov m6, r15; sub r15, r12, r18"
    middle at30="rel #kOwn + kLockCFull, r13", at36="acq r10, r20", at42="rel #kOwn + kLockKept, r15"
    tail
last_blocks:
    frame "last_blocks_end:"
    head
    middle
    tail at59="jnz r21, #last"

    // The next object's pointers and numbers.
    head at2="mov m0, r22", at3="mov m1, r22", at4="mov m2, r22", at5="mov m3, r22", at6="xor r22, r22, r23", at7="mov m5, r27", at8="mov m4, r29", at9="xor r29, r29, r30", at10="xor r7, r7, r11", at20="mov m5, r28", at22="mov m6, r27"
    middle at25="mov r1, r0", at26="mov r14, r16", at28="add r2, r2, #-1", at29="eq r21, r2, r4", at30="mul r18, r21, r19", at31="mov r17, r12", at36="acq #kOwn + kLockBFull, r3", at46="rel #kOwn + kLockBFree, r4"
    tail at48="mov m4, r25", at51="acq #kOwn + kLockAFull, r3", at58="mov r26, #3", at59="j #quarter", at64="rel #kOwn + kLockAFree, r4"

    // What it loads for a next block is not used.
last:
    head at9="xor r29, r29, r30", at10="xor r7, r7, r11"
    middle at46="rel #kOwn + kLockBFree, r4"
    tail at64="rel #kOwn + kLockAFree, r4"
    head
.endm
