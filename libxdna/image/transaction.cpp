#include "libxdna/image/transaction.hpp"

#include <algorithm>
#include <array>

#include "libxdna/image/overloaded.hpp"

namespace xdna::image {
namespace {

using namespace txn;

constexpr std::string_view kContainer = "control code";
constexpr size_t kHeaderBytes = 16;

// How an opcode is framed. `words` are the least an operation has; where `size_word` is not 0, that
// word holds its size in bytes.
struct Frame {
    uint32_t words;
    uint32_t size_word;
};
struct OpcodeRow {
    uint8_t opcode;
    std::string_view name;
    Frame plain;      // version 0.1
    Frame optimized;  // version 1.0
};
constexpr Frame kUnknown = {0, 0};
constexpr OpcodeRow kOpcodes[] = {
    {kWrite, "WRITE", {6, 5}, {3, 0}},
    {kBlockWrite, "BLOCKWRITE", {4, 3}, {3, 2}},
    {kBlockSet, "BLOCKSET", kUnknown, kUnknown},
    {kMaskWrite, "MASKWRITE", {7, 6}, {4, 0}},
    {kMaskPoll, "MASKPOLL", {7, 6}, {4, 0}},
    {kNoop, "NOOP", {1, 0}, {1, 0}},
    {kPreempt, "PREEMPT", {1, 0}, {1, 0}},
    {kMaskPollBusy, "MASKPOLL_BUSY", {7, 6}, {4, 0}},
    {kLoadPdi, "LOADPDI", {4, 0}, {4, 0}},
    {kLoadPmStart, "LOAD_PM_START", {2, 0}, {2, 0}},
    {kCreateScratchpad, "CREATE_SCRATCHPAD", {4, 0}, {4, 0}},
    {kUpdateStateTable, "UPDATE_STATE_TABLE", {2, 0}, {2, 0}},
    {kUpdateRegister, "UPDATE_REG", {3, 0}, {3, 0}},
    {kUpdateScratch, "UPDATE_SCRATCH", {1, 0}, {1, 0}},
    {kConfigShimDmaBd, "CONFIG_SHIMDMA_BD", kUnknown, kUnknown},
    {kConfigShimDmaDmabufBd, "CONFIG_SHIMDMA_DMABUF_BD", kUnknown, kUnknown},
    {kSync, "TCT", {4, 1}, {4, 1}},
    {kDdrPatch, "DDR_PATCH", {11, 1}, {6, 1}},
    {kReadRegisters, "READ_REGS", {2, 1}, {2, 1}},
    {kRecordTimer, "RECORD_TIMER", {2, 1}, {2, 1}},
    {kMergeSync, "MERGE_SYNC", {2, 1}, {2, 1}},
};

const OpcodeRow* find_opcode(uint8_t opcode) {
    for (const OpcodeRow& row : kOpcodes) {
        if (row.opcode == opcode) {
            return &row;
        }
    }
    return nullptr;
}

constexpr uint64_t pair(uint32_t low, uint32_t high) {
    return uint64_t{high} << 32 | low;
}
constexpr uint8_t byte(uint32_t word, int index) {
    return static_cast<uint8_t>(word >> 8 * index);
}
constexpr uint32_t low(uint64_t value) {
    return static_cast<uint32_t>(value);
}
constexpr uint32_t high(uint64_t value) {
    return static_cast<uint32_t>(value >> 32);
}

// The words of one operation, its size word included, to and from its fields. What is no field of
// the body goes to word0, reserved and tail.
class Codec {
  public:
    explicit Codec(bool optimized) : optimized_(optimized) {}

    Operation decode(const Words& w) const;
    Words encode(const Operation& operation) const;

