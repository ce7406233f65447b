#include "tests/conformance/child.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace xdna::conformance {

Child::Child(const std::function<int()>& work) : pid_(fork()) {
    if (pid_ == 0) {
        int status = work();
        fflush(stderr);
        // Not exit(): GoogleTest's and the sanitizers' ends belong to the parent.
        _exit(status);
    }
}

Child::~Child() {
    if (pid_ > 0) {
        kill();
        wait();
    }
}

int Child::wait() {
    if (pid_ <= 0) {
        return -1;
    }
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    constexpr int kSignalled = 1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

void Child::kill() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
    }
}

int in_child(const std::function<int()>& work) {
    return Child(work).wait();
}

bool become_nobody() {
    constexpr uid_t kNobody = 65534;
    if (geteuid() == 0 && setresuid(kNobody, kNobody, kNobody) != 0) {
        return false;
    }
    return geteuid() != 0;
}

void become(const char* name, int fd) {
    const std::string mode = std::string("--become=") + name;
    const std::string argument = std::to_string(fd);
    execl("/proc/self/exe", "conformance", mode.c_str(), argument.c_str(), nullptr);
    _exit(127);
}

}  // namespace xdna::conformance
