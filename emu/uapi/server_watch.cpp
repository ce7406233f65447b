#include "emu/uapi/server_watch.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace xdna::emu {

namespace {
constexpr uint64_t kStop = 0;

void control(int epoll, int operation, int fd, uint64_t id) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
    event.data.u64 = id;
    ::epoll_ctl(epoll, operation, fd, &event);
}
}  // namespace

Watch::Watch()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!epoll_ || !stop_)
        throw std::system_error(errno, std::generic_category(), "epoll");
    control(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), kStop);
    thread_ = std::thread([this] { run(); });
}

Watch::~Watch() {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(stop_.get(), &one, sizeof one);
    thread_.join();
}

void Watch::add(const void* key, int connection, int process, std::function<void()> wake) {
    std::lock_guard lock(mutex_);
    const uint64_t id = next_++;
    entries_.emplace(id, Entry{connection, process, std::move(wake)});
    ids_[key] = id;
    for (int fd : {connection, process})
        if (fd >= 0)
            control(epoll_.get(), EPOLL_CTL_ADD, fd, id);
}

void Watch::remove(const void* key) {
    std::lock_guard lock(mutex_);
    auto found = ids_.find(key);
    if (found == ids_.end())
        return;
    auto entry = entries_.find(found->second);
    for (int fd : {entry->second.connection, entry->second.process})
        if (fd >= 0)
            control(epoll_.get(), EPOLL_CTL_DEL, fd, 0);
    entries_.erase(entry);
    ids_.erase(found);
}

void Watch::run() {
    for (;;) {
        epoll_event event{};
        if (::epoll_wait(epoll_.get(), &event, 1, -1) != 1)
            continue;
        if (event.data.u64 == kStop)
            return;
        std::lock_guard lock(mutex_);
        if (auto entry = entries_.find(event.data.u64); entry != entries_.end())
            entry->second.wake();
    }
}

}  // namespace xdna::emu
