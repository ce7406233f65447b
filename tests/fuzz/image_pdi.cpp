#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

// Checksums right again, those of the CDO included.
static void repair(xdna::image::Bytes& bytes) {
    using namespace xdna::fuzz;
    const size_t table = word(bytes, 0) == 0xDD ? 16 : 0;
    repair_checksum(bytes, table, 128);
    for (uint32_t i = 0; i < 4; ++i) {
        repair_checksum(bytes, uint64_t{word(bytes, table + 8)} * 4 + 64 * i, 64);
        const uint64_t header = uint64_t{word(bytes, table + 16)} * 4 + 128 * i;
        repair_checksum(bytes, header, 128);
        if (header < bytes.size()) {
            repair_checksum(bytes, uint64_t{word(bytes, header + 32)} * 4, 20);
        }
    }
}

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = serialize(samples::pdi());
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    Bytes bytes(data, data + size);
    repair(bytes);
    try {
        xdna::fuzz::expect_same(bytes, serialize(parse_pdi(bytes)));
    } catch (const FormatError&) {
    }
    return 0;
}
