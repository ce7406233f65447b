// The multiply of int4.s and int4_q.s: 16 rows of A times an object B, added to a quarter of a
// 64 x 128 tile of int32 sums.
//
// Twice int8's columns: a core takes a word of A and one of B a cycle, and at 512 multiply-accumulates
// a cycle 64 x 128 is the tile for which that is enough. Its sums fill half of data memory.
//
// Objects (k is 128 of K, a step t is 16 of it), B with two elements a byte, the first in the low half:
//   A, 64 x 128 bytes, comes in quarters of 16 rows: [row group g: 2][t: 8][i: 2][row: 4][16 of k];
//      rows are 8 g + 4 i + row
//   B, 128 x 128 int4: [column group n: 16][t: 8][16 of k][8 columns]; 8 KiB
//   sums, 16 rows: [g: 2][pair of column groups: 8][j: 2][i: 2][row: 4][8 columns] int32
//
// Data memory: quarters of A twice in the first 16 KiB, where the numbers of the command and what
// leaves the core otherwise than from its sums are, too; B twice in the second; the sums in the rest.
//
// Block: 8 rows x 16 columns (two column groups j), four accumulators, 8 steps of k: 32 multiplies
// of 512. The assembler puts iterations into each other.
//
// Registers: cm0..1 sums of i for j = 0, cm2..3 for j = 1; cm4..7 as memory has them; x0, x1 A of i
//   for even t, x2, x3 for odd t; x4..x7 B of j likewise
//   p0 A, p1 and p2 B of j, p5 sums to load, p6 sums to store, p7 kSteps
//   d0..d2 rewind p0..p2: A at the end of a block, 8 times, then on; B at the end of 8 blocks
//   r0 the multiply, r1 the same for the first step of a block: it may clear the accumulator
//   r2 objects left of the tile, r3 -1, r4 1, r5 and r11 what tells first and second buffer of A and
//   of B apart, r6 A, r7 B, r8 and r9 sums of the next quarter: from where, to where; r10 bytes of
//   a quarter
//
// Cycles: 42 a block for 32 multiplies: 80 loads of 32 bytes share two units. Of B's, 6 go by A's
// unit (load unit B); with one more the schedules found get longer, for B is in one bank.
// Measured: 2,953 cycles an object (four quarters) (unit/kernels, Matmul.InnerLoopInt4) for its 2,048
// multiplies.

.include "locks.asm"

.equ kA, 0x70000            // and 2 KiB on
.equ kAQuarter, 0x800
.equ kSteps, 0x71000
.equ kOut, 0x72000          // 8 KiB
.equ kB, 0x74000            // and 8 KiB on
.equ kObject, 0x2000        // bytes of B
.equ kSums, 0x78000
.equ kQuarter, 0x2000       // bytes of a quarter's sums

// What stays in registers for ever.
.macro constants
    movxm p7, #kSteps
    movxm r0, #0x300        // 4x16x8, both signed
    movxm r6, #kA
    movxm r5, #kA ^ (kA + kAQuarter)
    movxm r7, #kB
    movxm r11, #kB ^ (kB + kObject)
    movxm r10, #kQuarter
    mova r3, #-1;           movxm m0, #32
    mova r4, #1;            movxm dj0, #32 - 1024
    mova dn0, #7
    mova dc0, #0
    mova dn1, #7;           movxm dj1, #32 + 512
    mova dn2, #7;           mov dj2, dj1
    mova dc1, #0;           movxm m1, #32 + 512 - kObject
    mova dc2, #0;           mov m2, m1
.endm

// Waits for the next object B.
.macro wait_for_b
    acq #kOwn + kLockBFull, r3
    nop
    nop
    nop
.endm
// Gives B back and goes on to the other buffer.
.macro b_done
    nop
    rel #kOwn + kLockBFree, r4
    xor r7, r7, r11
    nop
    nop
.endm

// Waits for 16 rows of A, adds their product with B to a quarter, and goes on to the next.
.macro quarter
    acq #kOwn + kLockAFull, r3
    jl #product
    mov r12, r8
    mov r13, r9
    add r8, r8, r10
    add r9, r9, r10
    nop
    rel #kOwn + kLockAFree, r4
    xor r6, r6, r5
    nop
.endm

// Loads of a step: A into x\a0 and x\a1, B into x\b0 and, by load unit \unit, into x\b1; \to_next ends
// a block for B's pointers, and \a_to_next for A's.
.macro loads a0, a1, b0, b1, unit
    vldb wl\a0, [p0], #32
    vldb wh\a0, [p0], #32
    vldb wl\a1, [p0], #32
    vldb wh\a1, [p0], #32
    vlda wl\b0, [p1], #32
    vlda wh\b0, [p1], #32
    vld\unit wl\b1, [p2], #32
    vld\unit wh\b1, [p2], #32
.endm
.macro last_loads a0, a1, b0, b1
    vldb wl\a0, [p0], #32
    vldb wh\a0, [p0], #32
    vldb wl\a1, [p0], #32
    vldb.2d wh\a1, [p0], d0
    vlda wl\b0, [p1], #32
    vlda.2d wh\b0, [p1], d1
    vldb wl\b1, [p2], #32
    vldb.2d wh\b1, [p2], d2
.endm
// The multiplies of a step, added to cm\s0 to cm\s3.
.macro multiplies a0, a1, b0, b1, word, s0, s1, s2, s3
    vmac cm0, cm\s0, x\a0, x\b0, \word
    vmac cm1, cm\s1, x\a1, x\b0, \word
    vmac cm2, cm\s2, x\a0, x\b1, \word
    vmac cm3, cm\s3, x\a1, x\b1, \word
.endm

// product, a function below the program that uses these: 16 rows of A (r6) times B (r7), added to
// the sums at r12 and put to r13.
.macro product_function
product:
    mov p5, r12
    mov p6, r13
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
    .irp i, 4, 5, 6, 7
    vlda amll\i, [p5], #32
    vlda amlh\i, [p5], #32
    vlda amhl\i, [p5], #32
    vlda amhh\i, [p5], #32
    .endr
    loads 0, 1, 4, 5, a
    multiplies 0, 1, 4, 5, r1, 4, 5, 6, 7
    loads 2, 3, 6, 7, a
    multiplies 2, 3, 6, 7, r0, 0, 1, 2, 3
    loads 0, 1, 4, 5, a
    multiplies 0, 1, 4, 5, r0, 0, 1, 2, 3
    loads 2, 3, 6, 7, a
    multiplies 2, 3, 6, 7, r0, 0, 1, 2, 3
    loads 0, 1, 4, 5, a
    multiplies 0, 1, 4, 5, r0, 0, 1, 2, 3
    loads 2, 3, 6, 7, b
    multiplies 2, 3, 6, 7, r0, 0, 1, 2, 3
    loads 0, 1, 4, 5, b
    multiplies 0, 1, 4, 5, r0, 0, 1, 2, 3
    last_loads 2, 3, 6, 7
    multiplies 2, 3, 6, 7, r0, 0, 1, 2, 3
    .irp i, 0, 1, 2, 3
    vst amll\i, [p6], #32
    vst amlh\i, [p6], #32
    vst amhl\i, [p6], #32
    vst amhh\i, [p6], #32
    .endr
.endpipeline
    ret lr
    nop
    nop
    nop
    nop
    nop
.endm
