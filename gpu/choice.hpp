// Which kernels can compute a problem on a device, best guess first.
#pragma once

#include <string>
#include <vector>

#include "gpu/kernel.hpp"
#include "gpu/problem.hpp"

namespace xdna::gpu::detail {

/// A kernel for a problem, and how it is started.
struct Choice {
    std::string name;
    Kernel kernel;
    Kernel reduce;  ///< module is nullptr unless k is split
    Parameters parameters{};
    std::uint32_t groups_x = 1, groups_y = 1, groups_z = 1;
    // Of a PTX kernel alone: its workgroups take such groups in turn.
    std::uint32_t threads = 0, shared_memory = 0, workgroups = 0;
    std::uint32_t reduce_groups_x = 0;
    std::uint64_t workspace = 0;  ///< bytes
    double cost = 0;              ///< predicted, in a unit of no meaning beyond this list
};

/// @param filter part of the names wanted
std::vector<Choice> choices(const DeviceInfo& device, const Problem& problem,
                            const std::string& filter);

}  // namespace xdna::gpu::detail
