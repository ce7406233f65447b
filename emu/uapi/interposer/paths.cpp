#include "emu/uapi/interposer/paths.hpp"

#include <sys/stat.h>
#include <sys/uio.h>

#include <cstring>
#include <string_view>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/system.hpp"
#include "emu/uapi/machine_layout.hpp"

namespace xdna::emu::door {
size_t path_of(int directory, char* buffer, size_t capacity) {
    char link[32] = "/proc/self/cwd";
    if (directory != AT_FDCWD) {
        std::memcpy(link, "/proc/self/fd/", 14);
        char digits[12];
        int count = 0;
        for (unsigned left = static_cast<unsigned>(directory); count == 0 || left != 0; left /= 10)
            digits[count++] = static_cast<char>('0' + left % 10);
        for (int i = 0; i < count; ++i)
            link[14 + i] = digits[count - 1 - i];
        link[14 + count] = 0;
    }
    buffer[0] = 0;
    const long size =
        raw(SYS_readlinkat, AT_FDCWD, word(link), word(buffer), static_cast<long>(capacity - 1));
    if (size <= 0 || buffer[0] != '/')
        return 0;
    buffer[size] = 0;
    return static_cast<size_t>(size);
}

namespace {

/// True if the path has a component that is "..".
bool goes_up(const char* path) {
    for (const char* at = path; (at = std::strstr(at, "..")) != nullptr; at += 2)
        if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == 0))
            return true;
    return false;
}

bool under_a_top(std::string_view path) {
    while (path.starts_with('/'))
        path.remove_prefix(1);
    if (path.empty())
        return true;
    for (std::string_view top : kTops)
        if (is_within(path, top))
            return true;
    return path.starts_with("./");
}

std::atomic<int> relative_paths{-1};  ///< may concern us: 1, cannot: 0, to be found out: -1

__attribute__((noinline)) bool working_directory_concerns() {
    char buffer[PATH_MAX];
    const size_t size = path_of(AT_FDCWD, buffer, sizeof buffer);
    const Config& about = *config();
    return size != 0 && (under_a_top({buffer, size}) ||
                         is_within({buffer, size}, {about.root, about.root_size}));
}

}  // namespace

namespace {
/// A path that cannot be read is EFAULT, and the kernel's to report.
bool readable(const char* path) {
    char byte;
    iovec here{&byte, 1};
    iovec there{const_cast<char*>(path), 1};
    return reinterpret_cast<uintptr_t>(path) >= 4096 &&
           raw(SYS_process_vm_readv, raw(SYS_getpid), word(&here), 1, word(&there), 1) != -EFAULT;
}
}  // namespace

void working_directory_changed() {
    relative_paths = -1;
}

bool may_concern(int directory, const char* path) {
    if (config() == nullptr || !readable(path) || path[0] == 0)
        return false;
    KeepErrno keep;
    if (path[0] == '/')
        return under_a_top(path) || goes_up(path);
    if (directory != AT_FDCWD)
        return directory >= 0;
    if (goes_up(path))
        return true;
    int concerns = relative_paths.load(std::memory_order_relaxed);
    if (concerns < 0) {
        concerns = working_directory_concerns() ? 1 : 0;
        relative_paths = concerns;
    }
    return concerns != 0;
}

size_t strip_root(char* physical, size_t size) {
    const Config* about = config();
    if (about == nullptr || !is_within({physical, size}, {about->root, about->root_size}))
        return size;
    size -= about->root_size;
    std::memmove(physical, physical + about->root_size, size);
    if (size == 0)
        physical[size++] = '/';
    return size;
}

/// What is left of a path during a walk; more than PATH_MAX because links grow it.
constexpr size_t kRestSize = PATH_MAX + 512;

Path::Path(int directory, const char* path, bool follow)
    : directory_(directory), text_(path), seen_(path) {
    KeepErrno keep;
    // buffer_ holds the tree's directory, then the path as seen; walk() lengthens that.
    const Config& about = *config();
    std::memcpy(buffer_, about.root, about.root_size);
    char* seen = buffer_ + about.root_size;
    char rest[kRestSize];
    size_t size = 0;
    bool inside = false;
    if (path[0] != '/') {
        size = path_of(directory, rest, sizeof rest);
        if (size == 0)
            return;
        const size_t stripped = strip_root(rest, size);
        inside = stripped != size;
        size = stripped;
        rest[size++] = '/';
    }
    const size_t length = std::strlen(path);
    if (size + length >= PATH_MAX)
        return;
    std::memcpy(rest + size, path, length + 1);
    *seen = 0;
    walk(rest, follow, inside);
}

