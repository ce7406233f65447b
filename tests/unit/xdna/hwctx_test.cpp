// Hardware contexts: creation, CU configuration, debug buffers, their end.
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "tests/unit/xdna/kernels.hpp"
#include "tests/unit/xdna/script.hpp"

namespace xdna::test {
namespace {

XDNA_ON_EVERY_KERNEL(HwctxOn);

TEST_P(HwctxOn, ColumnsBecomeCoreTilesAndTheHeapComesFirst) {
    Machine machine(GetParam());
    xdna_hwctx* first = machine.make_hwctx(4, 1, true);
    EXPECT_EQ(xdna_hwctx_handle(first), 1U);
    EXPECT_EQ(xdna_hwctx_syncobj(first), 101U);
    xdna_hwctx* second = machine.make_hwctx(1, 2, false);
    machine.destroy(second);
    machine.destroy(first);
}

TEST(Hwctx, OptionsReachTheDriver) {
    Machine machine(kLinux73);
    machine.expect_metadata();
    machine.expect_heap();
    amdxdna_drm_create_hwctx create{};
    create.num_tiles = 7;
    create.max_opc = 2048;
    amdxdna_drm_create_hwctx created = create;
    created.handle = 3;
    created.syncobj_handle = 103;
    const amdxdna_qos_info qos{1, 2, 3, 4, 5, AMDXDNA_QOS_HIGH_PRIORITY};
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, create, created, 0,
                          {{offsetof(amdxdna_drm_create_hwctx, qos_p), bytes_of(qos), {}}});
    xdna_hwctx_options options{};
    options.num_tiles = 7;
    options.max_opc = 2048;
    options.qos = {1, 2, 3, 4, 5, AMDXDNA_QOS_HIGH_PRIORITY};
    xdna_hwctx* hwctx = nullptr;
    ASSERT_EQ(xdna_hwctx_create(machine.device, &options, &hwctx), 0) << xdna_error_message();
    machine.destroy(hwctx);
}

TEST(Hwctx, ColumnsThatTheArrayLacksAreNamed) {
    Machine machine(kLinux73);
    machine.expect_metadata();
    xdna_hwctx_options options{};
    xdna_hwctx* hwctx = nullptr;
    EXPECT_EQ(xdna_hwctx_create(machine.device, &options, &hwctx), -EINVAL);
    options.columns = 6;
    EXPECT_EQ(xdna_hwctx_create(machine.device, &options, &hwctx), -EINVAL);
    EXPECT_NE(std::string(xdna_error_message()).find("6 columns"), std::string::npos);
    EXPECT_EQ(hwctx, nullptr);
}

TEST(Hwctx, ARefusalNamesTheLikelyCauses) {
    Machine machine(kLinux73);
    machine.expect_metadata();
    machine.expect_heap();
    amdxdna_drm_create_hwctx create{};
    create.num_tiles = 4;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CREATE_HWCTX, create, EINVAL,
                          {{offsetof(amdxdna_drm_create_hwctx, qos_p), Bytes(24), {}}});
    xdna_hwctx_options options{};
    options.columns = 1;
    xdna_hwctx* hwctx = nullptr;
    EXPECT_EQ(xdna_hwctx_create(machine.device, &options, &hwctx), -EINVAL);
    const std::string message = xdna_error_message();
    for (const char* part : {"xdna_hwctx_create", "4 core tiles", "CREATE_HWCTX", "EINVAL", "6"}) {
        EXPECT_NE(message.find(part), std::string::npos) << part << " is not in: " << message;
    }
}

Bytes cu_config(std::initializer_list<amdxdna_cu_config> cus) {
    Bytes bytes = bytes_of<uint16_t>({static_cast<uint16_t>(cus.size()), 0, 0, 0});
    const Bytes entries = bytes_of(cus);
    bytes.insert(bytes.end(), entries.begin(), entries.end());
    return bytes;
}

void expect_configuration(Machine& machine, uint32_t hwctx, const Bytes& cus, int error = 0) {
    amdxdna_drm_config_hwctx config{};
    config.handle = hwctx;
    config.param_type = DRM_AMDXDNA_HWCTX_CONFIG_CU;
    config.param_val_size = static_cast<uint32_t>(cus.size());
    machine.script.expect(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, config, error,
                          {{offsetof(amdxdna_drm_config_hwctx, param_val), cus, {}}});
}

