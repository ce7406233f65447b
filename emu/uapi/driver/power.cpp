// Power modes, clocks and runtime suspend (linux drivers/accel/amdxdna/aie2_pm.c, amdxdna_pm.c).
#include <cerrno>

#include "emu/uapi/driver/client.hpp"

namespace xdna::emu::driver {

void Device::resume_get() {
    ++users_;
    if (!suspended_) {
        return;
    }
    suspended_ = false;
    firmware_->resume();
    register_async_events();
    for (const Client* client : clients) {
        for (const auto& [id, context] : client->contexts()) {
            if (const int error = restart_context(*context); error != 0) {
                log(LogLine::Level::kError, "Create hwctx failed, ret %d", error);
            }
        }
    }
    last_signal = Clock::now();
    log(LogLine::Level::kDebug, "Resume done ret 0");
}

void Device::suspend_put() {
    if (--users_ == 0) {
        idle_since_ = Clock::now();
        watch_by(idle_since_ + std::chrono::milliseconds(options.autosuspend_delay_ms));
    }
}

void Device::suspend() {
    for (const Client* client : clients) {
        for (const auto& [id, context] : client->contexts()) {
            stop_context(*context);
        }
    }
    firmware_->suspend();
    suspended_ = true;
    log(LogLine::Level::kDebug, "Suspend done ret 0");
}

void Device::set_default_level(uint32_t level) {
    default_level_ = level;
    if (power_mode_ == POWER_MODE_DEFAULT) {
        clock_level_ = level;
    }
}

int Device::set_power_mode(uint32_t mode) {
    if (mode == power_mode_) {
        return 0;
    }
    switch (mode) {
        case POWER_MODE_TURBO:
            if (context_count != 0) {
                log(LogLine::Level::kError, "Can not set turbo when there is active hwctx");
                return -EINVAL;
            }
            clock_level_ = kMaxClockLevel;
            break;
        case POWER_MODE_HIGH:
            clock_level_ = kMaxClockLevel;
            break;
        case POWER_MODE_DEFAULT:
            clock_level_ = default_level_;
            break;
        case POWER_MODE_LOW:
            clock_level_ = 0;
            break;
        case POWER_MODE_MEDIUM:
            clock_level_ = kMaxClockLevel / 2;
            break;
        default:
            return -EOPNOTSUPP;
    }
    constexpr uint32_t kClockGating = 1;
    firmware_->set_runtime_config({kClockGating, mode == POWER_MODE_TURBO ? 0U : 1U});
    power_mode_ = mode;
    return 0;
}

}  // namespace xdna::emu::driver
