// What an open file says of itself in procfs (linux drivers/gpu/drm/drm_file.c, drm_show_fdinfo and
// drm_show_memory_stats; drivers/accel/amdxdna/amdxdna_pci_drv.c, amdxdna_show_fdinfo).
#include <iterator>

#include "emu/uapi/driver/client.hpp"
#include "emu/uapi/machine_layout.hpp"

namespace xdna::emu::driver {

namespace {

std::string line(const std::string& key, const std::string& value) {
    return key + ":\t" + value + "\n";
}

/// In the largest unit that divides the size (drm_fdinfo_print_size).
std::string size_line(const std::string& key, uint64_t size) {
    constexpr const char* kUnits[] = {"", " KiB", " MiB"};
    size_t unit = 0;
    for (; unit + 1 < std::size(kUnits) && size != 0 && size % 1024 == 0; ++unit) {
        size /= 1024;
    }
    return line(key, std::to_string(size) + kUnits[unit]);
}

}  // namespace

std::string Client::fdinfo() const {
    const Lock lock(device_->mutex);
    std::string text = line("drm-driver", kDriverName);
    text += line("drm-client-id", std::to_string(id_));
    text += line("drm-pdev", kPciAddress);
    if (!name_.empty()) {
        text += line("drm-client-name", name_);
    }
    const std::string driver = kDriverName;
    text += size_line(driver + "-heap-alloc", heap_usage());
    text += size_line(driver + "-internal-alloc", internal_usage);
    text += size_line(driver + "-external-alloc", total_usage - internal_usage);

    // Once for each handle. amdxdna's objects report neither residency nor purgeability, and
    // drm-active-memory is there while one of them is in use.
    uint64_t total = 0;
    uint64_t shared = 0;
    uint64_t active = 0;
    bool any_active = false;
    for (const uint32_t handle : bos_.handles()) {
        const BoPtr bo = bos_.find(handle);
        total += bo->size;
        if (bo->handles > 1 || bo->dma_buf) {
            shared += bo->size;
        }
        if (!bo->reservation->idle()) {
            active += bo->size;
            any_active = true;
        }
    }
    text += size_line("drm-total-memory", total);
    text += size_line("drm-shared-memory", shared);
    if (any_active) {
        text += size_line("drm-active-memory", active);
    }
    return text;
}

}  // namespace xdna::emu::driver
