// What every DRM file answers, and how drm_ioctl() treats numbers, sizes and rights.
#include <sys/ioctl.h>

#include <stdexcept>

#include "tests/unit/driver/harness.hpp"

namespace xdna::emu::test {
namespace {

class DrmCore : public DriverTest {};

TEST(DriverCreate, RefusesDevicesThatAreNotModelled) {
    Driver::Options options;
    options.device = "npu4";
    EXPECT_THROW(Driver::create(options), std::invalid_argument);
}

TEST_F(DrmCore, VersionNamesTheDriver) {
    char name[64] = {};
    char date[8] = {};
    char desc[64] = {};
    drm_version args{};
    args.name = name;
    args.name_len = sizeof name;
    args.date = date;
    args.date_len = sizeof date;
    args.desc = desc;
    args.desc_len = sizeof desc;
    ASSERT_EQ(file->call(DRM_IOCTL_VERSION, args), 0);
    EXPECT_EQ(args.version_major, 0);
    EXPECT_EQ(args.version_minor, 10);
    EXPECT_STREQ(name, "amdxdna_accel_driver");
    EXPECT_EQ(args.name_len, 20U);
    EXPECT_STREQ(date, "0");
    EXPECT_STREQ(desc, "AMD XDNA DRM implementation");
}

TEST_F(DrmCore, VersionTellsTheFullLengthOfAShortBuffer) {
    char name[4] = {};
    drm_version args{};
    args.name = name;
    args.name_len = sizeof name;
    ASSERT_EQ(file->call(DRM_IOCTL_VERSION, args), 0);
    EXPECT_EQ(args.name_len, 20U);
    EXPECT_EQ(std::memcmp(name, "amdx", 4), 0);
}

TEST_F(DrmCore, VersionWithABadPointerFaults) {
    drm_version args{};
    args.name = reinterpret_cast<char*>(8);
    args.name_len = 64;
    EXPECT_EQ(file->call(DRM_IOCTL_VERSION, args), -EFAULT);
}

TEST_F(DrmCore, UnknownNumbersAndTypes) {
    uint64_t data[32] = {};
    EXPECT_EQ(file->call(_IOWR('x', 0, uint64_t), data), -ENOTTY);
    EXPECT_EQ(file->call(_IOWR('d', 0x40 + 11, uint64_t), data), -EINVAL);
    EXPECT_EQ(file->call(_IOWR('d', 0x9f, uint64_t), data), -EINVAL);
    EXPECT_EQ(file->call(_IOWR('d', 0xff, uint64_t), data), -EINVAL);
    EXPECT_EQ(file->call(_IOWR('d', 0x20, uint64_t), data), -EINVAL);  // gone from the core
}

TEST_F(DrmCore, Capabilities) {
    const auto value = [&](uint64_t capability, int expected) {
        drm_get_cap args{capability, 77};
        EXPECT_EQ(file->call(DRM_IOCTL_GET_CAP, args), expected);
        return args.value;
    };
    EXPECT_EQ(value(DRM_CAP_PRIME, 0), 3U);
    EXPECT_EQ(value(DRM_CAP_SYNCOBJ, 0), 1U);
    EXPECT_EQ(value(DRM_CAP_SYNCOBJ_TIMELINE, 0), 1U);
    EXPECT_EQ(value(DRM_CAP_TIMESTAMP_MONOTONIC, 0), 1U);
    EXPECT_EQ(value(DRM_CAP_DUMB_BUFFER, -EOPNOTSUPP), 0U);
}

TEST_F(DrmCore, MasterAndAuthenticationDependOnRights) {
    drm_set_version version{1, 4, -1, -1};
    EXPECT_EQ(file->call(DRM_IOCTL_SET_VERSION, version), -EACCES);
    drm_gem_flink flink{1, 0};
    EXPECT_EQ(file->call(DRM_IOCTL_GEM_FLINK, flink), -EACCES);
    drm_client client{};
    ASSERT_EQ(file->call(DRM_IOCTL_GET_CLIENT, client), 0);
    EXPECT_EQ(client.auth, 0);
    client.idx = 1;
    EXPECT_EQ(file->call(DRM_IOCTL_GET_CLIENT, client), -EINVAL);

    TestCaller root;
    root.root = true;
    TestFile as_root(*driver, root);
    EXPECT_EQ(as_root.call(DRM_IOCTL_SET_VERSION, version), -EACCES);
    EXPECT_EQ(as_root.call(DRM_IOCTL_GEM_FLINK, flink), -ENOENT);
    client = {};
    ASSERT_EQ(as_root.call(DRM_IOCTL_GET_CLIENT, client), 0);
    EXPECT_EQ(client.auth, 1);
}

TEST_F(DrmCore, SetStateIsForRootWhateverItsContent) {
    amdxdna_drm_set_state args{};
    args.param = 99;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), -EACCES);
    caller.root = true;
    EXPECT_EQ(file->call(DRM_IOCTL_AMDXDNA_SET_STATE, args), -EOPNOTSUPP);
}

