#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = samples::xclbin().section(SectionKind::kEmbeddedMetadata)->data;
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        const EmbeddedMetadata metadata = parse_embedded_metadata(bytes);
        if (parse_embedded_metadata(serialize(metadata)) != metadata) {
            std::abort();
        }
    } catch (const FormatError&) {
    }
    return 0;
}
