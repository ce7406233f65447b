// Opening, features, limits; and finding NPUs in trees of sysfs.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "libxdna/find.hpp"
#include "libxdna/ids.hpp"
#include "tests/unit/xdna/kernels.hpp"
#include "tests/unit/xdna/script.hpp"

namespace xdna::test {
namespace {

namespace fs = std::filesystem;

XDNA_ON_EVERY_KERNEL(Kernels);

TEST_P(Kernels, VersionAndFeatures) {
    Machine machine(GetParam());
    xdna_driver_version version{};
    ASSERT_EQ(xdna_device_driver_version(machine.device, &version), 0);
    EXPECT_EQ(version.major, 0U);
    EXPECT_EQ(version.minor, GetParam().minor);
    EXPECT_STREQ(version.name, "amdxdna_accel_driver");
    // The ledger in amdxdna_pci_drv.c: feature n came with minor n + 1.
    for (uint32_t feature = 0; feature < 8; feature++) {
        EXPECT_EQ(xdna_device_has(machine.device, static_cast<xdna_feature>(feature)),
                  GetParam().minor > feature ? 1 : 0)
            << feature;
    }
    EXPECT_EQ(xdna_device_has(machine.device, static_cast<xdna_feature>(8)), -EINVAL);
}

TEST(Device, RefusesAnotherDriver) {
    Script script;
    script.answer_all(answer_version("ivpu", 1, 0));
    xdna_device* device = nullptr;
    EXPECT_EQ(xdna_device_open_fd(script.fd(), &device), -EINVAL);
    EXPECT_EQ(device, nullptr);
    EXPECT_NE(std::string(xdna_error_message()).find("ivpu"), std::string::npos);
}

TEST(Device, RefusesWhatIsNoDevice) {
    xdna_device* device = nullptr;
    EXPECT_EQ(xdna_device_open("/dev/null", &device), -EINVAL);
    EXPECT_EQ(xdna_device_open("no such thing", &device), -EINVAL);
    EXPECT_EQ(xdna_device_open("/dev/accel/accel4711", &device), -ENODEV);
    EXPECT_EQ(xdna_device_open("ffff:ff:1f.7", &device), -ENODEV);
    EXPECT_EQ(xdna_device_open("ff:1f.7", &device), -ENODEV);
    EXPECT_EQ(xdna_device_open("4711", &device), -ENODEV);
    EXPECT_EQ(xdna_device_open_fd(-1, &device), -EBADF);
    EXPECT_EQ(xdna_device_open(nullptr, nullptr), -EINVAL);
    EXPECT_EQ(device, nullptr);
}

TEST(Device, LimitsComeFromTheDriver) {
    Machine machine(kLinux73);
    machine.expect_metadata();
    amdxdna_drm_get_resource_info resources{};
    resources.npu_task_max = 6;
    amdxdna_drm_get_info info{};
    info.param = DRM_AMDXDNA_QUERY_RESOURCE_INFO;
    info.buffer_size = sizeof resources;
    machine.script.expect(DRM_IOCTL_AMDXDNA_GET_INFO, info, 0,
                          {{offsetof(amdxdna_drm_get_info, buffer), {}, bytes_of(resources)}});
    xdna_limits limits{};
    ASSERT_EQ(xdna_device_limits(machine.device, &limits), 0);
    EXPECT_EQ(limits.columns, 5U);
    EXPECT_EQ(limits.rows, 6U);
    EXPECT_EQ(limits.core_rows, 4U);
    EXPECT_EQ(limits.max_hwctx, 6U);
    EXPECT_EQ(limits.max_args, 4095U);
    EXPECT_EQ(limits.heap_alignment, kHeapSize);
}

TEST(Device, LimitsOfAnOldDriverAreZeroWhereItDoesNotSay) {
    Machine machine(kLinux614);
    machine.expect_metadata();
    xdna_limits limits{};
    ASSERT_EQ(xdna_device_limits(machine.device, &limits), 0);
    EXPECT_EQ(limits.columns, 5U);
    EXPECT_EQ(limits.max_hwctx, 0U);
}

TEST(Device, LivesUntilItsLastBoIsGone) {
    Machine machine(kLinux73);
    xdna_bo* bo = machine.make_share(4096, 7);
    xdna_device_close(machine.device);
    machine.device = nullptr;
    // Still mapped, still the device's: only its own handle goes when it does.
    std::memset(xdna_bo_memory(bo), 0x5a, 4096);
    machine.destroy(bo);
}

/// A sysfs tree with one PCI device.
class Tree {
  public:
    Tree() {
        char name[] = "/tmp/xdna-sysfs-XXXXXX";
        root_ = mkdtemp(name);
    }
    ~Tree() { fs::remove_all(root_); }
    Tree(const Tree&) = delete;
    Tree& operator=(const Tree&) = delete;

