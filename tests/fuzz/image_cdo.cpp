#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = serialize(samples::cdo());
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Bytes bytes(data, data + size);
    xdna::fuzz::repair_checksum(bytes, 0, 20);
    try {
        xdna::fuzz::expect_same(bytes, serialize(parse_cdo(bytes)));
    } catch (const FormatError&) {
    }
    return 0;
}
