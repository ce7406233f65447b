// The ELF container of AIE2 objects. Source of layout and numbers: the ELF specification.

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "kernels/as/object.hpp"

namespace xdna::as {

namespace {

constexpr std::array<std::uint8_t, 4> kMagic = {0x7f, 'E', 'L', 'F'};
constexpr std::uint32_t kHeaderSize = 52;
constexpr std::uint32_t kProgramHeaderSize = 32;
constexpr std::uint32_t kSectionHeaderSize = 40;
constexpr std::uint32_t kSymbolSize = 16;
constexpr std::uint32_t kRelaSize = 12;
constexpr std::uint32_t kTypeSymtab = 2;
constexpr std::uint32_t kTypeStrtab = 3;
constexpr std::uint32_t kTypeRela = 4;
constexpr std::uint16_t kAbsolute = 0xfff1;
constexpr std::uint16_t kFirstReserved = 0xff00;

class Writer {
  public:
    void u8(std::uint32_t value) { bytes_.push_back(static_cast<std::uint8_t>(value)); }
    void u16(std::uint32_t value) {
        u8(value);
        u8(value >> 8);
    }
    void u32(std::uint32_t value) {
        u16(value);
        u16(value >> 16);
    }
    void append(std::span<const std::uint8_t> more) {
        bytes_.insert(bytes_.end(), more.begin(), more.end());
    }
    void align(std::size_t to) {
        while (bytes_.size() % to != 0)
            bytes_.push_back(0);
    }
    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
    [[nodiscard]] std::vector<std::uint8_t>& bytes() { return bytes_; }

  private:
    std::vector<std::uint8_t> bytes_;
};

class Strings {
  public:
    std::uint32_t add(std::string_view text) {
        const auto at = static_cast<std::uint32_t>(bytes_.size());
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        bytes_.push_back(0);
        return text.empty() ? 0 : at;
    }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

  private:
    std::vector<std::uint8_t> bytes_ = {0};
};

struct SectionHeader {
    std::uint32_t name = 0, type = 0, flags = 0, address = 0, offset = 0, size = 0;
    std::uint32_t link = 0, info = 0, alignment = 0, entry_size = 0;
};

/// Reads little-endian numbers; what lies outside the file is an error that names it.
class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> file) : file_(file) {}

    [[nodiscard]] std::uint32_t number(std::uint64_t offset, unsigned bytes,
                                       std::string_view what) const {
        const auto range = slice(offset, bytes, what);
        std::uint32_t value = 0;
        for (unsigned i = 0; i < bytes; ++i)
            value |= std::uint32_t{range[i]} << 8 * i;
        return value;
    }
    [[nodiscard]] std::span<const std::uint8_t> slice(std::uint64_t offset, std::uint64_t size,
                                                      std::string_view what) const {
        if (offset > file_.size() || size > file_.size() - offset)
            throw ObjectError(std::string(what) + " lies outside the file: offset " +
                              std::to_string(offset) + ", " + std::to_string(size) +
                              " bytes, in a file of " + std::to_string(file_.size()));
        return file_.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(size));
    }

  private:
    std::span<const std::uint8_t> file_;
};

std::string text_at(std::span<const std::uint8_t> table, std::uint32_t offset,
                    std::string_view what) {
    if (offset >= table.size())
        throw ObjectError(std::string(what) + " is named at offset " + std::to_string(offset) +
                          " of a string table of " + std::to_string(table.size()) + " bytes");
    const auto rest = table.subspan(offset);
    const auto end = std::ranges::find(rest, 0);
    if (end == rest.end())
        throw ObjectError("the name of " + std::string(what) + " does not end");
    return {rest.begin(), end};
}

SectionHeader section_header(const Reader& reader, std::uint64_t offset) {
    SectionHeader header;
    std::array<std::uint32_t*, 10> fields = {
        &header.name, &header.type, &header.flags, &header.address,   &header.offset,
        &header.size, &header.link, &header.info,  &header.alignment, &header.entry_size};
    for (std::uint32_t* field : fields) {
        *field = reader.number(offset, 4, "a section header");
        offset += 4;
    }
    return header;
}

