#include "emu/uapi/interposer/device.hpp"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include <cstring>
#include <string_view>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/connection.hpp"
#include "emu/uapi/interposer/paths.hpp"
#include "emu/uapi/interposer/system.hpp"
#include "emu/uapi/machine_layout.hpp"

namespace xdna::emu::door {

bool is_device(int fd, uint64_t& file) {
    const Config* about = config();
    if (about == nullptr || fd < 0)
        return false;
    wire::Address name{};
    name.size = sizeof name.sun;
    return raw(SYS_getsockname, fd, word(&name.sun), word(&name.size)) == 0 &&
           wire::parse_file(about->server, name, file);
}

long open_device(int flags) {
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if ((flags & O_DIRECTORY) != 0)
        return -ENOTDIR;
    if ((flags & O_EXCL) != 0)
        return -EBUSY;  // drm_file.c, drm_open_helper
    const Answer answer = call(wire::Op::kOpen, 0, static_cast<uint64_t>(flags));
    if (answer.result < 0)
        return answer.result;
    if ((flags & O_CLOEXEC) == 0)
        raw(SYS_fcntl, answer.fd, F_SETFD, 0);
    if ((flags & O_NONBLOCK) != 0)
        raw(SYS_fcntl, answer.fd, F_SETFL, O_RDWR | O_NONBLOCK);
    return answer.fd;
}

long ioctl_device(uint64_t file, unsigned long request, unsigned long argument) {
    Answer answer = call(wire::Op::kIoctl, file, request, argument);
    if (answer.fd < 0)
        return answer.result;
    if ((answer.reply.flags & wire::kReplyCloseOnExec) == 0)
        raw(SYS_fcntl, answer.fd, F_SETFD, 0);
    // The server wrote the argument already; written the same way, a page that went since is
    // EFAULT.
    int32_t number = answer.fd;
    iovec from{&number, sizeof number};
    iovec to{reinterpret_cast<void*>(argument + answer.reply.fd_offset), sizeof number};
    if (raw(SYS_process_vm_writev, raw(SYS_getpid), word(&from), 1, word(&to), 1) !=
        static_cast<long>(sizeof number)) {
        raw(SYS_close, answer.fd);
        return -EFAULT;
    }
    return answer.result;
}

bool is_dma_buf(int fd) {
    // The driver's buffers are sealed memfds of this name (driver/bo_memory.cpp).
    constexpr char kTarget[] = "/memfd:xdna-bo";
    if (config() == nullptr || raw(SYS_fcntl, fd, F_GET_SEALS) <= 0)
        return false;
    char path[sizeof kTarget + 16];
    return path_of(fd, path, sizeof path) >= sizeof kTarget - 1 &&
           std::memcmp(path, kTarget, sizeof kTarget - 1) == 0;
}

long ioctl_dma_buf(unsigned long request, unsigned long argument) {
    if (static_cast<uint32_t>(request) != DMA_BUF_IOCTL_SYNC)
        return -ENOTTY;
    dma_buf_sync sync{};
    iovec to{&sync, sizeof sync};
    iovec from{reinterpret_cast<void*>(argument), sizeof sync};
    if (raw(SYS_process_vm_readv, raw(SYS_getpid), word(&to), 1, word(&from), 1) !=
        static_cast<long>(sizeof sync))
        return -EFAULT;
    // dma-buf.c, dma_buf_ioctl. There is nothing to flush: the device reads these very pages.
    const bool known = (sync.flags & ~static_cast<uint64_t>(DMA_BUF_SYNC_VALID_FLAGS_MASK)) == 0;
    return known && (sync.flags & DMA_BUF_SYNC_RW) != 0 ? 0 : -EINVAL;
}

namespace {

struct Placeholder {
    char path[sizeof(Config::root) + sizeof kNodePath];
    struct stat status;
    bool there;
};

const Placeholder& placeholder() {
    static Placeholder one;
    static std::atomic<int> state{0};
    if (state.load(std::memory_order_acquire) != 2) {
        // Two threads here at once write the same bytes.
        const Config& about = *config();
        std::memcpy(one.path, about.root, about.root_size);
        std::memcpy(one.path + about.root_size, kNodePath, sizeof kNodePath);
        one.there = raw(SYS_newfstatat, AT_FDCWD, word(one.path), word(&one.status), 0) == 0;
        state.store(2, std::memory_order_release);
    }
    return one;
}

}  // namespace

void describe_node(struct stat& status) {
    status = placeholder().status;
    status.st_mode = S_IFCHR | kNodeMode;
    status.st_rdev = ::makedev(kNodeMajor, kNodeMinor);
    status.st_uid = 0;
    status.st_size = 0;
    status.st_blocks = 0;
    status.st_blksize = 4096;
    status.st_nlink = 1;
}

void describe_node(struct statx& status) {
    struct stat plain;
    describe_node(plain);
    status.stx_mask |= STATX_BASIC_STATS;
    status.stx_mode = static_cast<uint16_t>(plain.st_mode);
    status.stx_rdev_major = kNodeMajor;
    status.stx_rdev_minor = kNodeMinor;
    status.stx_uid = plain.st_uid;
    status.stx_gid = plain.st_gid;
    status.stx_ino = plain.st_ino;
    status.stx_dev_major = ::major(plain.st_dev);
    status.stx_dev_minor = ::minor(plain.st_dev);
    status.stx_size = 0;
    status.stx_blocks = 0;
    status.stx_blksize = 4096;
    status.stx_nlink = 1;
    const auto time = [](const timespec& from) {
        return statx_timestamp{from.tv_sec, static_cast<uint32_t>(from.tv_nsec), {}};
    };
    status.stx_atime = time(plain.st_atim);
    status.stx_mtime = time(plain.st_mtim);
    status.stx_ctime = time(plain.st_ctim);
}

namespace {

/// The number after `key` (with its colon and tab) in what fs/proc/fd.c, seq_show, wrote.
bool number_of(std::string_view text, std::string_view key, unsigned base, uint64_t& value) {
    const size_t at = text.find(key);
    if (at == std::string_view::npos)
        return false;
    value = 0;
    for (size_t i = at + key.size(); i < text.size() && text[i] >= '0' && text[i] <= '9'; ++i)
        value = value * base + static_cast<uint64_t>(text[i] - '0');
    return true;
}

/// True if a path ends in a number, as a descriptor's entry does.
bool ends_in_number(std::string_view path) {
    const size_t slash = path.find_last_not_of("0123456789");
    return slash == std::string_view::npos ? !path.empty()
                                           : path[slash] == '/' && slash + 1 < path.size();
}

__attribute__((noinline)) void correct_open_fdinfo(int fd) {
    char name[128];
    const std::string_view path(name, path_of(fd, name, sizeof name));
    if (!path.starts_with("/proc/") ||
        !std::string_view(name, path.rfind('/')).ends_with("/fdinfo"))
        return;
    // pread() leaves the position, and what is read later is made anew.
    char buffer[512];
    const long got = raw(SYS_pread64, fd, word(buffer), sizeof buffer, 0);
    const std::string_view text(buffer, got > 0 ? static_cast<size_t>(got) : 0);
    uint64_t inode;
    uint64_t flags;
    if (!number_of(text, "\nino:\t", 10, inode) || !number_of(text, "\nflags:\t", 8, flags))
        return;
    struct statx node {};
    const Placeholder& where = placeholder();
    raw(SYS_statx, AT_FDCWD, word(where.path), 0, STATX_MNT_ID, word(&node));
    const Answer answer =
        call(wire::Op::kFdinfo, 0, inode, flags, node.stx_mnt_id, where.status.st_ino);
    if (answer.result == -ENOENT)
        return;
    debug("fdinfo", name, answer.result);
    if (answer.fd < 0)
        return;
    const bool cloexec = (raw(SYS_fcntl, fd, F_GETFD) & FD_CLOEXEC) != 0;
    raw(SYS_dup3, answer.fd, fd, cloexec ? O_CLOEXEC : 0);
    raw(SYS_close, answer.fd);
}

}  // namespace

void correct_fdinfo(int fd, const char* path) {
    if (fd < 0 || config() == nullptr || !ends_in_number(path))
        return;
    KeepErrno keep;
    correct_open_fdinfo(fd);
}

bool describes_node(int fd, const struct stat& status) {
    if (config() == nullptr)
        return false;
    uint64_t file;
    if (S_ISSOCK(status.st_mode))
        return is_device(fd, file);
    if (!S_ISREG(status.st_mode) || status.st_size != 0)
        return false;
    const Placeholder& node = placeholder();
    return node.there && status.st_ino == node.status.st_ino && status.st_dev == node.status.st_dev;
}

}  // namespace xdna::emu::door
