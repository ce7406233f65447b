// GET_INFO: each parameter's content, and how much of it is copied.
#include <unistd.h>

#include <array>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using GetInfo = Conformance;
using GetInfoContext = ContextConformance;

TEST_F(GetInfo, ParamMustBeKnown) {
    rule("aie2_pci.c: aie2_get_info", "an unknown parameter is EOPNOTSUPP");
    std::array<uint8_t, 64> buffer{};
    uint32_t size = buffer.size();
    for (uint32_t param : {6U, 7U, 14U, 100U, ~0U}) {
        EXPECT_EQ(device.get_info(param, buffer.data(), size), fails_with(EOPNOTSUPP)) << param;
    }
}

TEST_F(GetInfo, AieMetadata) {
    rule("aie2_message.c: aie2_query_aie_metadata",
         "the array's shape: npu1 has 5 columns of 6 rows");
    amdxdna_drm_query_aie_metadata metadata{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_AIE_METADATA, metadata), kOk);
    EXPECT_EQ(metadata.rows,
              metadata.core.row_count + metadata.mem.row_count + metadata.shim.row_count);
    EXPECT_GT(metadata.col_size, 0U);
    EXPECT_EQ(metadata.shim.row_start, 0);
    EXPECT_EQ(metadata.mem.row_start, metadata.shim.row_count);
    EXPECT_EQ(metadata.core.row_start, metadata.shim.row_count + metadata.mem.row_count);
    for (uint16_t pad : metadata.core.pad) {
        EXPECT_EQ(pad, 0);
    }
    XDNA_NEED(target().npu1, "npu1's numbers");
    EXPECT_EQ(metadata.cols, 5);
    EXPECT_EQ(metadata.rows, 6);
    EXPECT_EQ(metadata.core.row_count, 4);
    EXPECT_EQ(metadata.core.dma_channel_count, 2);
    EXPECT_EQ(metadata.mem.dma_channel_count, 6);
    EXPECT_EQ(metadata.shim.dma_channel_count, 2);
    EXPECT_EQ(metadata.core.lock_count, 16);
    EXPECT_EQ(metadata.mem.lock_count, 64);
    EXPECT_EQ(metadata.shim.lock_count, 16);
}

TEST_F(GetInfo, AieVersion) {
    rule("aie2_pci.c: aie2_get_aie_version",
         "the array's version is the firmware's answer, and not 0");
    amdxdna_drm_query_aie_version version{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_AIE_VERSION, version), kOk);
    EXPECT_NE(version.major, 0U);
}

TEST_F(GetInfo, FirmwareVersion) {
    rule("aie2_pci.c: aie2_get_firmware_version", "the firmware has a version");
    amdxdna_drm_query_firmware_version version{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_FIRMWARE_VERSION, version), kOk);
    EXPECT_NE(version.major + version.minor + version.patch + version.build, 0U);
}

TEST_F(GetInfo, Clocks) {
    rule("aie2_pci.c: aie2_get_clock_metadata", "two clocks, by these names, that run");
    amdxdna_drm_query_clock_metadata clocks{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_CLOCK_METADATA, clocks), kOk);
    EXPECT_STREQ(reinterpret_cast<const char*>(clocks.mp_npu_clock.name), "MP-NPU Clock");
    EXPECT_STREQ(reinterpret_cast<const char*>(clocks.h_clock.name), "H Clock");
    EXPECT_GT(clocks.mp_npu_clock.freq_mhz, 0U);
    EXPECT_GT(clocks.h_clock.freq_mhz, 0U);
    EXPECT_EQ(clocks.h_clock.pad, 0U);
}

TEST_F(GetInfo, PowerMode) {
    rule("aie2_pci.c: aie2_get_power_mode", "the mode is 0 to 4, the pad zeros");
    amdxdna_drm_get_power_mode mode{};
    memset(&mode, 0xFF, sizeof(mode));
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_GET_POWER_MODE, mode), kOk);
    EXPECT_LE(mode.power_mode, POWER_MODE_TURBO);
    for (uint8_t pad : mode.pad) {
        EXPECT_EQ(pad, 0);
    }
}

TEST_F(GetInfo, Resources) {
    rule("aie2_pci.c: aie2_query_resource_info", "limits and what is used of them");
    XDNA_NEED(target().minor >= 4, "a query of driver 0.4");
    amdxdna_drm_get_resource_info info{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_RESOURCE_INFO, info), kOk);
    EXPECT_LE(info.npu_task_curr, info.npu_task_max);
    EXPECT_LE(info.npu_tops_curr, 2 * info.npu_tops_max);
    XDNA_NEED(target().npu1, "npu1's numbers");
    EXPECT_EQ(info.npu_task_max, 6U);
    EXPECT_EQ(info.npu_clk_max, 1600U);
    EXPECT_EQ(info.npu_tops_max, 2 * target().columns);
}

