// C = A B: int8 x int4 -> int32, one core's 64 x 128 tiles of C. Layouts, registers and cycles of the
// multiply: int4_quarter.asm.
//
// C goes out as the sums themselves, a quarter (16 rows) as soon as its last object is in it: the
// first three from where they are, the last one from kOut, so that its place is free at once. The
// next tile's first object waits until those three have left, a word a cycle.

.include "int4_quarter.asm"

// The four quarters of an object. In a tile's first one the room for sums has to be free, in its last
// one they are sent.
.macro object first, last
    movxm r8, #kSums
    movxm r9, #kSums
    .irp number, 0, 1, 2, 3
    .if (\first && \number < 3) || (\last && \number == 3)
    acq #kOwn + kLockCFree, r3
    nop
    nop
    nop
    .endif
    .if \last && \number == 3
    movxm r9, #kOut
    .endif
    quarter
    .if \last
    nop
    rel #kOwn + kLockCFull, r4
    nop
    nop
    nop
    .endif
    .endr
    b_done
.endm

.macro go label
    j #\label
    nop
    nop
    nop
    nop
    nop
.endm

    constants
tile:
    wait_for_b
    lda r2, [p7, #0]
    add r1, r0, #1          // the first object's sums start at 0
    nop
    nop
    nop
    nop
    nop
    add r2, r2, #-1
    jz r2, #only
    nop
    nop
    nop
    nop
    nop
    object 1, 0
    mov r1, r0
middle:
    wait_for_b
    add r2, r2, #-1
    jz r2, #last
    nop
    nop
    nop
    nop
    nop
    object 0, 0
    go middle
last:
    object 0, 1
    go tile
only:
    object 1, 1
    go tile

    product_function
