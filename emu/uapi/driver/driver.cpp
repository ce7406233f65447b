#include "emu/uapi/driver.hpp"

#include <cstring>
#include <stdexcept>

#include "emu/uapi/driver/client.hpp"
#include "emu/uapi/driver/device.hpp"

namespace xdna::emu {

namespace {

class DriverModel final : public Driver {
  public:
    explicit DriverModel(const Options& options)
        : device_(std::make_shared<driver::Device>(options)) {
        device_->start();
    }

    int open(Caller& caller, std::unique_ptr<File>& out) override {
        out = std::make_unique<driver::Client>(device_, caller);
        return 0;
    }

    std::vector<LogLine> log() const override { return device_->log_lines(); }

  private:
    std::shared_ptr<driver::Device> device_;
};

}  // namespace

std::unique_ptr<Driver> Driver::create(const Options& options) {
    if (options.device == nullptr || std::strcmp(options.device, "npu1") != 0) {
        throw std::invalid_argument(std::string("the virtual NPU models npu1, not '") +
                                    (options.device != nullptr ? options.device : "") + "'");
    }
    return std::make_unique<DriverModel>(options);
}

}  // namespace xdna::emu
