#include "kernels/as/cores.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "libxdna/image/overloaded.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::as {

namespace {

/// Program memory in a core tile's address space. Source: Xilinx/aie-rt,
/// driver/src/global/xaiemlgbl_params.h.
constexpr std::uint32_t kProgramMemory = 0x20000;
constexpr std::uint32_t kProgramMemoryBytes = 0x4000;

/// Words by address, for each core.
using Memories =
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::map<std::uint32_t, std::uint32_t>>;

void store(Memories& memories, std::uint64_t address, std::uint32_t word) {
    if (address > 0xffffffffU)
        return;
    const auto place = image::TileAddress::decode(static_cast<std::uint32_t>(address));
    if (place.kind() != image::TileKind::kCore || place.offset < kProgramMemory ||
        place.offset >= kProgramMemory + kProgramMemoryBytes || place.offset % 4 != 0)
        return;
    memories[{place.column, place.row}][place.offset - kProgramMemory] = word;
}

void run(const image::Cdo& cdo, Memories& memories) {
    using namespace image::cdo;
    for (const Command& command : cdo.commands) {
        std::visit(
            Overloaded{[&](const Write& write) { store(memories, write.address, write.value); },
                       [&](const DmaWrite& write) {
                           for (std::size_t i = 0; i < write.data.size(); ++i)
                               store(memories, write.address + 4 * i, write.data[i]);
                       },
                       [&](const Fill& fill) {
                           const std::uint32_t words =
                               std::min(fill.words, kProgramMemoryBytes / 4);
                           for (std::uint32_t i = 0; i < words; ++i)
                               store(memories, fill.address + 4ULL * i, fill.value);
                       },
                       [](const auto&) {}},
            command.body);
        if (std::holds_alternative<EndMark>(command.body))
            return;
    }
}

}  // namespace

std::vector<CoreProgram> core_programs(const image::Pdi& pdi) {
    Memories memories;
    for (const image::Cdo* cdo : image::cdos(pdi))
        run(*cdo, memories);
    std::vector<CoreProgram> cores;
    for (const auto& [place, words] : memories) {
        CoreProgram core{place.first, place.second, {}};
        for (const auto& [address, word] : words) {
            if (core.pieces.empty() ||
                core.pieces.back().address + core.pieces.back().bytes.size() != address)
                core.pieces.push_back({address, {}});
            for (unsigned shift = 0; shift < 32; shift += 8)
                core.pieces.back().bytes.push_back(static_cast<std::uint8_t>(word >> shift));
        }
        cores.push_back(std::move(core));
    }
    return cores;
}

}  // namespace xdna::as
