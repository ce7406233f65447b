// SET_STATE as typed calls.
#include <drm/amdxdna_accel.h>

#include <cerrno>

#include "libxdna/device.hpp"
#include "libxdna/error.hpp"
#include "libxdna/os.hpp"
#include "xdna/xdna.h"

namespace xdna {
namespace {

int set_state(xdna_device* device, uint32_t param, const void* data, uint32_t size,
              const char* who) {
    if (device == nullptr || (data == nullptr && size != 0)) {
        return fail(-EINVAL, "%s: %s is NULL", who, device == nullptr ? "device" : "data");
    }
    amdxdna_drm_set_state state{};
    state.param = param;
    state.buffer_size = size;
    state.buffer = reinterpret_cast<uintptr_t>(data);
    const int error = os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_SET_STATE, &state);
    return error == 0
               ? 0
               : fail_call(Call::kSetState, error, "%s: parameter %u, %u bytes", who, param, size);
}

int set_preemption(xdna_device* device, uint32_t param, int enable, const char* who) {
    if (enable != 0 && enable != 1) {
        return fail(-EINVAL, "%s: enable is %d: it takes 0 or 1", who, enable);
    }
    if (device != nullptr) {
        if (int error = need_feature(device, XDNA_FEATURE_PREEMPTION, who); error != 0) {
            return error;
        }
    }
    amdxdna_drm_attribute_state state{};
    state.state = static_cast<uint8_t>(enable);
    return set_state(device, param, &state, sizeof state, who);
}

}  // namespace
}  // namespace xdna

int xdna_set_power_mode(struct xdna_device* device, enum xdna_power_mode mode) {
    if (mode < XDNA_POWER_DEFAULT || mode > XDNA_POWER_TURBO) {
        return xdna::fail(-EINVAL, "xdna_set_power_mode: no mode %d: there are 0 to 4",
                          static_cast<int>(mode));
    }
    amdxdna_drm_set_power_mode state{};
    state.power_mode = static_cast<uint8_t>(mode);
    return xdna::set_state(device, DRM_AMDXDNA_SET_POWER_MODE, &state, sizeof state,
                           "xdna_set_power_mode");
}

int xdna_set_force_preempt(struct xdna_device* device, int enable) {
    return xdna::set_preemption(device, DRM_AMDXDNA_SET_FORCE_PREEMPT, enable,
                                "xdna_set_force_preempt");
}

int xdna_set_frame_boundary_preempt(struct xdna_device* device, int enable) {
    return xdna::set_preemption(device, DRM_AMDXDNA_SET_FRAME_BOUNDARY_PREEMPT, enable,
                                "xdna_set_frame_boundary_preempt");
}

int xdna_set_aie_memory(struct xdna_device* device, const void* data, uint32_t size) {
    return xdna::set_state(device, DRM_AMDXDNA_WRITE_AIE_MEM, data, size, "xdna_set_aie_memory");
}

int xdna_set_aie_register(struct xdna_device* device, const void* data, uint32_t size) {
    return xdna::set_state(device, DRM_AMDXDNA_WRITE_AIE_REG, data, size, "xdna_set_aie_register");
}
