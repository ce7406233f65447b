// Head size 32.
.equ kHeadSize, 32
.equ kBlock, 128
.equ kKeyBits, 8
.equ kValueBits, 8
.include "core.asm"
