#pragma once

#include <vector>

#include "gpu/choice.hpp"

namespace xdna::gpu::detail {

/// The fastest of a list on this device: as the cache has it, or else timed now, on random bytes in
/// buffers of the shape's size, and put there.
Choice tuned_choice(const Device& device, const MatmulShape& shape, const Problem& problem,
                    std::vector<Choice>&& list);

}  // namespace xdna::gpu::detail
