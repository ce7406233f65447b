// Calls that open or look at one path.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdarg>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/connection.hpp"
#include "emu/uapi/interposer/device.hpp"
#include "emu/uapi/interposer/paths.hpp"
#include "emu/uapi/interposer/system.hpp"
#include "emu/uapi/machine_layout.hpp"

using namespace xdna::emu;        // NOLINT(google-build-using-namespace)
using namespace xdna::emu::door;  // NOLINT(google-build-using-namespace)

// Entry points of libc that no header declares.
// NOLINTBEGIN(readability-identifier-naming)
extern "C" {
int __open_2(const char* path, int flags);
int __open64_2(const char* path, int flags);
int __openat_2(int directory, const char* path, int flags);
int __openat64_2(int directory, const char* path, int flags);
int __xstat(int version, const char* path, struct stat* status);
int __xstat64(int version, const char* path, struct stat64* status);
int __lxstat(int version, const char* path, struct stat* status);
int __lxstat64(int version, const char* path, struct stat64* status);
int __fxstat(int version, int fd, struct stat* status);
int __fxstat64(int version, int fd, struct stat64* status);
int __fxstatat(int version, int directory, const char* path, struct stat* status, int flags);
int __fxstatat64(int version, int directory, const char* path, struct stat64* status, int flags);
ssize_t __readlink_chk(const char* path, char* buffer, size_t size, size_t capacity);
ssize_t __readlinkat_chk(int directory, const char* path, char* buffer, size_t size,
                         size_t capacity);
char* __realpath_chk(const char* path, char* resolved, size_t capacity);
}
// NOLINTEND(readability-identifier-naming)

static_assert(sizeof(struct stat) == sizeof(struct stat64) && sizeof(off_t) == 8);

namespace {

// --- open -------------------------------------------------------------------------------------

template <typename Next>
int open_claimed(int directory, const char* path, int flags, Next next) {
    return claimed("open", directory, path, (flags & O_NOFOLLOW) == 0, [&](const Path& found) {
        if (found.where() == Path::Where::kNode && (flags & O_PATH) == 0)
            return static_cast<int>(returned(open_device(flags)));
        return next(found.directory(), found.text());
    });
}

/// `path` leads to an open device file through /proc: the kernel will not open a socket that way.
bool leads_to_device(int directory, const char* path) {
    KeepErrno keep;
    struct stat status {};
    char target[64];
    ssize_t size;
    return raw(SYS_newfstatat, directory, word(path), word(&status), 0) == 0 &&
           S_ISSOCK(status.st_mode) &&
           (size = ::readlinkat(directory, path, target, sizeof target)) > 0 &&
           std::string_view(target, static_cast<size_t>(size)) == kNodePath;
}

template <typename Next>
int open_any(int directory, const char* path, int flags, Next next) {
    if (may_concern(directory, path)) {
        const int fd = open_claimed(directory, path, flags, next);
        if (fd < 0 && errno == ENXIO && leads_to_device(directory, path))
            return static_cast<int>(returned(open_device(flags)));
        correct_fdinfo(fd, path);
        return fd;
    }
    return next(directory, path);
}

mode_t mode_of(int flags, va_list arguments) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(arguments, mode_t)
                                                                      : 0;
}

}  // namespace

#define DOOR_OPEN(function)                                                                        \
    DOOR_EXPORT int function(const char* path, int flags, ...) {                                   \
        va_list arguments;                                                                         \
        va_start(arguments, flags);                                                                \
        const mode_t mode = mode_of(flags, arguments);                                             \
        va_end(arguments);                                                                         \
        return open_any(AT_FDCWD, path, flags,                                                     \
                        [=](int, const char* real) { return NEXT(function)(real, flags, mode); }); \
    }
DOOR_OPEN(open)
DOOR_OPEN(open64)

#define DOOR_OPENAT(function)                                                   \
    DOOR_EXPORT int function(int directory, const char* path, int flags, ...) { \
        va_list arguments;                                                      \
        va_start(arguments, flags);                                             \
        const mode_t mode = mode_of(flags, arguments);                          \
        va_end(arguments);                                                      \
        return open_any(directory, path, flags, [=](int at, const char* real) { \
            return NEXT(function)(at, real, flags, mode);                       \
        });                                                                     \
    }
DOOR_OPENAT(openat)
DOOR_OPENAT(openat64)

