// Head size 64.
.equ kHeadSize, 64
.equ kBlock, 128
.include "core.asm"
