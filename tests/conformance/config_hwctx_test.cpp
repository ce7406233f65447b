// CONFIG_HWCTX: CUs, and the firmware's debug buffer.
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kConfig = "amdxdna_ctx.c: amdxdna_drm_config_hwctx_ioctl";
constexpr const char* kCuConfig = "aie2_ctx.c: aie2_hwctx_cu_config";
constexpr const char* kCuMessage = "aie2_message.c: aie2_config_cu";
constexpr const char* kDebug = "aie2_ctx.c: aie2_hwctx_cfg_debug_bo";

class ConfigHwctx : public HeapConformance {
  protected:
    void SetUp() override {
        HeapConformance::SetUp();
        pdi = dev_bo(minimal_pdi());
        ASSERT_NE(pdi.handle, 0U);
        ASSERT_EQ(device.create_hwctx(column_tiles(), context), kOk);
    }

    /// CONFIG_CU of raw 64-bit words: {count and pad, entries...}.
    Status configure(const std::vector<uint64_t>& words, uint32_t size) const {
        return device.config_hwctx(context.handle, DRM_AMDXDNA_HWCTX_CONFIG_CU,
                                   reinterpret_cast<uint64_t>(words.data()), size);
    }
    amdxdna_cu_config cu() const { return {.cu_bo = pdi.handle}; }

    Context context;
    DevBo pdi;
};

TEST_F(ConfigHwctx, TakesACu) {
    rule(kCuConfig, "a DEV BO as CU 0 is taken");
    EXPECT_EQ(device.config_cus(context.handle, {cu()}), kOk);
}

TEST_F(ConfigHwctx, TakesThirtyTwo) {
    rule(kCuMessage, "32 CUs are the most; 33 are EINVAL, and may be tried anew");
    std::vector<amdxdna_cu_config> cus(33, cu());
    EXPECT_EQ(device.config_cus(context.handle, cus), fails_with(EINVAL));
    cus.pop_back();
    for (size_t i = 0; i < cus.size(); i++) {
        cus[i].cu_func = static_cast<uint8_t>(i);
    }
    EXPECT_EQ(device.config_cus(context.handle, cus), kOk);
}

TEST_F(ConfigHwctx, OnlyOnce) {
    rule(kCuConfig, "a second configuration is EINVAL");
    ASSERT_EQ(device.config_cus(context.handle, {cu()}), kOk);
    EXPECT_EQ(device.config_cus(context.handle, {cu()}), fails_with(EINVAL));
}

TEST_F(ConfigHwctx, RefusalMayBeRepaired) {
    rule(kCuConfig, "after a refusal the context takes a right configuration");
    EXPECT_EQ(device.config_cus(context.handle, {{.cu_bo = 4242}}), fails_with(EINVAL));
    EXPECT_EQ(device.config_cus(context.handle, {cu()}), kOk);
}

TEST_F(ConfigHwctx, CuBoMustBeADevBo) {
    rule(kCuMessage, "a CU of an unknown BO, or one that is not of the heap, is EINVAL");
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    for (uint32_t handle : {0U, 4242U, share, heap}) {
        EXPECT_EQ(device.config_cus(context.handle, {{.cu_bo = handle}}), fails_with(EINVAL))
            << handle;
        EXPECT_EQ(device.config_cus(context.handle, {cu(), {.cu_bo = handle}}), fails_with(EINVAL));
    }
}

TEST_F(ConfigHwctx, CountMustNotBeZero) {
    rule(kCuConfig, "no CU is EINVAL");
    EXPECT_EQ(device.config_cus(context.handle, {}), fails_with(EINVAL));
    EXPECT_EQ(configure({0, 0}, 16), fails_with(EINVAL));
}

TEST_F(ConfigHwctx, EntriesMustFitTheSize) {
    rule(kCuConfig, "more entries than param_val_size holds is EINVAL");
    std::vector<uint64_t> words(8);
    words[0] = 2;
    words[1] = words[2] = pdi.handle;
    EXPECT_EQ(configure(words, 8), fails_with(EINVAL));
    EXPECT_EQ(configure(words, 16), fails_with(EINVAL));
    EXPECT_EQ(configure(words, 23), fails_with(EINVAL));
    EXPECT_EQ(configure(words, 24), kOk);
}

