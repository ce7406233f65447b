// Random text as source: it assembles, or its mistakes are told; what assembles links or is
// refused.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "kernels/as/assembler.hpp"
#include "kernels/as/disassemble.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace xdna::as;
    if (size == 0)
        return 0;
    Options options;
    options.auto_align = (data[0] & 1U) != 0;
    options.check_latency = (data[0] & 2U) != 0;
    options.insert_nops = (data[0] & 4U) != 0;
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    Diagnostics diagnostics;
    const auto object = assemble("fuzz.s", text, options, diagnostics);
    if (object.has_value() == diagnostics.has_errors())
        std::abort();
    for (const Diagnostic& diagnostic : diagnostics.list())
        (void)format(diagnostic);
    if (!object)
        return 0;
    const Object back = read_elf(write_elf(*object));
    if (back.sections.size() != object->sections.size())
        std::abort();
    (void)listing(back);
    try {
        (void)link(*object);
    } catch (const ObjectError&) {
        // Undefined symbols, or more than a core holds.
    }
    return 0;
}
