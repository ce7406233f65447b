#include "emu/uapi/server_session.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <string>
#include <utility>

namespace xdna::emu {
namespace {

constexpr uint64_t kPage = 4096;

/// Calls that neither see nor free what another file's release frees: they need not wait for one,
/// and are the ones made per command.
bool independent_of_releases(unsigned long request) {
    constexpr unsigned kExecCmd = 0x46;  // DRM_COMMAND_BASE + DRM_AMDXDNA_EXEC_CMD
    constexpr unsigned kSyncobjFirst = 0xBF, kSyncobjLast = 0xCF;
    const unsigned number = _IOC_NR(request);
    return number == kExecCmd || (number >= kSyncobjFirst && number <= kSyncobjLast);
}

/// What the kernel checks before it asks a driver's mmap (mm/mmap.c, do_mmap and its callers).
int check_mmap(const OpenFile& opened, uint64_t offset, uint64_t length, int prot, int flags) {
    if (length == 0 || offset % kPage != 0)
        return -EINVAL;
    if (length > UINT64_MAX - kPage)
        return -ENOMEM;
    if (offset + length < offset)
        return -EOVERFLOW;
    const int type = flags & MAP_TYPE;
    if (type != MAP_SHARED && type != MAP_SHARED_VALIDATE && type != MAP_PRIVATE)
        return -EINVAL;
    if (type != MAP_PRIVATE && (prot & PROT_WRITE) != 0 && opened.access == O_RDONLY)
        return -EACCES;
    if (opened.access == O_WRONLY)
        return -EACCES;
    return 0;
}

/// A file with these contents, open for reading from its beginning; or a negative errno.
int readable_file(const std::string& text, UniqueFd& out) {
    const UniqueFd written(::memfd_create("fdinfo", MFD_CLOEXEC));
    if (!written)
        return -errno;
    const ssize_t size = ::write(written.get(), text.data(), text.size());
    if (size != static_cast<ssize_t>(text.size()))
        return size < 0 ? -errno : -ENOSPC;
    const std::string path = "/proc/self/fd/" + std::to_string(written.get());
    out.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return out ? 0 : -errno;
}

}  // namespace

Session::Outcome Session::handle(std::span<const std::byte> packet, Caller& caller) {
    Outcome outcome;
    wire::Request request;
    if (packet.size() != sizeof request)
        return outcome;
    std::memcpy(&request, packet.data(), sizeof request);

    if (!greeted_) {
        if (request.op != wire::Op::kHello || request.args[0] != secret_[0] ||
            request.args[1] != secret_[1])
            return outcome;
        greeted_ = true;
        outcome.next = Next::kReply;
        return outcome;
    }

    outcome.next = Next::kReply;
    const auto& args = request.args;
    switch (request.op) {
        case wire::Op::kAnchor:
            outcome.next = Next::kAnchor;
            break;
        case wire::Op::kOpen:
            files_.reap();
            outcome.reply.result = files_.open(caller, static_cast<int>(args[0]), outcome.fd);
            break;
        case wire::Op::kIoctl:
            outcome.reply.result = ioctl(request, caller);
            break;
        case wire::Op::kMmap:
            files_.reap();
            mmap(request, caller, outcome);
            break;
        case wire::Op::kMapped:
            if (auto opened = files_.find(request.file))
                opened->file->mapped(caller.pid(), args[0], args[1], args[2]);
            else
                outcome.reply.result = -ENODEV;
            break;
        case wire::Op::kUnmapped:
            files_.unmapped(caller.pid(), args[0], args[1]);
            break;
        case wire::Op::kInterrupt:
            // The call that it meant has ended by itself.
            outcome.next = Next::kContinue;
            break;
        case wire::Op::kIsDevice:
            outcome.reply.result = files_.find_inode(args[0]) ? 1 : 0;
            break;
        case wire::Op::kFdinfo:
            files_.reap();
            outcome.reply.result = fdinfo(request, outcome.fd);
            break;
        default:
            outcome.next = Next::kHangUp;
    }
    return outcome;
}

int Session::ioctl(const wire::Request& request, Caller& caller) {
    // An ioctl number is 32 bits: the kernel's entry takes an unsigned int.
    const unsigned long number = static_cast<uint32_t>(request.args[0]);
    if (_IOC_TYPE(number) != 'd')
        return -ENOTTY;  // drm_ioctl.c: another type than DRM's
    if (!independent_of_releases(number))
        files_.reap();
    auto opened = files_.find(request.file);
    if (!opened)
        return -ENODEV;

    const size_t size = _IOC_SIZE(number);
    alignas(8) std::array<std::byte, 1 << _IOC_SIZEBITS> argument;
    std::memset(argument.data(), 0, size);
    if ((_IOC_DIR(number) & _IOC_WRITE) != 0 &&
        caller.copy_in(argument.data(), request.args[1], size) != 0)
        return -EFAULT;
    int result = opened->file->ioctl(caller, number, argument.data());
    // drm_ioctl.c copies the argument out whatever the call returned.
    if ((_IOC_DIR(number) & _IOC_READ) != 0 &&
        caller.copy_out(request.args[1], argument.data(), size) != 0)
        result = -EFAULT;
    return result;
}

void Session::mmap(const wire::Request& request, Caller& caller, Outcome& outcome) {
    auto opened = files_.find(request.file);
    if (!opened) {
        outcome.reply.result = -ENODEV;
        return;
    }
    const uint64_t offset = request.args[0];
    const uint64_t length = request.args[1];
    const int prot = static_cast<int>(request.args[2]);
    const int flags = static_cast<int>(request.args[3]);
    int err = check_mmap(*opened, offset, length, prot, flags);
    Mapping mapping;
    if (err == 0)
        err = opened->file->mmap(caller, offset, (length + kPage - 1) / kPage * kPage, prot, flags,
                                 mapping);
    outcome.reply.result = err;
    if (err == 0) {
        outcome.reply.value = mapping.offset;
        outcome.reply.flags = wire::kReplyHasFd | wire::kReplyCloseOnExec;
        outcome.fd = std::move(mapping.memory);
    }
}

int Session::fdinfo(const wire::Request& request, UniqueFd& out) {
    const auto opened = files_.find_inode(request.args[0]);
    if (!opened)
        return -ENOENT;
    // fs/proc/fd.c, seq_show. The position stays 0 (noop_llseek). Of the flags, the socket has
    // those that fcntl() changes; the access mode is the open()'s, and a 64-bit open() is
    // O_LARGEFILE, which libc hides (asm-generic/fcntl.h).
    constexpr unsigned kLargeFile = 0100000;
    const unsigned flags = (static_cast<unsigned>(request.args[1]) & ~unsigned{O_ACCMODE}) |
                           static_cast<unsigned>(opened->access) | kLargeFile;
    std::ostringstream text;
    text << "pos:\t0\nflags:\t0" << std::oct << flags << std::dec << "\nmnt_id:\t"
         << request.args[2] << "\nino:\t" << request.args[3] << "\n"
         << opened->file->fdinfo();
    return readable_file(text.str(), out);
}

}  // namespace xdna::emu
