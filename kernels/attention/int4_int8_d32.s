// Head size 32, int4 keys.
.equ kHeadSize, 32
.equ kBlock, 128
.equ kValueBits, 8
.include "int4.asm"
