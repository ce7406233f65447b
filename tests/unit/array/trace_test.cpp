// The trace as a document: whole, within its limit, whatever names are in it.
#include "emu/array/trace.hpp"

#include <gtest/gtest.h>

#include <sstream>

namespace xdna::emu::test {
namespace {

TEST(Trace, IsOneObjectWithNamedTracks) {
    std::ostringstream out;
    Trace trace(out);
    trace.slice(Tile{1, 2}.index(), "core", "waits: \"x\\", 10, 15, "\"bundles\":3");
    trace.counter(Tile{1, 2}.index(), "lock 0", 12, 1);
    trace.finish();
    EXPECT_EQ(out.str(),
              R"({"displayTimeUnit":"ns","otherData":{"time":"1 us is one array cycle"},)"
              R"("traceEvents":[)"
              "\n"
              R"({"ph":"M","name":"process_name","pid":8,"args":{"name":"(1,2) core tile"}},)"
              "\n"
              R"({"ph":"M","name":"process_sort_index","pid":8,"args":{"sort_index":9}},)"
              "\n"
              R"({"ph":"M","name":"thread_name","pid":8,"tid":0,"args":{"name":"core"}},)"
              "\n"
              R"({"ph":"X","name":"waits: \"x\\","pid":8,"tid":0,"ts":10,"dur":5,)"
              R"("args":{"bundles":3}},)"
              "\n"
              R"({"ph":"C","name":"lock 0","pid":8,"ts":12,"args":{"value":1}})"
              "\n]}\n");
}

TEST(Trace, StopsAtItsLimitAndSaysHowMuchIsMissing) {
    std::ostringstream out;
    Trace trace(out, 2);
    for (uint64_t at = 0; at < 5; ++at) {
        trace.counter(0, "lock 0", at, 0);
    }
    EXPECT_EQ(trace.left_out(), 3U);
    trace.finish();
    trace.counter(0, "lock 0", 9, 0);
    EXPECT_TRUE(out.str().ends_with("\n],\"xdna_left_out_events\":3}\n")) << out.str();
}

}  // namespace
}  // namespace xdna::emu::test
