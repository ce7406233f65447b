#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = serialize(samples::dpu_sequence());
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        xdna::fuzz::expect_same(bytes, serialize(parse_dpu_sequence(bytes)));
    } catch (const FormatError&) {
    }
    return 0;
}
