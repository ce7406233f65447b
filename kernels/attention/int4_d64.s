// Head size 64, int4 keys and values.
.equ kHeadSize, 64
.equ kBlock, 128
.equ kValueBits, 4
.include "int4.asm"
