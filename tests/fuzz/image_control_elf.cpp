#include "libxdna/image/control_elf.hpp"
#include "tests/fuzz/seeded.hpp"
#include "tests/unit/image/samples.hpp"

using namespace xdna::image;

const Bytes& xdna::fuzz::seed() {
    static const Bytes sample = samples::control_elf();
    return sample;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const ByteView bytes(data, size);
        ControlElf elf = parse_control_elf(bytes);
        for (const ElfRelocation& relocation : elf.relocations) {
            apply_relocation(elf, relocation, 0x123456789);
        }
    } catch (const FormatError&) {
    }
    return 0;
}
