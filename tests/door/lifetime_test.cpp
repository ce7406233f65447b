// A descriptor of the node is the kernel's own object: what duplicates, inherits, passes or closes
// a descriptor does so here, and the file is released with the last of them.
#include <sched.h>
#include <spawn.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <thread>

#include "tests/door/node.hpp"

namespace xdna::door {
namespace {

bool holds_context(int observer, pid_t process) {
    const auto owners = context_owners(observer);
    return std::find(owners.begin(), owners.end(), process) != owners.end();
}

TEST(Lifetime, OpenNamesTheDriver) {
    Fd fd = open_node();
    ASSERT_GE(fd, 0);
    EXPECT_EQ("amdxdna_accel_driver", driver_name(fd));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(fd, F_GETFD));
    Fd inherited = open_node(O_RDWR);
    EXPECT_EQ(0, ::fcntl(inherited, F_GETFD));
}

TEST(Lifetime, OpenTakesTheLowestNumber) {
    Fd first = open_node();
    const int number = first;
    first.reset();
    EXPECT_EQ(number, static_cast<int>(open_node()));
}

TEST(Lifetime, TwoOpensAreTwoFiles) {
    Fd first = open_node(), second = open_node();
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(first, kPage, handle));
    EXPECT_EQ(EINVAL, close_bo(second, handle));
    EXPECT_EQ(0, close_bo(first, handle));
}

TEST(Lifetime, DuplicateIsTheSameFile) {
    Fd first = open_node();
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(first, kPage, handle));
    Fd second(::dup(first)), third(::fcntl(first, F_DUPFD_CLOEXEC, 100));
    EXPECT_EQ(0, ::fcntl(second, F_GETFD));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(third, F_GETFD));
    EXPECT_EQ(bo_info(first, handle).map_offset, bo_info(third, handle).map_offset);
    first.reset();
    EXPECT_EQ(0, close_bo(second, handle));
}

TEST(Lifetime, CloseReleasesWithTheLastDuplicate) {
    Fd observer = open_node(), fd = open_node();
    uint32_t context = 0;
    void* heap = nullptr;
    ASSERT_EQ(0, make_context(fd, context, &heap));
    ASSERT_EQ(0, ::munmap(heap, kHeap));
    Fd second(::dup(fd));
    fd.reset();
    EXPECT_TRUE(holds_context(observer, ::getpid()));
    second.reset();
    EXPECT_FALSE(holds_context(observer, ::getpid()));
}

TEST(Lifetime, MappingHoldsItsFile) {
    Fd observer = open_node(), fd = open_node();
    uint32_t context = 0;
    void* heap = nullptr;
    ASSERT_EQ(0, make_context(fd, context, &heap));
    fd.reset();
    EXPECT_TRUE(holds_context(observer, ::getpid()));
    ASSERT_EQ(0, ::munmap(heap, kHeap / 2));
    EXPECT_TRUE(holds_context(observer, ::getpid())) << "half of it is left";
    ASSERT_EQ(0, ::munmap(static_cast<char*>(heap) + kHeap / 2, kHeap / 2));
    EXPECT_FALSE(holds_context(observer, ::getpid()));
}

TEST(Lifetime, ExitReleasesBeforeTheParentHears) {
    Fd observer = open_node();
    for (int round = 0; round < 20; ++round) {
        const pid_t child = ::fork();
        if (child == 0) {
            uint32_t context = 0;
            ::_exit(make_context(::open(kNode, O_RDWR), context));
        }
        int status = 0;
        ASSERT_EQ(child, ::waitpid(child, &status, 0));
        ASSERT_EQ(0, WEXITSTATUS(status));
        EXPECT_FALSE(holds_context(observer, child));
    }
}

