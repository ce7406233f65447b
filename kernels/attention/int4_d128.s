// Head size 128, int4 keys and values.
.equ kHeadSize, 128
.equ kBlock, 64
.equ kValueBits, 4
.include "int4.asm"
