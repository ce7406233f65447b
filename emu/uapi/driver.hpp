// The kernel driver's side of /dev/accel/accel0, as Linux 7.3's amdxdna behaves, without a kernel:
// files, BOs, hardware contexts, syncobjs, commands and queries. It knows nothing of how a call
// reached it; the transport (emu/uapi/server) carries calls of other processes here.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emu/firmware/observers.hpp"
#include "emu/unique_fd.hpp"

namespace xdna::emu {

/// The process that makes a call, as the kernel would see it. Lives as long as the call.
class Caller {
  public:
    virtual ~Caller() = default;

    virtual pid_t pid() const = 0;
    virtual bool capable_sys_admin() const = 0;
    virtual bool capable_ipc_lock() const = 0;
    /// RLIMIT_MEMLOCK of the process, bytes (soft limit).
    virtual uint64_t memlock_limit() const = 0;

    /// copy_from_user / copy_to_user: 0 or -EFAULT.
    virtual int copy_in(void* to, uint64_t from, size_t size) = 0;
    virtual int copy_out(uint64_t to, const void* from, size_t size) = 0;

    /// A duplicate of the caller's descriptor `fd`; empty if the caller has none of that number.
    virtual UniqueFd take_fd(int fd) = 0;
    /// Installs `fd` in the caller (close-on-exec as `cloexec` says) when the call returns 0, and
    /// writes its number there into the ioctl's argument as an int32 at byte `arg_offset`.
    virtual void give_fd(UniqueFd fd, size_t arg_offset, bool cloexec) = 0;

    /// True once the caller was interrupted by a signal or has gone: a blocking call then returns
    /// -EINTR. `wake` is called (from any thread) when that becomes true; pass nullptr to detach.
    virtual bool interrupted() const = 0;
    virtual void on_interrupt(std::function<void()> wake) = 0;
};

/// What mmap() of the device node gets: shared memory, and where in it.
struct Mapping {
    UniqueFd memory;
    uint64_t offset = 0;  ///< bytes into `memory`
};

/// An open file description of /dev/accel/accel0. Destroying it is the final release, which comes
/// after the last descriptor is closed and the last mapping of the file is gone: contexts,
/// handles and syncobjs of this file go. Thread-safe: calls of several threads may overlap.
class File {
  public:
    virtual ~File() = default;

    /// One ioctl. `request` is the full request number, `arg` holds _IOC_SIZE(request) bytes,
    /// copied in and out by the caller of this function. Returns 0 or a negative errno.
    virtual int ioctl(Caller& caller, unsigned long request, void* arg) = 0;

    /// mmap() of `length` bytes at file offset `offset`. Returns 0 or a negative errno.
    virtual int mmap(Caller& caller, uint64_t offset, uint64_t length, int prot, int flags,
                     Mapping& out) = 0;
    /// The mapping of `offset` now stands at `address` in the process `pid`: after mmap() above,
    /// or at a new place after mremap() or fork().
    virtual void mapped(pid_t pid, uint64_t offset, uint64_t address, uint64_t length) = 0;
    /// It has gone there (munmap, mremap, exec, exit). A range may cover part of, or several,
    /// mappings, of any file of the process. As in the kernel, waits for commands in flight that
    /// list a BO of the range; the whole address space (0, UINT64_MAX: exec, exit) does not wait.
    virtual void unmapped(pid_t pid, uint64_t address, uint64_t length) = 0;

    /// What the driver adds to /proc/PID/fdinfo/FD of this file, a line each (linux
    /// drivers/gpu/drm/drm_file.c, drm_show_fdinfo).
    virtual std::string fdinfo() const = 0;
};

/// A line of the device's log, as dmesg would show it.
struct LogLine {
    enum class Level { kDebug, kInfo, kWarning, kError };
    Level level = Level::kInfo;
    uint64_t time_us = 0;  ///< CLOCK_MONOTONIC
    std::string text;
};

/// One NPU with its driver.
class Driver {
  public:
    struct Options {
        /// Modelled device: only "npu1" so far; anything else is refused by name at creation.
        const char* device = "npu1";
        /// Module parameters, as the driver's.
        unsigned tdr_timeout_ms = 2000;
        bool force_iova = false;
        /// False is the driver's force_cmdlist=0: single commands go out without a chain.
        bool force_cmdlist = true;
        /// Time without use after which the device is suspended (the driver's is fixed).
        unsigned autosuspend_delay_ms = 5000;
        /// Gets each line of the device's log as it is written, from any thread; it must not call
        /// into the driver. The driver keeps the last lines whether or not this is set.
        std::function<void(const LogLine&)> log;
        /// Told of each command and of what the array does; see there for their threads.
        firmware::Observers observers = {};
    };

    /// Throws std::invalid_argument that names the device when it is not modelled.
    static std::unique_ptr<Driver> create(const Options& options);
    virtual ~Driver() = default;

    /// open() of the node: 0 and `out`, or a negative errno.
    virtual int open(Caller& caller, std::unique_ptr<File>& out) = 0;

    /// The newest lines of the device's log, oldest first.
    virtual std::vector<LogLine> log() const = 0;
};

}  // namespace xdna::emu