TEST_P(HwctxOn, CusAreDevBosWithTheirPdis) {
    Machine machine(GetParam());
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    machine.expect_dev_bo(16, 5, 0);
    machine.expect_dev_bo(5000, 6, 65536);
    expect_configuration(machine, 1, cu_config({{5, 0, {}}, {6, 3, {}}}));
    const Bytes small(16, 0x11);
    const Bytes large(5000, 0x22);
    const xdna_cu cus[] = {{small.data(), small.size(), 0}, {large.data(), large.size(), 3}};
    ASSERT_EQ(xdna_hwctx_configure(hwctx, cus, 2), 0) << xdna_error_message();
    machine.script.check_done();
    // Once is all that a context takes.
    EXPECT_EQ(xdna_hwctx_configure(hwctx, cus, 2), -EINVAL);
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = 1;
    machine.script.expect(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy);
    machine.expect_close(5);
    machine.expect_close(6);
    drm_syncobj_destroy syncobj{};
    syncobj.handle = 101;
    machine.script.expect(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj);
    xdna_hwctx_destroy(hwctx);
}

TEST(Hwctx, ARefusedConfigurationGivesItsBosBackAndMayBeTriedAgain) {
    Machine machine(kLinux73);
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    const Bytes pdi(16, 0x11);
    const xdna_cu cu{pdi.data(), pdi.size(), 0};
    for (int round = 0; round < 2; round++) {
        machine.expect_dev_bo(16, 5, 0);
        expect_configuration(machine, 1, cu_config({{5, 0, {}}}), ETIME);
        machine.expect_close(5);
        EXPECT_EQ(xdna_hwctx_configure(hwctx, &cu, 1), -ETIME);
        machine.script.check_done();
    }
    machine.destroy(hwctx);
}

TEST(Hwctx, ThePdiIsCopiedBeforeTheDriverSeesIt) {
    Machine machine(kLinux73);
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    machine.expect_dev_bo(3, 5, 0);
    amdxdna_drm_config_hwctx config{};
    config.handle = 1;
    config.param_val_size = 16;
    // A DEV BO at the heap's start: the heap lies at its own offset in the device's memory.
    machine.script.expect(
        DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, config, 0,
        {{offsetof(amdxdna_drm_config_hwctx, param_val), cu_config({{5, 0, {}}}), {}}}, [&](void*) {
            EXPECT_STREQ(reinterpret_cast<char*>(
                             machine.kernel_view(static_cast<uint32_t>(kHeapOffset >> 20), 4096)),
                         "PDI");
            return 0;
        });
    const xdna_cu cu{"PDI", 3, 0};
    ASSERT_EQ(xdna_hwctx_configure(hwctx, &cu, 1), 0);
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = 1;
    machine.script.expect(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy);
    machine.expect_close(5);
    drm_syncobj_destroy syncobj{};
    syncobj.handle = 101;
    machine.script.expect(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj);
    xdna_hwctx_destroy(hwctx);
}

TEST(Hwctx, BadCusCostNoSystemCall) {
    Machine machine(kLinux73);
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    const Bytes pdi(16);
    const std::vector<xdna_cu> many(33, xdna_cu{pdi.data(), pdi.size(), 0});
    EXPECT_EQ(xdna_hwctx_configure(hwctx, many.data(), 33), -EINVAL);
    EXPECT_EQ(xdna_hwctx_configure(hwctx, many.data(), 0), -EINVAL);
    EXPECT_EQ(xdna_hwctx_configure(hwctx, nullptr, 1), -EINVAL);
    const xdna_cu none{nullptr, 16, 0};
    EXPECT_EQ(xdna_hwctx_configure(hwctx, &none, 1), -EINVAL);
    const xdna_cu empty{pdi.data(), 0, 0};
    EXPECT_EQ(xdna_hwctx_configure(hwctx, &empty, 1), -EINVAL);
    machine.destroy(hwctx);
    xdna_hwctx_destroy(nullptr);
}

