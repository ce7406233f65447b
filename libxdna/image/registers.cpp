#include "libxdna/image/registers.hpp"

#include <algorithm>
#include <vector>

namespace xdna::image {
namespace {

// A register of the array, or a whole memory: what one look-up can land in.
struct Extent {
    uint32_t begin;
    uint32_t end;
    const Register* reg;
    uint32_t i;
    uint32_t j;
};

std::vector<Extent> extents_of(TileKind tile) {
    std::vector<Extent> extents;
    for (const Register& reg : registers()) {
        if (tile_kind(reg.module) != tile) {
            continue;
        }
        if (reg.is_memory()) {
            const uint32_t size = reg.outer.count * reg.outer.stride;
            extents.push_back({reg.offset, reg.offset + size, &reg, 0, 0});
            continue;
        }
        for (uint32_t i = 0; i < reg.outer.count; ++i) {
            for (uint32_t j = 0; j < reg.inner.count; ++j) {
                const uint32_t begin = reg.offset_of(i, j);
                extents.push_back({begin, begin + reg.bits / 8, &reg, i, j});
            }
        }
    }
    std::sort(extents.begin(), extents.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    return extents;
}

}  // namespace

std::optional<RegisterHit> find_register(TileKind tile, uint32_t offset) {
    static const std::array<std::vector<Extent>, 3> all_extents = {
        extents_of(TileKind::kShim), extents_of(TileKind::kMem), extents_of(TileKind::kCore)};
    const auto& extents = all_extents[static_cast<size_t>(tile)];
    auto after = std::upper_bound(extents.begin(), extents.end(), offset,
                                  [](uint32_t at, const Extent& e) { return at < e.begin; });
    if (after == extents.begin() || offset >= std::prev(after)->end) {
        return std::nullopt;
    }
    const Extent& hit = *std::prev(after);
    if (hit.reg->is_memory()) {
        const uint32_t distance = offset - hit.begin;
        return RegisterHit{hit.reg, distance / hit.reg->outer.stride, 0,
                           distance % hit.reg->outer.stride};
    }
    return RegisterHit{hit.reg, hit.i, hit.j, offset - hit.begin};
}

std::string register_name(TileKind tile, uint32_t offset) {
    const auto hex = [](uint32_t value) {
        std::string text;
        do {
            text.insert(text.begin(), "0123456789abcdef"[value & 15]);
            value >>= 4;
        } while (value != 0);
        return "0x" + text;
    };
    const auto hit = find_register(tile, offset);
    if (!hit) {
        return hex(offset);
    }
    const Register& reg = *hit->reg;
    std::string name(module_name(reg.module));
    name += '.';
    uint32_t numbers[] = {hit->i + reg.outer.first, hit->j + reg.inner.first};
    const uint32_t* number = numbers;
    for (size_t at = 0; at < reg.name.size(); ++at) {
        if (reg.name[at] == '{') {
            name += std::to_string(*number++);
            ++at;
        } else {
            name += reg.name[at];
        }
    }
    const uint32_t byte = reg.is_memory() ? offset - reg.offset : hit->byte;
    return byte == 0 ? name : name + "+" + hex(byte);
}

}  // namespace xdna::image