TEST_F(ConfigHwctx, SizeZeroReadsNothing) {
    rule(kConfig, "a size of 0 is no CU, wherever the pointer points: EINVAL");
    EXPECT_EQ(device.config_hwctx(context.handle, DRM_AMDXDNA_HWCTX_CONFIG_CU, 0, 0),
              fails_with(EINVAL));
}

TEST_F(ConfigHwctx, PadsMustBeZero) {
    rule(kCuConfig, "a pad other than 0, in any of the three structures, is EINVAL");
    EXPECT_EQ(configure({1 | uint64_t{1} << 16, pdi.handle}, 16), fails_with(EINVAL));
    EXPECT_EQ(configure({1 | uint64_t{1} << 63, pdi.handle}, 16), fails_with(EINVAL));
    EXPECT_EQ(configure({1, pdi.handle | uint64_t{1} << 40}, 16), fails_with(EINVAL));
    EXPECT_EQ(configure({1, pdi.handle | uint64_t{1} << 56}, 16), fails_with(EINVAL));
    std::array<uint64_t, 2> good{1, pdi.handle};
    amdxdna_drm_config_hwctx args{.handle = context.handle,
                                  .param_type = DRM_AMDXDNA_HWCTX_CONFIG_CU,
                                  .param_val = reinterpret_cast<uint64_t>(good.data()),
                                  .param_val_size = sizeof(good),
                                  .pad = 1};
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, args), fails_with(EINVAL));
    args.pad = 0;
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, args), kOk);
}

TEST_F(ConfigHwctx, SizeIsAPageAtMost) {
    rule(kConfig, "a size above 4096 is E2BIG; 4096 is fine");
    std::vector<uint64_t> words(kPage / sizeof(uint64_t) + 1);
    words[0] = 1;
    words[1] = pdi.handle;
    EXPECT_EQ(configure(words, kPage + 1), fails_with(E2BIG));
    EXPECT_EQ(configure(words, ~0U), fails_with(E2BIG));
    EXPECT_EQ(configure(words, kPage), kOk);
}

TEST_F(ConfigHwctx, PointerMustBeReadable) {
    rule(kConfig, "an unreadable configuration is EFAULT, even of an unknown context");
    Mapping bad = inaccessible_page();
    EXPECT_EQ(device.config_hwctx(context.handle, DRM_AMDXDNA_HWCTX_CONFIG_CU, bad.address(), 16),
              fails_with(EFAULT));
    EXPECT_EQ(device.config_hwctx(200, DRM_AMDXDNA_HWCTX_CONFIG_CU, bad.address(), 16),
              fails_with(EFAULT));
    EXPECT_EQ(device.config_hwctx(context.handle, DRM_AMDXDNA_HWCTX_CONFIG_CU, 0, 16),
              fails_with(EFAULT));
}

TEST_F(ConfigHwctx, ContextMustExist) {
    rule(kConfig, "an unknown context is EINVAL");
    EXPECT_EQ(device.config_cus(200, {cu()}), fails_with(EINVAL));
    EXPECT_EQ(device.config_cus(0, {cu()}), fails_with(EINVAL));
}

TEST_F(ConfigHwctx, TypeMustBeKnown) {
    rule(kConfig, "a parameter type above 2 is EINVAL");
    for (uint32_t type : {3U, 4U, ~0U}) {
        EXPECT_EQ(device.config_hwctx(context.handle, type, 0, 0), fails_with(EINVAL)) << type;
    }
}

TEST_F(ConfigHwctx, PdiIsNotLookedAt) {
    rule(kCuMessage, "the driver sends the PDI's address unread: a bad PDI is taken here");
    DevBo bad = dev_bo(bad_pdi());
    EXPECT_EQ(device.config_cus(context.handle, {{.cu_bo = bad.handle}}), kOk);
}

// ---- the debug buffer

class DebugBo : public ConfigHwctx {
  protected:
    void SetUp() override {
        ConfigHwctx::SetUp();
        XDNA_NEED(target().minor >= 3, "this driver has no debug buffers");
        bo = dev_bo(kPage);
        ASSERT_NE(bo.handle, 0U);
    }
    Status assign(uint32_t on, uint32_t handle) const {
        return device.config_hwctx(on, DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF, handle, 0);
    }
    Status remove(uint32_t on, uint32_t handle) const {
        return device.config_hwctx(on, DRM_AMDXDNA_HWCTX_REMOVE_DBG_BUF, handle, 0);
    }
    DevBo bo;
};