TEST(Hwctx, DebugBufferIsAssignedSyncedAndTakenBack) {
    Machine machine(kLinux73);
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    xdna_bo* bo = machine.make_dev(4096, 5, 0, false);
    xdna_bo* share = machine.make_share(4096, 6);
    EXPECT_EQ(xdna_hwctx_attach_debug_bo(hwctx, share), -EINVAL);
    EXPECT_EQ(xdna_hwctx_detach_debug_bo(hwctx, bo), -EINVAL);
    amdxdna_drm_config_hwctx config{};
    config.handle = 1;
    config.param_type = DRM_AMDXDNA_HWCTX_ASSIGN_DBG_BUF;
    config.param_val = 5;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, config);
    ASSERT_EQ(xdna_hwctx_attach_debug_bo(hwctx, bo), 0) << xdna_error_message();
    machine.script.expect(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, config, EBUSY);
    EXPECT_EQ(xdna_hwctx_attach_debug_bo(hwctx, bo), -EBUSY);
    // The firmware holds its contents back until it is asked.
    amdxdna_drm_sync_bo sync{};
    sync.handle = 5;
    sync.direction = SYNC_DIRECT_FROM_DEVICE;
    sync.size = 4096;
    machine.script.expect(DRM_IOCTL_AMDXDNA_SYNC_BO, sync);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_FROM_DEVICE, 0, 4096), 0);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_TO_DEVICE, 0, 4096), 0);
    config.param_type = DRM_AMDXDNA_HWCTX_REMOVE_DBG_BUF;
    machine.script.expect(DRM_IOCTL_AMDXDNA_CONFIG_HWCTX, config);
    EXPECT_EQ(xdna_hwctx_detach_debug_bo(hwctx, bo), 0);
    EXPECT_EQ(xdna_bo_sync(bo, XDNA_SYNC_FROM_DEVICE, 0, 4096), 0);
    machine.destroy(share);
    machine.destroy(bo);
    machine.destroy(hwctx);
}

TEST(Hwctx, DebugBufferNeedsDriver03) {
    Machine machine(kLinux614);
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    xdna_bo* bo = machine.make_dev(4096, 5, 0, false);
    EXPECT_EQ(xdna_hwctx_attach_debug_bo(hwctx, bo), -EOPNOTSUPP);
    EXPECT_NE(std::string(xdna_error_message()).find("0.3"), std::string::npos);
    machine.destroy(bo);
    machine.destroy(hwctx);
}

TEST(Hwctx, DestroyedUnderItsCommandsItFailsWithEnodev) {
    Machine machine(kLinux73);
    xdna_hwctx* hwctx = machine.make_hwctx(1, 1, true);
    xdna_cmd* cmd = machine.make_cmd(hwctx, 5);
    const uint32_t word = 3;
    ASSERT_EQ(xdna_cmd_set_start_cu(cmd, 0, &word, 1), 0);
    amdxdna_drm_destroy_hwctx destroy{};
    destroy.handle = 1;
    machine.script.expect(DRM_IOCTL_AMDXDNA_DESTROY_HWCTX, destroy);
    xdna_hwctx_destroy(hwctx);
    EXPECT_EQ(xdna_cmd_submit(cmd), -ENODEV);
    EXPECT_EQ(xdna_cmd_set_start_cu(cmd, 0, &word, 1), -ENODEV);
    xdna_hwctx_destroy(hwctx);  // a second time: said, and harmless
    EXPECT_NE(std::string(xdna_error_message()).find("destroyed before"), std::string::npos);
    xdna_cmd* another = nullptr;
    EXPECT_EQ(xdna_cmd_create(hwctx, 0, &another), -ENODEV);
    const xdna_cu cu{"PDI", 3, 0};
    EXPECT_EQ(xdna_hwctx_configure(hwctx, &cu, 1), -ENODEV);
    machine.expect_close(5);
    drm_syncobj_destroy syncobj{};
    syncobj.handle = 101;
    machine.script.expect(DRM_IOCTL_SYNCOBJ_DESTROY, syncobj);
    xdna_cmd_destroy(cmd);
}

}  // namespace
}  // namespace xdna::test
