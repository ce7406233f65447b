#include "libxdna/image/cdo.hpp"

#include <array>

#include "libxdna/image/overloaded.hpp"

namespace xdna::image {
namespace {

using namespace cdo;

// Header: remaining header words, "CDO\0", version, body words, NOT of the sum of these.
constexpr uint32_t kHeaderWords = 5;
constexpr uint32_t kRemainingHeaderWords = 4;
constexpr uint32_t kMagic = 0x004F4443;
constexpr uint32_t kVersion = 0x200;
constexpr uint32_t kLongLength = 255;

struct OpcodeRow {
    uint16_t opcode;
    std::string_view name;
    uint32_t least_words;  // of payload
    uint32_t most_words;
};
constexpr uint32_t kAny = UINT32_MAX;
constexpr OpcodeRow kOpcodes[] = {
    {kEndMark, "END_MARK", 0, kAny},
    {kMaskPoll, "MASK_POLL", 4, 6},
    {kMaskWrite, "MASK_WRITE", 3, 3},
    {kWrite, "WRITE", 2, 2},
    {kDelay, "DELAY", 1, 1},
    {kDmaWrite, "DMA_WRITE", 2, kAny},
    {kMaskPoll64, "MASK_POLL64", 5, 7},
    {kMaskWrite64, "MASK_WRITE64", 4, 4},
    {kWrite64, "WRITE64", 3, 3},
    {kDmaTransfer, "DMA_XFER", 6, 6},
    {kFill, "SET", 4, 4},
    {kKeyholeWrite, "DMA_WRITE_KEYHOLE", 3, kAny},
    {kNop, "NOP", 0, kAny},
    {kMarker, "MARKER", 0, kAny},
    {kProc, "PROC", 0, kAny},
    {kBlockBegin, "BEGIN", 0, kAny},
    {kBlockEnd, "END", 0, kAny},
    {kBreak, "BREAK", 0, kAny},
    {kScatterWrite, "SCATTER_WRITE", 0, kAny},
    {kScatterWrite2, "SCATTER_WRITE2", 0, kAny},
};

const OpcodeRow* find_opcode(uint16_t opcode) {
    for (const OpcodeRow& row : kOpcodes) {
        if (row.opcode == opcode) {
            return &row;
        }
    }
    return nullptr;
}

uint32_t sum(std::span<const uint32_t> words) {
    uint32_t total = 0;
    for (const uint32_t word : words) {
        total += word;
    }
    return total;
}

// Takes values off a payload whose length was checked.
class Payload {
  public:
    explicit Payload(Words words) : words_(std::move(words)) {}
    uint32_t word() { return words_[at_++]; }
    uint64_t pair() {
        const uint64_t high = word();
        return high << 32 | word();
    }
    uint64_t address(bool wide) { return wide ? pair() : word(); }
    std::optional<uint32_t> optional() {
        return at_ < words_.size() ? std::optional(word()) : std::nullopt;
    }
    Words rest() { return {words_.begin() + static_cast<ptrdiff_t>(at_), words_.end()}; }

