// C = A B, requantised: int8 x int4 -> int8, one core's 64 x 128 tiles of C. Layouts, registers and
// cycles of the multiply: int4_tile.asm; of the rest: requantise.asm.
//
// The sums of a tile stay where they are. After the last object they become C, in kOut, a quarter of
// a half h after the other: [quarter: 4][h: 2][n: 4][j: 2][i: 4][row: 4][8 columns] int8

.include "int4_tile.asm"
.include "requantise.asm"

    constants 0
    requantise_constants
    tile_product 0, kLockKept, 2
    nop
    nop
    acq #kOwn + kLockCFree, r3
    movxm r13, #kSums
    movxm p1, #kOut
    movxm r14, #kSumsHalf           // to the other half, then to the next quarter
    movxm r22, #kSumsHalf ^ (kSumsQuarter - kSumsHalf)
    requantise_numbers
    mova r21, #8
quantise:
    mov p0, r13
    requantise 32
    add r21, r21, #-1
    jnz r21, #quantise
    add r13, r13, r14
    xor r14, r14, r22
    nop
    nop
    nop
    nop
    nop
    rel #kOwn + kLockCFull, r4
    j #tile
    nop
    nop
    nop
    nop
    nop
