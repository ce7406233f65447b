#include "kernels/as/disassemble.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <map>
#include <sstream>
#include <utility>

#include "kernels/isa/bundle.hpp"

namespace xdna::as {

namespace {

std::string hex(std::uint64_t value, unsigned digits) {
    std::string text(digits, '0');
    for (unsigned i = digits; i-- > 0; value >>= 4)
        text[i] = "0123456789abcdef"[value & 0xfU];
    return text;
}

/// Symbols of one section by place; sections and files name no place.
using Labels = std::multimap<std::uint32_t, const ObjectSymbol*>;

Labels labels_of(const Object& object, std::size_t section) {
    Labels labels;
    for (const ObjectSymbol& symbol : object.symbols) {
        const bool named = symbol.type != SymbolType::kSection && symbol.type != SymbolType::kFile;
        if (named && !symbol.name.empty() && symbol.section == section)
            labels.emplace(symbol.value, &symbol);
    }
    return labels;
}

/// The addresses that a bundle jumps to or calls.
std::vector<std::uint32_t> targets(const isa::Bundle& bundle) {
    std::vector<std::uint32_t> found;
    for (const isa::Instruction& instruction : bundle.instructions()) {
        const auto operands = isa::operation(instruction.op).operands();
        for (std::size_t i = 0; i < operands.size(); ++i)
            if (operands[i].type().kind == isa::OperandKind::kAddress)
                found.push_back(static_cast<std::uint32_t>(instruction.values[i].immediate()));
    }
    return found;
}

/// "name" or "name+16": the place as the nearest label before it names it.
std::string place_name(const Labels& labels, std::uint32_t address) {
    auto after = labels.upper_bound(address);
    if (after == labels.begin())
        return {};
    const auto& [start, symbol] = *std::prev(after);
    return symbol->name + (start == address ? "" : "+" + std::to_string(address - start));
}

std::string addend_text(std::int64_t addend) {
    if (addend == 0)
        return {};
    return addend > 0 ? "+" + std::to_string(addend) : std::to_string(addend);
}

/// Names that the assembler reads back as symbols.
bool is_plain_name(const std::string& name) {
    return !name.empty() &&
           std::ranges::all_of(name,
                               [](unsigned char c) {
                                   return std::isalnum(c) != 0 || c == '_' || c == '.' ||
                                          c == '$' || c == '@';
                               }) &&
           std::isdigit(static_cast<unsigned char>(name[0])) == 0 && name != ".";
}

}  // namespace

std::vector<CodeLine> disassemble(std::span<const std::uint8_t> code, std::uint32_t address) {
    std::vector<CodeLine> lines;
    std::size_t at = 0;
    while (at < code.size()) {
        isa::DecodeFailure failure{};
        const auto bundle = isa::decode(code.subspan(at), &failure);
        const std::size_t size = bundle ? bundle->size : std::min<std::size_t>(2, code.size() - at);
        const auto bytes = code.subspan(at, size);
        lines.push_back({static_cast<std::uint32_t>(address + at),
                         {bytes.begin(), bytes.end()},
                         bundle ? isa::print(*bundle) : "",
                         bundle ? "" : isa::describe(failure)});
        at += size;
    }
    return lines;
}

bool is_code(const ObjectSection& section) {
    return section.type == kSectionProgbits &&
           (section.executable() || section.name == ".text" || section.name.starts_with(".text."));
}

std::size_t undecodable_bytes(const Object& object) {
    std::size_t count = 0;
    for (const ObjectSection& section : object.sections)
        if (is_code(section))
            for (const CodeLine& line : disassemble(section.bytes, section.address))
                count += line.problem.empty() ? 0 : line.bytes.size();
    return count;
}

std::string listing(const Object& object) {
    std::ostringstream out;
    Labels everywhere;
    for (std::size_t s = 0; s < object.sections.size(); ++s)
        if (object.linked && is_code(object.sections[s]))
            everywhere.merge(labels_of(object, s));
    for (std::size_t s = 0; s < object.sections.size(); ++s) {
        const ObjectSection& section = object.sections[s];
        if (!is_code(section) || section.bytes.empty())
            continue;
        const Labels labels = labels_of(object, s);
        std::multimap<std::uint32_t, const Fixup*> fixups;
        for (const Fixup& fixup : section.fixups)
            fixups.emplace(section.address + fixup.offset, &fixup);
        out << "\nsection " << section.name << ":\n";
        for (const CodeLine& line : disassemble(section.bytes, section.address)) {
            const auto [first, last] = labels.equal_range(line.address);
            for (auto label = first; label != last; ++label)
                out << '\n' << hex(line.address, 8) << " <" << label->second->name << ">:\n";
            std::string bytes;
            for (const std::uint8_t byte : line.bytes)
                bytes += hex(byte, 2);
            bytes.resize(2 * isa::kMaxBundleBytes, ' ');
            std::string row = hex(line.address, 8) + ":  " + bytes + "  ";
            if (line.problem.empty())
                row += line.text;
            else
                row += ".byte 0x" + hex(line.bytes[0], 2) +
                       (line.bytes.size() > 1 ? ", 0x" + hex(line.bytes[1], 2) : "") + "  // " +
                       line.problem;
            const auto [from, to] = fixups.equal_range(line.address);
            for (auto fixup = from; fixup != to; ++fixup)
                row += "  // " + std::string(fixup->second->relocation->name) + " " +
                       object.symbols[fixup->second->symbol].name +
                       addend_text(fixup->second->addend);
            const auto bundle = isa::decode(line.bytes);
            if (bundle && from == to)
                for (const std::uint32_t target : targets(*bundle)) {
                    const std::string name =
                        place_name(object.linked ? everywhere : labels, target);
                    if (!name.empty())
                        row += "  // <" + name + ">";
                }
            out << row << '\n';
        }
    }
    return out.str();
}

namespace {

/// Writes one object as source.
class SourceWriter {
  public:
    explicit SourceWriter(const Object& object) : object_(object) {}

