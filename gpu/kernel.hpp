// A kernel: a shader module and the values it is specialized to. The constants and parameters are
// those of gpu/shaders/common.glsl.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <span>
#include <string>

#include "xdna/gpu.hpp"

namespace xdna::gpu::detail {

/// SPIR-V or PTX as gpu/shaders/modules.tsv lists it; nullptr where this build could not compile
/// it.
struct Module {
    const char* name;
    std::span<const std::uint32_t> words;
};
const Module* find_module(std::string_view name);

/// Specialization constants, in the order of their ids.
enum Constant : std::uint8_t {
    kLocalSize,
    kTypeA,
    kTypeB,
    kTypeC,
    kTransA,
    kTransB,
    kTransC,
    kSplit,
    kCheckA,
    kCheckB,
    kCheckC,
    kBlockM,
    kBlockN,
    kBlockK,
    kPartM,
    kPartN,
    kUnitM,
    kUnitN,
    kUnitK,
    kSubgroupSize,
    kConstants
};

struct Kernel {
    const Module* module = nullptr;
    std::array<std::uint32_t, kConstants> constants{};
    bool fixed_subgroup = false;  ///< needs subgroups of exactly kSubgroupSize

    auto operator<=>(const Kernel&) const = default;
};

/// Push constants; of a PTX kernel, a parameter.
struct Parameters {
    std::uint32_t m, n, k;
    std::uint32_t stride_a, stride_b, stride_c;
    std::uint32_t batch_a, batch_b, batch_c;
    std::uint32_t k_split, splits;
    std::uint32_t tiles_m, tiles_n;
};

/// Descriptor bindings.
enum Binding : std::uint8_t { kBindingA, kBindingB, kBindingC, kBindingScales, kBindings };

}  // namespace xdna::gpu::detail
