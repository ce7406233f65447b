// What this run stands before: which node, which driver, which way of addressing. The suite asserts
// the rules of drivers/accel/amdxdna in Linux 7.3; where an older driver or the addressing mode
// changes a rule, the test asks here.
#pragma once

#include <cstdint>
#include <string>

namespace xdna::conformance {

/// How SHARE BOs get their NPU address (amdxdna_gem.c: amdxdna_obj_dma_addr).
enum class Addressing {
    kSva,      ///< the process's own address, once mapped: real hardware
    kIova,     ///< given by the driver at creation: force_iova or carve-out, as in the lab
    kUnknown,  ///< a driver that does not say (before 7.0): always all-ones
};

struct Target {
    std::string node;  ///< "" where there is no NPU
    std::string name;  ///< DRM_VERSION
    int major = 0;
    int minor = 0;
    Addressing addressing = Addressing::kUnknown;
    std::string sysfs;  ///< the PCI device's folder, "" where sysfs does not say
    bool npu1 = false;
    uint32_t columns = 0;
    uint32_t core_rows = 0;
    /// IOVA from a carve-out: BOs are contiguous imports, and SYNC_BO refuses them.
    bool carve_out = false;
    /// False on a kernel between 6.14 and 7.2, where a few calls of this suite crash the kernel.
    bool hardened = true;

    bool sva() const { return addressing == Addressing::kSva; }
    bool iova() const { return addressing == Addressing::kIova; }
    /// The rules of 7.2 and 7.3, which both call themselves 0.10.
    bool current() const { return minor >= 10; }
};

/// Looked up once: the node that XDNA_NODE names, else the first that amdxdna serves.
const Target& target();

}  // namespace xdna::conformance
