// Contexts: creation, columns, QoS, configuration; the queries that show them; power.
#include <algorithm>
#include <thread>

#include "emu/uapi/driver/column_solver.hpp"
#include "tests/unit/driver/harness.hpp"

namespace xdna::emu::test {
namespace {

class HwctxTest : public DriverTest {
  protected:
    using DriverTest::DriverTest;

    std::vector<amdxdna_drm_hwctx_entry> entries() {
        std::vector<amdxdna_drm_hwctx_entry> out(32);
        amdxdna_drm_get_array args{};
        args.param = DRM_AMDXDNA_HW_CONTEXT_ALL;
        args.element_size = sizeof out[0];
        args.num_element = 32;
        args.buffer = reinterpret_cast<uint64_t>(out.data());
        EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), 0);
        EXPECT_EQ(args.element_size, sizeof out[0]);
        out.resize(args.num_element);
        return out;
    }
    template <typename T>
    int info(uint32_t param, T& out, uint32_t size = sizeof(T)) {
        amdxdna_drm_get_info args{param, size, reinterpret_cast<uint64_t>(&out)};
        return file->call(DRM_IOCTL_AMDXDNA_GET_INFO, args);
    }
    int power(uint8_t mode) {
        amdxdna_drm_set_power_mode value{mode, {}};
        amdxdna_drm_set_state args{DRM_AMDXDNA_SET_POWER_MODE, sizeof value,
                                   reinterpret_cast<uint64_t>(&value)};
        return file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args);
    }
    uint32_t h_clock() {
        amdxdna_drm_query_clock_metadata clocks{};
        EXPECT_EQ(info(DRM_AMDXDNA_QUERY_CLOCK_METADATA, clocks), 0);
        return clocks.h_clock.freq_mhz;
    }
};

TEST_F(HwctxTest, ChecksInTheDriversOrder) {
    amdxdna_qos_info qos{};
    amdxdna_drm_create_hwctx args{};
    args.ext = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), -EINVAL);
    args.ext = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), -EFAULT);  // qos_p
    args.qos_p = reinterpret_cast<uint64_t>(&qos);
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), -ENOENT);  // no heap
    const auto heap = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV_HEAP, kHeapSize));
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), -EAGAIN);  // not mapped
    Map map;
    ASSERT_EQ(file->map(heap, kHeapSize, map), 0);
    for (const uint32_t tiles : {0U, 3U, 24U}) {
        args.num_tiles = tiles;
        EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), -EINVAL) << tiles;
    }
    args.num_tiles = 4;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), 0);
    EXPECT_EQ(args.handle, 1U);
    EXPECT_EQ(args.syncobj_handle, 1U);
    EXPECT_EQ(args.umq_doorbell, ~0U);
}

TEST_F(HwctxTest, NoRoomForTheCommandBuffers) {
    const Map heap = file->heap();
    ASSERT_GT(file->create(AMDXDNA_BO_DEV, kHeapSize - 0x8000 * 3), 0);
    amdxdna_drm_create_hwctx args{};
    EXPECT_EQ(file->context(1, args), -ENOSPC);
    EXPECT_GT(file->create(AMDXDNA_BO_DEV, 0x8000 * 3), 0);  // what it took was given back
}

TEST_F(HwctxTest, ColumnsAreFirstFitFromOne) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx args{};
    for (const uint32_t start : {1U, 2U, 3U, 4U, 1U, 2U}) {
        ASSERT_EQ(file->context(1, args), 0);
        EXPECT_EQ(entries().back().start_col, start);
    }
    EXPECT_EQ(file->context(1, args), -EINVAL);  // the firmware has six
    EXPECT_TRUE(logged("0x2000003"));
    EXPECT_EQ(entries().size(), 6U);
    ASSERT_EQ(file->destroy_context(3), 0);
    ASSERT_EQ(file->context(1, args), 0);
    EXPECT_EQ(args.handle, 7U);  // handles go round
    const auto now = entries();
    const auto last = std::find_if(now.begin(), now.end(),
                                   [](const auto& entry) { return entry.context_id == 7; });
    ASSERT_NE(last, now.end());
    EXPECT_EQ(last->start_col, 3U);
}