// The kernel's own walk, as far as the tree goes: component by component, links spliced in. Once a
// component is the host's, what follows is the host's too, except that ".." may lead back.
void Path::walk(char* rest, bool follow, bool inside) {
    char* const base = buffer_ + config()->root_size;
    const size_t capacity = sizeof buffer_ - config()->root_size;
    size_t size = 0;     // of the path as seen so far, at `base`
    int foreign = 0;     // how many of its last components are the host's
    bool moved = false;  // a link or ".." of the tree was followed: the caller's text is no use
    int links = 0;
    char* next = rest;
    bool directory_asked = false;

    const auto give_up_to_host = [&] {
        if (!inside && !moved)
            return;
        base[size] = 0;
        // What is left follows as it is; all of the tree's links are resolved.
        const size_t left = std::strlen(next);
        if (left != 0 && size + 1 + left < capacity) {
            base[size++] = '/';
            std::memcpy(base + size, next, left + 1);
        }
        if (base[0] == 0)
            std::memcpy(base, "/", 2);
        std::memmove(buffer_, base, std::strlen(base) + 1);
        text_ = seen_ = buffer_;
    };

    for (;;) {
        while (*next == '/')
            ++next;
        if (*next == 0)
            break;
        char* end = next;
        while (*end != 0 && *end != '/')
            ++end;
        const std::string_view component(next, static_cast<size_t>(end - next));
        directory_asked = *end == '/';
        const bool last = end[std::strspn(end, "/")] == 0;

        if (component == ".") {
            directory_asked = true;
            next = end;
            continue;
        }
        if (component == "..") {
            directory_asked = true;
            if (foreign > 0) {
                struct stat status;
                base[size] = 0;
                if (raw(SYS_newfstatat, AT_FDCWD, word(base), word(&status), AT_SYMLINK_NOFOLLOW) !=
                        0 ||
                    !S_ISDIR(status.st_mode)) {
                    give_up_to_host();
                    return;
                }
                --foreign;
            } else {
                moved = true;
            }
            while (size > 0 && base[--size] != '/') {
            }
            next = end;
            continue;
        }
        if (size + 1 + component.size() + 1 >= capacity) {
            give_up_to_host();
            return;
        }
        const size_t parent = size;
        base[size++] = '/';
        std::memcpy(base + size, component.data(), component.size());
        size += component.size();
        base[size] = 0;
        next = end;
        if (foreign > 0) {
            ++foreign;
            continue;
        }

        struct stat status;
        if (raw(SYS_newfstatat, AT_FDCWD, word(buffer_), word(&status), AT_SYMLINK_NOFOLLOW) != 0) {
            if (is_exclusive({base, parent})) {
                // The name is missing, and nothing of the host's may take its place.
                const size_t left = std::strlen(next);
                if (size + left < capacity)
                    std::memcpy(base + size, next, left + 1);
                where_ = Where::kTree;
                text_ = buffer_;
                seen_ = base;
                return;
            }
            foreign = 1;
            continue;
        }
        if (!S_ISLNK(status.st_mode))
            continue;
        char target[512];
        const long read = raw(SYS_readlinkat, AT_FDCWD, word(buffer_), word(target), sizeof target);
        if (read <= 0 || target[0] == '/') {  // the host's entry, listed in a directory of the tree
            foreign = 1;
            continue;
        }
        if (last && !follow && !directory_asked)
            break;
        const size_t left = std::strlen(next);
        if (++links > 40 || static_cast<size_t>(read) + left + 1 >= kRestSize)
            break;  // the kernel says ELOOP or ENAMETOOLONG of it
        std::memmove(rest + read, next, left + 1);
        std::memcpy(rest, target, static_cast<size_t>(read));
        next = rest;
        size = parent;
        base[size] = 0;
        moved = true;
    }

    base[size] = 0;
    if (foreign > 0 ||
        is_transparent(size == 0 ? std::string_view("/") : std::string_view(base, size))) {
        if (directory_asked && (inside || moved) && size + 1 < capacity) {
            base[size++] = '/';
            base[size] = 0;
        }
        give_up_to_host();
        return;
    }
    where_ =
        std::string_view(base, size) == kNodePath && !directory_asked ? Where::kNode : Where::kTree;
    if (directory_asked && size + 1 < capacity) {
        base[size++] = '/';
        base[size] = 0;
    }
    text_ = buffer_;
    seen_ = base;
}

}  // namespace xdna::emu::door
