// /proc/PID/fdinfo/FD of an open node, whichever way it is opened.
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fstream>
#include <sstream>

#include "tests/door/node.hpp"

namespace xdna::door {
namespace {

std::string all_of(int fd) {
    char buffer[4096];
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    return {buffer, size > 0 ? static_cast<size_t>(size) : 0};
}

std::string all_of(FILE* stream) {
    char buffer[4096];
    return stream == nullptr ? "" : std::string(buffer, ::fread(buffer, 1, sizeof buffer, stream));
}

std::string entry(int fd, const std::string& process = "self") {
    return "/proc/" + process + "/fdinfo/" + std::to_string(fd);
}

TEST(Fdinfo, BeginsAsTheKernelsAndGoesOnAsTheDrivers) {
    Fd fd = open_node(O_RDWR | O_CLOEXEC | O_NONBLOCK);
    struct stat status {};
    ASSERT_EQ(0, ::fstat(fd, &status));
    struct statx extended {};
    ASSERT_EQ(0, ::statx(AT_FDCWD, kNode, 0, STATX_MNT_ID, &extended));
    const std::string text = all_of(Fd(::open(entry(fd).c_str(), O_RDONLY)));
    std::ostringstream expected;
    expected << "pos:\t0\nflags:\t02104002\nmnt_id:\t" << extended.stx_mnt_id << "\nino:\t"
             << status.st_ino << "\ndrm-driver:\tamdxdna_accel_driver\ndrm-client-id:\t";
    EXPECT_EQ(expected.str(), text.substr(0, expected.str().size()));
    EXPECT_NE(std::string::npos, text.find("\ndrm-total-memory:\t0\n"));

    ASSERT_EQ(0, ::fcntl(fd, F_SETFL, 0));
    ASSERT_EQ(0, ::fcntl(fd, F_SETFD, 0));
    EXPECT_NE(std::string::npos,
              all_of(Fd(::open(entry(fd).c_str(), O_RDONLY))).find("\nflags:\t0100002\n"));
    const Fd reader = open_node(O_RDONLY);
    EXPECT_NE(std::string::npos,
              all_of(Fd(::open(entry(reader).c_str(), O_RDONLY))).find("\nflags:\t0100000\n"));
}

TEST(Fdinfo, EveryWayOfOpening) {
    Fd fd = open_node();
    const std::string path = entry(fd);
    const std::string text = all_of(Fd(::open(path.c_str(), O_RDONLY)));
    ASSERT_NE(std::string::npos, text.find("drm-client-id:\t"));
    EXPECT_EQ(text, all_of(Fd(::open(entry(fd, "thread-self").c_str(), O_RDONLY))));
    EXPECT_EQ(text, all_of(Fd(::open(entry(fd, std::to_string(::getpid())).c_str(), O_RDONLY))));
    const Fd directory(::open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY));
    EXPECT_EQ(text, all_of(Fd(::openat(directory, std::to_string(fd).c_str(), O_RDONLY))));
    EXPECT_EQ(
        text,
        all_of(Fd(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path.c_str(), O_RDONLY, 0)))));
    std::ostringstream streamed;
    streamed << std::ifstream(path).rdbuf();
    EXPECT_EQ(text, streamed.str());
    FILE* stream = ::fopen(path.c_str(), "re");
    ASSERT_NE(nullptr, stream);
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(::fileno(stream), F_GETFD));
    EXPECT_EQ(text, all_of(stream));
    stream = ::freopen(path.c_str(), "r", stream);
    ASSERT_NE(nullptr, stream);
    EXPECT_EQ(text, all_of(stream));
    ::fclose(stream);
    EXPECT_TRUE(in_child([&] {
        return text == all_of(Fd(::open(entry(fd, std::to_string(::getppid())).c_str(), O_RDONLY)));
    })) << "another process's";
}

TEST(Fdinfo, OpensTheLowestNumber) {
    Fd fd = open_node();
    const int lowest = Fd(::dup(0));
    const Fd opened(::open(entry(fd).c_str(), O_RDONLY));
    EXPECT_EQ(lowest, opened);
    EXPECT_EQ(0, ::fcntl(opened, F_GETFD));
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(Fd(::open(entry(fd).c_str(), O_RDONLY | O_CLOEXEC)), F_GETFD));
}

TEST(Fdinfo, OfOthersIsTheirOwn) {
    int ends[2];
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    const std::string text = all_of(Fd(::open(entry(ends[0]).c_str(), O_RDONLY)));
    EXPECT_EQ(0U, text.find("pos:\t0\nflags:\t02\n"));
    EXPECT_EQ(std::string::npos, text.find("drm-"));
    ::close(ends[0]);
    ::close(ends[1]);
    EXPECT_EQ(-1, ::open(entry(ends[0]).c_str(), O_RDONLY));
    EXPECT_EQ(ENOENT, errno);
}

}  // namespace
}  // namespace xdna::door