#define DOOR_OPEN_2(function)                                                                \
    DOOR_EXPORT int function(const char* path, int flags) {                                  \
        return open_any(AT_FDCWD, path, flags,                                               \
                        [=](int, const char* real) { return NEXT(function)(real, flags); }); \
    }
DOOR_OPEN_2(__open_2)
DOOR_OPEN_2(__open64_2)

#define DOOR_OPENAT_2(function)                                                 \
    DOOR_EXPORT int function(int directory, const char* path, int flags) {      \
        return open_any(directory, path, flags, [=](int at, const char* real) { \
            return NEXT(function)(at, real, flags);                             \
        });                                                                     \
    }
DOOR_OPENAT_2(__openat_2)
DOOR_OPENAT_2(__openat64_2)

#define DOOR_CREAT(function)                                                                \
    DOOR_EXPORT int function(const char* path, mode_t mode) {                               \
        return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC,                       \
                        [=](int, const char* real) { return NEXT(function)(real, mode); }); \
    }
DOOR_CREAT(creat)
DOOR_CREAT(creat64)

namespace {

template <typename Next>
FILE* fopen_claimed(const char* path, const char* mode, Next next) {
    return claimed("fopen", AT_FDCWD, path, true, [&](const Path& found) -> FILE* {
        if (found.where() != Path::Where::kNode) {
            FILE* stream = next(found.text());
            if (stream != nullptr)
                correct_fdinfo(::fileno(stream), path);
            return stream;
        }
        int flags = ::strchr(mode, '+') != nullptr ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
        if (::strchr(mode, 'e') != nullptr)
            flags |= O_CLOEXEC;
        const int fd = static_cast<int>(returned(open_device(flags)));
        if (fd < 0)
            return nullptr;
        FILE* stream = ::fdopen(fd, mode);
        if (stream == nullptr) {
            KeepErrno keep;
            raw(SYS_close, fd);
        }
        return stream;
    });
}

}  // namespace

#define DOOR_FOPEN(function)                                                                \
    DOOR_EXPORT FILE* function(const char* path, const char* mode) {                        \
        if (!may_concern(AT_FDCWD, path))                                                   \
            return NEXT(function)(path, mode);                                              \
        return fopen_claimed(path, mode,                                                    \
                             [=](const char* real) { return NEXT(function)(real, mode); }); \
    }
DOOR_FOPEN(fopen)
DOOR_FOPEN(fopen64)

#define DOOR_FREOPEN(function)                                                     \
    DOOR_EXPORT FILE* function(const char* path, const char* mode, FILE* stream) { \
        if (!may_concern(AT_FDCWD, path))                                          \
            return NEXT(function)(path, mode, stream);                             \
        return claimed(#function, AT_FDCWD, path, true, [=](const Path& found) {   \
            FILE* opened = NEXT(function)(found.text(), mode, stream);             \
            if (opened != nullptr)                                                 \
                correct_fdinfo(::fileno(opened), path);                            \
            return opened;                                                         \
        });                                                                        \
    }
DOOR_FREOPEN(freopen)
DOOR_FREOPEN(freopen64)

// --- stat -------------------------------------------------------------------------------------

namespace {

/// newfstatat with the node in its place; the same layout serves stat and stat64.
int stat_any(int directory, const char* path, void* to, int flags) {
    auto* status = static_cast<struct stat*>(to);
    if (path != nullptr && path[0] == 0 && (flags & AT_EMPTY_PATH) != 0 && directory >= 0) {
        const long result = raw(SYS_newfstatat, directory, word(path), word(status), flags);
        if (result == 0 && describes_node(directory, *status))
            describe_node(*status);
        return static_cast<int>(returned(result));
    }
    if (!may_concern(directory, path))
        return static_cast<int>(
            returned(raw(SYS_newfstatat, directory, word(path), word(status), flags)));
    return claimed(
        "stat", directory, path, (flags & AT_SYMLINK_NOFOLLOW) == 0, [=](const Path& found) {
            const long result =
                raw(SYS_newfstatat, found.directory(), word(found.text()), word(status), flags);
            if (result == 0 && (found.where() == Path::Where::kNode ||
                                (S_ISSOCK(status->st_mode) && leads_to_device(directory, path))))
                describe_node(*status);
            return static_cast<int>(returned(result));
        });
}

int fstat_any(int fd, void* to) {
    auto* status = static_cast<struct stat*>(to);
    const long result = raw(SYS_fstat, fd, word(status));
    if (result == 0 && describes_node(fd, *status))
        describe_node(*status);
    return static_cast<int>(returned(result));
}

}  // namespace

