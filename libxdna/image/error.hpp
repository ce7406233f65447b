// The one error of every parser and writer here.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace xdna::image {

// Bytes that are not what they claim to be: which container, where in it, which field, and the
// value found there. what() says all of it in one line.
class FormatError : public std::runtime_error {
  public:
    FormatError(std::string_view container, uint64_t offset, std::string_view field, uint64_t value,
                std::string_view problem);

    const std::string& container() const { return container_; }  // "PDI", "CDO", "xclbin", ...
    uint64_t offset() const { return offset_; }  // bytes from the start of what was parsed
    const std::string& field() const { return field_; }
    uint64_t value() const { return value_; }
    const std::string& problem() const { return problem_; }

  private:
    std::string container_;
    uint64_t offset_;
    std::string field_;
    uint64_t value_;
    std::string problem_;
};

}  // namespace xdna::image
