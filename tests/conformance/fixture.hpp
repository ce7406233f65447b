// What the cases stand on: an open node; one with a mapped heap; one with a configured context.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/conformance/packet.hpp"
#include "tests/conformance/raw_device.hpp"
#include "tests/conformance/target.hpp"

/// Skips the case, with the reason, where this target cannot show the rule.
#define XDNA_NEED(condition, reason)  \
    do {                              \
        if (!(condition)) {           \
            GTEST_SKIP() << (reason); \
        }                             \
    } while (false)

#define XDNA_NEED_CURRENT() \
    XDNA_NEED(target().current(), "a rule of driver 0.10; this one is older")

namespace xdna::conformance {

/// States the rule that a case checks, and where the driver has it (file: function, of Linux 7.3,
/// drivers/accel/amdxdna or drivers/gpu/drm). It goes into the report, and beside a failure.
void rule(const std::string& place, const std::string& text);
/// "" before the first of this case.
std::string stated_rule();
void forget_rule();

/// Tries `condition` until it holds; false after 5 s. For what the driver leaves to a worker.
bool eventually(const std::function<bool()>& condition);

/// Descriptors that this process has open.
size_t open_descriptors();

/// Names a table's cases after its rows.
struct RowName {
    template <typename Row>
    std::string operator()(const testing::TestParamInfo<Row>& row) const {
        return row.param.name;
    }
};

class Conformance : public testing::Test {
  protected:
    void SetUp() override;
    void TearDown() override;

    RawDevice device;
};

/// A command BO, mapped.
struct Command {
    uint32_t handle = 0;
    Mapping memory;

    State state() const;
    uint32_t word(size_t index) const;
    void write(const Words& words) const;
};

/// A piece of the device heap.
struct DevBo {
    uint32_t handle = 0;
    uint64_t address = 0;
    uint8_t* memory = nullptr;
};

/// The heap's mapping, aligned to its size as the firmware wants it.
Mapping map_heap(const RawDevice& device, uint32_t handle);

class HeapConformance : public Conformance {
  protected:
    void SetUp() override;

    /// A DEV BO that holds these words; handle 0 on failure.
    DevBo dev_bo(const Words& words) const;
    DevBo dev_bo(uint64_t size) const;
    uint32_t column_tiles(uint32_t columns = 1) const { return columns * target().core_rows; }
    Command command(const Words& words, uint64_t size = kPage) const;
    /// Submits and waits; the packet's state afterwards. `sequence` where not null.
    State run(const Context& on, const Command& submitted, const std::vector<uint32_t>& args = {},
              uint64_t* sequence = nullptr) const;

    uint32_t heap = 0;
    Mapping heap_memory;
};

/// A context of one column with one CU, and control code that does nothing.
class ContextConformance : public HeapConformance {
  protected:
    void SetUp() override;

    Words empty_command() const { return start_npu(empty_code.address, kEmptyCodeBytes); }

    static constexpr uint32_t kEmptyCodeBytes = 16;
    Context context;
    DevBo pdi;
    DevBo empty_code;
};

/// How long a command may take that does nothing: far above the driver's own limits (2 s for a
/// hung one, 2 s for draining), far below a test runner's.
inline constexpr int64_t kPatienceMs = 20'000;

}  // namespace xdna::conformance
