// CREATE_BO: types, flags, sizes, the device heap and what is cut from it.
#include <limits>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using CreateBo = Conformance;
using DeviceHeap = HeapConformance;

constexpr const char* kCreate = "amdxdna_gem.c: amdxdna_drm_create_bo_ioctl";
constexpr const char* kHeap = "amdxdna_gem.c: amdxdna_drm_create_dev_heap_bo";
constexpr const char* kDev = "amdxdna_gem.c: amdxdna_gem_heap_alloc";

int no_size_error() {
    return target().carve_out || target().minor < 1 ? EINVAL : ENOSPC;
}

TEST_F(CreateBo, FlagsMustBeZero) {
    rule(kCreate, "any flag is EINVAL");
    for (unsigned bit : {0U, 1U, 31U, 32U, 63U}) {
        amdxdna_drm_create_bo args{
            .flags = uint64_t{1} << bit, .size = kPage, .type = AMDXDNA_BO_SHARE};
        EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_BO, args), fails_with(EINVAL))
            << "bit " << bit;
    }
}

TEST_F(CreateBo, TypeMustBeKnown) {
    rule(kCreate, "a type other than 1 to 4 is EINVAL");
    uint32_t handle = 0;
    for (uint32_t type : {0U, 5U, 6U, 0x101U, ~0U}) {
        EXPECT_EQ(device.create_bo(type, kPage, handle), fails_with(EINVAL)) << "type " << type;
    }
}

TEST_F(CreateBo, HandlesCountFromOneAndAreReused) {
    rule("drm_gem.c: drm_gem_handle_create_tail", "a handle is the lowest free number from 1");
    EXPECT_EQ(device.bo(AMDXDNA_BO_SHARE, kPage), 1U);
    EXPECT_EQ(device.bo(AMDXDNA_BO_CMD, kPage), 2U);
    EXPECT_EQ(device.bo(AMDXDNA_BO_SHARE, kPage), 3U);
    ASSERT_EQ(device.gem_close(2), kOk);
    EXPECT_EQ(device.bo(AMDXDNA_BO_SHARE, kPage), 2U);
}

TEST_F(CreateBo, FailureLeavesNoHandle) {
    rule(kCreate, "a BO that could not be made takes no handle");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, kPage, handle),
              fails_with(target().current() ? EAGAIN : EINVAL));
    EXPECT_EQ(device.bo(AMDXDNA_BO_SHARE, kPage), 1U);
}

TEST_F(CreateBo, SizeIsRoundedUpToPages) {
    rule("drm_gem_shmem_helper.c: __drm_gem_shmem_create", "one byte makes a page");
    for (uint32_t type : {AMDXDNA_BO_SHARE, AMDXDNA_BO_CMD}) {
        uint32_t handle = device.bo(type, kPage + 1);
        ASSERT_NE(handle, 0U);
        const uint64_t offset = device.bo_info(handle).map_offset;
        Mapping mapping;
        EXPECT_EQ(device.map(offset, 2 * kPage, PROT_READ, MAP_SHARED, mapping), kOk);
        EXPECT_EQ(device.map(offset, 3 * kPage, PROT_READ, MAP_SHARED, mapping),
                  fails_with(EINVAL));
    }
}

TEST_F(CreateBo, SizeZeroIsRefused) {
    rule("drm_gem.c: drm_gem_create_mmap_offset_size", "no map offset for nothing: ENOSPC");
    uint32_t handle = 0;
    // A carve-out, and 6.14, check the size themselves (amdxdna_gem_create_cbuf_object).
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_SHARE, 0, handle), fails_with(no_size_error()));
}

TEST_F(CreateBo, SizesThatWrapAreRefused) {
    rule("drm_gem.c: drm_gem_create_mmap_offset_size", "a size that page-rounds to 0 is as 0");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_SHARE, ~uint64_t{0}, handle),
              fails_with(no_size_error()));
}

TEST_F(CreateBo, HugeSizesAreRefused) {
    rule("drm_gem.c: drm_gem_create_mmap_offset_size", "beyond the 1 TiB of map offsets: ENOSPC");
    XDNA_NEED(!target().carve_out, "a carve-out refuses with its own errors");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_SHARE, uint64_t{1} << 60, handle), fails_with(ENOSPC));
}

TEST_F(CreateBo, CommandBosMayBeLarge) {
    rule("amdxdna_gem.c: amdxdna_drm_create_share_bo", "a CMD BO is a SHARE BO: no size cap");
    XDNA_NEED_CURRENT();
    constexpr uint64_t kLarge = 1 << 20;
    uint32_t handle = device.bo(AMDXDNA_BO_CMD, kLarge);
    ASSERT_NE(handle, 0U);
    EXPECT_TRUE(device.map_bo(handle, kLarge));
}

