#include "libxdna/image/text.hpp"
#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = serialize(samples::ert_packets()[1]);
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        const ert::Packet packet = parse_ert_packet(bytes);
        const Bytes written = serialize(packet);
        xdna::fuzz::expect_same(bytes.first(std::min(bytes.size(), written.size())), written);
        (void)to_text(packet);
    } catch (const FormatError&) {
    }
    return 0;
}
