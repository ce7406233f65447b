// Calls whose refusal a real kernel also reports with a backtrace (drm_WARN). Harmless, but they
// taint its log: leave them out with --gtest_filter=-Warn*.
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

constexpr const char* kFlush = "amdxdna_gem.c: amdxdna_flush_bo";

class WarnSyncBo : public Conformance {
  protected:
    void SetUp() override {
        Conformance::SetUp();
        XDNA_NEED_CURRENT();
        bo = device.bo(AMDXDNA_BO_SHARE, kSize);
    }
    static constexpr uint64_t kSize = 2 * kPage;
    uint32_t bo = 0;
};

TEST_F(WarnSyncBo, OffsetMustBeInside) {
    rule(kFlush, "an offset at or beyond the end is EINVAL");
    XDNA_NEED(!target().carve_out, "a carve-out refuses to sync anything");
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, kSize, 1), fails_with(EINVAL));
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, kSize, 0), fails_with(EINVAL));
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, ~uint64_t{0}, 1), fails_with(EINVAL));
}

TEST_F(WarnSyncBo, RangeMustNotWrap) {
    rule(kFlush, "offset + size beyond 64 bits is EINVAL");
    XDNA_NEED(!target().carve_out, "a carve-out refuses to sync anything");
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, kPage, ~uint64_t{0}), fails_with(EINVAL));
}

TEST_F(WarnSyncBo, FromDeviceDoesNotReachTheDebugPath) {
    rule("amdxdna_gem.c: amdxdna_drm_sync_bo_ioctl",
         "a failed flush ends the call in either direction");
    XDNA_NEED(!target().carve_out, "a carve-out refuses to sync anything");
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_FROM_DEVICE, kSize, 1), fails_with(EINVAL));
}

TEST_F(WarnSyncBo, ImportsAreNotSupported) {
    rule(kFlush, "a BO imported from a dma-buf is EOPNOTSUPP");
    int fd = -1;
    ASSERT_EQ(device.export_fd(bo, DRM_CLOEXEC | DRM_RDWR, fd), kOk);
    RawDevice dma_buf(fd);
    RawDevice other = RawDevice::open();
    uint32_t handle = 0;
    Status imported = other.import_fd(fd, handle);
    XDNA_NEED(!target().iova() || imported != fails_with(EOPNOTSUPP), "no pages behind it");
    ASSERT_EQ(imported, kOk);
    EXPECT_EQ(other.sync_bo(handle, SYNC_DIRECT_TO_DEVICE, 0, kSize), fails_with(EOPNOTSUPP));
    EXPECT_EQ(device.sync_bo(bo, SYNC_DIRECT_TO_DEVICE, 0, kSize),
              target().carve_out ? fails_with(EOPNOTSUPP) : kOk)
        << "the exporter's side is no import";
}

TEST_F(WarnSyncBo, UserMemoryIsNotSupported) {
    rule(kFlush, "a BO of user memory is EOPNOTSUPP");
    XDNA_NEED(!target().carve_out, "a carve-out needs contiguous memory, which this may not be");
    Mapping memory(mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                   kPage);
    uint32_t handle = 0;
    ASSERT_EQ(device.import_user({{memory.address(), kPage}}, handle), kOk);
    EXPECT_EQ(device.sync_bo(handle, SYNC_DIRECT_TO_DEVICE, 0, kPage), fails_with(EOPNOTSUPP));
}

}  // namespace
}  // namespace xdna::conformance