TEST_F(DebugBo, MustBeADevBo) {
    rule(kDebug, "a debug buffer that is no DEV BO is EINVAL");
    uint32_t share = device.bo(AMDXDNA_BO_SHARE, kPage);
    for (uint32_t handle : {0U, 4242U, share, heap}) {
        EXPECT_EQ(assign(context.handle, handle), fails_with(EINVAL)) << handle;
        EXPECT_EQ(remove(context.handle, handle), fails_with(EINVAL)) << handle;
    }
}

TEST_F(DebugBo, ContextMustExist) {
    rule(kConfig, "an unknown context is EINVAL");
    EXPECT_EQ(assign(200, bo.handle), fails_with(EINVAL));
}

TEST_F(DebugBo, RemoveNeedsAssign) {
    rule(kDebug, "removing a buffer that was not assigned to this context is EINVAL");
    EXPECT_EQ(remove(context.handle, bo.handle), fails_with(EINVAL));
}

TEST_F(DebugBo, IsAssignedOnce) {
    rule(kDebug, "an assigned buffer is EBUSY for any context until it is removed");
    Status status = assign(context.handle, bo.handle);
    XDNA_NEED(status != fails_with(EINVAL), "this firmware takes no debug buffer");
    ASSERT_EQ(status, kOk);
    EXPECT_EQ(assign(context.handle, bo.handle), fails_with(EBUSY));
    Context other;
    ASSERT_EQ(device.create_hwctx(column_tiles(), other), kOk);
    EXPECT_EQ(assign(other.handle, bo.handle), fails_with(EBUSY));
    EXPECT_EQ(remove(other.handle, bo.handle), fails_with(EINVAL));
    EXPECT_EQ(remove(context.handle, bo.handle), kOk);
    EXPECT_EQ(remove(context.handle, bo.handle), fails_with(EINVAL));
    EXPECT_EQ(assign(other.handle, bo.handle), kOk);
}

TEST_F(DebugBo, SyncsFromTheDevice) {
    rule("aie2_ctx.c: aie2_hwctx_sync_debug_bo",
         "SYNC_BO FROM_DEVICE of an assigned buffer asks the firmware");
    XDNA_NEED(!target().carve_out, "a carve-out refuses to sync anything");
    Status status = assign(context.handle, bo.handle);
    XDNA_NEED(status != fails_with(EINVAL), "this firmware takes no debug buffer");
    ASSERT_EQ(status, kOk);
    EXPECT_EQ(device.sync_bo(bo.handle, SYNC_DIRECT_FROM_DEVICE, 0, kPage), kOk);
    ASSERT_EQ(remove(context.handle, bo.handle), kOk);
    EXPECT_EQ(device.sync_bo(bo.handle, SYNC_DIRECT_FROM_DEVICE, 0, kPage), fails_with(EINVAL));
}

TEST_F(DebugBo, AssignmentOutlivesTheContext) {
    rule(kDebug, "destroying the context does not take its buffer back: EBUSY for the next");
    Status status = assign(context.handle, bo.handle);
    XDNA_NEED(status != fails_with(EINVAL), "this firmware takes no debug buffer");
    ASSERT_EQ(status, kOk);
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    Context other;
    ASSERT_EQ(device.create_hwctx(column_tiles(), other), kOk);
    EXPECT_EQ(assign(other.handle, bo.handle), fails_with(EBUSY));
}

TEST_F(DebugBo, TakesASequenceNumber) {
    rule("aie2_ctx.c: aie2_cmd_submit",
         "assigning goes through the queue: it is command 0 of the context");
    Status status = assign(context.handle, bo.handle);
    XDNA_NEED(status != fails_with(EINVAL), "this firmware takes no debug buffer");
    ASSERT_EQ(status, kOk);
    ASSERT_EQ(device.config_cus(context.handle, {cu()}), kOk);
    DevBo code = dev_bo(empty_transaction());
    Command command = this->command(start_npu(code.address, 16));
    uint64_t sequence = 99;
    EXPECT_EQ(run(context, command, {}, &sequence), State::kCompleted);
    EXPECT_EQ(sequence, 1U);
}

}  // namespace
}  // namespace xdna::conformance
