#include "libxdna/image/text.hpp"

#include "libxdna/image/overloaded.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::image {
namespace {

// Block writes of registers are listed up to here; the rest is counted.
constexpr size_t kMaxListed = 64;

std::string padded(std::string_view name) {
    std::string text(name);
    text.resize(std::max<size_t>(text.size() + 1, 14), ' ');
    return text;
}

std::optional<RegisterHit> register_at(uint64_t address) {
    if (address > UINT32_MAX) {
        return std::nullopt;
    }
    const TileAddress at = TileAddress::decode(static_cast<uint32_t>(address));
    return find_register(at.kind(), at.offset);
}

std::string words_text(const Words& words) {
    std::string text;
    for (const uint32_t word : words) {
        text += (text.empty() ? "" : " ") + hex(word);
    }
    return text;
}

std::string block_text(uint64_t address, const Words& data) {
    std::string text = address_text(address) + ", " + std::to_string(data.size()) + " words";
    const auto hit = register_at(address);
    if (hit && hit->reg->is_memory()) {
        return text;
    }
    for (size_t i = 0; i < data.size() && i < kMaxListed; ++i) {
        const uint64_t at = address + 4 * i;
        text += "\n    " + address_text(at) + " " + value_text(at, data[i]);
    }
    if (data.size() > kMaxListed) {
        text += "\n    and " + std::to_string(data.size() - kMaxListed) + " more";
    }
    return text;
}

std::string masked_text(uint64_t address, uint32_t mask, uint32_t value) {
    return address_text(address) + " & " + hex(mask) + " " + value_text(address, value);
}

std::string cu_text(const ert::CuMasks& cu) {
    return " CU mask " + hex(cu.first) + (cu.extra.empty() ? "" : " " + words_text(cu.extra));
}

}  // namespace

std::string address_text(uint64_t address) {
    if (address > UINT32_MAX) {
        return hex(address);
    }
    const TileAddress at = TileAddress::decode(static_cast<uint32_t>(address));
    return "(" + std::to_string(at.column) + "," + std::to_string(at.row) + ") " +
           register_name(at.kind(), at.offset);
}

std::string value_text(uint64_t address, uint32_t value) {
    std::string text = "= " + hex(value);
    const auto hit = register_at(address);
    if (!hit || hit->reg->is_memory() || hit->reg->bits != 32 || hit->byte != 0) {
        return text;
    }
    std::string fields;
    for_each_field(*hit->reg, [&](const Field& field) {
        // A field that is the whole register says nothing more.
        if (field.get(value) != 0 && field.width < 32) {
            fields += (fields.empty() ? "" : ", ") + std::string(field.name) + " " +
                      std::to_string(field.get(value));
        }
    });
    return fields.empty() ? text : text + " {" + fields + "}";
}

std::string to_text(const cdo::Command& command) {
    using namespace cdo;
    const uint16_t op = cdo::opcode(command);
    const std::string_view known = opcode_name(op);
    const std::string name = padded(known.empty() ? hex(op) : known);
    return name +
           std::visit(
               Overloaded{
                   [](const Write& c) {
                       return address_text(c.address) + " " + value_text(c.address, c.value);
                   },
                   [](const MaskWrite& c) { return masked_text(c.address, c.mask, c.value); },
                   [](const MaskPoll& c) {
                       return masked_text(c.address, c.mask, c.value) + ", timeout " +
                              std::to_string(c.timeout);
                   },
                   [](const Delay& c) { return std::to_string(c.cycles) + " cycles"; },
                   [](const DmaWrite& c) { return block_text(c.address, c.data); },
                   [](const DmaTransfer& c) {
                       return hex(c.source) + " to " + address_text(c.destination) + ", " +
                              std::to_string(c.words) + " words, flags " + hex(c.flags);
                   },
                   [](const Fill& c) {
                       return address_text(c.address) + ", " + std::to_string(c.words) +
                              " words, each " + hex(c.value);
                   },
                   [](const KeyholeWrite& c) {
                       return address_text(c.address) + ", " + std::to_string(c.data.size()) +
                              " words through " + hex(c.keyhole);
                   },
                   [](const Nop& c) { return std::to_string(c.words.size()) + " words"; },
                   [](const EndMark& c) { return words_text(c.words); },
                   [](const Other& c) { return words_text(c.words); },
               },
               command.body);
}

