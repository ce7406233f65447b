// Calls that list directories, and the working directory.
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <string_view>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/connection.hpp"
#include "emu/uapi/interposer/device.hpp"
#include "emu/uapi/interposer/paths.hpp"
#include "emu/uapi/interposer/system.hpp"

using namespace xdna::emu::door;  // NOLINT(google-build-using-namespace)

extern "C" char* __getcwd_chk(char*, size_t, size_t);  // NOLINT(readability-identifier-naming)

static_assert(sizeof(struct dirent) == sizeof(struct dirent64));

namespace {

// The directories of the tree that are being listed. Where there are more, their entries' types are
// those of the tree's files.
constexpr int kListed = 256;
std::atomic<DIR*> listed[kListed];
std::atomic<int> listed_count{0};

DIR* remember(DIR* directory) {
    if (directory == nullptr)
        return nullptr;
    for (auto& slot : listed) {
        DIR* none = nullptr;
        if (slot.compare_exchange_strong(none, directory)) {
            ++listed_count;
            break;
        }
    }
    return directory;
}

std::atomic<DIR*>* find(DIR* directory) {
    if (listed_count.load() != 0)
        for (auto& slot : listed)
            if (slot.load() == directory)
                return &slot;
    return nullptr;
}

__attribute__((noinline)) bool is_in_tree(int fd) {
    KeepErrno keep;
    char path[PATH_MAX];
    const size_t size = path_of(fd, path, sizeof path);
    return size != 0 && strip_root(path, size) != size;
}

/// The type that the client should see: an absolute link stands for an entry of the host's.
void correct_type(DIR* directory, struct dirent* entry) {
    if (entry == nullptr || (entry->d_type != DT_LNK && entry->d_type != DT_REG) ||
        find(directory) == nullptr)
        return;
    KeepErrno keep;
    const int fd = ::dirfd(directory);
    char first = 0;
    struct stat status {};
    if (entry->d_type == DT_LNK) {
        if (raw(SYS_readlinkat, fd, word(entry->d_name), word(&first), 1) == 1 && first == '/')
            entry->d_type = DT_UNKNOWN;
    } else if (raw(SYS_newfstatat, fd, word(entry->d_name), word(&status), AT_SYMLINK_NOFOLLOW) ==
                   0 &&
               describes_node(-1, status)) {
        entry->d_type = DT_CHR;
    }
}

/// The door's own descriptors are none of the program's: its list of them leaves them out.
template <typename Entry>
__attribute__((noinline)) bool lists_hidden(DIR* directory, const Entry* entry) {
    int fd = 0;
    for (const char* digit = entry->d_name; *digit != 0; ++digit) {
        if (*digit < '0' || *digit > '9' || fd > 1 << 20)
            return false;
        fd = 10 * fd + (*digit - '0');
    }
    if (!is_hidden(fd))
        return false;
    KeepErrno keep;
    char path[64];
    const std::string_view seen(path, path_of(::dirfd(directory), path, sizeof path));
    return seen.starts_with("/proc/") && (seen.ends_with("/fd") || seen.ends_with("/fdinfo"));
}

void correct_type(DIR* directory, struct dirent64* entry) {
    correct_type(directory, reinterpret_cast<struct dirent*>(entry));
}

}  // namespace

DOOR_EXPORT DIR* opendir(const char* path) {
    if (!may_concern(AT_FDCWD, path))
        return NEXT(opendir)(path);
    return claimed("opendir", AT_FDCWD, path, true, [](const Path& found) {
        DIR* directory = NEXT(opendir)(found.text());
        return found.ours() ? remember(directory) : directory;
    });
}

DOOR_EXPORT DIR* fdopendir(int fd) {
    DIR* directory = NEXT(fdopendir)(fd);
    return directory != nullptr && config() != nullptr && is_in_tree(fd) ? remember(directory)
                                                                         : directory;
}

DOOR_EXPORT int closedir(DIR* directory) {
    if (auto* slot = find(directory)) {
        *slot = nullptr;
        --listed_count;
    }
    return NEXT(closedir)(directory);
}

DOOR_EXPORT struct dirent* readdir(DIR* directory) {
    struct dirent* entry;
    do
        entry = NEXT(readdir)(directory);
    while (entry != nullptr && lists_hidden(directory, entry));
    correct_type(directory, entry);
    return entry;
}

