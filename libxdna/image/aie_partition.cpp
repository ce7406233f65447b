#include "libxdna/image/aie_partition.hpp"

#include <algorithm>

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "AIE_PARTITION";
constexpr size_t kHeaderBytes = 184;
constexpr size_t kPdiBytes = 96;
constexpr size_t kGroupBytes = 96;

// {count, offset from the start of the section}
struct Array {
    uint32_t count = 0;
    uint32_t offset = 0;
};

class SectionReader {
  public:
    explicit SectionReader(ByteView section)
        : section_(section), budget_(section.size() * kMaxSharing) {}

    AiePartition read();

  private:
    // Arrays may lie on top of each other; how often bounds what a small file can ask for.
    static constexpr uint64_t kMaxSharing = 16;

    Array array(Reader& reader, std::string_view field) {
        Array a;
        a.count = reader.u32(field);
        a.offset = reader.u32(field);
        return a;
    }
    Reader at(const Array& a, size_t element, std::string_view field) {
        Reader reader(section_, kContainer);
        if (a.count == 0) {
            return reader;
        }
        reader.seek(a.offset, field);
        if (a.count > reader.left() / element) {
            throw FormatError(kContainer, a.offset, std::string(field) + " count", a.count,
                              "room is left for " + std::to_string(reader.left() / element));
        }
        spend(uint64_t{a.count} * element, a.offset, field);
        return reader;
    }
    void spend(uint64_t bytes, uint64_t offset, std::string_view field) {
        if (bytes > budget_) {
            throw FormatError(kContainer, offset, field, bytes, "arrays overlap too often");
        }
        budget_ -= bytes;
    }
    // The string that the offset at the reader's cursor points at.
    std::string text(Reader& reader, std::string_view field) {
        const uint32_t offset = reader.u32(field);
        if (offset > section_.size()) {
            reader.reject(4, field, offset, "points past the end, " + hex(section_.size()));
        }
        const ByteView rest = section_.subspan(offset);
        const auto end = std::find(rest.begin(), rest.end(), 0);
        if (end == rest.end()) {
            reader.reject(4, field, offset, "the string there is not terminated");
        }
        spend(static_cast<uint64_t>(end - rest.begin()), offset, field);
        return {rest.begin(), end};
    }
    std::vector<uint64_t> numbers(const Array& a, std::string_view field) {
        Reader reader = at(a, 8, field);
        std::vector<uint64_t> values(a.count);
        for (uint64_t& value : values) {
            value = reader.u64(field);
        }
        return values;
    }
    CdoGroup group(Reader& reader);
    PartitionPdi pdi(Reader& reader);

    ByteView section_;
    uint64_t budget_;
};

CdoGroup SectionReader::group(Reader& reader) {
    CdoGroup g;
    g.name = text(reader, "CDO group name");
    g.type = reader.u8("CDO group type");
    reader.bytes(3, "CDO group padding");
    g.pdi_id = reader.u64("PDI id");
    g.kernel_ids = numbers(array(reader, "kernel ids"), "kernel ids");
    g.pre_groups = numbers(array(reader, "pre CDO groups"), "pre CDO groups");
    reader.bytes(64, "CDO group reserved");
    return g;
}

PartitionPdi SectionReader::pdi(Reader& reader) {
    PartitionPdi p;
    reader.read(p.uuid, "PDI uuid");
    const Array image = array(reader, "PDI image");
    const ByteView bytes = at(image, 1, "PDI image").bytes(image.count, "PDI image");
    p.image.assign(bytes.begin(), bytes.end());
    const Array groups = array(reader, "CDO groups");
    Reader elements = at(groups, kGroupBytes, "CDO groups");
    for (uint32_t i = 0; i < groups.count; ++i) {
        p.groups.push_back(group(elements));
    }
    reader.bytes(64, "PDI reserved");
    return p;
}

