// C = A B, requantised: int8 x int4 -> int8, one core's 64 x 128 tiles of C. Layouts, registers and
// cycles of the multiply: int4_tile.asm; of the rest: requantise.asm.
//
// The sums of a tile stay where they are. After the last object they become C, in kOut:
//   [quarter: 4][h: 2][n: 4][j: 2][i: 4][row: 4][8 columns] int8

.include "int4_tile.asm"
.include "requantise.asm"

    constants 0
    requantise_constants
    tile_product 0, kLockKept, 2
    nop
    nop
    acq #kOwn + kLockCFree, r3
    movxm p0, #kSums
    movxm p1, #kOut
    mova dj7, #32                   // p1: 1 KiB of a quarter, then past the other half's
    movxm m7, #32 + 1024
    mova dn7, #31
    mova dc7, #0
    mova r21, #1
    requantise_numbers
half:
    requantise 128, "vst.2d.srs.s8.s32 cm1, s1, [p1], d7"
    jnz r21, #half
    movxm p1, #kOut + 1024
    mova r21, #0
    nop
    nop
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
