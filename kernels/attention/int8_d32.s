// Head size 32.
.equ kHeadSize, 32
.equ kBlock, 128
.equ kValueBits, 8
.include "int8.asm"
