// Transaction control code: the program that the NPU's controller runs for one command.
//
// Two encodings: version 0.1, which mlir-aie and IREE write, and 1.0, a shorter form that newer
// aie-rt writes. Sources: Xilinx/mlir-aie, include/aie/Runtime/TxnEncoding.h (0.1); Xilinx/aie-rt,
// driver/src/common/xaie_txn.h (opcodes); Xilinx/aiebu,
// src/cpp/aiebu/src/analyzer/transaction.cpp (walking both). Addresses name a tile and a register,
// relative to the first column of the context: see TileAddress.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::image {
namespace txn {

enum Opcode : uint8_t {
    kWrite = 0,
    kBlockWrite = 1,
    kBlockSet = 2,  // never written; its layout is not public
    kMaskWrite = 3,
    kMaskPoll = 4,
    kNoop = 5,
    kPreempt = 6,
    kMaskPollBusy = 7,
    kLoadPdi = 8,
    kLoadPmStart = 9,
    kCreateScratchpad = 10,
    kUpdateStateTable = 11,
    kUpdateRegister = 12,
    kUpdateScratch = 13,
    kConfigShimDmaBd = 14,        // layout not public
    kConfigShimDmaDmabufBd = 15,  // layout not public
    kSync = 128,
    kDdrPatch = 129,
    kReadRegisters = 130,
    kRecordTimer = 131,
    kMergeSync = 132,
};

// "WRITE", "DDR_PATCH"; "" for an opcode that has none.
std::string_view opcode_name(uint8_t opcode);

struct Write {
    uint64_t address = 0;  // 32 bits in version 1.0
    uint32_t value = 0;
    bool operator==(const Write&) const = default;
};
// Consecutive words.
struct BlockWrite {
    uint32_t address = 0;
    Words data;
    bool operator==(const BlockWrite&) const = default;
};
// The bits under `mask` become those of `value`.
struct MaskWrite {
    uint64_t address = 0;
    uint32_t value = 0;
    uint32_t mask = 0;
    bool operator==(const MaskWrite&) const = default;
};
// Waits until (register & mask) == value; the busy form holds the controller meanwhile.
struct MaskPoll {
    uint64_t address = 0;
    uint32_t value = 0;
    uint32_t mask = 0;
    bool busy = false;
    bool operator==(const MaskPoll&) const = default;
};
struct Noop {
    bool operator==(const Noop&) const = default;
};
struct Preempt {
    uint8_t level = 0;  // 0 none, 1 memory tile, 2 core tile, 3 registers
    bool operator==(const Preempt&) const = default;
};
struct LoadPdi {
    uint16_t id = 0;
    uint32_t size = 0;  // bytes
    uint64_t address = 0;
    bool operator==(const LoadPdi&) const = default;
};
// The next `operations` operations load program memory.
struct LoadPmStart {
    uint32_t operations = 0;  // 24 bits
    uint32_t id = 0;
    bool operator==(const LoadPmStart&) const = default;
};
struct CreateScratchpad {
    uint8_t usage = 0;
    uint32_t size = 0;
    uint64_t offset = 0;
    bool operator==(const CreateScratchpad&) const = default;
};
struct UpdateStateTable {
    uint8_t index = 0;
    uint8_t function = 0;  // 0 multiply, 1 increment, 2 decrement
    uint32_t argument = 0;
    bool operator==(const UpdateStateTable&) const = default;
};
struct UpdateRegister {
    uint8_t index = 0;
    uint8_t function = 0;
    uint32_t argument = 0;
    uint32_t address = 0;
    bool operator==(const UpdateRegister&) const = default;
};
struct UpdateScratch {
    bool operator==(const UpdateScratch&) const = default;
};
// Waits for one task-complete token of a DMA channel from each tile of a block of rows x columns.
struct Sync {
    uint8_t direction = 0;  // 0 S2MM, 1 MM2S
    uint8_t row = 0;
    uint8_t column = 0;
    uint8_t rows = 1;
    uint8_t columns = 1;
    uint8_t channel = 0;
    bool operator==(const Sync&) const = default;
};
// Adds an argument's address, and `offset` bytes, to the base address of the shim BD that
// `address` (its word 0 or 1) belongs to. `argument` counts buffers: 0 is kernel argument 3.
struct DdrPatch {
    uint64_t address = 0;  // 32 bits in version 1.0, as is the argument
    uint64_t argument = 0;
    uint64_t offset = 0;
    bool compact = false;  // aie-rt's 44-byte form of version 0.1: the offset has 32 bits
    bool operator==(const DdrPatch&) const = default;
};
// An operation that carries its size and is not understood further.
struct Sized {
    uint8_t opcode = kReadRegisters;
    Words words;  // after the size
    bool operator==(const Sized&) const = default;
};

struct Operation {
    std::variant<Write, BlockWrite, MaskWrite, MaskPoll, Noop, Preempt, LoadPdi, LoadPmStart,
                 CreateScratchpad, UpdateStateTable, UpdateRegister, UpdateScratch, Sync, DdrPatch,
                 Sized>
        body;
    // What the encoding leaves unused, kept as found (aie-rt leaves stale memory there): the bits
    // of word 0 over the opcode, the reserved words in their order, and words within the
    // operation's size beyond its fields. New operations have none of it.
    uint32_t word0 = 0;
    Words reserved;
    Words tail;

