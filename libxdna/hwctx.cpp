#include "libxdna/hwctx.hpp"

#include <drm/amdxdna_accel.h>
#include <xf86drm.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "libxdna/bo.hpp"
#include "libxdna/cache.hpp"
#include "libxdna/error.hpp"
#include "libxdna/os.hpp"
#include "libxdna/packet.hpp"

namespace xdna {
namespace {

void release_all(std::vector<xdna_bo*>& bos) {
    for (xdna_bo* bo : bos) {
        unref(bo);
    }
    bos.clear();
}

/// BOs that are given back unless keep() is called.
class BoList {
  public:
    BoList() = default;
    BoList(const BoList&) = delete;
    BoList& operator=(const BoList&) = delete;
    ~BoList() { release_all(bos_); }

    void reserve(size_t count) { bos_.reserve(count); }
    void add(xdna_bo* bo) { bos_.push_back(bo); }
    void keep(std::vector<xdna_bo*>& to) { to.swap(bos_); }

  private:
    std::vector<xdna_bo*> bos_;
};

int check_alive(const xdna_hwctx* hwctx, const char* who) {
    if (hwctx == nullptr) {
        return fail(-EINVAL, "%s: hwctx is NULL", who);
    }
    if (hwctx->is_gone.load(std::memory_order_acquire)) {
        return fail(-ENODEV, "%s: the context was destroyed", who);
    }
    return 0;
}

int configure(xdna_hwctx* hwctx, uint32_t type, uint64_t value, uint32_t size) {
    amdxdna_drm_config_hwctx config{};
    config.handle = hwctx->handle;
    config.param_type = type;
    config.param_val = value;
    config.param_val_size = size;
    return os::ioctl(hwctx->device->fd, DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, &config);
}

int check_debug_bo(const xdna_hwctx* hwctx, const xdna_bo* bo, const char* who) {
    if (int error = check_alive(hwctx, who); error != 0) {
        return error;
    }
    if (bo == nullptr || bo->device != hwctx->device) {
        return fail(-EINVAL, "%s: bo is %s", who, bo == nullptr ? "NULL" : "of another device");
    }
    if (bo->type != XDNA_BO_DEV) {
        return fail(-EINVAL, "%s: a debug buffer is a DEV BO, not %s", who, bo_type_name(bo->type));
    }
    return need_feature(hwctx->device, XDNA_FEATURE_DEBUG_BO, who);
}

}  // namespace

void ref(xdna_hwctx* hwctx) {
    hwctx->refs.fetch_add(1, std::memory_order_relaxed);
}

void unref(xdna_hwctx* hwctx) {
    if (hwctx->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) {
        return;
    }
    // Kept until now: commands in flight are waited for with it.
    if (hwctx->syncobj != 0) {
        drmSyncobjDestroy(hwctx->device->fd, hwctx->syncobj);
    }
    xdna_device* device = hwctx->device;
    delete hwctx;
    unref(device);
}

}  // namespace xdna

using xdna::Call;
using xdna::fail;
using xdna::fail_call;
using xdna::guarded;

int xdna_hwctx_create(struct xdna_device* device, const struct xdna_hwctx_options* options,
                      struct xdna_hwctx** out) {
    constexpr const char* kWho = "xdna_hwctx_create";
    return guarded(kWho, [&] {
        if (device == nullptr || options == nullptr || out == nullptr) {
            return fail(-EINVAL, "%s: %s is NULL", kWho,
                        device == nullptr    ? "device"
                        : options == nullptr ? "options"
                                             : "out");
        }
        *out = nullptr;
        xdna_aie_metadata metadata{};
        if (int error = xdna::get_metadata(device, metadata); error != 0) {
            return error;
        }
        if (options->num_tiles == 0 &&
            (options->columns == 0 || options->columns > metadata.columns)) {
            return fail(-EINVAL, "%s: %u columns: this NPU has 1 to %u", kWho, options->columns,
                        metadata.columns);
        }
        if (int error = xdna::make_heap(device, xdna::kHeapAlignment, false, kWho); error != 0) {
            return error;
        }
        auto hwctx = std::make_unique<xdna_hwctx>();
        amdxdna_qos_info qos{options->qos.gops,
                             options->qos.fps,
                             options->qos.dma_bandwidth,
                             options->qos.latency,
                             options->qos.frame_exec_time,
                             options->qos.priority};
        amdxdna_drm_create_hwctx create{};
        create.qos_p = reinterpret_cast<uintptr_t>(&qos);
        create.max_opc = options->max_opc;
        // The driver divides this by the core rows of the array to get columns (aie2_ctx.c).
        create.num_tiles = options->num_tiles != 0 ? options->num_tiles
                                                   : options->columns * metadata.core.row_count;
        if (int error = xdna::os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_CREATE_HWCTX, &create);
            error != 0) {
            return fail_call(Call::kCreateHwctx, error, "%s: %u core tiles (%u a column)", kWho,
                             create.num_tiles, metadata.core.row_count);
        }
        hwctx->device = device;
        hwctx->handle = create.handle;
        hwctx->syncobj = create.syncobj_handle;
        if (hwctx->syncobj == 0) {
            device->wait_method = xdna::WaitMethod::kWaitCmd;
        }
        xdna::ref(device);
        *out = hwctx.release();
        return 0;
    });
}

