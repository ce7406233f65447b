#include <fcntl.h>
#include <sys/klog.h>
#include <unistd.h>

#include <cerrno>

#include "tools/xdna-probe/live/live.hpp"
#include "tools/xdna-probe/machine/redact.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr int kReadAll = 3;      // SYSLOG_ACTION_READ_ALL
constexpr int kSizeBuffer = 10;  // SYSLOG_ACTION_SIZE_BUFFER

void keep(const std::string& record, std::vector<std::string>& lines) {
    for (const std::string& line : split_lines(record)) {
        // A record's further lines are its device's properties, indented.
        if (!line.starts_with(' ') && concerns_npu(line)) {
            lines.push_back(printable(line, 1000));
        }
    }
}

// One record a read (Documentation/ABI/testing/dev-kmsg); EPIPE: some were overwritten meanwhile.
bool read_kmsg(std::vector<std::string>& lines) {
    const int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char record[8192];
    while (true) {
        const ssize_t count = read(fd, record, sizeof record);
        if (count > 0) {
            keep(std::string(record, static_cast<size_t>(count)), lines);
        } else if (count == 0 || (errno != EPIPE && errno != EINTR)) {
            break;
        }
    }
    const bool readable = errno == EAGAIN || !lines.empty();
    close(fd);
    return readable;
}

bool read_syslog(std::vector<std::string>& lines) {
    const int size = klogctl(kSizeBuffer, nullptr, 0);
    if (size <= 0) {
        return false;
    }
    std::string buffer(static_cast<size_t>(size), '\0');
    const int count = klogctl(kReadAll, buffer.data(), size);
    if (count < 0) {
        return false;
    }
    buffer.resize(static_cast<size_t>(count));
    keep(buffer, lines);
    return true;
}

}  // namespace

LogState read_kernel_log(std::vector<std::string>& lines) {
    return read_kmsg(lines) || read_syslog(lines) ? LogState::kRead : LogState::kDenied;
}

}  // namespace xdna::probe
