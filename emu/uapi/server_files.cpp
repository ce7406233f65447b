#include "emu/uapi/server_files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

namespace xdna::emu {
namespace {

constexpr auto kInterruptedCallEnds = std::chrono::milliseconds(100);

}  // namespace

Files::Files(Driver& driver, const wire::Address& server)
    : driver_(driver), server_(server), changed_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

int Files::open(Caller& caller, int flags, UniqueFd& out) {
    auto opened = std::make_shared<OpenFile>();
    opened->access = flags & O_ACCMODE;

    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    opened->socket = std::make_shared<UniqueFd>(ends[0]);
    UniqueFd client(ends[1]);
    uint64_t id = 0;
    if (::getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id))
        return -EIO;
    const wire::Address address = wire::file_address(server_, id);
    struct stat status {};
    if (::bind(client.get(), reinterpret_cast<const sockaddr*>(&address.sun), address.size) != 0 ||
        ::fstat(client.get(), &status) != 0)
        return -errno;
    opened->inode = status.st_ino;

    if (int err = driver_.open(caller, opened->file); err != 0)
        return err;
    {
        std::lock_guard lock(mutex_);
        files_.emplace(id, std::move(opened));
    }
    wake();
    out = std::move(client);
    return 0;
}

std::shared_ptr<OpenFile> Files::find(uint64_t id) {
    std::lock_guard lock(mutex_);
    auto it = files_.find(id);
    return it == files_.end() ? nullptr : it->second;
}

std::shared_ptr<OpenFile> Files::find_inode(uint64_t inode) {
    std::lock_guard lock(mutex_);
    for (const auto& [id, opened] : files_)
        if (opened->inode == inode)
            return opened;
    return nullptr;
}

void Files::unmapped(pid_t pid, uint64_t address, uint64_t length) {
    std::vector<std::shared_ptr<OpenFile>> all;
    {
        std::lock_guard lock(mutex_);
        all.reserve(files_.size());
        for (const auto& [id, opened] : files_)
            all.push_back(opened);
    }
    for (const auto& opened : all)
        opened->file->unmapped(pid, address, length);
}

void Files::add_anchor(pid_t pid, UniqueFd connection) {
    {
        std::lock_guard lock(mutex_);
        anchors_.push_back({pid, std::make_shared<UniqueFd>(std::move(connection))});
    }
    wake();
}

namespace {
bool hung_up(const UniqueFd& socket) {
    pollfd entry{socket.get(), POLLRDHUP, 0};
    return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}
}  // namespace

void Files::reap() {
    std::lock_guard one_at_a_time(reaping_);
    std::vector<Anchor> images;
    std::vector<std::shared_ptr<OpenFile>> released;
    {
        std::lock_guard lock(mutex_);
        for (size_t i = 0; i < anchors_.size();) {
            if (hung_up(*anchors_[i].connection)) {
                images.push_back(std::move(anchors_[i]));
                anchors_[i] = std::move(anchors_.back());
                anchors_.pop_back();
            } else {
                ++i;
            }
        }
        for (auto it = files_.begin(); it != files_.end();) {
            if (hung_up(*it->second->socket)) {
                released.push_back(std::move(it->second));
                it = files_.erase(it);
            } else {
                ++it;
            }
        }
    }
    for (const Anchor& image : images)
        unmapped(image.pid, 0, UINT64_MAX);
    // A call in progress still holds its file. That of a killed process is being interrupted: a
    // kernel would end it before anyone hears of the death. That of a living one holds the file for
    // as long as it takes, as it does in a kernel; then the release is later.
    const auto deadline = std::chrono::steady_clock::now() + kInterruptedCallEnds;
    for (const auto& opened : released)
        while (opened.use_count() > 1 && std::chrono::steady_clock::now() < deadline)
            std::this_thread::sleep_for(std::chrono::microseconds(200));
    released.clear();
}

void Files::wait() {
    // Held here while waited for: a number closed by another thread could be anyone's next.
    std::vector<std::shared_ptr<UniqueFd>> sockets;
    {
        std::lock_guard lock(mutex_);
        for (const auto& [id, opened] : files_)
            sockets.push_back(opened->socket);
        for (const Anchor& anchor : anchors_)
            sockets.push_back(anchor.connection);
    }
    std::vector<pollfd> entries;
    entries.reserve(sockets.size() + 1);
    for (const auto& socket : sockets)
        entries.push_back({socket->get(), POLLRDHUP | POLLIN, 0});
    entries.push_back({changed_.get(), POLLIN, 0});
    ::poll(entries.data(), entries.size(), -1);

    if (entries.back().revents != 0) {
        uint64_t count = 0;
        [[maybe_unused]] ssize_t read = ::read(changed_.get(), &count, sizeof count);
    }
    entries.pop_back();
    // What a client write()s to its end is nothing to anyone; it must not fill the queue.
    char sink[256];
    for (const pollfd& entry : entries)
        if ((entry.revents & POLLIN) != 0)
            while (::recv(entry.fd, sink, sizeof sink, MSG_DONTWAIT) > 0) {
            }
}

void Files::wake() {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = ::write(changed_.get(), &one, sizeof one);
}

}  // namespace xdna::emu
