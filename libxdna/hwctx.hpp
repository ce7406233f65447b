// Hardware contexts.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "libxdna/device.hpp"
#include "xdna/xdna.h"

struct xdna_hwctx {
    xdna_device* device = nullptr;  ///< counted
    std::atomic<uint32_t> refs{1};
    std::atomic<bool> is_gone{false};   ///< being destroyed, or destroyed with commands of it left
    std::atomic<bool> is_ended{false};  ///< destroyed: all its commands have ended
    uint32_t handle = 0;
    uint32_t syncobj = 0;

    std::mutex mutex;                 ///< for what follows
    std::vector<xdna_bo*> cu_bos;     ///< counted; the driver sends them again after every sleep
    std::vector<xdna_bo*> debug_bos;  ///< counted
};

namespace xdna {

void ref(xdna_hwctx* hwctx);
void unref(xdna_hwctx* hwctx);

}  // namespace xdna
