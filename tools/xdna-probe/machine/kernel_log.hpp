// The kernel log, line by line, against a table of lines that are known.
#pragma once

#include <string>
#include <vector>

namespace xdna::probe {

/// A known line: which check it bears on, and as which of its outcomes.
struct LogLine {
    const char* pattern;  ///< extended regular expression (regex(7)), searched for in the line
    const char* check;
    const char* outcome;
    bool at_start;  ///< belongs to a driver start: void once a later start succeeded
    bool anyone;    ///< printed by other parts of the kernel: need not name the driver
};

struct LogMatch {
    std::string line;  ///< verbatim, printable
    const char* check = nullptr;
    const char* outcome = nullptr;
};

/// Matches in the log's order. Known-harmless lines and void ones are left out; error lines of
/// amdxdna that no row knows come as check "log.unknown".
std::vector<LogMatch> match_log(const std::vector<std::string>& lines);

/// The text of a /dev/kmsg or dmesg line without priority, sequence number and time.
std::string log_text(const std::string& line);

const LogLine* known_log_lines(size_t& count);

/// The firmware file that the driver says it loaded last; "" if the log does not say.
std::string loaded_firmware(const std::vector<std::string>& lines);

}  // namespace xdna::probe
