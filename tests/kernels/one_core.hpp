// The smallest set-up with a core in it: a block of words comes in, the core works on it, and a
// block goes out.
#pragma once

#include "kernels/flow/design.hpp"
#include "kernels/flow/sequence.hpp"
#include "tests/kernels/session.hpp"
#include "tests/support/assemble.hpp"

namespace xdna::test {

using flow::Bd;
using flow::Direction;

constexpr flow::Tile kShim{0, 0};
constexpr uint32_t kWords = 64;
constexpr uint32_t kOut = 0x1000;  // bytes into the core tile's memory

// The locks of the tile, and as its own core numbers them: from 48 on.
enum Lock { kInFree, kInFull, kOutFree, kOutFull };

/// Blocks of kWords words from the shim into `tile`, and others from there back, between which its
/// core runs `program`.
inline Bytes around_core(flow::Tile tile, const std::string& program) {
    flow::Design design(1);
    design.stream({kShim, Direction::kMm2s, 0}, {{tile, Direction::kS2mm, 0}});
    design.stream({tile, Direction::kMm2s, 0}, {{kShim, Direction::kS2mm, 0}});
    design.lock(tile, kInFree, 1);
    design.lock(tile, kOutFree, 1);
    Bd in;
    in.words = kWords;
    in.acquire = {kInFree, 1};
    in.release = {kInFull, 1};
    in.next = 0;
    Bd out;
    out.address = kOut;
    out.words = kWords;
    out.acquire = {kOutFull, 1};
    out.release = {kOutFree, 1};
    out.next = 1;
    design.bd(tile, 0, in);
    design.bd(tile, 1, out);
    design.start(tile, Direction::kS2mm, 0, 0);
    design.start(tile, Direction::kMm2s, 0, 1);
    design.core(tile, assemble(program));
    return design.pdi();
}

/// Sends buffer 0, of `words` words, and waits for as many in buffer 1.
inline std::vector<uint8_t> there_and_back(uint32_t words) {
    flow::Sequence sequence(1);
    Bd bd;
    bd.words = words;
    sequence.bd(0, 0, bd, 0);
    sequence.bd(0, 1, bd, 1);
    sequence.start(kShim, Direction::kS2mm, 0, 1, 1, true);
    sequence.start(kShim, Direction::kMm2s, 0, 0);
    sequence.wait(kShim, Direction::kS2mm, 0);
    return sequence.code();
}

}  // namespace xdna::test