  private:
    Words words_;
    size_t at_ = 0;
};

decltype(Command::body) parse_body(uint16_t opcode, Payload p) {
    switch (opcode) {
        case kWrite:
        case kWrite64: {
            const bool wide = opcode == kWrite64;
            const uint64_t address = p.address(wide);
            return Write{address, p.word(), wide};
        }
        case kMaskWrite:
        case kMaskWrite64: {
            const bool wide = opcode == kMaskWrite64;
            MaskWrite c{p.address(wide), 0, 0, wide};
            c.mask = p.word();
            c.value = p.word();
            return c;
        }
        case kMaskPoll:
        case kMaskPoll64: {
            MaskPoll c;
            c.wide = opcode == kMaskPoll64;
            c.address = p.address(c.wide);
            c.mask = p.word();
            c.value = p.word();
            c.timeout = p.word();
            c.flags = p.optional();
            c.error_code = p.optional();
            return c;
        }
        case kDelay:
            return Delay{p.word()};
        case kDmaWrite: {
            const uint64_t address = p.pair();
            return DmaWrite{address, p.rest()};
        }
        case kDmaTransfer: {
            DmaTransfer c;
            c.source = p.pair();
            c.destination = p.pair();
            c.words = p.word();
            c.flags = p.word();
            return c;
        }
        case kFill: {
            Fill c{p.pair(), 0, 0};
            c.words = p.word();
            c.value = p.word();
            return c;
        }
        case kKeyholeWrite: {
            KeyholeWrite c{p.pair(), 0, {}};
            c.keyhole = p.word();
            c.data = p.rest();
            return c;
        }
        case kNop:
            return Nop{p.rest()};
        case kEndMark:
            return EndMark{p.rest()};
        default:
            return Other{opcode, p.rest()};
    }
}

Command parse_command(Reader& reader) {
    const uint32_t header = reader.u32("command");
    const auto opcode = static_cast<uint16_t>(header);
    if (header >> 24 != 0) {
        reader.reject(4, "command", header, "bits 31:24 are set");
    }
    uint32_t count = header >> 16 & 0xFF;
    Command command;
    if (count == kLongLength) {
        count = reader.u32("command length");
        command.long_form = true;
    }
    const OpcodeRow* row = find_opcode(opcode);
    if (row != nullptr && (count < row->least_words || count > row->most_words)) {
        reader.reject(4, std::string(row->name) + " length", count, "not a length of this command");
    }
    command.body =
        parse_body(opcode, Payload(reader.words(count, row ? row->name : "unknown command")));
    return command;
}

void put_pair(Words& out, uint64_t value) {
    out.push_back(static_cast<uint32_t>(value >> 32));
    out.push_back(static_cast<uint32_t>(value));
}

void put_address(Words& out, uint64_t address, bool wide, uint16_t opcode) {
    if (wide) {
        put_pair(out, address);
    } else if (address > UINT32_MAX) {
        throw FormatError("CDO", 0, std::string(opcode_name(opcode)) + " address", address,
                          "needs the 64-bit form of the command");
    } else {
        out.push_back(static_cast<uint32_t>(address));
    }
}

Words payload(const Command& command) {
    Words out;
    const auto put = [&](std::initializer_list<uint32_t> words) {
        out.insert(out.end(), words.begin(), words.end());
    };
    const uint16_t op = cdo::opcode(command);
    std::visit(Overloaded{
                   [&](const Write& c) {
                       put_address(out, c.address, c.wide, op);
                       put({c.value});
                   },
                   [&](const MaskWrite& c) {
                       put_address(out, c.address, c.wide, op);
                       put({c.mask, c.value});
                   },
                   [&](const MaskPoll& c) {
                       put_address(out, c.address, c.wide, op);
                       put({c.mask, c.value, c.timeout});
                       if (c.flags) {
                           put({*c.flags});
                       }
                       if (c.error_code) {
                           if (!c.flags) {
                               throw FormatError("CDO", 0, "MASK_POLL error_code", *c.error_code,
                                                 "needs flags before it");
                           }
                           put({*c.error_code});
                       }
                   },
                   [&](const Delay& c) { put({c.cycles}); },
                   [&](const DmaWrite& c) {
                       put_pair(out, c.address);
                       out.insert(out.end(), c.data.begin(), c.data.end());
                   },
                   [&](const DmaTransfer& c) {
                       put_pair(out, c.source);
                       put_pair(out, c.destination);
                       put({c.words, c.flags});
                   },
                   [&](const Fill& c) {
                       put_pair(out, c.address);
                       put({c.words, c.value});
                   },
                   [&](const KeyholeWrite& c) {
                       put_pair(out, c.address);
                       put({c.keyhole});
                       out.insert(out.end(), c.data.begin(), c.data.end());
                   },
                   [&](const Nop& c) { out = c.words; },
                   [&](const EndMark& c) { out = c.words; },
                   [&](const Other& c) { out = c.words; },
               },
               command.body);
    return out;
}

}  // namespace

std::string_view cdo::opcode_name(uint16_t opcode) {
    const OpcodeRow* row = find_opcode(opcode);
    return row == nullptr ? std::string_view{} : row->name;
}

uint16_t cdo::opcode(const Command& command) {
    return std::visit(
        Overloaded{
            [](const Write& c) -> uint16_t { return c.wide ? kWrite64 : kWrite; },
            [](const MaskWrite& c) -> uint16_t { return c.wide ? kMaskWrite64 : kMaskWrite; },
            [](const MaskPoll& c) -> uint16_t { return c.wide ? kMaskPoll64 : kMaskPoll; },
            [](const Delay&) -> uint16_t { return kDelay; },
            [](const DmaWrite&) -> uint16_t { return kDmaWrite; },
            [](const DmaTransfer&) -> uint16_t { return kDmaTransfer; },
            [](const Fill&) -> uint16_t { return kFill; },
            [](const KeyholeWrite&) -> uint16_t { return kKeyholeWrite; },
            [](const Nop&) -> uint16_t { return kNop; },
            [](const EndMark&) -> uint16_t { return kEndMark; },
            [](const Other& c) -> uint16_t { return c.opcode; },
        },
        command.body);
}

Cdo parse_cdo(ByteView bytes) {
    Reader reader(bytes, "CDO");
    std::array<uint32_t, kHeaderWords> header{};
    reader.read(header, "header");
    const auto check = [&](size_t word, std::string_view field, uint32_t expected) {
        if (header[word] != expected) {
            throw FormatError("CDO", 4 * word, field, header[word], "expected " + hex(expected));
        }
    };
    check(0, "header length", kRemainingHeaderWords);
    check(1, "magic", kMagic);
    check(2, "version", kVersion);
    check(4, "checksum", ~sum(std::span(header).first(4)));
    if (uint64_t{header[3]} * 4 != reader.left()) {
        throw FormatError("CDO", 12, "body length in words", header[3],
                          hex(reader.left()) + " bytes follow the header");
    }
    Cdo cdo;
    while (reader.left() > 0) {
        cdo.commands.push_back(parse_command(reader));
    }
    return cdo;
}

Bytes serialize(const Cdo& cdo) {
    Words body;
    for (const Command& command : cdo.commands) {
        const Words words = payload(command);
        const uint16_t op = cdo::opcode(command);
        if (command.long_form || words.size() >= kLongLength) {
            body.push_back(kLongLength << 16 | op);
            body.push_back(static_cast<uint32_t>(words.size()));
        } else {
            body.push_back(static_cast<uint32_t>(words.size()) << 16 | op);
        }
        body.insert(body.end(), words.begin(), words.end());
    }
    const std::array<uint32_t, 4> header = {kRemainingHeaderWords, kMagic, kVersion,
                                            static_cast<uint32_t>(body.size())};
    Writer writer;
    writer.words(header);
    writer.write(~sum(header));
    writer.words(body);
    return writer.take();
}

}  // namespace xdna::image
