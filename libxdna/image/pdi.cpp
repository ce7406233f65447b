#include "libxdna/image/pdi.hpp"

#include <algorithm>

#include "libxdna/image/overloaded.hpp"

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "PDI";

// The words that a SelectMAP port finds its bus width by.
constexpr std::array<uint32_t, 4> kBusWidthWords = {0x000000DD, 0x11223344, 0x55667788, 0x99AABBCC};

constexpr uint32_t kTableBytes = 128;
constexpr uint32_t kImageHeaderBytes = 64;
constexpr uint32_t kPartitionHeaderBytes = 128;

// The identification words of a PDI without and with a boot header.
constexpr uint32_t kPartialPdi = 0x50504449;
constexpr uint32_t kFullPdi = 0x46504449;

constexpr uint32_t kDataAlignmentWords = 4;

uint32_t checksum(ByteView bytes) {
    Reader reader(bytes, kContainer);
    uint32_t sum = 0;
    while (reader.left() >= 4) {
        sum += reader.u32("word");
    }
    return ~sum;
}

// Reads a structure of `size` bytes that ends in its checksum.
template <typename T>
T read_header(ByteView bytes, Reader& reader, size_t size, std::string_view name) {
    const size_t begin = reader.offset();
    const std::string field(name);
    if (size > reader.left()) {
        throw FormatError(
            kContainer, begin, field, size,
            "that many bytes are needed, " + std::to_string(reader.left()) + " are left");
    }
    T header;
    read_fields(reader, header);
    const uint32_t expected = checksum(bytes.subspan(begin, size - 4));
    const uint32_t found = reader.u32(field + " checksum");
    if (found != expected) {
        reader.reject(4, field + " checksum", found, "expected " + hex(expected));
    }
    return header;
}

template <typename T>
Bytes write_header(const T& header) {
    Writer writer;
    write_fields(writer, header);
    writer.write(checksum(writer.view()));
    return writer.take();
}

std::variant<Cdo, Bytes> parse_data(ByteView data, const PartitionHeader& header) {
    if (header.type() != PartitionHeader::kTypeCdo) {
        return Bytes(data.begin(), data.end());
    }
    return parse_cdo(data);
}

Bytes data_bytes(const Partition& partition) {
    return std::visit(Overloaded{[](const Cdo& cdo) { return serialize(cdo); },
                                 [](const Bytes& bytes) { return bytes; }},
                      partition.data);
}

}  // namespace

Pdi parse_pdi(ByteView bytes) {
    Reader reader(bytes, kContainer);
    Coverage coverage(kContainer);
    Pdi pdi;

    const uint32_t first = reader.u32("first word");
    reader.seek(0, "first word");
    pdi.bus_width_words = first == kBusWidthWords[0];
    if (pdi.bus_width_words) {
        for (const uint32_t expected : kBusWidthWords) {
            const uint32_t found = reader.u32("bus-width word");
            if (found != expected) {
                reader.reject(4, "bus-width word", found, "expected " + hex(expected));
            }
        }
    }
    const size_t table_offset = reader.offset();
    // Before the checksum, which a file of another kind would fail with a message that helps
    // nobody.
    reader.seek(table_offset, "image header table");
    if (reader.left() >= 0x2C) {
        reader.seek(table_offset + 0x28, "identification");
        const uint32_t identification = reader.u32("identification");
        if (identification == kFullPdi) {
            reader.reject(4, "identification", identification,
                          "a PDI with a boot header, which no NPU takes");
        }
        if (identification != kPartialPdi) {
            reader.reject(4, "identification", identification, "not a partial PDI");
        }
        reader.seek(table_offset, "image header table");
    }
    pdi.table = read_header<ImageHeaderTable>(bytes, reader, kTableBytes, "image header table");
    coverage.claim(0, reader.offset(), "image header table");

    reader.seek(uint64_t{pdi.table.image_header_offset} * 4, "image_header_offset");
    for (uint32_t i = 0; i < pdi.table.image_count; ++i) {
        const size_t at = reader.offset();
        pdi.images.push_back(
            read_header<ImageHeader>(bytes, reader, kImageHeaderBytes, "image header"));
        coverage.claim(at, kImageHeaderBytes, "image header");
    }

    reader.seek(uint64_t{pdi.table.partition_header_offset} * 4, "partition_header_offset");
    for (uint32_t i = 0; i < pdi.table.partition_count; ++i) {
        const size_t at = reader.offset();
        const auto header =
            read_header<PartitionHeader>(bytes, reader, kPartitionHeaderBytes, "partition header");
        coverage.claim(at, kPartitionHeaderBytes, "partition header");

        const uint64_t offset = uint64_t{header.data_offset} * 4;
        const uint64_t size = uint64_t{header.unencrypted_length} * 4;
        if (offset > bytes.size() || size > bytes.size() - offset) {
            throw FormatError(kContainer, at + 4, "unencrypted_length", header.unencrypted_length,
                              "partition " + std::to_string(i) + " at " + hex(offset) +
                                  " does not fit the file of " + hex(bytes.size()) + " bytes");
        }
        if (header.total_length < header.unencrypted_length) {
            throw FormatError(kContainer, at + 8, "total_length", header.total_length,
                              "less than unencrypted_length " + hex(header.unencrypted_length));
        }
        coverage.claim(offset, size, "partition data");
        try {
            pdi.partitions.push_back({header, parse_data(bytes.subspan(offset, size), header)});
        } catch (const FormatError& e) {
            throw FormatError(e.container(), offset + e.offset(), e.field(), e.value(),
                              e.problem());
        }
    }
    pdi.loose = coverage.rest(bytes);
    return pdi;
}

