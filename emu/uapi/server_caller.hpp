// A process at the other end of a connection, as the driver's Caller.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <functional>

#include "emu/uapi/driver.hpp"
#include "emu/uapi/server_watch.hpp"

namespace xdna::emu {

class RemoteCaller : public Caller {
  public:
    struct Given {
        UniqueFd fd;
        size_t arg_offset = 0;
        bool cloexec = true;
    };

    /// `connection` outlives the caller; its peer is who calls.
    RemoteCaller(int connection, Watch& watch);
    ~RemoteCaller() override;
    RemoteCaller(const RemoteCaller&) = delete;
    RemoteCaller& operator=(const RemoteCaller&) = delete;

    /// Thread of the process that makes the next call.
    void set_thread(pid_t thread) { thread_ = thread; }
    /// What the last call gave, taken.
    Given take_given();

    pid_t pid() const override { return pid_; }
    bool capable_sys_admin() const override;
    bool capable_ipc_lock() const override;
    uint64_t memlock_limit() const override;
    int copy_in(void* to, uint64_t from, size_t size) override;
    int copy_out(uint64_t to, const void* from, size_t size) override;
    UniqueFd take_fd(int fd) override;
    void give_fd(UniqueFd fd, size_t arg_offset, bool cloexec) override;
    bool interrupted() const override;
    void on_interrupt(std::function<void()> wake) override;

  private:
    using Transfer = decltype(&::process_vm_readv);
    int transfer(Transfer move, void* local, uint64_t remote, size_t size);
    bool capable(unsigned capability) const;

    int connection_;
    Watch& watch_;
    pid_t pid_ = 0;
    pid_t thread_ = 0;
    UniqueFd process_;
    Given given_;
};

}  // namespace xdna::emu
