// mmap() of the node: offsets, lengths, protections, lifetimes.
#include <sys/stat.h>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class Mmap : public Conformance {
  protected:
    void SetUp() override {
        Conformance::SetUp();
        bo = device.bo(AMDXDNA_BO_SHARE, kSize);
        offset = device.bo_info(bo).map_offset;
    }

    static constexpr uint64_t kSize = 4 * kPage;
    static constexpr int kReadWrite = PROT_READ | PROT_WRITE;
    uint32_t bo = 0;
    uint64_t offset = 0;
    Mapping mapping;
};

constexpr const char* kLookup = "drm_gem.c: drm_gem_object_lookup_at_offset";
constexpr const char* kShmemMmap = "drm_gem_shmem_helper.c: drm_gem_shmem_mmap";

TEST_F(Mmap, MapsTheWholeBo) {
    rule("amdxdna_gem.c: amdxdna_gem_obj_mmap",
         "a shared mapping at the offset is the BO's memory");
    ASSERT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), kOk);
    memset(mapping.data(), 0x3C, kSize);
    Mapping again = device.map_bo(bo, kSize);
    ASSERT_TRUE(again);
    EXPECT_EQ(memcmp(again.data(), mapping.data(), kSize), 0);
}

TEST_F(Mmap, MapsABeginning) {
    rule(kLookup, "a mapping shorter than the BO is its beginning");
    ASSERT_EQ(device.map(offset, kPage, kReadWrite, MAP_SHARED, mapping), kOk);
    mapping.words()[0] = 7;
    Mapping whole = device.map_bo(bo, kSize);
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole.words()[0], 7U);
}

TEST_F(Mmap, MapsLessThanAPage) {
    rule(kLookup, "a length is rounded up to pages, as everywhere");
    ASSERT_EQ(device.map(offset, 100, kReadWrite, MAP_SHARED, mapping), kOk);
    mapping.bytes()[kPage - 1] = 1;
}

TEST_F(Mmap, RefusesMoreThanTheBo) {
    rule(kLookup, "a mapping longer than the BO is EINVAL");
    EXPECT_EQ(device.map(offset, kSize + kPage, kReadWrite, MAP_SHARED, mapping),
              fails_with(EINVAL));
}

TEST_F(Mmap, RefusesAnOffsetInside) {
    rule(kLookup, "the offset must be the BO's own, not one inside it: EINVAL");
    EXPECT_EQ(device.map(offset + kPage, kPage, kReadWrite, MAP_SHARED, mapping),
              fails_with(EINVAL));
}

TEST_F(Mmap, RefusesAnUnknownOffset) {
    rule(kLookup, "an offset of no BO is EINVAL");
    EXPECT_EQ(device.map(offset + (uint64_t{1} << 38), kPage, kReadWrite, MAP_SHARED, mapping),
              fails_with(EINVAL));
}

TEST_F(Mmap, RefusesLowOffsets) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_gem_mmap",
         "offsets below 4 GiB are doorbells: EOPNOTSUPP");
    XDNA_NEED_CURRENT();
    EXPECT_EQ(device.map(0, kPage, kReadWrite, MAP_SHARED, mapping), fails_with(EOPNOTSUPP));
    EXPECT_EQ(device.map((uint64_t{1} << 32) - kPage, kPage, kReadWrite, MAP_SHARED, mapping),
              fails_with(EOPNOTSUPP));
}

TEST_F(Mmap, RefusesUnalignedOffsetsAndNoLength) {
    rule("mm: ksys_mmap_pgoff", "an unaligned offset, or a length of 0, is EINVAL");
    EXPECT_EQ(device.map(offset + 64, kPage, kReadWrite, MAP_SHARED, mapping), fails_with(EINVAL));
    EXPECT_EQ(device.map(offset, 0, kReadWrite, MAP_SHARED, mapping), fails_with(EINVAL));
}

