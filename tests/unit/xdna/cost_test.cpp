// What a command costs in user space: instructions, system calls, allocations. Exact, so that a
// change which makes it dearer is seen.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "tests/support/step_counter.hpp"
#include "tests/unit/xdna/script.hpp"

namespace xdna::test {
namespace {

constexpr uint32_t kCommands = 24;

/// A kernel that completes a command when it is waited for, or at once.
class Completing {
  public:
    explicit Completing(bool at_once) : at_once_(at_once) {}

    int answer(int memory, unsigned long request, void* argument) {
        switch (request & 0xff) {
            case DRM_IOCTL_VERSION & 0xff:
                return answer_version("amdxdna_accel_driver", 0, 10)(request, argument);
            case DRM_IOCTL_AMDXDNA_CREATE_BO & 0xff:
                static_cast<amdxdna_drm_create_bo*>(argument)->handle = ++handle_;
                return 0;
            case DRM_IOCTL_AMDXDNA_GET_BO_INFO & 0xff: {
                auto* info = static_cast<amdxdna_drm_get_bo_info*>(argument);
                info->map_offset = info->handle == 1 ? kHeapOffset : uint64_t{info->handle} << 20;
                info->xdna_addr = kHeapAddress;
                return 0;
            }
            case DRM_IOCTL_AMDXDNA_GET_INFO & 0xff: {
                amdxdna_drm_query_aie_metadata metadata{};
                metadata.cols = 5;
                metadata.core.row_count = 4;
                std::memcpy(
                    reinterpret_cast<void*>(static_cast<amdxdna_drm_get_info*>(argument)->buffer),
                    &metadata, sizeof metadata);
                return 0;
            }
            case DRM_IOCTL_AMDXDNA_CREATE_HWCTX & 0xff:
                static_cast<amdxdna_drm_create_hwctx*>(argument)->handle = 1;
                static_cast<amdxdna_drm_create_hwctx*>(argument)->syncobj_handle = 1;
                return 0;
            case DRM_IOCTL_AMDXDNA_EXEC_CMD & 0xff: {
                auto* exec = static_cast<amdxdna_drm_exec_cmd*>(argument);
                exec->seq = ++sequence_;
                last_ = static_cast<uint32_t>(exec->cmd_handles);
                return at_once_ ? complete(memory) : 0;
            }
            case DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT & 0xff:
                return complete(memory);
            default:
                return 0;
        }
    }

  private:
    int complete(int memory) const {
        const uint8_t state = 4;
        uint8_t low = 0;
        const auto at = static_cast<off_t>(uint64_t{last_} << 20);
        if (pread(memory, &low, 1, at) != 1) {
            return -EIO;
        }
        low = static_cast<uint8_t>((low & 0xf0) | state);
        return pwrite(memory, &low, 1, at) == 1 ? 0 : -EIO;
    }

    bool at_once_;
    uint32_t handle_ = 0;
    uint32_t last_ = 0;
    uint64_t sequence_ = 0;
};

struct Costs {
    std::vector<StepCount> phases;
    std::string error;
};

/// Counts submit and wait; set_words of six and submit and wait; a wait with a timeout; a chain.
Costs count_costs(bool at_once) {
    Costs costs;
    Script script;
    Completing kernel(at_once);
    script.answer_all([&](unsigned long request, void* argument) {
        return kernel.answer(script.memory(), request, argument);
    });
    costs.phases = count_steps(
        [&] {
            xdna_device* device = nullptr;
            xdna_hwctx* hwctx = nullptr;
            xdna_cmd* cmd = nullptr;
            xdna_cmd* chain = nullptr;
            std::vector<xdna_cmd*> members(kCommands);
            xdna_hwctx_options options{};
            options.columns = 1;
            uint32_t words[15] = {3};
            int failed = xdna_device_open_fd(script.fd(), &device) != 0 ||
                         xdna_hwctx_create(device, &options, &hwctx) != 0 ||
                         xdna_cmd_create(hwctx, 0, &cmd) != 0 ||
                         xdna_cmd_set_start_cu(cmd, 0, words, 15) != 0 ||
                         xdna_cmd_create(hwctx, 0, &chain) != 0;
            for (xdna_cmd*& member : members) {
                failed |= xdna_cmd_create(hwctx, 0, &member) != 0 ||
                          xdna_cmd_set_start_cu(member, 0, words, 15) != 0;
            }
            failed |= xdna_cmd_set_chain(chain, members.data(), kCommands);
            // The first time resolves symbols.
            failed |= xdna_cmd_set_words(cmd, 3, words, 6) | xdna_cmd_submit(cmd) |
                      xdna_cmd_wait(cmd, 1'000'000);
            begin_phase();
            failed |= xdna_cmd_submit(cmd) | xdna_cmd_wait(cmd, -1);
            begin_phase();
            failed |= xdna_cmd_set_words(cmd, 3, words, 6) | xdna_cmd_submit(cmd) |
                      xdna_cmd_wait(cmd, -1);
            begin_phase();
            failed |= xdna_cmd_submit(cmd) | xdna_cmd_wait(cmd, 1'000'000'000);
            begin_phase();
            failed |= xdna_cmd_submit(chain) | xdna_cmd_wait(chain, -1);
            stop_counting();
            return failed != 0 ? 1 : 0;
        },
        costs.error);
    return costs;
}

class Cost : public testing::Test {
  protected:
    void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
        GTEST_SKIP() << "counts mean nothing under a sanitizer";
#endif
    }
};

TEST_F(Cost, SubmitAndWait) {
    const Costs costs = count_costs(false);
    if (costs.phases.empty() && costs.error == "ptrace is not permitted here") {
        GTEST_SKIP() << costs.error;
    }
    ASSERT_EQ(costs.phases.size(), 4U) << costs.error;
    const uint64_t limits[] = {300, 400, 400, 100 * kCommands};
    const char* names[] = {"submit_wait", "set_words_submit_wait", "wait_with_timeout", "chain"};
    for (size_t i = 0; i < 4; i++) {
        RecordProperty(names[i], std::to_string(costs.phases[i].instructions));
        EXPECT_LT(costs.phases[i].instructions, limits[i]) << names[i];
        EXPECT_EQ(costs.phases[i].system_calls, 2U) << names[i];
        EXPECT_EQ(costs.phases[i].allocations, 0U) << names[i];
    }
}

TEST_F(Cost, WhatIsDoneCostsOneSystemCall) {
    const Costs costs = count_costs(true);
    if (costs.phases.empty() && costs.error == "ptrace is not permitted here") {
        GTEST_SKIP() << costs.error;
    }
    ASSERT_EQ(costs.phases.size(), 4U) << costs.error;
    for (const StepCount& phase : costs.phases) {
        EXPECT_EQ(phase.system_calls, 1U);
        EXPECT_EQ(phase.allocations, 0U);
    }
}

}  // namespace
}  // namespace xdna::test
