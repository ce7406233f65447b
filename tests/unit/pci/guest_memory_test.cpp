#include "emu/pci/guest_memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <string>
#include <system_error>

namespace xdna::emu::pci {
namespace {

constexpr uint64_t kPage = 4096;

class GuestMemoryTest : public testing::Test {
  protected:
    UniqueFd file() const { return UniqueFd(::dup(ram.get())); }

    UniqueFd ram{[] {
        const int fd = ::memfd_create("guest", MFD_CLOEXEC);
        EXPECT_EQ(::ftruncate(fd, 8 * kPage), 0);
        return fd;
    }()};
    GuestMemory memory;
};

TEST_F(GuestMemoryTest, WindowsShowTheirPartOfTheFile) {
    ASSERT_TRUE(memory.map(0x10000, kPage, file(), 2 * kPage, true));
    ASSERT_EQ(::pwrite(ram.get(), "hello", 5, 2 * kPage + 10), 5);
    char text[6] = {};
    ASSERT_TRUE(memory.read(0x1000A, text, 5));
    EXPECT_STREQ(text, "hello");
    ASSERT_TRUE(memory.write(0x1000A, "HELLO", 5));
    ASSERT_EQ(::pread(ram.get(), text, 5, 2 * kPage + 10), 5);
    EXPECT_STREQ(text, "HELLO");
}

TEST_F(GuestMemoryTest, RangesCrossWindowsButNotGaps) {
    ASSERT_TRUE(memory.map(0x10000, kPage, file(), 0, true));
    ASSERT_TRUE(memory.map(0x11000, kPage, file(), 4 * kPage, true));
    ASSERT_TRUE(memory.map(0x13000, kPage, file(), 5 * kPage, true));
    std::string data(2 * kPage, 'x');
    EXPECT_TRUE(memory.write(0x10000, data.data(), data.size()));
    EXPECT_FALSE(memory.write(0x10001, data.data(), data.size()));
    EXPECT_FALSE(memory.read(0x12FFF, data.data(), 1));
    EXPECT_FALSE(memory.read(0xFFFF, data.data(), 1));
    EXPECT_FALSE(memory.read(UINT64_MAX, data.data(), 2));
}

TEST_F(GuestMemoryTest, SpansAreWhatLiesTogether) {
    ASSERT_TRUE(memory.map(0x10000, kPage, file(), 0, true));
    ASSERT_TRUE(memory.map(0x11000, kPage, file(), kPage, true));
    ASSERT_TRUE(memory.map(0x12000, kPage, file(), 6 * kPage, true));
    EXPECT_NE(memory.span(0x10800, kPage), nullptr);
    EXPECT_EQ(memory.span(0x11800, kPage), nullptr) << "apart in the file";
    EXPECT_EQ(memory.span(0x12800, kPage), nullptr) << "the second half is not there";
}

TEST_F(GuestMemoryTest, UnmappingDropsWhatIsInside) {
    for (uint64_t i = 0; i < 4; ++i) {
        ASSERT_TRUE(memory.map(0x10000 + i * kPage, kPage, file(), i * kPage, true));
    }
    std::byte* kept = memory.span(0x10000, kPage);
    memory.unmap(0x10000, 2 * kPage);
    memory.unmap(0x50000, kPage);  // nothing there: as QEMU does
    char byte = 0;
    EXPECT_FALSE(memory.read(0x11000, &byte, 1));
    EXPECT_TRUE(memory.read(0x12000, &byte, 1));
    *kept = std::byte{1};  // what the array still holds is no wild pointer
    memory.unmap(0, UINT64_MAX);
    EXPECT_FALSE(memory.read(0x12000, &byte, 1));
}

TEST_F(GuestMemoryTest, RefusesWhatCannotBe) {
    ASSERT_TRUE(memory.map(0x10000, 2 * kPage, file(), 0, true));
    EXPECT_FALSE(memory.map(0x11000, kPage, file(), 0, true));
    EXPECT_FALSE(memory.map(0xF000, 2 * kPage, file(), 0, true));
    EXPECT_THROW(memory.map(0x20000, kPage, file(), 8 * kPage, true), std::system_error);
    EXPECT_THROW(memory.map(0x20000, kPage, file(), UINT64_MAX, true), std::system_error);
}

TEST_F(GuestMemoryTest, ReadOnlyAndUnreachableWindows) {
    ASSERT_TRUE(memory.map(0x10000, kPage, file(), 0, false));
    ASSERT_TRUE(memory.map(0x20000, kPage, UniqueFd(), 0, true));
    char byte = 0;
    EXPECT_TRUE(memory.read(0x10000, &byte, 1));
    EXPECT_FALSE(memory.write(0x10000, &byte, 1));
    EXPECT_EQ(memory.span(0x10000, 1), nullptr);
    EXPECT_FALSE(memory.read(0x20000, &byte, 1));
}

}  // namespace
}  // namespace xdna::emu::pci
