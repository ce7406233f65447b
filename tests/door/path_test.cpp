// The machine that a program sees: the NPU's entries are there, whichever way a path leads to them,
// and everything else is as it was.
#include <dirent.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/door/node.hpp"

namespace xdna::door {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::set<std::string> names(const fs::path& directory) {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(directory))
        all.insert(entry.path().filename());
    return all;
}

class WorkingDirectory {
  public:
    WorkingDirectory() : before_(fs::current_path()) {}
    ~WorkingDirectory() { fs::current_path(before_); }

  private:
    fs::path before_;
};

TEST(Path, NodeIsACharacterDevice) {
    struct stat status {};
    ASSERT_EQ(0, ::stat(kNode, &status));
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    EXPECT_EQ(::makedev(261, 0), status.st_rdev);
    EXPECT_EQ(0666U, status.st_mode & 07777);

    Fd fd = open_node();
    struct stat opened {};
    ASSERT_EQ(0, ::fstat(fd, &opened));
    EXPECT_EQ(status.st_mode, opened.st_mode);
    EXPECT_EQ(status.st_rdev, opened.st_rdev);
    EXPECT_EQ(status.st_ino, opened.st_ino);

    struct statx extended {};
    ASSERT_EQ(0, ::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &extended));
    EXPECT_EQ(261U, extended.stx_rdev_major);
    EXPECT_EQ(0, ::access(kNode, R_OK | W_OK));
    EXPECT_EQ(fs::file_type::character, fs::status(kNode).type());
}

