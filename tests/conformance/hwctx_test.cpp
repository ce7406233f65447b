// CREATE_HWCTX and DESTROY_HWCTX.
#include <unistd.h>

#include <set>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using HwctxAlone = Conformance;

class Hwctx : public HeapConformance {
  protected:
    Status create(Context& context) const { return device.create_hwctx(column_tiles(), context); }
};

constexpr const char* kCreate = "amdxdna_ctx.c: amdxdna_drm_create_hwctx_ioctl";
constexpr const char* kInit = "aie2_ctx.c: aie2_hwctx_init";
constexpr const char* kColumns = "aie2_ctx.c: aie2_hwctx_col_list";

TEST_F(Hwctx, GivesHandleAndSyncobj) {
    rule(kCreate, "a context has a handle of 1 to 255, a syncobj, and on AIE2 no doorbell");
    Context context;
    ASSERT_EQ(create(context), kOk);
    EXPECT_GE(context.handle, 1U);
    EXPECT_LE(context.handle, 255U);
    EXPECT_NE(context.syncobj, 0U);
    EXPECT_EQ(context.doorbell, AMDXDNA_INVALID_DOORBELL_OFFSET);
    EXPECT_EQ(device.destroy_hwctx(context.handle), kOk);
}

TEST_F(Hwctx, ReservedFieldsMustBeZero) {
    rule(kCreate, "ext or ext_flags other than 0 are EINVAL");
    amdxdna_qos_info qos{};
    amdxdna_drm_create_hwctx args{
        .ext = 1, .qos_p = reinterpret_cast<uint64_t>(&qos), .num_tiles = column_tiles()};
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), fails_with(EINVAL));
    args.ext = 0;
    args.ext_flags = 1;
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), fails_with(EINVAL));
}

TEST_F(Hwctx, OtherFieldsAreIgnored) {
    rule(kInit, "umq_bo, log_buf_bo, mem_size and max_opc mean nothing on AIE2");
    XDNA_NEED_CURRENT();
    amdxdna_qos_info qos{};
    amdxdna_drm_create_hwctx args{.qos_p = reinterpret_cast<uint64_t>(&qos),
                                  .umq_bo = 4242,
                                  .log_buf_bo = 4243,
                                  .max_opc = ~0U,
                                  .num_tiles = column_tiles(),
                                  .mem_size = ~0U};
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), kOk);
}

TEST_F(Hwctx, QosMustBeReadable) {
    rule(kCreate, "qos_p is read always: NULL or a bad page is EFAULT");
    Mapping bad = inaccessible_page();
    for (uint64_t address : {uint64_t{0}, bad.address(), bad.address() + kPage - 8}) {
        EXPECT_EQ(
            device.call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX,
                        amdxdna_drm_create_hwctx{.qos_p = address, .num_tiles = column_tiles()}),
            fails_with(EFAULT));
    }
}

TEST_F(HwctxAlone, NeedsAHeap) {
    rule(kInit, "a context without a heap is ENOENT, whatever its tiles");
    Context context;
    EXPECT_EQ(device.create_hwctx(target().core_rows, context), fails_with(ENOENT));
    EXPECT_EQ(device.create_hwctx(0, context), fails_with(ENOENT));
}

TEST_F(HwctxAlone, NeedsAMappedHeap) {
    rule(kInit, "a heap that is not mapped is EAGAIN: the command buffers are cut from it");
    uint32_t heap = 0;
    ASSERT_EQ(device.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, heap), kOk);
    Context context;
    EXPECT_EQ(device.create_hwctx(target().core_rows, context),
              fails_with(target().current() ? EAGAIN : EINVAL));
}

TEST_F(Hwctx, NeedsRoomInTheHeap) {
    rule(kInit, "four command buffers do not fit in a full heap: ENOSPC");
    XDNA_NEED(target().npu1, "npu1's limit");
    XDNA_NEED_CURRENT();
    DevBo almost = dev_bo(kHeapSize - 3 * kDevBoAlignment);
    ASSERT_NE(almost.handle, 0U);
    Context context;
    EXPECT_EQ(create(context), fails_with(ENOSPC)) << "room for three";
    ASSERT_EQ(device.gem_close(almost.handle), kOk);
    DevBo all_but_four = dev_bo(kHeapSize - 4 * kDevBoAlignment);
    ASSERT_NE(all_but_four.handle, 0U) << "the failed context gave its three back";
    EXPECT_EQ(create(context), kOk);
}

