// Joules while a benchmark ran, where a sensor tells: RAPL's counter of the CPU package, amdgpu's
// hwmon, and the NPU's own query. Whatever else drew power meanwhile is in it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace xdna::bench {

/// One of `watts` and `joules` is there, or `name` says what was looked for.
struct EnergySensor {
    std::string name;
    std::function<std::optional<double>()> watts;   ///< now
    std::function<std::optional<double>()> joules;  ///< since some time; falls where it wraps
    double joules_wrap = 0;

    explicit operator bool() const { return watts || joules; }
};

namespace detail {

inline std::optional<double> number_in(const std::filesystem::path& file) {
    std::ifstream stream(file);
    double value = 0;
    return stream >> value ? std::optional(value) : std::nullopt;
}

inline std::filesystem::path sysfs() {
    const char* elsewhere = std::getenv("XDNA_BENCH_SYSFS");  // for tests
    return elsewhere != nullptr ? elsewhere : "/sys";
}

}  // namespace detail

/// RAPL, package 0 (Documentation/power/powercap/powercap.rst): microjoules, readable by root.
inline EnergySensor cpu_energy() {
    const auto folder = detail::sysfs() / "class/powercap/intel-rapl:0";
    const auto file = folder / "energy_uj";
    if (!detail::number_in(file)) {
        std::error_code ignored;
        return {std::filesystem::exists(file, ignored) ? file.string() + " is root's to read"
                                                       : "no " + file.string()};
    }
    const auto joules = [file]() -> std::optional<double> {
        const auto value = detail::number_in(file);
        return value ? std::optional(*value * 1e-6) : std::nullopt;
    };
    return {"RAPL, " + file.string(), nullptr, joules,
            detail::number_in(folder / "max_energy_range_uj").value_or(0) * 1e-6};
}

/// The first amdgpu's power (Documentation/gpu/amdgpu/thermal.rst): microwatts; of an APU, all of
/// it.
inline EnergySensor gpu_energy() {
    const auto folder = detail::sysfs() / "class/hwmon";
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
        std::string name;
        std::ifstream(entry.path() / "name") >> name;
        for (const char* reading : {"power1_average", "power1_input"}) {
            const auto file = entry.path() / reading;
            if (name == "amdgpu" && detail::number_in(file)) {
                return {"amdgpu, " + file.string(), [file]() -> std::optional<double> {
                            const auto value = detail::number_in(file);
                            return value ? std::optional(*value * 1e-6) : std::nullopt;
                        }};
            }
        }
    }
    return {"no amdgpu with power1_average or power1_input below " + folder.string()};
}

/// Energy from its making on. Power is read every 10 ms.
class EnergyMeter {
  public:
    /// @param sensor may be none
    explicit EnergyMeter(const EnergySensor& sensor) : sensor_(sensor) {
        if (sensor_.joules) {
            start_ = sensor_.joules();
        } else if (sensor_.watts) {
            sampler_ = std::thread([this] { sample(); });
        }
    }
    ~EnergyMeter() { stop(); }
    EnergyMeter(const EnergyMeter&) = delete;
    EnergyMeter& operator=(const EnergyMeter&) = delete;

    /// Stops. nullopt where there is no sensor, or less than 0.1 s passed: sensors average over
    /// milliseconds.
    std::optional<double> joules() {
        stop();
        if (std::chrono::steady_clock::now() - made_ < std::chrono::milliseconds(100)) {
            return std::nullopt;
        }
        if (sensor_.joules && start_) {
            const auto end = sensor_.joules();
            return end ? std::optional(*end - *start_ + (*end < *start_ ? sensor_.joules_wrap : 0))
                       : std::nullopt;
        }
        return readings_ > 0 ? std::optional(sum_) : std::nullopt;
    }

  private:
    void stop() {
        done_ = true;
        if (sampler_.joinable()) {
            sampler_.join();
        }
    }
    void sample() {
        auto last = std::chrono::steady_clock::now();
        while (!done_) {
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
            const auto watts = sensor_.watts();
            const auto now = std::chrono::steady_clock::now();
            if (watts) {
                sum_ += *watts * std::chrono::duration<double>(now - last).count();
                ++readings_;
            }
            last = now;
        }
    }

    const EnergySensor& sensor_;
    std::chrono::steady_clock::time_point made_ = std::chrono::steady_clock::now();
    std::optional<double> start_;
    double sum_ = 0;
    int readings_ = 0;
    std::atomic<bool> done_ = false;
    std::thread sampler_;
};

}  // namespace xdna::bench
