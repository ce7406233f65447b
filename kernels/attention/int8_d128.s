// Head size 128.
.equ kHeadSize, 128
.equ kBlock, 32
.equ kValueBits, 8
.include "int8.asm"
