#include "emu/uapi/driver/column_solver.hpp"

#include <algorithm>
#include <cerrno>

namespace xdna::emu::driver {

namespace {

constexpr uint32_t kSystemEfficiency = 2;

/// In 32-bit arithmetic, as the driver: large requests wrap around.
uint32_t requested_gops(const QosRequest& qos) {
    const uint32_t rate = qos.latency != 0 ? std::max(1000 / qos.latency, 1U) : 0;
    return std::max(qos.fps, rate) * qos.gops * kSystemEfficiency;
}

bool meets(const QosRequest& qos, uint32_t opc, uint32_t level) {
    return requested_gops(qos) <= opc * kNpu1Clocks[level].h / 1000;
}

uint32_t mask(uint32_t start, uint32_t columns) {
    return ((1U << columns) - 1) << start;
}

}  // namespace

int ColumnSolver::check(const QosRequest& qos, uint32_t columns, uint32_t opc) const {
    return columns <= total_ && meets(qos, opc, kMaxClockLevel) ? 0 : -EINVAL;
}

int ColumnSolver::allocate(uint64_t id, const std::vector<uint32_t>& starts, uint32_t columns,
                           uint32_t& start) {
    for (const uint32_t candidate : starts) {
        if ((used_ & mask(candidate, columns)) == 0) {
            used_ |= mask(candidate, columns);
            partitions_.push_back(std::make_shared<Partition>(Partition{candidate, columns, 1}));
            requests_.push_back({id, partitions_.back()});
            start = candidate;
            return 0;
        }
    }
    std::shared_ptr<Partition> shared;
    for (const auto& partition : partitions_) {
        const bool fits = partition->columns == columns &&
                          std::count(starts.begin(), starts.end(), partition->start) != 0;
        if (fits && (!shared || partition->users < shared->users)) {
            shared = partition;
        }
    }
    if (!shared) {
        return -ENODEV;
    }
    ++shared->users;
    requests_.push_back({id, shared});
    start = shared->start;
    return 0;
}

uint32_t ColumnSolver::set_level(uint64_t id, const QosRequest& qos, uint32_t opc) {
    uint32_t level = kMaxClockLevel;
    if (qos.gops > 0 && (qos.fps > 0 || qos.latency > 0)) {
        level = 0;
        while (level < kMaxClockLevel && !meets(qos, opc, level)) {
            ++level;
        }
        level = std::max(level, highest_level());
    }
    for (Request& request : requests_) {
        if (request.id == id) {
            request.level = level;
        }
    }
    return level;
}

void ColumnSolver::release(uint64_t id) {
    const auto request = std::find_if(requests_.begin(), requests_.end(),
                                      [&](const Request& r) { return r.id == id; });
    if (request == requests_.end()) {
        return;
    }
    const auto partition = request->partition;
    requests_.erase(request);
    if (--partition->users == 0) {
        used_ &= ~mask(partition->start, partition->columns);
        partitions_.remove(partition);
    }
}

uint32_t ColumnSolver::highest_level() const {
    uint32_t level = 0;
    for (const Request& request : requests_) {
        level = std::max(level, request.level);
    }
    return level;
}

}  // namespace xdna::emu::driver
