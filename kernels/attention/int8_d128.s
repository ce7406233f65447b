// Head size 128.
.equ kHeadSize, 128
.equ kBlock, 32
.include "core.asm"
