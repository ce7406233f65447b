// Head size 64, int4 keys.
.equ kHeadSize, 64
.equ kBlock, 128
.equ kValueBits, 8
.include "int4.asm"