AiePartition SectionReader::read() {
    Reader reader(section_, kContainer);
    AiePartition p;
    p.schema_version = reader.u8("schema version");
    reader.bytes(3, "padding");
    p.name = text(reader, "name");
    reader.read(p.operations_per_cycle, "operations per cycle");
    reader.bytes(4, "padding");
    reader.read(p.inference_fingerprint, "inference fingerprint");
    reader.read(p.pre_post_fingerprint, "pre-post fingerprint");
    reader.read(p.columns, "column width");
    reader.bytes(6, "padding");
    const Array starts = array(reader, "start columns");
    Reader columns = at(starts, 2, "start columns");
    p.start_columns.resize(starts.count);
    for (uint16_t& column : p.start_columns) {
        columns.read(column, "start columns");
    }
    reader.bytes(72, "partition reserved");
    const Array pdis = array(reader, "PDIs");
    const size_t commit = reader.offset();
    if (reader.u32("kernel commit id") != 0) {
        reader.seek(commit, "kernel commit id");
        p.kernel_commit_id = text(reader, "kernel commit id");
    }
    reader.bytes(52, "reserved");
    Reader elements = at(pdis, kPdiBytes, "PDIs");
    for (uint32_t i = 0; i < pdis.count; ++i) {
        p.pdis.push_back(pdi(elements));
    }
    return p;
}

// What follows the header, each piece on an 8-byte boundary.
class Heap {
  public:
    uint32_t next() const { return static_cast<uint32_t>(kHeaderBytes + out_.size()); }
    uint32_t text(const std::string& text) {
        const uint32_t offset = next();
        out_.bytes({reinterpret_cast<const uint8_t*>(text.c_str()), text.size() + 1});
        out_.align(8);
        return offset;
    }
    uint32_t bytes(ByteView bytes) {
        const uint32_t offset = next();
        out_.bytes(bytes);
        out_.align(8);
        return offset;
    }
    template <typename T>
    Array numbers(const std::vector<T>& values) {
        Writer raw;
        for (const T value : values) {
            raw.write(value);
        }
        return {static_cast<uint32_t>(values.size()), values.empty() ? 0 : bytes(raw.view())};
    }
    const Bytes& view() const { return out_.view(); }

  private:
    Writer out_;
};

void write(Writer& out, const Array& array) {
    out.write(array.count);
    out.write(array.offset);
}

Array write_groups(Heap& heap, const std::vector<CdoGroup>& groups) {
    Writer out;
    for (const CdoGroup& g : groups) {
        out.write(heap.text(g.name));
        out.write(g.type);
        out.zeros(3);
        out.write(g.pdi_id);
        write(out, heap.numbers(g.kernel_ids));
        write(out, heap.numbers(g.pre_groups));
        out.zeros(64);
    }
    return {static_cast<uint32_t>(groups.size()), groups.empty() ? 0 : heap.bytes(out.view())};
}

}  // namespace

const PartitionPdi* AiePartition::pdi_for(uint64_t kernel_id) const {
    for (const PartitionPdi& pdi : pdis) {
        for (const CdoGroup& group : pdi.groups) {
            if (std::find(group.kernel_ids.begin(), group.kernel_ids.end(), kernel_id) !=
                group.kernel_ids.end()) {
                return &pdi;
            }
        }
    }
    return nullptr;
}

AiePartition parse_aie_partition(ByteView section) {
    return SectionReader(section).read();
}

Bytes serialize(const AiePartition& p) {
    Heap heap;
    const uint32_t name = heap.text(p.name);
    const uint32_t commit = p.kernel_commit_id ? heap.text(*p.kernel_commit_id) : 0;
    const Array starts = heap.numbers(p.start_columns);
    Writer pdis;
    for (const PartitionPdi& pdi : p.pdis) {
        pdis.write(pdi.uuid);
        write(pdis, {static_cast<uint32_t>(pdi.image.size()), heap.bytes(pdi.image)});
        write(pdis, write_groups(heap, pdi.groups));
        pdis.zeros(64);
    }
    const uint32_t pdi_offset = p.pdis.empty() ? 0 : heap.bytes(pdis.view());

    Writer out;
    out.write(p.schema_version);
    out.zeros(3);
    out.write(name);
    out.write(p.operations_per_cycle);
    out.zeros(4);
    out.write(p.inference_fingerprint);
    out.write(p.pre_post_fingerprint);
    out.write(p.columns);
    out.zeros(6);
    write(out, starts);
    out.zeros(72);
    write(out, {static_cast<uint32_t>(p.pdis.size()), pdi_offset});
    out.write(commit);
    out.zeros(52);
    out.bytes(heap.view());
    return out.take();
}

}  // namespace xdna::image
