#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

#include "tools/xdna-probe/live/live.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

// Bits of include/uapi/linux/capability.h.
constexpr unsigned kDacOverride = 1;
constexpr unsigned kIpcLock = 14;
constexpr unsigned kSysAdmin = 21;

uint64_t effective_capabilities() {
    const Result<std::string> status = live_files()->read("/proc/self/status", 64 * 1024);
    for (const std::string& line : split_lines(status.value)) {
        if (line.starts_with("CapEff:")) {
            return parse_number(trim(line.substr(7)), 16).value_or(0);
        }
    }
    return 0;
}

uint64_t bytes_of(rlim_t limit) {
    return limit == RLIM_INFINITY ? UINT64_MAX : limit;
}

}  // namespace

Process this_process() {
    Process process;
    process.known = true;
    process.uid = geteuid();
    process.gid = getegid();
    std::vector<gid_t> groups(1024);
    const int count = getgroups(static_cast<int>(groups.size()), groups.data());
    groups.resize(static_cast<size_t>(std::max(count, 0)));
    process.groups.assign(groups.begin(), groups.end());
    const uint64_t capabilities = effective_capabilities();
    process.cap_dac_override = (capabilities >> kDacOverride & 1) != 0;
    process.cap_ipc_lock = (capabilities >> kIpcLock & 1) != 0;
    process.cap_sys_admin = (capabilities >> kSysAdmin & 1) != 0;
    rlimit limit{};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
        process.memlock_soft = bytes_of(limit.rlim_cur);
        process.memlock_hard = bytes_of(limit.rlim_max);
    }
    return process;
}

}  // namespace xdna::probe
