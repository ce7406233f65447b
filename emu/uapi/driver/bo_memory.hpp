// The memory of a BO: a memfd that the client maps too, so nothing is ever copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "emu/uapi/driver.hpp"

namespace xdna::emu::driver {

class BoMemory {
  public:
    /// `size` bytes of zeroes, a multiple of the page size. Sets `error` to a negative errno and
    /// returns nothing when the machine refuses.
    static std::shared_ptr<BoMemory> create(uint64_t size, int& error);
    /// The memory behind a descriptor that came from here once (an exported dma-buf); nothing if it
    /// did not. Takes the descriptor.
    static std::shared_ptr<BoMemory> adopt(UniqueFd fd);

    ~BoMemory();
    BoMemory(const BoMemory&) = delete;
    BoMemory& operator=(const BoMemory&) = delete;

    int fd() const { return fd_.get(); }
    uint64_t size() const { return size_; }
    uint64_t inode() const { return inode_; }
    /// The whole memory in this process; nullptr when it cannot be mapped.
    std::byte* data();

  private:
    BoMemory(UniqueFd fd, uint64_t size, uint64_t inode);

    UniqueFd fd_;
    uint64_t size_;
    uint64_t inode_;
    std::once_flag mapped_;
    std::byte* data_ = nullptr;
};

}  // namespace xdna::emu::driver
