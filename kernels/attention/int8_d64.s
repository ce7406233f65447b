// Head size 64.
.equ kHeadSize, 64
.equ kBlock, 128
.equ kValueBits, 8
.include "int8.asm"
