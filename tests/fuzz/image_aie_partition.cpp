#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = samples::xclbin().section(SectionKind::kAiePartition)->data;
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        const AiePartition partition = parse_aie_partition(bytes);
        // Not the same bytes (reserved ones, and the order), but the same content.
        if (parse_aie_partition(serialize(partition)) != partition) {
            std::abort();
        }
    } catch (const FormatError&) {
    }
    return 0;
}
