// Watches the connections of calls that block, and wakes them when the client was interrupted or
// has gone.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "emu/uapi/driver.hpp"

namespace xdna::emu {

class Watch {
  public:
    Watch();
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Calls `wake` when `connection` or `process` (a pidfd) is or becomes readable: at most once
    /// for each. One entry per key.
    void add(const void* key, int connection, int process, std::function<void()> wake);
    /// On return `wake` is neither running nor will it run. Hold no lock here that `wake` takes.
    void remove(const void* key);

  private:
    struct Entry {
        int connection, process;
        std::function<void()> wake;
    };
    void run();

    UniqueFd epoll_;
    UniqueFd stop_;
    std::mutex mutex_;
    uint64_t next_ = 1;
    std::unordered_map<uint64_t, Entry> entries_;
    std::unordered_map<const void*, uint64_t> ids_;
    std::thread thread_;
};

}  // namespace xdna::emu