    std::string run() {
        out_ << ".autoalign off\n";
        for (const ObjectSymbol& symbol : object_.symbols)
            if (symbol.binding != Binding::kLocal && is_plain_name(symbol.name))
                out_ << (symbol.binding == Binding::kWeak ? ".weak " : ".globl ") << symbol.name
                     << '\n';
        for (std::size_t s = 0; s < object_.sections.size(); ++s)
            section(s);
        return out_.str();
    }

  private:
    void section(std::size_t s) {
        const ObjectSection& section = object_.sections[s];
        std::string flags;
        for (const auto& [bit, letter] :
             {std::pair{kAllocate, 'a'}, std::pair{kWrite, 'w'}, std::pair{kExecute, 'x'}})
            if ((section.flags & bit) != 0 || (bit == kExecute && is_code(section)))
                flags += letter;
        out_ << "\n.section \"" << section.name << "\",\"" << flags << "\","
             << (section.type == kSectionNobits ? "@nobits" : "@progbits");
        const auto same = [&](const ObjectSection& other) { return other.name == section.name; };
        if (std::ranges::count_if(object_.sections, same) > 1)
            out_ << ",unique," << s;
        out_ << '\n';
        if (section.alignment > 1)
            out_ << ".balign " << section.alignment << '\n';
        labels_ = labels_of(object_, s);
        fixups_.clear();
        for (const Fixup& fixup : section.fixups)
            fixups_.emplace(fixup.offset, &fixup);
        if (section.type == kSectionNobits) {
            data_until(section, section.size);
        } else if (is_code(section)) {
            for (const CodeLine& line : disassemble(section.bytes, 0))
                code(section, line);
        } else {
            data_until(section, static_cast<std::uint32_t>(section.bytes.size()));
        }
        label(section, section.size);
        written_ = 0;
    }

    void label(const ObjectSection& section, std::uint32_t offset) {
        const auto [first, last] =
            labels_.equal_range(offset + (object_.linked ? section.address : 0));
        for (auto entry = first; entry != last; ++entry) {
            const ObjectSymbol& symbol = *entry->second;
            if (!is_plain_name(symbol.name) ||
                std::ranges::count(object_.symbols, symbol.name, &ObjectSymbol::name) > 1)
                continue;
            if (symbol.type == SymbolType::kFunction || symbol.type == SymbolType::kObject)
                out_ << ".type " << symbol.name << ", "
                     << (symbol.type == SymbolType::kFunction ? "@function" : "@object") << '\n';
            if (symbol.size != 0)
                out_ << ".size " << symbol.name << ", " << symbol.size << '\n';
            out_ << symbol.name << ":\n";
        }
    }

