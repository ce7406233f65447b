// Queries and settings: what goes to the driver, what becomes of its answers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/xdna/kernels.hpp"
#include "tests/unit/xdna/script.hpp"

namespace xdna::test {
namespace {

/// Scripts one GET_INFO: what the buffer must hold, what comes back, and the size that does.
void expect_info(Machine& machine, uint32_t param, uint32_t size, const Bytes& reply,
                 uint32_t returned_size, const Bytes& expected = {}, int error = 0) {
    amdxdna_drm_get_info info{};
    info.param = param;
    info.buffer_size = size;
    amdxdna_drm_get_info answer = info;
    answer.buffer_size = returned_size;
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_INFO, info, answer, error,
                          {{offsetof(amdxdna_drm_get_info, buffer), expected, reply}});
}

template <class Struct>
void expect_struct(Machine& machine, uint32_t param, const Struct& reply) {
    expect_info(machine, param, sizeof reply, bytes_of(reply), sizeof reply);
}

template <size_t N>
void put_text(__u8 (&to)[N], const char* text) {
    std::memcpy(to, text, std::min(N, std::strlen(text)));
}

XDNA_ON_EVERY_KERNEL(QueryOn);

TEST_P(QueryOn, MetadataVersionsClocksAndPowerMode) {
    Machine machine(GetParam());
    machine.expect_metadata();
    xdna_aie_metadata metadata{};
    ASSERT_EQ(xdna_query_aie_metadata(machine.device, &metadata), 0);
    EXPECT_EQ(metadata.column_bytes, 4096U);
    EXPECT_EQ(metadata.columns, 5);
    EXPECT_EQ(metadata.rows, 6);
    EXPECT_EQ(metadata.version_major, 2U);
    EXPECT_EQ(metadata.core.row_count, 4);
    EXPECT_EQ(metadata.core.row_start, 2);
    EXPECT_EQ(metadata.mem.lock_count, 64);
    EXPECT_EQ(metadata.shim.dma_channel_count, 4);

    expect_struct(machine, DRM_AMDXDNA_QUERY_AIE_VERSION, amdxdna_drm_query_aie_version{2, 7});
    xdna_aie_version version{};
    ASSERT_EQ(xdna_query_aie_version(machine.device, &version), 0);
    EXPECT_EQ(version.major, 2U);
    EXPECT_EQ(version.minor, 7U);

    expect_struct(machine, DRM_AMDXDNA_QUERY_FIRMWARE_VERSION,
                  amdxdna_drm_query_firmware_version{1, 5, 5, 391});
    xdna_firmware_version firmware{};
    ASSERT_EQ(xdna_query_firmware_version(machine.device, &firmware), 0);
    EXPECT_EQ(firmware.patch, 5U);
    EXPECT_EQ(firmware.build, 391U);

    amdxdna_drm_query_clock_metadata clocks{};
    put_text(clocks.mp_npu_clock.name, "MP-NPU Clock");
    clocks.mp_npu_clock.freq_mhz = 400;
    put_text(clocks.h_clock.name, "exactly 16 bytes");
    clocks.h_clock.freq_mhz = 800;
    expect_struct(machine, DRM_AMDXDNA_QUERY_CLOCK_METADATA, clocks);
    xdna_clocks out{};
    ASSERT_EQ(xdna_query_clocks(machine.device, &out), 0);
    EXPECT_STREQ(out.mp_npu.name, "MP-NPU Clock");
    EXPECT_EQ(out.mp_npu.mhz, 400U);
    EXPECT_STREQ(out.h.name, "exactly 16 bytes");
    EXPECT_EQ(out.h.mhz, 800U);

    amdxdna_drm_get_power_mode mode{};
    mode.power_mode = POWER_MODE_TURBO;
    expect_struct(machine, DRM_AMDXDNA_GET_POWER_MODE, mode);
    xdna_power_mode power{};
    ASSERT_EQ(xdna_query_power_mode(machine.device, &power), 0);
    EXPECT_EQ(power, XDNA_POWER_TURBO);
}

TEST(Query, AieStatusCountsTheColumnsThatAreThere) {
    Machine machine(kLinux73);
    std::vector<uint8_t> buffer(5 * 4096);
    machine.expect_metadata();
    amdxdna_drm_query_aie_status status{};
    status.buffer = reinterpret_cast<uintptr_t>(buffer.data());
    status.buffer_size = static_cast<uint32_t>(buffer.size());
    amdxdna_drm_query_aie_status answer = status;
    answer.cols_filled = 0b1110;
    expect_info(machine, DRM_AMDXDNA_QUERY_AIE_STATUS, sizeof status, bytes_of(answer),
                sizeof status, bytes_of(status));
    xdna_aie_status out{};
    ASSERT_EQ(xdna_query_aie_status(machine.device, buffer.data(), 5 * 4096, &out), 0);
    EXPECT_EQ(out.columns_filled, 0b1110U);
    EXPECT_EQ(out.bytes, 3U * 4096);
    EXPECT_EQ(xdna_query_aie_status(machine.device, buffer.data(), 5 * 4096 - 1, &out), -EINVAL);
    EXPECT_EQ(xdna_query_aie_status(machine.device, nullptr, 5 * 4096, &out), -EINVAL);
}

TEST(Query, SensorsAreAsManyAsTheBytesThatComeBack) {
    Machine machine(kLinux73);
    amdxdna_drm_query_sensor sensors[2]{};
    put_text(sensors[0].label, "Total Power");
    put_text(sensors[0].units, "mW");
    sensors[0].input = 1234;
    sensors[0].unitm = -3;
    put_text(sensors[1].label, "Column 0 Utilization");
    sensors[1].type = AMDXDNA_SENSOR_TYPE_COLUMN_UTILIZATION;
    sensors[1].input = 42;
    for (const uint32_t capacity : {2U, 1U, 0U}) {
        expect_info(machine, DRM_AMDXDNA_QUERY_SENSORS, 64 * sizeof sensors[0], bytes_of(sensors),
                    sizeof sensors);
        std::vector<xdna_sensor> list(2);
        EXPECT_EQ(
            xdna_query_sensors(machine.device, capacity != 0 ? list.data() : nullptr, capacity), 2);
        EXPECT_STREQ(list[0].label, capacity > 0 ? "Total Power" : "");
        EXPECT_STREQ(list[1].label, capacity > 1 ? "Column 0 Utilization" : "");
        if (capacity == 2) {
            EXPECT_EQ(list[0].input, 1234U);
            EXPECT_EQ(list[0].unit_exponent, -3);
            EXPECT_STREQ(list[0].units, "mW");
            EXPECT_EQ(list[1].type, XDNA_SENSOR_COLUMN_UTILIZATION);
        }
    }
    EXPECT_EQ(xdna_query_sensors(machine.device, nullptr, 1), -EINVAL);
}

TEST_P(QueryOn, ContextsAreCountedFromTheBytesThatAreLeft) {
    Machine machine(GetParam());
    amdxdna_drm_query_hwctx contexts[2]{};
    contexts[0] = {1, 1, 4, 0, 4711, 10, 9, 0, 0, 1};
    contexts[1] = {2, 0, 5, 0, 4712, 3, 3, 0, 0, 0};
    const uint32_t room = 64 * sizeof contexts[0];
    expect_info(machine, DRM_AMDXDNA_QUERY_HW_CONTEXTS, room, bytes_of(contexts),
                room - static_cast<uint32_t>(sizeof contexts));
    xdna_hwctx_info list[2]{};
    ASSERT_EQ(xdna_query_hwctx(machine.device, list, 2), 2);
    EXPECT_EQ(list[0].context_id, 1U);
    EXPECT_EQ(list[0].start_column, 1U);
    EXPECT_EQ(list[0].columns, 4U);
    EXPECT_EQ(list[0].pid, 4711);
    EXPECT_EQ(list[0].submissions, 10U);
    EXPECT_EQ(list[0].completions, 9U);
    EXPECT_EQ(list[0].errors, 1U);
    EXPECT_EQ(list[1].pid, 4712);
    // None at all.
    expect_info(machine, DRM_AMDXDNA_QUERY_HW_CONTEXTS, room, {}, room);
    EXPECT_EQ(xdna_query_hwctx(machine.device, nullptr, 0), 0);
}

TEST(Query, AFullListIsAskedForAgainLonger) {
    Machine machine(kLinux73);
    const std::vector<amdxdna_drm_query_hwctx> contexts(70);
    const auto* begin = reinterpret_cast<const uint8_t*>(contexts.data());
    const auto size = static_cast<uint32_t>(sizeof contexts[0]);
    expect_info(machine, DRM_AMDXDNA_QUERY_HW_CONTEXTS, 64 * size, Bytes(begin, begin + 64 * size),
                0);
    expect_info(machine, DRM_AMDXDNA_QUERY_HW_CONTEXTS, 128 * size, Bytes(begin, begin + 70 * size),
                58 * size);
    EXPECT_EQ(xdna_query_hwctx(machine.device, nullptr, 0), 70);
}

void expect_array(Machine& machine, uint32_t param, uint32_t element, uint32_t count,
                  uint32_t element_back, uint32_t count_back, const Bytes& reply,
                  const Bytes& expected = {}, int error = 0) {
    amdxdna_drm_get_array array{};
    array.param = param;
    array.element_size = element;
    array.num_element = count;
    amdxdna_drm_get_array answer = array;
    answer.element_size = element_back;
    answer.num_element = count_back;
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_ARRAY, array, answer, error,
                          {{offsetof(amdxdna_drm_get_array, buffer), expected, reply}});
}

