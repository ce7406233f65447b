// Buffer objects.
#pragma once

#include <drm/amdxdna_accel.h>

#include <atomic>
#include <cstdint>

#include "libxdna/device.hpp"
#include "xdna/xdna.h"

struct xdna_bo {
    xdna_device* device = nullptr;  ///< counted
    uint32_t refs = 1;              ///< under device->bos_mutex
    uint32_t handle = 0;
    xdna_bo_type type = XDNA_BO_SHARE;
    bool is_heap = false;    ///< handle and mapping are the device's
    bool is_mapped = false;  ///< the mapping is this BO's own
    /// A context's debug buffer: its contents come from the firmware on request.
    std::atomic<bool> is_debug{false};
    uint8_t* memory = nullptr;
    uint64_t size = 0;
    uint64_t address = 0;
};

namespace xdna {

void ref(xdna_bo* bo);
void unref(xdna_bo* bo);

/// xdna_bo_create() with the failure's message begun by `who`.
int create_bo(xdna_device* device, xdna_bo_type type, uint64_t size, const char* who,
              xdna_bo** out);

/// GET_BO_INFO.
int get_bo_info(xdna_device* device, uint32_t handle, const char* who,
                amdxdna_drm_get_bo_info& out);
void close_gem(xdna_device* device, uint32_t handle);

const char* bo_type_name(xdna_bo_type type);

}  // namespace xdna
