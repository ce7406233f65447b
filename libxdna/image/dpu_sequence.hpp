// The older instruction words (kernel opcode 1), before transaction control code. Nothing current
// writes them; they are read for diagnosis and written back as they were.
//
// Sources: Xilinx/aiebu, specification/aie2/isa-spec.yaml (fields) and
// src/cpp/aiebu/src/preprocessor/aie2/aie2_blob_preprocessor_input.{h,cpp} (lengths).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {

struct DpuInstruction {
    // Opcode 31:24, column 23:16, row 15:8, and a low byte whose meaning is the opcode's.
    uint32_t first = 0;
    Words operands;

    uint8_t opcode() const { return static_cast<uint8_t>(first >> 24); }
    uint8_t column() const { return static_cast<uint8_t>(first >> 16); }
    uint8_t row() const { return static_cast<uint8_t>(first >> 8); }
    uint8_t low() const { return static_cast<uint8_t>(first); }
    bool operator==(const DpuInstruction&) const = default;
};

struct DpuSequence {
    std::vector<DpuInstruction> instructions;
    bool operator==(const DpuSequence&) const = default;
};

// "WRITEBD"; "" for an opcode that has none.
std::string_view dpu_opcode_name(uint8_t opcode);

// Throws FormatError.
DpuSequence parse_dpu_sequence(ByteView bytes);
Bytes serialize(const DpuSequence& sequence);

}  // namespace xdna::image
