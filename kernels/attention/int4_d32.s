// Head size 32, int4 keys and values.
.equ kHeadSize, 32
.equ kBlock, 128
.equ kValueBits, 4
.include "int4.asm"
