// A process in the process: drives the driver model through its public door, without a transport.
#pragma once

#include <drm/amdxdna_accel.h>
#include <drm/drm.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "emu/uapi/driver.hpp"

namespace xdna::emu::test {

constexpr uint64_t kAllOnes = ~uint64_t{0};
constexpr uint64_t kHeapSize = 64ULL << 20;
constexpr uint64_t kHeapBase = 0x4000000;

/// The calling process: this one, with the rights and limits that a test gives it.
class TestCaller final : public Caller {
  public:
    pid_t pid() const override { return as_pid; }
    bool capable_sys_admin() const override { return root; }
    bool capable_ipc_lock() const override { return ipc_lock; }
    uint64_t memlock_limit() const override { return memlock; }
    int copy_in(void* to, uint64_t from, size_t size) override;
    int copy_out(uint64_t to, const void* from, size_t size) override;
    UniqueFd take_fd(int fd) override;
    void give_fd(UniqueFd fd, size_t arg_offset, bool cloexec) override;
    bool interrupted() const override;
    void on_interrupt(std::function<void()> wake) override;

    void interrupt();
    void clear_interrupt();

    pid_t as_pid = ::getpid();
    bool root = false;
    bool ipc_lock = false;
    uint64_t memlock = 64ULL << 20;
    UniqueFd given;
    size_t given_at = 0;
    bool given_cloexec = false;

  private:
    mutable std::mutex mutex_;
    bool interrupted_ = false;
    std::function<void()> wake_;
};

/// A mapping of a BO, undone and reported when it goes.
class Map {
  public:
    Map() = default;
    Map(File* file, pid_t pid, void* at, size_t size)
        : file_(file), pid_(pid), at_(at), size_(size) {}
    Map(Map&& other) noexcept { *this = std::move(other); }
    Map& operator=(Map&& other) noexcept;
    ~Map() { unmap(); }

    void unmap();
    uint8_t* bytes() const { return static_cast<uint8_t*>(at_); }
    uint32_t* words() const { return static_cast<uint32_t*>(at_); }
    uint64_t address() const { return reinterpret_cast<uint64_t>(at_); }

  private:
    File* file_ = nullptr;
    pid_t pid_ = 0;
    void* at_ = nullptr;
    size_t size_ = 0;
};

/// An open node.
class TestFile {
  public:
    TestFile(Driver& driver, TestCaller& caller) : caller_(&caller) {
        EXPECT_EQ(driver.open(caller, file_), 0);
    }

    template <typename Arg>
    int call(unsigned long request, Arg& arg) {
        return file_->ioctl(*caller_, request, &arg);
    }
    File& file() { return *file_; }
    TestCaller& caller() { return *caller_; }
    void close() { file_.reset(); }

    /// CREATE_BO; the handle, or a negative errno.
    int64_t create(uint32_t type, uint64_t size, uint64_t vaddr = 0, uint64_t flags = 0);
    amdxdna_drm_get_bo_info info(uint32_t handle);
    int gem_close(uint32_t handle);
    /// mmap() of a whole BO as the kernel and then the transport do it.
    int map(uint32_t handle, size_t size, Map& out, int prot = PROT_READ | PROT_WRITE,
            int flags = MAP_SHARED);
    /// The 64 MiB heap, mapped.
    Map heap(uint32_t* handle = nullptr);
    /// A context of `columns` columns: 0 or a negative errno.
    int context(uint32_t columns, amdxdna_drm_create_hwctx& out);
    int destroy_context(uint32_t handle);
    int wait(uint32_t syncobj, uint64_t point, int64_t timeout_ms);
    int exec(uint32_t context, uint32_t command, const std::vector<uint32_t>& args, uint64_t& seq);

  private:
    TestCaller* caller_;
    std::unique_ptr<File> file_;
};

/// CLOCK_MONOTONIC, `ms` from now, in nanoseconds.
int64_t deadline(int64_t ms);

class DriverTest : public ::testing::Test {
  protected:
    explicit DriverTest(Driver::Options options = {});

    /// True if a line of the device's log contains `text`.
    bool logged(const std::string& text) const;

    TestCaller caller;
    std::unique_ptr<Driver> driver;
    std::unique_ptr<TestFile> file;
};

}  // namespace xdna::emu::test
