// Head size 128, int4 keys.
.equ kHeadSize, 128
.equ kBlock, 32
.equ kValueBits, 8
.include "int4.asm"