TEST_F(CreateBo, MemoryStartsAsZeros) {
    rule("drm_gem_shmem_helper.c: drm_gem_shmem_create", "a new BO reads as zeros");
    constexpr uint64_t kSize = 16 * kPage;
    for (int round = 0; round < 2; round++) {
        uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kSize);
        Mapping mapping = device.map_bo(handle, kSize);
        ASSERT_TRUE(mapping);
        for (uint64_t i = 0; i < kSize; i++) {
            ASSERT_EQ(mapping.bytes()[i], 0) << "byte " << i << " of round " << round;
        }
        memset(mapping.data(), 0xA5, kSize);
        ASSERT_EQ(device.gem_close(handle), kOk);
    }
}

TEST_F(CreateBo, ManyBosAtOnce) {
    rule(kCreate, "a file may hold hundreds of BOs");
    constexpr uint32_t kMany = 512;
    for (uint32_t i = 1; i <= kMany; i++) {
        ASSERT_EQ(device.bo(AMDXDNA_BO_SHARE, kPage), i);
    }
}

// ---- the heap

TEST_F(CreateBo, HeapSizeIsAMultipleOf64MiB) {
    rule(kHeap, "a heap of no, or not a multiple of 64 MiB is EINVAL");
    XDNA_NEED_CURRENT();
    uint32_t handle = 0;
    for (uint64_t size : {uint64_t{0}, kPage, kHeapSize - kPage, kHeapSize - 1, kHeapSize + 1,
                          kHeapSize + kPage, kHeapSize / 2}) {
        EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, size, handle), fails_with(EINVAL))
            << "size " << size;
    }
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, handle), kOk)
        << "after the refusals a right one is taken";
}

TEST_F(CreateBo, HeapOfTwoChunksIsTooLarge) {
    rule(kHeap, "more than npu1's 64 MiB is ENOSPC");
    XDNA_NEED_CURRENT();
    XDNA_NEED(target().npu1, "npu1's limit");
    XDNA_NEED(!target().carve_out, "a carve-out may run out first");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, 2 * kHeapSize, handle), fails_with(ENOSPC));
}

TEST_F(DeviceHeap, IsOneAFile) {
    rule(kHeap, "a second heap exceeds npu1's maximum: ENOSPC");
    XDNA_NEED(target().npu1, "npu1's limit");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, handle),
              fails_with(target().current() ? ENOSPC : EBUSY));
}

TEST_F(DeviceHeap, IsEachFilesOwn) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_open", "each open file has a heap of its own");
    RawDevice other = RawDevice::open();
    uint32_t handle = 0;
    EXPECT_EQ(other.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, handle), kOk);
    EXPECT_EQ(other.bo_info(handle).xdna_addr, kHeapAddress);
}

TEST_F(DeviceHeap, StandsAtItsAddress) {
    rule("amdxdna_gem.c: amdxdna_gem_dev_addr", "the heap's NPU address is 0x4000000");
    EXPECT_EQ(device.bo_info(heap).xdna_addr, kHeapAddress);
    EXPECT_EQ(device.bo_info(heap).vaddr, heap_memory.address());
}

TEST_F(DeviceHeap, OutlivesItsHandle) {
    rule(kHeap, "the file keeps the heap when its handle is closed");
    XDNA_NEED_CURRENT();
    ASSERT_EQ(device.gem_close(heap), kOk);
    EXPECT_NE(dev_bo(kPage).handle, 0U);
    uint32_t handle = 0;
    XDNA_NEED(target().npu1, "npu1's limit");
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, handle), fails_with(ENOSPC));
}

TEST_F(CreateBo, DevNeedsAHeap) {
    rule("amdxdna_gem.c: amdxdna_init_dev_bo", "a DEV BO without a heap is EAGAIN");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, kPage, handle),
              fails_with(target().current() ? EAGAIN : EINVAL));
}

TEST_F(CreateBo, DevNeedsAMappedHeap) {
    rule("amdxdna_gem.c: amdxdna_init_dev_bo", "a DEV BO before the heap's mmap is EAGAIN");
    uint32_t handle = 0;
    ASSERT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, handle), kOk);
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, kPage, handle),
              fails_with(target().current() ? EAGAIN : EINVAL));
}

