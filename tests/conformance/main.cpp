// The conformance suite: the rules of the amdxdna driver's UAPI, on whatever stands behind the
// node: the virtual NPU (`xdna-emu -- conformance`), a kernel in the lab, or hardware.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

/// Nothing may be left behind: no context of this process, no descriptor.
class NothingLeft : public testing::Environment {
  public:
    void SetUp() override {
        (void)target();
        descriptors_ = open_descriptors();
    }

    void TearDown() override {
        EXPECT_LE(open_descriptors(), descriptors_) << "descriptors were left open";
        RawDevice device = RawDevice::open();
        ASSERT_TRUE(device);
        for (const auto& context : device.contexts()) {
            EXPECT_NE(context.pid, getpid()) << "context " << context.context_id << " was left";
        }
    }

  private:
    size_t descriptors_ = 0;
};

/// Says which rule a failed case is about.
class RuleOnFailure : public testing::EmptyTestEventListener {
    void OnTestEnd(const testing::TestInfo& info) override {
        if (info.result()->Failed() && !stated_rule().empty()) {
            printf("    rule: %s\n", stated_rule().c_str());
        }
    }
};

// The other end of ExecKeepsTheFile: what is left of a descriptor after execve.
int after_exec(const char* argument) {
    RawDevice device(atoi(argument));
    drm_version version{};
    return device.call(DRM_IOCTL_VERSION, version).is_ok() && version.name_len > 0 ? 0 : 1;
}

int closed_by_exec(const char* argument) {
    drm_version version{};
    RawDevice device(atoi(argument));
    Status status = device.call(DRM_IOCTL_VERSION, version);
    device.release();
    return status == fails_with(EBADF) ? 0 : 1;
}

}  // namespace
}  // namespace xdna::conformance

int main(int argc, char** argv) {
    using namespace xdna::conformance;
    constexpr std::string_view kBecome = "--become=";
    if (argc == 3 && std::string_view(argv[1]).starts_with(kBecome)) {
        const std::string_view what = std::string_view(argv[1]).substr(kBecome.size());
        return what == "after-exec" ? after_exec(argv[2]) : closed_by_exec(argv[2]);
    }
    testing::InitGoogleTest(&argc, argv);
    if (!testing::GTEST_FLAG(list_tests)) {
        if (target().node.empty()) {
            fprintf(stderr,
                    "conformance: no NPU with the amdxdna driver here; run it under "
                    "build/bin/xdna-emu --, or name a node with XDNA_NODE\n");
            return 1;
        }
        printf("%s: %s %d.%d, %s addresses, %u columns\n", target().node.c_str(),
               target().name.c_str(), target().major, target().minor,
               target().sva()    ? "process (SVA)"
               : target().iova() ? "driver-given (IOVA)"
                                 : "no",
               target().columns);
    }
    testing::AddGlobalTestEnvironment(new NothingLeft);
    testing::UnitTest::GetInstance()->listeners().Append(new RuleOnFailure);
    return RUN_ALL_TESTS();
}
