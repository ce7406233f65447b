// libxdna's own promises, on the driver that is there.
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "tests/conformance/child.hpp"
#include "tests/conformance/library.hpp"

namespace xdna::conformance {
namespace {

using LibDevice = Library;
using LibBo = Library;
using LibHwctx = LibraryContext;
using LibCmd = LibraryContext;
using LibQuery = LibraryContext;

constexpr const char* kHeader = "include/xdna/xdna.h";

/// Runs `work` where no system call but read, write and exit is allowed: the kernel ends what makes
/// another.
int without_system_calls(const std::function<bool()>& work) {
    return in_child([&] {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) {
            return 77;
        }
        const bool good = work();
        // exit_group, which _exit() makes, is not allowed either.
        syscall(SYS_exit, good ? 0 : 1);
        return 1;
    });
}

TEST_F(LibDevice, ListsThisNpu) {
    rule(kHeader, "xdna_device_list finds the NPU, with node, driver and generation");
    std::array<xdna_device_info, 16> list{};
    const int count = xdna_device_list(list.data(), list.size());
    ASSERT_GE(count, 1) << message();
    EXPECT_EQ(xdna_device_list(nullptr, 0), count);
    bool found = false;
    for (int i = 0; i < count; i++) {
        if (target().node == list[i].node) {
            found = true;
            EXPECT_STREQ(list[i].driver, "amdxdna");
            EXPECT_EQ(list[i].vendor, 0x1022);
            if (target().npu1) {
                EXPECT_STREQ(list[i].generation, "npu1");
            }
        }
    }
    EXPECT_TRUE(found);
}

TEST_F(LibDevice, OpensByEveryName) {
    rule(kHeader, "NULL, an index, a PCI address and a node all open the device");
    xdna_device_info info{};
    ASSERT_EQ(Status(xdna_device_get_info(device.get(), &info)), kOk);
    const std::array<const char*, 4> names{nullptr, "0", info.bdf, info.node};
    for (const char* name : names) {
        xdna_device* opened = nullptr;
        EXPECT_EQ(Status(xdna_device_open(name, &opened)), kOk)
            << (name != nullptr ? name : "NULL") << ": " << message();
        xdna_device_close(opened);
    }
}

TEST_F(LibDevice, RefusesBadNames) {
    rule(kHeader, "a name of no form is EINVAL, of no NPU ENODEV; the message repeats it");
    xdna_device* opened = nullptr;
    EXPECT_EQ(Status(xdna_device_open("nonsense", &opened)), fails_with(EINVAL));
    EXPECT_NE(message().find("nonsense"), std::string::npos) << message();
    EXPECT_EQ(Status(xdna_device_open("99", &opened)), fails_with(ENODEV));
    EXPECT_NE(message().find("99"), std::string::npos) << message();
    EXPECT_EQ(Status(xdna_device_open("/dev/null", &opened)), fails_with(EINVAL));
    EXPECT_NE(message().find("/dev/null"), std::string::npos) << message();
}

TEST_F(LibDevice, OpensADescriptor) {
    rule(kHeader, "xdna_device_open_fd duplicates: the caller's descriptor stays its own");
    RawDevice raw = RawDevice::open();
    xdna_device* opened = nullptr;
    ASSERT_EQ(Status(xdna_device_open_fd(raw.fd(), &opened)), kOk) << message();
    Device owner(opened);
    EXPECT_NE(xdna_device_fd(opened), raw.fd());
    raw.close();
    xdna_driver_version version{};
    EXPECT_EQ(Status(xdna_device_driver_version(opened, &version)), kOk);
}

TEST_F(LibDevice, TellsTheDriver) {
    rule(kHeader, "the version is DRM_VERSION's, and the features follow its minor");
    xdna_driver_version version{};
    ASSERT_EQ(Status(xdna_device_driver_version(device.get(), &version)), kOk);
    EXPECT_STREQ(version.name, target().name.c_str());
    EXPECT_EQ(version.minor, static_cast<uint32_t>(target().minor));
    EXPECT_EQ(xdna_device_has(device.get(), XDNA_FEATURE_ALL_HWCTX), target().minor >= 1 ? 1 : 0);
    EXPECT_EQ(xdna_device_has(device.get(), XDNA_FEATURE_BO_USAGE), target().minor >= 8 ? 1 : 0);
    EXPECT_EQ(Status(xdna_device_has(device.get(), static_cast<xdna_feature>(99))),
              fails_with(EINVAL));
}

TEST_F(LibDevice, TellsLimits) {
    rule(kHeader, "limits are the driver's: columns, core rows, contexts, alignments");
    xdna_limits limits{};
    ASSERT_EQ(Status(xdna_device_limits(device.get(), &limits)), kOk) << message();
    EXPECT_EQ(limits.columns, target().columns);
    EXPECT_EQ(limits.core_rows, target().core_rows);
    EXPECT_EQ(limits.dev_bo_alignment, kDevBoAlignment);
    EXPECT_EQ(limits.heap_alignment, kHeapSize);
    EXPECT_EQ(limits.max_cus, 32U);
    EXPECT_EQ(limits.max_args, 4095U);
}

TEST_F(LibBo, NeedsNothingBefore) {
    rule(kHeader, "a BO of each type, without context or xclbin: memory, size, address, handle");
    for (xdna_bo_type type : {XDNA_BO_SHARE, XDNA_BO_DEV, XDNA_BO_CMD}) {
        Bo made = bo(type, 1000);
        ASSERT_TRUE(made);
        EXPECT_EQ(xdna_bo_get_type(made.get()), type);
        EXPECT_EQ(xdna_bo_size(made.get()), 1000U);
        EXPECT_NE(xdna_bo_handle(made.get()), 0U);
        EXPECT_NE(xdna_bo_address(made.get()), 0U);
        EXPECT_NE(xdna_bo_address(made.get()), kInvalidAddress);
        auto* bytes = static_cast<uint8_t*>(xdna_bo_memory(made.get()));
        for (int i = 0; i < 1000; i++) {
            ASSERT_EQ(bytes[i], 0) << "a BO starts as zeros";
        }
        bytes[999] = 1;
    }
}

TEST_F(LibBo, AddressesAreTheDrivers) {
    rule(kHeader,
         "a BO's address is what GET_BO_INFO says, or, where it says nothing, its memory's");
    Bo share = bo(XDNA_BO_SHARE, kPage);
    amdxdna_drm_get_bo_info info{.handle = xdna_bo_handle(share.get())};
    RawDevice borrowed(xdna_device_fd(device.get()));
    EXPECT_EQ(borrowed.call(DRM_IOCTL_AMDXDNA_GET_BO_INFO, info), kOk);
    borrowed.release();
    const auto memory = reinterpret_cast<uint64_t>(xdna_bo_memory(share.get()));
    EXPECT_EQ(xdna_bo_address(share.get()),
              info.xdna_addr == kInvalidAddress ? memory : info.xdna_addr);
    if (target().sva()) {
        EXPECT_EQ(xdna_bo_address(share.get()), memory);
    }
}

TEST_F(LibBo, DevAddressesAreInTheHeap) {
    rule(kHeader, "DEV BOs lie in the heap at 0x4000000, at multiples of 32 KiB");
    Bo one = bo(XDNA_BO_DEV, 100);
    Bo two = bo(XDNA_BO_DEV, 100);
    for (const Bo* each : {&one, &two}) {
        const uint64_t address = xdna_bo_address(each->get());
        EXPECT_GE(address, kHeapAddress);
        EXPECT_LT(address, kHeapAddress + kHeapSize);
        EXPECT_EQ(address % kDevBoAlignment, 0U);
    }
    EXPECT_NE(xdna_bo_address(one.get()), xdna_bo_address(two.get()));
}

TEST_F(LibBo, HeapMayBeMadeFirst) {
    rule(kHeader, "the heap may be made before it is needed, of the right size, once");
    Bo heap;
    EXPECT_EQ(make_bo(XDNA_BO_DEV_HEAP, kHeapSize - kPage, heap), fails_with(EINVAL));
    ASSERT_EQ(make_bo(XDNA_BO_DEV_HEAP, kHeapSize, heap), kOk) << message();
    EXPECT_EQ(xdna_bo_address(heap.get()), kHeapAddress);
    Bo second;
    EXPECT_EQ(make_bo(XDNA_BO_DEV_HEAP, kHeapSize, second), fails_with(EBUSY));
    EXPECT_FALSE(message().empty());
    EXPECT_TRUE(bo(XDNA_BO_DEV, kPage));
}

TEST_F(LibBo, RefusalsSayWhat) {
    rule(kHeader, "a bad type or size is EINVAL, and the message names call and value");
    Bo made;
    EXPECT_EQ(make_bo(static_cast<xdna_bo_type>(9), kPage, made), fails_with(EINVAL));
    EXPECT_NE(message().find("xdna_bo_create"), std::string::npos) << message();
    EXPECT_NE(message().find('9'), std::string::npos) << message();
    EXPECT_EQ(make_bo(XDNA_BO_SHARE, 0, made), fails_with(EINVAL));
    EXPECT_EQ(make_bo(XDNA_BO_DEV, 2 * kHeapSize, made), fails_with(EINVAL));
    EXPECT_NE(message().find("CREATE_BO"), std::string::npos) << message();
}

TEST_F(LibBo, HeapRunsOut) {
    rule(kHeader, "a full heap is ENOSPC, and gives room again when a BO goes");
    XDNA_NEED(target().npu1, "npu1's limit");
    Bo large = bo(XDNA_BO_DEV, kHeapSize - kDevBoAlignment);
    Bo last = bo(XDNA_BO_DEV, kPage);
    Bo more;
    EXPECT_EQ(make_bo(XDNA_BO_DEV, kPage, more), fails_with(target().current() ? ENOSPC : EINVAL));
    EXPECT_NE(message().find("heap"), std::string::npos) << message();
    last.reset();
    EXPECT_EQ(make_bo(XDNA_BO_DEV, kPage, more), kOk) << message();
}

TEST_F(LibBo, SyncMakesNoSystemCall) {
    rule(kHeader, "xdna_bo_sync works in user space, in both directions, on SHARE and DEV BOs");
    Bo share = bo(XDNA_BO_SHARE, 16 * kPage);
    Bo dev = bo(XDNA_BO_DEV, kPage);
    memset(xdna_bo_memory(share.get()), 0x77, 16 * kPage);
    const int result = without_system_calls([&] {
        return xdna_bo_sync(share.get(), XDNA_SYNC_TO_DEVICE, 0, 16 * kPage) == 0 &&
               xdna_bo_sync(share.get(), XDNA_SYNC_FROM_DEVICE, 100, 5000) == 0 &&
               xdna_bo_sync(dev.get(), XDNA_SYNC_TO_DEVICE, 0, kPage) == 0;
    });
    XDNA_NEED(result != 77, "this kernel has no seccomp");
    EXPECT_EQ(result, 0);
}

TEST_F(LibBo, SyncRangeMustBeInside) {
    rule(kHeader, "a range that is not inside the BO is EINVAL, also where it wraps");
    Bo share = bo(XDNA_BO_SHARE, 1000);
    auto sync = [&](uint64_t offset, uint64_t size) {
        return Status(xdna_bo_sync(share.get(), XDNA_SYNC_TO_DEVICE, offset, size));
    };
    EXPECT_EQ(sync(0, 1000), kOk);
    EXPECT_EQ(sync(999, 1), kOk);
    EXPECT_EQ(sync(0, 1001), fails_with(EINVAL));
    EXPECT_EQ(sync(1001, 0), fails_with(EINVAL));
    EXPECT_EQ(sync(500, ~uint64_t{0}), fails_with(EINVAL));
    EXPECT_EQ(Status(xdna_bo_sync(share.get(), static_cast<xdna_sync>(5), 0, 1)),
              fails_with(EINVAL));
}

TEST_F(LibBo, SharesByDmaBuf) {
    rule(kHeader, "an exported BO imports into another device object as the same memory");
    Bo mine = bo(XDNA_BO_SHARE, 2 * kPage);
    int fd = -1;
    ASSERT_EQ(Status(xdna_bo_export_dmabuf(mine.get(), &fd)), kOk) << message();
    RawDevice dma_buf(fd);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    xdna_device* opened = nullptr;
    ASSERT_EQ(Status(xdna_device_open(target().node.c_str(), &opened)), kOk);
    Device other(opened);
    xdna_bo* imported = nullptr;
    Status status(xdna_bo_import_dmabuf(opened, fd, &imported));
    XDNA_NEED(!target().iova() || status != fails_with(EOPNOTSUPP),
              "no pages behind a dma-buf here");
    ASSERT_EQ(status, kOk) << message();
    Bo theirs(imported);
    EXPECT_EQ(xdna_bo_size(imported), 2 * kPage);
    static_cast<uint32_t*>(xdna_bo_memory(mine.get()))[0] = 0x1234;
    EXPECT_EQ(static_cast<uint32_t*>(xdna_bo_memory(imported))[0], 0x1234U);
    EXPECT_NE(xdna_bo_address(imported), kInvalidAddress);
}

TEST_F(LibBo, ImportRefusesOtherFiles) {
    rule(kHeader, "a descriptor that is no dma-buf is an error that names it");
    xdna_bo* imported = nullptr;
    RawDevice null(open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_NE(Status(xdna_bo_import_dmabuf(device.get(), null.fd(), &imported)), kOk);
    EXPECT_FALSE(message().empty());
    EXPECT_EQ(Status(xdna_bo_import_dmabuf(device.get(), -1, &imported)), fails_with(EBADF));
}

TEST_F(LibBo, DevBosDoNotExport) {
    rule(kHeader, "exporting a DEV BO is EOPNOTSUPP");
    int fd = -1;
    EXPECT_EQ(Status(xdna_bo_export_dmabuf(bo(XDNA_BO_DEV, kPage).get(), &fd)),
              fails_with(EOPNOTSUPP));
}

TEST_F(LibBo, TakesUserMemory) {
    rule(kHeader, "page-aligned memory becomes a BO; anything else is EINVAL");
    XDNA_NEED_CURRENT();
    XDNA_NEED(!target().carve_out, "a carve-out needs contiguous memory, which this may not be");
    Mapping memory(
        mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        4 * kPage);
    xdna_bo* made = nullptr;
    ASSERT_EQ(Status(xdna_bo_import_user(device.get(), memory.data(), 4 * kPage, &made)), kOk)
        << message();
    Bo owner(made);
    EXPECT_EQ(xdna_bo_memory(made), memory.data());
    EXPECT_NE(xdna_bo_address(made), kInvalidAddress);
    xdna_bo* bad = nullptr;
    EXPECT_EQ(Status(xdna_bo_import_user(device.get(), memory.bytes() + 8, kPage, &bad)),
              fails_with(EINVAL));
    EXPECT_EQ(Status(xdna_bo_import_user(device.get(), memory.data(), 100, &bad)),
              fails_with(EINVAL));
}

TEST_F(LibBo, KeepsTheDevice) {
    rule(kHeader, "a BO outlives the device that it was made from");
    Bo share = bo(XDNA_BO_SHARE, kPage);
    device.reset();
    static_cast<uint32_t*>(xdna_bo_memory(share.get()))[0] = 1;
    EXPECT_EQ(Status(xdna_bo_sync(share.get(), XDNA_SYNC_TO_DEVICE, 0, kPage)), kOk);
}

TEST_F(LibBo, ThreadsAllocateAtOnce) {
    rule(kHeader, "threads may create and destroy BOs of one device at once");
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++) {
        threads.emplace_back([&] {
            for (int n = 0; n < 20; n++) {
                Bo share;
                Bo dev;
                if (!make_bo(XDNA_BO_SHARE, kPage, share).is_ok() ||
                    !make_bo(XDNA_BO_DEV, kPage, dev).is_ok()) {
                    failures++;
                }
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failures, 0);
}

TEST_F(LibHwctx, IsTheDrivers) {
    rule(kHeader, "a context has the driver's handle and syncobj");
    EXPECT_GE(xdna_hwctx_handle(context.get()), 1U);
    EXPECT_NE(xdna_hwctx_syncobj(context.get()), 0U);
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    std::array<xdna_hwctx_info, 16> list{};
    const int count = xdna_query_hwctx_all(device.get(), list.data(), list.size());
    ASSERT_GE(count, 1) << message();
    bool found = false;
    for (int i = 0; i < count; i++) {
        found |= list[i].pid == getpid() && list[i].context_id == xdna_hwctx_handle(context.get());
    }
    EXPECT_TRUE(found);
}

TEST_F(LibHwctx, RefusalsSayWhat) {
    rule(kHeader, "too many columns are EINVAL, and the message says how many there are");
    xdna_hwctx* made = nullptr;
    xdna_hwctx_options options{.columns = target().columns + 1};
    EXPECT_EQ(Status(xdna_hwctx_create(device.get(), &options, &made)), fails_with(EINVAL));
    EXPECT_NE(message().find(std::to_string(target().columns)), std::string::npos) << message();
    options = {};
    EXPECT_EQ(Status(xdna_hwctx_create(device.get(), &options, &made)), fails_with(EINVAL));
    options = {.columns = 1, .qos = {.gops = 1'000'000, .fps = 1000}};
    EXPECT_EQ(Status(xdna_hwctx_create(device.get(), &options, &made)),
              target().current() ? fails_with(EINVAL) : kOk);
    xdna_hwctx_destroy(made);
}

TEST_F(LibHwctx, ConfiguresOnce) {
    rule(kHeader, "configuring again, no CU, over 32, or an empty PDI is EINVAL");
    const Words pdi = minimal_pdi();
    const std::vector<xdna_cu> cus(33, {.pdi = pdi.data(), .pdi_size = pdi.size() * 4});
    EXPECT_EQ(Status(xdna_hwctx_configure(context.get(), cus.data(), 1)), fails_with(EINVAL));
    EXPECT_FALSE(message().empty());
    const xdna_hwctx_options options{.columns = 1};
    xdna_hwctx* made = nullptr;
    ASSERT_EQ(Status(xdna_hwctx_create(device.get(), &options, &made)), kOk);
    Hwctx other(made);
    EXPECT_EQ(Status(xdna_hwctx_configure(made, cus.data(), 0)), fails_with(EINVAL));
    EXPECT_EQ(Status(xdna_hwctx_configure(made, cus.data(), 33)), fails_with(EINVAL));
    const xdna_cu empty{.pdi = pdi.data(), .pdi_size = 0};
    EXPECT_EQ(Status(xdna_hwctx_configure(made, &empty, 1)), fails_with(EINVAL));
    EXPECT_EQ(Status(xdna_hwctx_configure(made, cus.data(), 32)), kOk) << message();
}

TEST_F(LibHwctx, DebugBoIsAssignedOnce) {
    rule(kHeader, "a debug BO attaches once and detaches; a SHARE BO is EINVAL");
    XDNA_NEED(target().minor >= 3, "this driver has no debug buffers");
    Bo share = bo(XDNA_BO_SHARE, kPage);
    EXPECT_EQ(Status(xdna_hwctx_attach_debug_bo(context.get(), share.get())), fails_with(EINVAL));
    Bo dev = bo(XDNA_BO_DEV, kPage);
    Status status(xdna_hwctx_attach_debug_bo(context.get(), dev.get()));
    XDNA_NEED(status != fails_with(EINVAL), "this firmware takes no debug buffer");
    ASSERT_EQ(status, kOk) << message();
    EXPECT_EQ(Status(xdna_hwctx_attach_debug_bo(context.get(), dev.get())), fails_with(EBUSY));
    EXPECT_EQ(Status(xdna_hwctx_detach_debug_bo(context.get(), dev.get())), kOk) << message();
    EXPECT_EQ(Status(xdna_hwctx_detach_debug_bo(context.get(), dev.get())), fails_with(EINVAL));
}

TEST_F(LibHwctx, LeavesNothing) {
    rule(kHeader, "a destroyed context frees its handle, columns and syncobj");
    XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
    std::array<xdna_hwctx_info, 16> list{};
    const int before = xdna_query_hwctx_all(device.get(), list.data(), list.size());
    const uint32_t syncobj = xdna_hwctx_syncobj(context.get());
    context.reset();
    EXPECT_EQ(xdna_query_hwctx_all(device.get(), list.data(), list.size()), before - 1);
    RawDevice borrowed(xdna_device_fd(device.get()));
    EXPECT_EQ(borrowed.syncobj_destroy(syncobj), fails_with(EINVAL));
    borrowed.release();
}

TEST_F(LibCmd, StartNpuCompletes) {
    rule(kHeader, "fill, submit, wait: 0, and the result says completed");
    Cmd cmd = filled(context.get(), empty_code);
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk) << message();
    ASSERT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), kOk) << message();
    xdna_cmd_result result{};
    ASSERT_EQ(Status(xdna_cmd_get_result(cmd.get(), &result)), kOk);
    EXPECT_EQ(result.state, XDNA_CMD_COMPLETED);
    EXPECT_EQ(result.sequence, 0U);
}

TEST_F(LibCmd, StartCuCompletes) {
    rule(kHeader, "START_CU with a register map runs the same way");
    const uint64_t address = xdna_bo_address(empty_code.get());
    const Words words{3,
                      0,
                      static_cast<uint32_t>(address),
                      static_cast<uint32_t>(address >> 32),
                      4,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0,
                      0};
    Cmd cmd = command(context.get());
    ASSERT_EQ(Status(xdna_cmd_set_start_cu(cmd.get(), 0, words.data(),
                                           static_cast<uint32_t>(words.size()))),
              kOk)
        << message();
    xdna_bo* bound[] = {empty_code.get()};
    ASSERT_EQ(Status(xdna_cmd_bind(cmd.get(), bound, 1)), kOk) << message();
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk) << message();
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), kOk) << message();
}

