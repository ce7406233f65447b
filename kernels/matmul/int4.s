// C = A B: int8 x int4 -> int32, one core's 64 x 128 tiles of C. Layouts, registers and cycles:
// int4_tile.asm. C goes out as the sums themselves, a quarter as soon as its last object is in it. The
// next tile's first object waits for the room of each, which leaves a word a cycle.

.include "int4_tile.asm"

    constants 1
    tile_product 2, kLockCFree, 0
    nop
    nop
    nop
    nop
    nop
    nop
    rel #kOwn + kLockCFull, r12
    j #tile
    nop
    nop
    nop
    nop
    nop
