// What is cut out of a file before anything sees it: names of people and machines, serial numbers,
// and whatever no check asks for.
#pragma once

#include <string>

namespace xdna::probe {

/// The part of `content` (read from `path`) that the probe may know.
std::string redact(const std::string& path, std::string content);

/// True for a kernel log line that speaks of the NPU, its driver, module loading, or the IOMMU.
bool concerns_npu(const std::string& log_line);

/// One line of the table, for people: "path pattern: what is kept".
struct Redaction {
    const char* path;  ///< a trailing '*' or a leading '*' matches anything
    const char* kept;
    std::string (*keep)(std::string content);
};
const Redaction* redactions(size_t& count);

}  // namespace xdna::probe
