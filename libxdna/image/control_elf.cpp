#include "libxdna/image/control_elf.hpp"

#include <array>

#include "libxdna/image/transaction.hpp"

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "control-code ELF";

// ELF32; names and values of the ELF specification.
constexpr uint32_t kMagic = 0x464C457F;
constexpr uint8_t kClass32 = 1;
constexpr uint8_t kLittleEndian = 1;
constexpr uint32_t kTypeRela = 4;
constexpr uint32_t kTypeNoBits = 8;
constexpr uint32_t kTypeDynSym = 11;
constexpr uint32_t kTypeSymTab = 2;
constexpr uint32_t kSectionHeaderBytes = 40;
constexpr uint32_t kSymbolBytes = 16;
constexpr uint32_t kRelaBytes = 12;

// Far beyond any real one; many symbols may share one long string.
constexpr size_t kLongestName = 255;

struct SchemaRow {
    PatchSchema schema;
    std::string_view name;
    uint32_t words;  // that a patch reads, from its place on
};
constexpr SchemaRow kSchemas[] = {
    {PatchSchema::kShimDma57, "shim_dma_57", 9},
    {PatchSchema::kScalar32, "scalar_32", 1},
    {PatchSchema::kControlPacket48, "control_packet_48", 4},
    {PatchSchema::kShimDma48, "shim_dma_48", 3},
    {PatchSchema::kShimDma57Aie4, "shim_dma_57_aie4", 2},
    {PatchSchema::kControlPacket57, "control_packet_57", 4},
    {PatchSchema::kAddress64, "address_64", 2},
    {PatchSchema::kControlPacket57Aie4, "control_packet_57_aie4", 3},
    {PatchSchema::kProgrammableLogic64, "pl_ddr_64", 10},
};

const SchemaRow* find_schema(PatchSchema schema) {
    for (const SchemaRow& row : kSchemas) {
        if (row.schema == schema) {
            return &row;
        }
    }
    return nullptr;
}

std::string text_at(const Bytes& table, uint32_t offset, std::string_view field) {
    if (offset >= table.size()) {
        throw FormatError(kContainer, 0, field, offset,
                          "the string table has " + std::to_string(table.size()) + " bytes");
    }
    const char* begin = reinterpret_cast<const char*>(table.data()) + offset;
    const size_t length = strnlen(begin, table.size() - offset);
    if (length > kLongestName) {
        throw FormatError(kContainer, 0, field, offset,
                          "a name of " + std::to_string(length) + " characters");
    }
    return {begin, length};
}

ElfSection read_section(ByteView bytes, Reader& reader, uint32_t& name) {
    ElfSection s;
    const size_t at = reader.offset();
    name = reader.u32("section name");
    for (uint32_t* field : {&s.type, &s.flags, &s.address, &s.offset, &s.size, &s.link, &s.info,
                            &s.alignment, &s.entry_size}) {
        *field = reader.u32("section header");
    }
    if (s.type != kTypeNoBits && s.type != 0) {
        if (s.offset > bytes.size() || s.size > bytes.size() - s.offset) {
            throw FormatError(kContainer, at + 16, "section offset", s.offset,
                              "its " + hex(s.size) + " bytes do not fit the file");
        }
        const ByteView data = bytes.subspan(s.offset, s.size);
        s.data.assign(data.begin(), data.end());
    }
    return s;
}

void read_symbols(ControlElf& elf, const ElfSection& table) {
    if (table.link >= elf.sections.size()) {
        throw FormatError(kContainer, table.offset, "symbol table link", table.link,
                          "no such section");
    }
    const Bytes& names = elf.sections[table.link].data;
    Reader reader(table.data, kContainer);
    while (reader.left() >= kSymbolBytes) {
        ElfSymbol symbol;
        const uint32_t name = reader.u32("symbol name");
        symbol.name = text_at(names, name, "symbol name");
        reader.read(symbol.value, "symbol value");
        reader.read(symbol.size, "symbol size");
        reader.read(symbol.info, "symbol info");
        reader.read(symbol.other, "symbol other");
        reader.read(symbol.section, "symbol section");
        elf.symbols.push_back(std::move(symbol));
    }
}

