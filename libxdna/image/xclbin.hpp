// xclbin files: named sections of bytes with a header.
//
// Source: Xilinx/XRT, src/runtime_src/core/include/xrt/detail/xclbin.h. What a section holds is
// for topology.hpp, aie_partition.hpp and embedded_metadata.hpp; here a section is bytes, and
// unknown ones are kept as they are.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <string_view>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {

enum class SectionKind : uint32_t {
    kEmbeddedMetadata = 2,
    kMemTopology = 6,
    kConnectivity = 7,
    kIpLayout = 8,
    kBuildMetadata = 14,
    kGroupTopology = 26,
    kGroupConnectivity = 27,
    kAiePartition = 32,
    kIpMetadata = 33,
};

// "AIE_PARTITION"; "" for a kind that has no name. Names exist for all of XRT's kinds.
std::string_view section_kind_name(SectionKind kind);

using Uuid = std::array<uint8_t, 16>;
std::string to_string(const Uuid& uuid);  // "00112233-4455-6677-8899-aabbccddeeff"

struct XclbinSection {
    SectionKind kind{};
    FixedText<16> name;
    uint32_t padding = 0;
    uint64_t offset = 0;  // bytes from the start of the file
    Bytes data;
    bool operator==(const XclbinSection&) const = default;
};

// The file's length and section count are not kept: reading verifies them, writing computes them.
struct XclbinHeader {
    FixedText<8> magic{"xclbin2"};
    int32_t signature_length = -1;  // bytes after the length that the header gives; -1: unsigned
    std::array<uint8_t, 28> reserved = filled<28>();
    std::array<uint8_t, 256> key_block = filled<256>();
    uint64_t unique_id = 0;
    uint64_t time_stamp = 0;  // seconds since 1970
    uint64_t feature_rom_time_stamp = 0;
    uint16_t version_patch = 0;
    uint8_t version_major = 2;
    uint8_t version_minor = 0;
    uint16_t mode = 0;
    uint16_t action_mask = 0;
    Uuid interface_uuid{};
    FixedText<64> platform;
    Uuid uuid{};
    FixedText<16> debug_binary;
    uint32_t padding = 0;
    bool operator==(const XclbinHeader&) const = default;

  private:
    template <size_t N>
    static constexpr std::array<uint8_t, N> filled() {
        std::array<uint8_t, N> bytes{};
        bytes.fill(0xFF);
        return bytes;
    }
};

struct Xclbin {
    XclbinHeader header;
    std::vector<XclbinSection> sections;
    std::vector<Loose> loose;  // signature, xclbinutil's copy of the metadata, ...
    bool operator==(const Xclbin&) const = default;

    const XclbinSection* section(SectionKind kind) const;  // the first; null if there is none
};

// True where the bytes start with the magic.
bool looks_like_xclbin(ByteView bytes);

// Throws FormatError.
Xclbin parse_xclbin(ByteView bytes);

// Writes sections where they stand (lay_out places them). Throws FormatError where two overlap.
Bytes serialize(const Xclbin& xclbin);

// Places the sections one after the other on 8-byte boundaries, in their order, and drops loose
// bytes. To be called after an edit and before serialize.
void lay_out(Xclbin& xclbin);

}  // namespace xdna::image
