// GEM_CLOSE.
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using GemClose = Conformance;
using GemCloseHeap = HeapConformance;

constexpr const char* kDelete = "drm_gem.c: drm_gem_handle_delete";

TEST_F(GemClose, HandleMustExist) {
    rule(kDelete, "closing an unknown handle, or one twice, is EINVAL");
    EXPECT_EQ(device.gem_close(0), fails_with(EINVAL));
    EXPECT_EQ(device.gem_close(77), fails_with(EINVAL));
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(device.gem_close(handle), kOk);
    EXPECT_EQ(device.gem_close(handle), fails_with(EINVAL));
}

TEST_F(GemClose, PadIsIgnored) {
    rule("drm_gem.c: drm_gem_close_ioctl", "the pad is not looked at");
    drm_gem_close args{.handle = device.bo(AMDXDNA_BO_SHARE, kPage), .pad = 5};
    EXPECT_EQ(device.call(DRM_IOCTL_GEM_CLOSE, args), kOk);
}

TEST_F(GemClose, AnyOrder) {
    rule(kDelete, "BOs close in any order");
    std::vector<uint32_t> handles;
    for (int i = 0; i < 10; i++) {
        handles.push_back(device.bo(AMDXDNA_BO_SHARE, kPage));
    }
    for (size_t i : {5U, 0U, 9U, 3U, 7U, 1U, 8U, 2U, 6U, 4U}) {
        EXPECT_EQ(device.gem_close(handles[i]), kOk);
    }
}

TEST_F(GemCloseHeap, DevBoAfterTheHeap) {
    rule("amdxdna_gem.c: amdxdna_gem_heap_alloc", "a DEV BO holds the heap; either closes first");
    DevBo bo = dev_bo(kPage);
    ASSERT_EQ(device.gem_close(heap), kOk);
    bo.memory[0] = 1;
    EXPECT_EQ(device.bo_info(bo.handle).xdna_addr, bo.address);
    EXPECT_EQ(device.gem_close(bo.handle), kOk);
}

}  // namespace
}  // namespace xdna::conformance
