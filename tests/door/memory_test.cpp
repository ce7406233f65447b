// mmap of the node, and what undoes it: errors as mm/mmap.c and the DRM core give them, mappings
// that are split, replaced and moved.
#include <linux/dma-buf.h>

#include "tests/door/node.hpp"

namespace xdna::door {
namespace {

class Memory : public ::testing::Test {
  protected:
    static constexpr size_t kSize = 8 * kPage;
    void SetUp() override {
        ASSERT_GE(fd_, 0);
        ASSERT_EQ(0, create_bo(fd_, kSize, handle_));
        offset_ = static_cast<off_t>(bo_info(fd_, handle_).map_offset);
    }
    /// errno of a mapping that must fail; 0 if it did not.
    int refused(size_t length, int prot, int flags, int fd, off_t offset) const {
        void* at = ::mmap(nullptr, length, prot, flags, fd, offset);
        if (at == MAP_FAILED)
            return errno;
        ::munmap(at, length);
        return 0;
    }
    uint64_t address() const { return bo_info(fd_, handle_).vaddr; }

    Fd fd_ = open_node();
    uint32_t handle_ = 0;
    off_t offset_ = 0;
};

constexpr int kReadWrite = PROT_READ | PROT_WRITE;
constexpr uint64_t kNowhere = ~uint64_t{0};

TEST_F(Memory, MapsTheBo) {
    auto* words = static_cast<uint32_t*>(map_bo(fd_, handle_, kSize));
    ASSERT_NE(MAP_FAILED, words);
    words[0] = 42;
    auto* again = static_cast<uint32_t*>(map_bo(fd_, handle_, kSize));
    ASSERT_NE(MAP_FAILED, again);
    EXPECT_EQ(42U, again[0]);
    EXPECT_EQ(0, ::munmap(words, kSize));
    EXPECT_EQ(42U, again[0]);
    EXPECT_EQ(0, ::munmap(again, kSize));
}

TEST_F(Memory, RefusesWhatTheKernelRefuses) {
    EXPECT_EQ(EINVAL, refused(0, kReadWrite, MAP_SHARED, fd_, offset_));
    EXPECT_EQ(EINVAL, refused(kSize, kReadWrite, MAP_SHARED, fd_, offset_ + 1));
    EXPECT_EQ(EINVAL, refused(kSize, kReadWrite, 0, fd_, offset_));
    EXPECT_EQ(EINVAL, refused(kSize, kReadWrite, MAP_SHARED, fd_, off_t{1} << 46));
    EXPECT_EQ(EINVAL, refused(kSize + kPage, kReadWrite, MAP_SHARED, fd_, offset_));
    EXPECT_EQ(EINVAL, refused(kSize, kReadWrite, MAP_PRIVATE, fd_, offset_));
    EXPECT_EQ(EBADF, refused(kSize, kReadWrite, MAP_SHARED, 4000, offset_));
}

TEST_F(Memory, AccessModeOfTheDescriptorCounts) {
    Fd reader = open_node(O_RDONLY), writer = open_node(O_WRONLY);
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(reader, kSize, handle));
    const auto offset = static_cast<off_t>(bo_info(reader, handle).map_offset);
    EXPECT_EQ(EACCES, refused(kSize, kReadWrite, MAP_SHARED, reader, offset));
    EXPECT_EQ(0, refused(kSize, PROT_READ, MAP_SHARED, reader, offset));
    EXPECT_EQ(EACCES, refused(kSize, PROT_READ, MAP_SHARED, writer, 0));
}

TEST_F(Memory, DriverHearsWhereAndWhenNot) {
    EXPECT_EQ(kNowhere, address());
    void* at = map_bo(fd_, handle_, kSize);
    EXPECT_EQ(reinterpret_cast<uint64_t>(at), address());
    ASSERT_EQ(0, ::munmap(at, kSize));
    EXPECT_EQ(kNowhere, address());
}

TEST_F(Memory, MappingOverItIsItsEnd) {
    void* at = map_bo(fd_, handle_, kSize);
    ASSERT_EQ(at, ::mmap(at, kSize, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    EXPECT_EQ(kNowhere, address());
    ASSERT_EQ(at, map_bo(fd_, handle_, kSize, at));
    EXPECT_EQ(reinterpret_cast<uint64_t>(at), address());
    ::munmap(at, kSize);
}

TEST_F(Memory, ReservationAroundItGoesWithIt) {
    auto* room = static_cast<char*>(
        ::mmap(nullptr, 4 * kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    void* at = map_bo(fd_, handle_, kSize, room + kSize);
    ASSERT_EQ(room + kSize, at);
    ASSERT_EQ(0, ::munmap(room, 4 * kSize));
    EXPECT_EQ(kNowhere, address());
}

TEST_F(Memory, MovedItIsElsewhere) {
    auto* at = static_cast<uint32_t*>(map_bo(fd_, handle_, kSize));
    at[0] = 7;
    void* room = ::mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto* moved =
        static_cast<uint32_t*>(::mremap(at, kSize, kSize, MREMAP_MAYMOVE | MREMAP_FIXED, room));
    ASSERT_EQ(room, moved);
    EXPECT_EQ(7U, moved[0]);
    EXPECT_EQ(0, ::munmap(moved, kSize));
    EXPECT_EQ(kNowhere, address());
}

TEST_F(Memory, CannotGrow) {
    void* at = map_bo(fd_, handle_, kSize);
    EXPECT_EQ(MAP_FAILED, ::mremap(at, kSize, 2 * kSize, MREMAP_MAYMOVE));
    EXPECT_EQ(EFAULT, errno);
    EXPECT_EQ(0, ::munmap(at, kSize));
}

TEST_F(Memory, OutlivesHandleAndDescriptor) {
    auto* words = static_cast<uint32_t*>(map_bo(fd_, handle_, kSize));
    words[1] = 5;
    ASSERT_EQ(0, close_bo(fd_, handle_));
    fd_.reset();
    EXPECT_EQ(5U, words[1]);
    EXPECT_EQ(0, ::munmap(words, kSize));
}

TEST_F(Memory, BadPointersAreEfault) {
    EXPECT_EQ(-1, ::ioctl(fd_, DRM_IOCTL_VERSION, nullptr));
    EXPECT_EQ(EFAULT, errno);
    drm_version version{};
    version.name = reinterpret_cast<char*>(8);
    version.name_len = 64;
    EXPECT_EQ(EFAULT, ioctl_errno(fd_, DRM_IOCTL_VERSION, version));
    void* gone = ::mmap(nullptr, kPage, kReadWrite, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ::munmap(gone, kPage);
    EXPECT_EQ(-1, ::ioctl(fd_, DRM_IOCTL_AMDXDNA_CREATE_BO, gone));
    EXPECT_EQ(EFAULT, errno);
}

TEST_F(Memory, OtherRequestsAreNotForIt) {
    int value = 0;
    EXPECT_EQ(-1, ::ioctl(fd_, FIONREAD, &value));
    EXPECT_EQ(ENOTTY, errno);
    EXPECT_EQ(0, ::isatty(fd_));
    EXPECT_EQ(0, ::ioctl(fd_, FIOCLEX));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(fd_, F_GETFD));
    EXPECT_EQ(-1, ::ioctl(-1, DRM_IOCTL_VERSION, &value));
    EXPECT_EQ(EBADF, errno);
}

TEST_F(Memory, DmaBufIsOne) {
    drm_prime_handle prime{};
    prime.handle = handle_;
    prime.flags = DRM_RDWR;
    ASSERT_EQ(0, ioctl_errno(fd_, DRM_IOCTL_PRIME_HANDLE_TO_FD, prime));
    Fd buffer(prime.fd);
    dma_buf_sync sync{DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};
    EXPECT_EQ(0, ioctl_errno(buffer, DMA_BUF_IOCTL_SYNC, sync));
    sync.flags = DMA_BUF_SYNC_START;
    EXPECT_EQ(EINVAL, ioctl_errno(buffer, DMA_BUF_IOCTL_SYNC, sync));
    EXPECT_EQ(0, refused(kSize, kReadWrite, MAP_SHARED, buffer, 0));
    EXPECT_EQ(EINVAL, refused(kSize + kPage, kReadWrite, MAP_SHARED, buffer, 0));
    EXPECT_EQ(EINVAL, refused(kSize, kReadWrite, MAP_PRIVATE, buffer, 0));
    Fd other(::memfd_create("other", MFD_CLOEXEC));
    EXPECT_EQ(ENOTTY, ioctl_errno(other, DMA_BUF_IOCTL_SYNC, sync));
}

TEST_F(Memory, BufferPassesAsDmaBuf) {
    auto* words = static_cast<uint32_t*>(map_bo(fd_, handle_, kSize));
    words[0] = 99;
    drm_prime_handle prime{};
    prime.handle = handle_;
    prime.flags = DRM_CLOEXEC | DRM_RDWR;
    ASSERT_EQ(0, ioctl_errno(fd_, DRM_IOCTL_PRIME_HANDLE_TO_FD, prime));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(prime.fd, F_GETFD));
    EXPECT_TRUE(in_child([&] {
        Fd other = open_node();
        drm_prime_handle import{};
        import.fd = prime.fd;
        if (ioctl_errno(other, DRM_IOCTL_PRIME_FD_TO_HANDLE, import) != 0)
            return false;
        auto* there = static_cast<uint32_t*>(map_bo(other, import.handle, kSize));
        return there != MAP_FAILED && there[0] == 99;
    }));
    ::close(prime.fd);
    ::munmap(words, kSize);
}

}  // namespace
}  // namespace xdna::door
