// The PCI function through a vfio-user connection, as QEMU and the driver use it.
#include "emu/pci/npu.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "emu/pci/vfio_user.hpp"

namespace xdna::emu::pci {
namespace {

using firmware::Opcode;

struct Reply {
    uint32_t error = 0;
    std::vector<std::byte> body;
};

class NpuTest : public testing::Test {
  protected:
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        client.reset(ends[0]);
        thread = std::thread([this, end = ends[1]] { ended_well = server.serve(UniqueFd(end)); });
    }
    void TearDown() override {
        client.reset();
        thread.join();
    }

    template <typename... Parts>
    static std::vector<std::byte> bytes(const Parts&... parts) {
        std::vector<std::byte> out;
        const auto add = [&out](const void* data, size_t size) {
            const size_t at = out.size();
            out.resize(at + size);
            std::memcpy(out.data() + at, data, size);
        };
        (add(&parts, sizeof parts), ...);
        return out;
    }

    Reply call(uint16_t command, const std::vector<std::byte>& body, int descriptor = -1) {
        const auto size = static_cast<uint32_t>(16 + body.size());
        std::vector<std::byte> message =
            bytes(uint16_t{1}, command, size, uint32_t{0}, uint32_t{0});
        message.insert(message.end(), body.begin(), body.end());
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
        iovec part{message.data(), message.size()};
        msghdr header{};
        header.msg_iov = &part;
        header.msg_iovlen = 1;
        if (descriptor >= 0) {
            header.msg_control = control;
            header.msg_controllen = sizeof control;
            cmsghdr* item = CMSG_FIRSTHDR(&header);
            item->cmsg_level = SOL_SOCKET;
            item->cmsg_type = SCM_RIGHTS;
            item->cmsg_len = CMSG_LEN(sizeof descriptor);
            std::memcpy(CMSG_DATA(item), &descriptor, sizeof descriptor);
        }
        EXPECT_EQ(::sendmsg(client.get(), &header, 0), static_cast<ssize_t>(message.size()));
        Reply reply;
        uint32_t answer[4] = {};
        EXPECT_EQ(::recv(client.get(), answer, sizeof answer, MSG_WAITALL), 16);
        reply.error = answer[3];
        if (answer[1] > 16) {
            reply.body.resize(answer[1] - 16);
            EXPECT_EQ(::recv(client.get(), reply.body.data(), reply.body.size(), MSG_WAITALL),
                      static_cast<ssize_t>(reply.body.size()));
        }
        return reply;
    }

    uint32_t read(uint32_t region, uint64_t offset) {
        const Reply reply = call(9, bytes(offset, region, uint32_t{4}));
        EXPECT_EQ(reply.error, 0U);
        uint32_t value = 0;
        std::memcpy(&value, reply.body.data() + 16, sizeof value);
        return value;
    }
    void write(uint32_t region, uint64_t offset, uint32_t value) {
        EXPECT_EQ(call(10, bytes(offset, region, uint32_t{4}, value)).error, 0U);
    }
    uint32_t config(uint64_t offset) { return read(kConfigRegion, offset); }

    uint32_t psp(uint32_t command) {
        EXPECT_EQ(read(0, layout::kPspCommand), layout::kPspReady);
        write(0, layout::kPspCommand, command);
        write(0, layout::kPspDoorbell, 0);
        write(0, layout::kPspDoorbell, 1);
        EXPECT_EQ(read(0, layout::kPspCommand), layout::kPspReady);
        return read(0, layout::kPspArgument0);
    }

    /// Sends a management message; the words of its reply.
    std::vector<uint32_t> manage(Opcode opcode, const std::vector<uint32_t>& payload) {
        const auto size = static_cast<uint32_t>(payload.size() * sizeof(uint32_t));
        std::vector<uint32_t> words = {size, size | 1U << 16, ++id, static_cast<uint32_t>(opcode)};
        words.insert(words.end(), payload.begin(), payload.end());
        for (const uint32_t word : words) {
            write(2, x2i, word);
            x2i += sizeof word;
        }
        write(4, 0, x2i);
        EXPECT_EQ(read(4, layout::kSharedRegisters + Mailbox::kX2iHead), x2i);
        return reply();
    }
    std::vector<uint32_t> reply() {
        const uint32_t tail = read(4, layout::kSharedRegisters + Mailbox::kI2xTail);
        if (i2x == tail) {
            return {};
        }
        const uint32_t size = read(2, layout::kRingBytes + i2x);
        EXPECT_EQ(read(2, layout::kRingBytes + i2x + 8), id);
        std::vector<uint32_t> words;
        for (uint32_t at = 0; at < size; at += 4) {
            words.push_back(read(2, layout::kRingBytes + i2x + 16 + at));
        }
        i2x += 16 + size;
        EXPECT_EQ(i2x, tail);
        write(4, layout::kSharedRegisters + Mailbox::kI2xHead, i2x);
        return words;
    }
    void start() {
        EXPECT_EQ(psp(2), 0U);
        id = x2i = i2x = 0;
    }
    void fault(Fault kind, uint8_t times) {
        call(10, bytes(uint64_t{0xC3}, uint32_t{kConfigRegion}, uint32_t{2},
                       static_cast<uint8_t>(kind), times));
    }

