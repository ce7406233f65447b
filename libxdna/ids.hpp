// The NPUs that are known by their PCI ids. One table for the library and the tools.
#pragma once

#include <cstdint>
#include <span>

namespace xdna {

struct NpuId {
    uint16_t device;  ///< of vendor 0x1022 (AMD)
    uint8_t revision;
    const char* generation;      ///< as the driver names it
    const char* marketing_name;  ///< "" where no source ties one to the id
};

inline constexpr uint16_t kVendorAmd = 0x1022;
inline constexpr const char* kDriverModule = "amdxdna";
/// Name in the driver's DRM version (drivers/accel/amdxdna/amdxdna_pci_drv.c).
inline constexpr const char* kDrmDriverName = "amdxdna_accel_driver";

std::span<const NpuId> npu_ids();

/// The row of an id; nullptr if there is none.
const NpuId* find_npu_id(uint16_t vendor, uint16_t device, uint8_t revision);
/// True for a device number that only NPUs have, whatever the revision.
bool is_npu(uint16_t vendor, uint16_t device);

}  // namespace xdna