TEST(Path, DescriptorSaysWhatItIs) {
    Fd fd = open_node();
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    EXPECT_EQ(kNode, fs::read_symlink(link));
    EXPECT_EQ(kNode, fs::read_symlink("/proc/" + std::to_string(::getpid()) + "/fd/" +
                                      std::to_string(fd)));
    Fd again(::open(link.c_str(), O_RDWR));
    EXPECT_EQ("amdxdna_accel_driver", driver_name(again));
    int ends[2];
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    EXPECT_EQ(
        0U, fs::read_symlink("/proc/self/fd/" + std::to_string(ends[0])).string().find("socket:["));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(Path, ListingsHaveIt) {
    EXPECT_EQ(std::set<std::string>{"accel0"}, names("/dev/accel"));
    EXPECT_EQ(std::set<std::string>{"accel0"}, names("/sys/class/accel"));
    EXPECT_TRUE(names("/dev").count("accel"));
    EXPECT_TRUE(names("/dev").count("null"));
    EXPECT_TRUE(names("/sys/bus/pci/drivers").count("amdxdna"));
    EXPECT_TRUE(names("/sys/class").count("accel"));
    EXPECT_TRUE(names("/sys/class").count("mem"));
    EXPECT_TRUE(names("/sys/dev/char").count("261:0"));
    EXPECT_TRUE(names("/sys/dev/char").count("1:3"));
    for (const auto& entry : fs::directory_iterator("/dev/accel"))
        EXPECT_TRUE(entry.is_character_file());
    for (const auto& entry : fs::directory_iterator("/dev"))
        if (entry.path().filename() == "null") {
            EXPECT_TRUE(entry.is_character_file() && !entry.is_symlink());
        }
}

TEST(Path, SysfsTellsWhatItIs) {
    const fs::path device = "/sys/class/accel/accel0/device";
    EXPECT_EQ("0x1022\n", contents(device / "vendor"));
    EXPECT_EQ("0x1502\n", contents(device / "device"));
    EXPECT_EQ("0x00\n", contents(device / "revision"));
    EXPECT_EQ("0x118000\n", contents(device / "class"));
    EXPECT_EQ("RyzenAI-npu1\n", contents(device / "vbnv"));
    EXPECT_EQ("0\n", contents(device / "device_type"));
    EXPECT_EQ("261:0\n", contents("/sys/class/accel/accel0/dev"));
    EXPECT_EQ("DMA-FQ\n", contents(device / "iommu_group/type"));
    EXPECT_EQ("amdxdna", fs::canonical(device / "driver").filename());
    EXPECT_EQ(fs::canonical("/sys/module/amdxdna"), fs::canonical(device / "driver/module"));
    EXPECT_NE(std::string::npos, contents("/proc/modules").find("amdxdna "));
    EXPECT_NE(std::string::npos, contents("/proc/devices").find("\n261 accel\n"));

    const std::string config = contents(device / "config");
    ASSERT_EQ(4096U, config.size());
    EXPECT_EQ(std::string("\x22\x10\x02\x15", 4), config.substr(0, 4));
}

TEST(Path, FirmwareVersionIsTheDriversOwn) {
    Fd fd = open_node();
    amdxdna_drm_query_firmware_version version{};
    amdxdna_drm_get_info query{};
    query.param = DRM_AMDXDNA_QUERY_FIRMWARE_VERSION;
    query.buffer_size = sizeof version;
    query.buffer = reinterpret_cast<uint64_t>(&version);
    ASSERT_EQ(0, ioctl_errno(fd, DRM_IOCTL_AMDXDNA_GET_INFO, query));
    std::ostringstream expected;
    expected << version.major << '.' << version.minor << '.' << version.patch << '.'
             << version.build << '\n';
    EXPECT_EQ(expected.str(), contents("/sys/class/accel/accel0/device/fw_version"));
}

TEST(Path, EveryWayLeadsThere) {
    WorkingDirectory restored;
    for (const char* way :
         {"//dev//accel/accel0", "/dev/./accel/accel0", "/dev/accel/../accel/accel0",
          "/etc/../dev/accel/accel0", "/sys/../dev/accel/accel0"})
        EXPECT_GE(Fd(::open(way, O_RDWR)), 0) << way;
    EXPECT_EQ(-1, ::open("/dev/null/../accel/accel0", O_RDWR)) << "a file has no parent by path";
    fs::current_path("/dev");
    EXPECT_GE(Fd(::open("accel/accel0", O_RDWR)), 0);
    fs::current_path("accel");
    EXPECT_EQ("/dev/accel", fs::current_path());
    EXPECT_GE(Fd(::open("accel0", O_RDWR)), 0);
    EXPECT_GE(Fd(::open("../accel/accel0", O_RDWR)), 0);
    EXPECT_GE(Fd(::open("../null", O_RDWR)), 0);
    fs::current_path("/tmp");
    EXPECT_GE(Fd(::open("../dev/accel/accel0", O_RDWR)), 0);
    fs::current_path("/");
    EXPECT_GE(Fd(::open("dev/accel/accel0", O_RDWR)), 0);

    Fd dev(::open("/dev", O_RDONLY | O_DIRECTORY)), root(::open("/", O_PATH));
    EXPECT_GE(Fd(::openat(dev, "accel/accel0", O_RDWR)), 0);
    EXPECT_GE(Fd(::openat(dev, "null", O_RDWR)), 0);
    EXPECT_GE(Fd(::openat(root, "dev/accel/accel0", O_RDWR)), 0);
    Fd by_number(static_cast<int>(::syscall(SYS_openat, AT_FDCWD, kNode, O_RDWR)));
    EXPECT_EQ("amdxdna_accel_driver", driver_name(by_number));
    FILE* stream = ::fopen(kNode, "r+");
    ASSERT_NE(nullptr, stream);
    EXPECT_EQ("amdxdna_accel_driver", driver_name(::fileno(stream)));
    ::fclose(stream);
}

TEST(Path, LinksAreTheKernels) {
    EXPECT_EQ("../../devices/pci0000:c5/0000:c5:00.1/accel/accel0",
              fs::read_symlink("/sys/class/accel/accel0"));
    EXPECT_EQ("../../../0000:c5:00.1", fs::read_symlink("/sys/class/accel/accel0/device"));
    EXPECT_EQ("/sys/devices/pci0000:c5/0000:c5:00.1",
              fs::canonical("/sys/class/accel/accel0/device"));
    EXPECT_EQ("/sys/bus/pci", fs::canonical("/sys/class/accel/accel0/device/subsystem"));
    char resolved[PATH_MAX];
    EXPECT_STREQ("/dev/accel/accel0", ::realpath("/dev/../dev/accel/accel0", resolved));
    EXPECT_EQ(nullptr, ::realpath("/dev/accel/accel1", resolved));
    EXPECT_EQ(ENOENT, errno);
}

TEST(Path, WhatIsNotThereIsNotThere) {
    struct stat status {};
    EXPECT_EQ(-1, ::stat("/dev/accel/accel1", &status));
    EXPECT_EQ(ENOENT, errno);
    EXPECT_EQ(-1, ::open("/dev/accel/accel0/x", O_RDWR));
    EXPECT_EQ(ENOTDIR, errno);
    EXPECT_EQ(-1, ::open("/dev/accel/accel0/", O_RDWR));
    EXPECT_EQ(ENOTDIR, errno);
    EXPECT_EQ(-1, ::open(kNode, O_RDWR | O_CREAT | O_EXCL, 0666));
    EXPECT_EQ(EEXIST, errno);
    EXPECT_EQ(-1, ::open(kNode, O_RDWR | O_EXCL));
    EXPECT_EQ(EBUSY, errno);
    EXPECT_EQ(-1, ::open(kNode, O_RDONLY | O_DIRECTORY));
    EXPECT_EQ(ENOTDIR, errno);
    const char* nowhere = reinterpret_cast<const char*>(8);
    EXPECT_EQ(-1, ::access(nowhere, F_OK));
    EXPECT_EQ(EFAULT, errno);
    EXPECT_EQ(-1, ::open("", O_RDONLY));
    EXPECT_EQ(ENOENT, errno);
}

TEST(Path, TheHostsOwnAreUntouched) {
    struct stat status {};
    ASSERT_EQ(0, ::lstat("/dev/null", &status));
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    EXPECT_TRUE(fs::is_symlink("/dev/fd"));
    EXPECT_EQ(0, ::access("/dev/null", W_OK));
    Fd dev(::open("/dev", O_RDONLY | O_DIRECTORY));
    ASSERT_EQ(0, ::fstatat(dev, "null", &status, AT_SYMLINK_NOFOLLOW));
    EXPECT_TRUE(S_ISCHR(status.st_mode));
    struct statfs about {};
    ASSERT_EQ(0, ::statfs("/sys/class/accel/accel0/device", &about));
    EXPECT_EQ(0x62656572, about.f_type);
    EXPECT_FALSE(names("/proc").empty());
    EXPECT_TRUE(names("/proc").count("self"));
}

TEST(Path, GlobAndScandirSeeIt) {
    glob_t found{};
    ASSERT_EQ(0, ::glob("/dev/acc*/acc*", 0, nullptr, &found));
    ASSERT_EQ(1U, found.gl_pathc);
    EXPECT_STREQ(kNode, found.gl_pathv[0]);
    ::globfree(&found);
    dirent** entries = nullptr;
    const int count = ::scandir("/sys/bus/pci/devices", &entries, nullptr, ::alphasort);
    bool seen = false;
    for (int i = 0; i < count; ++i) {
        seen = seen || std::string(entries[i]->d_name) == "0000:c5:00.1";
        ::free(entries[i]);
    }
    ::free(entries);
    EXPECT_TRUE(seen);
}

TEST(Path, RecursiveWalkEnds) {
    size_t count = 0;
    for (const auto& entry : fs::recursive_directory_iterator("/sys/devices/pci0000:c5"))
        count += entry.is_regular_file() ? 1 : 0;
    EXPECT_GT(count, 20U);
}

}  // namespace
}  // namespace xdna::door
