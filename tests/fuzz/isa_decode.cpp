// Random bytes as program memory: what decodes, prints and encodes again; what does not is told.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <stdexcept>

#include "kernels/isa/timing.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace xdna::isa;
    std::span<const std::uint8_t> code(data, size);
    while (!code.empty()) {
        DecodeFailure failure{};
        const auto bundle = decode(code, &failure);
        if (!bundle) {
            if (describe(failure).empty())
                std::abort();
            code = code.subspan(code.size() < 2 ? code.size() : 2);
            continue;
        }
        if (print(*bundle).empty() || bundle->size > code.size())
            std::abort();
        for (const Instruction& instruction : bundle->instructions()) {
            (void)reads(instruction);
            (void)writes(instruction);
        }
        try {
            const auto again = encode(*bundle);
            if (decode(again.bytes()) != bundle)
                std::abort();
        } catch (const std::invalid_argument&) {
            // A code that is understood and never written: CORE_ID as a destination.
        }
        code = code.subspan(bundle->size);
    }
    return 0;
}
