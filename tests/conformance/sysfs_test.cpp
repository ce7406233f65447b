// What sysfs and procfs show of the device and of an open file.
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class Sysfs : public Conformance {
  protected:
    void SetUp() override {
        Conformance::SetUp();
        ASSERT_FALSE(target().sysfs.empty()) << "no sysfs folder for the node's device number";
    }
    static std::string read(const std::string& name) {
        std::ifstream file(target().sysfs + "/" + name);
        std::stringstream text;
        text << file.rdbuf();
        return text.str();
    }
};

TEST_F(Sysfs, Vbnv) {
    rule("amdxdna_sysfs.c: vbnv_show", "vbnv is the board's name: RyzenAI-npu1 on npu1");
    const std::string vbnv = read("vbnv");
    ASSERT_FALSE(vbnv.empty());
    EXPECT_EQ(vbnv.back(), '\n');
    if (target().npu1) {
        EXPECT_EQ(vbnv, "RyzenAI-npu1\n");
    }
}

TEST_F(Sysfs, DeviceType) {
    rule("amdxdna_sysfs.c: device_type_show", "AIE2 has kernel-managed queues: device_type 0");
    EXPECT_EQ(read("device_type"), "0\n");
}

TEST_F(Sysfs, FirmwareVersion) {
    rule("amdxdna_sysfs.c: fw_version_show", "fw_version is what GET_INFO says, with dots");
    amdxdna_drm_query_firmware_version version{};
    ASSERT_EQ(device.get_info(DRM_AMDXDNA_QUERY_FIRMWARE_VERSION, version), kOk);
    std::ostringstream expected;
    expected << version.major << '.' << version.minor << '.' << version.patch << '.'
             << version.build << '\n';
    EXPECT_EQ(read("fw_version"), expected.str());
}

TEST_F(Sysfs, PciIdentity) {
    rule("amdxdna_pci_drv.c: pci_ids", "the node's device is AMD's (0x1022), bound to amdxdna");
    EXPECT_EQ(read("vendor"), "0x1022\n");
    std::array<char, 256> link{};
    const ssize_t length =
        readlink((target().sysfs + "/driver").c_str(), link.data(), link.size() - 1);
    ASSERT_GT(length, 0);
    EXPECT_TRUE(std::string(link.data()).ends_with("/amdxdna")) << link.data();
    EXPECT_NE(read("uevent").find("PCI_SLOT_NAME="), std::string::npos);
}

class Fdinfo : public HeapConformance {
  protected:
    /// The lines of the file's fdinfo, by key.
    static std::map<std::string, std::string> lines_of(const RawDevice& of) {
        std::map<std::string, std::string> lines;
        std::ifstream file("/proc/self/fdinfo/" + std::to_string(of.fd()));
        std::string line;
        while (std::getline(file, line)) {
            const size_t colon = line.find(':');
            if (colon != std::string::npos) {
                const size_t value = line.find_first_not_of(" \t", colon + 1);
                lines[line.substr(0, colon)] = value == std::string::npos ? "" : line.substr(value);
            }
        }
        return lines;
    }
    static constexpr const char* kDriver = "amdxdna_accel_driver";
};

TEST_F(Fdinfo, NamesDriverClientAndDevice) {
    rule("drm_file.c: drm_show_fdinfo",
         "fdinfo has drm-driver, a client id of each file, and drm-pdev");
    XDNA_NEED(target().minor >= 8, "fdinfo of driver 0.8");
    auto mine = lines_of(device);
    EXPECT_EQ(mine["drm-driver"], kDriver);
    RawDevice other = RawDevice::open();
    auto theirs = lines_of(other);
    ASSERT_FALSE(mine["drm-client-id"].empty());
    EXPECT_NE(mine["drm-client-id"], theirs["drm-client-id"]);
    unsigned domain = 0;
    unsigned bus = 0;
    unsigned slot = 0;
    unsigned function = 0;
    EXPECT_EQ(sscanf(mine["drm-pdev"].c_str(), "%4x:%2x:%2x.%1u", &domain, &bus, &slot, &function),
              4)
        << mine["drm-pdev"];
}

TEST_F(Fdinfo, ShowsTheClientsName) {
    rule("drm_file.c: drm_show_fdinfo", "a name set by SET_CLIENT_NAME is shown");
    XDNA_NEED(target().minor >= 8, "fdinfo of driver 0.8");
    const std::string name = "conformance-test";
    ASSERT_EQ(device.call(DRM_IOCTL_SET_CLIENT_NAME,
                          drm_set_client_name{.name_len = name.size(),
                                              .name = reinterpret_cast<uint64_t>(name.data())}),
              kOk);
    EXPECT_EQ(lines_of(device)["drm-client-name"], name);
}

TEST_F(Fdinfo, CountsMemory) {
    rule("amdxdna_pci_drv.c: amdxdna_show_fdinfo",
         "heap, internal and external memory follow the BOs");
    XDNA_NEED(target().minor >= 8, "fdinfo of driver 0.8");
    auto value = [&](const char* what) {
        return lines_of(device)[std::string(kDriver) + "-" + what + "-alloc"];
    };
    EXPECT_EQ(value("heap"), "0");
    EXPECT_EQ(value("internal"), "64 MiB");
    EXPECT_EQ(value("external"), "0");
    device.bo(AMDXDNA_BO_SHARE, 2 * kPage);
    device.bo(AMDXDNA_BO_CMD, kPage);
    dev_bo(3 * kPage);
    EXPECT_EQ(value("heap"), "12 KiB");
    EXPECT_EQ(value("internal"), "65540 KiB");
    EXPECT_EQ(value("external"), "8 KiB");
}

TEST_F(Fdinfo, CountsHandles) {
    rule("drm_file.c: drm_show_memory_stats",
         "drm-total-memory adds the sizes of all BOs with a handle");
    XDNA_NEED(target().minor >= 8, "fdinfo of driver 0.8");
    RawDevice other = RawDevice::open();
    other.bo(AMDXDNA_BO_SHARE, 3 * kPage);
    uint32_t handle = other.bo(AMDXDNA_BO_SHARE, kPage);
    EXPECT_EQ(lines_of(other)["drm-total-memory"], "16 KiB");
    EXPECT_EQ(lines_of(other)["drm-shared-memory"], "0");
    int fd = -1;
    ASSERT_EQ(other.export_fd(handle, DRM_CLOEXEC, fd), kOk);
    RawDevice dma_buf(fd);
    EXPECT_EQ(lines_of(other)["drm-shared-memory"], "4 KiB") << "exported";
}

}  // namespace
}  // namespace xdna::conformance