    std::vector<std::string> complaints;
    Npu npu{[](bool, const std::string&) {}};
    VfioUserServer server{npu, [this](const std::string& what) { complaints.push_back(what); }};
    UniqueFd client;
    std::thread thread;
    bool ended_well = false;
    uint32_t id = 0, x2i = 0, i2x = 0;
};

TEST_F(NpuTest, IsAPhoenixOnTheBus) {
    EXPECT_EQ(config(0), 0x15021022U);
    EXPECT_EQ(config(8) >> 8, 0x118000U);
    // Every capability of the list is one that QEMU and the kernel know.
    std::vector<uint32_t> capabilities;
    for (uint32_t at = config(0x34) & 0xFF; at != 0; at = (config(at) >> 8) & 0xFF) {
        capabilities.push_back(config(at) & 0xFF);
        ASSERT_LT(capabilities.size(), 10U);
    }
    EXPECT_EQ(capabilities, (std::vector<uint32_t>{0x01, 0x10, 0x11, 0x09}));
    write(kConfigRegion, 0, 0);
    EXPECT_EQ(config(0), 0x15021022U) << "identity cannot be written";
}

TEST_F(NpuTest, WhatNeedsNoDoorbellMayBeMapped) {
    constexpr uint32_t kMapped = 4, kCapabilities = 8, kInfo = 32, kArea = 32;
    const auto words = [this](uint32_t region, uint32_t room) {
        const Reply reply =
            call(5, bytes(room, uint32_t{0}, region, uint32_t{0}, uint64_t{0}, uint64_t{0}));
        EXPECT_EQ(reply.error, 0U);
        std::vector<uint32_t> out(reply.body.size() / sizeof(uint32_t));
        std::memcpy(out.data(), reply.body.data(), reply.body.size());
        return out;
    };
    EXPECT_EQ(words(0, kInfo).at(1) & kMapped, 0U);
    EXPECT_EQ(words(2, kInfo).at(1) & (kMapped | kCapabilities), kMapped) << "all of it";
    // linux/vfio.h: how much room the capability takes is said first, then it is asked for again.
    const auto asked = words(4, kInfo);
    ASSERT_EQ(asked.size(), kInfo / 4);
    EXPECT_EQ(asked[0], kInfo + kArea);
    EXPECT_EQ(asked[1] & (kMapped | kCapabilities), kMapped | kCapabilities);
    const auto told = words(4, asked[0]);
    ASSERT_EQ(told.size(), asked[0] / 4);
    EXPECT_EQ(told[3], kInfo) << "where the capability is";
    EXPECT_EQ(std::vector(told.begin() + 8, told.end()),
              (std::vector<uint32_t>{1 | 1U << 16, 0, 1, 0, layout::kSharedRegisters, 0,
                                     layout::kMailboxBytes - layout::kSharedRegisters, 0}));
}

TEST_F(NpuTest, RepliesWaitUntilTheDriverHasRead) {
    start();
    constexpr uint64_t kTail = layout::kSharedRegisters + Mailbox::kI2xTail;
    constexpr uint32_t kReply = 16 + 20;
    const auto ask = [this] {
        if (x2i + 20 > layout::kRingBytes - 4) {
            write(2, x2i, 0xDEADFACE);
            x2i = 0;
        }
        for (const uint32_t word : {4U, 4U | 1U << 16, ++id, 0x108U, 0U}) {
            write(2, x2i, word);
            x2i += sizeof word;
        }
        write(4, 0, x2i);
    };
    // One reply more than the ring takes, since a full one would look empty.
    const uint32_t fit = (layout::kRingBytes - 4) / kReply;
    for (uint32_t i = 0; i <= fit; ++i) {
        ask();
    }
    EXPECT_EQ(read(4, kTail), fit * kReply);
    write(4, layout::kSharedRegisters + Mailbox::kI2xHead, 2 * kReply);
    for (int i = 0; i < 10'000 && read(4, kTail) != kReply; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_EQ(read(4, kTail), kReply);
    EXPECT_EQ(read(2, layout::kRingBytes + 8), id);
}

TEST_F(NpuTest, FirmwareComesUpAndAnswers) {
    EXPECT_EQ(read(2, layout::kAlive), 0U);
    start();
    EXPECT_EQ(read(2, layout::kAlive), layout::kSramBase + layout::kAliveBlock);
    EXPECT_EQ(manage(Opcode::kGetFirmwareVersion, {0}), (std::vector<uint32_t>{0, 1, 5, 5, 391}));
    const auto created = manage(Opcode::kCreateContext, {1, 0x0101, 1, 0, 0, 0, 2});
    ASSERT_EQ(created.size(), 19U);
    EXPECT_EQ(created[0], 0U);
    const uint32_t context = created[1];
    EXPECT_EQ(created[2] & 0xFFFF, context) << "its interrupt";
    EXPECT_EQ(manage(Opcode::kDestroyContext, {context + 100}),
              (std::vector<uint32_t>{firmware::kMgmtInvalidParam}));
}

TEST_F(NpuTest, DestroyingAContextIsAnsweredWhenItIsAtRest) {
    const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
    EXPECT_EQ(call(8,
                   bytes(uint32_t{20}, uint32_t{0x24}, kMsixIndex, layout::kManagementVector,
                         uint32_t{1}),
                   event.get())
                  .error,
              0U);
    start();
    const uint32_t context = manage(Opcode::kCreateContext, {1, 0x0101, 1, 0, 0, 0, 2}).at(1);
    uint64_t count = 0;
    ASSERT_EQ(::read(event.get(), &count, sizeof count), 8) << "it interrupts";
    auto destroyed = manage(Opcode::kDestroyContext, {context});
    if (destroyed.empty()) {
        pollfd poll{event.get(), POLLIN, 0};
        ASSERT_EQ(::poll(&poll, 1, 10'000), 1);
        destroyed = reply();
    }
    EXPECT_EQ(destroyed, std::vector<uint32_t>{0});
}

TEST_F(NpuTest, StrangeMessagesAreAnsweredAsErrors) {
    start();
    EXPECT_EQ(manage(static_cast<Opcode>(0x117), {0}),
              (std::vector<uint32_t>{firmware::kInvalidCommand}));
    EXPECT_EQ(manage(Opcode::kMapHostBuffer, {0}),
              (std::vector<uint32_t>{firmware::kInvalidParam}));
}

TEST_F(NpuTest, SuspendAndStartAgainIsAFreshFirmware) {
    start();
    manage(Opcode::kCreateContext, {1, 0x0101, 1, 0, 0, 0, 2});
    EXPECT_EQ(read(0, layout::kWaitMode), 0U);
    EXPECT_EQ(psp(3), 0U);
    start();
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(manage(Opcode::kCreateContext, {1, 0x0101, 1, 0, 0, 0, 2}).at(0), 0U);
    }
    EXPECT_EQ(manage(Opcode::kCreateContext, {1, 0x0101, 1, 0, 0, 0, 2}).at(0),
              firmware::kMgmtNoAvail);
    EXPECT_EQ(call(13, {}).error, 0U);
    EXPECT_EQ(read(2, layout::kAlive), 0U) << "reset";
    start();
    EXPECT_EQ(manage(Opcode::kSuspend, {0}), std::vector<uint32_t>{0});
    EXPECT_EQ(read(0, layout::kWaitMode), 1U);
}

TEST_F(NpuTest, FaultsStrikeAsOftenAsAskedFor) {
    fault(Fault::kPspRefuses, 1);
    EXPECT_NE(psp(2), 0U);
    fault(Fault::kFirmwareDead, 1);
    EXPECT_EQ(psp(2), 0U);
    EXPECT_EQ(read(2, layout::kAlive), 0U);
    start();
    EXPECT_NE(read(2, layout::kAlive), 0U);
    fault(Fault::kMuteManagement, 2);
    EXPECT_TRUE(manage(Opcode::kGetFirmwareVersion, {0}).empty());
    EXPECT_TRUE(manage(Opcode::kGetFirmwareVersion, {0}).empty());
    EXPECT_FALSE(manage(Opcode::kGetFirmwareVersion, {0}).empty());
}

TEST_F(NpuTest, BadRequestsGetAnErrnoAndAreNamed) {
    EXPECT_EQ(call(9, bytes(uint64_t{0x7FFFE}, uint32_t{0}, uint32_t{4})).error, 22U);
    EXPECT_EQ(call(9, bytes(~uint64_t{0}, uint32_t{0}, uint32_t{4})).error, 22U);
    EXPECT_EQ(call(9, bytes(uint64_t{0}, uint32_t{99}, uint32_t{4})).error, 22U);
    EXPECT_EQ(call(10, bytes(uint64_t{0}, uint32_t{0}, uint32_t{8}, uint32_t{0})).error, 22U);
    EXPECT_EQ(call(5, bytes(uint32_t{32}, uint32_t{0}, uint32_t{9})).error, 22U);
    EXPECT_EQ(
        call(8, bytes(uint32_t{20}, uint32_t{0x24}, kMsixIndex, uint32_t{15}, uint32_t{2})).error,
        22U);
    EXPECT_EQ(call(2, bytes(uint32_t{32})).error, 22U);
    EXPECT_EQ(call(99, {}).error, 95U);
    EXPECT_EQ(complaints.size(), 8U);
    EXPECT_EQ(config(0), 0x15021022U) << "and it goes on";
}

TEST_F(NpuTest, AMessageWithoutAnEndEndsTheConnection) {
    const auto header = bytes(uint16_t{1}, uint16_t{1}, uint32_t{4}, uint32_t{0}, uint32_t{0});
    ASSERT_EQ(::send(client.get(), header.data(), header.size(), 0), 16);
    char byte = 0;
    EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
    EXPECT_EQ(complaints.size(), 1U);
}

}  // namespace
}  // namespace xdna::emu::pci
