// The machine that a client sees: the entries of /dev, /sys and /proc that tell of the virtual NPU.
// They are real files and links in a private directory; the interposer redirects paths there.
#pragma once

#include <filesystem>
#include <string>

#include "emu/uapi/driver.hpp"

namespace xdna::emu {

/// What the entries say that only the driver knows.
struct MachineFacts {
    std::string vbnv;              ///< marketing name as the driver reports it
    unsigned device_type = 0;      ///< enum amdxdna_device_type
    std::string firmware_version;  ///< major.minor.patch.build
    unsigned tdr_timeout_ms = 0;
    bool force_iova = false;
};

/// Asks the driver through its own ioctls. Throws std::runtime_error where one fails.
MachineFacts ask(Driver& driver, const Driver::Options& options);

/// A tree of entries, deleted at the end of its life.
class Machine {
  public:
    /// `host`: the root of the machine that runs us, whose own entries stand beside the NPU's.
    /// Throws std::system_error or std::filesystem::filesystem_error.
    explicit Machine(const MachineFacts& facts, const std::filesystem::path& host = "/");
    ~Machine();
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    /// Directory that stands for "/".
    const std::filesystem::path& root() const { return root_; }

  private:
    std::filesystem::path home_;
    std::filesystem::path root_;
    UniqueFd lock_;
};

}  // namespace xdna::emu
