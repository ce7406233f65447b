// The open device files of all clients. A file lives as long as a descriptor of it does anywhere:
// the client holds one end of a socket pair under any number of descriptors, the end of file on
// ours is the final release.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/wire.hpp"

namespace xdna::emu {

/// An open file description: the driver's file and how it was opened.
struct OpenFile {
    std::unique_ptr<File> file;
    int access = 0;                    ///< O_RDONLY, O_WRONLY or O_RDWR
    std::shared_ptr<UniqueFd> socket;  ///< the server's end
    uint64_t inode = 0;                ///< of the client's end
};

/// Thread-safe.
class Files {
  public:
    Files(Driver& driver, const wire::Address& server);

    /// open() of the node: a descriptor to hand to the caller, or a negative errno.
    int open(Caller& caller, int flags, UniqueFd& out);
    std::shared_ptr<OpenFile> find(uint64_t id);
    /// The file whose client's end has this inode; null if there is none.
    std::shared_ptr<OpenFile> find_inode(uint64_t inode);
    void unmapped(pid_t pid, uint64_t address, uint64_t length);

    /// The process image `pid` has gone when `connection` ends.
    void add_anchor(pid_t pid, UniqueFd connection);

    /// Releases what has no descriptor any more and forgets mappings of images that have gone;
    /// returns when that is done. A kernel releases inside close() and exit(), before anyone can
    /// make a next call; so this runs before every call whose outcome may depend on it.
    void reap();
    /// Waits until reap() has something to do, or wake().
    void wait();
    void wake();

  private:
    struct Anchor {
        pid_t pid;
        std::shared_ptr<UniqueFd> connection;
    };

    Driver& driver_;
    const wire::Address& server_;
    UniqueFd changed_;  ///< an eventfd: the set of descriptors to wait for is another
    std::mutex mutex_;
    std::unordered_map<uint64_t, std::shared_ptr<OpenFile>> files_;
    std::vector<Anchor> anchors_;
    std::mutex reaping_;
};

}  // namespace xdna::emu