    void add(const std::string& bdf, const char* vendor, const char* device, const char* revision,
             const char* driver, const char* node, const char* vbnv = nullptr) {
        const fs::path folder = root_ / "sys/bus/pci/devices" / bdf;
        fs::create_directories(folder);
        std::ofstream(folder / "vendor") << vendor << "\n";
        std::ofstream(folder / "device") << device << "\n";
        std::ofstream(folder / "revision") << revision << "\n";
        if (vbnv != nullptr) {
            std::ofstream(folder / "vbnv") << vbnv << "\n";
        }
        if (driver != nullptr) {
            fs::create_symlink(std::string("../../../bus/pci/drivers/") + driver,
                               folder / "driver");
        }
        if (node != nullptr) {
            fs::create_directories(folder / "accel" / node);
        }
    }
    std::string root() const { return root_; }

  private:
    fs::path root_;
};

TEST(Find, ListsNpusInTheOrderOfTheirAddresses) {
    Tree tree;
    tree.add("0000:c5:00.1", "0x1022", "0x1502", "0x00", "amdxdna", "accel0", "RyzenAI-npu1");
    tree.add("0000:01:00.0", "0x1002", "0x744c", "0xc8", "amdgpu", nullptr);
    tree.add("0000:c4:00.1", "0x1022", "0x17f0", "0x10", nullptr, nullptr);
    std::vector<xdna_device_info> found;
    ASSERT_EQ(find_devices(tree.root(), found), 0);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_STREQ(found[0].bdf, "0000:c4:00.1");
    EXPECT_STREQ(found[0].generation, "npu4");
    EXPECT_STREQ(found[0].driver, "");
    EXPECT_STREQ(found[0].node, "");
    EXPECT_STREQ(found[1].bdf, "0000:c5:00.1");
    EXPECT_STREQ(found[1].generation, "npu1");
    EXPECT_STREQ(found[1].marketing_name, "Ryzen AI (Phoenix, Hawk Point)");
    EXPECT_STREQ(found[1].driver, "amdxdna");
    EXPECT_STREQ(found[1].node, "/dev/accel/accel0");
    EXPECT_EQ(found[1].vendor, 0x1022);
    EXPECT_EQ(found[1].device, 0x1502);
}

TEST(Find, NamesThePartThatTheFirmwareReports) {
    Tree tree;
    tree.add("0000:c4:00.1", "0x1022", "0x17f0", "0x20", "amdxdna", "accel1", "NPU Krackan 2");
    std::vector<xdna_device_info> found;
    ASSERT_EQ(find_devices(tree.root(), found), 0);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_STREQ(found[0].generation, "npu6");
    EXPECT_STREQ(found[0].marketing_name, "Ryzen AI (Krackan 2)");
    EXPECT_STREQ(found[0].node, "/dev/accel/accel1");
}

TEST(Find, KeepsWhatTheTableDoesNotKnow) {
    Tree tree;
    tree.add("0000:c4:00.1", "0x1022", "0x17f0", "0x77", nullptr, nullptr);
    tree.add("0000:c6:00.1", "0x1022", "0xbeef", "0x00", "amdxdna", "accel0");
    std::vector<xdna_device_info> found;
    ASSERT_EQ(find_devices(tree.root(), found), 0);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_STREQ(found[0].generation, "unknown");
    EXPECT_STREQ(found[1].generation, "unknown");
    EXPECT_STREQ(found[1].node, "/dev/accel/accel0");
}

TEST(Find, FindsTheNodeThroughItsClassToo) {
    Tree tree;
    tree.add("0000:c5:00.1", "0x1022", "0x1502", "0x00", "amdxdna", nullptr);
    fs::create_directories(tree.root() + "/sys/class/accel/accel3");
    fs::create_symlink("../../../0000:c5:00.1", tree.root() + "/sys/class/accel/accel3/device");
    std::vector<xdna_device_info> found;
    ASSERT_EQ(find_devices(tree.root(), found), 0);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_STREQ(found[0].node, "/dev/accel/accel3");
}

TEST(Find, AMachineWithoutPciHasNone) {
    Tree tree;
    std::vector<xdna_device_info> found(3);
    EXPECT_EQ(find_devices(tree.root(), found), 0);
    EXPECT_TRUE(found.empty());
}

TEST(Ids, NoIdTwice) {
    for (const NpuId& id : npu_ids()) {
        EXPECT_EQ(find_npu_id(kVendorAmd, id.device, id.revision), &id);
        EXPECT_TRUE(is_npu(kVendorAmd, id.device));
        EXPECT_FALSE(is_npu(0x8086, id.device));
        EXPECT_LT(std::strlen(id.generation), sizeof xdna_device_info{}.generation);
        EXPECT_LT(std::strlen(id.marketing_name), sizeof xdna_device_info{}.marketing_name);
    }
}

}  // namespace
}  // namespace xdna::test
