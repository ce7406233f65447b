// Random bytes as an AIE2 ELF file: read and listed, or refused by name.

#include <cstdint>
#include <span>

#include "kernels/as/disassemble.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace xdna::as;
    try {
        const Object object = read_elf(std::span(data, size));
        (void)listing(object);
        (void)source(object);
    } catch (const ObjectError&) {
        // Refused.
    }
    return 0;
}
