#include "emu/uapi/server_caller.hpp"

#include <linux/capability.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace xdna::emu {
namespace {

/// True if `thread` is one of the process's.
bool is_thread_of(pid_t process, pid_t thread) {
    const std::string task = "/proc/" + std::to_string(process) + "/task/" + std::to_string(thread);
    return thread > 0 && ::access(task.c_str(), F_OK) == 0;
}

}  // namespace

RemoteCaller::RemoteCaller(int connection, Watch& watch) : connection_(connection), watch_(watch) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0)
        pid_ = peer.pid;
    process_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

RemoteCaller::~RemoteCaller() {
    watch_.remove(this);
}

RemoteCaller::Given RemoteCaller::take_given() {
    return std::exchange(given_, Given{});
}

bool RemoteCaller::capable(unsigned capability) const {
    std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.rfind("CapEff:", 0) == 0)
            return (std::stoull(line.substr(7), nullptr, 16) >> capability & 1) != 0;
    return false;
}

bool RemoteCaller::capable_sys_admin() const {
    return capable(CAP_SYS_ADMIN);
}

bool RemoteCaller::capable_ipc_lock() const {
    return capable(CAP_IPC_LOCK);
}

uint64_t RemoteCaller::memlock_limit() const {
    // Not prlimit: that wants the process's user id or CAP_SYS_RESOURCE.
    constexpr char kName[] = "Max locked memory";
    std::ifstream limits("/proc/" + std::to_string(pid_) + "/limits");
    for (std::string line; std::getline(limits, line);)
        if (line.rfind(kName, 0) == 0) {
            std::istringstream values(line.substr(sizeof kName - 1));
            uint64_t soft = 0;
            return values >> soft ? soft : UINT64_MAX;  // else "unlimited"
        }
    return 0;
}

int RemoteCaller::transfer(Transfer move, void* local, uint64_t remote, size_t size) {
    iovec here{local, size};
    iovec there{reinterpret_cast<void*>(remote), size};
    if (size == 0)
        return 0;
    ssize_t moved = move(pid_, &here, 1, &there, 1, 0);
    // A process whose first thread has ended answers under another of its threads.
    if (moved < 0 && errno == ESRCH && is_thread_of(pid_, thread_))
        moved = move(thread_, &here, 1, &there, 1, 0);
    return moved == static_cast<ssize_t>(size) ? 0 : -EFAULT;
}

int RemoteCaller::copy_in(void* to, uint64_t from, size_t size) {
    return transfer(::process_vm_readv, to, from, size);
}

int RemoteCaller::copy_out(uint64_t to, const void* from, size_t size) {
    return transfer(::process_vm_writev, const_cast<void*>(from), to, size);
}

UniqueFd RemoteCaller::take_fd(int fd) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process_.get(), fd, 0)));
}

void RemoteCaller::give_fd(UniqueFd fd, size_t arg_offset, bool cloexec) {
    given_ = {std::move(fd), arg_offset, cloexec};
}

bool RemoteCaller::interrupted() const {
    // A client sends nothing during a call but word of a signal; and its end is readable too.
    pollfd entries[2] = {{connection_, POLLIN | POLLRDHUP, 0}, {process_.get(), POLLIN, 0}};
    return ::poll(entries, 2, 0) > 0;
}

void RemoteCaller::on_interrupt(std::function<void()> wake) {
    watch_.remove(this);
    if (wake)
        watch_.add(this, connection_, process_.get(), std::move(wake));
}

}  // namespace xdna::emu
