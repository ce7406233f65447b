// What the interposer stands on: system calls without libc between, and the functions it stands in
// front of. It is loaded into every kind of program, early, and called from signal handlers and
// between vfork and exec: so no allocation, no exceptions, no C++ run-time library.
#pragma once

#include <dlfcn.h>
#include <sys/syscall.h>
#include <sys/types.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#define DOOR_EXPORT extern "C" __attribute__((visibility("default")))

namespace xdna::emu::door {

/// A system call; the result or a negative errno. errno stays as it was.
inline long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0,
                long f = 0) {
    register long r10 asm("r10") = d;
    register long r8 asm("r8") = e;
    register long r9 asm("r9") = f;
    long result;
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                 : "rcx", "r11", "memory");
    return result;
}

inline long word(const void* pointer) {
    return reinterpret_cast<long>(pointer);
}

/// The C convention: -1 and errno for a negative errno.
inline long returned(long result) {
    if (result < 0 && result > -4096) {
        errno = static_cast<int>(-result);
        return -1;
    }
    return result;
}

template <size_t N>
struct Name {
    char text[N];
    constexpr Name(const char (&from)[N]) {  // NOLINT(google-explicit-constructor)
        for (size_t i = 0; i < N; ++i)
            text[i] = from[i];
    }
};

/// The definition of a function that comes after ours in lookup order, or null.
template <Name kName, typename F>
F next_function() {
    static std::atomic<void*> found{nullptr};
    void* function = found.load(std::memory_order_relaxed);
    if (function == nullptr) {
        function = ::dlsym(RTLD_NEXT, kName.text);
        found.store(function, std::memory_order_relaxed);
    }
    return reinterpret_cast<F>(function);
}

#define NEXT(function) (::xdna::emu::door::next_function<#function, decltype(&::function)>())

/// Keeps errno over what the door does on its own account.
class KeepErrno {
  public:
    KeepErrno() : kept_(errno) {}
    ~KeepErrno() { errno = kept_; }
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;

  private:
    int kept_;
};

}  // namespace xdna::emu::door