// NOLINTBEGIN(bugprone-macro-parentheses): types and whole argument lists
#define DOOR_STAT(function, type, flags)                                \
    DOOR_EXPORT int function(const char* path, type* status) noexcept { \
        return stat_any(AT_FDCWD, path, status, flags);                 \
    }
DOOR_STAT(stat, struct stat, 0)
DOOR_STAT(stat64, struct stat64, 0)
DOOR_STAT(lstat, struct stat, AT_SYMLINK_NOFOLLOW)
DOOR_STAT(lstat64, struct stat64, AT_SYMLINK_NOFOLLOW)

#define DOOR_XSTAT(function, type, flags)                           \
    DOOR_EXPORT int function(int, const char* path, type* status) { \
        return stat_any(AT_FDCWD, path, status, flags);             \
    }
DOOR_XSTAT(__xstat, struct stat, 0)
DOOR_XSTAT(__xstat64, struct stat64, 0)
DOOR_XSTAT(__lxstat, struct stat, AT_SYMLINK_NOFOLLOW)
DOOR_XSTAT(__lxstat64, struct stat64, AT_SYMLINK_NOFOLLOW)
// NOLINTEND(bugprone-macro-parentheses)

DOOR_EXPORT int fstatat(int directory, const char* path, struct stat* status, int flags) noexcept {
    return stat_any(directory, path, status, flags);
}
DOOR_EXPORT int fstatat64(int directory, const char* path, struct stat64* status,
                          int flags) noexcept {
    return stat_any(directory, path, status, flags);
}
DOOR_EXPORT int __fxstatat(int, int directory, const char* path, struct stat* status, int flags) {
    return stat_any(directory, path, status, flags);
}
DOOR_EXPORT int __fxstatat64(int, int directory, const char* path, struct stat64* status,
                             int flags) {
    return stat_any(directory, path, status, flags);
}
DOOR_EXPORT int fstat(int fd, struct stat* status) noexcept {
    return fstat_any(fd, status);
}
DOOR_EXPORT int fstat64(int fd, struct stat64* status) noexcept {
    return fstat_any(fd, status);
}
DOOR_EXPORT int __fxstat(int, int fd, struct stat* status) {
    return fstat_any(fd, status);
}
DOOR_EXPORT int __fxstat64(int, int fd, struct stat64* status) {
    return fstat_any(fd, status);
}

DOOR_EXPORT int statx(int directory, const char* path, int flags, unsigned mask,
                      struct statx* status) noexcept {
    const auto ask = [=](int at, const char* real) {
        return raw(SYS_statx, at, word(real), flags, mask | STATX_TYPE | STATX_INO, word(status));
    };
    // The header says that there is a path; the kernel takes none.
    // NOLINTNEXTLINE(clang-diagnostic-*)
    if (directory >= 0 && (path == nullptr || path[0] == 0) && (flags & AT_EMPTY_PATH) != 0) {
        const long result = ask(directory, path);
        struct stat plain;
        if (result == 0 && (S_ISSOCK(status->stx_mode) || S_ISREG(status->stx_mode)) &&
            raw(SYS_fstat, directory, word(&plain)) == 0 && describes_node(directory, plain))
            describe_node(*status);
        return static_cast<int>(returned(result));
    }
    if (!may_concern(directory, path))
        return static_cast<int>(
            returned(raw(SYS_statx, directory, word(path), flags, mask, word(status))));
    return claimed(
        "statx", directory, path, (flags & AT_SYMLINK_NOFOLLOW) == 0, [=](const Path& found) {
            const long result = ask(found.directory(), found.text());
            if (result == 0 && (found.where() == Path::Where::kNode ||
                                (S_ISSOCK(status->stx_mode) && leads_to_device(directory, path))))
                describe_node(*status);
            return static_cast<int>(returned(result));
        });
}

// --- calls that only need the path changed -----------------------------------------------------

