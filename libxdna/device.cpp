#include "libxdna/device.hpp"

#include <drm/amdxdna_accel.h>
#include <xf86drm.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "libxdna/bo.hpp"
#include "libxdna/error.hpp"
#include "libxdna/find.hpp"
#include "libxdna/ids.hpp"
#include "libxdna/os.hpp"
#include "libxdna/packet.hpp"

namespace xdna {
namespace {

struct Feature {
    xdna_feature feature;
    uint32_t minor;
    const char* name;
};
/// Minor versions that brought features: drivers/accel/amdxdna/amdxdna_pci_drv.c (Linux 7.3).
constexpr Feature kFeatures[] = {
    {XDNA_FEATURE_ALL_HWCTX, 1, "listing all contexts"},
    {XDNA_FEATURE_ASYNC_ERROR, 2, "the last asynchronous error"},
    {XDNA_FEATURE_DEBUG_BO, 3, "debug buffers"},
    {XDNA_FEATURE_RESOURCE_INFO, 4, "resource information"},
    {XDNA_FEATURE_TELEMETRY, 5, "telemetry"},
    {XDNA_FEATURE_PREEMPTION, 6, "preemption"},
    {XDNA_FEATURE_SENSORS, 7, "sensors"},
    {XDNA_FEATURE_BO_USAGE, 8, "BO usage"},
};

const Feature* find_feature(xdna_feature feature) {
    const auto* row = std::find_if(std::begin(kFeatures), std::end(kFeatures),
                                   [&](const auto& entry) { return entry.feature == feature; });
    return row == std::end(kFeatures) ? nullptr : row;
}

bool all_digits(const std::string& text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}

/// "c5:00.1" and "0000:c5:00.1" to the latter; "" if it is neither.
std::string full_bdf(const std::string& text) {
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned slot = 0;
    unsigned function = 0;
    int used = 0;
    const int length = static_cast<int>(text.size());
    if (std::sscanf(text.c_str(), "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &used) !=
            4 ||
        used != length) {
        domain = 0;
        used = 0;
        if (std::sscanf(text.c_str(), "%2x:%2x.%1x%n", &bus, &slot, &function, &used) != 3 ||
            used != length) {
            return "";
        }
    }
    char bdf[16];
    std::snprintf(bdf, sizeof bdf, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot & 0xff,
                  function & 0xf);
    return bdf;
}

/// Finds the node that `which` means. 0, or a negative errno with its message.
int resolve(const char* which, xdna_device_info& out) {
    const std::string text = which != nullptr ? which : "";
    std::vector<xdna_device_info> found;
    const int error = find_devices("", found);
    if (which != nullptr && text.rfind('/', 0) == 0) {
        for (const xdna_device_info& info : found) {
            if (text == info.node) {
                out = info;
                return 0;
            }
        }
        // A node that sysfs does not show (a container with its sysfs hidden) may still work.
        out = {};
        std::snprintf(out.generation, sizeof out.generation, "unknown");
        if (text.size() >= sizeof out.node) {
            return fail(-EINVAL, "xdna_device_open: the path is longer than %zu bytes: %.80s...",
                        sizeof out.node - 1, text.c_str());
        }
        std::memcpy(out.node, text.c_str(), text.size() + 1);
        return 0;
    }
    if (error != 0) {
        return error;
    }
    const xdna_device_info* chosen = nullptr;
    if (which == nullptr) {
        for (const xdna_device_info& info : found) {
            if (*info.node != 0) {
                chosen = &info;
                break;
            }
        }
        if (chosen == nullptr && found.empty()) {
            return fail_with(-ENODEV,
                             "xdna_device_open: this machine shows no NPU on its PCI bus: the part "
                             "has none, or it is switched off in the firmware setup");
        }
        if (chosen == nullptr) {
            chosen = found.data();
        }
    } else if (all_digits(text)) {
        const unsigned long index = std::strtoul(which, nullptr, 10);
        if (index >= found.size()) {
            return fail(-ENODEV, "xdna_device_open: no NPU of index %s: this machine has %zu",
                        which, found.size());
        }
        chosen = &found[index];
    } else if (const std::string bdf = full_bdf(text); !bdf.empty()) {
        for (const xdna_device_info& info : found) {
            if (bdf == info.bdf) {
                chosen = &info;
            }
        }
        if (chosen == nullptr) {
            return fail(-ENODEV, "xdna_device_open: no NPU at PCI address %s", bdf.c_str());
        }
    } else {
        return fail(-EINVAL,
                    "xdna_device_open: '%.80s' is neither an index, nor a PCI address such as "
                    "0000:c5:00.1, nor a node such as /dev/accel/accel0",
                    which);
    }
    if (*chosen->node == 0) {
        return fail(-ENODEV, "xdna_device_open: the NPU at %s has no device node: %s%s",
                    chosen->bdf,
                    *chosen->driver != 0 ? "its driver made none: " : "no driver is bound to it",
                    chosen->driver);
    }
    out = *chosen;
    return 0;
}

/// Takes `fd` over, also on failure.
int adopt(int fd, const xdna_device_info& info, const char* who, xdna_device** out) {
    std::unique_ptr<xdna_device> device(new xdna_device);
    device->fd = fd;
    device->info = info;
    const std::unique_ptr<drmVersion, void (*)(drmVersionPtr)> version(drmGetVersion(fd),
                                                                       drmFreeVersion);
    if (version == nullptr) {
        os::close(fd);
        return fail(-EINVAL, "%s: %s is not a DRM device: it has no driver version", who,
                    *info.node != 0 ? info.node : "the descriptor");
    }
    xdna_driver_version& to = device->version;
    to.major = static_cast<uint32_t>(version->version_major);
    to.minor = static_cast<uint32_t>(version->version_minor);
    to.patch = static_cast<uint32_t>(version->version_patchlevel);
    std::snprintf(to.name, sizeof to.name, "%.*s", version->name_len, version->name);
    if (std::strcmp(to.name, kDrmDriverName) != 0) {
        os::close(fd);
        return fail(-EINVAL, "%s: %s is a device of the driver '%s', not of %s", who,
                    *info.node != 0 ? info.node : "the descriptor", to.name, kDrmDriverName);
    }
    *out = device.release();
    return 0;
}

}  // namespace

void ref(xdna_device* device) {
    device->refs.fetch_add(1, std::memory_order_relaxed);
}

void unref(xdna_device* device) {
    if (device->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) {
        return;
    }
    if (device->heap.handle != 0) {
        close_gem(device, device->heap.handle);
        os::unmap(device->heap.memory, device->heap.size);
    }
    os::close(device->fd);
    delete device;
}

int make_heap(xdna_device* device, uint64_t size, bool must_be_new, const char* who) {
    const std::lock_guard lock(device->heap_mutex);
    if (device->heap.handle != 0) {
        return !must_be_new ? 0
                            : fail(-EBUSY, "%s: this device has its heap already (%llu bytes)", who,
                                   static_cast<unsigned long long>(device->heap.size));
    }
    amdxdna_drm_create_bo create{};
    create.type = AMDXDNA_BO_DEV_HEAP;
    create.size = size;
    if (int error = os::ioctl(device->fd, DRM_IOCTL_AMDXDNA_CREATE_BO, &create); error != 0) {
        return fail_call(Call::kCreateHeap, error, "%s: device heap of %llu bytes", who,
                         static_cast<unsigned long long>(size));
    }
    Heap heap;
    heap.handle = create.handle;
    heap.size = size;
    amdxdna_drm_get_bo_info bo{};
    int error = get_bo_info(device, heap.handle, who, bo);
    if (error == 0) {
        // The firmware maps the heap in 64 MiB units of the process's address space
        // (aie2_message.c), so the mapping must be aligned to that.
        void* memory = nullptr;
        error = os::map(device->fd, bo.map_offset, size, kHeapAlignment, &memory);
        heap.memory = static_cast<uint8_t*>(memory);
        heap.address = bo.xdna_addr;
        if (error != 0) {
            fail_call(Call::kMap, error, "%s: mapping the device heap of %llu bytes", who,
                      static_cast<unsigned long long>(size));
        }
    }
    if (error != 0) {
        close_gem(device, heap.handle);
        return error;
    }
    device->heap = heap;
    return 0;
}

int get_metadata(xdna_device* device, xdna_aie_metadata& out) {
    const std::lock_guard lock(device->metadata_mutex);
    if (!device->has_metadata) {
        if (int error = xdna_query_aie_metadata(device, &device->metadata); error != 0) {
            return error;
        }
        device->has_metadata = true;
    }
    out = device->metadata;
    return 0;
}

int feature_minor(xdna_feature feature) {
    const auto* row = find_feature(feature);
    return row == nullptr ? -1 : static_cast<int>(row->minor);
}

int need_feature(const xdna_device* device, xdna_feature feature, const char* who) {
    if (xdna_device_has(device, feature) == 1) {
        return 0;
    }
    const auto* row = find_feature(feature);
    return fail(-EOPNOTSUPP,
                "%s: not supported by this kernel: %s came with version 0.%u of the amdxdna "
                "driver; this is %u.%u",
                who, row->name, row->minor, device->version.major, device->version.minor);
}

}  // namespace xdna

using xdna::Call;
using xdna::fail;
using xdna::fail_call;
using xdna::guarded;

const char* xdna_version(void) {
    return XDNA_VERSION;
}

int xdna_device_open(const char* which, struct xdna_device** out) {
    return guarded("xdna_device_open", [&] {
        if (out == nullptr) {
            return fail(-EINVAL, "xdna_device_open: out is NULL");
        }
        *out = nullptr;
        xdna_device_info info{};
        if (int error = xdna::resolve(which, info); error != 0) {
            return error;
        }
        const int fd = xdna::os::open_node(info.node);
        if (fd < 0) {
            fail_call(Call::kOpen, fd, "xdna_device_open: %s", info.node);
            return fd == -ENOENT || fd == -ENXIO ? -ENODEV : fd;
        }
        return xdna::adopt(fd, info, "xdna_device_open", out);
    });
}

int xdna_device_open_fd(int fd, struct xdna_device** out) {
    return guarded("xdna_device_open_fd", [&] {
        if (out == nullptr) {
            return fail(-EINVAL, "xdna_device_open_fd: out is NULL");
        }
        *out = nullptr;
        xdna_device_info info{};
        std::snprintf(info.generation, sizeof info.generation, "unknown");
        uint64_t number = 0;
        if (xdna::os::device_number(fd, number) == 0) {
            std::vector<xdna_device_info> found;
            xdna::find_devices("", found);
            for (const xdna_device_info& candidate : found) {
                uint64_t other = 0;
                if (xdna::os::device_number(candidate.node, other) == 0 && other == number) {
                    info = candidate;
                }
            }
        }
        const int copy = xdna::os::duplicate(fd);
        if (copy < 0) {
            return fail(copy, "xdna_device_open_fd: descriptor %d: %s (%s)", fd,
                        xdna::errno_name(copy), std::strerror(-copy));
        }
        return xdna::adopt(copy, info, "xdna_device_open_fd", out);
    });
}

void xdna_device_close(struct xdna_device* device) {
    if (device != nullptr) {
        xdna::unref(device);
    }
}

int xdna_device_fd(const struct xdna_device* device) {
    return device != nullptr ? device->fd : fail(-EINVAL, "xdna_device_fd: device is NULL");
}

int xdna_device_get_info(const struct xdna_device* device, struct xdna_device_info* out) {
    if (device == nullptr || out == nullptr) {
        return fail(-EINVAL, "xdna_device_get_info: %s is NULL",
                    device == nullptr ? "device" : "out");
    }
    *out = device->info;
    return 0;
}

int xdna_device_driver_version(const struct xdna_device* device, struct xdna_driver_version* out) {
    if (device == nullptr || out == nullptr) {
        return fail(-EINVAL, "xdna_device_driver_version: %s is NULL",
                    device == nullptr ? "device" : "out");
    }
    *out = device->version;
    return 0;
}

int xdna_device_has(const struct xdna_device* device, enum xdna_feature feature) {
    const int minor = xdna::feature_minor(feature);
    if (device == nullptr || minor < 0) {
        return device == nullptr
                   ? fail(-EINVAL, "xdna_device_has: device is NULL")
                   : fail(-EINVAL, "xdna_device_has: no feature %d", static_cast<int>(feature));
    }
    return device->version.major > 0 || device->version.minor >= static_cast<uint32_t>(minor) ? 1
                                                                                              : 0;
}

int xdna_device_limits(const struct xdna_device* device, struct xdna_limits* out) {
    if (device == nullptr || out == nullptr) {
        return fail(-EINVAL, "xdna_device_limits: %s is NULL",
                    device == nullptr ? "device" : "out");
    }
    *out = {};
    // Querying caches in the device; its handle is const to the caller.
    auto* mutable_device = const_cast<xdna_device*>(device);
    xdna_aie_metadata metadata{};
    if (int error = xdna::get_metadata(mutable_device, metadata); error != 0) {
        return error;
    }
    out->columns = metadata.columns;
    out->rows = metadata.rows;
    out->core_rows = metadata.core.row_count;
    xdna_resources resources{};
    if (xdna_device_has(device, XDNA_FEATURE_RESOURCE_INFO) == 1 &&
        xdna_query_resources(mutable_device, &resources) == 0) {
        out->max_hwctx = static_cast<uint32_t>(resources.npu_task_max);
    }
    out->max_cus = xdna::kMaxCus;
    out->max_args = xdna::kMaxArguments;
    out->max_start_cu_words = xdna::kMaxStartCuWords;
    out->max_start_npu_args = xdna::kMaxStartNpuArgs;
    out->chain_bytes = xdna::kChainBytes;
    out->heap_alignment = xdna::kHeapAlignment;
    out->dev_bo_alignment = xdna::kDevBoAlignment;
    return 0;
}
