// Hardware contexts and the commands in them. Used with the device's lock held.
#pragma once

#include <drm/amdxdna_accel.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "emu/uapi/driver/bo.hpp"
#include "emu/uapi/driver/column_solver.hpp"
#include "emu/uapi/driver/syncobj.hpp"

namespace xdna::emu::driver {

class Client;
struct HwContext;

/// aie2_pci.h, HWCTX_MAX_CMDS.
constexpr uint32_t kMaxInFlight = 4;
constexpr uint32_t kNoFirmwareContext = ~0U;

struct Job {
    /// What the driver itself sends along a context's queue.
    enum class Kind { kUser, kAttachDebugBo, kDetachDebugBo, kSyncDebugBo };

    std::shared_ptr<HwContext> context;
    Kind kind = Kind::kUser;
    uint64_t seq = 0;
    BoPtr command;
    std::vector<BoPtr> bos;
    std::shared_ptr<Event> finished = std::make_shared<Event>();
    uint32_t result = 0;  ///< of a driver command
    bool timed_out = false;
};
using JobPtr = std::shared_ptr<Job>;

struct HwContext {
    Client* client = nullptr;
    uint32_t id = 0;
    amdxdna_qos_info qos{};
    uint32_t num_tiles = 0;
    uint32_t num_col = 0;
    uint32_t start_col = 0;
    std::vector<uint32_t> start_columns;  ///< where the solver may place it
    uint32_t firmware_id = kNoFirmwareContext;
    /// Replies that were on their way when the firmware's context went are of an older epoch.
    uint64_t epoch = 0;

    BoPtr heap;
    std::array<BoPtr, kMaxInFlight> chain_buffers;
    std::vector<amdxdna_cu_config> cus;
    bool configured = false;

    SyncobjPtr syncobj;
    uint64_t seq = 0;
    uint64_t completed = 0;
    uint32_t slots = kMaxInFlight;
    uint32_t submitters = 0;  ///< threads inside EXEC_CMD
    std::list<JobPtr> in_flight;
    std::chrono::steady_clock::time_point timer;  ///< when the oldest job's time began

    bool alive() const { return firmware_id != kNoFirmwareContext; }
};
using HwContextPtr = std::shared_ptr<HwContext>;

}  // namespace xdna::emu::driver
