// C = A B, requantised: int8 x int8 -> int8, one core's 64 x 64 tiles of C. Objects, registers and
// cycles of the multiply: int8_half.asm.
//
// The sums of a tile stay: two halves, r8 and r9. After the last object they become C (requantise.asm:
// 512 cycles) in one of two buffers r10: [g: 4][n: 8][i: 4][row: 4][8 columns] int8.

.include "int8_half.asm"
.include "requantise.asm"

.equ kC, 0x7d000
.equ kCStride, 0x1000

    constants
    movxm r8, #kSums
    movxm r9, #kSums + kHalfStride
    movxm r10, #kC
    movxm r14, #kC ^ (kC + kCStride)
    requantise_constants

tile:
    wait_for_objects
    lda r2, [p7, #0]
    movxm ls, #loop
    movxm le, #loop_end
    nop
    nop
    nop
    add r1, r0, #1          // the first object's sums start at 0
    jl #half
    mov r12, r8
    nop
    nop
    nop
    nop
    jl #half
    mov r12, r9
    add r6, r6, r5
    nop
    nop
    nop
    objects_done jz, tile_end

object:
    wait_for_objects
    mov r1, r0
    jl #half
    mov r12, r8
    nop
    nop
    nop
    nop
    jl #half
    mov r12, r9
    add r6, r6, r5
    nop
    nop
    nop
    objects_done jnz, object

tile_end:
    acq #kOwn + kLockCFree, r3
    mov p1, r10
    mov p0, r8
    mova r21, #1
    requantise_numbers
quantise:
    requantise 64
    mov p0, r9
    jnz r21, #quantise
    mova r21, #0
    nop
    nop
    nop
    nop
    nop
    nop
    rel #kOwn + kLockCFull, r4
    j #tile
    xor r10, r10, r14
    nop
    nop
    nop
    nop

    half_function
