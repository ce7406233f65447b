// C = A B, requantised: int8 x int8 -> int8, one core's 64 x 64 tiles of C. Objects, registers and
// cycles of the multiply: int8_half.asm.
//
// The sums of a tile stay: two halves, r8 and r9. After the last object they become
//   c = sat8(round(sat16(round(sum >> a)) * m >> b)), halves rounded up,
// in one of two buffers r10: [g: 4][n: 8][i: 4][row: 4][8 columns] int8. Behind kSteps lie a, m, b.
//
// Cycles of that: 4 for 4 x 8 sums (four loads of an accumulator), 512 a tile.

.include "int8_half.asm"

.equ kC, 0x7d000
.equ kCStride, 0x1000

    constants
    movxm r8, #kSums
    movxm r9, #kSums + kHalfStride
    movxm r10, #kC
    movxm r14, #kC ^ (kC + kCStride)
    mova r15, #1
    movx crSat, r15
    mova r15, #9            // to nearest, halves up
    movx crRnd, r15
    movxm r20, #0x338       // 32 lanes of int16

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
    lda r16, [p7, #4]
    lda r17, [p7, #8]
    lda r18, [p7, #12]
    mov p1, r10
    mov p0, r8
    mova r21, #1
    nop
    nop
    nop
    mov s0, r16
    mov s1, r18
    vbcst.16 x1, r17
quantise:
    movxm r19, #64
.pipeline sums, r19, 4
    vlda amll0, [p0], #32
    vlda amlh0, [p0], #32
    vlda amhl0, [p0], #32
    vlda amhh0, [p0], #32
    vsrs.s16.s32 x0, cm0, s0
    vmul cm1, x0, x1, r20
    vst.srs.s8.s32 cm1, s1, [p1], #32
.endpipeline
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
