// The sums of a split k added up: C from the workspace, [split][batch] of C without gaps.
#version 460
#extension GL_GOOGLE_include_directive : require
#ifdef STORE_F16
#extension GL_EXT_shader_16bit_storage : require
#endif
#include "common.glsl"

#ifdef INTEGER
#define SUM int
#else
#define SUM float
#endif
layout(binding = 0, std430) readonly buffer Workspace { SUM partial[]; };
#ifdef STORE_F16
layout(binding = 2, std430) writeonly buffer C { float16_t c[]; };
#define STORED(sum) float16_t(sum)
#else
layout(binding = 2, std430) writeonly buffer C { SUM c[]; };
#define STORED(sum) (sum)
#endif

void main() {
    uint area = p.m * p.n;
    uint columns = kTransC ? p.m : p.n;
    uint batches = gl_NumWorkGroups.z;
    for (uint i = gl_GlobalInvocationID.x; i < area; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
        SUM sum = SUM(0);
        for (uint split = 0; split < p.splits; split++) {
            sum += partial[(split * batches + gl_WorkGroupID.z) * area + i];
        }
        uint row = i / columns;
        c[gl_WorkGroupID.z * p.batch_c + row * p.stride_c + (i - row * columns)] = STORED(sum);
    }
}
