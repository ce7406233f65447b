#include "emu/uapi/server.hpp"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <set>
#include <span>
#include <system_error>
#include <thread>

#include "emu/uapi/server_caller.hpp"
#include "emu/uapi/server_files.hpp"
#include "emu/uapi/server_session.hpp"
#include "emu/uapi/server_watch.hpp"
#include "emu/uapi/wire.hpp"

namespace xdna::emu {
namespace {

std::string hex(const uint64_t (&words)[2]) {
    std::string text;
    for (uint64_t word : words)
        for (int shift = 60; shift >= 0; shift -= 4)
            text += "0123456789abcdef"[word >> shift & 15];
    return text;
}

void random(uint64_t (&words)[2]) {
    if (::getrandom(words, sizeof words, 0) != static_cast<ssize_t>(sizeof words))
        throw std::system_error(errno, std::generic_category(), "getrandom");
}

bool send(int connection, const wire::Reply& reply, int fd) {
    iovec data{const_cast<wire::Reply*>(&reply), sizeof reply};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return ::sendmsg(connection, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof reply);
}

}  // namespace

struct Server::State {
    explicit State(Driver& driver);
    void accept_loop();
    void serve(UniqueFd connection);

    uint64_t name[2], secret[2];
    wire::Address address;
    UniqueFd listener;
    Files files;
    Watch watch;
    std::atomic<bool> stopping = false;
    std::thread acceptor, reaper;

    std::mutex mutex;
    std::condition_variable all_ended;
    std::set<int> connections;  ///< one thread each
};

Server::State::State(Driver& driver) : files(driver, address) {
    random(name);
    random(secret);
    address = wire::server_address(hex(name).c_str());
    listener.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!listener ||
        ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address.sun), address.size) !=
            0 ||
        ::listen(listener.get(), SOMAXCONN) != 0)
        throw std::system_error(errno, std::generic_category(), "abstract unix socket");
}

void Server::State::accept_loop() {
    while (!stopping) {
        UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!connection) {
            if (errno == EMFILE || errno == ENFILE)
                ::usleep(10000);  // the client waits in the queue until a descriptor is free
            continue;
        }
        std::lock_guard lock(mutex);
        if (stopping)
            return;
        connections.insert(connection.get());
        std::thread([this, fd = connection.release()] { serve(UniqueFd(fd)); }).detach();
    }
}

void Server::State::serve(UniqueFd connection) {
    const int key = connection.get();
    {
        RemoteCaller caller(connection.get(), watch);
        Session session(files, secret);
        for (;;) {
            std::array<std::byte, 2 * sizeof(wire::Request)> packet;
            ssize_t size = ::recv(connection.get(), packet.data(), packet.size(), 0);
            if (size < 0 && errno == EINTR)
                continue;
            if (size <= 0)
                break;
            wire::Request request{};
            if (size == static_cast<ssize_t>(sizeof request))
                std::memcpy(&request, packet.data(), sizeof request);
            caller.set_thread(static_cast<pid_t>(request.thread));

            auto outcome = session.handle({packet.data(), static_cast<size_t>(size)}, caller);
            if (outcome.next == Session::Next::kHangUp)
                break;
            if (outcome.next == Session::Next::kContinue)
                continue;
            RemoteCaller::Given given = caller.take_given();
            if (outcome.reply.result == 0 && given.fd) {
                outcome.reply.flags =
                    wire::kReplyHasFd | (given.cloexec ? wire::kReplyCloseOnExec : 0);
                outcome.reply.fd_offset = static_cast<uint32_t>(given.arg_offset);
                outcome.fd = std::move(given.fd);
            } else if (outcome.fd) {
                outcome.reply.flags |= wire::kReplyHasFd;
            }
            if (!send(connection.get(), outcome.reply, outcome.fd.get()))
                break;
            if (outcome.next == Session::Next::kAnchor) {
                files.add_anchor(caller.pid(), UniqueFd(::dup(connection.get())));
                break;
            }
        }
    }
    std::lock_guard lock(mutex);
    connections.erase(key);
    connection.reset();
    all_ended.notify_all();
}

Server::Server(Driver& driver) : state_(std::make_unique<State>(driver)) {}

void Server::start() {
    State& state = *state_;
    state.acceptor = std::thread([&state] { state.accept_loop(); });
    state.reaper = std::thread([&state] {
        while (!state.stopping) {
            state.files.wait();
            state.files.reap();
        }
    });
}

Server::~Server() {
    State& state = *state_;
    if (!state.acceptor.joinable())
        return;
    state.stopping = true;
    ::shutdown(state.listener.get(), SHUT_RDWR);
    state.acceptor.join();
    {
        std::unique_lock lock(state.mutex);
        for (int connection : state.connections)
            ::shutdown(connection, SHUT_RDWR);
        state.all_ended.wait(lock, [&] { return state.connections.empty(); });
    }
    state.files.wake();
    state.reaper.join();
}

std::string Server::environment() const {
    return hex(state_->name) + ":" + hex(state_->secret);
}

std::string refused_access(pid_t pid, const void* probe_address) {
    const auto refusal = [pid](const char* call) {
        return std::string(call) + " of process " + std::to_string(pid) + ": " +
               std::strerror(errno) +
               " (a seccomp filter, as of older container runtimes, or kernel.yama.ptrace_scope)";
    };
    char byte = 0;
    iovec here{&byte, 1};
    iovec there{const_cast<void*>(probe_address), 1};
    if (::process_vm_readv(pid, &here, 1, &there, 1, 0) != 1)
        return refusal("process_vm_readv");
    if (::process_vm_writev(pid, &here, 1, &there, 1, 0) != 1)
        return refusal("process_vm_writev");
    UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (!process)
        return refusal("pidfd_open");
    if (!UniqueFd(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), 0, 0))) &&
        errno != EBADF)
        return refusal("pidfd_getfd");
    return {};
}

}  // namespace xdna::emu