// A row: function, result, what follows the path, how that is passed on, whether a link is
// followed.
// NOLINTBEGIN(bugprone-macro-parentheses)
#define DOOR_PATH(function, result, parameters, arguments, follow)                  \
    DOOR_EXPORT result function parameters noexcept {                               \
        if (!may_concern(AT_FDCWD, path))                                           \
            return NEXT(function) arguments;                                        \
        return claimed(#function, AT_FDCWD, path, follow, [=](const Path& found) {  \
            const char* path = found.text(); /* NOLINT: takes the caller's place */ \
            return NEXT(function) arguments;                                        \
        });                                                                         \
    }
// NOLINTEND(bugprone-macro-parentheses)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
DOOR_PATH(access, int, (const char* path, int mode), (path, mode), true)
DOOR_PATH(euidaccess, int, (const char* path, int mode), (path, mode), true)
DOOR_PATH(eaccess, int, (const char* path, int mode), (path, mode), true)
DOOR_PATH(getxattr, ssize_t, (const char* path, const char* name, void* value, size_t size),
          (path, name, value, size), true)
DOOR_PATH(lgetxattr, ssize_t, (const char* path, const char* name, void* value, size_t size),
          (path, name, value, size), false)
DOOR_PATH(listxattr, ssize_t, (const char* path, char* list, size_t size), (path, list, size), true)
DOOR_PATH(llistxattr, ssize_t, (const char* path, char* list, size_t size), (path, list, size),
          false)
#pragma GCC diagnostic pop

DOOR_EXPORT int faccessat(int directory, const char* path, int mode, int flags) noexcept {
    if (!may_concern(directory, path))
        return NEXT(faccessat)(directory, path, mode, flags);
    return claimed("faccessat", directory, path, (flags & AT_SYMLINK_NOFOLLOW) == 0,
                   [=](const Path& found) {
                       return NEXT(faccessat)(found.directory(), found.text(), mode, flags);
                   });
}

// --- links and names ----------------------------------------------------------------------------

namespace {

/// What the kernel says of a link, as the client should see it.
long seen_link(char* buffer, size_t capacity, long size, int directory, const char* path) {
    constexpr char kSocket[] = "socket:[";
    const auto put = [&](const char* text, size_t length) {
        const size_t count = length < capacity ? length : capacity;
        ::memcpy(buffer, text, count);
        return static_cast<long>(count);
    };
    const std::string_view link(buffer, static_cast<size_t>(size));
    if (link.starts_with(kSocket)) {
        uint64_t inode = 0;
        for (size_t i = sizeof kSocket - 1; i < link.size() && link[i] >= '0' && link[i] <= '9';
             ++i)
            inode = inode * 10 + static_cast<uint64_t>(link[i] - '0');
        if (call(wire::Op::kIsDevice, 0, inode).result == 1)
            return put(kNodePath, sizeof kNodePath - 1);
        return size;
    }
    const Config& about = *config();
    const std::string_view root(about.root, about.root_size);
    if (!link.starts_with(root.substr(0, link.size() < root.size() ? link.size() : root.size())) ||
        link.empty())
        return size;
    char whole[PATH_MAX];
    const long read = raw(SYS_readlinkat, directory, word(path), word(whole), sizeof whole);
    if (read <= 0)
        return size;
    const size_t stripped = strip_root(whole, static_cast<size_t>(read));
    return stripped == static_cast<size_t>(read) ? size : put(whole, stripped);
}

long readlink_any(int directory, const char* path, char* buffer, size_t capacity) {
    const auto read = [=](int at, const char* real) {
        return returned(
            raw(SYS_readlinkat, at, word(real), word(buffer), static_cast<long>(capacity)));
    };
    if (config() == nullptr)
        return read(directory, path);
    // Only a link of procfs can lead where the kernel alone knows.
    const auto finish = [=](int at, const char* real, long size) {
        if (size <= 0 || (buffer[0] != 's' && buffer[0] != '/'))
            return size;
        KeepErrno keep;
        return seen_link(buffer, capacity, size, at, real);
    };
    if (!may_concern(directory, path))
        return finish(directory, path, read(directory, path));
    return claimed("readlink", directory, path, false, [&](const Path& found) {
        return finish(found.directory(), found.text(), read(found.directory(), found.text()));
    });
}

}  // namespace