void read_relocations(ControlElf& elf, const ElfSection& table) {
    Reader reader(table.data, kContainer);
    while (reader.left() >= kRelaBytes) {
        ElfRelocation relocation;
        relocation.offset = reader.u32("relocation offset");
        const uint32_t info = reader.u32("relocation info");
        relocation.schema = static_cast<PatchSchema>(info & 0xFF);
        relocation.symbol = info >> 8;
        relocation.addend = static_cast<int32_t>(reader.u32("relocation addend"));
        if (relocation.symbol >= elf.symbols.size()) {
            throw FormatError(kContainer, table.offset + reader.offset() - 8, "relocation symbol",
                              relocation.symbol, "there are " + std::to_string(elf.symbols.size()));
        }
        elf.relocations.push_back(relocation);
    }
}

// Where a schema has its address: two words, bits of the high one, and what else it adds.
struct AddressPlace {
    uint32_t low;
    uint32_t high;
    uint32_t high_mask;   // of the address bits in the high word
    uint32_t clear_mask;  // bits of the high word that the address replaces
    bool host_memory_offset;
    bool word_aligned;
};

AddressPlace place_of(PatchSchema schema) {
    switch (schema) {
        case PatchSchema::kControlPacket48:
            return {2, 3, 0xFFF, 0xFFFF, true, true};
        case PatchSchema::kControlPacket57:
            return {2, 3, 0xFFF, 0xFFFF, false, true};
        case PatchSchema::kControlPacket57Aie4:
            return {2, 1, 0x1FFFFFF, 0x1FFFFFF, true, false};
        case PatchSchema::kShimDma57Aie4:
            return {1, 0, 0x1FFFFFF, 0x1FFFFFF, true, false};
        case PatchSchema::kProgrammableLogic64:
            return {8, 9, 0xFFFFFFFF, 0xFFFFFFFF, false, false};
        case PatchSchema::kShimDma48:
        default:
            return {1, 2, 0xFFFF, 0xFFFF, true, true};
    }
}

void patch_words(Words& w, PatchSchema schema, uint64_t value, uint32_t mask) {
    switch (schema) {
        case PatchSchema::kScalar32:
            w[0] = (w[0] & ~mask) | (static_cast<uint32_t>(value) & mask);
            return;
        case PatchSchema::kAddress64:
            w[0] = static_cast<uint32_t>(value);
            w[1] = static_cast<uint32_t>(value >> 32);
            return;
        case PatchSchema::kShimDma57: {
            const uint64_t address =
                (uint64_t{w[8] & 0x1FF} << 48 | uint64_t{w[2] & 0xFFFF} << 32 | w[1]) + value;
            w[1] = static_cast<uint32_t>(address);
            w[2] = (w[2] & 0xFFFF0000) | (address >> 32 & 0xFFFF);
            w[8] = (w[8] & 0xFFFFFE00) | (address >> 48 & 0x1FF);
            return;
        }
        default: {
            const AddressPlace place = place_of(schema);
            const uint64_t address =
                (uint64_t{w[place.high] & place.high_mask} << 32 | w[place.low]) + value +
                (place.host_memory_offset ? kHostMemoryOffset : 0);
            w[place.low] = static_cast<uint32_t>(address) & (place.word_aligned ? ~3U : ~0U);
            w[place.high] = (w[place.high] & ~place.clear_mask) |
                            (static_cast<uint32_t>(address >> 32) & place.clear_mask);
        }
    }
}

}  // namespace

std::string_view schema_name(PatchSchema schema) {
    const SchemaRow* row = find_schema(schema);
    return row == nullptr ? std::string_view{} : row->name;
}

const ElfSection* ControlElf::section(std::string_view name) const {
    for (const ElfSection& s : sections) {
        if (s.name == name) {
            return &s;
        }
    }
    return nullptr;
}