TEST_F(LibCmd, TransactionCompletes) {
    rule(kHeader,
         "control code with its buffers is a START_CU: no register map to fill, nothing to bind");
    Bo buffer = bo(XDNA_BO_SHARE, 4096);
    const xdna_code code{.bo = empty_code.get(), .offset = 0, .size = kEmptyCodeBytes};
    xdna_bo* const arguments[] = {buffer.get(), buffer.get()};
    Cmd cmd = command(context.get());
    ASSERT_EQ(Status(xdna_cmd_set_transaction(cmd.get(), 0, &code, arguments, 2)), kOk)
        << message();
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk) << message();
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), kOk) << message();
}

TEST_F(LibCmd, RunsAgainAndAgain) {
    rule(kHeader, "a filled command may be submitted as often as one likes; sequences count on");
    Cmd cmd = filled(context.get(), empty_code);
    for (uint64_t i = 0; i < 50; i++) {
        ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk) << message();
        ASSERT_EQ(Status(xdna_cmd_wait(cmd.get(), -1)), kOk) << message();
        xdna_cmd_result result{};
        ASSERT_EQ(Status(xdna_cmd_get_result(cmd.get(), &result)), kOk);
        EXPECT_EQ(result.sequence, i);
    }
}

TEST_F(LibCmd, WaitLooksAndTimesOut) {
    rule(kHeader, "before submission EINVAL; a wait of 0 looks: 0 or ETIME; after the end 0 again");
    Cmd cmd = filled(context.get(), empty_code);
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), 0)), fails_with(EINVAL));
    EXPECT_NE(message().find("xdna_cmd_wait"), std::string::npos) << message();
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk);
    Status looked(xdna_cmd_wait(cmd.get(), 0));
    EXPECT_TRUE(looked == kOk || looked == fails_with(ETIME)) << looked;
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), kOk) << message();
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), 0)), kOk);
}