amdxdna_drm_hwctx_entry entry(uint32_t id) {
    amdxdna_drm_hwctx_entry entry{};
    entry.context_id = id;
    entry.hwctx_id = id + 10;
    entry.pid = 100 + id;
    entry.priority = 0x200;
    entry.heap_usage = 4096;
    entry.state = AMDXDNA_HWCTX_STATE_ACTIVE;
    entry.pasid = 7;
    entry.gops = 1;
    entry.frame_exec_time = 5;
    entry.fatal_error_app_module = 9;
    return entry;
}

TEST(Query, AllContextsWithEveryField) {
    Machine machine(kLinux73);
    const amdxdna_drm_hwctx_entry entries[2] = {entry(1), entry(2)};
    const uint32_t size = sizeof entries[0];
    expect_array(machine, DRM_AMDXDNA_HW_CONTEXT_ALL, size, 64, size, 2, bytes_of(entries));
    xdna_hwctx_info list[2]{};
    ASSERT_EQ(xdna_query_hwctx_all(machine.device, list, 2), 2);
    EXPECT_EQ(list[1].context_id, 2U);
    EXPECT_EQ(list[1].hwctx_id, 12U);
    EXPECT_EQ(list[1].pid, 102);
    EXPECT_EQ(list[1].heap_usage, 4096U);
    EXPECT_EQ(list[1].active, 1U);
    EXPECT_EQ(list[1].pasid, 7U);
    EXPECT_EQ(list[1].qos.gops, 1U);
    EXPECT_EQ(list[1].qos.priority, 0x200U);
    EXPECT_EQ(list[1].fatal_error_app_module, 9U);
}

