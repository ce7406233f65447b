#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/isa/relocation.hpp"

namespace xdna::as {

/// ELF numbers that this file's users need. Source: the ELF specification; e_machine and e_flags:
/// Xilinx/llvm-aie lld/ELF/Arch/AIE.cpp.
inline constexpr std::uint16_t kMachineAie = 264;
inline constexpr std::uint32_t kFlagsAie2 = 2;
inline constexpr std::uint32_t kSectionProgbits = 1;
inline constexpr std::uint32_t kSectionNobits = 8;
inline constexpr std::uint32_t kWrite = 1;
inline constexpr std::uint32_t kAllocate = 2;
inline constexpr std::uint32_t kExecute = 4;

/// A place to be patched with symbol + addend.
struct Fixup {
    std::uint32_t offset;  ///< in the section, of the bundle or data word
    const isa::Relocation* relocation;
    std::size_t symbol;  ///< in Object::symbols
    std::int64_t addend;
};

struct ObjectSection {
    std::string name;
    std::uint32_t type = kSectionProgbits;
    std::uint32_t flags = 0;
    std::uint32_t alignment = 1;
    std::uint32_t address = 0;        ///< once linked
    std::uint32_t size = 0;           ///< bytes
    std::vector<std::uint8_t> bytes;  ///< none for kSectionNobits
    std::vector<Fixup> fixups;

    [[nodiscard]] bool executable() const { return (flags & kExecute) != 0; }
};

enum class Binding : std::uint8_t { kLocal, kGlobal, kWeak };
enum class SymbolType : std::uint8_t {
    kNone = 0,
    kObject = 1,
    kFunction = 2,
    kSection = 3,
    kFile = 4
};

struct ObjectSymbol {
    std::string name;
    /// Index in Object::sections; nothing: `absolute` tells whether it is a number or undefined.
    std::optional<std::size_t> section;
    bool absolute = false;
    std::uint32_t value = 0;  ///< offset in its section; once linked, the address
    std::uint32_t size = 0;
    Binding binding = Binding::kLocal;
    SymbolType type = SymbolType::kNone;
};

/// An AIE2 object or, once linked, an executable.
struct Object {
    bool linked = false;
    std::uint32_t entry = 0;
    std::vector<ObjectSection> sections;
    std::vector<ObjectSymbol> symbols;
};

/// A file that is not what it should be, or does not link. The message names what and where.
class ObjectError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// 32-bit little-endian ELF: ET_REL, or ET_EXEC once linked.
[[nodiscard]] std::vector<std::uint8_t> write_elf(const Object& object);

/// Reads sections with contents, symbols, and relocations that patch bundles or data. Throws
/// ObjectError for what is no AIE2 ELF; AIE1 and AIE2P objects (e_flags 1 and 3) are named.
[[nodiscard]] Object read_elf(std::span<const std::uint8_t> file);
[[nodiscard]] bool is_elf(std::span<const std::uint8_t> file);

struct LinkOptions {
    /// Where the executable sections go, in program memory; bytes.
    std::uint32_t text_address = 0;
    /// Where the others go, as the core sees its own data memory; bytes.
    std::uint32_t data_address = 0x70000;
    /// Symbols of other files: buffers, mostly.
    std::map<std::string, std::uint32_t> symbols;
};

/// Gives every allocated section its address, in the order of the object, and patches all places.
/// Throws ObjectError: an undefined symbol, a value that does not fit its place, more code or data
/// than the memory of a core holds.
[[nodiscard]] Object link(Object object, const LinkOptions& options = {});

/// The program memory of a linked object from its lowest executable section on. Throws ObjectError
/// if initialised data would be lost.
[[nodiscard]] std::vector<std::uint8_t> flat_program(const Object& object);

}  // namespace xdna::as
