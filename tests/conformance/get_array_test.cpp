// GET_ARRAY: contexts, the last asynchronous error, memory use.
#include <unistd.h>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class GetArray : public ContextConformance {
  protected:
    void SetUp() override {
        ContextConformance::SetUp();
        XDNA_NEED(target().minor >= 1, "this driver has no GET_ARRAY");
    }
    Status get(uint32_t param, void* buffer, uint32_t element_size, uint32_t count,
               uint32_t* size_out = nullptr, uint32_t* count_out = nullptr) const {
        Status status = device.get_array(param, buffer, element_size, count);
        if (size_out != nullptr) {
            *size_out = element_size;
        }
        if (count_out != nullptr) {
            *count_out = count;
        }
        return status;
    }
    static constexpr uint32_t kAll = DRM_AMDXDNA_HW_CONTEXT_ALL;
    static constexpr uint32_t kEntry = sizeof(amdxdna_drm_hwctx_entry);
};

constexpr const char* kIoctl = "amdxdna_pci_drv.c: amdxdna_drm_get_array_ioctl";
constexpr const char* kStatus = "aie2_pci.c: aie2_query_ctx_status_array";
constexpr const char* kUsage = "amdxdna_gem.c: amdxdna_drm_get_bo_usage";

TEST_F(GetArray, ArgumentsAreChecked) {
    rule(kIoctl, "a pad, no elements, or elements of no size are EINVAL, before the parameter");
    std::array<amdxdna_drm_hwctx_entry, 4> list{};
    for (uint32_t param : {kAll, uint32_t{DRM_AMDXDNA_HW_LAST_ASYNC_ERR}, 99U}) {
        EXPECT_EQ(get(param, list.data(), kEntry, 0), fails_with(EINVAL));
        EXPECT_EQ(get(param, list.data(), 0, 4), fails_with(EINVAL));
        amdxdna_drm_get_array args{.param = param,
                                   .element_size = kEntry,
                                   .num_element = 4,
                                   .pad = 1,
                                   .buffer = reinterpret_cast<uint64_t>(list.data())};
        EXPECT_EQ(device.call(DRM_IOCTL_AMDXDNA_GET_ARRAY, args), fails_with(EINVAL));
    }
}

TEST_F(GetArray, ParamMustBeKnown) {
    rule("aie2_pci.c: aie2_get_array", "parameters but 0, 2 and 6 are EOPNOTSUPP");
    std::array<uint8_t, 256> buffer{};
    for (uint32_t param : {1U, 3U, 4U, 5U, 7U, ~0U}) {
        EXPECT_EQ(get(param, buffer.data(), 64, 1), fails_with(EOPNOTSUPP)) << param;
    }
}

TEST_F(GetArray, ContextSizesAreLimited) {
    rule(kStatus, "elements above 4 KiB, or more than 1024 of them, are EINVAL");
    std::vector<uint8_t> buffer(1 << 20);
    EXPECT_EQ(get(kAll, buffer.data(), 4097, 1), fails_with(EINVAL));
    EXPECT_EQ(get(kAll, buffer.data(), kEntry, 1025), fails_with(EINVAL));
    EXPECT_EQ(get(kAll, buffer.data(), 4096, 1), kOk);
    EXPECT_EQ(get(kAll, buffer.data(), kEntry, 1024), kOk);
}

TEST_F(GetArray, ContextsInFull) {
    rule("aie2_pci.c: aie2_hwctx_status_cb",
         "an entry tells the context's columns, owner, QoS and counters");
    ASSERT_EQ(device.destroy_hwctx(context.handle), kOk);
    const amdxdna_qos_info qos{.gops = 1,
                               .fps = 2,
                               .dma_bandwidth = 3,
                               .latency = 4,
                               .frame_exec_time = 5,
                               .priority = AMDXDNA_QOS_NORMAL_PRIORITY};
    ASSERT_EQ(device.create_hwctx(column_tiles(), context, qos), kOk);
    auto entry = device.context_entry(context.handle);
    ASSERT_EQ(entry.context_id, context.handle);
    EXPECT_EQ(entry.pid, getpid());
    EXPECT_EQ(entry.command_submissions, 0U);
    EXPECT_EQ(entry.command_completions, 0U);
    EXPECT_EQ(entry.migrations + entry.preemptions + entry.errors + entry.suspensions, 0U);
    EXPECT_EQ(entry.priority, qos.priority);
    EXPECT_EQ(entry.gops, qos.gops);
    EXPECT_EQ(entry.fps, qos.fps);
    EXPECT_EQ(entry.dma_bandwidth, qos.dma_bandwidth);
    EXPECT_EQ(entry.latency, qos.latency);
    EXPECT_EQ(entry.frame_exec_time, qos.frame_exec_time);
    EXPECT_EQ(entry.pad, 0U);
    XDNA_NEED_CURRENT();
    EXPECT_EQ(entry.state, static_cast<uint32_t>(AMDXDNA_HWCTX_STATE_ACTIVE));
    EXPECT_EQ(entry.heap_usage, (4 + 2) * kPage) << "the PDI, the code, four command buffers";
}

