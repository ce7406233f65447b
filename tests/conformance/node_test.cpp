// The node: open, close, dup, fork, exec, descriptor passing.
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using Node = Conformance;

bool answers(const RawDevice& device) {
    drm_version version{};
    return device.call(DRM_IOCTL_VERSION, version).is_ok();
}

TEST_F(Node, IsACharacterDevice) {
    rule("drm_accel.c: accel_set_device_instance_params", "the node is a character device");
    struct stat status {};
    ASSERT_EQ(fstat(device.fd(), &status), 0);
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    struct stat by_name {};
    ASSERT_EQ(stat(target().node.c_str(), &by_name), 0);
    EXPECT_EQ(by_name.st_rdev, status.st_rdev);
}

TEST_F(Node, RefusesExclusiveOpen) {
    rule("drm_file.c: drm_open_helper", "O_EXCL is EBUSY: no exclusive opens");
    RawDevice exclusive = RawDevice::open(O_RDWR | O_CLOEXEC | O_EXCL);
    EXPECT_FALSE(exclusive);
    EXPECT_EQ(errno, EBUSY);
}

TEST_F(Node, OpensManyTimes) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_open", "every open is a client of its own");
    constexpr int kFiles = 32;
    std::vector<RawDevice> files;
    for (int i = 0; i < kFiles; i++) {
        files.push_back(RawDevice::open());
        ASSERT_TRUE(files.back()) << "open " << i;
        EXPECT_EQ(files.back().bo(AMDXDNA_BO_SHARE, kPage), 1U) << "handles count from 1 in each";
    }
}

TEST_F(Node, ReopensAfterClose) {
    rule("drm_file.c: drm_release", "the last close leaves the device ready for the next open");
    device.close();
    device = RawDevice::open();
    ASSERT_TRUE(device);
    EXPECT_TRUE(answers(device));
}

TEST_F(Node, DescriptorHasCloseOnExecAsAsked) {
    rule("drm_file.c: drm_open_helper", "the descriptor's flags are the opener's");
    EXPECT_EQ(fcntl(device.fd(), F_GETFD), FD_CLOEXEC);
    RawDevice kept = RawDevice::open(O_RDWR);
    ASSERT_TRUE(kept);
    EXPECT_EQ(fcntl(kept.fd(), F_GETFD), 0);
    EXPECT_EQ(fcntl(kept.fd(), F_GETFL) & O_ACCMODE, O_RDWR);
}

TEST_F(Node, DuplicateIsTheSameFile) {
    rule("drm_file.c: drm_release", "a duplicate shares the handles; the file ends with its last");
    RawDevice copy(dup(device.fd()));
    ASSERT_TRUE(copy);
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_NE(copy.bo_info(handle).map_offset, kInvalidAddress);
    device.close();
    EXPECT_NE(copy.bo_info(handle).map_offset, kInvalidAddress);
    EXPECT_TRUE(copy.map_bo(handle, kPage));
}

TEST_F(Node, DuplicateByFcntlAndDup2) {
    rule("drm_file.c: drm_release", "fcntl and dup2 duplicates are the same file, too");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    constexpr int kAtLeast = 50;
    RawDevice by_fcntl(fcntl(device.fd(), F_DUPFD_CLOEXEC, kAtLeast));
    ASSERT_TRUE(by_fcntl);
    EXPECT_GE(by_fcntl.fd(), kAtLeast);
    EXPECT_NE(by_fcntl.bo_info(handle).map_offset, kInvalidAddress);
    // Over another open file of the node, which that closes.
    RawDevice other = RawDevice::open();
    ASSERT_EQ(dup2(device.fd(), other.fd()), other.fd());
    EXPECT_NE(other.bo_info(handle).map_offset, kInvalidAddress);
}

