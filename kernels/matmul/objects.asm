// What the programs with 64 x 64 tiles share: the places of a core's objects A, B and C, and how they come and go.
//
// Data memory: A twice in the first 16 KiB, B twice in the second, so that the two loads of a bundle
// never meet in a bank; then halves of a tile's sums, 32 rows each, behind 512 bytes that a loop's
// first stores, of nothing, go to; at the end what a command writes: first of all how many objects A
// and B make up one tile.
//
// Registers: r2 objects left of the tile, r3 -1, r4 1, r5 bytes of half an object A, r6 A, r7 B, r11
// what tells first and second buffer of A and B apart, r12 the half of sums at work, p7 kSteps; r0
// the multiply, r1 the same for the first step of a block: it may clear the accumulator.

.include "locks.asm"

.equ kA, 0x70000            // and 8 KiB on
.equ kB, 0x74000
.equ kObject, 0x2000        // bytes of A, and of B
.equ kSums, 0x78200
.equ kHalfStride, 0x2200
.equ kSteps, 0x7f000

// Waits for the next objects A and B.
.macro wait_for_objects
    acq #kOwn + kLockAFull, r3
    nop
    nop
    nop
    acq #kOwn + kLockBFull, r3
    nop
    nop
    nop
.endm

// Gives A and B back and goes on to the other buffers; one object of the tile less. Ends with a
// jump to `label` if `jump` (jz, jnz) says so of the objects left.
.macro objects_done jump, label
    rel #kOwn + kLockAFree, r4
    add r2, r2, #-1
    sub r6, r6, r5
    xor r6, r6, r11
    \jump r2, #\label
    rel #kOwn + kLockBFree, r4
    xor r7, r7, r11
    nop
    nop
    nop
.endm

// A program whose results are the sums, sent in halves: three buffers, so that two can be sent while
// the third is added to. r8..10 are these in order of use, r13 is 1 in a tile's last object. It calls
// half: 32 rows of A (r6) times B (r7), added to r12.
.macro send_sums
    movxm r8, #kSums
    movxm r9, #kSums + kHalfStride
    movxm r10, #kSums + 2 * kHalfStride

tile:
    wait_for_objects
    lda r2, [p7, #0]
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
    objects_done jz, tile_end

object:
    wait_for_objects
    mov r1, r0
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
    objects_done jnz, object

tile_end:
    rel #kOwn + kLockCFull, r4
    j #tile
    mov r12, r10
    mov r10, r9
    mov r9, r8
    mov r8, r12
    nop
.endm
