#include "libxdna/image/ert_packet.hpp"

#include <gtest/gtest.h>

#include "tests/unit/image/expect_error.hpp"

namespace xdna::image {
namespace {

using namespace ert;

Words words_of(const Packet& packet) {
    const Bytes bytes = serialize(packet);
    Reader reader(bytes, "test");
    return reader.words(bytes.size() / 4, "packet");
}

Bytes bytes_of(const Words& words) {
    Writer writer;
    writer.words(words);
    return writer.take();
}

TEST(ErtPacket, StartCuOfAnMlirAieKernel) {
    // notes/uapi.md 12: five buffer slots, 16 words after the header.
    const Packet packet{StartCu{{1, {}}, {3, 0, 0x04001000, 0, 14, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}};
    const Words words = words_of(packet);
    EXPECT_EQ(words[0], 0x00010001U);
    EXPECT_EQ(words[1], 1U);
    EXPECT_EQ(words[6], 14U);
    EXPECT_EQ(words.size(), 17U);
    EXPECT_EQ(parse_ert_packet(bytes_of(words)), packet);
}

TEST(ErtPacket, StartNpuWithOneArgument) {
    const Packet packet{StartNpu{{1, {}}, 0x100004001000, 512, {}, {3}}};
    EXPECT_EQ(words_of(packet), (Words{0x0A006001, 1, 0x04001000, 0x1000, 512, 0, 3}));
    EXPECT_EQ(parse_ert_packet(serialize(packet)), packet);
}

TEST(ErtPacket, PreemptAndChain) {
    const Packet preempt{StartNpuPreempt{{1, {}}, 16, 32, 48, 1, 2, 3, {}, {9}}};
    EXPECT_EQ(words_of(preempt),
              (Words{21U << 23 | 12U << 12 | 1, 1, 16, 0, 32, 0, 48, 0, 1, 2, 3, 0, 9}));
    const Packet chain{CmdChain{0, 0, {7, 8}, {}, {}}};
    EXPECT_EQ(words_of(chain), (Words{19U << 23 | 10U << 12 | 1, 2, 0, 0, 0, 0, 0, 7, 0, 8, 0}));
}

TEST(ErtPacket, ExtraCuMasksAreCountedInTheHeader) {
    const Packet packet{StartCu{{0, {2, 4}}, {5}}};
    EXPECT_EQ(words_of(packet), (Words{4U << 12 | 2U << 10 | 1, 0, 2, 4, 5}));
    EXPECT_FORMAT_ERROR(serialize(Packet{StartCu{{0, {1, 2, 3, 4}}, {}}}), 0, "extra CU masks", 4);
}

TEST(ErtPacket, WhatFollowsThePacketIsNotItsPayload) {
    Bytes bytes = bytes_of({1U << 12 | 1, 1});
    bytes.resize(4096);
    EXPECT_EQ(parse_ert_packet(bytes), (Packet{StartCu{{1, {}}, {}}}));
}

TEST(ErtPacket, AFailedCommandsPayloadOfOnesIsStillReadable) {
    // The driver fills the payload with 0xFF when the firmware reports an error (uapi.md 7.5).
    const Packet packet = parse_ert_packet(bytes_of({1U << 12 | 5, 0xFFFFFFFF}));
    EXPECT_EQ(state_name(static_cast<State>(packet.state)), "error");
}

TEST(ErtPacket, ErrorsSayWhereAndWhat) {
    EXPECT_FORMAT_ERROR(parse_ert_packet(bytes_of({3U << 12 | 1, 1})), 0, "header count", 3);
    EXPECT_FORMAT_ERROR(parse_ert_packet(bytes_of({0})), 4, "CU mask", 4);
    EXPECT_FORMAT_ERROR(parse_ert_packet(bytes_of({20U << 23 | 2U << 12 | 1, 1, 0})), 8,
                        "instruction buffer", 8);
    EXPECT_FORMAT_ERROR(
        parse_ert_packet(bytes_of({19U << 23 | 8U << 12 | 1, 2, 0, 0, 0, 0, 0, 7, 0})), 4,
        "command count", 2);
    EXPECT_FORMAT_ERROR(serialize(Packet{StartCu{{1, {}}, Words(2047)}}), 0, "header count", 2048);
}

}  // namespace
}  // namespace xdna::image
