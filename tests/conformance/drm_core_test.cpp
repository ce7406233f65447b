// The DRM core's ioctls on an accel node.
#include <unistd.h>

#include <array>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

using DrmCore = Conformance;

TEST_F(DrmCore, VersionNamesTheDriver) {
    rule("amdxdna_pci_drv.c: amdxdna_drm_drv", "the driver is amdxdna_accel_driver, major 0");
    std::array<char, 64> name{};
    std::array<char, 64> description{};
    drm_version version{.name_len = name.size(),
                        .name = name.data(),
                        .desc_len = description.size(),
                        .desc = description.data()};
    ASSERT_EQ(device.call(DRM_IOCTL_VERSION, version), kOk);
    EXPECT_EQ(version.version_major, 0);
    EXPECT_EQ(version.version_patchlevel, 0);
    EXPECT_EQ(std::string(name.data(), version.name_len), "amdxdna_accel_driver");
    EXPECT_EQ(std::string(description.data(), version.desc_len), "AMD XDNA DRM implementation");
}

TEST_F(DrmCore, VersionGivesLengthsWithoutBuffers) {
    rule("drm_ioctl.c: drm_copy_field", "no buffer: only the full length comes back");
    drm_version version{};
    ASSERT_EQ(device.call(DRM_IOCTL_VERSION, version), kOk);
    EXPECT_EQ(version.name_len, strlen("amdxdna_accel_driver"));
    EXPECT_EQ(version.desc_len, strlen("AMD XDNA DRM implementation"));
    EXPECT_GT(version.date_len, 0U) << "deprecated, but never empty";
}

TEST_F(DrmCore, VersionCutsToTheBuffer) {
    rule("drm_ioctl.c: drm_copy_field", "a short buffer gets its bytes, no more, no NUL");
    std::array<char, 8> name{};
    name.fill('!');
    drm_version version{.name_len = 3, .name = name.data()};
    ASSERT_EQ(device.call(DRM_IOCTL_VERSION, version), kOk);
    EXPECT_EQ(std::string(name.data(), name.size()), "amd!!!!!");
    EXPECT_EQ(version.name_len, strlen("amdxdna_accel_driver"));
}

TEST_F(DrmCore, VersionRefusesABadBuffer) {
    rule("drm_ioctl.c: drm_copy_field", "an unwritable name buffer is EFAULT");
    Mapping bad = inaccessible_page();
    drm_version version{.name_len = 8, .name = static_cast<char*>(bad.data())};
    EXPECT_EQ(device.call(DRM_IOCTL_VERSION, version), fails_with(EFAULT));
}

struct Capability {
    const char* name;
    uint64_t capability;
    Status status;
    uint64_t value;
};

class DrmCap : public Conformance, public testing::WithParamInterface<Capability> {};