std::string to_text(const txn::Operation& operation) {
    using namespace txn;
    return padded(opcode_name(txn::opcode(operation))) +
           std::visit(
               Overloaded{
                   [](const Write& b) {
                       return address_text(b.address) + " " + value_text(b.address, b.value);
                   },
                   [](const BlockWrite& b) { return block_text(b.address, b.data); },
                   [](const MaskWrite& b) { return masked_text(b.address, b.mask, b.value); },
                   [](const MaskPoll& b) { return masked_text(b.address, b.mask, b.value); },
                   [](const Noop&) { return std::string(); },
                   [](const Preempt& b) { return "level " + std::to_string(b.level); },
                   [](const LoadPdi& b) {
                       return "id " + std::to_string(b.id) + ", " + std::to_string(b.size) +
                              " bytes at " + hex(b.address);
                   },
                   [](const LoadPmStart& b) {
                       return "id " + std::to_string(b.id) + ", " + std::to_string(b.operations) +
                              " operations";
                   },
                   [](const CreateScratchpad& b) {
                       return "usage " + std::to_string(b.usage) + ", " + std::to_string(b.size) +
                              " bytes at " + hex(b.offset);
                   },
                   [](const UpdateStateTable& b) {
                       return "entry " + std::to_string(b.index) + ", function " +
                              std::to_string(b.function) + ", argument " + hex(b.argument);
                   },
                   [](const UpdateRegister& b) {
                       return address_text(b.address) + ", entry " + std::to_string(b.index) +
                              ", function " + std::to_string(b.function) + ", argument " +
                              hex(b.argument);
                   },
                   [](const UpdateScratch&) { return std::string(); },
                   [](const Sync& b) {
                       std::string text =
                           "wait for " + std::string(b.direction == 0 ? "S2MM" : "MM2S") +
                           " channel " + std::to_string(b.channel) + " of (" +
                           std::to_string(b.column) + "," + std::to_string(b.row) + ")";
                       if (b.columns != 1 || b.rows != 1) {
                           text += ", " + std::to_string(b.columns) + " columns by " +
                                   std::to_string(b.rows) + " rows";
                       }
                       return text;
                   },
                   [](const DdrPatch& b) {
                       return address_text(b.address) + " += buffer " + std::to_string(b.argument) +
                              " + " + hex(b.offset);
                   },
                   [](const Sized& b) { return words_text(b.words); },
               },
               operation.body);
}

std::string to_text(const DpuInstruction& instruction) {
    return padded(dpu_opcode_name(instruction.opcode())) + "(" +
           std::to_string(instruction.column()) + "," + std::to_string(instruction.row()) + ") " +
           hex(instruction.low()) +
           (instruction.operands.empty() ? "" : ": " + words_text(instruction.operands));
}

std::string to_text(const ert::Packet& packet) {
    using namespace ert;
    const std::string_view known = ert::opcode_name(ert::opcode(packet));
    const std::string_view state = state_name(static_cast<State>(packet.state));
    const std::string name =
        (known.empty() ? hex(ert::opcode(packet)) : std::string(known)) + ", " +
        (state.empty() ? "state " + hex(packet.state) : std::string(state)) + ",";
    const auto arguments = [](const Words& properties, const Words& words) {
        return (properties.empty() ? "" : ", properties " + words_text(properties)) +
               (words.empty() ? "" : ", arguments " + words_text(words));
    };
    return name +
           std::visit(Overloaded{
                          [](const StartCu& b) {
                              return cu_text(b.cu) + ", registers " + words_text(b.registers);
                          },
                          [&](const StartNpu& b) {
                              return cu_text(b.cu) + ", " + std::to_string(b.instruction_bytes) +
                                     " bytes of instructions at " + hex(b.instructions) +
                                     arguments(b.properties, b.arguments);
                          },
                          [&](const StartNpuPreempt& b) {
                              return cu_text(b.cu) + ", " + std::to_string(b.instruction_bytes) +
                                     " bytes of instructions at " + hex(b.instructions) +
                                     ", save " + std::to_string(b.save_bytes) + " at " +
                                     hex(b.save) + ", restore " + std::to_string(b.restore_bytes) +
                                     " at " + hex(b.restore) + arguments(b.properties, b.arguments);
                          },
                          [](const CmdChain& b) {
                              std::string text = " " + std::to_string(b.commands.size()) +
                                                 " commands, submitted " +
                                                 std::to_string(b.submit_index) + ", failed " +
                                                 std::to_string(b.error_index) + ":";
                              for (const uint64_t command : b.commands) {
                                  text += " " + std::to_string(command);
                              }
                              return text;
                          },
                          [](const Other& b) { return " " + words_text(b.payload); },
                      },
                      packet.body);
}

}  // namespace xdna::image
