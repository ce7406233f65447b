// The compiled shaders. gpu/shaders/compile.py writes what is included.
#include <algorithm>
#include <iterator>

#include "gpu/kernel.hpp"

namespace xdna::gpu::detail {
namespace {
#include "gpu/modules.inc"
}

const Module* find_module(std::string_view name) {
    const auto* found = std::find_if(std::begin(kModules), std::end(kModules),
                                     [&](const Module& module) { return name == module.name; });
    return found == std::end(kModules) ? nullptr : found;
}

}  // namespace xdna::gpu::detail
