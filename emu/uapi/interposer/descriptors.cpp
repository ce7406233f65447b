// Calls on descriptors: ioctl, and the ones that would close what the door keeps open.
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdarg>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/connection.hpp"
#include "emu/uapi/interposer/device.hpp"
#include "emu/uapi/interposer/paths.hpp"
#include "emu/uapi/interposer/system.hpp"

using namespace xdna::emu;        // NOLINT(google-build-using-namespace)
using namespace xdna::emu::door;  // NOLINT(google-build-using-namespace)

namespace {

void debug_ioctl(unsigned long request, long result) {
    char text[] = "/dev/accel/accel0 0x00000000";
    for (int i = 0; i < 8; ++i)
        text[sizeof text - 2 - static_cast<size_t>(i)] = "0123456789abcdef"[request >> 4 * i & 15];
    debug("ioctl", text, result);
}

}  // namespace

DOOR_EXPORT int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    const unsigned long argument = va_arg(arguments, unsigned long);
    va_end(arguments);
    // What the kernel answers before a driver hears of it (FIOCLEX, FIONBIO: fs/ioctl.c) is of the
    // terminals' type too, and terminal requests get from a socket what they get from a device.
    constexpr unsigned kTerminal = 'T';
    uint64_t file;
    if (_IOC_TYPE(request) == DMA_BUF_BASE && is_dma_buf(fd))
        return static_cast<int>(returned(ioctl_dma_buf(request, argument)));
    if ((_IOC_TYPE(request) == kTerminal && request != FIONREAD && request != TIOCOUTQ) ||
        !is_device(fd, file))
        return NEXT(ioctl)(fd, request, argument);
    const long result = ioctl_device(file, request, argument);
    debug_ioctl(request, result);
    return static_cast<int>(returned(result));
}

DOOR_EXPORT int close(int fd) {
    if (is_hidden(fd)) {
        errno = EBADF;  // the program has no such descriptor
        return -1;
    }
    return NEXT(close)(fd);
}

DOOR_EXPORT int close_range(unsigned first, unsigned last, int flags) noexcept {
    // In between the door's own.
    for (unsigned from = first; from <= last;) {
        unsigned fd = from;
        constexpr unsigned kLimit = 1 << 16;  // hidden descriptors are below
        while (fd <= last && fd < kLimit && !is_hidden(static_cast<int>(fd)))
            ++fd;
        const bool found = fd <= last && fd < kLimit;
        if (!found)
            return static_cast<int>(returned(raw(SYS_close_range, from, last, flags)));
        if (fd > from) {
            const long result = raw(SYS_close_range, from, fd - 1, flags);
            if (result != 0)
                return static_cast<int>(returned(result));
        }
        from = fd + 1;
    }
    return first <= last ? 0 : static_cast<int>(returned(-EINVAL));
}

DOOR_EXPORT void closefrom(int first) noexcept {
    ::close_range(first < 0 ? 0 : static_cast<unsigned>(first), UINT_MAX, 0);
}

// --- syscall() ----------------------------------------------------------------------------------

extern "C" {
long xdna_door_syscall(long number, long a, long b, long c, long d, long e, long f);
long xdna_door_failed(long result);
}