TEST_F(HwctxTest, WideContexts) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx a{};
    ASSERT_EQ(file->context(4, a), 0);
    EXPECT_EQ(entries().back().start_col, 1U);
    amdxdna_drm_create_hwctx b{};
    EXPECT_EQ(file->context(5, b), -ENODEV);  // neither free nor the same partition
    EXPECT_EQ(file->context(1, b), -ENODEV);
    ASSERT_EQ(file->context(4, b), 0);  // shares
    EXPECT_EQ(entries().back().start_col, 1U);
    EXPECT_EQ(entries().back().num_col, 4U);
    file->destroy_context(a.handle);
    EXPECT_EQ(file->context(1, a), -ENODEV);
    file->destroy_context(b.handle);
    ASSERT_EQ(file->context(5, a), 0);
    EXPECT_EQ(entries().back().start_col, 0U);
}

TEST_F(HwctxTest, ContextsOfAllFilesCompete) {
    Map heap = file->heap();
    TestFile other(*driver, caller);
    const Map other_heap = other.heap();
    amdxdna_drm_create_hwctx args{};
    ASSERT_EQ(file->context(4, args), 0);
    EXPECT_EQ(other.context(1, args), -ENODEV);
    heap.unmap();  // a mapping holds its file
    file->close();
    EXPECT_EQ(other.context(1, args), 0);
    file = std::make_unique<TestFile>(*driver, caller);
    const auto all = entries();
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].pid, ::getpid());
}

TEST_F(HwctxTest, QosThatCannotBeMet) {
    const Map heap = file->heap();
    amdxdna_qos_info qos{};
    amdxdna_drm_create_hwctx args{};
    args.qos_p = reinterpret_cast<uint64_t>(&qos);
    args.num_tiles = 4;
    // One column: 2048 operations a cycle at 1600 MHz are 3276 GOPS; the request counts twice.
    qos.gops = 1638;
    qos.fps = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), 0);
    qos.gops = 1639;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), -EINVAL);
    qos.gops = 1;
    qos.fps = 0;
    qos.latency = 2000;  // a rate below one a second counts as one
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), 0);
}

TEST_F(HwctxTest, QosAndPowerModesSetTheClocks) {
    EXPECT_EQ(h_clock(), 1600U);
    const Map heap = file->heap();
    amdxdna_qos_info qos{};
    qos.gops = 10;
    qos.fps = 10;
    amdxdna_drm_create_hwctx args{};
    args.qos_p = reinterpret_cast<uint64_t>(&qos);
    args.num_tiles = 4;
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, args), 0);
    EXPECT_EQ(h_clock(), 800U);
    qos.fps = 90;
    amdxdna_drm_create_hwctx second = args;
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, second), 0);
    EXPECT_EQ(h_clock(), 1024U);
    file->destroy_context(second.handle);
    EXPECT_EQ(h_clock(), 800U);

    EXPECT_EQ(power(POWER_MODE_HIGH), -EACCES);
    caller.root = true;
    EXPECT_EQ(power(POWER_MODE_TURBO), -EINVAL);  // a context is active
    EXPECT_EQ(power(5), -EINVAL);
    EXPECT_EQ(power(POWER_MODE_HIGH), 0);
    EXPECT_EQ(h_clock(), 1600U);
    EXPECT_EQ(power(POWER_MODE_MEDIUM), 0);
    EXPECT_EQ(h_clock(), 1024U);
    EXPECT_EQ(power(POWER_MODE_LOW), 0);
    EXPECT_EQ(h_clock(), 800U);
    file->destroy_context(args.handle);
    EXPECT_EQ(power(POWER_MODE_TURBO), 0);
    EXPECT_EQ(h_clock(), 1600U);
    amdxdna_drm_get_power_mode mode{};
    ASSERT_EQ(info(DRM_AMDXDNA_GET_POWER_MODE, mode), 0);
    EXPECT_EQ(mode.power_mode, POWER_MODE_TURBO);
}

TEST_F(HwctxTest, DestroyChecks) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx args{};
    ASSERT_EQ(file->context(1, args), 0);
    amdxdna_drm_destroy_hwctx destroy{args.handle, 1};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy), -EINVAL);
    destroy.pad = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy), 0);
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy), -EINVAL);
    // The syncobj is the client's own.
    drm_syncobj_destroy syncobj{args.syncobj_handle, 0};
    EXPECT_EQ(file->call(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj), 0);
}