TEST_F(LibCmd, CorruptCodeIsAnError) {
    rule(kHeader,
         "a firmware error is EIO; result and message say how, and the command runs again");
    const Words corrupt = corrupt_transaction();
    Bo code = dev_bo(corrupt);
    Cmd cmd = filled(context.get(), code);
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk);
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), fails_with(EIO));
    EXPECT_NE(message().find("error"), std::string::npos) << message();
    xdna_cmd_result result{};
    ASSERT_EQ(Status(xdna_cmd_get_result(cmd.get(), &result)), kOk);
    EXPECT_EQ(result.state, XDNA_CMD_ERROR);
    // The driver filled the packet with 0xFF; libxdna has mended it.
    const Words good = empty_transaction();
    memcpy(xdna_bo_memory(code.get()), good.data(), good.size() * 4);
    ASSERT_EQ(Status(xdna_bo_sync(code.get(), XDNA_SYNC_TO_DEVICE, 0, good.size() * 4)), kOk);
    const xdna_code part{.bo = code.get(), .offset = 0, .size = kEmptyCodeBytes};
    ASSERT_EQ(Status(xdna_cmd_set_start_npu(cmd.get(), 0, &part, nullptr, 0)), kOk) << message();
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk);
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), kOk) << message();
}

TEST_F(LibCmd, BadPdiIsAnError) {
    rule(kHeader, "a bad PDI shows at the first command, as EIO");
    Hwctx other = make_context(bad_pdi());
    Cmd cmd = filled(other.get(), empty_code);
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk);
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), fails_with(EIO));
}

