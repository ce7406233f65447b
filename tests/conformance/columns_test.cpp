// Which columns a context gets, and what is shared (aie2_solver.c), on npu1's five columns.
#include <unistd.h>

#include "tests/conformance/child.hpp"
#include "tests/conformance/fixture.hpp"

namespace xdna::conformance {
namespace {

class Columns : public HeapConformance {
  protected:
    void SetUp() override {
        HeapConformance::SetUp();
        XDNA_NEED(target().npu1 && target().columns == 5, "placement rules of npu1's five columns");
        XDNA_NEED(target().minor >= 1, "this driver cannot list contexts");
        XDNA_NEED(device.contexts().empty(), "another process has contexts");
    }

    /// Makes a context this wide; its first column, or the error in `status`.
    uint32_t place(uint32_t columns, Status* status = nullptr, Context* made = nullptr) const {
        Context context;
        Status result = device.create_hwctx(column_tiles(columns), context);
        if (status != nullptr) {
            *status = result;
        } else {
            EXPECT_EQ(result, kOk);
        }
        if (made != nullptr) {
            *made = context;
        }
        if (!result.is_ok()) {
            return ~0U;
        }
        auto entry = device.context_entry(context.handle);
        EXPECT_EQ(entry.num_col, columns);
        return entry.start_col;
    }
};

constexpr const char* kFree = "aie2_solver.c: get_free_partition";
constexpr const char* kShared = "aie2_solver.c: allocate_partition";

class ColumnWidth : public Columns, public testing::WithParamInterface<uint32_t> {};

TEST_P(ColumnWidth, StartsAtTheFirstColumn) {
    rule("npu1_regs.c: dev_npu1_info",
         "on an idle npu1 a context starts at column 1, one of all five at column 0");
    const uint32_t columns = GetParam();
    EXPECT_EQ(place(columns), columns == 5 ? 0U : 1U);
}

INSTANTIATE_TEST_SUITE_P(Of, ColumnWidth, testing::Range(1U, 6U),
                         [](const auto& row) { return std::to_string(row.param); });

TEST_F(Columns, FirstFreeColumnIsTaken) {
    rule(kFree, "one-column contexts take columns 1, 2, 3, 4");
    for (uint32_t column = 1; column <= 4; column++) {
        EXPECT_EQ(place(1), column);
    }
}

TEST_F(Columns, FullArrayIsShared) {
    rule(kShared, "with no free column the least-shared partition of the same place is shared");
    for (uint32_t column = 1; column <= 4; column++) {
        place(1);
    }
    EXPECT_EQ(place(1), 1U);
    EXPECT_EQ(place(1), 2U);
}

TEST_F(Columns, PairsTakePairs) {
    rule(kFree, "two-column contexts take 1-2 and 3-4, then share");
    EXPECT_EQ(place(2), 1U);
    EXPECT_EQ(place(2), 3U);
    EXPECT_EQ(place(2), 1U);
    EXPECT_EQ(place(2), 3U);
}

TEST_F(Columns, UnalignedStartsAreFine) {
    rule("aie2_ctx.c: aie2_hwctx_col_list", "npu1 aligns nothing: two columns may start at 2");
    EXPECT_EQ(place(1), 1U);
    EXPECT_EQ(place(2), 2U);
    EXPECT_EQ(place(1), 4U);
}

TEST_F(Columns, WideOnesShareOnlyTheirLike) {
    rule(kShared, "a partition is shared only at the same start and width: else ENODEV");
    EXPECT_EQ(place(1), 1U);
    Status status = kOk;
    place(4, &status);
    EXPECT_EQ(status, fails_with(ENODEV));
    place(5, &status);
    EXPECT_EQ(status, fails_with(ENODEV));
    EXPECT_EQ(place(3), 2U) << "the refusals took nothing";
}

TEST_F(Columns, EqualWideOnesShare) {
    rule(kShared, "two contexts of four columns share theirs");
    EXPECT_EQ(place(4), 1U);
    EXPECT_EQ(place(4), 1U);
    Status status = kOk;
    place(1, &status);
    EXPECT_EQ(status, fails_with(ENODEV));
}

TEST_F(Columns, FreedColumnsServeAgain) {
    rule("aie2_solver.c: remove_partition_node", "a destroyed context's columns are free again");
    Context first;
    EXPECT_EQ(place(2, nullptr, &first), 1U);
    EXPECT_EQ(place(2), 3U);
    ASSERT_EQ(device.destroy_hwctx(first.handle), kOk);
    EXPECT_EQ(place(1), 1U);
    EXPECT_EQ(place(1), 2U);
}

TEST_F(Columns, SharedColumnsStayUntilTheLast) {
    rule("aie2_solver.c: remove_partition_node",
         "a shared partition is free when its last user went");
    Context first;
    Context second;
    EXPECT_EQ(place(4, nullptr, &first), 1U);
    EXPECT_EQ(place(4, nullptr, &second), 1U);
    ASSERT_EQ(device.destroy_hwctx(first.handle), kOk);
    Status status = kOk;
    place(1, &status);
    EXPECT_EQ(status, fails_with(ENODEV));
    ASSERT_EQ(device.destroy_hwctx(second.handle), kOk);
    EXPECT_EQ(place(1), 1U);
}

TEST_F(Columns, FirmwareHasSixContexts) {
    rule("aie2_message.c: aie2_create_context",
         "npu1's firmware refuses a seventh context: EINVAL");
    for (int i = 0; i < 6; i++) {
        place(1);
    }
    Status status = kOk;
    place(1, &status);
    EXPECT_EQ(status, fails_with(EINVAL));
    EXPECT_EQ(device.contexts().size(), 6U);
    ASSERT_EQ(device.destroy_hwctx(3), kOk);
    EXPECT_EQ(place(1), 3U) << "column 3 was the freed one's";
}

TEST_F(Columns, LimitIsOfAllProcesses) {
    rule("aie2_message.c: aie2_create_context",
         "the six contexts are the machine's, not the file's");
    RawDevice other = RawDevice::open();
    uint32_t other_heap = 0;
    ASSERT_EQ(other.create_bo(AMDXDNA_BO_DEV_HEAP, kHeapSize, other_heap), kOk);
    Mapping other_memory = map_heap(other, other_heap);
    ASSERT_TRUE(other_memory);
    for (int i = 0; i < 3; i++) {
        place(1);
        Context context;
        ASSERT_EQ(other.create_hwctx(column_tiles(), context), kOk);
    }
    Context seventh;
    EXPECT_EQ(device.create_hwctx(column_tiles(), seventh), fails_with(EINVAL));
    EXPECT_EQ(other.create_hwctx(column_tiles(), seventh), fails_with(EINVAL));
    other_memory.reset();
    other.close();
    place(1);
}

TEST_F(Columns, OthersColumnsAreTaken) {
    rule(kFree, "a context of another process keeps its columns from this one");
    std::array<int, 2> ready{};
    std::array<int, 2> done{};
    ASSERT_EQ(pipe(ready.data()), 0);
    ASSERT_EQ(pipe(done.data()), 0);
    RawDevice ready_read(ready[0]);
    RawDevice ready_write(ready[1]);
    RawDevice done_read(done[0]);
    RawDevice done_write(done[1]);
    Child child([&] {
        done_write.close();
        RawDevice own = RawDevice::open();
        uint32_t own_heap = own.bo(AMDXDNA_BO_DEV_HEAP, kHeapSize);
        Mapping own_memory = map_heap(own, own_heap);
        Context context;
        XDNA_CHILD_CHECK(own.create_hwctx(2 * target().core_rows, context) == kOk);
        char byte = 0;
        XDNA_CHILD_CHECK(write(ready_write.fd(), &byte, 1) == 1);
        XDNA_CHILD_CHECK(read(done_read.fd(), &byte, 1) == 1);
        return 0;
    });
    ready_write.close();
    char byte = 0;
    ASSERT_EQ(read(ready_read.fd(), &byte, 1), 1);
    EXPECT_EQ(place(1), 3U);
    ASSERT_EQ(write(done_write.fd(), &byte, 1), 1);
    EXPECT_EQ(child.wait(), 0);
    EXPECT_EQ(place(1), 1U) << "the child's went with it";
}

}  // namespace
}  // namespace xdna::conformance
