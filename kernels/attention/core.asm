// What the programs of int8 and of int4 keys have in common.

// Columns of 8, by the accumulator half that holds one at a time: bml0 is 1, ... bmh7 is 16.
.set column, 0
.irp half, l, h
.irp i, 0, 1, 2, 3, 4, 5, 6, 7
.set column, column + 1
.if column <= kHeadSize / 8
.set column_\half\i, column
.endif
.endr
.endr

.equ LOWEST, -16384
.equ TOP, 16127

.equ kLockKFree, 48
.equ kLockKFull, 49
.equ kLockVFree, 50
.equ kLockVFull, 51
.equ kLockQFree, 52
.equ kLockQFull, 53
.equ kLockOFree, 54
.equ kLockOFull, 55

.macro delay_slots
    nop
    nop
    nop
    nop
    nop
.endm
.macro acquire lock
    acq #\lock, r8
    nop
    nop
    nop
    nop
.endm
// What was stored before has landed.
.macro release lock
    nop
    nop
    nop
    nop
    nop
    nop
    nop
    nop
    rel #\lock, r9
.endm
.macro pointer p, address
    movxm \p, #\address
.endm
// 2D addressing: `length` steps of `step` bytes, the last of which is `turn`.
.macro dimension n, step, length, turn
    movxm dj\n, #\step
    movxm dn\n, #(\length) - 1
    movxm m\n, #\turn
    movxm dc\n, #0
.endm

// P V: sums of 8 columns, and what int8 values do.
.macro sums i, from, lda, step
    vlda amll\i, [\from], #32
    vlda amlh\i, [\from], #32
    vlda amhl\i, [\from], #32
    \lda amhh\i, [\from], \step
.endm
.macro save i, to, vst, step
    vst amll\i, [\to], #32
    vst amlh\i, [\to], #32
    vst amhl\i, [\to], #32
    \vst amhh\i, [\to], \step
.endm
.if kBlock == 32
.macro value i, j, a, v, w, ldb, step
    \ldb wl\a, [p1], \step
    vmac cm\i, cm\i, x\a, x\v, r13
    vmac cm\j, cm\j, x\a, x\w, r13
.endm
.macro four_rows i, j, ldb, step, lda, vst, s2, s3, s4, s7
    sums \i, p3, \lda, \s3
    sums \j, p5, \lda, \s2
    value \i, \j, 8, 0, 2, vldb, #128
    value \i, \j, 9, 1, 3, vldb, #128
    value \i, \j, 10, 4, 6, vldb, #128
    value \i, \j, 11, 5, 7, \ldb, \step
    save \i, p4, \vst, \s4
    save \j, p6, \vst, \s7
.endm
.else
.macro value i, j, a, b, v, ldb, s1, s2
    \ldb wl\a, [p1], \s1
    \ldb wl\b, [p2], \s2
    vmac cm\i, cm\i, x\a, x\v, r13
    vmac cm\j, cm\j, x\b, x\v, r13
.endm
.macro eight_rows i, j, ldb, s1, s2
    value \i, \j, 8, 9, 0, vldb, #128, #128
    value \i, \j, 10, 11, 1, vldb, #128, #128
    value \i, \j, 8, 9, 2, vldb, #128, #128
    value \i, \j, 10, 11, 3, vldb, #128, #128
    value \i, \j, 8, 9, 4, vldb, #128, #128
    value \i, \j, 10, 11, 5, vldb, #128, #128
    value \i, \j, 8, 9, 6, vldb, #128, #128
    value \i, \j, 10, 11, 7, \ldb, \s1, \s2
.endm
.endif
