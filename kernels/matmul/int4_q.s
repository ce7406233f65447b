// C = A B, requantised: int8 x int4 -> int8, one core's 64 x 128 tiles of C. Layouts, registers and
// cycles of the multiply: int4_quarter.asm; of the rest: requantise.asm.
//
// The sums of a tile stay where they are. After the last object they become C, in kOut:
//   [row group: 8][column group: 16][i: 2][row: 4][8 columns] int8, in the order of the sums

.include "int4_quarter.asm"
.include "requantise.asm"

    constants
    requantise_constants

tile:
    wait_for_b
    lda r2, [p7, #0]
    add r1, r0, #1          // the first object's sums start at 0
    j #object
    nop
    nop
    nop
    nop
    nop
next:
    wait_for_b
object:
    movxm r8, #kSums
    movxm r9, #kSums
    .rept 4
    quarter
    nop
    .endr
    b_done
    add r2, r2, #-1
    jnz r2, #next
    mov r1, r0
    nop
    nop
    nop
    nop

    acq #kOwn + kLockCFree, r3
    movxm p0, #kSums
    movxm p1, #kOut
    requantise_numbers
    requantise 256
    rel #kOwn + kLockCFull, r4
    j #tile
    nop
    nop
    nop
    nop
    nop

    product_function
