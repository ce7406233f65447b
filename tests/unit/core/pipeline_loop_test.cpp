// `.pipeline` loops: what overlapped iterations compute is what they compute one after the other.
#include <random>

#include "tests/unit/core/machine.hpp"

namespace xdna::emu::test {
namespace {

as::Object object_of(const std::string& source, bool pipeline) {
    as::Options options;
    options.insert_nops = true;
    options.pipeline = pipeline;
    as::Diagnostics diagnostics;
    auto object = as::assemble("loop.s", source, options, diagnostics);
    for (const auto& each : diagnostics.list()) {
        ADD_FAILURE() << format(each);
    }
    return object ? std::move(*object) : as::Object{};
}
std::vector<std::byte> code_of(const as::Object& object) {
    const auto code = as::flat_program(as::link(object));
    const auto* first = reinterpret_cast<const std::byte*>(code.data());
    return {first, first + code.size()};
}
int64_t value_of(const as::Object& object, const std::string& name) {
    for (const as::ObjectSymbol& symbol : object.symbols) {
        if (symbol.name == name) {
            return symbol.value;
        }
    }
    ADD_FAILURE() << "no symbol " << name;
    return -1;
}

// Four products of 4 x 8 by 8 x 8 a turn, rounded to 16 bits and stored.
const char* const kProducts = R"(
    movxm p0, #0x70000
    movxm p1, #0x74000
    movxm p2, #0x78000
    movxm r1, #0x308
    mova r2, #9
    mov crRnd, r2
    mova r2, #1
    mov crSat, r2
    mova r3, #3
    mov s0, r3
    mova r0, #24
    .pipeline products, r0
    .bank p0, 0
    .bank p1, 1
    .bank p2, 2
    vlda wl4, [p1], #32
    vlda wh4, [p1], #32
    vldb wl0, [p0], #32
    vldb wl1, [p0], #32
    vldb wl2, [p0], #32
    vldb wl3, [p0], #32
    vmul cm0, x0, x4, r1
    vmul cm1, x1, x4, r1
    vmul cm2, x2, x4, r1
    vmul cm3, x3, x4, r1
    vlda wl5, [p1], #32
    vlda wh5, [p1], #32
    vldb wl0, [p0], #32
    vldb wl1, [p0], #32
    vldb wl2, [p0], #32
    vldb wl3, [p0], #32
    vmac cm0, cm0, x0, x5, r1
    vmac cm1, cm1, x1, x5, r1
    vmac cm2, cm2, x2, x5, r1
    vmac cm3, cm3, x3, x5, r1
    vsrs.s16.s32 x6, cm0, s0
    vst wl6, [p2], #32
    vst wh6, [p2], #32
    vsrs.s16.s32 x7, cm1, s0
    vst wl7, [p2], #32
    vst wh7, [p2], #32
    vsrs.s16.s32 x6, cm2, s0
    vst wl6, [p2], #32
    vst wh6, [p2], #32
    vsrs.s16.s32 x7, cm3, s0
    vst wl7, [p2], #32
    vst wh7, [p2], #32
    .endpipeline
    done
)";

TEST(PipelinedLoop, ComputesWhatItsBodyDoesInOrder) {
    std::mt19937 random(7);
    std::vector<uint8_t> data(32 * 1024);
    for (uint8_t& byte : data) {
        byte = static_cast<uint8_t>(random());
    }
    std::vector<uint8_t> results[2];
    uint64_t cycles[2];
    for (const bool pipeline : {false, true}) {
        Machine machine;
        machine.put<uint8_t>(0, data);
        machine.load(code_of(object_of(kProducts, pipeline)));
        machine.finish();
        results[pipeline] = machine.get<uint8_t>(0x8000, size_t{24} * 256);
        cycles[pipeline] = machine.cycles;
    }
    EXPECT_EQ(results[0], results[1]);
    EXPECT_NE(results[0], std::vector<uint8_t>(results[0].size()));
    EXPECT_LT(cycles[1], cycles[0] / 3);
    // 12 stores and roundings a turn through one slot.
    EXPECT_EQ(value_of(object_of(kProducts, true), "products_interval"), 12);
}

}  // namespace
}  // namespace xdna::emu::test
