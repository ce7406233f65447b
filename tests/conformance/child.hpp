// Work in a process of its own: what a test must not do to itself (drop rights, die, be a second
// client).
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <functional>

/// In a child's work: leaves it with 1 and says where, unless `condition` holds.
#define XDNA_CHILD_CHECK(condition)                                                        \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: child: not so: %s\n", __FILE__, __LINE__, #condition); \
            return 1;                                                                      \
        }                                                                                  \
    } while (false)

namespace xdna::conformance {

/// A forked child that runs `work` and exits with its result.
class Child {
  public:
    explicit Child(const std::function<int()>& work);
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

    pid_t pid() const { return pid_; }
    /// Its exit status, or 1000 + the signal that ended it.
    int wait();
    void kill();

  private:
    pid_t pid_;
};

/// Runs `work` in a child to its end.
int in_child(const std::function<int()>& work);

/// Gives up every right of root, for good. True if they are gone (or were never there).
bool become_nobody();

/// Runs this program again, as what main.cpp's `name` says, with an open descriptor as argument.
[[noreturn]] void become(const char* name, int fd);

}  // namespace xdna::conformance