/// What a program asks of the kernel by number goes the way of the function that it names.
__attribute__((used)) long xdna_door_syscall(long number, long a, long b, long c, long d, long e,
                                             long f) {
    const auto path = [](long text) { return reinterpret_cast<const char*>(text); };
    const auto integer = [](long value) { return static_cast<int>(value); };
    switch (number) {
        case SYS_ioctl:
            return ::ioctl(integer(a), static_cast<unsigned long>(b), c);
        case SYS_open:
            return ::open(path(a), integer(b), integer(c));
        case SYS_openat:
            return ::openat(integer(a), path(b), integer(c), integer(d));
        case SYS_close:
            return ::close(integer(a));
        case SYS_close_range:
            return ::close_range(static_cast<unsigned>(a), static_cast<unsigned>(b), integer(c));
        case SYS_mmap:
            return reinterpret_cast<long>(::mmap(reinterpret_cast<void*>(a), static_cast<size_t>(b),
                                                 integer(c), integer(d), integer(e), f));
        case SYS_munmap:
            return ::munmap(reinterpret_cast<void*>(a), static_cast<size_t>(b));
        case SYS_mremap:
            return reinterpret_cast<long>(::mremap(reinterpret_cast<void*>(a),
                                                   static_cast<size_t>(b), static_cast<size_t>(c),
                                                   integer(d), e));
        case SYS_stat:
            return ::stat(path(a), reinterpret_cast<struct stat*>(b));
        case SYS_lstat:
            return ::lstat(path(a), reinterpret_cast<struct stat*>(b));
        case SYS_fstat:
            return ::fstat(integer(a), reinterpret_cast<struct stat*>(b));
        case SYS_newfstatat:
            return ::fstatat(integer(a), path(b), reinterpret_cast<struct stat*>(c), integer(d));
        case SYS_statx:
            return ::statx(integer(a), path(b), integer(c), static_cast<unsigned>(d),
                           reinterpret_cast<struct statx*>(e));
        case SYS_readlink:
            return ::readlink(path(a), reinterpret_cast<char*>(b), static_cast<size_t>(c));
        case SYS_readlinkat:
            return ::readlinkat(integer(a), path(b), reinterpret_cast<char*>(c),
                                static_cast<size_t>(d));
        case SYS_access:
            return ::access(path(a), integer(b));
        case SYS_faccessat:
            return ::faccessat(integer(a), path(b), integer(c), 0);
        case SYS_chdir:
            return ::chdir(path(a));
        case SYS_fchdir:
            return ::fchdir(integer(a));
        case SYS_openat2: {
            if (!may_concern(integer(a), path(b)))
                return returned(raw(number, a, b, c, d));
            const auto* how = reinterpret_cast<const open_how*>(c);
            return claimed("openat2", integer(a), path(b), true, [=](const Path& found) {
                if (found.where() == Path::Where::kNode && (how->flags & O_PATH) == 0)
                    return returned(open_device(static_cast<int>(how->flags)));
                const long fd = raw(number, found.directory(), word(found.text()), c, d);
                correct_fdinfo(static_cast<int>(fd), path(b));
                return returned(fd);
            });
        }
        default:
            return returned(raw(number, a, b, c, d, e, f));
    }
}

/// Everything else enters the kernel from here, on the caller's own stack: a wrapper's frame would
/// not survive the second return of vfork or clone.
__attribute__((used)) long xdna_door_failed(long result) {
    return returned(result);
}

#define DOOR_NUMBER(number) "cmp $" DOOR_TEXT(number) ", %rdi\n je 1f\n"
#define DOOR_TEXT(number) DOOR_TEXT_OF(number)
#define DOOR_TEXT_OF(number) #number

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
DOOR_EXPORT __attribute__((naked)) long syscall(long, ...) noexcept {
    asm(DOOR_NUMBER(SYS_ioctl) DOOR_NUMBER(SYS_open) DOOR_NUMBER(SYS_openat)
        DOOR_NUMBER(SYS_close) DOOR_NUMBER(SYS_close_range) DOOR_NUMBER(SYS_mmap)
        DOOR_NUMBER(SYS_munmap) DOOR_NUMBER(SYS_mremap) DOOR_NUMBER(SYS_stat)
        DOOR_NUMBER(SYS_lstat) DOOR_NUMBER(SYS_fstat) DOOR_NUMBER(SYS_newfstatat)
        DOOR_NUMBER(SYS_statx) DOOR_NUMBER(SYS_readlink) DOOR_NUMBER(SYS_readlinkat)
        DOOR_NUMBER(SYS_access) DOOR_NUMBER(SYS_faccessat) DOOR_NUMBER(SYS_chdir)
        DOOR_NUMBER(SYS_fchdir) DOOR_NUMBER(SYS_openat2)
        "mov %rdi, %rax\n"
        "mov %rsi, %rdi\n"
        "mov %rdx, %rsi\n"
        "mov %rcx, %rdx\n"
        "mov %r8, %r10\n"
        "mov %r9, %r8\n"
        "mov 8(%rsp), %r9\n"
        "syscall\n"
        "cmp $-4095, %rax\n"
        "jae 2f\n"
        "ret\n"
        "2: mov %rax, %rdi\n"
        "jmp xdna_door_failed\n"
        "1: jmp xdna_door_syscall\n");
}
#pragma GCC diagnostic pop