TEST_F(GetArray, GivesActualSizes) {
    rule(kStatus, "element_size and num_element come back as what was given");
    std::array<uint8_t, 4096> buffer{};
    uint32_t size = 0;
    uint32_t count = 0;
    ASSERT_EQ(get(kAll, buffer.data(), 1024, 4, &size, &count), kOk);
    EXPECT_EQ(size, kEntry) << "the driver's own structure";
    EXPECT_EQ(count, device.contexts().size());
}

TEST_F(GetArray, ShorterElementsArePacked) {
    rule("aie2_pci.c: aie2_hwctx_status_cb",
         "shorter elements hold the entry's beginning, one after another");
    Context second;
    ASSERT_EQ(device.create_hwctx(column_tiles(), second), kOk);
    std::array<uint32_t, 16> ids{};
    uint32_t size = 0;
    uint32_t count = 0;
    ASSERT_EQ(get(kAll, ids.data(), sizeof(uint32_t), ids.size(), &size, &count), kOk);
    EXPECT_EQ(size, sizeof(uint32_t));
    ASSERT_GE(count, 2U);
    EXPECT_EQ(std::count(ids.begin(), ids.begin() + count, context.handle), 1);
    EXPECT_EQ(std::count(ids.begin(), ids.begin() + count, second.handle), 1);
}

TEST_F(GetArray, GivesAsManyAsFit) {
    rule(kStatus, "more contexts than elements: the first ones, and no error");
    Context second;
    ASSERT_EQ(device.create_hwctx(column_tiles(), second), kOk);
    std::array<amdxdna_drm_hwctx_entry, 2> list{};
    memset(list.data(), 0xEE, sizeof(list));
    uint32_t count = 0;
    ASSERT_EQ(get(kAll, list.data(), kEntry, 1, nullptr, &count), kOk);
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(list[1].context_id, 0xEEEEEEEEU);
}

TEST_F(GetArray, ContextsSwallowFaults) {
    rule(kStatus, "an unwritable buffer ends the list at once, without an error");
    XDNA_NEED_CURRENT();
    Mapping bad = inaccessible_page();
    uint32_t count = 0;
    ASSERT_EQ(get(kAll, bad.data(), kEntry, 4, nullptr, &count), kOk);
    EXPECT_EQ(count, 0U);
}

TEST_F(GetArray, LastAsyncError) {
    rule("aie2_error.c: aie2_get_array_async_error",
         "one element, cut to its size, is given whatever was asked");
    XDNA_NEED(target().minor >= 2, "a query of driver 0.2");
    std::array<amdxdna_async_error, 2> errors{};
    memset(errors.data(), 0xEE, sizeof(errors));
    uint32_t size = 0;
    uint32_t count = 0;
    ASSERT_EQ(get(DRM_AMDXDNA_HW_LAST_ASYNC_ERR, errors.data(), 512, 9, &size, &count), kOk);
    EXPECT_EQ(size, sizeof(errors[0]));
    EXPECT_EQ(count, 1U);
    EXPECT_EQ(errors[1].err_code, 0xEEEEEEEEEEEEEEEEU);
    uint64_t code = 0xEE;
    ASSERT_EQ(get(DRM_AMDXDNA_HW_LAST_ASYNC_ERR, &code, sizeof(code), 1, &size, &count), kOk);
    EXPECT_EQ(size, sizeof(code));
    EXPECT_EQ(code, errors[0].err_code);
    Mapping bad = inaccessible_page();
    EXPECT_EQ(get(DRM_AMDXDNA_HW_LAST_ASYNC_ERR, bad.data(), 24, 1), fails_with(EFAULT));
}

// ---- BO_USAGE

