// SYNC_BO. Its refusals of ordinary BOs come with a kernel warning: warn_test.cpp has those.
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kSync = "amdxdna_gem.c: amdxdna_drm_sync_bo_ioctl";
constexpr const char* kFlush = "amdxdna_gem.c: amdxdna_flush_bo";

class SyncBo : public HeapConformance {
  protected:
    void SetUp() override {
        HeapConformance::SetUp();
        XDNA_NEED(!target().carve_out, "a carve-out refuses to sync anything");
        bo = device.bo(AMDXDNA_BO_SHARE, kSize);
    }
    static constexpr uint64_t kSize = 4 * kPage;
    uint32_t bo = 0;
};

TEST_F(SyncBo, HandleMustExist) {
    rule(kSync, "an unknown handle is ENOENT");
    EXPECT_EQ(device.sync_bo(4242, SYNC_DIRECT_TO_DEVICE, 0, kPage), fails_with(ENOENT));
    EXPECT_EQ(device.sync_bo(0, SYNC_DIRECT_TO_DEVICE, 0, kPage), fails_with(ENOENT));
}

TEST_F(SyncBo, FlushesToTheDevice) {
    rule(kSync, "TO_DEVICE of a whole BO, or a part, is 0, mapped or not");
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 0, kSize), kOk);
    Mapping mapping = device.map_bo(bo, kSize);
    memset(mapping.data(), 0x11, kSize);
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 0, kSize), kOk);
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 100, 1), kOk);
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, kSize - 1, 1), kOk);
    EXPECT_EQ(mapping.bytes()[kSize - 1], 0x11) << "contents stay";
}

TEST_F(SyncBo, ClampsTheSize) {
    rule(kFlush, "a size beyond the end is cut to the BO; a size of 0 does nothing");
    XDNA_NEED_CURRENT();
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, kPage, kSize), kOk);
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 0, uint64_t{1} << 40), kOk);
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 0, 0), kOk);
}

TEST_F(SyncBo, FromDeviceIsForDebugBos) {
    rule("amdxdna_ctx.c: amdxdna_hwctx_sync_debug_bo",
         "FROM_DEVICE of a BO that is no context's debug buffer is EINVAL, after the flush");
    XDNA_NEED_CURRENT();
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_FROM_DEVICE, 0, kSize), fails_with(EINVAL));
    DevBo dev = dev_bo(kPage);
    EXPECT_EQ(device.sync_bo(dev.handle, SYNC_DIRECT_FROM_DEVICE, 0, kPage), fails_with(EINVAL));
}

TEST_F(SyncBo, OtherDirectionsOnlyFlush) {
    rule(kSync, "a direction that is not FROM_DEVICE is taken as TO_DEVICE");
    EXPECT_EQ(device.sync_bo(bo, 7, 0, kSize), kOk);
}

TEST_F(SyncBo, CommandAndHeapBos) {
    rule(kSync, "CMD BOs and the heap flush as any other");
    uint32_t command = device.bo(AMDXDNA_BO_CMD, kPage);
    EXPECT_EQ(device.sync_bo(command, SYNC_DIRECT_TO_DEVICE, 0, kPage), kOk);
    EXPECT_EQ(device.sync_bo(heap, SYNC_DIRECT_TO_DEVICE, 0, kPage), kOk);
}

TEST_F(SyncBo, DevBosFlushTheirPartOfTheHeap) {
    rule(kSync, "a DEV BO's range is flushed in the heap; what lies outside of it is left out");
    XDNA_NEED_CURRENT();
    DevBo dev = dev_bo(kPage);
    EXPECT_EQ(device.sync_bo(dev.handle, SYNC_DIRECT_TO_DEVICE, 0, kPage), kOk);
    EXPECT_EQ(device.sync_bo(dev.handle, SYNC_DIRECT_TO_DEVICE, 16, 16), kOk);
    EXPECT_EQ(device.sync_bo(dev.handle, SYNC_DIRECT_TO_DEVICE, 2 * kHeapSize, kPage), kOk)
        << "past the heap there is nothing to flush";
    EXPECT_EQ(device.sync_bo(dev.handle, SYNC_DIRECT_TO_DEVICE, 0, 2 * kHeapSize), kOk);
}

}  // namespace
}  // namespace xdna::conformance
