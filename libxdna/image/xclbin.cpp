#include "libxdna/image/xclbin.hpp"

#include <algorithm>

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "xclbin";
constexpr uint32_t kMaxSections = 0x10000;
constexpr size_t kHeaderBytes = 456;
constexpr size_t kSectionHeaderBytes = 40;
constexpr uint64_t kSectionAlignment = 8;

constexpr std::array<std::string_view, 37> kKindNames = {
    "BITSTREAM",
    "CLEARING_BITSTREAM",
    "EMBEDDED_METADATA",
    "FIRMWARE",
    "DEBUG_DATA",
    "SCHED_FIRMWARE",
    "MEM_TOPOLOGY",
    "CONNECTIVITY",
    "IP_LAYOUT",
    "DEBUG_IP_LAYOUT",
    "DESIGN_CHECK_POINT",
    "CLOCK_FREQ_TOPOLOGY",
    "MCS",
    "BMC",
    "BUILD_METADATA",
    "KEYVALUE_METADATA",
    "USER_METADATA",
    "DNA_CERTIFICATE",
    "PDI",
    "BITSTREAM_PARTIAL_PDI",
    "PARTITION_METADATA",
    "EMULATION_DATA",
    "SYSTEM_METADATA",
    "SOFT_KERNEL",
    "ASK_FLASH",
    "AIE_METADATA",
    "GROUP_TOPOLOGY",
    "GROUP_CONNECTIVITY",
    "SMARTNIC",
    "AIE_RESOURCES",
    "OVERLAY",
    "VENDER_METADATA",
    "AIE_PARTITION",
    "IP_METADATA",
    "AIE_RESOURCES_BIN",
    "AIE_TRACE_METADATA",
    "DTBO",
};

// The header's fields in file order; `length` and `count` are the two that Xclbin does not keep.
template <typename Header, typename Visit, typename Length, typename Count>
void visit_header(Header& h, Length& length, Count& count, Visit&& visit) {
    visit("magic", h.magic);
    visit("signature length", h.signature_length);
    visit("reserved", h.reserved);
    visit("key block", h.key_block);
    visit("unique id", h.unique_id);
    visit("length", length);
    visit("time stamp", h.time_stamp);
    visit("feature ROM time stamp", h.feature_rom_time_stamp);
    visit("version patch", h.version_patch);
    visit("version major", h.version_major);
    visit("version minor", h.version_minor);
    visit("mode", h.mode);
    visit("action mask", h.action_mask);
    visit("interface uuid", h.interface_uuid);
    visit("platform", h.platform);
    visit("uuid", h.uuid);
    visit("debug binary", h.debug_binary);
    visit("section count", count);
    visit("padding", h.padding);
}

uint64_t signature_bytes(const XclbinHeader& header) {
    return header.signature_length > 0 ? static_cast<uint64_t>(header.signature_length) : 0;
}

}  // namespace

std::string_view section_kind_name(SectionKind kind) {
    const auto index = static_cast<size_t>(kind);
    return index < kKindNames.size() ? kKindNames[index] : std::string_view{};
}

std::string to_string(const Uuid& uuid) {
    std::string text;
    for (size_t i = 0; i < uuid.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            text += '-';
        }
        text += "0123456789abcdef"[uuid[i] >> 4];
        text += "0123456789abcdef"[uuid[i] & 15];
    }
    return text;
}

const XclbinSection* Xclbin::section(SectionKind kind) const {
    const auto found = std::find_if(sections.begin(), sections.end(),
                                    [&](const XclbinSection& s) { return s.kind == kind; });
    return found == sections.end() ? nullptr : &*found;
}

bool looks_like_xclbin(ByteView bytes) {
    const FixedText<8> magic = XclbinHeader{}.magic;
    return bytes.size() >= magic.chars.size() &&
           std::equal(magic.chars.begin(), magic.chars.end(), bytes.begin());
}

Xclbin parse_xclbin(ByteView bytes) {
    if (!looks_like_xclbin(bytes)) {
        Reader start(bytes, kContainer);
        const uint64_t magic = start.u64("magic");
        start.reject(8, "magic", magic, "not \"xclbin2\"");
    }
    Reader reader(bytes, kContainer);
    Xclbin xclbin;
    uint64_t length = 0;
    uint32_t count = 0;
    visit_header(xclbin.header, length, count,
                 [&](std::string_view name, auto& value) { reader.read(value, name); });
    if (length + signature_bytes(xclbin.header) != bytes.size()) {
        throw FormatError(kContainer, 304, "length", length,
                          "the file has " + hex(bytes.size()) + " bytes");
    }
    if (count > kMaxSections) {
        throw FormatError(kContainer, 448, "section count", count, "at most 0x10000");
    }
    Coverage coverage(kContainer);
    coverage.claim(0, kHeaderBytes + uint64_t{count} * kSectionHeaderBytes, "section headers");
    for (uint32_t i = 0; i < count; ++i) {
        const std::string which = "section " + std::to_string(i);
        XclbinSection section;
        const size_t at = reader.offset();
        section.kind = static_cast<SectionKind>(reader.u32(which + " kind"));
        reader.read(section.name, which + " name");
        reader.read(section.padding, which + " padding");
        section.offset = reader.u64(which + " offset");
        const uint64_t size = reader.u64(which + " size");
        if (section.offset > bytes.size() || size > bytes.size() - section.offset) {
            throw FormatError(
                kContainer, at + 24, which + " offset", section.offset,
                "its " + hex(size) + " bytes do not fit the file of " + hex(bytes.size()));
        }
        coverage.claim(section.offset, size, which);
        const ByteView data = bytes.subspan(section.offset, size);
        section.data.assign(data.begin(), data.end());
        xclbin.sections.push_back(std::move(section));
    }
    xclbin.loose = coverage.rest(bytes);
    return xclbin;
}

Bytes serialize(const Xclbin& xclbin) {
    uint64_t size = kHeaderBytes + xclbin.sections.size() * kSectionHeaderBytes;
    for (const XclbinSection& section : xclbin.sections) {
        if (!section.data.empty()) {
            size = std::max(size, section.offset + section.data.size());
        }
    }
    for (const Loose& loose : xclbin.loose) {
        size = std::max(size, loose.offset + loose.bytes.size());
    }
    const auto count = static_cast<uint32_t>(xclbin.sections.size());
    const uint64_t length = size - signature_bytes(xclbin.header);

    Writer headers;
    visit_header(xclbin.header, length, count,
                 [&](std::string_view, const auto& value) { headers.write(value); });
    for (const XclbinSection& section : xclbin.sections) {
        headers.write(static_cast<uint32_t>(section.kind));
        headers.write(section.name);
        headers.write(section.padding);
        headers.write(section.offset);
        headers.write(uint64_t{section.data.size()});
    }
    Canvas canvas(kContainer);
    canvas.place(0, headers.view(), "section headers");
    for (const XclbinSection& section : xclbin.sections) {
        canvas.place(section.offset, section.data, section.name.view());
    }
    for (const Loose& loose : xclbin.loose) {
        canvas.place(loose.offset, loose.bytes, "loose bytes");
    }
    return canvas.take();
}

void lay_out(Xclbin& xclbin) {
    xclbin.loose.clear();
    xclbin.header.signature_length = -1;
    uint64_t at = kHeaderBytes + xclbin.sections.size() * kSectionHeaderBytes;
    for (XclbinSection& section : xclbin.sections) {
        at = (at + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
        section.offset = at;
        at += section.data.size();
    }
}

}  // namespace xdna::image