TEST_F(Mmap, RefusesPrivateMappings) {
    rule(kShmemMmap, "MAP_PRIVATE is EINVAL, even for reading");
    XDNA_NEED(!target().carve_out, "a rule of shmem");
    EXPECT_EQ(device.map(offset, kSize, kReadWrite, MAP_PRIVATE, mapping), fails_with(EINVAL));
    EXPECT_EQ(device.map(offset, kSize, PROT_READ, MAP_PRIVATE, mapping), fails_with(EINVAL));
}

TEST_F(Mmap, MayBeReadOnly) {
    rule("amdxdna_gem.c: amdxdna_insert_pages", "a shared read-only mapping is fine");
    Mapping writer = device.map_bo(bo, kSize);
    ASSERT_TRUE(writer);
    writer.words()[3] = 33;
    ASSERT_EQ(device.map(offset, kSize, PROT_READ, MAP_SHARED, mapping), kOk);
    EXPECT_EQ(mapping.words()[3], 33U);
}

TEST_F(Mmap, NeedsAWritableFile) {
    rule("mm: do_mmap", "a writable mapping of a file opened for reading is EACCES");
    RawDevice reader = RawDevice::open(O_RDONLY | O_CLOEXEC);
    ASSERT_TRUE(reader);
    const uint64_t at = reader.bo_info(reader.bo(AMDXDNA_BO_SHARE, kPage)).map_offset;
    ASSERT_NE(at, kInvalidAddress) << "ioctls do not ask for write access";
    EXPECT_EQ(reader.map(at, kPage, kReadWrite, MAP_SHARED, mapping), fails_with(EACCES));
    EXPECT_EQ(reader.map(at, kPage, PROT_READ, MAP_SHARED, mapping), kOk);
}

TEST_F(Mmap, IsForFilesWithAHandle) {
    rule(kLookup, "another file without a handle to the BO gets EACCES");
    RawDevice other = RawDevice::open();
    ASSERT_TRUE(other);
    EXPECT_EQ(other.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), fails_with(EACCES));
}

TEST_F(Mmap, StandsWhereAskedWithFixed) {
    rule("mm: do_mmap", "MAP_FIXED puts the mapping where asked, over what was there");
    Mapping space(mmap(nullptr, 2 * kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                  2 * kSize);
    ASSERT_TRUE(space);
    void* at = mmap(space.bytes() + kSize, kSize, kReadWrite, MAP_SHARED | MAP_FIXED, device.fd(),
                    static_cast<off_t>(offset));
    ASSERT_EQ(at, space.bytes() + kSize);
    static_cast<uint32_t*>(at)[0] = 1;
    if (target().sva()) {
        EXPECT_EQ(device.bo_info(bo).xdna_addr, reinterpret_cast<uint64_t>(at));
    }
}

TEST_F(Mmap, OutlivesTheHandle) {
    rule("drm_gem.c: drm_gem_mmap_obj", "a mapping keeps the memory after GEM_CLOSE");
    ASSERT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), kOk);
    mapping.words()[0] = 1;
    ASSERT_EQ(device.gem_close(bo), kOk);
    EXPECT_EQ(mapping.words()[0], 1U);
    mapping.words()[1] = 2;
    // New BOs do not share it.
    uint32_t other = device.bo(AMDXDNA_BO_SHARE, kSize);
    Mapping fresh = device.map_bo(other, kSize);
    ASSERT_TRUE(fresh);
    EXPECT_EQ(fresh.words()[0], 0U);
    EXPECT_EQ(mapping.words()[1], 2U);
}

TEST_F(Mmap, OffsetGoesWithTheHandle) {
    rule(kLookup,
         "after GEM_CLOSE the offset is good no more: EINVAL, or EACCES while it is mapped");
    ASSERT_EQ(device.gem_close(bo), kOk);
    EXPECT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), fails_with(EINVAL));

    bo = device.bo(AMDXDNA_BO_SHARE, kSize);
    offset = device.bo_info(bo).map_offset;
    ASSERT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), kOk);
    ASSERT_EQ(device.gem_close(bo), kOk);
    Mapping second;
    // A mapping of a carve-out's memory holds its dma-buf, and no longer the BO.
    EXPECT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, second),
              fails_with(target().carve_out ? EINVAL : EACCES));
}