TEST_F(Node, ClosedDescriptorAnswersNothing) {
    rule("drm_file.c: drm_release", "an ioctl on a closed descriptor is EBADF");
    RawDevice closed(dup(device.fd()));
    int number = closed.fd();
    closed.close();
    RawDevice stale(number);
    drm_version version{};
    EXPECT_EQ(stale.call(DRM_IOCTL_VERSION, version), fails_with(EBADF));
    stale.release();
}

TEST_F(Node, DescriptorNumberIsFreeForOthersAfterClose) {
    rule("drm_file.c: drm_release", "a closed node's number may become an ordinary file");
    int number = device.fd();
    device.close();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    ASSERT_EQ(null, number);
    RawDevice not_ours(null);
    drm_version version{};
    EXPECT_EQ(not_ours.call(DRM_IOCTL_VERSION, version), fails_with(ENOTTY));
}

TEST_F(Node, HandlesAreOfOneFile) {
    rule("drm_gem.c: drm_gem_object_lookup", "a handle of one open file is ENOENT in another");
    ASSERT_NE(device.bo(AMDXDNA_BO_SHARE, kPage), 0U);
    uint32_t second = device.bo(AMDXDNA_BO_SHARE, kPage);
    RawDevice other = RawDevice::open();
    amdxdna_drm_get_bo_info info{};
    EXPECT_EQ(other.bo_info(second, info), fails_with(ENOENT));
}

TEST_F(Node, HasNoEventsToRead) {
    rule("amdxdna_pci_drv.c: amdxdna_fops", "poll shows nothing, a non-blocking read is EAGAIN");
    RawDevice waiting = RawDevice::open(O_RDWR | O_CLOEXEC | O_NONBLOCK);
    ASSERT_TRUE(waiting);
    pollfd watch{.fd = waiting.fd(), .events = POLLIN};
    EXPECT_EQ(poll(&watch, 1, 0), 0);
    std::array<char, 64> bytes{};
    EXPECT_EQ(Status::of_call(read(waiting.fd(), bytes.data(), bytes.size())), fails_with(EAGAIN));
}

TEST_F(Node, ForkedChildUsesTheFile) {
    rule("drm_ioctl.c: drm_ioctl_kernel", "a child's ioctls on an inherited descriptor work");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(in_child([&] {
                  amdxdna_drm_get_bo_info info{};
                  XDNA_CHILD_CHECK(device.bo_info(handle, info).is_ok());
                  XDNA_CHILD_CHECK(device.bo(AMDXDNA_BO_SHARE, kPage) == handle + 1);
                  return 0;
              }),
              0);
    EXPECT_NE(device.bo_info(handle + 1).map_offset, kInvalidAddress)
        << "what the child made is in the file that both hold";
}

TEST_F(Node, ForkedChildSharesMappings) {
    rule("drm_gem_shmem_helper.c: drm_gem_shmem_vm_open", "a child's mapping is the same memory");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    Mapping mapping = device.map_bo(handle, kPage);
    ASSERT_TRUE(mapping);
    mapping.words()[0] = 1;
    EXPECT_EQ(in_child([&] {
                  XDNA_CHILD_CHECK(mapping.words()[0] == 1);
                  mapping.words()[1] = 2;
                  return 0;
              }),
              0);
    EXPECT_EQ(mapping.words()[1], 2U);
}

TEST_F(Node, ForkedChildMapsAnew) {
    rule("amdxdna_gem.c: amdxdna_gem_obj_mmap", "a child may map a BO of the inherited file");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    Mapping mine = device.map_bo(handle, kPage);
    ASSERT_TRUE(mine);
    EXPECT_EQ(in_child([&] {
                  Mapping mapping = device.map_bo(handle, kPage);
                  XDNA_CHILD_CHECK(static_cast<bool>(mapping));
                  mapping.words()[0] = 42;
                  return 0;
              }),
              0);
    EXPECT_EQ(mine.words()[0], 42U);
}

