#include "emu/pci/mailbox.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace xdna::emu::pci {
namespace {

constexpr uint32_t kRing = 256;
constexpr uint32_t kTombstone = 0xDEADFACE;
constexpr uint32_t kHeaderBytes = 16;

/// The driver's end of a mailbox.
class MailboxTest : public testing::Test {
  protected:
    uint32_t word(std::span<const std::byte> memory, uint32_t at) const {
        uint32_t value = 0;
        std::memcpy(&value, memory.data() + at, sizeof value);
        return value;
    }
    void put(std::span<std::byte> memory, uint32_t at, uint32_t value) {
        std::memcpy(memory.data() + at, &value, sizeof value);
    }
    /// Writes a message at `at` of the X2I ring; where it ends.
    uint32_t send(uint32_t at, uint32_t id, std::vector<uint32_t> payload) {
        const auto bytes = static_cast<uint32_t>(payload.size() * sizeof(uint32_t));
        payload.insert(payload.begin(), {bytes, bytes | 1U << 16, id, 0x108});
        std::memcpy(rings.data() + at, payload.data(), payload.size() * sizeof(uint32_t));
        return at + kHeaderBytes + bytes;
    }
    std::vector<Message> take(uint32_t tail) { return mailbox.take(tail, problem); }
    Message reply(uint32_t id, size_t bytes) const {
        return {id, 0x108, std::vector<std::byte>(bytes)};
    }

    std::array<std::byte, Mailbox::kRegisterBytes> registers{};
    std::array<std::byte, size_t{2} * kRing> rings{};
    Mailbox mailbox{registers, rings, kRing};
    std::string problem;
};

TEST_F(MailboxTest, TakesMessagesInOrderAndMovesTheHead) {
    const uint32_t tail = send(send(0, 7, {1, 2, 3}), 8, {});
    const auto messages = take(tail);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0].id, 7U);
    EXPECT_EQ(messages[0].payload.size(), 12U);
    EXPECT_EQ(messages[1].id, 8U);
    EXPECT_TRUE(messages[1].payload.empty());
    EXPECT_EQ(word(registers, Mailbox::kX2iHead), tail);
}

TEST_F(MailboxTest, GoesOnAtTheStartAfterATombstone) {
    const uint32_t tail = send(0, 1, std::vector<uint32_t>(40));
    ASSERT_EQ(take(tail).size(), 1U);
    put(rings, tail, kTombstone);
    const uint32_t second = send(0, 2, {5});
    const auto messages = take(second);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].id, 2U);
    EXPECT_EQ(problem, "");
}

TEST_F(MailboxTest, NothingBadGetsPastTheRing) {
    for (const uint32_t tail : {kRing + 4, 3U, 0xFFFFFFFFU}) {
        Mailbox fresh(registers, rings, kRing);
        problem.clear();
        EXPECT_TRUE(fresh.take(tail, problem).empty());
        EXPECT_NE(problem.find("X2I tail"), std::string::npos) << tail;
    }
}

TEST_F(MailboxTest, AMessageLongerThanWhatWasWrittenEndsTheChannel) {
    const uint32_t tail = send(0, 1, {1, 2});
    put(rings, 0, 64);
    EXPECT_TRUE(take(tail).empty());
    EXPECT_NE(problem.find("64 bytes"), std::string::npos) << problem;
    problem.clear();
    send(0, 1, {1, 2});
    EXPECT_TRUE(take(tail).empty()) << "the channel is dead";
}

TEST_F(MailboxTest, ATombstoneRingWithoutAnEndDoesNotHang) {
    put(rings, 0, kTombstone);
    put(rings, 4, 0);
    EXPECT_TRUE(take(128).empty());
    EXPECT_NE(problem, "");
}

TEST_F(MailboxTest, RepliesWrapWhenTheDriverHasRead) {
    const std::span<std::byte> i2x = std::span(rings).subspan(kRing);
    uint32_t head = 0;
    for (uint32_t id = 0; id < 50; ++id) {
        ASSERT_TRUE(mailbox.put(reply(id, 44))) << id;
        EXPECT_EQ(word(registers, Mailbox::kInterrupt), 1U);
        const uint32_t tail = word(registers, Mailbox::kI2xTail);
        // amdxdna_mailbox.c, mailbox_get_msg(): what the driver would refuse.
        if (word(i2x, head) == kTombstone) {
            ASSERT_GE(head, tail);
            head = 0;
        }
        ASSERT_EQ(word(i2x, head), 44U);
        ASSERT_EQ(word(i2x, head + 8), id);
        head += kHeaderBytes + 44;
        ASSERT_EQ(head, tail);
        put(registers, Mailbox::kI2xHead, head);
    }
}

TEST_F(MailboxTest, RepliesWaitForRoom) {
    EXPECT_TRUE(mailbox.put(reply(1, 80)));
    EXPECT_TRUE(mailbox.put(reply(2, 80)));
    EXPECT_FALSE(mailbox.put(reply(3, 80)));
    EXPECT_FALSE(mailbox.flush());
    put(registers, Mailbox::kI2xHead, 192);
    EXPECT_TRUE(mailbox.flush());
    EXPECT_EQ(word(std::span(rings).subspan(kRing), 8), 3U);
    EXPECT_EQ(word(registers, Mailbox::kI2xTail), 96U);
}

}  // namespace
}  // namespace xdna::emu::pci
