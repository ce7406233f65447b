// Reads all of a buffer once and adds it up: what memory gives at most.
#version 460

layout(local_size_x_id = 0) in;
layout(push_constant, std430) uniform Parameters { uint turns; } p;  // vectors an invocation reads
layout(binding = 0, std430) readonly buffer Words { uvec4 words[]; };
layout(binding = 2, std430) writeonly buffer Sums { uint sums[]; };

void main() {
    uvec4 sum = uvec4(0);
    uint first = gl_WorkGroupID.x * gl_WorkGroupSize.x * p.turns + gl_LocalInvocationID.x;
    for (uint turn = 0; turn < p.turns; turn++) {
        sum += words[first + turn * gl_WorkGroupSize.x];
    }
    sums[gl_GlobalInvocationID.x] = sum.x + sum.y + sum.z + sum.w;
}
