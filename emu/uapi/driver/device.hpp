// The one NPU: what all its clients share. One lock guards the whole model; the firmware calls back
// without holding its own.
#pragma once

#include <drm/amdxdna_accel.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "emu/firmware/firmware.hpp"
#include "emu/uapi/driver.hpp"
#include "emu/uapi/driver/address_space.hpp"
#include "emu/uapi/driver/bo.hpp"
#include "emu/uapi/driver/column_solver.hpp"
#include "emu/uapi/driver/hwctx.hpp"
#include "emu/uapi/driver/iova_allocator.hpp"
#include "emu/uapi/driver/range_allocator.hpp"
#include "emu/uapi/driver/syncobj.hpp"

namespace xdna::emu::driver {

class Client;
class Device;

/// The address space of one process, and what of the device stands in it.
struct Mm {
    explicit Mm(pid_t owner) : pid(owner), space(std::make_shared<AddressSpace>(owner)) {}

    struct Vma {
        uint64_t end;
        BoPtr bo;
    };
    pid_t pid;
    uint32_t pasid = 0;  ///< while a client is bound to it
    uint32_t clients = 0;
    uint64_t pinned_pages = 0;
    std::shared_ptr<AddressSpace> space;
    std::map<uint64_t, Vma> vmas;  ///< by start
};

/// Memory of the driver's own that messages point into.
class MessageBuffer {
  public:
    /// At least `size` bytes of zeroes (rounded up as the driver does, 8 KiB at least).
    MessageBuffer(Device& device, uint64_t size);
    ~MessageBuffer();
    MessageBuffer(const MessageBuffer&) = delete;
    MessageBuffer& operator=(const MessageBuffer&) = delete;

    bool valid() const { return memory_ != nullptr && memory_->data() != nullptr; }
    uint64_t address() const { return address_; }
    uint64_t size() const { return size_; }
    std::byte* data() const { return memory_->data(); }

  private:
    Device& device_;
    uint64_t size_;
    uint64_t address_ = 0;
    std::shared_ptr<BoMemory> memory_;
};

/// aie2_error.c: each column has a buffer of its own for what goes wrong.
constexpr uint32_t kAsyncBufferSize = 8192;

/// How a blocking call ended.
enum class Wake { kDone, kTimeout, kInterrupted };

class Device final : public firmware::Iommu {
  public:
    explicit Device(const Driver::Options& options);
    ~Device() override;

    using Clock = std::chrono::steady_clock;
    using Lock = std::unique_lock<std::mutex>;

    std::mutex mutex;
    const Driver::Options options;

    // --- log.cpp
    void log(LogLine::Level level, const char* format, ...) __attribute__((format(printf, 3, 4)));
    std::vector<LogLine> log_lines() const;

    // --- waiting (device.cpp)
    /// Something that a waiter may wait for has happened: fences signalled, slots freed.
    void notify();
    template <typename Predicate>
    Wake wait(Lock& lock, Caller& caller, Clock::time_point deadline, Predicate done);
    /// Waits for the next notify(), uninterruptibly. False once `deadline` has passed.
    bool sleep(Lock& lock, Clock::time_point deadline);
    void arm(PointWatch watch) { armed_.push_back(std::move(watch)); }

    // --- memory (device.cpp)
    std::shared_ptr<Mm> mm(pid_t pid);
    void bind(Mm& mm);
    void unbind(Mm& mm);
    void unmap(Lock& lock, pid_t pid, uint64_t address, uint64_t length);
    std::shared_ptr<HostMemory> space(uint16_t pasid) override;
    const std::shared_ptr<AddressSpace>& iova_space() const { return iova_space_; }
    int map_iova(Bo& bo);
    void unmap_iova(Bo& bo);

    // --- power (power.cpp)
    void resume_get();
    void suspend_put();
    void set_default_level(uint32_t level);
    int set_power_mode(uint32_t mode);
    uint32_t power_mode() const { return power_mode_; }
    ClockLevel clocks() const { return kNpu1Clocks[clock_level_]; }