TEST_F(GetInfoContext, ResourcesCountContexts) {
    rule("aie2_message.c: aie2_create_context", "current tasks are the contexts in the firmware");
    XDNA_NEED(target().minor >= 4, "a query of driver 0.4");
    amdxdna_drm_get_resource_info with{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_RESOURCE_INFO, with), kOk);
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    amdxdna_drm_get_resource_info without{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_RESOURCE_INFO, without), kOk);
    EXPECT_EQ(without.npu_task_curr + 1, with.npu_task_curr);
}

TEST_F(GetInfo, PreemptionStates) {
    rule("aie2_pci.c: aie2_get_preempt_state", "both preemption states are 0 or 1, the pads zeros");
    XDNA_NEED(target().minor >= 6, "queries of driver 0.6");
    for (uint32_t param :
         {DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE, DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE}) {
        amdxdna_drm_attribute_state state{};
        memset(&state, 0xFF, sizeof(state));
        ASSERT_EQ(device.get_info(param, state), kOk);
        EXPECT_LE(state.state, 1);
        for (uint8_t pad : state.pad) {
            EXPECT_EQ(pad, 0);
        }
    }
}

TEST_F(GetInfo, Sensors) {
    rule("aie2_pci.c: aie2_get_sensors",
         "power first, then columns; the size comes back as what was written");
    XDNA_NEED(target().minor >= 7, "a query of driver 0.7");
    std::array<amdxdna_drm_query_sensor, 16> sensors{};
    uint32_t size = sizeof(sensors);
    Status status = device.get_info(DRM_AMDXDNA_QUERY_SENSORS, sensors.data(), size);
    // Without a platform that measures (AMD_PMF) the query ends with its error.
    XDNA_NEED(status.is_ok() || (status != fails_with(ENODEV) && status != fails_with(EOPNOTSUPP)),
              "no power sensors on this platform");
    ASSERT_EQ(status, kOk);
    ASSERT_EQ(size, (1 + std::min(target().columns, 8U)) * sizeof(sensors[0]));
    EXPECT_EQ(sensors[0].type, AMDXDNA_SENSOR_TYPE_POWER);
    EXPECT_STREQ(reinterpret_cast<const char*>(sensors[0].label), "Total Power");
    EXPECT_STREQ(reinterpret_cast<const char*>(sensors[0].units), "mW");
    EXPECT_EQ(sensors[1].type, AMDXDNA_SENSOR_TYPE_COLUMN_UTILIZATION);
    uint32_t short_size = sizeof(sensors[0]) - 1;
    EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_SENSORS, sensors.data(), short_size), kOk);
    EXPECT_EQ(short_size, 0U);
}

// ---- how much is copied

struct Query {
    const char* name;
    uint32_t param;
    uint32_t size;
    int minor;
};

class FixedQuery : public Conformance, public testing::WithParamInterface<Query> {
  protected:
    void SetUp() override {
        Conformance::SetUp();
        XDNA_NEED(target().minor >= GetParam().minor, "a query of a later driver");
    }
};

TEST_P(FixedQuery, CopiesTheSmallerSize) {
    rule("aie2_pci.c: aie2_get_info",
         "min(buffer_size, structure) bytes are written, the rest stays");
    const Query& row = GetParam();
    std::vector<uint8_t> whole(row.size);
    uint32_t size = row.size;
    ASSERT_EQ(device.get_info(row.param, whole.data(), size), kOk);
    EXPECT_EQ(size, row.size) << "buffer_size is not changed";
    for (uint32_t asked : {0U, 1U, row.size - 1, row.size + 8}) {
        std::vector<uint8_t> buffer(row.size + 16, 0xEE);
        uint32_t given = asked;
        ASSERT_EQ(device.get_info(row.param, buffer.data(), given), kOk) << asked;
        const uint32_t written = std::min(asked, row.size);
        EXPECT_TRUE(std::equal(whole.begin(), whole.begin() + written, buffer.begin())) << asked;
        for (size_t i = written; i < buffer.size(); i++) {
            ASSERT_EQ(buffer[i], 0xEE) << "byte " << i << " of " << asked;
        }
    }
}

