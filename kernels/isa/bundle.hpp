#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kernels/isa/operation.hpp"

namespace xdna::isa {

inline constexpr unsigned kMaxOperands = 6;
inline constexpr unsigned kMaxSlots = 6;
inline constexpr unsigned kMaxBundleBytes = 16;

/// The value of one operand: a register, or an immediate in units of one (bytes for offsets).
class Value {
  public:
    constexpr Value() = default;
    constexpr explicit Value(std::int32_t immediate) : bits_(immediate) {}
    constexpr explicit Value(Register reg)
        : bits_(static_cast<std::int32_t>(reg.file) << 8 | reg.index) {}

    [[nodiscard]] constexpr std::int32_t immediate() const { return bits_; }
    [[nodiscard]] constexpr Register reg() const {
        return {static_cast<RegisterFile>(bits_ >> 8), static_cast<std::uint8_t>(bits_ & 0xff)};
    }
    friend bool operator==(const Value&, const Value&) = default;

  private:
    std::int32_t bits_ = 0;
};

/// One operation with its operands, in the order of Operation::operands(). 26 bytes, no strings:
/// fit to be executed.
struct Instruction {
    Op op;
    std::array<Value, kMaxOperands> values{};

    friend bool operator==(const Instruction&, const Instruction&) = default;
};

/// What issues in one cycle: the slots of one format, in the order of the format's name. Slots that
/// the text left out hold their nop.
struct Bundle {
    Format format;
    std::uint8_t size;   ///< bytes
    std::uint8_t count;  ///< instructions
    std::array<Instruction, kMaxSlots> slots{};

    [[nodiscard]] std::span<const Instruction> instructions() const {
        return {slots.data(), count};
    }
    friend bool operator==(const Bundle&, const Bundle&) = default;
};

/// A bundle format (a row of formats.tsv).
struct FormatInfo {
    std::string_view name;
    unsigned size;        ///< bytes
    std::uint32_t slots;  ///< set of bit(Slot)
};
[[nodiscard]] FormatInfo info(Format format);
[[nodiscard]] std::optional<Format> find_format(std::string_view name);

[[nodiscard]] constexpr std::uint32_t bit(Slot slot) {
    return 1U << static_cast<unsigned>(slot);
}
[[nodiscard]] constexpr std::uint32_t bit(RegisterFile file) {
    return 1U << static_cast<unsigned>(file);
}

/// The shortest format of at least `bytes` bytes that has all of these slots; of several, the one
/// with the fewest others. The format of 64 bits whose nop slot is a mere marker is taken only if
/// the nop slot is asked for.
[[nodiscard]] std::optional<Format> shortest_format(std::uint32_t slots, unsigned bytes = 0);

/// Why bytes are not a bundle.
struct DecodeFailure {
    enum class Reason : std::uint8_t { kTruncated, kFormat, kOperation } reason;
    unsigned size;       ///< of the bundle by its low bits; bytes
    Slot slot;           ///< kOperation: the slot whose word is no operation
    std::uint64_t word;  ///< kOperation: that word
};
[[nodiscard]] std::string describe(const DecodeFailure& failure);

/// Size of the bundle that starts with this byte, from its low bits.
[[nodiscard]] unsigned bundle_size(std::uint8_t first);

/// Decodes the bundle at the start of `code`. Bits that the format or the operation ignores are
/// ignored. Gives the reason in `failure` if there is none.
[[nodiscard]] std::optional<Bundle> decode(std::span<const std::uint8_t> code,
                                           DecodeFailure* failure = nullptr);

/// Decodes the word of one slot.
[[nodiscard]] std::optional<Instruction> decode(Slot slot, std::uint64_t word);

struct EncodedBundle {
    std::array<std::uint8_t, kMaxBundleBytes> storage{};
    unsigned size = 0;

    [[nodiscard]] std::span<const std::uint8_t> bytes() const& { return {storage.data(), size}; }
    void bytes() const&& = delete;
};

/// Encodes a bundle in its format. Throws std::invalid_argument if a value is not one that its
/// operand can have, or an instruction is not of the format's slot at its place.
[[nodiscard]] EncodedBundle encode(const Bundle& bundle);
[[nodiscard]] std::uint64_t encode(const Instruction& instruction);

/// Puts instructions (of different slots, in any order) into a format that has their slots; nops
/// fill the rest.
[[nodiscard]] Bundle make_bundle(std::span<const Instruction> instructions, Format format);

/// The operand's bits for this register or immediate; nothing if the class does not have it.
[[nodiscard]] std::optional<std::uint64_t> encode(const OperandClass& type, Value value);
[[nodiscard]] std::optional<Value> decode(const OperandClass& type, std::uint64_t bits);

/// The first bit of a slot in a format, counted from the lowest of the bundle.
[[nodiscard]] std::optional<unsigned> slot_offset(Format format, Slot slot);

/// llvm-aie's assembly syntax; immediates in decimal.
[[nodiscard]] std::string print(const Instruction& instruction);
/// Slots in the order of the format, joined by "; ". The marker of the nop slot beside others is
/// left out unless asked for.
[[nodiscard]] std::string print(const Bundle& bundle, bool with_marker = false);

/// Does the text of the bundle, assembled, give the same format? It does not for bundles of 64 bits
/// with the nop marker, unless that is printed.
[[nodiscard]] bool is_canonical(const Bundle& bundle);

}  // namespace xdna::isa
