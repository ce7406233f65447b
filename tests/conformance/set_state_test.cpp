// SET_STATE: needs root; what it sets is set back.
#include <unistd.h>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class SetState : public HeapConformance {
  protected:
    void SetUp() override {
        HeapConformance::SetUp();
        XDNA_NEED(geteuid() == 0, "SET_STATE is root's");
        amdxdna_drm_get_power_mode mode{};
        ASSERT_EQ(device.get_info(DRM_AMDXDNA_GET_POWER_MODE, mode), kOk);
        power_before_ = mode.power_mode;
    }
    void TearDown() override {
        if (device && geteuid() == 0) {
            EXPECT_EQ(set_power(power_before_), kOk);
        }
        HeapConformance::TearDown();
    }
    Status set_power(uint8_t mode, uint8_t pad = 0) const {
        amdxdna_drm_set_power_mode state{.power_mode = mode};
        state.pad[6] = pad;
        return device.set_state(DRM_AMDXDNA_SET_POWER_MODE, &state, sizeof(state));
    }
    Status set_attribute(uint32_t param, uint8_t value, uint8_t pad = 0) const {
        amdxdna_drm_attribute_state state{.state = value};
        state.pad[0] = pad;
        return device.set_state(param, &state, sizeof(state));
    }
    uint8_t power() const {
        amdxdna_drm_get_power_mode mode{};
        EXPECT_EQ(device.get_info(DRM_AMDXDNA_GET_POWER_MODE, mode), kOk);
        return mode.power_mode;
    }

  private:
    uint8_t power_before_ = 0;
};

constexpr const char* kPower = "aie2_pci.c: aie2_set_power_mode";
constexpr const char* kPreempt = "aie2_pci.c: aie2_set_preempt_state";

TEST_F(SetState, IsRootsAlone) {
    rule("drm_ioctl.c: drm_ioctl_permit",
         "without CAP_SYS_ADMIN it is EACCES, before anything is read");
    EXPECT_EQ(in_child([&] {
                  XDNA_CHILD_CHECK(become_nobody());
                  XDNA_CHILD_CHECK(set_power(POWER_MODE_DEFAULT) == fails_with(EACCES));
                  XDNA_CHILD_CHECK(device.set_state(99, nullptr, 0) == fails_with(EACCES));
                  // Reading is everyone's.
                  amdxdna_drm_get_power_mode mode{};
                  XDNA_CHILD_CHECK(device.get_info(DRM_AMDXDNA_GET_POWER_MODE, mode) == kOk);
                  return 0;
              }),
              0);
}

TEST_F(SetState, ParamMustBeKnown) {
    rule("aie2_pci.c: aie2_set_state",
         "unknown parameters, and writing tiles' memory and registers: EOPNOTSUPP");
    std::array<uint8_t, 64> buffer{};
    for (uint32_t param :
         {uint32_t{DRM_AMDXDNA_WRITE_AIE_MEM}, uint32_t{DRM_AMDXDNA_WRITE_AIE_REG}, 5U, 99U, ~0U}) {
        EXPECT_EQ(device.set_state(param, buffer.data(), buffer.size()), fails_with(EOPNOTSUPP))
            << param;
    }
}

TEST_F(SetState, PowerModesAreKept) {
    rule("aie2_pm.c: aie2_pm_set_mode", "default, low, medium, high: GET_POWER_MODE tells which");
    for (uint8_t mode : {POWER_MODE_LOW, POWER_MODE_MEDIUM, POWER_MODE_HIGH, POWER_MODE_DEFAULT,
                         POWER_MODE_DEFAULT}) {
        EXPECT_EQ(set_power(mode), kOk) << int{mode};
        EXPECT_EQ(power(), mode);
    }
}

TEST_F(SetState, PowerModeMovesTheClock) {
    rule("aie2_pm.c: aie2_pm_set_mode", "the high mode's clock is not below the low mode's");
    auto h_clock = [&] {
        amdxdna_drm_query_clock_metadata clocks{};
        EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_CLOCK_METADATA, clocks), kOk);
        return clocks.h_clock.freq_mhz;
    };
    ASSERT_EQ(set_power(POWER_MODE_LOW), kOk);
    const uint32_t low = h_clock();
    ASSERT_EQ(set_power(POWER_MODE_HIGH), kOk);
    EXPECT_GE(h_clock(), low);
}

