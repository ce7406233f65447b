#include "libxdna/image/dpu_sequence.hpp"

#include <array>

namespace xdna::image {
namespace {

constexpr std::string_view kContainer = "instruction sequence";

// Words of the instruction, the first included.
struct OpcodeRow {
    std::string_view name;
    uint32_t words;
};
constexpr uint8_t kWriteBd = 1;
constexpr uint8_t kDumpRegister = 18;
constexpr uint32_t kComputed = 0;
constexpr std::array<OpcodeRow, 19> kOpcodes = {{
    {"NOOP", 1},
    {"WRITEBD", kComputed},
    {"WRITE32", 3},
    {"SYNC", 2},
    {"WRITEBD_EXTEND_AIETILE", 8},
    {"WRITE32_EXTEND_GENERAL", 3},
    {"WRITEBD_EXTEND_SHIMTILE", 10},
    {"WRITEBD_EXTEND_MEMTILE", 11},
    {"WRITE32_EXTEND_DIFFBD", 4},
    {"WRITEBD_EXTEND_SAMEBD_MEMTILE", 9},
    {"DUMPDDR", 44},
    {"WRITESHIMBD", 9},
    {"WRITEMEMBD", 9},
    {"WRITE32_RTP", 3},
    {"READ32", 2},
    {"READ32_POLL", 4},
    {"RECORD_TIMESTAMP", 1},
    {"MERGESYNC", 1},
    {"DUMP_REGISTER", kComputed},
}};

uint64_t length(const DpuInstruction& instruction) {
    switch (instruction.opcode()) {
        case kWriteBd:  // shim and memory tiles have BDs of 8 words, core tiles of 6
            return instruction.row() <= 1 ? 9 : 7;
        case kDumpRegister:  // a count in 23:0, two words each
            return 1 + uint64_t{2} * (instruction.first & 0xFFFFFF);
        default:
            return kOpcodes[instruction.opcode()].words;
    }
}

}  // namespace

std::string_view dpu_opcode_name(uint8_t opcode) {
    return opcode < kOpcodes.size() ? kOpcodes[opcode].name : std::string_view{};
}

DpuSequence parse_dpu_sequence(ByteView bytes) {
    Reader reader(bytes, kContainer);
    DpuSequence sequence;
    while (reader.left() > 0) {
        DpuInstruction instruction;
        instruction.first = reader.u32("instruction");
        if (instruction.opcode() >= kOpcodes.size()) {
            reader.reject(4, "opcode", instruction.opcode(), "no known instruction");
        }
        instruction.operands =
            reader.words(length(instruction) - 1, dpu_opcode_name(instruction.opcode()));
        sequence.instructions.push_back(std::move(instruction));
    }
    return sequence;
}

Bytes serialize(const DpuSequence& sequence) {
    Writer writer;
    for (const DpuInstruction& instruction : sequence.instructions) {
        if (instruction.opcode() >= kOpcodes.size()) {
            throw FormatError(kContainer, writer.size(), "opcode", instruction.opcode(),
                              "no known instruction");
        }
        if (instruction.operands.size() + 1 != length(instruction)) {
            throw FormatError(kContainer, writer.size(),
                              std::string(dpu_opcode_name(instruction.opcode())) + " operands",
                              instruction.operands.size(),
                              "expected " + std::to_string(length(instruction) - 1));
        }
        writer.write(instruction.first);
        writer.words(instruction.operands);
    }
    return writer.take();
}

}  // namespace xdna::image