TEST_F(HwctxTest, CuConfigurationRules) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx context{};
    ASSERT_EQ(file->context(1, context), 0);
    const auto pdi = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 4096));
    const auto share = static_cast<uint32_t>(file->create(AMDXDNA_BO_SHARE, 4096));
    struct {
        uint16_t num_cus;
        uint16_t pad[3];
        amdxdna_cu_config cus[40];
    } config{};
    const auto call = [&](uint32_t size, uint32_t handle, uint32_t type = 0, uint32_t pad = 0) {
        amdxdna_drm_config_hwctx args{};
        args.handle = handle;
        args.param_type = type;
        args.param_val = reinterpret_cast<uint64_t>(&config);
        args.param_val_size = size;
        args.pad = pad;
        return file->call(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, args);
    };
    const uint32_t id = context.handle;
    EXPECT_EQ(call(16, id, 0, 1), -EINVAL);
    EXPECT_EQ(call(16, id, 3), -EINVAL);
    EXPECT_EQ(call(4097, id), -E2BIG);
    EXPECT_EQ(call(16, 99), -EINVAL);
    EXPECT_EQ(call(16, id), -EINVAL);  // no CUs
    config.num_cus = 1;
    config.cus[0].cu_bo = pdi;
    EXPECT_EQ(call(15, id), -EINVAL);  // cut off
    config.pad[1] = 1;
    EXPECT_EQ(call(16, id), -EINVAL);
    config.pad[1] = 0;
    config.cus[0].pad[0] = 1;
    EXPECT_EQ(call(16, id), -EINVAL);
    config.cus[0].pad[0] = 0;
    config.cus[0].cu_bo = 77;
    EXPECT_EQ(call(16, id), -EINVAL);
    config.cus[0].cu_bo = share;
    EXPECT_EQ(call(16, id), -EINVAL);
    config.num_cus = 33;
    for (auto& cu : config.cus) {
        cu.cu_bo = pdi;
    }
    EXPECT_EQ(call(8 + 33 * 8, id), -EINVAL);
    config.num_cus = 32;
    EXPECT_EQ(call(8 + 32 * 8, id), 0);
    EXPECT_EQ(call(8 + 32 * 8, id), -EINVAL);  // once
    amdxdna_drm_config_hwctx args{};
    args.handle = id;
    args.param_val = 8;
    args.param_val_size = 16;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, args), -EFAULT);
}

TEST_F(HwctxTest, DebugBos) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx context{};
    ASSERT_EQ(file->context(1, context), 0);
    const auto bo = static_cast<uint32_t>(file->create(AMDXDNA_BO_DEV, 4096));
    const auto config = [&](uint32_t type, uint32_t value) {
        amdxdna_drm_config_hwctx args{};
        args.handle = context.handle;
        args.param_type = type;
        args.param_val = value;
        return file->call(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, args);
    };
    const auto sync = [&] {
        amdxdna_drm_sync_bo args{bo, SYNC_DIRECT_FROM_DEVICE, 0, 4096};
        return file->call(DRM_IOCTL_AMDXDNA_SYNC_BO, args);
    };
    EXPECT_EQ(config(DRM_AMDXDNA_HWCTX_REMOVE_DBG_BUF, bo), -EINVAL);
    EXPECT_EQ(config(DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF, 77), -EINVAL);
    EXPECT_EQ(sync(), -EINVAL);
    EXPECT_EQ(config(DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF, bo), 0);
    EXPECT_EQ(config(DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF, bo), -EBUSY);
    EXPECT_EQ(sync(), 0);
    EXPECT_EQ(config(DRM_AMDXDNA_HWCTX_REMOVE_DBG_BUF, bo), 0);
    EXPECT_EQ(entries()[0].command_submissions, 3U);  // they go along the context's queue
    EXPECT_EQ(entries()[0].command_completions, 3U);
}