TEST(Query, ShorterEntriesOfAnOlderDriverAreReadAtTheirOwnSize) {
    Machine machine(kLinux618);
    // An entry that ended after `pasid`, packed at that size.
    constexpr uint32_t kShort = offsetof(amdxdna_drm_hwctx_entry, gops);
    Bytes reply;
    for (uint32_t id : {1U, 2U, 3U}) {
        const Bytes bytes = bytes_of(entry(id));
        reply.insert(reply.end(), bytes.begin(), bytes.begin() + kShort);
    }
    expect_array(machine, DRM_AMDXDNA_HW_CONTEXT_ALL, sizeof(amdxdna_drm_hwctx_entry), 64, kShort,
                 3, reply);
    xdna_hwctx_info list[3]{};
    ASSERT_EQ(xdna_query_hwctx_all(machine.device, list, 3), 3);
    EXPECT_EQ(list[2].context_id, 3U);
    EXPECT_EQ(list[2].pasid, 7U);
    EXPECT_EQ(list[2].qos.gops, 0U);
}

TEST(Query, AnElementSizeThatCannotBeIsAnError) {
    Machine machine(kLinux73);
    const uint32_t size = sizeof(amdxdna_drm_hwctx_entry);
    for (const uint32_t back : {0U, size + 8}) {
        expect_array(machine, DRM_AMDXDNA_HW_CONTEXT_ALL, size, 64, back, 1, {});
        EXPECT_EQ(xdna_query_hwctx_all(machine.device, nullptr, 0), -EIO);
    }
}

