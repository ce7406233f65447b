// The tree of entries, beside a constructed host.
#include "emu/uapi/machine.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>
#include <string>

#include "emu/uapi/machine_layout.hpp"

namespace xdna::emu {
namespace {

namespace fs = std::filesystem;

class MachineTest : public ::testing::Test {
  protected:
    void SetUp() override {
        fs::create_directories(host_ / "dev/pts");
        fs::create_directories(host_ / "sys/class/net");
        fs::create_directories(host_ / "sys/bus/pci/devices/0000:00:01.0");
        fs::create_directories(host_ / "sys/bus/pci/devices/0000:01:00.1/accel/accel0");
        fs::create_directories(host_ / "sys/dev/char/1:3");
        fs::create_directories(host_ / "sys/dev/char/261:0");
        fs::create_directories(host_ / "sys/kernel/iommu_groups/6");
        fs::create_directories(host_ / "proc");
        std::ofstream(host_ / "proc/modules") << "loop 1 0 - Live 0x0\n";
        std::ofstream(host_ / "proc/devices") << "Character devices:\n  1 mem\n\nBlock devices:\n";
    }
    void TearDown() override { fs::remove_all(home_); }

    static std::string text(const fs::path& file) {
        std::ifstream in(file);
        return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    }
    static std::set<std::string> names(const fs::path& directory) {
        std::set<std::string> all;
        for (const auto& entry : fs::directory_iterator(directory))
            all.insert(entry.path().filename());
        return all;
    }

    fs::path home_ = fs::path(::testing::TempDir()) / ("machine." + std::to_string(::getpid()));
    fs::path host_ = home_ / "host";
    MachineFacts facts_{"RyzenAI-npu1", 0, "1.5.5.391", 2000, false};
};

TEST_F(MachineTest, HostsEntriesStandBesideOurs) {
    const Machine machine(facts_, host_);
    EXPECT_EQ((std::set<std::string>{"accel", "pts"}), names(machine.root() / "dev"));
    EXPECT_EQ((std::set<std::string>{"0000:00:01.0", kPciAddress}),
              names(machine.root() / "sys/bus/pci/devices"))
        << "a real NPU of the host's is left out";
    EXPECT_EQ((std::set<std::string>{"1:3", "261:0"}), names(machine.root() / "sys/dev/char"));
    EXPECT_EQ("/dev/pts", fs::read_symlink(machine.root() / "dev/pts"));
    EXPECT_FALSE(fs::read_symlink(machine.root() / "sys/dev/char/261:0").is_absolute());
}

TEST_F(MachineTest, LinksStayInside) {
    const Machine machine(facts_, host_);
    const fs::path home = machine.root() / fs::path(kPciHome).relative_path();
    EXPECT_EQ(home, fs::canonical(machine.root() / "sys/class/accel/accel0/device"));
    EXPECT_EQ("DMA-FQ\n", text(home / "iommu_group/type"));
    EXPECT_EQ("7", fs::canonical(home / "iommu_group").filename());
    EXPECT_EQ("1.5.5.391\n", text(home / "fw_version"));
}

TEST_F(MachineTest, HostsListsGetALine) {
    const Machine machine(facts_, host_);
    EXPECT_EQ("loop 1 0 - Live 0x0\namdxdna 196608 0 - Live 0x0000000000000000\n",
              text(machine.root() / "proc/modules"));
    EXPECT_EQ("Character devices:\n  1 mem\n261 accel\n\nBlock devices:\n",
              text(machine.root() / "proc/devices"));
}

TEST_F(MachineTest, NothingStays) {
    fs::path root;
    {
        const Machine machine(facts_, host_);
        root = machine.root();
        EXPECT_TRUE(fs::exists(root));
    }
    EXPECT_FALSE(fs::exists(root.parent_path()));
}

TEST_F(MachineTest, RemovesWhatAKilledRunLeft) {
    const fs::path abandoned = fs::temp_directory_path() / "xdna-emu.abandoned";
    fs::create_directories(abandoned / "root");
    std::ofstream(abandoned / "lock").put('\n');
    const Machine machine(facts_, host_);
    EXPECT_FALSE(fs::exists(abandoned));
    const Machine second(facts_, host_);
    EXPECT_TRUE(fs::exists(machine.root())) << "one that runs is left alone";
}

}  // namespace
}  // namespace xdna::emu