TEST_F(SetState, TurboNeedsAnIdleDevice) {
    rule("aie2_pm.c: aie2_pm_set_mode",
         "turbo while a context exists is EINVAL; setting what is set is 0");
    XDNA_NEED(device.contexts().empty(), "another process has contexts");
    Context context;
    ASSERT_EQ(device.create_hwctx(column_tiles(), context), kOk);
    EXPECT_EQ(set_power(POWER_MODE_TURBO), fails_with(EINVAL));
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    EXPECT_EQ(set_power(POWER_MODE_TURBO), kOk);
    EXPECT_EQ(power(), POWER_MODE_TURBO);
    ASSERT_EQ(device.create_hwctx(column_tiles(), context), kOk);
    EXPECT_EQ(set_power(POWER_MODE_TURBO), kOk) << "it is set already";
}

TEST_F(SetState, PowerModeIsChecked) {
    rule(kPower, "a mode above 4, or a pad, is EINVAL; an unreadable buffer EFAULT");
    const uint8_t before = power();
    EXPECT_EQ(set_power(5), fails_with(EINVAL));
    EXPECT_EQ(set_power(255), fails_with(EINVAL));
    EXPECT_EQ(set_power(POWER_MODE_LOW, 1), fails_with(EINVAL));
    Mapping bad = inaccessible_page();
    EXPECT_EQ(device.set_state(DRM_AMDXDNA_SET_POWER_MODE, bad.data(), 8), fails_with(EFAULT));
    EXPECT_EQ(device.set_state(DRM_AMDXDNA_SET_POWER_MODE, nullptr, 8), fails_with(EFAULT));
    EXPECT_EQ(power(), before);
}

TEST_F(SetState, BufferSizeIsNotRead) {
    rule(kPower, "the structure is read whole, whatever buffer_size says");
    XDNA_NEED_CURRENT();
    amdxdna_drm_set_power_mode state{.power_mode = POWER_MODE_LOW};
    EXPECT_EQ(device.set_state(DRM_AMDXDNA_SET_POWER_MODE, &state, 0), kOk);
    EXPECT_EQ(power(), POWER_MODE_LOW);
}

TEST_F(SetState, PreemptionIsChecked) {
    rule(kPreempt, "a state above 1, or a pad, is EINVAL; an unreadable buffer EFAULT");
    XDNA_NEED(target().minor >= 6, "a setting of driver 0.6");
    for (uint32_t param : {DRM_AMDXDNA_SET_FORCE_PREEMPT, DRM_AMDXDNA_SET_FRAME_BOUNDARY_PREEMPT}) {
        EXPECT_EQ(set_attribute(param, 2), fails_with(EINVAL));
        EXPECT_EQ(set_attribute(param, 0, 1), fails_with(EINVAL));
        Mapping bad = inaccessible_page();
        EXPECT_EQ(device.set_state(param, bad.data(), 8), fails_with(EFAULT));
    }
}

TEST_F(SetState, PreemptionReadsBack) {
    rule(kPreempt, "what is set is what GET_INFO gives");
    XDNA_NEED(target().minor >= 6, "a setting of driver 0.6");
    const std::pair<uint32_t, uint32_t> settings[] = {
        {DRM_AMDXDNA_SET_FORCE_PREEMPT, DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE},
        {DRM_AMDXDNA_SET_FRAME_BOUNDARY_PREEMPT, DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE}};
    for (auto [set, get] : settings) {
        amdxdna_drm_attribute_state before{};
        ASSERT_EQ(device.get_info(get, before), kOk);
        for (uint8_t value : {uint8_t{1}, uint8_t{0}, before.state}) {
            Status status = set_attribute(set, value);
            // 7.2 refuses both where there is no preemption.
            if (status == fails_with(EOPNOTSUPP)) {
                break;
            }
            EXPECT_EQ(status, kOk);
            amdxdna_drm_attribute_state now{};
            ASSERT_EQ(device.get_info(get, now), kOk);
            EXPECT_EQ(now.state, value);
        }
    }
}

}  // namespace
}  // namespace xdna::conformance