ControlElf parse_control_elf(ByteView bytes) {
    Reader reader(bytes, kContainer);
    const auto expect = [&](std::string_view field, auto found, uint64_t expected) {
        if (found != expected) {
            reader.reject(sizeof found, field, found, "expected " + hex(expected));
        }
    };
    ControlElf elf;
    expect("magic", reader.u32("magic"), kMagic);
    expect("class", reader.u8("class"), kClass32);
    expect("byte order", reader.u8("byte order"), kLittleEndian);
    expect("ELF version", reader.u8("ELF version"), 1);
    elf.os_abi = reader.u8("OS ABI");
    elf.abi_version = reader.u8("ABI version");
    reader.bytes(7, "identification padding");
    elf.type = reader.u16("type");
    elf.machine = reader.u16("machine");
    expect("version", reader.u32("version"), 1);
    reader.bytes(8, "entry and program header offset");
    const uint32_t section_offset = reader.u32("section header offset");
    elf.flags = reader.u32("flags");
    reader.bytes(6, "header sizes");
    const uint16_t entry = reader.u16("section header size");
    const uint16_t count = reader.u16("section count");
    const uint16_t names = reader.u16("section name table");
    if (count == 0) {
        return elf;
    }
    if (entry != kSectionHeaderBytes) {
        throw FormatError(kContainer, 46, "section header size", entry, "expected 0x28");
    }

    Coverage coverage(kContainer);  // overlapping sections would let a small file fill the memory
    reader.seek(section_offset, "section header offset");
    std::vector<uint32_t> name_offsets(count);
    for (uint32_t& name : name_offsets) {
        elf.sections.push_back(read_section(bytes, reader, name));
        const ElfSection& section = elf.sections.back();
        coverage.claim(section.offset, section.data.size(), "section");
    }
    if (names >= count) {
        throw FormatError(kContainer, 50, "section name table", names, "no such section");
    }
    for (size_t i = 0; i < count; ++i) {
        if (elf.sections[i].type != 0) {
            elf.sections[i].name =
                text_at(elf.sections[names].data, name_offsets[i], "section name");
        }
    }
    // One symbol table: the dynamic one that relocations refer to, or else the ordinary one.
    for (const uint32_t type : {kTypeDynSym, kTypeSymTab}) {
        for (size_t i = 0; i < count && elf.symbols.empty(); ++i) {
            if (elf.sections[i].type == type) {
                read_symbols(elf, elf.sections[i]);
            }
        }
    }
    for (size_t i = 0; i < count; ++i) {
        if (elf.sections[i].type == kTypeRela) {
            read_relocations(elf, elf.sections[i]);
        }
    }
    return elf;
}

void apply_relocation(ControlElf& elf, const ElfRelocation& relocation, uint64_t value) {
    const SchemaRow* row = find_schema(relocation.schema);
    if (row == nullptr) {
        throw FormatError(kContainer, relocation.offset, "relocation schema",
                          static_cast<uint32_t>(relocation.schema), "not a known patch schema");
    }
    const ElfSymbol& symbol = elf.symbols.at(relocation.symbol);
    if (symbol.section >= elf.sections.size()) {
        throw FormatError(kContainer, relocation.offset, "symbol section", symbol.section,
                          "no such section");
    }
    ElfSection& section = elf.sections[symbol.section];
    const uint64_t size = uint64_t{row->words} * 4;
    if (relocation.offset > section.data.size() || size > section.data.size() - relocation.offset) {
        throw FormatError(kContainer, relocation.offset, "relocation offset", relocation.offset,
                          "section " + section.name + " has " + hex(section.data.size()) +
                              " bytes, " + std::string(row->name) + " needs " +
                              std::to_string(size));
    }
    Reader reader(section.data, kContainer);
    reader.seek(relocation.offset, "relocation offset");
    Words words = reader.words(row->words, row->name);
    const bool plain_value =
        relocation.schema == PatchSchema::kScalar32 || relocation.schema == PatchSchema::kAddress64;
    const uint64_t addend = plain_value ? 0 : static_cast<uint64_t>(int64_t{relocation.addend});
    patch_words(words, relocation.schema, value + addend, symbol.size);
    Writer writer;
    writer.words(words);
    std::copy(writer.view().begin(), writer.view().end(), section.data.begin() + relocation.offset);
}

}  // namespace xdna::image
