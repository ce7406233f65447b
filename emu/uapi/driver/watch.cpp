// What the kernel does on its own time: hang detection and recovery, runtime suspend, errors that
// the firmware reports unasked (linux drivers/accel/amdxdna/aie2_ctx.c, aie2_error.c).
#include <algorithm>
#include <chrono>
#include <cstring>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

namespace {

using std::chrono::milliseconds;

/// amdxdna_error.h: numbers of errors, and of the modules they are from.
enum ErrorNumber : uint8_t {
    kAccess = 6,
    kStream = 5,
    kBus = 7,
    kInstruction = 8,
    kEcc = 9,
    kLockError = 10,
    kDma = 11,
    kParity = 12,
    kUnknown = 15
};

struct EventClass {
    uint8_t event;
    ErrorNumber number;
};

// aie2_error.c: which event of which module is which error.
constexpr EventClass kMemoryEvents[] = {
    {88, kEcc},    {90, kEcc},    {91, kParity},    {92, kParity}, {93, kParity},
    {94, kParity}, {95, kParity}, {96, kParity},    {97, kDma},    {98, kDma},
    {99, kDma},    {100, kDma},   {101, kLockError}};
constexpr EventClass kCoreEvents[] = {
    {55, kAccess},    {56, kStream},      {57, kStream}, {58, kBus},    {59, kInstruction},
    {60, kAccess},    {62, kEcc},         {64, kEcc},    {65, kAccess}, {66, kAccess},
    {67, kLockError}, {70, kInstruction}, {71, kStream}, {72, kBus}};
constexpr EventClass kMemTileEvents[] = {{130, kEcc},    {132, kEcc},    {133, kDma},
                                         {134, kDma},    {135, kStream}, {136, kStream},
                                         {137, kStream}, {138, kBus},    {139, kLockError}};
constexpr EventClass kShimEvents[] = {{64, kBus}, {65, kStream}, {66, kStream},   {67, kBus},
                                      {68, kBus}, {69, kBus},    {70, kBus},      {71, kBus},
                                      {72, kDma}, {73, kDma},    {74, kLockError}};

template <size_t N>
ErrorNumber look_up(const EventClass (&table)[N], uint8_t event) {
    const auto* row = std::find_if(std::begin(table), std::end(table),
                                   [&](const EventClass& c) { return c.event == event; });
    return row == std::end(table) ? kUnknown : row->number;
}

ErrorNumber classify(const firmware::AsyncErrorRecord& error) {
    switch (error.module) {
        case 0:
            return error.row == 1 ? look_up(kMemTileEvents, error.event_id)
                                  : look_up(kMemoryEvents, error.event_id);
        case 1:
            return look_up(kCoreEvents, error.event_id);
        case 2:
            return look_up(kShimEvents, error.event_id);
        default:
            return kUnknown;
    }
}

}  // namespace

bool Device::sleep(Lock& lock, Clock::time_point deadline) {
    if (deadline == Clock::time_point::max()) {
        changed_.wait(lock);
        return true;
    }
    return changed_.wait_until(lock, deadline) == std::cv_status::no_timeout;
}

void Device::watch_by(Clock::time_point deadline) {
    if (deadline < watch_until_) {
        watch_changed_.notify_all();
    }
}

void Device::watch() {
    Lock lock(mutex);
    while (!stopping_) {
        auto next = Clock::time_point::max();
        const auto now = Clock::now();
        if (options.tdr_timeout_ms != 0) {
            check_timeouts(now);
            for (const Client* client : clients) {
                for (const auto& [id, context] : client->contexts()) {
                    if (!context->in_flight.empty()) {
                        next =
                            std::min(next, context->timer + milliseconds(options.tdr_timeout_ms));
                    }
                }
            }
        }
        if (!suspended_ && users_ == 0) {
            const auto due = idle_since_ + milliseconds(options.autosuspend_delay_ms);
            if (due <= now) {
                suspend();
                continue;
            }
            next = std::min(next, due);
        }
        watch_until_ = next;
        if (next == Clock::time_point::max()) {
            watch_changed_.wait(lock);
        } else {
            watch_changed_.wait_until(lock, next);
        }
    }
}

void Device::check_timeouts(Clock::time_point now) {
    const auto limit = milliseconds(options.tdr_timeout_ms);
    // The device's time counts: a simulation that gets on is as good as an answer, until it has
    // used as many cycles as hardware could have in that time.
    const int64_t cycles = firmware_->running_cycles();
    if (cycles >= 0 && cycles < int64_t{options.tdr_timeout_ms} * 1000 * clocks().h) {
        last_signal = now;
    }
    std::vector<HwContextPtr> late;
    for (const Client* client : clients) {
        for (const auto& [id, context] : client->contexts()) {
            if (!context->in_flight.empty() && now >= context->timer + limit) {
                late.push_back(context);
            }
        }
    }
    for (const HwContextPtr& context : late) {
        // The device as a whole is what must make progress, so one hung context among busy ones
        // goes on.
        if (now <= last_signal + limit) {
            context->timer = now;
            continue;
        }
        log(LogLine::Level::kError, "TDR timeout detected");
        context->in_flight.front()->timed_out = true;
        stop_context(*context);
        if (const int error = restart_context(*context); error != 0) {
            log(LogLine::Level::kError, "Create hwctx failed, ret %d", error);
        }
    }
}

void Device::async_error(uint32_t buffer) {
    const Lock lock(mutex);
    if (!async_buffers_ || !async_buffers_->valid()) {
        return;
    }
    const std::byte* data = async_buffers_->data() + buffer * kAsyncBufferSize;
    firmware::AsyncErrorHeader header{};
    std::memcpy(&header, data, sizeof header);
    constexpr uint32_t kMost =
        (kAsyncBufferSize - sizeof header) / sizeof(firmware::AsyncErrorRecord);
    if (header.count == 0 || header.count > kMost) {
        log(LogLine::Level::kWarning, "Did not get error column");
        return;
    }
    firmware::AsyncErrorRecord error{};
    for (uint32_t i = 0; i < header.count; ++i) {
        std::memcpy(&error, data + sizeof header + i * sizeof error, sizeof error);
        log(LogLine::Level::kError, "Row: %u, Col: %u, module %u, event ID %u, error %u", error.row,
            error.col, error.module, error.event_id, classify(error));
    }
    constexpr uint64_t kDriverAie = 4;
    constexpr uint64_t kCritical = 3;
    constexpr uint64_t kClassAie = 2;
    constexpr uint64_t kModules[] = {4, 3, 7, 8};  // memory, core, shim, unknown
    last_async_error.err_code = classify(error) | kDriverAie << 16 | kCritical << 24 |
                                kModules[std::min<uint32_t>(error.module, 3)] << 32 |
                                kClassAie << 40;
    last_async_error.ts_us =
        static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                  std::chrono::system_clock::now().time_since_epoch())
                                  .count());
    last_async_error.ex_err_code = error.col | static_cast<uint64_t>(error.row) << 8;
    register_async_event(buffer);
}

void Device::release_spans() {
    for (const auto& [pid, mm] : mms_) {
        mm->space->release_spans();
    }
    iova_space_->release_spans();
}

}  // namespace xdna::emu::driver
