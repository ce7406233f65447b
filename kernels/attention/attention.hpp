// attention_{256,512,1024,2048}_{int8,int4_int8,int4}_d{32,64,128}: softmax(Q K^T) V on 16 cores;
// the types of K and V. Q is int8.
// docs/kernels/attention.md has the arithmetic, layout.hpp the buffers.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/attention/layout.hpp"
#include "kernels/catalog.hpp"

namespace xdna::kernels {

/// By types, then length, then head size.
std::span<const Kernel* const> attention_kernels();

/// The problem that a kernel of these makes of a shape. Throws std::invalid_argument naming the
/// member that it cannot take, or the kernel, if it is none of these.
attention::Problem attention_problem(const Kernel& kernel, const Shape& shape);

/// Cycles that the core's inner loops take an iteration, as the assembler scheduled them.
struct LoopCycles {
    uint32_t scores;
    uint32_t probabilities;
    uint32_t values;

    bool operator==(const LoopCycles&) const = default;
};
/// Throws as attention_problem() does.
LoopCycles attention_loop_cycles(const Kernel& kernel);

}  // namespace xdna::kernels