TEST_F(LibCmd, PreemptIsRefusedOnNpu1) {
    rule(kHeader, "START_NPU_PREEMPT on npu1 ends refused by the driver: EIO, state NEW");
    XDNA_NEED(target().npu1, "elsewhere it may run");
    const xdna_code part{.bo = empty_code.get(), .offset = 0, .size = kEmptyCodeBytes};
    Cmd cmd = command(context.get());
    ASSERT_EQ(Status(xdna_cmd_set_start_npu_preempt(cmd.get(), 0, &part, &part, &part, nullptr, 0)),
              kOk)
        << message();
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk);
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), fails_with(EIO));
    xdna_cmd_result result{};
    ASSERT_EQ(Status(xdna_cmd_get_result(cmd.get(), &result)), kOk);
    EXPECT_EQ(result.state, XDNA_CMD_NEW);
}

TEST_F(LibCmd, ChainCompletes) {
    rule(kHeader, "a chain runs its commands with one submission");
    std::vector<Cmd> members;
    std::vector<xdna_cmd*> list;
    for (int i = 0; i < 8; i++) {
        members.push_back(filled(context.get(), empty_code));
        list.push_back(members.back().get());
    }
    Cmd chain = command(context.get());
    ASSERT_EQ(Status(xdna_cmd_set_chain(chain.get(), list.data(), 8)), kOk) << message();
    ASSERT_EQ(Status(xdna_cmd_submit(chain.get())), kOk) << message();
    EXPECT_EQ(Status(xdna_cmd_wait(chain.get(), kPatienceNs)), kOk) << message();
}

