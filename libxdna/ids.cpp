#include "libxdna/ids.hpp"

#include <algorithm>
#include <iterator>

namespace xdna {
namespace {

// npu1, npu3, npu4..6 and their revisions: Linux 7.3, drivers/accel/amdxdna/amdxdna_pci_drv.c.
// npu2: Linux 6.14, the same file. Other npu3-family rows: amd/xdna-driver, the same file there and
// src/driver/amdxdna/amdxdna_pci_drv.c. Names of the parts: amd/xdna-driver,
// src/driver/doc/amdnpu.rst and drivers/accel/amdxdna/npu{1,4,5,6}_regs.c.
constexpr NpuId kIds[] = {
    {0x1502, 0x00, "npu1", "Ryzen AI (Phoenix, Hawk Point)"},
    {0x17f0, 0x00, "npu2", ""},
    {0x17f0, 0x10, "npu4", "Ryzen AI (Strix Point)"},
    {0x17f0, 0x11, "npu5", "Ryzen AI (Strix Halo)"},
    {0x17f0, 0x20, "npu6", "Ryzen AI (Krackan Point)"},
    {0x17f1, 0x10, "npu3", ""},
    {0x17f2, 0x10, "npu3", ""},
    {0x17f3, 0x10, "npu3", ""},
    {0x1b0a, 0x00, "npu3", ""},
    {0x1b0b, 0x00, "npu3", ""},
    {0x1b0c, 0x00, "npu3", ""},
    {0x1b0b, 0x10, "npu3", ""},
    {0x1b0c, 0x10, "npu3", ""},
    {0x17f1, 0x11, "npu7", ""},
    {0x17f2, 0x11, "npu7", ""},
    {0x17f3, 0x11, "npu7", ""},
    {0x17f1, 0x12, "npu8", ""},
    {0x17f2, 0x12, "npu8", ""},
    {0x17f3, 0x12, "npu8", ""},
    {0x17f1, 0x13, "npu9", ""},
    {0x17f2, 0x13, "npu9", ""},
    {0x17f3, 0x13, "npu9", ""},
    {0x17f1, 0x14, "npu10", ""},
    {0x17f2, 0x14, "npu10", ""},
    {0x17f3, 0x14, "npu10", ""},
    {0x17f1, 0x15, "npu11", ""},
    {0x17f2, 0x15, "npu11", ""},
    {0x17f3, 0x15, "npu11", ""},
};

}  // namespace

std::span<const NpuId> npu_ids() {
    return kIds;
}

const NpuId* find_npu_id(uint16_t vendor, uint16_t device, uint8_t revision) {
    const auto* row = std::find_if(std::begin(kIds), std::end(kIds), [&](const NpuId& id) {
        return vendor == kVendorAmd && id.device == device && id.revision == revision;
    });
    return row == std::end(kIds) ? nullptr : row;
}

bool is_npu(uint16_t vendor, uint16_t device) {
    return vendor == kVendorAmd &&
           std::any_of(std::begin(kIds), std::end(kIds),
                       [&](const NpuId& id) { return id.device == device; });
}

}  // namespace xdna