TEST_F(Hwctx, TilesMustMakeAColumn) {
    rule(kColumns, "no tile, or fewer than a column's cores, is EINVAL");
    Context context;
    for (uint32_t tiles = 0; tiles < target().core_rows; tiles++) {
        EXPECT_EQ(device.create_hwctx(tiles, context), fails_with(EINVAL)) << tiles;
    }
}

TEST_F(Hwctx, TilesMustFitTheArray) {
    rule(kColumns, "more columns than the array has is EINVAL");
    Context context;
    EXPECT_EQ(device.create_hwctx(column_tiles(target().columns + 1), context), fails_with(EINVAL));
    EXPECT_EQ(device.create_hwctx(~0U, context), fails_with(EINVAL));
}

TEST_F(Hwctx, TilesRoundDownToColumns) {
    rule(kColumns, "the columns are tiles / core rows, rounded down");
    XDNA_NEED(target().npu1, "elsewhere contexts share the whole array");
    Context context;
    ASSERT_EQ(device.create_hwctx(2 * target().core_rows - 1, context), kOk);
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    EXPECT_EQ(device.context_entry(context.handle).num_col, 1U);
}

TEST_F(Hwctx, RefusedQosIsInvalid) {
    rule("aie2_solver.c: sanity_check", "a load that the top clock cannot serve is EINVAL");
    XDNA_NEED_CURRENT();
    Context context;
    // gops x fps x 2 against operations per cycle x clock / 1000.
    EXPECT_EQ(device.create_hwctx(column_tiles(), context, {.gops = 1'000'000, .fps = 1000}),
              fails_with(EINVAL));
    EXPECT_EQ(device.create_hwctx(column_tiles(), context, {.gops = 1'000'000, .latency = 1}),
              fails_with(EINVAL))
        << "a latency of 1 ms is a rate of 1000";
}