TEST(Query, TelemetryIsTheMapThenTheData) {
    Machine machine(kLinux73);
    amdxdna_drm_query_telemetry_header header{};
    header.type = 3;
    amdxdna_drm_query_telemetry_header answer{};
    answer.major = 1;
    answer.minor = 2;
    answer.type = 3;
    answer.map_num_elements = 6;
    Bytes reply = bytes_of(answer);
    reply.resize(16 + 100, 0xab);
    expect_info(machine, DRM_AMDXDNA_QUERY_TELEMETRY, 16 + 100, reply, 16 + 100, bytes_of(header));
    std::vector<uint8_t> buffer(100);
    xdna_telemetry out{};
    ASSERT_EQ(xdna_query_telemetry(machine.device, 3, buffer.data(), 100, &out), 0);
    EXPECT_EQ(out.major, 1U);
    EXPECT_EQ(out.minor, 2U);
    EXPECT_EQ(out.type, 3U);
    EXPECT_EQ(out.map_count, 6U);
    EXPECT_EQ(out.bytes, 100U);
    EXPECT_EQ(buffer, std::vector<uint8_t>(100, 0xab));
    EXPECT_EQ(xdna_query_telemetry(machine.device, 5, buffer.data(), 100, &out), -EINVAL);
    EXPECT_EQ(xdna_query_telemetry(machine.device, 0, nullptr, 100, &out), -EINVAL);
}

TEST(Query, AsyncErrorIsPutIntoWords) {
    Machine machine(kLinux73);
    // AMDXDNA_ERROR_ENCODE(instruction, core), at row 3, column 2.
    const amdxdna_async_error error{0x0000'0203'0304'0008, 1'700'000'000'000'000, 0x0302};
    expect_array(machine, DRM_AMDXDNA_HW_LAST_ASYNC_ERR, sizeof error, 1, sizeof error, 1,
                 bytes_of(error));
    xdna_async_error out{};
    ASSERT_EQ(xdna_query_last_async_error(machine.device, &out), 0);
    EXPECT_STREQ(out.what, "core: instruction error, severity 3");
    EXPECT_EQ(out.column, 2);
    EXPECT_EQ(out.row, 3);
    EXPECT_EQ(out.timestamp_us, error.ts_us);
    EXPECT_EQ(out.code, error.err_code);
    // There was none.
    expect_array(machine, DRM_AMDXDNA_HW_LAST_ASYNC_ERR, sizeof error, 1, sizeof error, 1,
                 bytes_of(amdxdna_async_error{}));
    ASSERT_EQ(xdna_query_last_async_error(machine.device, &out), 0);
    EXPECT_EQ(out.code, 0U);
    EXPECT_STREQ(out.what, "");
}

TEST(Query, BoUsageOfThisProcessOrAnother) {
    Machine machine(kLinux73);
    for (const int64_t pid : {int64_t{0}, int64_t{4711}}) {
        amdxdna_drm_bo_usage usage{};
        usage.pid = pid != 0 ? pid : getpid();
        amdxdna_drm_bo_usage answer = usage;
        answer.total_usage = 100;
        answer.internal_usage = 20;
        answer.heap_usage = 3;
        expect_array(machine, DRM_AMDXDNA_BO_USAGE, sizeof usage, 1, sizeof usage, 1,
                     bytes_of(answer), bytes_of(usage));
        xdna_bo_usage out{};
        ASSERT_EQ(xdna_query_bo_usage(machine.device, pid, &out), 0);
        EXPECT_EQ(out.total, 100U);
        EXPECT_EQ(out.internal, 20U);
        EXPECT_EQ(out.heap, 3U);
    }
}

TEST(Query, ResourcesAndPreemption) {
    Machine machine(kLinux73);
    expect_struct(machine, DRM_AMDXDNA_QUERY_RESOURCE_INFO,
                  amdxdna_drm_get_resource_info{1600, 10, 6, 5, 2});
    xdna_resources resources{};
    ASSERT_EQ(xdna_query_resources(machine.device, &resources), 0);
    EXPECT_EQ(resources.npu_clock_max, 1600U);
    EXPECT_EQ(resources.npu_task_max, 6U);
    EXPECT_EQ(resources.npu_task_current, 2U);
    int enabled = -1;
    expect_struct(machine, DRM_AMDXDNA_GET_FORCE_PREEMPT_STATE, amdxdna_drm_attribute_state{1, {}});
    ASSERT_EQ(xdna_query_force_preempt(machine.device, &enabled), 0);
    EXPECT_EQ(enabled, 1);
    expect_struct(machine, DRM_AMDXDNA_GET_FRAME_BOUNDARY_PREEMPT_STATE,
                  amdxdna_drm_attribute_state{0, {}});
    ASSERT_EQ(xdna_query_frame_boundary_preempt(machine.device, &enabled), 0);
    EXPECT_EQ(enabled, 0);
}

