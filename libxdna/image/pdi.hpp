// Programmable device images: what configures a partition of the array, a CDO with its wrapping.
//
// Layout: Xilinx/bootgen, imageheadertable-versal.h, partitionheadertable-versal.h and
// imageheadertable-versal.cpp (checksums). NPU images have no boot header: the image header table
// says "PPDI", and stands first, or after 16 bytes of SelectMAP bus-width words.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "libxdna/image/bytes.hpp"
#include "libxdna/image/cdo.hpp"

namespace xdna::image {

// Every offset here counts 32-bit words from the start of the file. Checksums are not kept: reading
// verifies them, writing computes them.

struct ImageHeaderTable {
    uint32_t version = 0x00040000;
    uint32_t image_count = 0;
    uint32_t image_header_offset = 0;
    uint32_t partition_count = 0;
    uint32_t partition_header_offset = 0;
    uint32_t secondary_boot_address = 0;
    uint32_t id_code = 0x14CA8093;  // what mlir-aie and IREE give bootgen
    uint32_t attributes = 0;
    uint32_t pdi_id = 0;
    uint32_t parent_id = 0;
    uint32_t identification = 0x50504449;  // "IDPP"
    uint32_t header_sizes = 0x00201020;    // words: partition header, image header, this table
    uint32_t meta_header_length = 0;       // words of image and partition headers
    std::array<uint32_t, 3> secure_header_iv{};
    uint32_t key_source = 0;
    uint32_t extended_id_code = 1;
    uint32_t certificate_offset = 0;
    std::array<uint32_t, 3> grey_iv{};
    uint32_t optional_data_size = 0;
    std::array<uint32_t, 8> reserved{};
    bool operator==(const ImageHeaderTable&) const = default;
};

struct ImageHeader {
    uint32_t partition_header_offset = 0;
    uint32_t partition_count = 0;
    uint32_t revoke_id = 0;
    uint32_t attributes = 0;
    FixedText<16> name;
    uint32_t image_id = 0;
    uint32_t unique_id = 0;
    uint32_t parent_unique_id = 0;
    uint32_t function_id = 0;
    uint64_t memcpy_address = 0;
    uint16_t pcr_number = 0;
    uint16_t pcr_measurement = 0;
    bool operator==(const ImageHeader&) const = default;
};

struct PartitionHeader {
    uint32_t encrypted_length = 0;    // words
    uint32_t unencrypted_length = 0;  // words of the CDO
    uint32_t total_length = 0;        // words, a multiple of 4
    uint32_t next_header_offset = 0;
    uint64_t execution_address = 0;
    uint64_t load_address = ~uint64_t{0};
    uint32_t data_offset = 0;
    uint32_t attributes = 0x02000006;  // type 26:24: CDO; exception level 2:1
    uint32_t section_count = 1;
    uint32_t checksum_offset = 0;
    uint32_t unique_id = 0;
    std::array<uint32_t, 18> security{};  // certificate, initial vectors, keys; 0 on NPUs
    bool operator==(const PartitionHeader&) const = default;

    static constexpr uint32_t kTypeCdo = 2;
    uint32_t type() const { return attributes >> 24 & 7; }
};

struct Partition {
    PartitionHeader header;
    // A partition of type CDO, or the bytes of any other.
    std::variant<Cdo, Bytes> data;
    bool operator==(const Partition&) const = default;
};

struct Pdi {
    bool bus_width_words = true;
    ImageHeaderTable table;
    std::vector<ImageHeader> images;
    std::vector<Partition> partitions;
    std::vector<Loose> loose;
    bool operator==(const Pdi&) const = default;
};

// Throws FormatError.
Pdi parse_pdi(ByteView bytes);

// Writes headers as they stand: offsets and lengths must fit the data (lay_out sees to that).
// Throws FormatError where they do not.
Bytes serialize(const Pdi& pdi);

// The image that bootgen makes of one CDO: one image, one partition.
Pdi make_pdi(Cdo cdo, std::string_view image_name = "aie_image", uint32_t image_id = 0x1C000000);

// Recomputes every count, offset and length from the data, in bootgen's order, and drops loose
// bytes. To be called after an edit and before serialize.
void lay_out(Pdi& pdi);

// The PDI's CDOs, in the order that they are loaded.
std::vector<const Cdo*> cdos(const Pdi& pdi);

// Calls visit(name, member) for each field, in file order, the checksum excepted.
template <typename Table, typename Visit>
requires std::same_as<std::remove_const_t<Table>, ImageHeaderTable>
void visit_fields(Table& t, Visit&& visit) {
    visit("version", t.version);
    visit("image_count", t.image_count);
    visit("image_header_offset", t.image_header_offset);
    visit("partition_count", t.partition_count);
    visit("partition_header_offset", t.partition_header_offset);
    visit("secondary_boot_address", t.secondary_boot_address);
    visit("id_code", t.id_code);
    visit("attributes", t.attributes);
    visit("pdi_id", t.pdi_id);
    visit("parent_id", t.parent_id);
    visit("identification", t.identification);
    visit("header_sizes", t.header_sizes);
    visit("meta_header_length", t.meta_header_length);
    visit("secure_header_iv", t.secure_header_iv);
    visit("key_source", t.key_source);
    visit("extended_id_code", t.extended_id_code);
    visit("certificate_offset", t.certificate_offset);
    visit("grey_iv", t.grey_iv);
    visit("optional_data_size", t.optional_data_size);
    visit("reserved", t.reserved);
}

template <typename Header, typename Visit>
requires std::same_as<std::remove_const_t<Header>, ImageHeader>
void visit_fields(Header& h, Visit&& visit) {
    visit("partition_header_offset", h.partition_header_offset);
    visit("partition_count", h.partition_count);
    visit("revoke_id", h.revoke_id);
    visit("attributes", h.attributes);
    visit("name", h.name);
    visit("image_id", h.image_id);
    visit("unique_id", h.unique_id);
    visit("parent_unique_id", h.parent_unique_id);
    visit("function_id", h.function_id);
    visit("memcpy_address", h.memcpy_address);
    visit("pcr_number", h.pcr_number);
    visit("pcr_measurement", h.pcr_measurement);
}

template <typename Header, typename Visit>
requires std::same_as<std::remove_const_t<Header>, PartitionHeader>
void visit_fields(Header& h, Visit&& visit) {
    visit("encrypted_length", h.encrypted_length);
    visit("unencrypted_length", h.unencrypted_length);
    visit("total_length", h.total_length);
    visit("next_header_offset", h.next_header_offset);
    visit("execution_address", h.execution_address);
    visit("load_address", h.load_address);
    visit("data_offset", h.data_offset);
    visit("attributes", h.attributes);
    visit("section_count", h.section_count);
    visit("checksum_offset", h.checksum_offset);
    visit("unique_id", h.unique_id);
    visit("security", h.security);
}

}  // namespace xdna::image