TEST_P(FixedQuery, RefusesABadBuffer) {
    rule("aie2_pci.c: aie2_get_info",
         "an unwritable buffer is EFAULT; with a size of 0 it is not touched");
    const Query& row = GetParam();
    Mapping bad = inaccessible_page();
    Mapping constant = read_only_page();
    uint32_t size = row.size;
    EXPECT_EQ(device.get_info(row.param, bad.data(), size), fails_with(EFAULT));
    EXPECT_EQ(device.get_info(row.param, constant.data(), size), fails_with(EFAULT));
    EXPECT_EQ(device.get_info(row.param, nullptr, size), fails_with(EFAULT));
    size = 0;
    EXPECT_EQ(device.get_info(row.param, bad.data(), size), kOk);
}

const Query kQueries[] = {
    {"AieMetadata", DRM_AMDXDNA_QUERY_AIE_METADATA, sizeof(amdxdna_drm_query_aie_metadata), 0},
    {"AieVersion", DRM_AMDXDNA_QUERY_AIE_VERSION, sizeof(amdxdna_drm_query_aie_version), 0},
    {"Clocks", DRM_AMDXDNA_QUERY_CLOCK_METADATA, sizeof(amdxdna_drm_query_clock_metadata), 0},
    {"FirmwareVersion", DRM_AMDXDNA_QUERY_FIRMWARE_VERSION,
     sizeof(amdxdna_drm_query_firmware_version), 0},
    {"PowerMode", DRM_AMDXDNA_GET_POWER_MODE, sizeof(amdxdna_drm_get_power_mode), 0},
    {"Resources", DRM_AMDXDNA_QUERY_RESOURCE_INFO, sizeof(amdxdna_drm_get_resource_info), 4},
    {"ForcePreempt", DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE, sizeof(amdxdna_drm_attribute_state), 6},
    {"FrameBoundary", DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE,
     sizeof(amdxdna_drm_attribute_state), 6},
};

INSTANTIATE_TEST_SUITE_P(Of, FixedQuery, testing::ValuesIn(kQueries), RowName());

// ---- contexts

TEST_F(GetInfoContext, ListsContexts) {
    rule("aie2_pci.c: aie2_get_hwctx_status",
         "64 bytes a context; buffer_size comes back as the bytes left");
    std::array<amdxdna_drm_query_hwctx, 16> list{};
    uint32_t left = sizeof(list);
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_HW_CONTEXTS, list.data(), left), kOk);
    const size_t count = (sizeof(list) - left) / sizeof(list[0]);
    ASSERT_GE(count, 1U);
    EXPECT_EQ(left % sizeof(list[0]), 0U);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        if (list[i].pid == getpid() && list[i].context_id == context.handle) {
            found = true;
            EXPECT_GE(list[i].num_col, 1U);
            EXPECT_LT(list[i].start_col, target().columns);
            EXPECT_EQ(list[i].command_submissions, 0U);
            EXPECT_EQ(list[i].errors, 0U);
        }
    }
    EXPECT_TRUE(found);
}

TEST_F(GetInfoContext, ListsAsManyAsFit) {
    rule("aie2_pci.c: aie2_get_hwctx_status", "too short a buffer gets what fits, and no error");
    Context second;
    ASSERT_EQ(device.create_hwctx(column_tiles(), second), kOk);
    std::array<amdxdna_drm_query_hwctx, 3> list{};
    memset(list.data(), 0xEE, sizeof(list));
    uint32_t size = sizeof(list[0]) + 10;
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_HW_CONTEXTS, list.data(), size), kOk);
    EXPECT_EQ(size, 10U);
    EXPECT_EQ(list[1].context_id, 0xEEEEEEEEU);
    size = sizeof(list[0]) - 1;
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_HW_CONTEXTS, list.data(), size), kOk);
    EXPECT_EQ(size, sizeof(list[0]) - 1) << "nothing fits";
    size = 0;
    EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_HW_CONTEXTS, nullptr, size), kOk);
}

TEST_F(GetInfoContext, ListingSwallowsFaults) {
    rule("aie2_pci.c: aie2_get_hwctx_status",
         "an unwritable buffer ends the list, without an error");
    XDNA_NEED_CURRENT();
    Mapping bad = inaccessible_page();
    uint32_t size = 1024;
    EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_HW_CONTEXTS, bad.data(), size), kOk);
    EXPECT_EQ(size, 1024U);
}

// ---- the array's status

