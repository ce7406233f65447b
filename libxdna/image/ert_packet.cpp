#include "libxdna/image/ert_packet.hpp"

#include "libxdna/image/overloaded.hpp"

namespace xdna::image {
namespace {

using namespace ert;

constexpr std::string_view kContainer = "ERT packet";

// Header: state 3:0, custom 11:4 (extra CU masks 11:10), count 22:12, opcode 27:23, type 31:28.
constexpr uint32_t kMaxCount = 0x7FF;
constexpr uint32_t kMaxExtraMasks = 3;
constexpr uint8_t kExtraMasks = 0xC0;  // within custom

CuMasks read_masks(Reader& payload, uint8_t custom) {
    CuMasks masks;
    masks.first = payload.u32("CU mask");
    masks.extra = payload.words(custom >> 6, "extra CU masks");
    return masks;
}

Words read_rest(Reader& payload, std::string_view field) {
    return payload.words(payload.left() / 4, field);
}

void read_tail(Reader& payload, Words& properties, Words& arguments) {
    const uint32_t count = payload.u32("property count");
    properties = payload.words(count, "properties");
    arguments = read_rest(payload, "arguments");
}

decltype(Packet::body) parse_body(uint8_t opcode, uint8_t custom, Reader& payload) {
    switch (opcode) {
        case kStartCu: {
            StartCu b{read_masks(payload, custom), {}};
            b.registers = read_rest(payload, "register map");
            return b;
        }
        case kStartNpu: {
            StartNpu b;
            b.cu = read_masks(payload, custom);
            payload.read(b.instructions, "instruction buffer");
            payload.read(b.instruction_bytes, "instruction buffer size");
            read_tail(payload, b.properties, b.arguments);
            return b;
        }
        case kStartNpuPreempt:
        case kStartNpuPreemptElf: {
            StartNpuPreempt b;
            b.elf = opcode == kStartNpuPreemptElf;
            b.cu = read_masks(payload, custom);
            payload.read(b.instructions, "instruction buffer");
            payload.read(b.save, "save buffer");
            payload.read(b.restore, "restore buffer");
            payload.read(b.instruction_bytes, "instruction buffer size");
            payload.read(b.save_bytes, "save buffer size");
            payload.read(b.restore_bytes, "restore buffer size");
            read_tail(payload, b.properties, b.arguments);
            return b;
        }
        case kCmdChain: {
            CmdChain b;
            const uint32_t count = payload.u32("command count");
            payload.read(b.submit_index, "submit index");
            payload.read(b.error_index, "error index");
            payload.read(b.reserved, "reserved");
            if (count > payload.left() / 8) {
                throw FormatError(kContainer, 4, "command count", count,
                                  "the packet has room for " + std::to_string(payload.left() / 8));
            }
            b.commands.resize(count);
            for (uint64_t& command : b.commands) {
                payload.read(command, "command handle");
            }
            b.rest = read_rest(payload, "rest");
            return b;
        }
        default:
            return Other{opcode, read_rest(payload, "payload")};
    }
}

void write_masks(Writer& out, const CuMasks& masks) {
    if (masks.extra.size() > kMaxExtraMasks) {
        throw FormatError(kContainer, 0, "extra CU masks", masks.extra.size(), "at most 3");
    }
    out.write(masks.first);
    out.words(masks.extra);
}

void write_tail(Writer& out, const Words& properties, const Words& arguments) {
    out.write(static_cast<uint32_t>(properties.size()));
    out.words(properties);
    out.words(arguments);
}

}  // namespace

std::string_view ert::state_name(State state) {
    constexpr std::array<std::string_view, 10> kNames = {
        "",      "new",   "queued",    "running", "completed",
        "error", "abort", "submitted", "timeout", "no response"};
    const auto index = static_cast<size_t>(state);
    return index < kNames.size() ? kNames[index] : std::string_view{};
}

std::string_view ert::opcode_name(uint8_t opcode) {
    switch (opcode) {
        case kStartCu:
            return "START_CU";
        case kCmdChain:
            return "CMD_CHAIN";
        case kStartNpu:
            return "START_NPU";
        case kStartNpuPreempt:
            return "START_NPU_PREEMPT";
        case kStartNpuPreemptElf:
            return "START_NPU_PREEMPT_ELF";
        default:
            return {};
    }
}

uint8_t ert::opcode(const Packet& packet) {
    return std::visit(Overloaded{
                          [](const StartCu&) -> uint8_t { return kStartCu; },
                          [](const StartNpu&) -> uint8_t { return kStartNpu; },
                          [](const StartNpuPreempt& b) -> uint8_t {
                              return b.elf ? kStartNpuPreemptElf : kStartNpuPreempt;
                          },
                          [](const CmdChain&) -> uint8_t { return kCmdChain; },
                          [](const Other& b) -> uint8_t { return b.opcode; },
                      },
                      packet.body);
}

Packet parse_ert_packet(ByteView bytes) {
    Reader reader(bytes, kContainer);
    const uint32_t header = reader.u32("header");
    const uint32_t count = header >> 12 & kMaxCount;
    if (count > reader.left() / 4) {
        reader.reject(4, "header count", count,
                      std::to_string(reader.left() / 4) + " words follow");
    }
    Packet packet;
    packet.state = header & 0xF;
    packet.custom = static_cast<uint8_t>(header >> 4);
    packet.type = static_cast<uint8_t>(header >> 28);
    Reader payload(bytes.first(size_t{4} * (1 + count)), kContainer);
    payload.seek(4, "payload");
    packet.body = parse_body(header >> 23 & 0x1F, packet.custom, payload);
    return packet;
}

Bytes serialize(const Packet& packet) {
    Writer payload;
    uint8_t custom = packet.custom;
    const auto masks = [&](const CuMasks& cu) {
        write_masks(payload, cu);
        custom = static_cast<uint8_t>((custom & ~kExtraMasks) | cu.extra.size() << 6);
    };
    std::visit(
        Overloaded{
            [&](const StartCu& b) {
                masks(b.cu);
                payload.words(b.registers);
            },
            [&](const StartNpu& b) {
                masks(b.cu);
                payload.write(b.instructions);
                payload.write(b.instruction_bytes);
                write_tail(payload, b.properties, b.arguments);
            },
            [&](const StartNpuPreempt& b) {
                masks(b.cu);
                for (const uint64_t address : {b.instructions, b.save, b.restore}) {
                    payload.write(address);
                }
                for (const uint32_t size : {b.instruction_bytes, b.save_bytes, b.restore_bytes}) {
                    payload.write(size);
                }
                write_tail(payload, b.properties, b.arguments);
            },
            [&](const CmdChain& b) {
                payload.write(static_cast<uint32_t>(b.commands.size()));
                payload.write(b.submit_index);
                payload.write(b.error_index);
                payload.write(b.reserved);
                for (const uint64_t command : b.commands) {
                    payload.write(command);
                }
                payload.words(b.rest);
            },
            [&](const Other& b) { payload.words(b.payload); },
        },
        packet.body);
    const size_t count = payload.size() / 4;
    if (count > kMaxCount) {
        throw FormatError(kContainer, 0, "header count", count, "at most 2047 words");
    }
    if (packet.state > 0xF || packet.type > 0xF || ert::opcode(packet) > 0x1F) {
        throw FormatError(kContainer, 0, "header", packet.state,
                          "state and type have 4 bits, the opcode 5");
    }
    Writer out;
    out.write(static_cast<uint32_t>(packet.state | custom << 4 | count << 12 |
                                    uint32_t{ert::opcode(packet)} << 23 |
                                    uint32_t{packet.type} << 28));
    out.bytes(payload.view());
    return out.take();
}

}  // namespace xdna::image