TEST_F(LibCmd, ChainNamesTheFailed) {
    rule(kHeader, "a chain's failure gives the index of the command that failed");
    const Words corrupt = corrupt_transaction();
    Bo code = dev_bo(corrupt);
    std::vector<Cmd> members;
    std::vector<xdna_cmd*> list;
    for (int i = 0; i < 4; i++) {
        members.push_back(filled(context.get(), i == 2 ? code : empty_code));
        list.push_back(members.back().get());
    }
    Cmd chain = command(context.get());
    ASSERT_EQ(Status(xdna_cmd_set_chain(chain.get(), list.data(), 4)), kOk) << message();
    ASSERT_EQ(Status(xdna_cmd_submit(chain.get())), kOk);
    EXPECT_EQ(Status(xdna_cmd_wait(chain.get(), kPatienceNs)), fails_with(EIO));
    xdna_cmd_result result{};
    ASSERT_EQ(Status(xdna_cmd_get_result(chain.get(), &result)), kOk);
    EXPECT_EQ(result.state, XDNA_CMD_ERROR);
    EXPECT_EQ(result.failed_index, 2U);
}

TEST_F(LibCmd, MisuseIsAnError) {
    rule(kHeader,
         "empty commands, CUs over 31, bad code ranges and foreign chains are refused here");
    Cmd cmd = command(context.get());
    EXPECT_EQ(Status(xdna_cmd_submit(cmd.get())), fails_with(EINVAL));
    const xdna_code good{.bo = empty_code.get(), .offset = 0, .size = kEmptyCodeBytes};
    EXPECT_EQ(Status(xdna_cmd_set_start_npu(cmd.get(), 32, &good, nullptr, 0)), fails_with(EINVAL));
    const xdna_code odd{.bo = empty_code.get(), .offset = 0, .size = 15};
    EXPECT_EQ(Status(xdna_cmd_set_start_npu(cmd.get(), 0, &odd, nullptr, 0)), fails_with(EINVAL));
    const xdna_code outside{.bo = empty_code.get(), .offset = 0, .size = 1 << 20};
    EXPECT_EQ(Status(xdna_cmd_set_start_npu(cmd.get(), 0, &outside, nullptr, 0)),
              fails_with(EINVAL));
    EXPECT_EQ(Status(xdna_cmd_set_chain(cmd.get(), nullptr, 0)), fails_with(EINVAL));
    Hwctx other = make_context();
    Cmd foreign = filled(other.get(), empty_code);
    xdna_cmd* list[] = {foreign.get()};
    EXPECT_EQ(Status(xdna_cmd_set_chain(cmd.get(), list, 1)), fails_with(EINVAL));
    EXPECT_FALSE(message().empty());
}

