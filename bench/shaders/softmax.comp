// Softmax of each row of f32 scores, scaled first, as f16: one workgroup a row.
#version 460

layout(local_size_x_id = 0) in;
layout(push_constant, std430) uniform Parameters { uint columns; float scale; } p;
layout(binding = 0, std430) readonly buffer Scores { float scores[]; };
layout(binding = 2, std430) writeonly buffer Probabilities { uint probabilities[]; };  // pairs

shared float partial[gl_WorkGroupSize.x];

float all_of(float mine, bool largest) {
    partial[gl_LocalInvocationID.x] = mine;
    barrier();
    for (uint half_ = gl_WorkGroupSize.x / 2; half_ > 0; half_ /= 2) {
        if (gl_LocalInvocationID.x < half_) {
            float a = partial[gl_LocalInvocationID.x];
            float b = partial[gl_LocalInvocationID.x + half_];
            partial[gl_LocalInvocationID.x] = largest ? max(a, b) : a + b;
        }
        barrier();
    }
    float result = partial[0];
    barrier();
    return result;
}

void main() {
    uint row = gl_WorkGroupID.x * p.columns;
    float top = uintBitsToFloat(0xff800000u);
    for (uint i = gl_LocalInvocationID.x; i < p.columns; i += gl_WorkGroupSize.x) {
        top = max(top, scores[row + i]);
    }
    top = all_of(top, true);
    float sum = 0;
    for (uint i = gl_LocalInvocationID.x; i < p.columns; i += gl_WorkGroupSize.x) {
        sum += exp((scores[row + i] - top) * p.scale);
    }
    float share = 1 / all_of(sum, false);
    for (uint i = 2 * gl_LocalInvocationID.x; i < p.columns; i += 2 * gl_WorkGroupSize.x) {
        vec2 pair = vec2(scores[row + i], scores[row + i + 1]);
        probabilities[(row + i) / 2] = packHalf2x16(exp((pair - top) * p.scale) * share);
    }
}
