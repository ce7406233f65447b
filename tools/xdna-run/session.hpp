// One kernel on one device.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kernels/catalog.hpp"
#include "tools/xdna-run/files.hpp"
#include "xdna/xdna.hpp"

namespace xdna::run {

/// Everything one run holds on the device.
class Session {
  public:
    /// `device` as xdna::Device takes it; empty: the first.
    Session(const std::string& device, uint32_t columns, std::span<const uint8_t> pdi,
            const kernels::Command& command)
        : device_(device.empty() ? nullptr : device.c_str()),
          context_(device_, columns),
          code_(device_, XDNA_BO_DEV, command.code.size()),
          arguments_(command.arguments),
          command_(context_) {
        context_.configure(std::as_bytes(pdi));
        std::copy(command.code.begin(), command.code.end(), code_.span<uint8_t>().begin());
        code_.sync_to_device();

        for (const kernels::Argument& argument : command.arguments) {
            buffers_.emplace_back(device_, XDNA_BO_SHARE, (argument.bytes + 3) / 4 * 4);
        }
        command_.set_transaction(0, {code_, 0, static_cast<uint32_t>(command.code.size())},
                                 buffers_);
    }

    std::span<uint8_t> buffer(size_t argument) { return buffers_[argument].span<uint8_t>(); }
    Bo& bo(size_t argument) { return buffers_[argument]; }

    /// Seconds from submission to completion.
    double run() {
        for (Bo& bo : buffers_) {
            bo.sync_to_device();
        }
        const auto start = std::chrono::steady_clock::now();
        command_.run();
        const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
        for (Bo& bo : buffers_) {
            bo.sync_from_device();
        }
        return elapsed.count();
    }

    /// Each buffer, as the NPU had it, to folder/ARGUMENT.
    void write_buffers(const std::filesystem::path& folder) {
        for (size_t i = 0; i < arguments_.size(); ++i) {
            write_file(folder / arguments_[i].name, buffer(i).first(arguments_[i].bytes));
        }
    }

    std::string where() const {
        const xdna_device_info info = device_.info();
        return std::string(info.node) + " (" + info.generation + ")";
    }

  private:
    Device device_;
    HwContext context_;
    Bo code_;
    std::vector<kernels::Argument> arguments_;
    std::vector<Bo> buffers_;
    Command command_;
};

}  // namespace xdna::run
