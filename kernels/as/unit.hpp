#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "kernels/as/object.hpp"
#include "kernels/as/syntax.hpp"

namespace xdna::as {

/// A name of the source: a label, a value (.equ), or something of another file.
struct Symbol {
    enum class Kind : std::uint8_t { kUndefined, kLabel, kValue } kind = Kind::kUndefined;
    std::string name;         ///< empty for the places that `.` names
    Location where;           ///< of the definition, or of the first use
    std::size_t section = 0;  ///< kLabel
    ExpressionPtr value;      ///< kValue
    ExpressionPtr size;
    Binding binding = Binding::kLocal;
    SymbolType type = SymbolType::kNone;
    std::uint32_t offset = 0;  ///< kLabel, once laid out
    bool placed = false;       ///< offset is known
    bool target = false;       ///< jumped to or called: to be aligned to 16 bytes
    bool loop_end = false;     ///< names the last bundle of a zero-overhead loop
    bool evaluating = false;   ///< guards against values that need themselves
    bool referenced = false;   ///< by a relocation
};

/// A place in data that holds the value of an expression.
struct DataField {
    std::uint32_t offset;  ///< in the fragment
    unsigned size;
    ExpressionPtr value;
};

/// A piece of a section: a label, a bundle, data, or an alignment.
struct Fragment {
    enum class Kind : std::uint8_t { kLabel, kBundle, kData, kAlign } kind;
    Location where;

    Symbol* label = nullptr;

    std::vector<ParsedInstruction> instructions;
    std::optional<isa::Format> wanted;  ///< by .format
    unsigned minimum = 0;               ///< bytes the bundle must have at least
    isa::Format format{};
    unsigned loop = 0;  ///< the pipelined loop that placed this bundle; 0: none

    std::vector<std::uint8_t> data;
    std::vector<DataField> fields;
    std::uint32_t reserve = 0;  ///< bytes in a section without contents

    std::uint32_t alignment = 1;
    std::optional<std::uint8_t> fill;

    bool auto_align = false;    ///< labels and calls here are aligned
    std::uint32_t padding = 0;  ///< bytes before the contents, once laid out
    std::uint32_t offset = 0;   ///< of the padding
    std::uint32_t size = 0;     ///< of the contents

    [[nodiscard]] std::uint32_t address() const { return offset + padding; }
};

/// A relocation that the source asks for by name (.reloc).
struct WantedRelocation {
    ExpressionPtr place;
    const isa::Relocation* relocation;
    ExpressionPtr value;
};

struct UnitSection {
    std::string name;
    std::int64_t unique = -1;  ///< tells sections of one name apart
    std::uint32_t type = kSectionProgbits;
    std::uint32_t flags = 0;
    std::uint32_t alignment = 1;
    std::vector<Fragment> fragments;
    std::vector<WantedRelocation> relocations;
    std::uint32_t size = 0;

    [[nodiscard]] bool executable() const { return (flags & kExecute) != 0; }
};

/// A source file, parsed.
struct Unit {
    std::deque<UnitSection> sections;
    std::deque<Symbol> symbols;  ///< a deque: expressions point to them
};

/// The set-up of a loop must be so far before its last bundle. Source: Xilinx/llvm-aie, AIE2P and
/// AIE2PS InstrInfo and AIEBaseSubtarget; xdna-emu quotes the same for AIE2.
inline constexpr std::uint32_t kLoopSetupBytes = 112;

/// The label that an expression is, with nothing added; null otherwise.
[[nodiscard]] Symbol* plain_label(const Expression& expression);

/// Slots of a bundle as isa::bit()s; "nop" stands for no slot, except beside lng, where it asks for
/// the 8-byte format with the marker.
[[nodiscard]] std::uint32_t slots(const Fragment& bundle);

/// Gives every bundle its format and every fragment its place. Alignment in code is reached by
/// longer formats for the bundles before it where that is possible, so that it costs no cycle.
void lay_out(Unit& unit, Diagnostics& diagnostics);

/// Hands on what is wrong with the timing of the code: reads of a register before its value is
/// there, writes that overtake each other, ports taken twice, loops set up too late.
void check_hazards(const Unit& unit, Diagnostics& diagnostics);

/// Inserts nops so that every value is ready when it is read. What cannot be helped so, inside
/// delay slots, is an error.
void insert_nops(Unit& unit, Diagnostics& diagnostics);

}  // namespace xdna::as
