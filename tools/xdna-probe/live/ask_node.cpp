#include <fcntl.h>
#include <unistd.h>
#include <xdna/xdna.h>

#include <cerrno>

#include "tools/xdna-probe/live/live.hpp"

namespace xdna::probe {
namespace {

class Opened {
  public:
    /// open() itself is the probe's, so that its errno is the kernel's.
    explicit Opened(const std::string& node) : fd_(open(node.c_str(), O_RDWR | O_CLOEXEC)) {
        error_ = fd_ < 0 ? errno : 0;
        if (fd_ >= 0) {
            library_error_ = -xdna_device_open_fd(fd_, &device_);
        }
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() {
        xdna_device_close(device_);
        if (fd_ >= 0) {
            close(fd_);
        }
    }
    int error() const { return error_; }
    int library_error() const { return library_error_; }
    xdna_device* device() const { return device_; }

  private:
    int fd_;
    int error_ = 0;
    int library_error_ = 0;
    xdna_device* device_ = nullptr;
};

/// `call` fills a C structure; `convert` makes the answer of it.
template <typename Raw, typename T, typename Call, typename Convert>
void ask(Answer<T>& answer, Call call, Convert convert) {
    Raw raw{};
    const int result = call(&raw);
    answer.error = result < 0 ? -result : 0;
    if (answer) {
        answer.value = convert(raw);
    }
}

/// Lists whose length is only known once they were read.
template <typename Raw, typename T, typename Call, typename Convert>
void ask_list(Answer<std::vector<T>>& answer, Call call, Convert convert) {
    constexpr uint32_t kMost = 1024;  // what the driver lists at once (amdxdna_ctx.c)
    std::vector<Raw> list(kMost);
    const int count = call(list.data(), kMost);
    answer.error = count < 0 ? -count : 0;
    for (int i = 0; i < count && i < static_cast<int>(kMost); ++i) {
        answer.value.push_back(convert(list[static_cast<size_t>(i)]));
    }
}

Context to_context(const xdna_hwctx_info& info) {
    return {info.pid,         info.context_id,  info.start_column, info.columns,
            info.submissions, info.completions, info.errors,       info.suspensions};
}

void ask_changing(xdna_device* device, NodeAnswers& answers) {
    ask_list<xdna_hwctx_info>(
        answers.contexts,
        [&](xdna_hwctx_info* list, uint32_t capacity) {
            const int all = xdna_query_hwctx_all(device, list, capacity);
            return all == -EOPNOTSUPP ? xdna_query_hwctx(device, list, capacity) : all;
        },
        to_context);
    ask<xdna_clocks>(
        answers.clocks, [&](xdna_clocks* out) { return xdna_query_clocks(device, out); },
        [](const xdna_clocks& raw) {
            return Clocks{raw.mp_npu.mhz, raw.h.mhz};
        });
    ask_list<xdna_sensor>(
        answers.sensors,
        [&](xdna_sensor* list, uint32_t capacity) {
            return xdna_query_sensors(device, list, capacity);
        },
        [](const xdna_sensor& raw) {
            return Sensor{raw.label, raw.units, raw.input, raw.type == XDNA_SENSOR_POWER};
        });
}

void ask_fixed(xdna_device* device, NodeAnswers& answers) {
    ask<xdna_firmware_version>(
        answers.firmware,
        [&](xdna_firmware_version* out) { return xdna_query_firmware_version(device, out); },
        [](const xdna_firmware_version& raw) {
            return std::to_string(raw.major) + "." + std::to_string(raw.minor) + "." +
                   std::to_string(raw.patch) + "." + std::to_string(raw.build);
        });
    ask<xdna_aie_metadata>(
        answers.metadata,
        [&](xdna_aie_metadata* out) { return xdna_query_aie_metadata(device, out); },
        [](const xdna_aie_metadata& raw) {
            return Metadata{raw.columns, raw.rows, raw.core.row_count};
        });
    ask<xdna_power_mode>(
        answers.power_mode,
        [&](xdna_power_mode* out) { return xdna_query_power_mode(device, out); },
        [](xdna_power_mode mode) { return static_cast<uint32_t>(mode); });
    ask<xdna_resources>(
        answers.resources, [&](xdna_resources* out) { return xdna_query_resources(device, out); },
        [](const xdna_resources& raw) {
            return Resources{raw.npu_clock_max, raw.npu_task_max, raw.npu_task_current};
        });
    ask<xdna_async_error>(
        answers.async_error,
        [&](xdna_async_error* out) { return xdna_query_last_async_error(device, out); },
        [](const xdna_async_error& raw) {
            return AsyncError{raw.code, raw.what};
        });
}

}  // namespace

NodeAnswers ask_node(const std::string& node) {
    NodeAnswers answers;
    const Opened opened(node);
    answers.open_error = opened.error();
    if (opened.error() != 0) {
        return answers;
    }
    answers.second_open_error = Opened(node).error();
    if (opened.device() == nullptr) {
        answers.driver.error = opened.library_error();
        return answers;
    }
    ask<xdna_driver_version>(
        answers.driver,
        [&](xdna_driver_version* out) { return xdna_device_driver_version(opened.device(), out); },
        [](const xdna_driver_version& raw) {
            return DriverVersion{raw.name, raw.major, raw.minor, raw.patch};
        });
    ask_fixed(opened.device(), answers);
    ask_changing(opened.device(), answers);
    return answers;
}

NodeAnswers sample_node(const std::string& node) {
    NodeAnswers answers;
    const Opened opened(node);
    answers.open_error = opened.error() != 0 ? opened.error() : opened.library_error();
    if (answers.open_error == 0) {
        ask_changing(opened.device(), answers);
    }
    return answers;
}

}  // namespace xdna::probe