TEST_F(HwctxTest, GetInfoCopiesWhatFits) {
    amdxdna_drm_query_aie_metadata metadata{};
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_AIE_METADATA, metadata), 0);
    EXPECT_EQ(metadata.cols, 5U);
    EXPECT_EQ(metadata.rows, 6U);
    EXPECT_EQ(metadata.core.row_count, 4U);
    EXPECT_EQ(metadata.core.row_start, 2U);
    amdxdna_drm_query_aie_metadata part{};
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_AIE_METADATA, part, 6), 0);
    EXPECT_EQ(part.cols, 5U);
    EXPECT_EQ(part.rows, 0U);
    uint64_t bad = 0;
    EXPECT_EQ(info(6, bad), -EOPNOTSUPP);
    EXPECT_EQ(info(DRM_AMDXDNA_QUERY_SENSORS, bad), -ENODEV);
    amdxdna_drm_get_info args{DRM_AMDXDNA_QUERY_AIE_VERSION, 8, 8};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_INFO, args), -EFAULT);
    amdxdna_drm_query_firmware_version version{};
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_FIRMWARE_VERSION, version), 0);
    EXPECT_EQ(version.major, 1U);
    amdxdna_drm_get_resource_info resources{};
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_RESOURCE_INFO, resources), 0);
    EXPECT_EQ(resources.npu_clk_max, 1600U);
    EXPECT_EQ(resources.npu_tops_max, 10U);
    EXPECT_EQ(resources.npu_tops_curr, 15U);
    EXPECT_EQ(resources.npu_task_max, 6U);
    EXPECT_EQ(resources.npu_task_curr, 0U);
}

TEST_F(HwctxTest, HwContextsLeaveTheRestOfTheBuffer) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx args{};
    ASSERT_EQ(file->context(1, args), 0);
    ASSERT_EQ(file->context(1, args), 0);
    amdxdna_drm_query_hwctx out[4] = {};
    amdxdna_drm_get_info query{DRM_AMDXDNA_QUERY_HW_CONTEXTS, sizeof out,
                               reinterpret_cast<uint64_t>(out)};
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_INFO, query), 0);
    EXPECT_EQ(query.buffer_size, 2 * sizeof out[0]);
    EXPECT_EQ(out[1].context_id, 2U);
    EXPECT_EQ(out[1].start_col, 2U);
    EXPECT_EQ(out[1].pid, ::getpid());
    query = {DRM_AMDXDNA_QUERY_HW_CONTEXTS, sizeof out[0], reinterpret_cast<uint64_t>(out)};
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_INFO, query), 0);
    EXPECT_EQ(query.buffer_size, 0U);  // one fits, the other is left out
    query = {DRM_AMDXDNA_QUERY_HW_CONTEXTS, sizeof out, 8};
    ASSERT_EQ(file->call(DRM_IOCTL_AMDXDNA_GET_INFO, query), 0);
    EXPECT_EQ(query.buffer_size, sizeof out);
}

TEST_F(HwctxTest, GetArrayRules) {
    amdxdna_drm_hwctx_entry entry{};
    amdxdna_drm_get_array args{};
    const auto call = [&](uint32_t param, uint32_t size, uint32_t count, uint32_t pad = 0) {
        args = {param, size, count, pad, reinterpret_cast<uint64_t>(&entry)};
        return file->call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args);
    };
    EXPECT_EQ(call(0, 0, 1), -EINVAL);
    EXPECT_EQ(call(0, 144, 0), -EINVAL);
    EXPECT_EQ(call(0, 144, 1, 1), -EINVAL);
    EXPECT_EQ(call(0, 4097, 1), -EINVAL);
    EXPECT_EQ(call(0, 144, 1025), -EINVAL);
    EXPECT_EQ(call(1, 144, 1), -EOPNOTSUPP);
    EXPECT_EQ(call(0, 4096, 1), 0);
    EXPECT_EQ(args.element_size, sizeof entry);
    EXPECT_EQ(args.num_element, 0U);
    EXPECT_EQ(call(DRM_AMDXDNA_HW_LAST_ASYNC_ERR, 4096, 7), 0);
    EXPECT_EQ(args.element_size, sizeof(amdxdna_async_error));
    EXPECT_EQ(args.num_element, 1U);
    EXPECT_EQ(call(DRM_AMDXDNA_BO_USAGE, 32, 2), -EINVAL);
    EXPECT_EQ(call(DRM_AMDXDNA_BO_USAGE, 32, 1), -EINVAL);  // pid 0
}