void check_identity(const Reader& reader, std::span<const std::uint8_t> file) {
    if (!is_elf(file))
        throw ObjectError("not an ELF file");
    const auto identity = reader.slice(0, 16, "the ELF header");
    if (identity[4] != 1 || identity[5] != 1)
        throw ObjectError("not a 32-bit little-endian ELF file (class " +
                          std::to_string(identity[4]) + ", data " + std::to_string(identity[5]) +
                          ")");
    const auto machine = reader.number(18, 2, "e_machine");
    if (machine != kMachineAie)
        throw ObjectError("not an AI Engine object: e_machine is " + std::to_string(machine) +
                          ", not " + std::to_string(kMachineAie));
    constexpr std::array<std::string_view, 4> kArchitectures = {"none", "AIE1 (AI Engine)", "AIE2",
                                                                "AIE2P (XDNA2)"};
    const auto flags = reader.number(36, 4, "e_flags");
    if ((flags & 3U) != kFlagsAie2)
        throw ObjectError("the object is for another core, " +
                          std::string(kArchitectures[flags & 3U]) + " (e_flags " +
                          std::to_string(flags) + "); only AIE2 (e_flags 2) is understood");
}

}  // namespace

bool is_elf(std::span<const std::uint8_t> file) {
    return file.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), file.begin());
}

Object read_elf(std::span<const std::uint8_t> file) {
    const Reader reader(file);
    check_identity(reader, file);
    Object object;
    object.linked = reader.number(16, 2, "e_type") != 1;
    object.entry = reader.number(24, 4, "e_entry");
    const auto table = reader.number(32, 4, "e_shoff");
    const auto stride = reader.number(46, 2, "e_shentsize");
    const auto count = reader.number(48, 2, "e_shnum");
    const auto names_index = reader.number(50, 2, "e_shstrndx");
    if (count != 0 && stride != kSectionHeaderSize)
        throw ObjectError("e_shentsize is " + std::to_string(stride) + ", not 40");
    std::vector<SectionHeader> headers;
    for (std::uint32_t i = 0; i < count; ++i)
        headers.push_back(section_header(reader, std::uint64_t{table} + std::uint64_t{i} * stride));
    const auto contents = [&](std::uint32_t index, std::string_view what) {
        if (index >= headers.size())
            throw ObjectError(std::string(what) + " is section " + std::to_string(index) + " of " +
                              std::to_string(headers.size()));
        return reader.slice(headers[index].offset, headers[index].size, what);
    };
    if (headers.empty())
        return object;

    const auto names = contents(names_index, "the section name table");
    std::vector<std::optional<std::size_t>> kept(headers.size());
    for (std::uint32_t i = 0; i < count; ++i) {
        const SectionHeader& header = headers[i];
        if (header.type != kSectionProgbits && header.type != kSectionNobits)
            continue;
        ObjectSection section;
        section.name = text_at(names, header.name, "section " + std::to_string(i));
        section.type = header.type;
        section.flags = header.flags;
        section.alignment = std::max(header.alignment, 1U);
        section.address = header.address;
        section.size = header.size;
        if (header.type == kSectionProgbits) {
            const auto bytes = contents(i, "section " + section.name);
            section.bytes.assign(bytes.begin(), bytes.end());
        }
        kept[i] = object.sections.size();
        object.sections.push_back(std::move(section));
    }

    for (std::uint32_t i = 0; i < count; ++i) {
        if (headers[i].type != kTypeSymtab)
            continue;
        const auto symbols = contents(i, "the symbol table");
        const auto strings = contents(headers[i].link, "the symbol name table");
        const Reader entries(symbols);
        for (std::uint32_t at = 0; at + kSymbolSize <= symbols.size(); at += kSymbolSize) {
            ObjectSymbol symbol;
            const std::string what = "symbol " + std::to_string(at / kSymbolSize);
            symbol.name = text_at(strings, entries.number(at, 4, what), what);
            symbol.value = entries.number(at + 4, 4, what);
            symbol.size = entries.number(at + 8, 4, what);
            const auto info = entries.number(at + 12, 1, what);
            symbol.binding = static_cast<Binding>(std::min(info >> 4, 2U));
            symbol.type = static_cast<SymbolType>((info & 0xfU) > 4 ? 0 : info & 0xfU);
            const auto section = entries.number(at + 14, 2, what);
            symbol.absolute = section == kAbsolute;
            if (section != 0 && section < kFirstReserved) {
                if (section >= count)
                    throw ObjectError(what + " is in section " + std::to_string(section) + " of " +
                                      std::to_string(count));
                symbol.section = kept[section];
                symbol.absolute = !symbol.section;
            }
            object.symbols.push_back(std::move(symbol));
        }
        break;
    }

    for (std::uint32_t i = 0; i < count; ++i) {
        const SectionHeader& header = headers[i];
        if (header.type != kTypeRela || header.info >= count || !kept[header.info])
            continue;
        ObjectSection& target = object.sections[*kept[header.info]];
        const Reader entries(contents(i, "the relocations of " + target.name));
        for (std::uint32_t at = 0; at + kRelaSize <= header.size; at += kRelaSize) {
            const std::string what =
                "relocation " + std::to_string(at / kRelaSize) + " of " + target.name;
            Fixup fixup{};
            fixup.offset = entries.number(at, 4, what);
            const auto info = entries.number(at + 4, 4, what);
            fixup.addend = static_cast<std::int32_t>(entries.number(at + 8, 4, what));
            fixup.symbol = info >> 8;
            fixup.relocation = isa::find_relocation(info & 0xffU);
            if (fixup.relocation == nullptr)
                throw ObjectError(what + " is of unknown type " + std::to_string(info & 0xffU));
            if (fixup.symbol >= object.symbols.size())
                throw ObjectError(what + " is to symbol " + std::to_string(fixup.symbol) + " of " +
                                  std::to_string(object.symbols.size()));
            if (std::uint64_t{fixup.offset} + fixup.relocation->size > target.bytes.size())
                throw ObjectError(what + " patches outside its section, at " +
                                  std::to_string(fixup.offset));
            target.fixups.push_back(fixup);
        }
    }
    return object;
}

