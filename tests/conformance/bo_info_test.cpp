// GET_BO_INFO, and how the addresses it gives come and go with mappings.
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using BoInfo = Conformance;

constexpr const char* kInfo = "amdxdna_gem.c: amdxdna_drm_get_bo_info_ioctl";

TEST_F(BoInfo, ReservedFieldsMustBeZero) {
    rule(kInfo, "ext, ext_flags or pad other than 0 are EINVAL");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_GET_BO_INFO,
                          amdxdna_drm_get_bo_info{.ext = 1, .handle = handle}),
              fails_with(EINVAL));
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_GET_BO_INFO,
                          amdxdna_drm_get_bo_info{.ext_flags = 1, .handle = handle}),
              fails_with(EINVAL));
    XDNA_NEED_CURRENT();
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_GET_BO_INFO,
                          amdxdna_drm_get_bo_info{.handle = handle, .pad = 1}),
              fails_with(EINVAL));
}

TEST_F(BoInfo, HandleMustExist) {
    rule(kInfo, "an unknown handle is ENOENT");
    amdxdna_drm_get_bo_info info{};
    for (uint32_t handle : {0U, 1U, 12345U, ~0U}) {
        EXPECT_EQ(device.bo_info(handle, info), fails_with(ENOENT)) << handle;
    }
    uint32_t closed = device.bo(AMDXDNA_BO_SHARE, kPage);
    ASSERT_EQ(device.gem_close(closed), kOk);
    EXPECT_EQ(device.bo_info(closed, info), fails_with(ENOENT));
}

TEST_F(BoInfo, ReservedFieldsAreCheckedFirst) {
    rule(kInfo, "reserved fields are looked at before the handle");
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_GET_BO_INFO,
                          amdxdna_drm_get_bo_info{.ext = 1, .handle = 4242}),
              fails_with(EINVAL));
}

TEST_F(BoInfo, MapOffsetsAreDistinct) {
    rule("drm_gem.c: drm_gem_create_mmap_offset", "each BO has a page-aligned offset of its own");
    uint32_t first = device.bo(AMDXDNA_BO_SHARE, 4 * kPage);
    uint32_t second = device.bo(AMDXDNA_BO_CMD, kPage);
    const uint64_t one = device.bo_info(first).map_offset;
    const uint64_t two = device.bo_info(second).map_offset;
    EXPECT_EQ(one % kPage, 0U);
    EXPECT_EQ(two % kPage, 0U);
    EXPECT_TRUE(one + 4 * kPage <= two || two + kPage <= one) << one << " " << two;
    // DRM_FILE_PAGE_OFFSET_START: everything below is not a BO.
    EXPECT_GE(one, uint64_t{1} << 32);
    EXPECT_GE(two, uint64_t{1} << 32);
}

TEST_F(BoInfo, OffsetIsStable) {
    rule(kInfo, "asking twice gives the same offset");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(device.bo_info(handle).map_offset, device.bo_info(handle).map_offset);
}

TEST_F(BoInfo, UnmappedBoHasNoAddressInSva) {
    rule("amdxdna_gem.h: amdxdna_obj_dma_addr", "SVA: both addresses are all-ones before mmap");
    XDNA_NEED(target().sva(), "IOVA mode has an address from the start");
    for (uint32_t type : {AMDXDNA_BO_SHARE, AMDXDNA_BO_CMD}) {
        auto info = device.bo_info(device.bo(type, kPage));
        EXPECT_EQ(info.vaddr, kInvalidAddress);
        EXPECT_EQ(info.xdna_addr, kInvalidAddress);
    }
}

TEST_F(BoInfo, MappedBoHasTheProcessAddressInSva) {
    rule("amdxdna_gem.c: amdxdna_hmm_register", "SVA: both addresses are the first mapping's");
    XDNA_NEED(target().sva(), "IOVA mode has an address of its own");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, 2 * kPage);
    Mapping mapping = device.map_bo(handle, 2 * kPage);
    ASSERT_TRUE(mapping);
    auto info = device.bo_info(handle);
    EXPECT_EQ(info.vaddr, mapping.address());
    EXPECT_EQ(info.xdna_addr, mapping.address());
}