TEST_P(DrmCap, AnswersAsACompute) {
    rule("drm_ioctl.c: drm_getcap", "PRIME, syncobjs and the clock are there; KMS caps are not");
    const Capability& row = GetParam();
    drm_get_cap args{.capability = row.capability, .value = 99};
    EXPECT_EQ(device.call(DRM_IOCTL_GET_CAP, args), row.status);
    if (row.status.is_ok()) {
        EXPECT_EQ(args.value, row.value);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Caps, DrmCap,
    testing::Values(Capability{"Prime", DRM_CAP_PRIME, kOk,
                               DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT},
                    Capability{"Syncobj", DRM_CAP_SYNCOBJ, kOk, 1},
                    Capability{"SyncobjTimeline", DRM_CAP_SYNCOBJ_TIMELINE, kOk, 1},
                    Capability{"TimestampMonotonic", DRM_CAP_TIMESTAMP_MONOTONIC, kOk, 1},
                    Capability{"DumbBuffer", DRM_CAP_DUMB_BUFFER, fails_with(EOPNOTSUPP), 0},
                    Capability{"CursorWidth", DRM_CAP_CURSOR_WIDTH, fails_with(EOPNOTSUPP), 0},
                    Capability{"Unknown", 0xFFFF, fails_with(EOPNOTSUPP), 0}),
    RowName());

TEST_F(DrmCore, HasNoClientCaps) {
    rule("drm_ioctl.c: drm_setclientcap", "client caps are for KMS drivers: EOPNOTSUPP");
    EXPECT_EQ(device.call(DRM_IOCTL_SET_CLIENT_CAP,
                          drm_set_client_cap{.capability = DRM_CLIENT_CAP_ATOMIC, .value = 1}),
              fails_with(EOPNOTSUPP));
}

TEST_F(DrmCore, GetClientNamesTheCaller) {
    rule("drm_ioctl.c: drm_getclient", "client 0 is the caller; there is no client 1");
    drm_client client{.idx = 0};
    ASSERT_EQ(device.call(DRM_IOCTL_GET_CLIENT, client), kOk);
    EXPECT_EQ(client.pid, static_cast<unsigned long>(getpid()));
    client.idx = 1;
    EXPECT_EQ(device.call(DRM_IOCTL_GET_CLIENT, client), fails_with(EINVAL));
}

TEST_F(DrmCore, StatsAreZero) {
    rule("drm_ioctl.c: drm_getstats", "statistics are a cleared structure");
    drm_stats stats{};
    stats.count = 7;
    ASSERT_EQ(device.call(DRM_IOCTL_GET_STATS, stats), kOk);
    EXPECT_EQ(stats.count, 0U);
}

TEST_F(DrmCore, ClientNameIsChecked) {
    rule("drm_ioctl.c: drm_set_client_name",
         "a name has at most 64 printable characters, no space");
    auto set = [&](const std::string& name) {
        return device.call(DRM_IOCTL_SET_CLIENT_NAME,
                           drm_set_client_name{.name_len = name.size(),
                                               .name = reinterpret_cast<uint64_t>(name.data())});
    };
    if (target().minor < 1 && set("x") == fails_with(EINVAL)) {
        GTEST_SKIP() << "this kernel has no client names";
    }
    EXPECT_EQ(set("conformance"), kOk);
    EXPECT_EQ(set(std::string(64, 'n')), kOk);
    EXPECT_EQ(set(std::string(65, 'n')), fails_with(EINVAL));
    EXPECT_EQ(set("two words"), fails_with(EINVAL));
    EXPECT_EQ(set("tab\there"), fails_with(EINVAL));
    EXPECT_EQ(set(std::string("nul\0inside", 10)), fails_with(EINVAL));
    EXPECT_EQ(set("\xC3\xA4"), fails_with(EINVAL));
    EXPECT_EQ(set(""), kOk) << "takes the name away";
    Mapping bad = inaccessible_page();
    EXPECT_EQ(device.call(DRM_IOCTL_SET_CLIENT_NAME,
                          drm_set_client_name{.name_len = 4, .name = bad.address()}),
              fails_with(EFAULT));
}

TEST_F(DrmCore, MasterIoctlsAreRefused) {
    rule("drm_ioctl.c: drm_ioctl_permit", "accel files are never master: EACCES");
    drm_set_version version{.drm_di_major = 1, .drm_di_minor = 4};
    EXPECT_EQ(device.call(DRM_IOCTL_SET_VERSION, version), fails_with(EACCES));
    EXPECT_EQ(device.call(DRM_IOCTL_AUTH_MAGIC, drm_auth{.magic = 1}), fails_with(EACCES));
    EXPECT_EQ(device.call(DRM_IOCTL_MODE_SETCRTC, drm_mode_crtc{}), fails_with(EACCES));
}

TEST_F(DrmCore, ModeSettingIsNotSupported) {
    rule("drm_ioctl.c: drm_ioctls", "KMS calls of a driver without DRIVER_MODESET: EOPNOTSUPP");
    EXPECT_EQ(device.call(DRM_IOCTL_MODE_GETRESOURCES, drm_mode_card_res{}),
              fails_with(EOPNOTSUPP));
    EXPECT_EQ(device.call(DRM_IOCTL_MODE_GETPLANERESOURCES, drm_mode_get_plane_res{}),
              fails_with(EOPNOTSUPP));
}

TEST_F(DrmCore, FlinkNamesABo) {
    rule("drm_gem.c: drm_gem_flink_ioctl",
         "an authenticated file (root's) may name a BO for other files");
    XDNA_NEED(geteuid() == 0, "only a root's file is authenticated here");
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    drm_gem_flink flink{.handle = handle};
    ASSERT_EQ(device.call(DRM_IOCTL_GEM_FLINK, flink), kOk);
    EXPECT_NE(flink.name, 0U);
    drm_gem_flink again{.handle = handle};
    ASSERT_EQ(device.call(DRM_IOCTL_GEM_FLINK, again), kOk);
    EXPECT_EQ(again.name, flink.name) << "a BO has one name";
    drm_gem_flink unknown{.handle = 999};
    EXPECT_EQ(device.call(DRM_IOCTL_GEM_FLINK, unknown), fails_with(ENOENT));

    RawDevice other = RawDevice::open();
    drm_gem_open open{.name = flink.name};
    ASSERT_EQ(other.call(DRM_IOCTL_GEM_OPEN, open), kOk);
    EXPECT_EQ(open.size, kPage);
    EXPECT_TRUE(other.map_bo(open.handle, kPage));
    device.gem_close(handle);
    other.gem_close(open.handle);
    drm_gem_open gone{.name = flink.name};
    EXPECT_EQ(other.call(DRM_IOCTL_GEM_OPEN, gone), fails_with(ENOENT))
        << "the name goes with the last handle";
}

TEST_F(DrmCore, ChangeHandleIsDisabled) {
    rule("drm_ioctl.c: drm_ioctls", "GEM_CHANGE_HANDLE is drm_invalid_op: EINVAL");
    XDNA_NEED_CURRENT();
    uint32_t handle = device.bo(AMDXDNA_BO_SHARE, kPage);
    drm_gem_change_handle change{.handle = handle, .new_handle = handle + 1};
    EXPECT_EQ(device.call(DRM_IOCTL_GEM_CHANGE_HANDLE, change), fails_with(EINVAL));
}

}  // namespace
}  // namespace xdna::conformance
