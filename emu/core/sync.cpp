// What waits for, or tells, the rest of the array: locks, streams, cascade, registers, events.
#include <algorithm>
#include <bit>

#include "emu/core/lanes.hpp"
#include "emu/core/semantics.hpp"

namespace xdna::emu::core {
namespace {

using isa::RegisterFile;

const isa::Atom r26_atom = atom_of(RegisterFile::kR, 26);
const isa::Atom r28_atom = atom_of(RegisterFile::kR, 28);
const isa::Atom ss0_atom = atom_of(RegisterFile::kSr, 7);
const isa::Atom ms0_atom = atom_of(RegisterFile::kSr, 5);

// srSS0 and srMS0: bit 1 success, and of an input bit 0 tlast.
constexpr uint32_t kSuccess = 2;

constexpr uint32_t kConditional = 1;

// The condition's polarity is open: acts if r26 is not 0 (silicon-questions).
bool skipped(Pipeline& p, const Exec& e) {
    return e.parameter & kConditional && p.state.scalar(r26_atom) == 0;
}

// Every lock operation costs one stall cycle even when the lock is free (FIM43-Redeye/xdna-emu,
// docs/fidelity-gaps/core-compute-timing.md, observed on silicon).
constexpr unsigned kLockCycles = 1;

bool acquire(Pipeline& p, const Exec& e) {
    if (skipped(p, e)) {
        return true;
    }
    const uint32_t id = p.read(e, 0);
    const auto change = static_cast<int32_t>(p.read(e, 1));
    if (p.bus().acquire(id, change)) {
        p.stall(kLockCycles);
        return true;
    }
    return p.waits_for(Stall::kLock, id, change);
}
bool release(Pipeline& p, const Exec& e) {
    if (!skipped(p, e)) {
        p.bus().release(p.read(e, 0), static_cast<int32_t>(p.read(e, 1)));
        p.stall(kLockCycles);
    }
    return true;
}

constexpr uint32_t kNonBlocking = 1;
constexpr uint32_t kTlast = 2;
constexpr uint32_t kTlastRegister = 4;

bool stream_read(Pipeline& p, const Exec& e) {
    uint32_t word = 0;
    bool tlast = false;
    const bool success = p.bus().stream_read(word, tlast);
    if (!success && !(e.parameter & kNonBlocking)) {
        return p.waits_for(Stall::kStreamIn);
    }
    if (success) {
        p.write(e, 0, word);
    }
    p.write_atom(ss0_atom, (success ? kSuccess : 0) | tlast, 8);
    return true;
}

// Sends `word`; the low bits of the parameter say how.
bool send(Pipeline& p, const Exec& e, uint32_t word) {
    const bool tlast =
        e.parameter & kTlast || (e.parameter & kTlastRegister && p.state.scalar(r28_atom) != 0);
    const bool success = p.bus().stream_write(word, tlast);
    if (!success && !(e.parameter & kNonBlocking)) {
        return p.waits_for(Stall::kStreamOut);
    }
    if (e.parameter & kNonBlocking) {
        p.write_atom(ms0_atom, success ? kSuccess : 0, 3);
    }
    return true;
}
bool stream_write(Pipeline& p, const Exec& e) {
    return send(p, e, p.read(e, 0));
}

// Odd parity over the whole word, in bit 31 (array.md 5).
uint32_t with_parity(uint32_t word) {
    return word | (std::popcount(word) % 2 ? 0 : 1U << 31);
}
// Packet header: stream id 4:0, type 14:12, source row 20:16 and column 27:21.
bool packet_header(Pipeline& p, const Exec& e) {
    const Tile tile = p.bus().tile();
    return send(p, e,
                with_parity((p.read(e, 0) & 31) | (p.read(e, 1) & 7) << 12 |
                            static_cast<uint32_t>(tile.row) << 16 |
                            static_cast<uint32_t>(tile.column) << 21));
}
// Control packet: address 19:0, beats - 1 21:20, operation 23:22, response id 30:24 (formats.md
// 4.5). Operands: address, words, operation, id.
bool control_packet_header(Pipeline& p, const Exec& e) {
    return send(p, e,
                with_parity((p.read(e, 0) & 0xFFFFF) | (p.read(e, 1) & 3) << 20 |
                            (p.read(e, 2) & 3) << 22 | (p.read(e, 3) & 0x7F) << 24));
}

// ---- the cascade: 512 bits, the first cell least significant ----

void check_enabled(Pipeline& p, Control which, const char* name) {
    if (control(p, which) == 0) {
        p.trap(std::string("cascade access with ") + name + " 0 (its effect is open)");
    }
}

bool cascade_write(Pipeline& p, const Exec& e) {
    check_enabled(p, Control::kMcdEnable, "crMCDEn");
    const auto lanes = read_lanes<uint32_t, 2>(p, e, 0);
    if (!p.bus().cascade_write(lanes)) {
        return p.waits_for(Stall::kCascadeOut);
    }
    return true;
}

// Into 512 bits, or into one half of an accumulator; its other half becomes 0 (silicon-questions).
constexpr uint32_t kHighHalf = 1;

bool cascade_read(Pipeline& p, const Exec& e) {
    check_enabled(p, Control::kScdEnable, "crSCDEn");
    CascadeWord word;
    if (!p.bus().cascade_read(word)) {
        return p.waits_for(Stall::kCascadeIn);
    }
    if (e.operands[0].cells == 2) {
        write_lanes(p, e, 0, word);
        return true;
    }
    Lanes<uint32_t, 4> expanded{};
    std::copy(word.begin(), word.end(), expanded.begin() + (e.parameter & kHighHalf ? 16 : 0));
    write_lanes(p, e, 0, expanded);
    return true;
}

// ---- the processor bus: the tile's own registers ----

// Where the core sees them (aie2-core.md 6).
constexpr uint32_t kRegistersFrom = 0x80000;
constexpr uint32_t kRegistersTo = 0xC0000;

uint32_t register_offset(Pipeline& p, const Exec& e) {
    const uint32_t address = p.address(e);
    if (address < kRegistersFrom || address >= kRegistersTo || address % 4) {
        p.trap("processor bus access to " + std::to_string(address) +
               ", where the tile has no registers");
    }
    return address - kRegistersFrom;
}
bool load_register(Pipeline& p, const Exec& e) {
    p.write(e, 0, p.bus().read_register(register_offset(p, e)));
    return true;
}
bool store_register(Pipeline& p, const Exec& e) {
    p.bus().write_register(register_offset(p, e), p.read(e, 0));
    return true;
}

bool raise_event(Pipeline& p, const Exec& e) {
    constexpr unsigned kUserEvent0 = 124;  // core module's event numbers (array.md 6)
    p.bus().raise(kUserEvent0 + p.read(e, 0));
    return true;
}

constexpr Semantics kRows[] = {
    {"acq", nullptr, 0, acquire},
    {"rel", nullptr, 0, release},
    {"acq.cond", nullptr, kConditional, acquire},
    {"rel.cond", nullptr, kConditional, release},
    {"event", nullptr, 0, raise_event},
    {"VMOV_mv_mcd", nullptr, 0, cascade_write},
    {"VMOV_mv_scd", nullptr, 0, cascade_read},
    {"VMOV_LO", nullptr, 0, cascade_read},
    {"VMOV_HI", nullptr, kHighHalf, cascade_read},
    {"lda.tm", nullptr, 0, load_register},
    {"st.tm", nullptr, 0, store_register},
    {"MOV_mv_ss2scl", nullptr, 0, stream_read},
    {"MOV_NB_mv_ss2scl", nullptr, kNonBlocking, stream_read},
    {"MOV_mv_scl2ms", nullptr, 0, stream_write},
    {"MOV_TLAST_mv_scl2ms", nullptr, kTlast, stream_write},
    {"MOV_mv_scl2ms_doTlast_reg", nullptr, kTlastRegister, stream_write},
    {"MOV_NB_mv_scl2ms", nullptr, kNonBlocking, stream_write},
    {"MOV_NB_TLAST_mv_scl2ms", nullptr, kNonBlocking | kTlast, stream_write},
    {"MOV_NB_mv_scl2ms_doTlast_reg", nullptr, kNonBlocking | kTlastRegister, stream_write},
    {"MOV_mv_ph2ms", nullptr, 0, packet_header},
    {"MOV_TLAST_mv_ph2ms", nullptr, kTlast, packet_header},
    {"MOV_mv_ph2ms_doTlast_reg", nullptr, kTlastRegister, packet_header},
    {"MOV_NB_mv_ph2ms", nullptr, kNonBlocking, packet_header},
    {"MOV_NB_TLAST_mv_ph2ms", nullptr, kNonBlocking | kTlast, packet_header},
    {"MOV_NB_mv_ph2ms_doTlast_reg", nullptr, kNonBlocking | kTlastRegister, packet_header},
    {"MOV_mv_cph2ms", nullptr, 0, control_packet_header},
    {"MOV_TLAST_mv_cph2ms", nullptr, kTlast, control_packet_header},
    {"MOV_mv_cph2ms_doTlast_reg", nullptr, kTlastRegister, control_packet_header},
    {"MOV_NB_mv_cph2ms", nullptr, kNonBlocking, control_packet_header},
    {"MOV_NB_TLAST_mv_cph2ms", nullptr, kNonBlocking | kTlast, control_packet_header},
    {"MOV_NB_mv_cph2ms_doTlast_reg", nullptr, kNonBlocking | kTlastRegister, control_packet_header},
};

}  // namespace

std::span<const Semantics> sync_semantics() {
    return kRows;
}

}  // namespace xdna::emu::core