TEST_F(DeviceHeap, UnmappingItMakesDevBosWait) {
    rule("amdxdna_gem.c: amdxdna_umap_release", "SVA: with the heap's mapping goes its address");
    XDNA_NEED(target().sva(), "only SVA forgets a mapping");
    heap_memory.reset();
    uint32_t handle = 0;
    EXPECT_TRUE(eventually(
        [&] { return device.create_bo(AMDXDNA_BO_DEV, kPage, handle) == fails_with(EAGAIN); }));
    heap_memory = map_heap(device, heap);
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, kPage, handle), kOk);
}

TEST_F(DeviceHeap, DevSizeZeroIsInvalid) {
    rule("amdxdna_gem.c: amdxdna_drm_create_dev_bo", "a DEV BO of 0 bytes is EINVAL");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, 0, handle), fails_with(EINVAL));
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, ~uint64_t{0}, handle), fails_with(EINVAL))
        << "rounds to 0";
}

TEST_F(DeviceHeap, DevLargerThanTheDeviceIsInvalid) {
    rule(kDev, "a DEV BO beyond the device's maximum heap is EINVAL");
    XDNA_NEED(target().npu1, "npu1's limit");
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, kHeapSize + 1, handle), fails_with(EINVAL));
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, uint64_t{1} << 40, handle), fails_with(EINVAL));
}

TEST_F(DeviceHeap, DevMayTakeAllOfIt) {
    rule(kDev, "one DEV BO may be the whole heap; the next is ENOSPC");
    XDNA_NEED(target().npu1, "npu1's limit");
    DevBo all = dev_bo(kHeapSize);
    ASSERT_NE(all.handle, 0U);
    EXPECT_EQ(all.address, kHeapAddress);
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, 1, handle), fails_with(ENOSPC));
    ASSERT_EQ(device.gem_close(all.handle), kOk);
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, 1, handle), kOk);
}

TEST_F(DeviceHeap, DevBosAreAligned) {
    rule(kDev, "DEV BOs start at multiples of 32 KiB, inside the heap, without overlap");
    constexpr uint64_t kSizes[] = {1, kPage, 40'000, 32 << 10, 100'000, 3};
    uint64_t end = kHeapAddress;
    for (uint64_t size : kSizes) {
        DevBo bo = dev_bo(size);
        ASSERT_NE(bo.handle, 0U);
        EXPECT_EQ(bo.address % kDevBoAlignment, 0U);
        EXPECT_GE(bo.address, end);
        end = bo.address + size;
        EXPECT_LE(end, kHeapAddress + kHeapSize);
    }
}

TEST_F(DeviceHeap, DevBosRunOut) {
    rule(kDev, "64 MiB hold 2048 small DEV BOs; the next is ENOSPC, and a freed slot serves again");
    XDNA_NEED(target().npu1, "npu1's limit");
    std::vector<uint32_t> handles;
    constexpr size_t kSlots = kHeapSize / kDevBoAlignment;
    for (size_t i = 0; i < kSlots; i++) {
        handles.push_back(device.bo(AMDXDNA_BO_DEV, kPage));
        ASSERT_NE(handles.back(), 0U) << "slot " << i;
    }
    uint32_t handle = 0;
    EXPECT_EQ(device.create_bo(AMDXDNA_BO_DEV, kPage, handle), fails_with(ENOSPC));
    const uint64_t freed = device.bo_info(handles[1000]).xdna_addr;
    ASSERT_EQ(device.gem_close(handles[1000]), kOk);
    EXPECT_EQ(dev_bo(kPage).address, freed);
}

TEST_F(DeviceHeap, DevBosAreTheHeapsMemory) {
    rule("amdxdna_gem.c: amdxdna_init_dev_bo",
         "a DEV BO's address is the heap mapping plus offset");
    DevBo first = dev_bo(kPage);
    DevBo second = dev_bo(kPage);
    for (const DevBo& bo : {first, second}) {
        auto info = device.bo_info(bo.handle);
        EXPECT_EQ(info.vaddr, heap_memory.address() + (info.xdna_addr - kHeapAddress));
        EXPECT_EQ(info.map_offset, kInvalidAddress);
    }
    EXPECT_NE(first.address, second.address);
}

TEST_F(DeviceHeap, DevBosAreNotCleared) {
    rule("amdxdna_gem.c: amdxdna_gem_heap_alloc", "a DEV BO shows what the heap held there");
    DevBo first = dev_bo(kPage);
    first.memory[0] = 0x5A;
    ASSERT_EQ(device.gem_close(first.handle), kOk);
    DevBo second = dev_bo(kPage);
    ASSERT_EQ(second.address, first.address);
    EXPECT_EQ(second.memory[0], 0x5A);
}

}  // namespace
}  // namespace xdna::conformance