int xdna_hwctx_configure(struct xdna_hwctx* hwctx, const struct xdna_cu* cus, uint32_t count) {
    constexpr const char* kWho = "xdna_hwctx_configure";
    return guarded(kWho, [&] {
        if (int error = xdna::check_alive(hwctx, kWho); error != 0) {
            return error;
        }
        if (cus == nullptr || count == 0 || count > xdna::kMaxCus) {
            return cus == nullptr ? fail(-EINVAL, "%s: cus is NULL", kWho)
                                  : fail(-EINVAL, "%s: %u CUs: a context takes 1 to %u", kWho,
                                         count, xdna::kMaxCus);
        }
        const std::lock_guard lock(hwctx->mutex);
        if (!hwctx->cu_bos.empty()) {
            return fail(-EINVAL, "%s: the context has its %zu CUs already; make another context",
                        kWho, hwctx->cu_bos.size());
        }
        // struct amdxdna_hwctx_param_config_cu; its own array is flexible.
        struct {
            uint16_t num_cus;
            uint16_t pad[3];
            amdxdna_cu_config cus[xdna::kMaxCus];
        } config{};
        static_assert(offsetof(decltype(config), cus) ==
                      offsetof(amdxdna_hwctx_param_config_cu, cu_configs));
        xdna::BoList bos;
        bos.reserve(count);
        for (uint32_t i = 0; i < count; i++) {
            if (cus[i].pdi == nullptr || cus[i].pdi_size == 0) {
                return fail(-EINVAL, "%s: CU %u has no PDI", kWho, i);
            }
            xdna_bo* bo = nullptr;
            if (int error = xdna::create_bo(hwctx->device, XDNA_BO_DEV, cus[i].pdi_size, kWho, &bo);
                error != 0) {
                return error;
            }
            bos.add(bo);
            std::memcpy(bo->memory, cus[i].pdi, cus[i].pdi_size);
            xdna::flush_cache(bo->memory, bo->size);
            config.cus[i].cu_bo = bo->handle;
            config.cus[i].cu_func = cus[i].function;
        }
        config.num_cus = static_cast<uint16_t>(count);
        const size_t size = offsetof(decltype(config), cus) + count * sizeof config.cus[0];
        if (int error =
                xdna::configure(hwctx, DRM_AMDXDNA_HWCTX_CONFIG_CU,
                                reinterpret_cast<uintptr_t>(&config), static_cast<uint32_t>(size));
            error != 0) {
            return fail_call(Call::kConfigCu, error, "%s: %u CUs", kWho, count);
        }
        bos.keep(hwctx->cu_bos);
        return 0;
    });
}

int xdna_hwctx_attach_debug_bo(struct xdna_hwctx* hwctx, struct xdna_bo* bo) {
    constexpr const char* kWho = "xdna_hwctx_attach_debug_bo";
    return guarded(kWho, [&] {
        if (int error = xdna::check_debug_bo(hwctx, bo, kWho); error != 0) {
            return error;
        }
        const std::lock_guard lock(hwctx->mutex);
        hwctx->debug_bos.reserve(hwctx->debug_bos.size() + 1);
        if (int error = xdna::configure(hwctx, DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF, bo->handle, 0);
            error != 0) {
            return fail_call(Call::kAssignDebugBo, error, "%s: BO of handle %u", kWho, bo->handle);
        }
        xdna::ref(bo);
        bo->is_debug = true;
        hwctx->debug_bos.push_back(bo);
        return 0;
    });
}

int xdna_hwctx_detach_debug_bo(struct xdna_hwctx* hwctx, struct xdna_bo* bo) {
    constexpr const char* kWho = "xdna_hwctx_detach_debug_bo";
    return guarded(kWho, [&] {
        if (int error = xdna::check_debug_bo(hwctx, bo, kWho); error != 0) {
            return error;
        }
        const std::lock_guard lock(hwctx->mutex);
        auto held = std::find(hwctx->debug_bos.begin(), hwctx->debug_bos.end(), bo);
        if (held == hwctx->debug_bos.end()) {
            return fail(-EINVAL, "%s: BO of handle %u is not this context's debug buffer", kWho,
                        bo->handle);
        }
        if (int error = xdna::configure(hwctx, DRM_AMDXDNA_HWCTX_REMOVE_DBG_BUF, bo->handle, 0);
            error != 0) {
            return fail_call(Call::kRemoveDebugBo, error, "%s: BO of handle %u", kWho, bo->handle);
        }
        hwctx->debug_bos.erase(held);
        bo->is_debug = false;
        xdna::unref(bo);
        return 0;
    });
}

void xdna_hwctx_destroy(struct xdna_hwctx* hwctx) {
    if (hwctx == nullptr) {
        return;
    }
    if (hwctx->is_gone.exchange(true, std::memory_order_acq_rel)) {
        fail(-ENODEV, "xdna_hwctx_destroy: the context was destroyed before");
        return;
    }
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = hwctx->handle;
    xdna::os::ioctl(hwctx->device->fd, DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, &destroy);
    hwctx->is_ended.store(true, std::memory_order_release);
    {
        const std::lock_guard lock(hwctx->mutex);
        for (xdna_bo* bo : hwctx->debug_bos) {
            bo->is_debug = false;
        }
        xdna::release_all(hwctx->debug_bos);
        xdna::release_all(hwctx->cu_bos);
    }
    xdna::unref(hwctx);
}

uint32_t xdna_hwctx_handle(const struct xdna_hwctx* hwctx) {
    return hwctx != nullptr ? hwctx->handle : 0;
}

uint32_t xdna_hwctx_syncobj(const struct xdna_hwctx* hwctx) {
    return hwctx != nullptr ? hwctx->syncobj : 0;
}
