// The AIE_PARTITION section of an xclbin: the PDIs, and how many columns they need.
//
// Source: Xilinx/XRT, src/runtime_src/core/include/xrt/detail/xclbin.h (layout) and
// src/runtime_src/tools/xclbinutil/SectionAIEPartition.cxx (order; pre CDO groups have 64 bits
// there, whatever the header's comment says).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libxdna/image/bytes.hpp"
#include "libxdna/image/xclbin.hpp"

namespace xdna::image {

// Which kernels a PDI serves.
struct CdoGroup {
    static constexpr uint8_t kPrimary = 1;
    static constexpr uint8_t kLite = 2;
    static constexpr uint8_t kPrePost = 3;

    std::string name;
    uint8_t type = kPrimary;
    uint64_t pdi_id = 0;
    std::vector<uint64_t> kernel_ids;  // dpu_kernel_id of the metadata's kernels
    std::vector<uint64_t> pre_groups;
    bool operator==(const CdoGroup&) const = default;
};

struct PartitionPdi {
    Uuid uuid{};
    Bytes image;
    std::vector<CdoGroup> groups;
    bool operator==(const PartitionPdi&) const = default;
};

struct AiePartition {
    uint8_t schema_version = 0;
    std::string name;
    uint32_t operations_per_cycle = 0;
    uint64_t inference_fingerprint = 0;
    uint64_t pre_post_fingerprint = 0;
    uint16_t columns = 0;
    std::vector<uint16_t> start_columns;  // the driver chooses for itself
    std::vector<PartitionPdi> pdis;
    std::optional<std::string> kernel_commit_id;  // older files have none
    bool operator==(const AiePartition&) const = default;

    // The PDI for a kernel id; null if there is none.
    const PartitionPdi* pdi_for(uint64_t kernel_id) const;
};

// Throws FormatError.
AiePartition parse_aie_partition(ByteView section);

// In xclbinutil's order: what it wrote comes out byte for byte.
Bytes serialize(const AiePartition& partition);

}  // namespace xdna::image