TEST(Lifetime, KillReleases) {
    Fd observer = open_node();
    int ready[2];
    ASSERT_EQ(0, ::pipe(ready));
    const pid_t child = ::fork();
    if (child == 0) {
        uint32_t context = 0;
        Fd fd = open_node();
        const char result = static_cast<char>(make_context(fd, context));
        [[maybe_unused]] ssize_t written = ::write(ready[1], &result, 1);
        wait_syncobj(fd, make_syncobj(fd));  // killed inside a blocking call
        ::_exit(0);
    }
    char result = 1;
    ASSERT_EQ(1, ::read(ready[0], &result, 1));
    ASSERT_EQ(0, result);
    EXPECT_TRUE(holds_context(observer, child));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(holds_context(observer, child));
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST(Lifetime, ForkInheritsTheFile) {
    Fd fd = open_node();
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(fd, kPage, handle));
    EXPECT_TRUE(in_child([&] { return close_bo(fd, handle) == 0; }));
    EXPECT_EQ(EINVAL, close_bo(fd, handle)) << "one file: the child closed it";
}

TEST(Lifetime, ForkInheritsTheMemory) {
    Fd fd = open_node();
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(fd, kPage, handle));
    auto* words = static_cast<volatile uint32_t*>(map_bo(fd, handle, kPage));
    ASSERT_NE(MAP_FAILED, const_cast<uint32_t*>(words));
    words[0] = 1;
    EXPECT_TRUE(in_child([&] {
        const bool seen = words[0] == 1;
        words[0] = 2;
        return seen && ::munmap(const_cast<uint32_t*>(words), kPage) == 0;
    }));
    EXPECT_EQ(2U, words[0]);
    ::munmap(const_cast<uint32_t*>(words), kPage);
}

TEST(Lifetime, ExecKeepsWhatIsNotCloseOnExec) {
    // Python is as unmodified as a program can be; the request is DRM_IOCTL_VERSION.
    constexpr char kProgram[] =
        "import fcntl, sys\n"
        "for fd, there in ((int(sys.argv[1]), True), (int(sys.argv[2]), False)):\n"
        "    try: fcntl.ioctl(fd, 0xC0406400, bytearray(64)); ok = True\n"
        "    except OSError: ok = False\n"
        "    if ok != there: sys.exit(1)\n";
    Fd kept = open_node(O_RDWR), closed = open_node(O_RDWR | O_CLOEXEC);
    const std::string numbers[] = {std::to_string(kept), std::to_string(closed)};
    EXPECT_TRUE(in_child([&] {
        ::execlp("python3", "python3", "-c", kProgram, numbers[0].c_str(), numbers[1].c_str(),
                 nullptr);
        return false;
    }));
}

TEST(Lifetime, ExecEndsMappings) {
    Fd observer = open_node();
    int ready[2];
    ASSERT_EQ(0, ::pipe(ready));
    const pid_t child = ::fork();
    if (child == 0) {
        uint32_t context = 0;
        Fd fd = open_node();
        if (make_context(fd, context) == 0) {
            ::dup2(ready[1], 1);
            ::execlp("sh", "sh", "-c", "echo; exec sleep 60", nullptr);
        }
        ::_exit(1);
    }
    char byte = 0;
    ASSERT_EQ(1, ::read(ready[0], &byte, 1));
    EXPECT_FALSE(holds_context(observer, child)) << "descriptor and mappings went with exec";
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ready[0]);
    ::close(ready[1]);
}

TEST(Lifetime, DescriptorPassesOverASocket) {
    int ends[2];
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    Fd fd = open_node();
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(fd, kPage, handle));

    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int number = fd;
    std::memcpy(CMSG_DATA(header), &number, sizeof number);
    ASSERT_EQ(1, ::sendmsg(ends[0], &message, 0));
    fd.reset();  // in flight, it is still open

    EXPECT_TRUE(in_child([&] {
        ::close(number);
        if (::recvmsg(ends[1], &message, 0) != 1)
            return false;
        int received = -1;
        std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
        return driver_name(received) == "amdxdna_accel_driver" && close_bo(received, handle) == 0;
    }));
    ::close(ends[0]);
    ::close(ends[1]);
}