TEST_F(BoInfo, SecondMappingChangesNothingInSva) {
    rule("amdxdna_gem.c: amdxdna_umap_release",
         "SVA: the first mapping's address stays until the last mapping has gone");
    XDNA_NEED(target().sva(), "a rule of SVA");
    XDNA_NEED_CURRENT();
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    Mapping first = device.map_bo(handle, kPage);
    Mapping second = device.map_bo(handle, kPage);
    ASSERT_TRUE(first && second);
    const uint64_t address = first.address();
    EXPECT_EQ(device.bo_info(handle).xdna_addr, address);
    second.reset();
    EXPECT_EQ(device.bo_info(handle).xdna_addr, address);
    second = device.map_bo(handle, kPage);
    // Not a slip: the driver keeps the first address although nothing is there any more.
    first.reset();
    EXPECT_EQ(device.bo_info(handle).xdna_addr, address);
    second.reset();
    EXPECT_TRUE(eventually([&] { return device.bo_info(handle).xdna_addr == kInvalidAddress; }));
}

TEST_F(BoInfo, AddressGoesWithTheMappingInSva) {
    rule("amdxdna_gem.c: amdxdna_umap_release",
         "SVA: after the last munmap both are all-ones again");
    XDNA_NEED(target().sva(), "a rule of SVA");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    Mapping mapping = device.map_bo(handle, kPage);
    ASSERT_TRUE(mapping);
    mapping.reset();
    EXPECT_TRUE(eventually([&] {
        auto info = device.bo_info(handle);
        return info.vaddr == kInvalidAddress && info.xdna_addr == kInvalidAddress;
    }));
    Mapping again = device.map_bo(handle, kPage);
    ASSERT_TRUE(again);
    EXPECT_EQ(device.bo_info(handle).xdna_addr, again.address());
}

TEST_F(BoInfo, PartialUnmapForgetsTheAddressInSva) {
    rule("amdxdna_gem.c: amdxdna_hmm_invalidate", "SVA: unmapping any part ends the whole mapping");
    XDNA_NEED(target().sva(), "a rule of SVA");
    XDNA_NEED_CURRENT();
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, 4 * kPage);
    Mapping mapping = device.map_bo(handle, 4 * kPage);
    ASSERT_TRUE(mapping);
    ASSERT_EQ(munmap(mapping.bytes() + 3 * kPage, kPage), 0);
    EXPECT_TRUE(eventually([&] { return device.bo_info(handle).xdna_addr == kInvalidAddress; }));
    mapping.words()[0] = 1;
    EXPECT_EQ(mapping.words()[0], 1U) << "the rest is still the BO";
}

TEST_F(BoInfo, AddressIsTheDriversInIova) {
    rule("amdxdna_iommu.c: amdxdna_dma_map_bo",
         "IOVA: the address is there from creation, for good");
    XDNA_NEED(target().iova(), "a rule of IOVA mode");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    const uint64_t address = device.bo_info(handle).xdna_addr;
    EXPECT_NE(address, kInvalidAddress);
    EXPECT_EQ(device.bo_info(handle).vaddr, kInvalidAddress);
    Mapping mapping = device.map_bo(handle, kPage);
    ASSERT_TRUE(mapping);
    EXPECT_EQ(device.bo_info(handle).xdna_addr, address);
    EXPECT_EQ(device.bo_info(handle).vaddr, mapping.address());
    Mapping second = device.map_bo(handle, kPage);
    EXPECT_EQ(device.bo_info(handle).vaddr, second.address()) << "the newest mapping";
    mapping.reset();
    second.reset();
    EXPECT_EQ(device.bo_info(handle).xdna_addr, address);
}

TEST_F(BoInfo, AddressesDoNotOverlapInIova) {
    rule("amdxdna_iommu.c: amdxdna_dma_map_bo", "IOVA: BOs at once have disjoint addresses");
    XDNA_NEED(target().iova(), "a rule of IOVA mode");
    constexpr uint64_t kSize = 16 * kPage;
    std::vector<uint64_t> addresses;
    for (int i = 0; i < 8; i++) {
        addresses.push_back(device.bo_info(device.bo(AMDXDNA_BO_SHARE, kSize)).xdna_addr);
        for (size_t j = 0; j + 1 < addresses.size(); j++) {
            EXPECT_TRUE(addresses.back() + kSize <= addresses[j] ||
                        addresses[j] + kSize <= addresses.back());
        }
    }
}

}  // namespace
}  // namespace xdna::conformance
