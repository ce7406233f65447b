// When the last key block is done: O by the sums, 64 queries, and out.
// Sums of at least 128.
    movxm r0, #128
    vbcst.32 x1, r0
    pointer p0, SUM
    .rept SUM_STEP
    vlda wl0, [p0, #0]
    vlda wh0, [p0, #32]
    vmax_lt.s32 x0, r16, x0, x1
    vst wl0, [p0], #32
    vst wh0, [p0], #32
    .endr
    nop
    nop
    nop
    nop
    nop
    nop

// Rows: O loses all but the bits that 16 hold, and the reciprocal is made of the sum's first 16 bits.
    mova r0, #8 - kValueBits
    mov s0, r0
    pointer p0, SUM
    key_rescale
    pointer p1, kO
    pointer p2, kO
    pointer p4, INVERSE
    movxm m0, #TILE_COLUMN
    movxm m1, #32 - (kHeadSize / 8 - 1) * TILE_COLUMN
    movxm m2, #16
    movxm r16, #30840
    mova r17, #-16
    movxm r18, #46261
    movxm r19, #0x80000000
    mova r20, #-15
    mova r21, #24
    mova r0, #64
    .pipeline rows_loop, r0
    .bank p1, 2
    .bank p2, 2
    key_next_sum
    clz r5, r1
    add r6, r5, #-16
    lshl r1, r1, r6                 // 16 bits, the first is 1
    mul r7, r1, r16
    lshl r7, r7, r17
    sub r7, r18, r7
    .rept 2
    mul r22, r1, r7
    sub r22, r19, r22
    lshl r22, r22, r20
    mul r7, r7, r22
    lshl r7, r7, r20
    .endr
    vbcst.16 x0, r7
    vst.128 wl0, [p4], m2
    sub r5, r21, r5
    mov s3, r5
    .irp half, l, h
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .ifdef column_\half\i
    .if column_\half\i == kHeadSize / 8
    vlda.ups.s64.s32 bm\half\i, s0, [p1], m1
    .else
    vlda.ups.s64.s32 bm\half\i, s0, [p1], m0
    .endif
    .endif
    .endr
    .endr
    .irp half, l, h
    .irp i, 0, 1, 2, 3, 4, 5, 6, 7
    .ifdef column_\half\i
    .if column_\half\i == kHeadSize / 8
    vst.srs.s32.s64 bm\half\i, s3, [p2], m1
    .else
    vst.srs.s32.s64 bm\half\i, s3, [p2], m0
    .endif
    .endif
    .endr
    .endr
    .endpipeline

// Tiles of 4 queries x 8: by the reciprocal, to 8 fraction bits, to bf16. 16 bits in the low part of
// 1.5 x 2^15's fraction are a float once that is subtracted; 12 bits with int4 values, and 2^11.
    .if kValueBits == 4
    mova r0, #0
    mov s0, r0
    .endif
    mova r0, #14
    mov s1, r0
    movxm r0, #0x47400000 - (8 - kValueBits) * 0x800000
    vbcst.32 x0, r0
    vmov bml8, x0
    vmov bmh8, x0
    mova r6, #0
    mova r7, #28
    pointer p0, kO
    pointer p1, INVERSE
    pointer p2, kO
    dimension 0, 32, 16, 32 - 1024
    movxm r0, #2 * kHeadSize
    .pipeline tiles_loop, r0
    .bank p0, 2
    .bank p2, 2
    .bank p1, Y_BANK
    vlda amll0, [p0], #32
    vlda amlh0, [p0], #32
    vlda amhl0, [p0], #32
    vlda amhh0, [p0], #32
    vldb wl0, [p1], #32
    vldb.2d wh0, [p1], d0
    vsrs.s16.s32 x1, cm0, s0
    vmul cm1, x1, x0, r11
    vsrs.s16.s32 x2, cm1, s1
    vups.s32.s16 cm2, x2, s0
    vadd cm2, cm2, cm8, r6
    vsub.f bml3, bml2, bml8, r7
    vsub.f bmh3, bmh2, bml8, r7
    vst.conv.bf16.fp32 bml3, [p2], #32
    vst.conv.bf16.fp32 bmh3, [p2], #32
    .endpipeline
    release kLockOFull
    j #query_block
    delay_slots