TEST_F(LibCmd, BindsABoOnce) {
    rule(kHeader, "a BO bound twice counts once, which the driver would refuse twice");
    Bo share = bo(XDNA_BO_SHARE, kPage);
    Cmd cmd = filled(context.get(), empty_code);
    xdna_bo* twice[] = {share.get(), share.get(), empty_code.get()};
    ASSERT_EQ(Status(xdna_cmd_bind(cmd.get(), twice, 3)), kOk) << message();
    ASSERT_EQ(Status(xdna_cmd_submit(cmd.get())), kOk) << message();
    EXPECT_EQ(Status(xdna_cmd_wait(cmd.get(), kPatienceNs)), kOk) << message();
}

TEST_F(LibCmd, ManyInFlight) {
    rule(kHeader, "many commands may be submitted without waiting; all complete");
    std::vector<Cmd> commands;
    for (int i = 0; i < 32; i++) {
        commands.push_back(filled(context.get(), empty_code));
        ASSERT_EQ(Status(xdna_cmd_submit(commands.back().get())), kOk) << message();
    }
    for (const Cmd& each : commands) {
        EXPECT_EQ(Status(xdna_cmd_wait(each.get(), kPatienceNs)), kOk) << message();
    }
}

TEST_F(LibCmd, OutlivesItsContext) {
    rule(kHeader, "a command whose context was destroyed fails with ENODEV");
    Cmd cmd = filled(context.get(), empty_code);
    context.reset();
    EXPECT_EQ(Status(xdna_cmd_submit(cmd.get())), fails_with(ENODEV));
    EXPECT_NE(message().find("destroyed"), std::string::npos) << message();
}