DOOR_EXPORT struct dirent64* readdir64(DIR* directory) {
    struct dirent64* entry;
    do
        entry = NEXT(readdir64)(directory);
    while (entry != nullptr && lists_hidden(directory, entry));
    correct_type(directory, entry);
    return entry;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
DOOR_EXPORT int readdir_r(DIR* directory, struct dirent* entry, struct dirent** result) {
    const int err = NEXT(readdir_r)(directory, entry, result);
    if (err == 0)
        correct_type(directory, *result);
    return err;
}

DOOR_EXPORT int readdir64_r(DIR* directory, struct dirent64* entry, struct dirent64** result) {
    const int err = NEXT(readdir64_r)(directory, entry, result);
    if (err == 0)
        correct_type(directory, *result);
    return err;
}
#pragma GCC diagnostic pop

// libc's own scandir and glob open directories without coming past here.
namespace {

template <typename Entry, typename Read>
int scan(DIR* directory, Entry*** list, int (*select)(const Entry*),
         int (*compare)(const Entry**, const Entry**), Read read) {
    if (directory == nullptr)
        return -1;
    Entry** entries = nullptr;
    size_t count = 0, capacity = 0;
    errno = 0;
    while (Entry* entry = read(directory)) {
        if (select != nullptr && select(entry) == 0) {
            errno = 0;
            continue;
        }
        if (count == capacity) {
            capacity = capacity == 0 ? 16 : 2 * capacity;
            // An array of pointers. NOLINTNEXTLINE(bugprone-sizeof-expression)
            auto** larger = static_cast<Entry**>(::realloc(entries, capacity * sizeof *entries));
            if (larger == nullptr)
                break;
            entries = larger;
        }
        auto* copy = static_cast<Entry*>(::malloc(entry->d_reclen));
        if (copy == nullptr)
            break;
        ::memcpy(copy, entry, entry->d_reclen);
        entries[count++] = copy;
        errno = 0;
    }
    const int err = errno;
    ::closedir(directory);
    if (err != 0) {
        while (count > 0)
            ::free(entries[--count]);
        ::free(entries);
        errno = err;
        return -1;
    }
    if (compare != nullptr && count > 1)
        ::qsort(entries, count, sizeof *entries,  // NOLINT(bugprone-sizeof-expression): pointers
                reinterpret_cast<int (*)(const void*, const void*)>(compare));
    *list = entries;
    return static_cast<int>(count);
}

DIR* opendirat(int directory, const char* path) {
    const int fd = ::openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? nullptr : ::fdopendir(fd);
}

}  // namespace

// NOLINTBEGIN(bugprone-macro-parentheses): types
#define DOOR_SCANDIR(function, at_function, entry, read)                                        \
    DOOR_EXPORT int function(const char* path, entry*** list, int (*select)(const entry*),      \
                             int (*compare)(const entry**, const entry**)) {                    \
        return may_concern(AT_FDCWD, path) ? scan(::opendir(path), list, select, compare, read) \
                                           : NEXT(function)(path, list, select, compare);       \
    }                                                                                           \
    DOOR_EXPORT int at_function(int directory, const char* path, entry*** list,                 \
                                int (*select)(const entry*),                                    \
                                int (*compare)(const entry**, const entry**)) {                 \
        return may_concern(directory, path)                                                     \
                   ? scan(opendirat(directory, path), list, select, compare, read)              \
                   : NEXT(at_function)(directory, path, list, select, compare);                 \
    }
DOOR_SCANDIR(scandir, scandirat, struct dirent, ::readdir)
DOOR_SCANDIR(scandir64, scandirat64, struct dirent64, ::readdir64)

#define DOOR_GLOB(function, type, read, stat_function, lstat_function)                          \
    DOOR_EXPORT int function(const char* pattern, int flags, int (*on_error)(const char*, int), \
                             type* found) noexcept {                                            \
        if ((flags & GLOB_ALTDIRFUNC) != 0 || !may_concern(AT_FDCWD, pattern))                  \
            return NEXT(function)(pattern, flags, on_error, found);                             \
        found->gl_opendir = [](const char* path) -> void* { return ::opendir(path); };          \
        found->gl_readdir = [](void* directory) { return read(static_cast<DIR*>(directory)); }; \
        found->gl_closedir = [](void* directory) { ::closedir(static_cast<DIR*>(directory)); }; \
        found->gl_stat = stat_function;                                                         \
        found->gl_lstat = lstat_function;                                                       \
        const int result = NEXT(function)(pattern, flags | GLOB_ALTDIRFUNC, on_error, found);   \
        found->gl_flags &= ~GLOB_ALTDIRFUNC;                                                    \
        return result;                                                                          \
    }
DOOR_GLOB(glob, glob_t, ::readdir, ::stat, ::lstat)
DOOR_GLOB(glob64, glob64_t, ::readdir64, ::stat64, ::lstat64)
// NOLINTEND(bugprone-macro-parentheses)

// --- the working directory ----------------------------------------------------------------------

DOOR_EXPORT int chdir(const char* path) noexcept {
    int result;
    if (!may_concern(AT_FDCWD, path))
        result = NEXT(chdir)(path);
    else
        result = claimed("chdir", AT_FDCWD, path, true,
                         [](const Path& found) { return NEXT(chdir)(found.text()); });
    working_directory_changed();
    return result;
}

DOOR_EXPORT int fchdir(int fd) noexcept {
    const int result = NEXT(fchdir)(fd);
    working_directory_changed();
    return result;
}

DOOR_EXPORT char* getcwd(char* buffer, size_t size) noexcept {
    char* result = NEXT(getcwd)(buffer, size);
    if (result != nullptr) {
        const size_t stripped = strip_root(result, ::strlen(result));
        result[stripped] = 0;
        return result;
    }
    if (errno != ERANGE || config() == nullptr)
        return nullptr;
    // Too long as it really is, though perhaps not as it is seen.
    char* whole = NEXT(getcwd)(nullptr, 0);
    if (whole == nullptr)
        return nullptr;
    const size_t real = ::strlen(whole);
    const size_t stripped = strip_root(whole, real);
    whole[stripped] = 0;
    if (stripped == real || stripped + 1 > size) {
        ::free(whole);
        errno = ERANGE;
        return nullptr;
    }
    if (buffer == nullptr)
        return whole;
    ::memcpy(buffer, whole, stripped + 1);
    ::free(whole);
    return buffer;
}

DOOR_EXPORT char* __getcwd_chk(char* buffer, size_t size, size_t capacity) {
    if (size > capacity)
        return NEXT(__getcwd_chk)(buffer, size, capacity);
    return ::getcwd(buffer, size);
}

DOOR_EXPORT char* get_current_dir_name() noexcept {
    char* result = NEXT(get_current_dir_name)();
    if (result != nullptr) {
        const size_t stripped = strip_root(result, ::strlen(result));
        result[stripped] = 0;
    }
    return result;
}
