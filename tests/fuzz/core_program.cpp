// Random bytes as program memory never crash or hang the host.

#include "tests/support/random_program.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    xdna::emu::test::run_random_program({data, size}, 3000);
    return 0;
}
