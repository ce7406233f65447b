// What the programs that requantise share: sums become
//   c = sat8(round(sat16(round(sum >> a)) * m >> b)), halves rounded up,
// in the order that they have. Behind kSteps (p7) lie a, m, b.
//
// Registers: r16..r20, s0, s1, x0, x1, cm0, cm1, p0 sums, p1 C. Cycles: 4 for 32 sums (four loads of
// an accumulator).

// What stays in registers for ever.
.macro requantise_constants
    mova r15, #1
    movx crSat, r15
    mova r15, #9            // to nearest, halves up
    movx crRnd, r15
.endm

// The command's numbers.
.macro requantise_numbers
    lda r16, [p7, #4]
    lda r17, [p7, #8]
    lda r18, [p7, #12]
    movxm r20, #0x338       // 32 lanes of int16
    nop
    nop
    nop
    nop
    nop
    mov s0, r16
    mov s1, r18
    vbcst.16 x1, r17
.endm

// `times` 32 sums; `store` puts 32 results where they go.
.macro requantise times, store="vst.srs.s8.s32 cm1, s1, [p1], #32"
    movxm r19, #\times
.pipeline sums, r19, 4
    vlda amll0, [p0], #32
    vlda amlh0, [p0], #32
    vlda amhl0, [p0], #32
    vlda amhh0, [p0], #32
    vsrs.s16.s32 x0, cm0, s0
    vmul cm1, x0, x1, r20
    \store
.endpipeline
.endm