/// A child that shares the parent's memory and calls the device on it.
void call_in_vfork_child(int fd) {
    const pid_t child = ::vfork();
    if (child == 0) {
        drm_version version{};
        ::_exit(::ioctl(fd, DRM_IOCTL_VERSION, &version));
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(0, status);
}

TEST(Lifetime, VforkAndSpawnLeaveTheParentWhole) {
    Fd fd = open_node();
    ASSERT_EQ("amdxdna_accel_driver", driver_name(fd));
    for (int round = 0; round < 3; ++round) {
        pid_t child = 0;
        char program[] = "true";
        char* arguments[] = {program, nullptr};
        ASSERT_EQ(0, ::posix_spawnp(&child, "true", nullptr, nullptr, arguments, environ));
        ::waitpid(child, nullptr, 0);
        call_in_vfork_child(fd);
        EXPECT_EQ("amdxdna_accel_driver", driver_name(fd));
    }
}

TEST(Lifetime, ClosingEverythingDoesNotCutTheDoor) {
    EXPECT_TRUE(in_child([] {
        Fd fd = open_node();
        uint32_t handle = 0;
        if (create_bo(fd, kPage, handle) != 0 || map_bo(fd, handle, kPage) == MAP_FAILED)
            return false;
        const int kept = ::dup2(fd, 3);
        ::close_range(4, ~0U, 0);
        for (int other = 4; other < 4096; ++other)
            ::close(other);
        return driver_name(kept) == "amdxdna_accel_driver" && close_bo(kept, handle) == 0;
    }));
}

TEST(Lifetime, NoDescriptorButTheProgramsOwn) {
    const auto count_in = [](const char* directory) {
        const std::filesystem::directory_iterator listed(directory);
        return std::distance(begin(listed), end(listed));
    };
    const auto count = [&] { return count_in("/proc/self/fd"); };
    const auto before = count();
    Fd fd = open_node();
    uint32_t handle = 0;
    ASSERT_EQ(0, create_bo(fd, kPage, handle));
    void* at = map_bo(fd, handle, kPage);
    EXPECT_EQ(before + 1, count());
    EXPECT_EQ(before + 1, count_in("/proc/self/fdinfo"));
    fd.reset();
    EXPECT_EQ(before, count());
    ::munmap(at, kPage);
}

TEST(Lifetime, ManyProcessesShareOneDevice) {
    Fd fd = open_node();
    std::vector<pid_t> children;
    for (int i = 0; i < 24; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            for (int round = 0; round < 20; ++round) {
                Fd own = open_node();
                uint32_t handle = 0;
                if (create_bo(own, 4 * kPage, handle) != 0)
                    ::_exit(1);
                auto* bytes = static_cast<char*>(map_bo(own, handle, 4 * kPage));
                if (bytes == MAP_FAILED)
                    ::_exit(2);
                std::memset(bytes, i, 4 * kPage);
                if (bytes[3 * kPage] != static_cast<char>(i) || ::munmap(bytes, 4 * kPage) != 0)
                    ::_exit(3);
            }
            ::_exit(0);
        }
        children.push_back(child);
    }
    for (pid_t child : children) {
        int status = 0;
        ASSERT_EQ(child, ::waitpid(child, &status, 0));
        EXPECT_EQ(0, status);
    }
    EXPECT_EQ("amdxdna_accel_driver", driver_name(fd));
}

TEST(Lifetime, ThreadsComeAndGo) {
    Fd fd = open_node();
    for (int round = 0; round < 20; ++round) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i)
            threads.emplace_back([&] {
                uint32_t handle = 0;
                EXPECT_EQ(0, create_bo(fd, kPage, handle));
                EXPECT_EQ(0, close_bo(fd, handle));
            });
        for (auto& thread : threads)
            thread.join();
    }
}

}  // namespace
}  // namespace xdna::door