TEST_F(Mmap, OutlivesTheFile) {
    rule("drm_gem.c: drm_gem_mmap_obj", "a mapping keeps the memory after close");
    ASSERT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), kOk);
    mapping.words()[0] = 1;
    device.close();
    EXPECT_EQ(mapping.words()[0], 1U);
    mapping.words()[kSize / 4 - 1] = 2;
    EXPECT_EQ(mapping.words()[kSize / 4 - 1], 2U);
}

TEST_F(Mmap, DoesNotGrow) {
    rule(kShmemMmap, "mappings are VM_DONTEXPAND: a growing mremap is EFAULT");
    XDNA_NEED(!target().carve_out, "a rule of shmem");
    ASSERT_EQ(device.map(offset, kPage, kReadWrite, MAP_SHARED, mapping), kOk);
    EXPECT_EQ(
        Status(mremap(mapping.data(), kPage, 2 * kPage, MREMAP_MAYMOVE) == MAP_FAILED ? -errno : 0),
        fails_with(EFAULT));
}

TEST_F(Mmap, ManyMappingsAtOnce) {
    rule("amdxdna_gem.c: amdxdna_hmm_register", "a BO may be mapped many times at once");
    XDNA_NEED_CURRENT();
    constexpr int kMany = 64;
    std::vector<Mapping> mappings;
    for (int i = 0; i < kMany; i++) {
        mappings.push_back(device.map_bo(bo, kSize));
        ASSERT_TRUE(mappings.back()) << i;
    }
    mappings.front().words()[0] = 9;
    EXPECT_EQ(mappings.back().words()[0], 9U);
}

TEST_F(Mmap, MayBeProtectedAndOpenedAgain) {
    rule("mm: mprotect", "mprotect works on a mapping, and its contents stay");
    ASSERT_EQ(device.map(offset, kSize, kReadWrite, MAP_SHARED, mapping), kOk);
    mapping.words()[0] = 5;
    ASSERT_EQ(mprotect(mapping.data(), kSize, PROT_READ), 0);
    EXPECT_EQ(mapping.words()[0], 5U);
    ASSERT_EQ(mprotect(mapping.data(), kSize, kReadWrite), 0);
    mapping.words()[0] = 6;
    EXPECT_EQ(mapping.words()[0], 6U);
}

using HeapMmap = HeapConformance;

TEST_F(HeapMmap, DevBoHasNoOffset) {
    rule("amdxdna_gem.c: amdxdna_drm_get_bo_info_ioctl",
         "a DEV BO's offset is all-ones: not mappable");
    DevBo bo = dev_bo(kPage);
    ASSERT_EQ(device.bo_info(bo.handle).map_offset, kInvalidAddress);
    Mapping mapping;
    EXPECT_FALSE(device.map(kInvalidAddress, kPage, PROT_READ, MAP_SHARED, mapping).is_ok());
}

TEST_F(HeapMmap, SecondHeapMappingIsTheSameMemory) {
    rule("amdxdna_gem.c: amdxdna_gem_obj_mmap", "the heap may be mapped again, in part, too");
    XDNA_NEED_CURRENT();
    DevBo bo = dev_bo(kPage);
    Mapping again;
    const uint64_t length = bo.address - kHeapAddress + kPage;
    ASSERT_EQ(device.map(device.bo_info(heap).map_offset, length, PROT_READ | PROT_WRITE,
                         MAP_SHARED, again),
              kOk);
    bo.memory[17] = 0x71;
    EXPECT_EQ(again.bytes()[bo.address - kHeapAddress + 17], 0x71);
}

}  // namespace
}  // namespace xdna::conformance