    void code(const ObjectSection& section, const CodeLine& line) {
        label(section, line.address);
        const auto bundle = isa::decode(line.bytes);
        const auto [first, last] = fixups_.equal_range(line.address);
        const bool exact = bundle && survives(*bundle, line.bytes);
        std::string text = exact ? with_symbols(*bundle, first, last) : "";
        if (text.empty())  // the field of a relocation is not empty: both are to be kept
            for (auto fixup = first; fixup != last; ++fixup)
                out_ << "\t.reloc ., " << fixup->second->relocation->name << ", "
                     << object_.symbols[fixup->second->symbol].name
                     << addend_text(fixup->second->addend) << '\n';
        if (exact && text.empty())
            text = isa::print(*bundle, true);
        if (!exact) {
            out_ << '\t' << bytes_text(line.bytes) << "  // " << line.text << line.problem << '\n';
            return;
        }
        out_ << '\t' << text << '\n';
    }

    static bool survives(const isa::Bundle& bundle, const std::vector<std::uint8_t>& bytes) {
        try {
            const auto again = isa::encode(bundle);
            return std::ranges::equal(again.bytes(), bytes);
        } catch (const std::invalid_argument&) {
            return false;
        }
    }

    using Fixups = std::multimap<std::uint32_t, const Fixup*>;

    /// The text of the bundle, with what relocations fill in written as symbols; empty if one
    /// fills in nothing that the text has.
    [[nodiscard]] std::string with_symbols(const isa::Bundle& bundle, Fixups::const_iterator first,
                                           Fixups::const_iterator last) const {
        std::string text;
        auto rest = std::distance(first, last);
        for (const isa::Instruction& instruction : bundle.instructions()) {
            std::string part = isa::print(instruction);
            for (unsigned i = 0; i < isa::operation(instruction.op).operand_count; ++i) {
                for (auto fixup = first; fixup != last; ++fixup) {
                    if (isa::relocation_for(bundle.format, instruction.op, i) !=
                        fixup->second->relocation)
                        continue;
                    // Operands that relocations fill are the last of their instruction.
                    const std::string& name = object_.symbols[fixup->second->symbol].name;
                    if (instruction.values[i] != isa::Value(0))
                        return {};
                    part.resize(part.rfind('#') + 1);
                    part += name + addend_text(fixup->second->addend);
                    rest -= is_plain_name(name) ? 1 : 0;
                }
            }
            text += (text.empty() ? "" : "; ") + part;
        }
        return rest == 0 ? text : "";
    }

    static std::string bytes_text(std::span<const std::uint8_t> bytes) {
        std::string text = ".byte ";
        for (std::size_t i = 0; i < bytes.size(); ++i)
            text += (i == 0 ? "0x" : ", 0x") + hex(bytes[i], 2);
        return text;
    }

    /// Data up to an offset, cut at labels and relocations.
    void data_until(const ObjectSection& section, std::uint32_t end) {
        constexpr std::uint32_t kPerLine = 16;
        while (written_ < end) {
            label(section, written_);
            const auto fixup = fixups_.find(written_);
            if (fixup != fixups_.end() && fixup->second->relocation->data && written_ + 4 <= end) {
                out_ << "\t.word " << object_.symbols[fixup->second->symbol].name
                     << addend_text(fixup->second->addend) << '\n';
                written_ += 4;
                continue;
            }
            std::uint32_t next = end;
            const std::uint32_t base = object_.linked ? section.address : 0;
            const auto cut = labels_.upper_bound(base + written_);
            if (cut != labels_.end())
                next = std::min(next, cut->first - base);
            const auto patched = fixups_.upper_bound(written_);
            if (patched != fixups_.end())
                next = std::min(next, patched->first);
            if (section.type == kSectionNobits) {
                out_ << "\t.space " << next - written_ << '\n';
                written_ = next;
                continue;
            }
            next = std::min(next, written_ + kPerLine);
            out_ << '\t' << bytes_text(std::span(section.bytes).subspan(written_, next - written_))
                 << '\n';
            written_ = next;
        }
    }

    const Object& object_;
    std::ostringstream out_;
    Labels labels_;
    Fixups fixups_;
    std::uint32_t written_ = 0;
};

}  // namespace

std::string source(const Object& object) {
    return SourceWriter(object).run();
}

}  // namespace xdna::as