class BoUsage : public GetArray {
  protected:
    void SetUp() override {
        GetArray::SetUp();
        XDNA_NEED(target().minor >= 8, "a query of driver 0.8");
    }
    amdxdna_drm_bo_usage usage(int64_t pid) const {
        amdxdna_drm_bo_usage out{.pid = pid};
        EXPECT_EQ(get(DRM_AMDXDNA_BO_USAGE, &out, sizeof(out), 1), kOk);
        return out;
    }
};

TEST_F(BoUsage, ArgumentsAreChecked) {
    rule(kUsage, "one element, with a pid, in readable memory: EINVAL, EINVAL, EFAULT");
    std::array<amdxdna_drm_bo_usage, 2> both{};
    both[0].pid = getpid();
    EXPECT_EQ(get(DRM_AMDXDNA_BO_USAGE, both.data(), sizeof(both[0]), 2), fails_with(EINVAL));
    both[0].pid = 0;
    EXPECT_EQ(get(DRM_AMDXDNA_BO_USAGE, both.data(), sizeof(both[0]), 1), fails_with(EINVAL));
    Mapping bad = inaccessible_page();
    EXPECT_EQ(get(DRM_AMDXDNA_BO_USAGE, bad.data(), sizeof(both[0]), 1), fails_with(EFAULT));
    Mapping constant = read_only_page();
    EXPECT_EQ(get(DRM_AMDXDNA_BO_USAGE, constant.data(), sizeof(both[0]), 1), fails_with(EINVAL))
        << "it reads pid 0 first";
}

TEST_F(BoUsage, CountsEachType) {
    rule("amdxdna_gem.c: amdxdna_gem_add_bo_usage",
         "SHARE is external, CMD and heap internal, DEV only in the heap's use");
    const auto start = usage(getpid());
    EXPECT_EQ(start.pid, getpid());
    EXPECT_EQ(start.internal_usage, kHeapSize);
    EXPECT_EQ(start.total_usage, kHeapSize);
    EXPECT_EQ(start.heap_usage, (4 + 2) * kPage);
    const uint32_t share = device.bo(AMDXDNA_BO_SHARE, 3 * kPage);
    EXPECT_EQ(usage(getpid()).total_usage, start.total_usage + 3 * kPage);
    EXPECT_EQ(usage(getpid()).internal_usage, start.internal_usage);
    const uint32_t cmd = device.bo(AMDXDNA_BO_CMD, kPage);
    EXPECT_EQ(usage(getpid()).total_usage, start.total_usage + 4 * kPage);
    EXPECT_EQ(usage(getpid()).internal_usage, start.internal_usage + kPage);
    const DevBo dev = dev_bo(2 * kPage);
    EXPECT_EQ(usage(getpid()).total_usage, start.total_usage + 4 * kPage);
    EXPECT_EQ(usage(getpid()).heap_usage, start.heap_usage + 2 * kPage);
    device.gem_close(share);
    device.gem_close(cmd);
    device.gem_close(dev.handle);
    EXPECT_EQ(usage(getpid()).total_usage, start.total_usage);
    EXPECT_EQ(usage(getpid()).heap_usage, start.heap_usage);
}

TEST_F(BoUsage, AddsUpAProcessesFiles) {
    rule(kUsage, "all open files of the process count");
    const auto start = usage(getpid());
    RawDevice other = RawDevice::open();
    other.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(usage(getpid()).total_usage, start.total_usage + kPage);
}

TEST_F(BoUsage, UnknownProcessUsesNothing) {
    rule(kUsage, "a process without the node open uses 0 bytes, without an error");
    constexpr int64_t kNobody = 0x7FFF'FFFF;
    const auto none = usage(kNobody);
    EXPECT_EQ(none.pid, kNobody);
    EXPECT_EQ(none.total_usage + none.internal_usage + none.heap_usage, 0U);
}

TEST_F(BoUsage, ShorterElementIsCut) {
    rule(kUsage, "a shorter element gets its part, the rest stays");
    amdxdna_drm_bo_usage out{.pid = getpid(), .total_usage = 1, .internal_usage = 2};
    EXPECT_EQ(get(DRM_AMDXDNA_BO_USAGE, &out, 16, 1), kOk);
    EXPECT_EQ(out.total_usage, usage(getpid()).total_usage);
    EXPECT_EQ(out.internal_usage, 2U);
}

}  // namespace
}  // namespace xdna::conformance