TEST_F(Node, ForkedChildsCloseLeavesTheParentsFile) {
    rule("amdxdna_pci_drv.c: amdxdna_fops", "only the last close of an open file cleans it up");
    XDNA_NEED(target().minor >= 7, "drivers up to 0.6 clean up at the first close");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(in_child([&] {
                  device.close();
                  return 0;
              }),
              0);
    EXPECT_NE(device.bo_info(handle).map_offset, kInvalidAddress);
    EXPECT_TRUE(device.map_bo(handle, kPage));
}

TEST_F(Node, FileOutlivesItsOpener) {
    rule("drm_file.c: drm_file_update_pid", "a file passed on stays good when its opener exits");
    std::array<int, 2> pair{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    RawDevice mine(pair[0]);
    RawDevice theirs(pair[1]);
    Child opener([&] {
        RawDevice opened = RawDevice::open();
        XDNA_CHILD_CHECK(static_cast<bool>(opened));
        XDNA_CHILD_CHECK(opened.bo(AMDXDNA_BO_SHARE, kPage) == 1);
        char byte = 0;
        iovec data{&byte, 1};
        std::array<char, CMSG_SPACE(sizeof(int))> control{};
        msghdr message{.msg_iov = &data,
                       .msg_iovlen = 1,
                       .msg_control = control.data(),
                       .msg_controllen = control.size()};
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        *header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        int fd = opened.fd();
        memcpy(CMSG_DATA(header), &fd, sizeof(fd));
        XDNA_CHILD_CHECK(sendmsg(theirs.fd(), &message, 0) == 1);
        return 0;
    });
    char byte = 0;
    iovec data{&byte, 1};
    std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{.msg_iov = &data,
                   .msg_iovlen = 1,
                   .msg_control = control.data(),
                   .msg_controllen = control.size()};
    theirs.close();
    ASSERT_EQ(recvmsg(mine.fd(), &message, MSG_CMSG_CLOEXEC), 1);
    ASSERT_EQ(opener.wait(), 0);
    ASSERT_NE(CMSG_FIRSTHDR(&message), nullptr);
    int fd = -1;
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    RawDevice received(fd);
    ASSERT_TRUE(received);
    EXPECT_TRUE(answers(received));
    amdxdna_drm_get_bo_info info{};
    EXPECT_EQ(received.bo_info(1, info), kOk) << "the opener's BO came with the file";
    EXPECT_EQ(received.bo(AMDXDNA_BO_SHARE, kPage), 2U);
}

TEST_F(Node, ExecKeepsTheFile) {
    rule("drm_file.c: drm_release", "a descriptor without close-on-exec works after execve");
    RawDevice kept = RawDevice::open(O_RDWR);
    ASSERT_TRUE(kept);
    EXPECT_EQ(in_child([&]() -> int { become("after-exec", kept.fd()); }), 0);
}

TEST_F(Node, ExecClosesCloseOnExec) {
    rule("drm_file.c: drm_release", "a close-on-exec descriptor is gone after execve");
    EXPECT_EQ(in_child([&]() -> int { become("closed-by-exec", device.fd()); }), 0);
}

TEST_F(Node, UnprivilegedProcessOpens) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_ioctls", "whoever can open the node may allocate");
    XDNA_NEED(geteuid() == 0, "needs root, to stop being it");
    struct stat status {};
    ASSERT_EQ(stat(target().node.c_str(), &status), 0);
    const bool for_all = (status.st_mode & S_IROTH) != 0 && (status.st_mode & S_IWOTH) != 0;
    EXPECT_EQ(in_child([&] {
                  XDNA_CHILD_CHECK(become_nobody());
                  if (for_all) {
                      RawDevice own = RawDevice::open();
                      XDNA_CHILD_CHECK(static_cast<bool>(own));
                      XDNA_CHILD_CHECK(own.bo(AMDXDNA_BO_SHARE, kPage) == 1);
                  }
                  // Through a descriptor that root opened, in any case.
                  XDNA_CHILD_CHECK(device.bo(AMDXDNA_BO_SHARE, kPage) != 0);
                  return 0;
              }),
              0);
}

}  // namespace
}  // namespace xdna::conformance
