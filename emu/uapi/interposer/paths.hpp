// Which paths are the virtual machine's, and where they really are.
#pragma once

#include <fcntl.h>
#include <limits.h>

#include <cstddef>
#include <cstdint>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/system.hpp"

namespace xdna::emu::door {

/// Quick and on little stack: false if (`directory`, `path`) cannot concern the door. Takes any
/// path, null included. errno stays as it was.
bool may_concern(int directory, const char* path);

/// A path argument, looked up as the kernel would in the machine that the client sees.
class Path {
  public:
    enum class Where {
        kHost,  ///< not ours: pass `directory()` and `text()` on
        kTree,  ///< an entry of the tree (or a name that an exclusive directory lacks)
        kNode,  ///< the device node
    };

    /// `follow`: whether a symbolic link in last place is followed.
    Path(int directory, const char* path, bool follow);

    Where where() const { return where_; }
    bool ours() const { return where_ != Where::kHost; }
    /// What to give to the system in place of the caller's arguments.
    int directory() const { return text_ == buffer_ ? AT_FDCWD : directory_; }
    const char* text() const { return text_; }
    /// The path as the client sees it: absolute and without symbolic links as far as it is ours.
    const char* seen() const { return seen_; }

  private:
    void walk(char* rest, bool follow, bool inside);

    int directory_;
    const char* text_;
    const char* seen_;
    Where where_ = Where::kHost;
    char buffer_[PATH_MAX + 256];
};

/// The absolute path that the client sees for what the kernel calls `physical` (in place; the new
/// size): the tree's own directory in front of it is taken off.
size_t strip_root(char* physical, size_t size);

/// The path of an open directory or file as the kernel knows it, zero-terminated; 0 if none.
size_t path_of(int fd, char* buffer, size_t capacity);

/// Runs `action(path)` on the looked-up path; apart, so that a call that is not ours needs no
/// stack.
template <typename Action>
__attribute__((noinline)) auto claimed(const char* call, int directory, const char* path,
                                       bool follow, Action action) {
    Path found(directory, path, follow);
    auto result = action(found);
    if (found.ours()) {
        KeepErrno keep;
        debug(call, found.seen(), (long)result);  // a number, or a pointer
    }
    return result;
}

/// To be told when the working directory may have changed.
void working_directory_changed();

}  // namespace xdna::emu::door