TEST_F(GetInfoContext, AieStatus) {
    rule("aie2_message.c: aie2_query_status", "cols_filled is the bitmap of all contexts' columns");
    std::vector<uint8_t> dump(1 << 20);
    amdxdna_drm_query_aie_status status{.buffer = reinterpret_cast<uint64_t>(dump.data()),
                                        .buffer_size = static_cast<uint32_t>(dump.size())};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_AIE_STATUS, status), kOk);
    uint32_t expected = 0;
    for (const auto& each : device.contexts()) {
        expected |= ((1U << each.num_col) - 1) << each.start_col;
    }
    EXPECT_EQ(status.cols_filled, expected);
}

TEST_F(GetInfoContext, AieStatusStaysInItsBuffer) {
    rule("aie2_message.c: aie2_query_status", "no more than buffer_size bytes are written");
    std::array<uint8_t, 64> dump{};
    dump.fill(0xEE);
    constexpr uint32_t kSize = 16;
    amdxdna_drm_query_aie_status status{.buffer = reinterpret_cast<uint64_t>(dump.data()),
                                        .buffer_size = kSize};
    // Drivers before 7.3 say EINVAL.
    (void)device.get_info(DRM_AMDXDNA_QUERY_AIE_STATUS, status);
    for (size_t i = kSize; i < dump.size(); i++) {
        EXPECT_EQ(dump[i], 0xEE);
    }
}

TEST_F(GetInfoContext, AieStatusRefusesBadBuffers) {
    rule("aie2_pci.c: aie2_get_aie_status",
         "an unreadable request, or an unwritable dump, is EFAULT");
    Mapping bad = inaccessible_page();
    uint32_t size = sizeof(amdxdna_drm_query_aie_status);
    EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_AIE_STATUS, bad.data(), size), fails_with(EFAULT));
    amdxdna_drm_query_aie_status status{.buffer = bad.address(), .buffer_size = 1 << 20};
    EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_AIE_STATUS, status), fails_with(EFAULT));
}

// ---- telemetry

class Telemetry : public ContextConformance {
  protected:
    void SetUp() override {
        ContextConformance::SetUp();
        XDNA_NEED(target().minor >= 5, "a query of driver 0.5");
        amdxdna_drm_get_resource_info info{};
        ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_RESOURCE_INFO, info), kOk);
        limit = static_cast<uint32_t>(info.npu_task_max);
        header = static_cast<uint32_t>(sizeof(amdxdna_drm_query_telemetry_header) +
                                       limit * sizeof(uint32_t));
        buffer.resize((header + (64 << 10)) / sizeof(uint32_t));
    }
    Status query(uint32_t type, uint32_t size) {
        std::fill(buffer.begin(), buffer.end(), 0);
        buffer[2] = type;
        return device.get_info(DRM_AMDXDNA_QUERY_TELEMETRY, buffer.data(), size);
    }
    uint32_t limit = 0;
    uint32_t header = 0;
    Words buffer;
};

TEST_F(Telemetry, BufferMustPassTheHeader) {
    rule("aie2_pci.c: aie2_get_telemetry", "a buffer no larger than header and map is EINVAL");
    EXPECT_EQ(query(0, 0), fails_with(EINVAL));
    EXPECT_EQ(query(0, header), fails_with(EINVAL));
}

TEST_F(Telemetry, TypeMustBeKnown) {
    rule("aie2_message.c: aie2_query_telemetry", "a type of 5 or more is EINVAL");
    const auto size = static_cast<uint32_t>(buffer.size() * sizeof(uint32_t));
    for (uint32_t type : {5U, 6U, ~0U}) {
        EXPECT_EQ(query(type, size), fails_with(EINVAL)) << type;
    }
}

TEST_F(Telemetry, BufferMustBeReadable) {
    rule("aie2_pci.c: aie2_get_telemetry", "an unreadable header is EFAULT");
    Mapping bad = inaccessible_page();
    uint32_t size = 64 << 10;
    EXPECT_EQ(device.get_info(DRM_AMDXDNA_QUERY_TELEMETRY, bad.data(), size), fails_with(EFAULT));
}

TEST_F(Telemetry, MapsFirmwareContexts) {
    rule("aie2_pci.c: aie2_fill_hwctx_map",
         "the map gives the driver's context for each of the firmware's");
    const auto size = static_cast<uint32_t>(buffer.size() * sizeof(uint32_t));
    Status status = query(1, size);
    XDNA_NEED(status != fails_with(EINVAL), "this firmware has no such telemetry");
    ASSERT_EQ(status, kOk);
    EXPECT_EQ(buffer[2], 1U) << "the type stays";
    EXPECT_EQ(buffer[3], limit);
    bool found = false;
    for (uint32_t i = 0; i < limit; i++) {
        found |= buffer[4 + i] == context.handle;
    }
    EXPECT_TRUE(found);
}

}  // namespace
}  // namespace xdna::conformance