TEST_F(DrmCore, ShortStructsAreZeroExtended) {
    // GEM_CLOSE's 8 bytes as 4: the handle is all that matters.
    const int64_t handle = file->create(AMDXDNA_BO_SHARE, 4096);
    ASSERT_GT(handle, 0);
    auto number = static_cast<uint32_t>(handle);
    EXPECT_EQ(file->call(_IOC(_IOC_WRITE, 'd', 0x09, 4), number), 0);
    // CREATE_BO cut before the type: type 0 is unknown.
    uint64_t half[3] = {0, 0, 4096};
    EXPECT_EQ(file->call(_IOC(_IOC_READ | _IOC_WRITE, 'd', 0x43, 24), half), -EINVAL);
}

TEST_F(DrmCore, LongStructsComeBackWithTheirTail) {
    struct {
        amdxdna_drm_create_bo args;
        uint64_t tail;
    } longer{};
    longer.args.size = 4096;
    longer.args.type = AMDXDNA_BO_SHARE;
    longer.tail = 0x1234;
    EXPECT_EQ(file->call(_IOC(_IOC_READ | _IOC_WRITE, 'd', 0x43, sizeof longer), longer), 0);
    EXPECT_EQ(longer.args.handle, 1U);
    EXPECT_EQ(longer.tail, 0x1234U);
}

TEST_F(DrmCore, DirectionBitsDecideWhatIsCopied) {
    drm_get_cap args{DRM_CAP_PRIME, 77};
    EXPECT_EQ(file->call(_IOC(_IOC_WRITE, 'd', 0x0c, sizeof args), args), 0);
    EXPECT_EQ(args.value, 77U);  // not asked to be written
    EXPECT_EQ(file->call(_IOC(_IOC_READ, 'd', 0x0c, sizeof args), args), -EOPNOTSUPP);
    EXPECT_EQ(args.capability, 0U);  // not read, and 0 is the dumb-buffer one... so refused
}

TEST_F(DrmCore, DisplayCallsAreNotSupported) {
    drm_mode_card_res resources{};
    EXPECT_EQ(file->call(DRM_IOCTL_MODE_GETRESOURCES, resources), -EOPNOTSUPP);
    drm_mode_create_dumb dumb{};
    EXPECT_EQ(file->call(DRM_IOCTL_MODE_CREATE_DUMB, dumb), -ENOSYS);
    drm_set_client_cap cap{2, 1};
    EXPECT_EQ(file->call(DRM_IOCTL_SET_CLIENT_CAP, cap), -EOPNOTSUPP);
}

TEST_F(DrmCore, ClientNamesArePrintable) {
    const char good[] = "probe";
    const char bad[] = "a b";
    drm_set_client_name args{};
    args.name = reinterpret_cast<uint64_t>(good);
    args.name_len = 5;
    EXPECT_EQ(file->call(DRM_IOCTL_SET_CLIENT_NAME, args), 0);
    args.name = reinterpret_cast<uint64_t>(bad);
    args.name_len = 3;
    EXPECT_EQ(file->call(DRM_IOCTL_SET_CLIENT_NAME, args), -EINVAL);
    args.name_len = 65;
    EXPECT_EQ(file->call(DRM_IOCTL_SET_CLIENT_NAME, args), -EINVAL);
    args.name = 8;
    args.name_len = 3;
    EXPECT_EQ(file->call(DRM_IOCTL_SET_CLIENT_NAME, args), -EFAULT);
}

}  // namespace
}  // namespace xdna::emu::test