    Operation() = default;
    template <typename Body>
    Operation(Body b) : body(std::move(b)) {}  // NOLINT(google-explicit-constructor)
    bool operator==(const Operation&) const = default;
};

uint8_t opcode(const Operation& operation);

}  // namespace txn

struct Transaction {
    uint8_t major = 0;
    uint8_t minor = 1;
    uint8_t generation = 3;  // 3 Phoenix and Hawk Point, 4 Strix and Krackan
    uint8_t rows = 6;
    uint8_t columns = 1;
    uint8_t mem_tile_rows = 1;
    uint16_t reserved = 0;
    std::vector<txn::Operation> operations;
    Bytes trailer;  // after the size that the header gives

    bool optimized() const { return major == 1 && minor == 0; }
    bool operator==(const Transaction&) const = default;
};

// True where the bytes start like a transaction of a known version. Older instruction sequences
// can look alike in their first word, so the header's size is looked at too.
bool looks_like_transaction(ByteView bytes);

// Throws FormatError; for a wrong operation, problem() names its index.
Transaction parse_transaction(ByteView bytes);

// Throws FormatError where an operation has no form in the header's version.
Bytes serialize(const Transaction& transaction);

// The array sees host memory this far above the process's addresses. The controller adds it itself
// when it runs DDR_PATCH; who patches on the host must add it. Source: Xilinx/XRT,
// src/runtime_src/core/common/api/elf_patcher.cpp.
inline constexpr uint64_t kHostMemoryOffset = 0x80000000;

// The 48-bit base address in words 1 and 2 of a shim BD: adds `value` (bytes) to it.
void add_to_shim_bd_address(uint32_t& word1, uint32_t& word2, uint64_t value);

// One DDR_PATCH operation and the block write whose words it changes.
struct PatchSite {
    size_t patch;  // indices into operations
    size_t write;
    size_t word;  // of the write's data: word 0 of the BD
    txn::DdrPatch what;
};

// Every DDR_PATCH, in order. Throws FormatError where no earlier block write covers its BD.
std::vector<PatchSite> patch_sites(const Transaction& transaction);

// Does on the host what the controller does with DDR_PATCH: adds addresses[argument] + `bias` to
// each BD, and takes the DDR_PATCH operations out. Patch a fresh copy each time: addresses add up.
// Throws FormatError where an argument has no address.
void apply_patches(Transaction& transaction, std::span<const uint64_t> addresses,
                   uint64_t bias = kHostMemoryOffset);

}  // namespace xdna::image
