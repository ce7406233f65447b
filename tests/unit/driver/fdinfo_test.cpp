// What procfs shows of an open file, to the letter of the kernel's.
#include <fcntl.h>

#include <string>

#include "tests/unit/driver/harness.hpp"

namespace xdna::emu::test {
namespace {

class Fdinfo : public DriverTest {
  protected:
    /// The lines of what `of` says that begin with `key`.
    static std::string lines(TestFile& of, const std::string& key) {
        const std::string all = of.file().fdinfo();
        std::string found;
        for (size_t at = 0; at < all.size();) {
            const size_t end = all.find('\n', at) + 1;
            if (all.compare(at, key.size(), key) == 0) {
                found += all.substr(at, end - at);
            }
            at = end;
        }
        return found;
    }
};

TEST_F(Fdinfo, FreshFile) {
    EXPECT_EQ(file->file().fdinfo(),
              "drm-driver:\tamdxdna_accel_driver\n"
              "drm-client-id:\t1\n"
              "drm-pdev:\t0000:c5:00.1\n"
              "amdxdna_accel_driver-heap-alloc:\t0\n"
              "amdxdna_accel_driver-internal-alloc:\t0\n"
              "amdxdna_accel_driver-external-alloc:\t0\n"
              "drm-total-memory:\t0\n"
              "drm-shared-memory:\t0\n");
}

TEST_F(Fdinfo, ClientNumbersAreNeverUsedAgain) {
    { const TestFile gone(*driver, caller); }
    TestFile third(*driver, caller);
    EXPECT_EQ(lines(third, "drm-client-id"), "drm-client-id:\t3\n");
}

TEST_F(Fdinfo, NameComesAndGoes) {
    const char name[] = "probe";
    drm_set_client_name args{};
    args.name = reinterpret_cast<uint64_t>(name);
    args.name_len = 5;
    ASSERT_EQ(file->call(DRM_IOCTL_SET_CLIENT_NAME, args), 0);
    EXPECT_EQ(lines(*file, "drm-client-name"), "drm-client-name:\tprobe\n");
    args.name_len = 0;
    ASSERT_EQ(file->call(DRM_IOCTL_SET_CLIENT_NAME, args), 0);
    EXPECT_EQ(lines(*file, "drm-client-name"), "");
}

TEST_F(Fdinfo, MemoryIsInTheLargestUnitThatDividesIt) {
    const Map heap = file->heap();
    ASSERT_GT(file->create(AMDXDNA_BO_SHARE, 8192), 0);
    const int64_t dev = file->create(AMDXDNA_BO_DEV, 3 << 20);
    ASSERT_GT(dev, 0);
    EXPECT_EQ(lines(*file, "amdxdna"),
              "amdxdna_accel_driver-heap-alloc:\t3 MiB\n"
              "amdxdna_accel_driver-internal-alloc:\t64 MiB\n"
              "amdxdna_accel_driver-external-alloc:\t8 KiB\n");
    EXPECT_EQ(lines(*file, "drm-total"), "drm-total-memory:\t68616 KiB\n") << "DEV BOs twice";
    ASSERT_EQ(file->gem_close(static_cast<uint32_t>(dev)), 0);
    EXPECT_EQ(lines(*file, "drm-total"), "drm-total-memory:\t65544 KiB\n");
}

TEST_F(Fdinfo, ExportedOrImportedIsShared) {
    const int64_t handle = file->create(AMDXDNA_BO_SHARE, 4096);
    ASSERT_GT(handle, 0);
    drm_prime_handle prime{static_cast<uint32_t>(handle), DRM_CLOEXEC, -1};
    ASSERT_EQ(file->call(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime), 0);
    TestFile other(*driver, caller);
    prime.fd = caller.given.get();
    ASSERT_EQ(other.call(DRM_IOCTL_PRIME_FD_TO_HANDLE, prime), 0);
    for (TestFile* each : {file.get(), &other}) {
        EXPECT_EQ(lines(*each, "drm-shared"), "drm-shared-memory:\t4 KiB\n");
        EXPECT_EQ(lines(*each, "drm-total"), "drm-total-memory:\t4 KiB\n");
    }
}

TEST_F(Fdinfo, HandleOfTwoClientsIsShared) {
    TestCaller root;
    root.root = true;
    TestFile one(*driver, root);
    TestFile two(*driver, root);
    const int64_t handle = one.create(AMDXDNA_BO_SHARE, 4096);
    ASSERT_GT(handle, 0);
    drm_gem_flink flink{static_cast<uint32_t>(handle), 0};
    ASSERT_EQ(one.call(DRM_IOCTL_GEM_FLINK, flink), 0);
    EXPECT_EQ(lines(one, "drm-shared"), "drm-shared-memory:\t0\n");
    drm_gem_open opened{flink.name, 0, 0};
    ASSERT_EQ(two.call(DRM_IOCTL_GEM_OPEN, opened), 0);
    EXPECT_EQ(lines(one, "drm-shared"), "drm-shared-memory:\t4 KiB\n");
    two.close();
    EXPECT_EQ(lines(one, "drm-shared"), "drm-shared-memory:\t0\n");
}

}  // namespace
}  // namespace xdna::emu::test