    // --- contexts (hwctx.cpp, command.cpp)
    int create_firmware_context(HwContext& context);
    /// Takes the firmware's context away and answers what it had not.
    void stop_context(HwContext& context);
    int restart_context(HwContext& context);
    int send_cu_config(HwContext& context);
    /// What the firmware calls when the command `seq` is answered.
    firmware::Done<uint32_t> reply_to(const HwContextPtr& context, uint64_t seq);
    firmware::Done<firmware::ChainReply> reply_to_chain(const HwContextPtr& context, uint64_t seq);
    /// The command was answered / could not be sent at all.
    void finish(const JobPtr& job);
    void fail_unsent(const JobPtr& job);
    /// There is a new command whose time runs.
    void watch_by(Clock::time_point deadline);

    // Shared tables.
    RangeAllocator map_pages;
    std::map<uint64_t, Bo*> bo_at_page;
    std::map<uint32_t, Bo*> named_bos;
    IovaAllocator iovas;
    std::list<Client*> clients;  ///< in the order they opened
    uint64_t last_client_id = 0;
    ColumnSolver solver;
    uint32_t context_count = 0;
    Clock::time_point last_signal;
    amdxdna_async_error last_async_error{};
    bool force_preempt = false;
    bool frame_boundary_preempt = false;
    firmware::TileInfo tiles{};

    /// Descriptors given to clients that stand for a syncobj or a fence: our end of a socket pair
    /// by the inode of theirs; when theirs is closed everywhere, ours hangs up.
    struct Given {
        UniqueFd ours;
        SyncobjPtr syncobj;
        FencePtr fence;
        bool told = false;  ///< a fence's signal was written
    };
    std::map<uint64_t, Given> given_fds;
    void reap_given_fds();

    firmware::Firmware& firmware() { return *firmware_; }
    void start();

  private:
    JobPtr take(const std::weak_ptr<HwContext>& weak, uint64_t epoch, uint64_t seq);
    void settle(Job& job);
    void watch();
    void check_timeouts(Clock::time_point now);
    void suspend();
    void release_spans();
    void register_async_event(uint32_t buffer);
    void register_async_events();
    void async_error(uint32_t buffer);

    mutable std::mutex log_mutex_;
    std::deque<LogLine> log_;

    std::condition_variable changed_;
    std::list<PointWatch> armed_;

    std::map<pid_t, std::shared_ptr<Mm>> mms_;
    std::mutex spaces_mutex_;  ///< asked for by the firmware, with or without the device's lock
    std::map<uint32_t, std::shared_ptr<AddressSpace>> spaces_;  ///< by PASID
    std::shared_ptr<AddressSpace> iova_space_;
    std::unique_ptr<MessageBuffer> async_buffers_;

    uint32_t power_mode_ = 0;
    uint32_t clock_level_ = kMaxClockLevel;
    uint32_t default_level_ = 0;
    uint32_t users_ = 0;
    bool suspended_ = false;
    Clock::time_point idle_since_;

    bool stopping_ = false;
    std::condition_variable watch_changed_;
    Clock::time_point watch_until_ = Clock::time_point::max();  ///< when the watcher wakes itself
    std::thread watcher_;
    std::unique_ptr<firmware::Firmware> firmware_;
};

template <typename Predicate>
Wake Device::wait(Lock& lock, Caller& caller, Clock::time_point deadline, Predicate done) {
    if (done()) {
        return Wake::kDone;
    }
    if (deadline <= Clock::now()) {
        return Wake::kTimeout;
    }
    // The transport may hold a lock of its own when it wakes, so none is held when it is told whom.
    const auto interrupted = std::make_shared<std::atomic<bool>>(false);
    lock.unlock();
    caller.on_interrupt([this, interrupted] {
        const std::lock_guard guard(mutex);
        *interrupted = true;
        changed_.notify_all();
    });
    const bool already = caller.interrupted();
    lock.lock();
    *interrupted = *interrupted || already;
    Wake result = Wake::kDone;
    while (!done()) {
        if (*interrupted) {
            result = Wake::kInterrupted;
            break;
        }
        if (deadline == Clock::time_point::max()) {
            changed_.wait(lock);
        } else if (changed_.wait_until(lock, deadline) == std::cv_status::timeout && !done()) {
            result = Wake::kTimeout;
            break;
        }
    }
    lock.unlock();
    caller.on_interrupt(nullptr);
    lock.lock();
    return result;
}

}  // namespace xdna::emu::driver
