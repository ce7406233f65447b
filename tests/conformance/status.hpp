// What a system call answered, as the kernel says it: 0 or a negative errno. Prints as "EINVAL".
#pragma once

#include <cerrno>
#include <cstring>
#include <ostream>
#include <utility>

namespace xdna::conformance {

class Status {
  public:
    constexpr explicit Status(int value) : value_(value) {}

    /// From a call that answers -1 and sets errno.
    static Status of_call(long result) { return Status(result < 0 ? -errno : 0); }

    constexpr bool is_ok() const { return value_ == 0; }
    constexpr int value() const { return value_; }
    friend constexpr bool operator==(Status, Status) = default;

    friend std::ostream& operator<<(std::ostream& out, Status status) {
        if (status.is_ok()) {
            return out << "success";
        }
        const char* name = strerrorname_np(-status.value_);
        return name != nullptr ? out << name : out << status.value_;
    }

  private:
    int value_;
};

inline constexpr Status kOk{0};
constexpr Status fails_with(int error) {
    return Status(-error);
}

}  // namespace xdna::conformance