TEST_F(Hwctx, ModestQosIsFine) {
    rule("aie2_solver.c: qos_meet",
         "loads within the top clock are taken; without a rate they count 0");
    Context context;
    EXPECT_EQ(device.create_hwctx(column_tiles(), context,
                                  {.gops = 10, .fps = 30, .latency = 100, .priority = 0x180}),
              kOk);
    EXPECT_EQ(device.create_hwctx(column_tiles(), context, {.gops = 4'000'000'000}), kOk);
    EXPECT_EQ(device.create_hwctx(column_tiles(), context,
                                  {.dma_bandwidth = ~0U, .frame_exec_time = ~0U, .priority = 7}),
              kOk)
        << "bandwidth, execution time and unknown priorities are not judged";
}

TEST_F(Hwctx, RefusalLeavesNothing) {
    rule(kInit, "a refused context gives its columns, heap slots and syncobj back");
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    Context context;
    const size_t before = device.contexts().size();
    EXPECT_EQ(device.create_hwctx(0, context), fails_with(EINVAL));
    EXPECT_EQ(device.create_hwctx(column_tiles(), context, {.gops = 1'000'000, .fps = 1000}),
              fails_with(EINVAL));
    EXPECT_EQ(device.contexts().size(), before);
    EXPECT_EQ(device.syncobj(), 1U) << "no syncobj was left";
    EXPECT_EQ(dev_bo(kPage).address, kHeapAddress) << "no heap slot was left";
}

TEST_F(Hwctx, DestroyNeedsOne) {
    rule("amdxdna_ctx.c: amdxdna_drm_destroy_hwctx_ioctl",
         "an unknown context, or one twice, is EINVAL");
    EXPECT_EQ(device.destroy_hwctx(0), fails_with(EINVAL));
    EXPECT_EQ(device.destroy_hwctx(200), fails_with(EINVAL));
    Context context;
    ASSERT_EQ(create(context), kOk);
    EXPECT_EQ(device.destroy_hwctx(context.handle), kOk);
    EXPECT_EQ(device.destroy_hwctx(context.handle), fails_with(EINVAL));
}

TEST_F(Hwctx, DestroyPadMustBeZero) {
    rule("amdxdna_ctx.c: amdxdna_drm_destroy_hwctx_ioctl", "a pad other than 0 is EINVAL");
    Context context;
    ASSERT_EQ(create(context), kOk);
    EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX,
                          amdxdna_drm_destroy_hwctx{.handle = context.handle, .pad = 1}),
              fails_with(EINVAL));
    EXPECT_EQ(device.destroy_hwctx(context.handle), kOk) << "it was not destroyed";
}

TEST_F(Hwctx, IsOfItsFile) {
    rule("amdxdna_ctx.c: amdxdna_drm_destroy_hwctx_ioctl",
         "another file's context is unknown: EINVAL");
    Context context;
    ASSERT_EQ(create(context), kOk);
    RawDevice other = RawDevice::open();
    EXPECT_EQ(other.destroy_hwctx(context.handle), fails_with(EINVAL));
}

TEST_F(Hwctx, HandlesGoRound) {
    rule(kCreate, "handles are given in a circle: one just freed is not the next");
    XDNA_NEED_CURRENT();
    constexpr uint32_t kMaxHandle = 255;
    uint32_t expected = 1;
    for (uint32_t i = 0; i < kMaxHandle + 5; i++) {
        Context context;
        ASSERT_EQ(create(context), kOk) << "context " << i;
        ASSERT_EQ(context.handle, expected);
        ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
        ASSERT_EQ(device.syncobj_destroy(context.syncobj), kOk);
        expected = expected == kMaxHandle ? 1 : expected + 1;
    }
}

TEST_F(Hwctx, SyncobjIsTheCallers) {
    rule("aie2_ctx.c: aie2_ctx_syncobj_destroy",
         "the syncobj handle stays after the context, until destroyed");
    Context context;
    ASSERT_EQ(create(context), kOk);
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    uint64_t point = 0;
    EXPECT_EQ(device.syncobj_query(context.syncobj, 0, point), kOk);
    EXPECT_EQ(device.syncobj_destroy(context.syncobj), kOk);
    EXPECT_EQ(device.syncobj_destroy(context.syncobj), fails_with(EINVAL));
}

TEST_F(Hwctx, GoesWithTheFile) {
    rule("amdxdna_pci_drv.c: amdxdna_client_cleanup", "closing the file destroys its contexts");
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    Context context;
    ASSERT_EQ(create(context), kOk);
    RawDevice other = RawDevice::open();
    const size_t with = other.contexts().size();
    heap_memory.reset();
    device.close();
    EXPECT_EQ(other.contexts().size(), with - 1);
}

TEST_F(Hwctx, MappingKeepsTheFile) {
    rule("mm: mmap_region", "a mapping holds its open file: contexts go at the munmap after close");
    XDNA_NEED(target().minor >= 7, "drivers up to 0.6 clean up at the first close");
    XDNA_NEED(!target().carve_out, "carve-out mappings hold a dma-buf instead");
    Context context;
    ASSERT_EQ(create(context), kOk);
    RawDevice other = RawDevice::open();
    const size_t with = other.contexts().size();
    device.close();
    EXPECT_EQ(other.contexts().size(), with);
    heap_memory.reset();
    EXPECT_EQ(other.contexts().size(), with - 1);
}

TEST_F(Hwctx, HeapHandleMayCloseFirst) {
    rule("amdxdna_gem.h: amdxdna_obj_dma_addr",
         "a context can be made after the heap's handle closed");
    XDNA_NEED_CURRENT();
    XDNA_NEED(target().hardened, "kernels before 7.3 may crash here");
    ASSERT_EQ(device.gem_close(heap), kOk);
    Context context;
    EXPECT_EQ(create(context), kOk);
}

TEST_F(Hwctx, ForkedChildMakesOneForItsParent) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_open", "a context is its file's: its pid is the opener's");
    XDNA_NEED(target().minor >= 7, "this driver cleans up at a child's close");
    ASSERT_EQ(in_child([&] {
                  Context context;
                  XDNA_CHILD_CHECK(create(context) == kOk);
                  XDNA_CHILD_CHECK(context.handle == 1);
                  return 0;
              }),
              0);
    EXPECT_EQ(device.context_entry(1).pid, getpid());
    EXPECT_EQ(device.destroy_hwctx(1), kOk);
}

}  // namespace
}  // namespace xdna::conformance
