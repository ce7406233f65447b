// The EMBEDDED_METADATA section of an xclbin: XML that gives kernels their names and arguments.
//
// What is understood is what XRT needs: project/platform/device/core/kernel with its arg, instance
// and extended-data elements. Source: Xilinx/XRT, src/runtime_src/tools/xclbinutil/
// KernelUtilities.cxx (names, order, form).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {

struct KernelArgument {
    static constexpr uint32_t kScalar = 0;
    static constexpr uint32_t kGlobal = 1;

    std::string name;
    uint32_t qualifier = kScalar;
    std::optional<uint32_t>
        id;               // position in a call; none for an argument that callers do not give
    uint32_t size = 0;    // bytes in the register map; 8 for a pointer
    uint32_t offset = 0;  // bytes from the start of the register map
    std::string type;     // C type, "uint64_t" or "void*"
    bool operator==(const KernelArgument&) const = default;
};

// Of kernels that run on the NPU.
struct KernelExtendedData {
    uint32_t subtype = 1;
    uint32_t functional = 0;
    uint32_t dpu_kernel_id = 0;
    bool operator==(const KernelExtendedData&) const = default;
};

struct KernelMetadata {
    std::string name;
    std::string language = "c";
    std::string type = "dpu";
    std::optional<KernelExtendedData> extended;
    std::vector<KernelArgument> arguments;
    std::vector<std::string> instances;
    bool operator==(const KernelMetadata&) const = default;
};

struct EmbeddedMetadata {
    std::vector<KernelMetadata> kernels;
    bool operator==(const EmbeddedMetadata&) const = default;
};

// Elements and attributes that are not listed above are skipped. Throws FormatError where the XML
// is not well-formed, or a number is none; offset() is that of the offending character.
EmbeddedMetadata parse_embedded_metadata(ByteView section);

// In xclbinutil's form.
Bytes serialize(const EmbeddedMetadata& metadata);

}  // namespace xdna::image
