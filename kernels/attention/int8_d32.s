// Head size 32.
.equ kHeadSize, 32
.equ kBlock, 128
.include "core.asm"
