#include "emu/uapi/interposer/connection.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <atomic>
#include <cstring>

#include "emu/uapi/interposer/config.hpp"
#include "emu/uapi/interposer/system.hpp"

namespace xdna::emu::door {
namespace {

// --- hidden descriptors ---------------------------------------------------------------------

constexpr int kHiddenSpan = 4096;
std::atomic<int> hidden_base{0};
std::atomic<uint64_t> hidden_bits[kHiddenSpan / 64];

/// Where the door's descriptors begin: well above the numbers that programs choose for themselves.
int first_hidden() {
    int base = hidden_base.load(std::memory_order_relaxed);
    if (base == 0) {
        rlimit limit{};
        raw(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, word(&limit));
        base = static_cast<int>(limit.rlim_cur / 2 < 2048 ? limit.rlim_cur / 2 : 2048);
        int none = 0;
        if (!hidden_base.compare_exchange_strong(none, base))
            base = none;
    }
    return base;
}

void mark_hidden(int fd, bool hidden) {
    const int at = fd - first_hidden();
    if (at < 0 || at >= kHiddenSpan)
        return;
    const uint64_t bit = uint64_t{1} << at % 64;
    if (hidden)
        hidden_bits[at / 64].fetch_or(bit);
    else
        hidden_bits[at / 64].fetch_and(~bit);
}

// --- one connection a thread ----------------------------------------------------------------

struct Link {
    int fd = -1;
    pid_t process = 0;
    bool busy = false;
};
thread_local Link link;

/// The number may have been closed behind our back and be another's by now.
bool is_ours(int fd) {
    wire::Address peer{};
    peer.size = sizeof peer.sun;
    return fd >= 0 && raw(SYS_getpeername, fd, word(&peer.sun), word(&peer.size)) == 0 &&
           peer == config()->server;
}

void drop(int fd) {
    if (is_ours(fd))
        close_hidden(fd);
    else
        mark_hidden(fd, false);
}

void drop_at_thread_end(void* at) {
    auto* ended = static_cast<Link*>(at);
    if (ended->process == static_cast<pid_t>(raw(SYS_getpid)))
        drop(ended->fd);
    ended->fd = -1;
}

pthread_key_t thread_end;
pthread_once_t thread_end_once = PTHREAD_ONCE_INIT;
void make_thread_end() {
    ::pthread_key_create(&thread_end, drop_at_thread_end);
}

bool send(int fd, const wire::Request& request) {
    long sent;
    do
        sent = raw(SYS_sendto, fd, word(&request), sizeof request, MSG_NOSIGNAL);
    while (sent == -EINTR);
    return sent == static_cast<long>(sizeof request);
}

/// One Reply: true; false when the server has gone. Whether a signal cut the wait short goes to
/// `interrupted`, where that is not null; else the wait goes on.
bool receive(int fd, Answer& answer, bool* interrupted) {
    iovec data{&answer.reply, sizeof answer.reply};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    for (;;) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        long size = raw(SYS_recvmsg, fd, word(&message), MSG_CMSG_CLOEXEC);
        if (size == -EINTR) {
            if (interrupted != nullptr) {
                *interrupted = true;
                return true;
            }
            continue;
        }
        if (size != static_cast<long>(sizeof answer.reply))
            return false;
        break;
    }
    answer.result = answer.reply.result;
    if ((answer.reply.flags & wire::kReplyHasFd) != 0) {
        const cmsghdr* header = CMSG_FIRSTHDR(&message);
        if (header != nullptr && header->cmsg_type == SCM_RIGHTS)
            std::memcpy(&answer.fd, CMSG_DATA(header), sizeof answer.fd);
        else
            answer.result = -EMFILE;  // the kernel had no number left for it
    }
    return true;
}

/// A fresh, greeted connection, hidden; or a negative errno.
int connect() {
    const Config& about = *config();
    const long low = raw(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (low < 0)
        return static_cast<int>(low);
    const int fd = hide(static_cast<int>(low));
    raw(SYS_close, low);
    if (fd < 0)
        return fd;
    long err;
    do
        err = raw(SYS_connect, fd, word(&about.server.sun), about.server.size);
    while (err == -EINTR);
    if (err != 0) {
        close_hidden(fd);
        return -ENODEV;
    }
    // Under Yama a process may be read by those it names only; a child names anew.
    ucred peer{};
    socklen_t size = sizeof peer;
    if (raw(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, word(&peer), word(&size)) == 0)
        raw(SYS_prctl, PR_SET_PTRACER, peer.pid);

    Answer hello;
    wire::Request request{wire::Op::kHello, 0, 0, {about.secret[0], about.secret[1], 0, 0}};
    if (!send(fd, request) || !receive(fd, hello, nullptr)) {
        close_hidden(fd);
        return -ENODEV;
    }
    return fd;
}

Answer exchange(int fd, const wire::Request& request) {
    Answer answer;
    bool interrupted = false;
    bool there = send(fd, request) && receive(fd, answer, &interrupted);
    if (there && interrupted) {
        wire::Request word_of_it{wire::Op::kInterrupt, 0, 0, {}};
        there = send(fd, word_of_it) && receive(fd, answer, nullptr);
    }
    if (!there)
        answer.result = -ENODEV;
    return answer;
}

}  // namespace

Answer call(wire::Op op, uint64_t file, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
    KeepErrno keep;
    Answer failed;
    const wire::Request request{op, static_cast<uint32_t>(raw(SYS_gettid)), file, {a, b, c, d}};

    // A call made in a signal handler, in the middle of this thread's other one; or after such a
    // handler left by longjmp.
    if (link.busy) {
        const int fd = connect();
        if (fd < 0) {
            failed.result = fd;
            return failed;
        }
        Answer answer = exchange(fd, request);
        close_hidden(fd);
        return answer;
    }

    link.busy = true;
    const pid_t process = static_cast<pid_t>(raw(SYS_getpid));
    if (link.process != process || !is_ours(link.fd)) {
        if (link.fd >= 0)
            drop(link.fd);
        link.fd = connect();
        link.process = process;
        ::pthread_once(&thread_end_once, make_thread_end);
        ::pthread_setspecific(thread_end, &link);
    }
    if (link.fd < 0) {
        failed.result = link.fd;
        link.busy = false;
        return failed;
    }
    Answer answer = exchange(link.fd, request);
    link.busy = false;
    return answer;
}

namespace {
std::atomic<int> anchor{-1};
std::atomic<pid_t> anchored{0};
}  // namespace

void hold_anchor() {
    const pid_t process = static_cast<pid_t>(raw(SYS_getpid));
    if (anchored.exchange(process) == process)
        return;
    if (int inherited = anchor.exchange(-1); inherited >= 0)
        drop(inherited);
    const int fd = connect();
    if (fd < 0)
        return;
    wire::Request request{wire::Op::kAnchor, 0, 0, {}};
    exchange(fd, request);
    anchor = fd;
}

bool is_hidden(int fd) {
    const int base = hidden_base.load(std::memory_order_relaxed);
    if (base == 0 || fd < base || fd >= base + kHiddenSpan)
        return false;
    const int at = fd - base;
    return (hidden_bits[at / 64].load(std::memory_order_relaxed) >> at % 64 & 1) != 0;
}

int hide(int fd) {
    long hidden = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, first_hidden());
    if (hidden == -EMFILE || hidden == -EINVAL)
        hidden = raw(SYS_fcntl, fd, F_DUPFD_CLOEXEC, 3);
    if (hidden >= 0)
        mark_hidden(static_cast<int>(hidden), true);
    return static_cast<int>(hidden);
}

void close_hidden(int fd) {
    mark_hidden(fd, false);
    raw(SYS_close, fd);
}

void forget_connections() {
    const int base = hidden_base.load();
    for (int at = 0; base != 0 && at < kHiddenSpan; ++at)
        if (is_hidden(base + at) && is_ours(base + at))
            close_hidden(base + at);
    link = Link{};
    anchor = -1;
    anchored = 0;
}

}  // namespace xdna::emu::door
