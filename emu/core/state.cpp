#include "emu/core/state.hpp"

namespace xdna::emu::core {

const std::array<uint32_t, isa::kAtomCount>& State::masks() {
    static const std::array<uint32_t, isa::kAtomCount> masks = [] {
        std::array<uint32_t, isa::kAtomCount> all{};
        for (size_t atom = 0; atom < all.size(); ++atom) {
            const unsigned bits =
                isa::bits(isa::register_of_atom(static_cast<isa::Atom>(atom)).file);
            all[atom] = bits >= 32 ? ~0U : (1U << bits) - 1;
        }
        return all;
    }();
    return masks;
}

}  // namespace xdna::emu::core