TEST_F(LibCmd, ThreadsWithContextsOfTheirOwn) {
    rule(kHeader, "threads run commands on different contexts of one device at once");
    std::atomic<int> failures = 0;
    std::vector<std::thread> threads;
    std::vector<Hwctx> contexts;
    for (int i = 0; i < 3; i++) {
        contexts.push_back(make_context());
    }
    for (int i = 0; i < 3; i++) {
        threads.emplace_back([&, i] {
            Cmd cmd = filled(contexts[i].get(), empty_code);
            for (int n = 0; n < 20; n++) {
                if (xdna_cmd_submit(cmd.get()) != 0 || xdna_cmd_wait(cmd.get(), kPatienceNs) != 0) {
                    failures++;
                }
            }
        });
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(failures, 0);
}

TEST_F(LibCmd, MessagesAreTheThreads) {
    rule(kHeader, "xdna_error_message is the calling thread's");
    EXPECT_EQ(Status(xdna_cmd_submit(nullptr)), fails_with(EINVAL));
    const std::string mine = message();
    std::string theirs = "unset";
    std::thread([&] { theirs = xdna_error_message(); }).join();
    EXPECT_EQ(theirs, "");
    EXPECT_EQ(message(), mine);
}

TEST_F(LibQuery, EveryQueryAnswers) {
    rule(kHeader, "each query answers, or says 'not supported' with a reason; never garbage");
    auto check = [](const char* what, int result, bool optional) {
        EXPECT_TRUE(result >= 0 ||
                    (optional && (result == -EOPNOTSUPP || result == -ENODEV || result == -EINVAL)))
            << what << ": " << Status(result) << ": " << xdna_error_message();
    };
    xdna_aie_metadata metadata{};
    check("metadata", xdna_query_aie_metadata(device.get(), &metadata), false);
    EXPECT_EQ(metadata.columns, target().columns);
    xdna_aie_version version{};
    check("version", xdna_query_aie_version(device.get(), &version), false);
    xdna_firmware_version firmware{};
    check("firmware", xdna_query_firmware_version(device.get(), &firmware), false);
    xdna_clocks clocks{};
    check("clocks", xdna_query_clocks(device.get(), &clocks), false);
    EXPECT_STREQ(clocks.h.name, "H Clock");
    xdna_power_mode mode{};
    check("power mode", xdna_query_power_mode(device.get(), &mode), false);
    std::array<xdna_sensor, 16> sensors{};
    check("sensors", xdna_query_sensors(device.get(), sensors.data(), sensors.size()), true);
    std::array<xdna_hwctx_info, 16> contexts{};
    check("contexts", xdna_query_hwctx(device.get(), contexts.data(), contexts.size()), false);
    xdna_resources resources{};
    check("resources", xdna_query_resources(device.get(), &resources), target().minor < 4);
    int enabled = 0;
    check("preempt", xdna_query_force_preempt(device.get(), &enabled), target().minor < 6);
    check("boundary", xdna_query_frame_boundary_preempt(device.get(), &enabled),
          target().minor < 6);
    xdna_async_error error{};
    check("error", xdna_query_last_async_error(device.get(), &error), target().minor < 2);
    xdna_bo_usage usage{};
    check("usage", xdna_query_bo_usage(device.get(), 0, &usage), target().minor < 8);
    std::vector<uint8_t> dump(size_t{metadata.column_bytes} * metadata.columns);
    xdna_aie_status status{};
    check("status",
          xdna_query_aie_status(device.get(), dump.data(), static_cast<uint32_t>(dump.size()),
                                &status),
          false);
    EXPECT_NE(status.columns_filled, 0U);
    std::vector<uint8_t> data(64 << 10);
    xdna_telemetry telemetry{};
    check("telemetry",
          xdna_query_telemetry(device.get(), 1, data.data(), static_cast<uint32_t>(data.size()),
                               &telemetry),
          true);
}

TEST_F(LibQuery, SettingsNeedRoot) {
    rule(kHeader, "SET_STATE calls without CAP_SYS_ADMIN are EACCES, and the message says so");
    EXPECT_EQ(
        in_child([&] {
            XDNA_CHILD_CHECK(become_nobody());
            XDNA_CHILD_CHECK(xdna_set_power_mode(device.get(), XDNA_POWER_DEFAULT) == -EACCES);
            XDNA_CHILD_CHECK(message().find("CAP_SYS_ADMIN") != std::string::npos);
            return 0;
        }),
        0);
}

TEST_F(LibQuery, SettingsAreChecked) {
    rule(kHeader, "unknown power modes are EINVAL; tile memory and registers EOPNOTSUPP");
    XDNA_NEED(geteuid() == 0, "SET_STATE is root's");
    EXPECT_EQ(Status(xdna_set_power_mode(device.get(), static_cast<xdna_power_mode>(9))),
              fails_with(EINVAL));
    const uint32_t word = 0;
    EXPECT_EQ(Status(xdna_set_aie_memory(device.get(), &word, 4)), fails_with(EOPNOTSUPP));
    EXPECT_EQ(Status(xdna_set_aie_register(device.get(), &word, 4)), fails_with(EOPNOTSUPP));
}

}  // namespace
}  // namespace xdna::conformance