  private:
    bool optimized_;
};

Operation Codec::decode(const Words& w) const {
    const auto opcode = static_cast<uint8_t>(w[0]);
    const uint32_t upper = w[0] & ~0xFFU;
    Operation op;
    op.word0 = upper;
    size_t used = w.size();
    switch (opcode) {
        case kWrite:
            if (optimized_) {
                op.body = Write{w[1], w[2]};
                used = 3;
            } else {
                op.body = Write{pair(w[2], w[3]), w[4]};
                op.reserved = {w[1]};
                used = 6;
            }
            break;
        case kBlockWrite:
            if (optimized_) {
                op.body = BlockWrite{w[1], {w.begin() + 3, w.end()}};
            } else {
                op.body = BlockWrite{w[2], {w.begin() + 4, w.end()}};
                op.reserved = {w[1]};
            }
            break;
        case kMaskWrite:
        case kMaskPoll:
        case kMaskPollBusy: {
            MaskPoll poll;
            if (optimized_) {
                poll = {w[1], w[2], w[3]};
                used = 4;
            } else {
                poll = {pair(w[2], w[3]), w[4], w[5]};
                op.reserved = {w[1]};
                used = 7;
            }
            poll.busy = opcode == kMaskPollBusy;
            if (opcode == kMaskWrite) {
                op.body = MaskWrite{poll.address, poll.value, poll.mask};
            } else {
                op.body = poll;
            }
            break;
        }
        case kNoop:
            op.body = Noop{};
            break;
        case kPreempt:
            op.body = Preempt{byte(w[0], 1)};
            op.word0 = w[0] & 0xFFFF0000;
            break;
        case kLoadPdi:
            op.body = LoadPdi{static_cast<uint16_t>(w[0] >> 16), w[1], pair(w[2], w[3])};
            op.word0 = w[0] & 0xFF00;
            break;
        case kLoadPmStart:
            op.body = LoadPmStart{w[0] >> 8, w[1]};
            op.word0 = 0;
            break;
        case kCreateScratchpad:
            op.body = CreateScratchpad{byte(w[0], 1), w[1], pair(w[2], w[3])};
            op.word0 = w[0] & 0xFFFF0000;
            break;
        case kUpdateStateTable:
            op.body = UpdateStateTable{byte(w[0], 1), byte(w[0], 2), w[1]};
            op.word0 = w[0] & 0xFF000000;
            break;
        case kUpdateRegister:
            op.body = UpdateRegister{byte(w[0], 1), byte(w[0], 2), w[1], w[2]};
            op.word0 = w[0] & 0xFF000000;
            break;
        case kUpdateScratch:
            op.body = UpdateScratch{};
            break;
        case kSync:
            op.body = Sync{byte(w[2], 0), byte(w[2], 1), byte(w[2], 2),
                           byte(w[3], 1), byte(w[3], 2), byte(w[3], 3)};
            op.reserved = {w[2] >> 24, w[3] & 0xFF};
            used = 4;
            break;
        case kDdrPatch:
            if (optimized_) {
                op.body = DdrPatch{w[2], w[3], pair(w[4], w[5])};
                used = 6;
            } else {
                const bool compact = w.size() == 11;
                op.body = DdrPatch{pair(w[6], w[7]), pair(w[8], w[9]),
                                   pair(w[10], compact ? 0 : w[11]), compact};
                op.reserved = {w[2], w[3], w[4], w[5]};
                used = std::min<size_t>(w.size(), 12);
            }
            break;
        default:
            op.body = Sized{opcode, {w.begin() + 2, w.end()}};
            break;
    }
    op.tail.assign(w.begin() + static_cast<ptrdiff_t>(used), w.end());
    if (std::all_of(op.reserved.begin(), op.reserved.end(), [](uint32_t r) { return r == 0; })) {
        op.reserved.clear();
    }
    return op;
}

Words Codec::encode(const Operation& operation) const {
    const auto reserved = [&](size_t i) {
        return i < operation.reserved.size() ? operation.reserved[i] : 0;
    };
    const uint32_t first = operation.word0 | txn::opcode(operation);
    // A 32-bit field of version 1.0.
    const auto narrow = [&](uint64_t value, std::string_view field) {
        if (value > UINT32_MAX) {
            throw FormatError(kContainer, 0, field, value, "needs version 0.1, which has 64 bits");
        }
        return low(value);
    };
    const auto masked = [&](uint64_t address, uint32_t value, uint32_t mask) -> Words {
        if (optimized_) {
            return {first, narrow(address, "address"), value, mask};
        }
        return {first, reserved(0), low(address), high(address), value, mask, 0};
    };
    Words words = std::visit(
        Overloaded{
            [&](const Write& b) -> Words {
                if (optimized_) {
                    return {first, narrow(b.address, "WRITE address"), b.value};
                }
                return {first, reserved(0), low(b.address), high(b.address), b.value, 0};
            },
            [&](const BlockWrite& b) -> Words {
                Words w = optimized_ ? Words{first, b.address, 0}
                                     : Words{first, reserved(0), b.address, 0};
                w.insert(w.end(), b.data.begin(), b.data.end());
                return w;
            },
            [&](const MaskWrite& b) { return masked(b.address, b.value, b.mask); },
            [&](const MaskPoll& b) { return masked(b.address, b.value, b.mask); },
            [&](const Noop&) -> Words { return {first}; },
            [&](const Preempt& b) -> Words { return {first | uint32_t{b.level} << 8}; },
            [&](const LoadPdi& b) -> Words {
                return {first | uint32_t{b.id} << 16, b.size, low(b.address), high(b.address)};
            },
            [&](const LoadPmStart& b) -> Words {
                if (b.operations >> 24 != 0) {
                    throw FormatError(kContainer, 0, "LOAD_PM_START operations", b.operations,
                                      "does not fit 24 bits");
                }
                return {first | b.operations << 8, b.id};
            },
            [&](const CreateScratchpad& b) -> Words {
                return {first | uint32_t{b.usage} << 8, b.size, low(b.offset), high(b.offset)};
            },
            [&](const UpdateStateTable& b) -> Words {
                return {first | uint32_t{b.index} << 8 | uint32_t{b.function} << 16, b.argument};
            },
            [&](const UpdateRegister& b) -> Words {
                return {first | uint32_t{b.index} << 8 | uint32_t{b.function} << 16, b.argument,
                        b.address};
            },
            [&](const UpdateScratch&) -> Words { return {first}; },
            [&](const Sync& b) -> Words {
                return {first, 0,
                        reserved(0) << 24 | uint32_t{b.column} << 16 | uint32_t{b.row} << 8 |
                            b.direction,
                        uint32_t{b.channel} << 24 | uint32_t{b.columns} << 16 |
                            uint32_t{b.rows} << 8 | reserved(1)};
            },
            [&](const DdrPatch& b) -> Words {
                if (optimized_) {
                    return {first,
                            0,
                            narrow(b.address, "DDR_PATCH address"),
                            narrow(b.argument, "DDR_PATCH argument"),
                            low(b.offset),
                            high(b.offset)};
                }
                Words w = {first, 0, reserved(0), reserved(1), reserved(2), reserved(3)};
                for (const uint64_t field : {b.address, b.argument, b.offset}) {
                    w.push_back(low(field));
                    w.push_back(high(field));
                }
                if (b.compact) {
                    w.pop_back();
                }
                return w;
            },
            [&](const Sized& b) -> Words {
                Words w = {first, 0};
                w.insert(w.end(), b.words.begin(), b.words.end());
                return w;
            },
        },
        operation.body);
    words.insert(words.end(), operation.tail.begin(), operation.tail.end());
    return words;
}

// The words of the operation at the cursor, its frame checked against the table.
Words read_operation(Reader& reader, bool optimized, size_t index) {
    const std::string which = "operation " + std::to_string(index);
    const size_t begin = reader.offset();
    const uint32_t first = reader.u32(which);
    const OpcodeRow* row = find_opcode(static_cast<uint8_t>(first));
    if (row == nullptr) {
        reader.reject(4, which + " opcode", first & 0xFF, "no known operation");
    }
    const Frame frame = optimized ? row->optimized : row->plain;
    if (frame.words == 0) {
        reader.reject(4, which + " opcode", first & 0xFF,
                      std::string(row->name) + " has no public layout");
    }
    const std::string field = which + " (" + std::string(row->name) + ")";
    reader.seek(begin, field);
    Words words = reader.words(frame.words, field);
    if (frame.size_word != 0) {
        const uint32_t size = words[frame.size_word];
        if (size % 4 != 0 || size / 4 < frame.words) {
            throw FormatError(kContainer, begin + size_t{4} * frame.size_word, field + " size",
                              size,
                              "not a multiple of 4 of at least " + std::to_string(4 * frame.words));
        }
        const Words more = reader.words(size / 4 - frame.words, field);
        words.insert(words.end(), more.begin(), more.end());
    }
    return words;
}

}  // namespace

std::string_view txn::opcode_name(uint8_t opcode) {
    const OpcodeRow* row = find_opcode(opcode);
    return row == nullptr ? std::string_view{} : row->name;
}

uint8_t txn::opcode(const Operation& operation) {
    return std::visit(
        Overloaded{
            [](const Write&) -> uint8_t { return kWrite; },
            [](const BlockWrite&) -> uint8_t { return kBlockWrite; },
            [](const MaskWrite&) -> uint8_t { return kMaskWrite; },
            [](const MaskPoll& b) -> uint8_t { return b.busy ? kMaskPollBusy : kMaskPoll; },
            [](const Noop&) -> uint8_t { return kNoop; },
            [](const Preempt&) -> uint8_t { return kPreempt; },
            [](const LoadPdi&) -> uint8_t { return kLoadPdi; },
            [](const LoadPmStart&) -> uint8_t { return kLoadPmStart; },
            [](const CreateScratchpad&) -> uint8_t { return kCreateScratchpad; },
            [](const UpdateStateTable&) -> uint8_t { return kUpdateStateTable; },
            [](const UpdateRegister&) -> uint8_t { return kUpdateRegister; },
            [](const UpdateScratch&) -> uint8_t { return kUpdateScratch; },
            [](const Sync&) -> uint8_t { return kSync; },
            [](const DdrPatch&) -> uint8_t { return kDdrPatch; },
            [](const Sized& b) -> uint8_t { return b.opcode; },
        },
        operation.body);
}

bool looks_like_transaction(ByteView bytes) {
    if (bytes.size() < kHeaderBytes) {
        return false;
    }
    Reader reader(bytes, kContainer);
    const uint16_t version = reader.u16("version");
    reader.seek(12, "size");
    const uint32_t size = reader.u32("size");
    return (version == 0x0100 || version == 0x0001) && size >= kHeaderBytes && size % 4 == 0 &&
           size <= bytes.size();
}

Transaction parse_transaction(ByteView bytes) {
    Reader reader(bytes, kContainer);
    Transaction t;
    t.major = reader.u8("major version");
    t.minor = reader.u8("minor version");
    if (!(t.major == 0 && t.minor == 1) && !t.optimized()) {
        throw FormatError(kContainer, 0, "version", uint64_t{t.major} << 8 | t.minor,
                          "neither 0.1 nor 1.0");
    }
    t.generation = reader.u8("device generation");
    t.rows = reader.u8("rows");
    t.columns = reader.u8("columns");
    t.mem_tile_rows = reader.u8("memory tile rows");
    t.reserved = reader.u16("reserved");
    const uint32_t count = reader.u32("operation count");
    const uint32_t size = reader.u32("size");
    if (size < kHeaderBytes || size > bytes.size()) {
        reader.reject(4, "size", size, "the code has " + std::to_string(bytes.size()) + " bytes");
    }
    t.trailer.assign(bytes.begin() + size, bytes.end());

    Reader body(bytes.first(size), kContainer);
    body.seek(kHeaderBytes, "operations");
    const Codec codec(t.optimized());
    for (uint32_t i = 0; i < count; ++i) {
        t.operations.push_back(codec.decode(read_operation(body, t.optimized(), i)));
    }
    if (body.left() != 0) {
        throw FormatError(
            kContainer, 8, "operation count", count,
            "its operations end at " + hex(body.offset()) + ", the size is " + hex(size));
    }
    return t;
}

Bytes serialize(const Transaction& transaction) {
    const Codec codec(transaction.optimized());
    Words body;
    for (const Operation& operation : transaction.operations) {
        const OpcodeRow* row = find_opcode(txn::opcode(operation));
        const Frame frame = row == nullptr            ? kUnknown
                            : transaction.optimized() ? row->optimized
                                                      : row->plain;
        Words words = codec.encode(operation);
        if (frame.size_word != 0) {
            words[frame.size_word] = static_cast<uint32_t>(words.size() * 4);
        } else if (words.size() != frame.words) {
            throw FormatError(kContainer, kHeaderBytes + body.size() * 4, "opcode",
                              txn::opcode(operation), "cannot be framed in this version");
        }
        body.insert(body.end(), words.begin(), words.end());
    }
    Writer writer;
    for (const uint8_t part : {transaction.major, transaction.minor, transaction.generation,
                               transaction.rows, transaction.columns, transaction.mem_tile_rows}) {
        writer.write(part);
    }
    writer.write(transaction.reserved);
    writer.write(static_cast<uint32_t>(transaction.operations.size()));
    writer.write(static_cast<uint32_t>(kHeaderBytes + body.size() * 4));
    writer.words(body);
    writer.bytes(transaction.trailer);
    return writer.take();
}

void add_to_shim_bd_address(uint32_t& word1, uint32_t& word2, uint64_t value) {
    const uint64_t address = pair(word1, word2 & 0xFFFF) + value;
    word1 = low(address) & ~3U;
    word2 = (word2 & 0xFFFF0000) | (high(address) & 0xFFFF);
}

std::vector<PatchSite> patch_sites(const Transaction& transaction) {
    constexpr uint32_t kBdWordsPatched = 3;
    std::vector<PatchSite> sites;
    const auto& operations = transaction.operations;
    for (size_t i = 0; i < operations.size(); ++i) {
        const auto* patch = std::get_if<DdrPatch>(&operations[i].body);
        if (patch == nullptr) {
            continue;
        }
        // Word 0 or word 1 of a BD, BDs being 32 bytes apart.
        const uint64_t bd = patch->address & ~uint64_t{0xF};
        bool found = false;
        for (size_t j = i; j-- > 0 && !found;) {
            const auto* write = std::get_if<BlockWrite>(&operations[j].body);
            if (write == nullptr || bd < write->address || (bd - write->address) % 4 != 0) {
                continue;
            }
            const uint64_t word = (bd - write->address) / 4;
            if (word + kBdWordsPatched <= write->data.size()) {
                sites.push_back({i, j, static_cast<size_t>(word), *patch});
                found = true;
            }
        }
        if (!found) {
            throw FormatError(kContainer, 0,
                              "operation " + std::to_string(i) + " (DDR_PATCH) address",
                              patch->address, "no block write before it covers that BD");
        }
    }
    return sites;
}

void apply_patches(Transaction& transaction, std::span<const uint64_t> addresses, uint64_t bias) {
    for (const PatchSite& site : patch_sites(transaction)) {
        if (site.what.argument >= addresses.size()) {
            throw FormatError(
                kContainer, 0, "operation " + std::to_string(site.patch) + " (DDR_PATCH) argument",
                site.what.argument, std::to_string(addresses.size()) + " addresses were given");
        }
        Words& data = std::get<BlockWrite>(transaction.operations[site.write].body).data;
        add_to_shim_bd_address(data[site.word + 1], data[site.word + 2],
                               addresses[site.what.argument] + site.what.offset + bias);
    }
    std::erase_if(transaction.operations,
                  [](const Operation& op) { return std::holds_alternative<DdrPatch>(op.body); });
}

}  // namespace xdna::image
