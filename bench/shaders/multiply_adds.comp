// f32 multiply-adds in registers, 64 a turn in 16 chains: what the device could do at most without its
// matrix units. Every chain ends at 2.
#version 460

layout(local_size_x_id = 0) in;
layout(push_constant, std430) uniform Parameters { uint turns; float factor, addend; } p;
layout(binding = 2, std430) writeonly buffer Sums { float sums[]; };

void main() {
    vec4 v[4];
    for (uint i = 0; i < 4; i++) {
        v[i] = vec4(gl_GlobalInvocationID.x) + float(i);
    }
    for (uint turn = 0; turn < p.turns; turn++) {
        for (uint step_ = 0; step_ < 4; step_++) {
            for (uint i = 0; i < 4; i++) {
                v[i] = v[i] * p.factor + p.addend;
            }
        }
    }
    vec4 sum = (v[0] + v[1]) + (v[2] + v[3]);
    sums[gl_GlobalInvocationID.x] = (sum.x + sum.y + sum.z + sum.w) / 16;
}