TEST_F(HwctxTest, TelemetryNeedsRoomForItsHeader) {
    struct {
        struct {
            uint32_t major, minor, type, map_num_elements;
        } header;
        uint32_t words[70];
    } out{};
    constexpr uint32_t kHeader = 16 + 6 * 4;
    EXPECT_EQ(info(DRM_AMDXDNA_QUERY_TELEMETRY, out, kHeader), -EINVAL);
    out.header.type = 5;
    EXPECT_EQ(info(DRM_AMDXDNA_QUERY_TELEMETRY, out, kHeader + 64), -EINVAL);
    out.header.type = 1;
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx args{};
    ASSERT_EQ(file->context(1, args), 0);
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_TELEMETRY, out, kHeader + 64), 0);
    EXPECT_EQ(out.header.map_num_elements, 6U);
    EXPECT_EQ(out.words[5], 1U);  // the firmware counts its contexts down
    EXPECT_EQ(out.words[6], ~0U);
    EXPECT_EQ(out.words[6 + 16], 0U);
}

TEST_F(HwctxTest, ColumnStatusNamesTheColumnsInUse) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx args{};
    ASSERT_EQ(file->context(2, args), 0);
    amdxdna_drm_query_aie_status status{};
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_AIE_STATUS, status), 0);
    EXPECT_EQ(status.cols_filled, 0b110U);
    std::vector<uint8_t> dump(0x2000 * 3, 7);
    status.buffer = reinterpret_cast<uint64_t>(dump.data());
    status.buffer_size = static_cast<uint32_t>(dump.size());
    ASSERT_EQ(info(DRM_AMDXDNA_QUERY_AIE_STATUS, status), 0);
    EXPECT_EQ(dump[0x3fff], 0xff);
    EXPECT_EQ(dump[0x4000], 7);  // two columns
    status.buffer = 8;
    EXPECT_EQ(info(DRM_AMDXDNA_QUERY_AIE_STATUS, status), -EFAULT);
}

TEST_F(HwctxTest, PreemptStatesAreRemembered) {
    caller.root = true;
    amdxdna_drm_attribute_state state{2, {}};
    amdxdna_drm_set_state args{DRM_AMDXDNA_SET_FORCE_PREEMPT, sizeof state,
                               reinterpret_cast<uint64_t>(&state)};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), -EINVAL);
    state.state = 1;
    state.pad[6] = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), -EINVAL);
    state.pad[6] = 0;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), 0);
    amdxdna_drm_attribute_state out{};
    ASSERT_EQ(info(DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE, out), 0);
    EXPECT_EQ(out.state, 1);
    ASSERT_EQ(info(DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE, out), 0);
    EXPECT_EQ(out.state, 0);
    args.param = DRM_AMDXDNA_WRITE_AIE_MEM;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), -EOPNOTSUPP);
    args = {DRM_AMDXDNA_SET_POWER_MODE, 8, 8};
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), -EFAULT);
}

class SuspendTest : public HwctxTest {
  protected:
    SuspendTest()
        : HwctxTest([] {
              Driver::Options options;
              options.autosuspend_delay_ms = 20;
              return options;
          }()) {}
};

TEST_F(SuspendTest, ContextsComeBackFromSuspend) {
    const Map heap = file->heap();
    amdxdna_drm_create_hwctx args{};
    ASSERT_EQ(file->context(1, args), 0);
    while (!logged("Suspend done")) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    EXPECT_EQ(entries().size(), 1U);
    EXPECT_TRUE(logged("Resume done"));
    EXPECT_EQ(file->destroy_context(args.handle), 0);
}

TEST(ColumnSolver, SharesThePartitionWithTheFewestUsers) {
    driver::ColumnSolver solver(5);
    uint32_t start = 9;
    const std::vector<uint32_t> starts = {1, 2, 3, 4};
    for (uint64_t id = 0; id < 5; ++id) {
        ASSERT_EQ(solver.allocate(id, starts, 1, start), 0);
    }
    EXPECT_EQ(start, 1U);
    solver.release(1);  // column 2
    ASSERT_EQ(solver.allocate(6, starts, 1, start), 0);
    EXPECT_EQ(start, 2U);
    ASSERT_EQ(solver.allocate(7, starts, 1, start), 0);
    EXPECT_EQ(start, 3U);  // of those with one user, the partition that was made first
}

}  // namespace
}  // namespace xdna::emu::test
