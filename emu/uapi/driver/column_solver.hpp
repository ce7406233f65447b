// Which columns a context gets and at which clock level the array runs, decided as the driver's
// resource solver does (linux drivers/accel/amdxdna/aie2_solver.c).
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

namespace xdna::emu::driver {

/// Clocks of one level, MHz (npu1_regs.c, npu1_dpm_clk_table).
struct ClockLevel {
    uint32_t npu;
    uint32_t h;
};
constexpr std::array<ClockLevel, 8> kNpu1Clocks = {{{400, 800},
                                                    {600, 1024},
                                                    {600, 1024},
                                                    {600, 1024},
                                                    {600, 1024},
                                                    {720, 1309},
                                                    {720, 1309},
                                                    {847, 1600}}};
constexpr uint32_t kMaxClockLevel = kNpu1Clocks.size() - 1;

struct QosRequest {
    uint32_t gops = 0;
    uint32_t fps = 0;
    uint32_t latency = 0;
};

class ColumnSolver {
  public:
    explicit ColumnSolver(uint32_t total_columns) : total_(total_columns) {}

    /// 0, or -EINVAL when no level can serve `qos` with `opc` operations per cycle.
    int check(const QosRequest& qos, uint32_t columns, uint32_t opc) const;
    /// Gives request `id` the first of `starts` where `columns` are free, else shares the partition
    /// of the same start and width with the fewest users. 0 and `start`, or -ENODEV.
    int allocate(uint64_t id, const std::vector<uint32_t>& starts, uint32_t columns,
                 uint32_t& start);
    /// The level that `qos` needs, and not less than what others need; recorded for `id`.
    uint32_t set_level(uint64_t id, const QosRequest& qos, uint32_t opc);
    void release(uint64_t id);
    /// The highest level that any request needs; 0 without requests.
    uint32_t highest_level() const;

  private:
    struct Partition {
        uint32_t start;
        uint32_t columns;
        uint32_t users;
    };
    struct Request {
        uint64_t id;
        std::shared_ptr<Partition> partition;
        uint32_t level = 0;
    };

    uint32_t total_;
    uint32_t used_ = 0;  ///< bit n: column n belongs to a partition
    std::list<std::shared_ptr<Partition>> partitions_;
    std::list<Request> requests_;
};

}  // namespace xdna::emu::driver
