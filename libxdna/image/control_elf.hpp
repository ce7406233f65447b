// Control-code ELF files: control code with the places where buffer addresses go.
//
// Sources: Xilinx/aiebu, src/cpp/aiebu/src/elf/elfwriter.cpp; Xilinx/XRT,
// src/runtime_src/core/common/api/elf_patcher.{h,cpp} (schemas and how each patches).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {

// How a relocation's value goes into the words at its place.
enum class PatchSchema : uint32_t {
    kShimDma57 = 2,        // shim BD of AIE2PS: 57-bit base in words 1, 2 and 8
    kScalar32 = 3,         // bits of word 0 under the mask
    kControlPacket48 = 4,  // words 2 and 3; host memory offset added
    kShimDma48 = 5,        // shim BD of AIE2: words 1 and 2; host memory offset added
    kShimDma57Aie4 = 6,    // words 0 and 1; host memory offset added
    kControlPacket57 = 7,  // words 2 and 3
    kAddress64 = 8,        // words 0 and 1 replaced
    kControlPacket57Aie4 = 9,
    kProgrammableLogic64 = 11,  // words 8 and 9
};
// "shim_dma_48"; "" for a value that is no schema.
std::string_view schema_name(PatchSchema schema);

struct ElfSection {
    std::string name;
    uint32_t type = 0;
    uint32_t flags = 0;
    uint32_t address = 0;
    uint32_t offset = 0;  // in the file
    uint32_t size = 0;
    uint32_t link = 0;
    uint32_t info = 0;
    uint32_t alignment = 0;
    uint32_t entry_size = 0;
    Bytes data;  // empty for a section that takes no room in the file
};

struct ElfSymbol {
    std::string name;  // a kernel argument's number in decimal, or "control-packet" and the like
    uint32_t value = 0;
    uint32_t size = 0;
    uint8_t info = 0;
    uint8_t other = 0;
    uint16_t section = 0;
};

// One place to patch.
struct ElfRelocation {
    uint32_t offset = 0;  // bytes into the section that the symbol names
    PatchSchema schema{};
    uint32_t symbol = 0;  // index into symbols
    int32_t addend = 0;   // bytes added to the argument's address
};

struct ControlElf {
    uint8_t os_abi = 0;
    uint8_t abi_version = 0;
    uint16_t type = 0;
    uint16_t machine = 0;
    uint32_t flags = 0;
    std::vector<ElfSection> sections;
    std::vector<ElfSymbol> symbols;
    std::vector<ElfRelocation> relocations;

    const ElfSection* section(std::string_view name) const;  // null if there is none
};

// ELF32, little-endian. Throws FormatError.
ControlElf parse_control_elf(ByteView bytes);

// Patches one relocation into the section that it belongs to: `value` is the argument's address
// (or the scalar). Patch a fresh copy each time: addresses add up. Throws FormatError where the
// place is outside the section or the schema is not known.
void apply_relocation(ControlElf& elf, const ElfRelocation& relocation, uint64_t value);

}  // namespace xdna::image