std::vector<std::uint8_t> write_elf(const Object& object) {
    Strings section_names;
    Strings symbol_names;
    std::vector<SectionHeader> headers(1);
    Writer body;  // everything between the headers in front and the section headers behind
    std::vector<std::size_t> segments;
    if (object.linked)
        for (std::size_t i = 0; i < object.sections.size(); ++i)
            if ((object.sections[i].flags & kAllocate) != 0 && object.sections[i].size != 0)
                segments.push_back(i);
    const auto front =
        static_cast<std::uint32_t>(kHeaderSize + segments.size() * kProgramHeaderSize);
    body.bytes().resize(front);

    for (const ObjectSection& section : object.sections) {
        body.align(std::max<std::uint32_t>(section.alignment, 4));
        headers.push_back({section_names.add(section.name), section.type, section.flags,
                           section.address, body.size(), section.size, 0, 0, section.alignment, 0});
        body.append(section.bytes);
    }

    // Symbols: local ones first, as ELF wants.
    std::vector<std::size_t> order(object.symbols.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        order[i] = i;
    std::stable_partition(order.begin(), order.end(), [&](std::size_t i) {
        return object.symbols[i].binding == Binding::kLocal;
    });
    std::vector<std::uint32_t> number(order.size());
    std::uint32_t locals = 1;
    Writer symtab;
    symtab.bytes().resize(kSymbolSize);
    for (const std::size_t i : order) {
        const ObjectSymbol& symbol = object.symbols[i];
        if (symbol.name.empty() && !symbol.section && !symbol.absolute)
            continue;  // the null symbol of an object that was read stays number 0
        number[i] = symtab.size() / kSymbolSize;
        if (symbol.binding == Binding::kLocal)
            locals = number[i] + 1;
        symtab.u32(symbol_names.add(symbol.name));
        symtab.u32(symbol.value);
        symtab.u32(symbol.size);
        symtab.u8(static_cast<std::uint32_t>(symbol.binding) << 4 |
                  static_cast<std::uint32_t>(symbol.type));
        symtab.u8(0);
        symtab.u16(symbol.section    ? static_cast<std::uint32_t>(*symbol.section + 1)
                   : symbol.absolute ? kAbsolute
                                     : 0U);
    }
    std::size_t relocated = 0;
    for (const ObjectSection& section : object.sections)
        relocated += section.fixups.empty() ? 0 : 1;
    const auto symtab_index = static_cast<std::uint32_t>(headers.size() + relocated);
    for (std::size_t i = 0; i < object.sections.size(); ++i) {
        const ObjectSection& section = object.sections[i];
        if (section.fixups.empty())
            continue;
        body.align(4);
        const std::uint32_t start = body.size();
        for (const Fixup& fixup : section.fixups) {
            body.u32(fixup.offset + (object.linked ? section.address : 0));
            body.u32(number[fixup.symbol] << 8 | fixup.relocation->type);
            body.u32(static_cast<std::uint32_t>(fixup.addend));
        }
        constexpr std::uint32_t kInfoLink = 0x40;
        headers.push_back({section_names.add(".rela" + section.name), kTypeRela, kInfoLink, 0,
                           start, body.size() - start, symtab_index,
                           static_cast<std::uint32_t>(i + 1), 4, kRelaSize});
    }
    body.align(4);
    headers.push_back({section_names.add(".symtab"), kTypeSymtab, 0, 0, body.size(), symtab.size(),
                       symtab_index + 1, locals, 4, kSymbolSize});
    body.append(symtab.bytes());
    headers.push_back({section_names.add(".strtab"), kTypeStrtab, 0, 0, body.size(),
                       static_cast<std::uint32_t>(symbol_names.bytes().size()), 0, 0, 1, 0});
    body.append(symbol_names.bytes());
    const std::uint32_t own_name = section_names.add(".shstrtab");
    headers.push_back({own_name, kTypeStrtab, 0, 0, body.size(),
                       static_cast<std::uint32_t>(section_names.bytes().size()), 0, 0, 1, 0});
    body.append(section_names.bytes());
    body.align(4);

    const std::uint32_t section_table = body.size();
    for (const SectionHeader& header : headers)
        for (const std::uint32_t field :
             {header.name, header.type, header.flags, header.address, header.offset, header.size,
              header.link, header.info, header.alignment, header.entry_size})
            body.u32(field);

    Writer head;
    head.append(kMagic);
    for (const std::uint32_t value : {1U, 1U, 1U})
        head.u8(value);
    head.align(16);
    head.u16(object.linked ? 2 : 1);
    head.u16(kMachineAie);
    head.u32(1);
    head.u32(object.entry);
    head.u32(segments.empty() ? 0 : kHeaderSize);
    head.u32(section_table);
    head.u32(kFlagsAie2);
    head.u16(kHeaderSize);
    head.u16(kProgramHeaderSize);
    head.u16(static_cast<std::uint32_t>(segments.size()));
    head.u16(kSectionHeaderSize);
    head.u16(static_cast<std::uint32_t>(headers.size()));
    head.u16(static_cast<std::uint32_t>(headers.size() - 1));
    for (const std::size_t i : segments) {
        const ObjectSection& section = object.sections[i];
        const std::uint32_t in_file =
            section.type == kSectionNobits ? 0 : static_cast<std::uint32_t>(section.bytes.size());
        const std::uint32_t access = 4 | ((section.flags & kWrite) != 0 ? 2U : 0U) |
                                     ((section.flags & kExecute) != 0 ? 1U : 0U);
        for (const std::uint32_t field :
             {1U, headers[i + 1].offset, section.address, section.address, in_file, section.size,
              access, std::uint32_t{1}})
            head.u32(field);
    }
    std::ranges::copy(head.bytes(), body.bytes().begin());
    return std::move(body.bytes());
}

}  // namespace xdna::as
