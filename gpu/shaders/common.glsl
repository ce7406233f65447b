// What every matmul shader shares: the specialization constants, the parameters, and reading one
// element of any type out of 32-bit words. gpu/kernel.hpp has the same constants and parameters.
//
// C[m][n] = sum over k of A[m][k] B[k][n]. As stored, A is m rows of k (transposed: k rows of m), B is
// k rows of n (transposed: n rows of k), C is m rows of n (transposed: n rows of m).

const uint F32 = 0;
const uint F16 = 1;
const uint BF16 = 2;
const uint I32 = 3;
const uint I8 = 4;
const uint I4 = 5;
const uint Q4 = 6;
const uint Q8 = 7;

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint kTypeA = F32;
layout(constant_id = 2) const uint kTypeB = F32;
layout(constant_id = 3) const uint kTypeC = F32;
layout(constant_id = 4) const bool kTransA = false;
layout(constant_id = 5) const bool kTransB = false;
layout(constant_id = 6) const bool kTransC = false;
layout(constant_id = 7) const bool kSplit = false;  // C is the workspace: see tile_of_workgroup()
// How an operand may be read, or C written: 0: whole tiles, aligned vectors; 1: aligned vectors that are
// inside or outside as a whole; 2: element by element.
layout(constant_id = 8) const uint kCheckA = 2;
layout(constant_id = 9) const uint kCheckB = 2;
layout(constant_id = 10) const uint kCheckC = 2;
// A workgroup's tile of C and its step through k; the part of it that one subgroup (plain: one
// invocation) computes; the shape of a matrix instruction.
layout(constant_id = 11) const uint kBlockM = 32;
layout(constant_id = 12) const uint kBlockN = 32;
layout(constant_id = 13) const uint kBlockK = 16;
layout(constant_id = 14) const uint kPartM = 4;
layout(constant_id = 15) const uint kPartN = 4;
layout(constant_id = 16) const uint kUnitM = 16;
layout(constant_id = 17) const uint kUnitN = 16;
layout(constant_id = 18) const uint kUnitK = 16;
layout(constant_id = 19) const uint kSubgroupSize = 32;

// Strides are in elements. A block type's stride is a multiple of 32, so that an element's block is its
// index over 32.
layout(push_constant, std430) uniform Parameters {
    uint m, n, k;
    uint stride_a, stride_b, stride_c;
    uint batch_a, batch_b, batch_c;
    uint k_split;  // k's share of one split, a multiple of kBlockK
    uint splits;
    uint tiles_m, tiles_n;
} p;

struct Tile {
    uint m, n;      // first row and column
    uint k, k_end;  // this split's part
    uint a, b, c;   // first element of this batch (of this split's workspace)
    uint stride_c;
};

// Workgroups that run at the same time share columns of A and rows of B in the L2 cache: eight tiles
// high, then on to the right. With splits, C is f32 or i32 without gaps, [split][batch] of what C is.
Tile tile_of_workgroup() {
    const uint kHigh = 8;
    uint id = gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
    uint band = id / (kHigh * p.tiles_n);
    uint rest = id - band * kHigh * p.tiles_n;
    uint high = min(kHigh, p.tiles_m - band * kHigh);
    uint batch = gl_WorkGroupID.z;
    Tile tile;
    tile.m = (band * kHigh + rest % high) * kBlockM;
    tile.n = (rest / high) * kBlockN;
    tile.k = 0;
    tile.k_end = p.k;
    tile.stride_c = p.stride_c;
    if (kSplit) {
        uint split = batch % p.splits;
        batch /= p.splits;
        tile.k = split * p.k_split;
        tile.k_end = min(p.k, tile.k + p.k_split);
        uint batches = gl_NumWorkGroups.z / p.splits;
        tile.c = (split * batches + batch) * p.m * p.n;
        tile.stride_c = kTransC ? p.m : p.n;
    } else {
        tile.c = batch * p.batch_c;
    }
    tile.a = batch * p.batch_a;
    tile.b = batch * p.batch_b;
    return tile;
}

// What an element is, out of the 32-bit word that holds it.
uint word_of(uint type, uint index) {
    return type == F32 ? index : type == F16 || type == BF16 ? index >> 1 : type == I8 || type == Q8 ? index >> 2 : index >> 3;
}
int integer_in(uint type, uint word, uint index) {
    return type == I8 || type == Q8 ? bitfieldExtract(int(word), int(index & 3) * 8, 8)
                                    : bitfieldExtract(int(word), int(index & 7) * 4, 4);
}
// The 16 bits of an f16 or bf16.
uint half_in(uint word, uint index) {
    return (word >> ((index & 1) * 16)) & 0xffff;
}
float float_in(uint type, uint word, uint index) {
    return type == F32   ? uintBitsToFloat(word)
           : type == F16 ? unpackHalf2x16(half_in(word, index)).x
           : type == BF16 ? uintBitsToFloat(half_in(word, index) << 16)
                          : float(integer_in(type, word, index));
}
