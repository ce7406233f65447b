// Joules from a sysfs that is made here.
#include "bench/energy.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace xdna::bench {
namespace {

class Energy : public testing::Test {
  protected:
    void SetUp() override {
        root_ = std::filesystem::temp_directory_path() /
                ("xdna-energy-" + std::to_string(::getpid()) + "-" +
                 testing::UnitTest::GetInstance()->current_test_info()->name());
        setenv("XDNA_BENCH_SYSFS", root_.c_str(), 1);
    }
    void TearDown() override {
        unsetenv("XDNA_BENCH_SYSFS");
        std::filesystem::remove_all(root_);
    }
    void write(const std::string& path, const std::string& text) const {
        std::filesystem::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }

    std::filesystem::path root_;
};

constexpr auto kLong = std::chrono::milliseconds(150);

TEST_F(Energy, AbsentSensorsSayWhatWasLookedFor) {
    EXPECT_FALSE(cpu_energy());
    EXPECT_NE(cpu_energy().name.find("intel-rapl:0/energy_uj"), std::string::npos);
    EXPECT_FALSE(gpu_energy());
    EXPECT_NE(gpu_energy().name.find("no amdgpu"), std::string::npos);
    const EnergySensor none = cpu_energy();
    EnergyMeter meter(none);
    std::this_thread::sleep_for(kLong);
    EXPECT_EQ(meter.joules(), std::nullopt);
}

TEST_F(Energy, CountsRapl) {
    write("class/powercap/intel-rapl:0/energy_uj", "1000000\n");
    write("class/powercap/intel-rapl:0/max_energy_range_uj", "4000000\n");
    const EnergySensor sensor = cpu_energy();
    ASSERT_TRUE(sensor);
    EnergyMeter meter(sensor);
    std::this_thread::sleep_for(kLong);
    write("class/powercap/intel-rapl:0/energy_uj", "1250000\n");
    EXPECT_EQ(meter.joules(), 0.25);

    EnergyMeter over_its_end(sensor);
    std::this_thread::sleep_for(kLong);
    write("class/powercap/intel-rapl:0/energy_uj", "250000\n");
    EXPECT_EQ(over_its_end.joules(), 3.0);
}

TEST_F(Energy, AddsUpTheGpusPower) {
    write("class/hwmon/hwmon0/name", "k10temp\n");
    write("class/hwmon/hwmon0/power1_input", "99000000\n");
    write("class/hwmon/hwmon1/name", "amdgpu\n");
    write("class/hwmon/hwmon1/power1_input", "15000000\n");
    const EnergySensor sensor = gpu_energy();
    ASSERT_TRUE(sensor) << sensor.name;
    const auto start = std::chrono::steady_clock::now();
    EnergyMeter meter(sensor);
    std::this_thread::sleep_for(kLong);
    const auto joules = meter.joules();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(joules);
    EXPECT_LE(*joules, 15 * took.count());
    EXPECT_GE(*joules, 15 * 0.12);
}

TEST_F(Energy, TooShortATimeGivesNoFigure) {
    write("class/hwmon/hwmon1/name", "amdgpu\n");
    write("class/hwmon/hwmon1/power1_average", "15000000\n");
    const EnergySensor sensor = gpu_energy();
    ASSERT_TRUE(sensor);
    EnergyMeter meter(sensor);
    EXPECT_EQ(meter.joules(), std::nullopt);
}

}  // namespace
}  // namespace xdna::bench