Bytes serialize(const Pdi& pdi) {
    Canvas canvas(kContainer);
    const auto expect = [](std::string_view field, uint64_t value, uint64_t actual) {
        if (value != actual) {
            throw FormatError(kContainer, 0, field, value, "the data has " + hex(actual));
        }
    };
    expect("image_count", pdi.table.image_count, pdi.images.size());
    expect("partition_count", pdi.table.partition_count, pdi.partitions.size());

    Writer start;
    if (pdi.bus_width_words) {
        start.write(kBusWidthWords);
    }
    start.bytes(write_header(pdi.table));
    canvas.place(0, start.view(), "image header table");

    uint64_t at = uint64_t{pdi.table.image_header_offset} * 4;
    for (const ImageHeader& image : pdi.images) {
        canvas.place(at, write_header(image), "image header");
        at += kImageHeaderBytes;
    }
    at = uint64_t{pdi.table.partition_header_offset} * 4;
    for (const Partition& partition : pdi.partitions) {
        canvas.place(at, write_header(partition.header), "partition header");
        at += kPartitionHeaderBytes;
    }
    for (const Partition& partition : pdi.partitions) {
        const Bytes data = data_bytes(partition);
        expect("unencrypted_length", uint64_t{partition.header.unencrypted_length} * 4,
               data.size());
        canvas.place(uint64_t{partition.header.data_offset} * 4, data, "partition data");
    }
    for (const Loose& loose : pdi.loose) {
        canvas.place(loose.offset, loose.bytes, "loose bytes");
    }
    return canvas.take();
}

void lay_out(Pdi& pdi) {
    pdi.loose.clear();
    const size_t images = pdi.images.size();
    const size_t partitions = pdi.partitions.size();
    uint32_t word = (pdi.bus_width_words ? 4 : 0) + kTableBytes / 4;

    ImageHeaderTable& table = pdi.table;
    table.image_count = static_cast<uint32_t>(images);
    table.image_header_offset = word;
    word += table.image_count * (kImageHeaderBytes / 4);
    table.partition_count = static_cast<uint32_t>(partitions);
    table.partition_header_offset = word;
    word += table.partition_count * (kPartitionHeaderBytes / 4);
    table.meta_header_length = word - table.image_header_offset;

    // Partitions belong to images in order; the last image has the ones that are left.
    uint32_t header = table.partition_header_offset;
    uint32_t left = table.partition_count;
    for (size_t i = 0; i < images; ++i) {
        ImageHeader& image = pdi.images[i];
        image.partition_header_offset = header;
        image.partition_count = i + 1 == images ? left : std::min(left, image.partition_count);
        left -= image.partition_count;
        header += image.partition_count * (kPartitionHeaderBytes / 4);
    }

    header = table.partition_header_offset;
    for (size_t i = 0; i < partitions; ++i) {
        Partition& partition = pdi.partitions[i];
        const auto words = static_cast<uint32_t>((data_bytes(partition).size() + 3) / 4);
        const uint32_t padded =
            (words + kDataAlignmentWords - 1) / kDataAlignmentWords * kDataAlignmentWords;
        header += kPartitionHeaderBytes / 4;
        partition.header.unencrypted_length = words;
        partition.header.encrypted_length = padded;
        partition.header.total_length = padded;
        partition.header.next_header_offset = i + 1 == partitions ? 0 : header;
        partition.header.data_offset = word;
        word += padded;
        if (i + 1 == partitions && padded != words) {
            pdi.loose.push_back({uint64_t{word - padded + words} * 4, Bytes((padded - words) * 4)});
        }
    }
}

Pdi make_pdi(Cdo cdo, std::string_view image_name, uint32_t image_id) {
    Pdi pdi;
    ImageHeader image;
    image.name = image_name;
    image.image_id = image_id;
    pdi.images.push_back(image);
    pdi.partitions.push_back({{}, std::move(cdo)});
    lay_out(pdi);
    return pdi;
}

std::vector<const Cdo*> cdos(const Pdi& pdi) {
    std::vector<const Cdo*> found;
    for (const Partition& partition : pdi.partitions) {
        if (const auto* cdo = std::get_if<Cdo>(&partition.data)) {
            found.push_back(cdo);
        }
    }
    return found;
}

}  // namespace xdna::image