DOOR_EXPORT ssize_t readlink(const char* path, char* buffer, size_t size) noexcept {
    return readlink_any(AT_FDCWD, path, buffer, size);
}
DOOR_EXPORT ssize_t readlinkat(int directory, const char* path, char* buffer,
                               size_t size) noexcept {
    return readlink_any(directory, path, buffer, size);
}
DOOR_EXPORT ssize_t __readlink_chk(const char* path, char* buffer, size_t size, size_t capacity) {
    if (size > capacity)
        return NEXT(__readlink_chk)(path, buffer, size, capacity);  // which aborts
    return readlink_any(AT_FDCWD, path, buffer, size);
}
DOOR_EXPORT ssize_t __readlinkat_chk(int directory, const char* path, char* buffer, size_t size,
                                     size_t capacity) {
    if (size > capacity)
        return NEXT(__readlinkat_chk)(directory, path, buffer, size, capacity);
    return readlink_any(directory, path, buffer, size);
}

DOOR_EXPORT char* realpath(const char* path, char* resolved) noexcept {
    if (!may_concern(AT_FDCWD, path))
        return NEXT(realpath)(path, resolved);
    return claimed("realpath", AT_FDCWD, path, true, [=](const Path& found) -> char* {
        if (!found.ours()) {
            char* result = NEXT(realpath)(found.text(), resolved);
            if (result != nullptr) {
                const size_t size = strip_root(result, ::strlen(result));
                result[size] = 0;
            }
            return result;
        }
        struct stat status;
        if (returned(raw(SYS_newfstatat, AT_FDCWD, word(found.text()), word(&status), 0)) != 0)
            return nullptr;
        size_t size = ::strlen(found.seen());
        if (size > 1 && found.seen()[size - 1] == '/')
            --size;
        char* result = resolved != nullptr ? resolved : static_cast<char*>(::malloc(PATH_MAX));
        if (result != nullptr) {
            ::memcpy(result, found.seen(), size);
            result[size] = 0;
        }
        return result;
    });
}
DOOR_EXPORT char* __realpath_chk(const char* path, char* resolved, size_t capacity) {
    if (resolved != nullptr && capacity < PATH_MAX)
        return NEXT(__realpath_chk)(path, resolved, capacity);
    return ::realpath(path, resolved);
}
DOOR_EXPORT char* canonicalize_file_name(const char* path) noexcept {
    return ::realpath(path, nullptr);
}

// --- statfs -------------------------------------------------------------------------------------

namespace {

/// The file system that the client should see `seen` on: the tree lies in a temporary directory.
void correct_type(const char* seen, struct statfs& status) {
    constexpr long kSysfs = 0x62656572, kTmpfs = 0x01021994;  // linux/magic.h; devtmpfs is a tmpfs
    const std::string_view path(seen);
    if (is_within(path, "/sys"))
        status.f_type = kSysfs;
    else if (is_within(path, "/dev"))
        status.f_type = kTmpfs;
}

int statfs_any(const char* path, void* to) {
    auto* status = static_cast<struct statfs*>(to);
    if (!may_concern(AT_FDCWD, path))
        return static_cast<int>(returned(raw(SYS_statfs, word(path), word(status))));
    return claimed("statfs", AT_FDCWD, path, true, [=](const Path& found) {
        const long result = raw(SYS_statfs, word(found.text()), word(status));
        if (result == 0 && found.ours())
            correct_type(found.seen(), *status);
        return static_cast<int>(returned(result));
    });
}

__attribute__((noinline)) void correct_type_of(int fd, struct statfs& status) {
    char path[PATH_MAX];
    const size_t size = path_of(fd, path, sizeof path - 1);
    const size_t stripped = strip_root(path, size);
    path[stripped] = 0;
    if (stripped != size)
        correct_type(path, status);
}

int fstatfs_any(int fd, void* to) {
    auto* status = static_cast<struct statfs*>(to);
    const long result = raw(SYS_fstatfs, fd, word(status));
    if (result == 0 && config() != nullptr)
        correct_type_of(fd, *status);
    return static_cast<int>(returned(result));
}

}  // namespace

DOOR_EXPORT int statfs(const char* path, struct statfs* status) noexcept {
    return statfs_any(path, status);
}
DOOR_EXPORT int statfs64(const char* path, struct statfs64* status) noexcept {
    return statfs_any(path, status);
}
DOOR_EXPORT int fstatfs(int fd, struct statfs* status) noexcept {
    return fstatfs_any(fd, status);
}
DOOR_EXPORT int fstatfs64(int fd, struct statfs64* status) noexcept {
    return fstatfs_any(fd, status);
}
