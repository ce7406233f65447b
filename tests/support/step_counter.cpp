#include "tests/support/step_counter.hpp"

#include <dlfcn.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace xdna::test {
namespace {

#ifndef __x86_64__
#error "the step counter reads x86-64 instructions"
#endif

bool is_traced = false;

// What a breakpoint of the child's means is in rax.
constexpr uint64_t kStop = 0;
constexpr uint64_t kBegin = 1;
constexpr uint8_t kBreakpoint = 0xcc;
constexpr uint16_t kSyscall = 0x050f;  // as loaded from memory

/// The address of ioctl() if it stands in for the kernel; 0 if it is libc's.
uint64_t stand_in_address() {
    void* mine = dlsym(RTLD_DEFAULT, "ioctl");
    Dl_info of_ioctl{};
    Dl_info of_libc{};
    void* in_libc = dlsym(RTLD_DEFAULT, "gnu_get_libc_version");
    if (mine == nullptr || dladdr(mine, &of_ioctl) == 0 || dladdr(in_libc, &of_libc) == 0 ||
        of_ioctl.dli_fbase == of_libc.dli_fbase) {
        return 0;
    }
    return reinterpret_cast<uintptr_t>(mine);
}

class Tracer {
  public:
    explicit Tracer(pid_t child) : child_(child) {
        stand_in_ = stand_in_address();
        malloc_ = reinterpret_cast<uintptr_t>(dlsym(RTLD_DEFAULT, "malloc"));
    }

    /// Until the child's end. Its exit status; or -1 where it could not be followed.
    int follow(std::vector<StepCount>& phases) {
        if (!wait_for_stop()) {
            return status_;
        }
        bool counting = false;
        while (resume(counting ? PTRACE_SINGLESTEP : PTRACE_CONT)) {
            user_regs_struct registers{};
            if (ptrace(PTRACE_GETREGS, child_, nullptr, &registers) != 0) {
                return -1;
            }
            // The instruction that comes next; where the child ran freely, a breakpoint was the
            // last.
            const long word = ptrace(PTRACE_PEEKTEXT, child_, registers.rip, nullptr);
            if (!counting || static_cast<uint8_t>(word) == kBreakpoint) {
                if (counting) {
                    registers.rip++;
                    ptrace(PTRACE_SETREGS, child_, nullptr, &registers);
                }
                counting = registers.rax == kBegin;
                if (counting) {
                    phases.emplace_back();
                }
                continue;
            }
            if (registers.rip == stand_in_) {
                phases.back().system_calls++;
                if (!run_until_return(registers)) {
                    break;
                }
                continue;
            }
            phases.back().instructions++;
            phases.back().system_calls += static_cast<uint16_t>(word) == kSyscall ? 1 : 0;
            phases.back().allocations += registers.rip == malloc_ ? 1 : 0;
        }
        return status_;
    }

  private:
    /// False once the child has ended, or must be given up.
    bool wait_for_stop() {
        int status = 0;
        if (waitpid(child_, &status, 0) != child_) {
            status_ = -1;
            return false;
        }
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            status_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
            return false;
        }
        signal_ = WSTOPSIG(status);
        return true;
    }

    bool resume(int how) {
        do {
            const long pass = signal_ == SIGTRAP || signal_ == SIGSTOP ? 0 : signal_;
            if (ptrace(static_cast<__ptrace_request>(how), child_, nullptr, pass) != 0) {
                status_ = -1;
                return false;
            }
            if (!wait_for_stop()) {
                return false;
            }
        } while (signal_ != SIGTRAP);
        return true;
    }

    /// Lets a function run unseen that was just called.
    bool run_until_return(const user_regs_struct& entry) {
        const auto back =
            static_cast<uint64_t>(ptrace(PTRACE_PEEKDATA, child_, entry.rsp, nullptr));
        const long saved = ptrace(PTRACE_PEEKTEXT, child_, back, nullptr);
        ptrace(PTRACE_POKETEXT, child_, back, (saved & ~0xffL) | kBreakpoint);
        const bool stopped = resume(PTRACE_CONT);
        if (!stopped) {
            return false;
        }
        ptrace(PTRACE_POKETEXT, child_, back, saved);
        user_regs_struct registers{};
        ptrace(PTRACE_GETREGS, child_, nullptr, &registers);
        registers.rip = back;
        ptrace(PTRACE_SETREGS, child_, nullptr, &registers);
        return true;
    }

    pid_t child_;
    uint64_t stand_in_ = 0;
    uint64_t malloc_ = 0;
    int status_ = -1;
    int signal_ = SIGSTOP;
};

}  // namespace

void begin_phase() {
    if (is_traced) {
        asm volatile("int3" ::"a"(kBegin) : "memory");
    }
}

void stop_counting() {
    if (is_traced) {
        asm volatile("int3" ::"a"(kStop) : "memory");
    }
}

std::vector<StepCount> count_steps(const std::function<int()>& body, std::string& error) {
    std::vector<StepCount> phases;
    const pid_t child = fork();
    if (child < 0) {
        error = std::string("fork: ") + std::strerror(errno);
        return phases;
    }
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            _exit(126);
        }
        is_traced = true;
        raise(SIGSTOP);
        begin_phase();  // an empty one, to know what beginning costs
        begin_phase();
        stop_counting();
        _exit(body());
    }
    Tracer tracer(child);
    const int status = tracer.follow(phases);
    if (status != 0) {
        error = status == 126 ? "ptrace is not permitted here"
                              : "the traced process failed with status " + std::to_string(status);
        kill(child, SIGKILL);
        waitpid(child, nullptr, 0);
        return {};
    }
    const uint64_t overhead = phases.at(0).instructions;
    phases.erase(phases.begin(), phases.begin() + 2);
    for (StepCount& phase : phases) {
        phase.instructions -= std::min(phase.instructions, overhead);
    }
    return phases;
}

}  // namespace xdna::test
