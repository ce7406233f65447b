// Configuration data objects: the list of register writes inside a PDI.
//
// Version 2 only, which is what bootgen writes. Source: Xilinx/bootgen, cdo-binary.c (encoding and
// decoding). Addresses name a tile and a register: see TileAddress.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {
namespace cdo {

enum Opcode : uint16_t {
    kEndMark = 0x100,
    kMaskPoll = 0x101,
    kMaskWrite = 0x102,
    kWrite = 0x103,
    kDelay = 0x104,
    kDmaWrite = 0x105,
    kMaskPoll64 = 0x106,
    kMaskWrite64 = 0x107,
    kWrite64 = 0x108,
    kDmaTransfer = 0x109,
    kFill = 0x10C,
    kKeyholeWrite = 0x10D,
    kNop = 0x111,
    kMarker = 0x119,
    kProc = 0x11A,
    kBlockBegin = 0x11B,
    kBlockEnd = 0x11C,
    kBreak = 0x11D,
    kScatterWrite = 0x121,
    kScatterWrite2 = 0x122,
};

// The opcode's name as in bootgen's sources, "DMA_WRITE"; "" for one that has none here.
std::string_view opcode_name(uint16_t opcode);

// Where a command has a 32-bit and a 64-bit form, `wide` says which. An address of 2^32 and more
// needs the wide form.
struct Write {
    uint64_t address = 0;
    uint32_t value = 0;
    bool wide = false;
    bool operator==(const Write&) const = default;
};
// The bits under `mask` become those of `value`.
struct MaskWrite {
    uint64_t address = 0;
    uint32_t mask = 0;
    uint32_t value = 0;
    bool wide = false;
    bool operator==(const MaskWrite&) const = default;
};
// Waits until (register & mask) == value.
struct MaskPoll {
    uint64_t address = 0;
    uint32_t mask = 0;
    uint32_t value = 0;
    uint32_t timeout = 0;
    std::optional<uint32_t> flags;
    std::optional<uint32_t> error_code;  // only together with flags
    bool wide = false;
    bool operator==(const MaskPoll&) const = default;
};
struct Delay {
    uint32_t cycles = 0;
    bool operator==(const Delay&) const = default;
};
// Consecutive words.
struct DmaWrite {
    uint64_t address = 0;
    Words data;
    bool operator==(const DmaWrite&) const = default;
};
// Copies `words` 32-bit words from one address to another.
struct DmaTransfer {
    uint64_t source = 0;
    uint64_t destination = 0;
    uint32_t words = 0;
    uint32_t flags = 0;
    bool operator==(const DmaTransfer&) const = default;
};
// `words` consecutive words, all of them `value`.
struct Fill {
    uint64_t address = 0;
    uint32_t words = 0;
    uint32_t value = 0;
    bool operator==(const Fill&) const = default;
};
// Words written to one window of `keyhole` bytes, over and over.
struct KeyholeWrite {
    uint64_t address = 0;
    uint32_t keyhole = 0;
    Words data;
    bool operator==(const KeyholeWrite&) const = default;
};
// Its words mean nothing: bootgen aligns the next command's payload with them.
struct Nop {
    Words words;
    bool operator==(const Nop&) const = default;
};
// Commands end here, whatever follows.
struct EndMark {
    Words words;
    bool operator==(const EndMark&) const = default;
};
// Any other command, not understood, with its payload.
struct Other {
    uint16_t opcode = 0;
    Words words;
    bool operator==(const Other&) const = default;
};

struct Command {
    std::variant<Write, MaskWrite, MaskPoll, Delay, DmaWrite, DmaTransfer, Fill, KeyholeWrite, Nop,
                 EndMark, Other>
        body;
    // The payload's length stands in a word of its own; always so from 255 words on.
    bool long_form = false;
    bool operator==(const Command&) const = default;
};

uint16_t opcode(const Command& command);

}  // namespace cdo

struct Cdo {
    std::vector<cdo::Command> commands;
    bool operator==(const Cdo&) const = default;
};

// `bytes` is one CDO, header and body, nothing after it. Throws FormatError.
Cdo parse_cdo(ByteView bytes);

// Throws FormatError where a command cannot be expressed (an address of more than 32 bits that is
// not wide).
Bytes serialize(const Cdo& cdo);

}  // namespace xdna::image
