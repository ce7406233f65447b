#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = serialize(samples::xclbin());
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        const Xclbin xclbin = parse_xclbin(bytes);
        xdna::fuzz::expect_same(bytes, serialize(xclbin));
        const XclbinRecipe recipe = recipe_of(xclbin);
        (void)serialize(make_xclbin(recipe));
    } catch (const FormatError&) {
    }
    return 0;
}