TEST(Query, WhatTheDriverIsTooOldForNamesTheVersionNeeded) {
    Machine machine(kLinux614);
    uint8_t buffer[64];
    int enabled = 0;
    xdna_resources resources{};
    xdna_telemetry telemetry{};
    xdna_async_error error{};
    xdna_bo_usage usage{};
    const struct {
        int result;
        std::string message;
        const char* version;
    } rows[] = {
        {xdna_query_hwctx_all(machine.device, nullptr, 0), xdna_error_message(), "0.1"},
        {xdna_query_last_async_error(machine.device, &error), xdna_error_message(), "0.2"},
        {xdna_query_resources(machine.device, &resources), xdna_error_message(), "0.4"},
        {xdna_query_telemetry(machine.device, 0, buffer, 64, &telemetry), xdna_error_message(),
         "0.5"},
        {xdna_query_force_preempt(machine.device, &enabled), xdna_error_message(), "0.6"},
        {xdna_query_frame_boundary_preempt(machine.device, &enabled), xdna_error_message(), "0.6"},
        {xdna_set_force_preempt(machine.device, 1), xdna_error_message(), "0.6"},
        {xdna_set_frame_boundary_preempt(machine.device, 1), xdna_error_message(), "0.6"},
        {xdna_query_sensors(machine.device, nullptr, 0), xdna_error_message(), "0.7"},
        {xdna_query_bo_usage(machine.device, 0, &usage), xdna_error_message(), "0.8"},
    };
    for (const auto& row : rows) {
        EXPECT_EQ(row.result, -EOPNOTSUPP) << row.message;
        EXPECT_NE(row.message.find(std::string("version ") + row.version), std::string::npos)
            << row.message;
    }
}

TEST(Query, WhatTheNpuLacksIsNotAnErrorOfTheVersion) {
    Machine machine(kLinux73);
    expect_info(machine, DRM_AMDXDNA_QUERY_SENSORS, 64 * sizeof(amdxdna_drm_query_sensor), {},
                64 * sizeof(amdxdna_drm_query_sensor), {}, EOPNOTSUPP);
    EXPECT_EQ(xdna_query_sensors(machine.device, nullptr, 0), -EOPNOTSUPP);
    EXPECT_NE(std::string(xdna_error_message()).find("NPU does not have it"), std::string::npos);
}

void expect_setting(Machine& machine, uint32_t param, const Bytes& bytes, int error = 0) {
    amdxdna_drm_set_state state{};
    state.param = param;
    state.buffer_size = static_cast<uint32_t>(bytes.size());
    machine.script.expect(DRM_IOCTL_AMDXDNA_SET_STATE, state, error,
                          {{offsetof(amdxdna_drm_set_state, buffer), bytes, {}}});
}

TEST(Setting, EachIsItsStruct) {
    Machine machine(kLinux73);
    expect_setting(machine, DRM_AMDXDNA_SET_POWER_MODE, {4, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(xdna_set_power_mode(machine.device, XDNA_POWER_TURBO), 0);
    expect_setting(machine, DRM_AMDXDNA_SET_FORCE_PREEMPT, {1, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(xdna_set_force_preempt(machine.device, 1), 0);
    expect_setting(machine, DRM_AMDXDNA_SET_FRAME_BOUNDARY_PREEMPT, {0, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(xdna_set_frame_boundary_preempt(machine.device, 0), 0);
    const uint8_t data[] = {1, 2, 3};
    expect_setting(machine, DRM_AMDXDNA_WRITE_AIE_MEM, {1, 2, 3}, EOPNOTSUPP);
    EXPECT_EQ(xdna_set_aie_memory(machine.device, data, 3), -EOPNOTSUPP);
    expect_setting(machine, DRM_AMDXDNA_WRITE_AIE_REG, {1, 2, 3}, EOPNOTSUPP);
    EXPECT_EQ(xdna_set_aie_register(machine.device, data, 3), -EOPNOTSUPP);
}

TEST(Setting, RootIsNamedWhereItIsNeeded) {
    Machine machine(kLinux73);
    expect_setting(machine, DRM_AMDXDNA_SET_POWER_MODE, {1, 0, 0, 0, 0, 0, 0, 0}, EACCES);
    EXPECT_EQ(xdna_set_power_mode(machine.device, XDNA_POWER_LOW), -EACCES);
    EXPECT_NE(std::string(xdna_error_message()).find("CAP_SYS_ADMIN"), std::string::npos);
    EXPECT_EQ(xdna_set_power_mode(machine.device, static_cast<xdna_power_mode>(5)), -EINVAL);
    EXPECT_EQ(xdna_set_force_preempt(machine.device, 2), -EINVAL);
    EXPECT_EQ(xdna_set_power_mode(nullptr, XDNA_POWER_LOW), -EINVAL);
}

}  // namespace
}  // namespace xdna::test
