#pragma once

#include <memory>
#include <vector>

#include "gpu/choice.hpp"
#include "gpu/device.hpp"

namespace xdna::gpu::detail {

class MatmulState {
  public:
    MatmulState(std::shared_ptr<DeviceState> owner, const MatmulShape& wanted,
                const Problem& canonical, Choice&& chosen)
        : device(std::move(owner)), shape(wanted), problem(canonical), choice(std::move(chosen)) {
        if (choice.threads != 0) {
            function = device->function(*choice.kernel.module);
        } else {
            pipeline = device->pipeline(choice.kernel);
        }
        if (choice.reduce.module != nullptr) {
            reduce = device->pipeline(choice.reduce);
        }
    }

    std::shared_ptr<DeviceState> device;
    MatmulShape shape;
    Problem problem;
    Choice choice;
    VkPipeline pipeline = VK_NULL_HANDLE;
    VkCuFunctionNVX function = VK_NULL_HANDLE;
    VkPipeline reduce = VK_NULL_HANDLE;
};

}  // namespace xdna::gpu::detail
