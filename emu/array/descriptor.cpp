#include "emu/array/descriptor.hpp"

#include <string_view>

namespace xdna::emu {
namespace {

using image::Module;

// A BD field: which of the BD's registers, and where in it. Width 0 where a kind lacks the field.
struct Place {
    uint8_t word = 0;
    image::Field field;

    uint32_t get(std::span<const uint32_t> words) const {
        return field.width == 0 ? 0 : field.get(words[word]);
    }
    int8_t get_signed(std::span<const uint32_t> words) const {
        const uint32_t sign = 1U << (field.width - 1);
        return static_cast<int8_t>(static_cast<int>(get(words) ^ sign) - static_cast<int>(sign));
    }
};

consteval Place place(Module module, std::string_view name) {
    constexpr std::string_view kPrefix = "DMA_BD{}_";
    for (const image::Register& reg : image::registers()) {
        if (reg.module != module || !reg.name.starts_with(kPrefix)) {
            continue;
        }
        for (std::string_view rest = reg.field_list; !rest.empty();) {
            const image::Field field = image::detail::next_field(rest, reg.access);
            if (field.name == name) {
                return {static_cast<uint8_t>(reg.name[kPrefix.size()] - '0'), field};
            }
        }
    }
    return {};
}

struct DimensionPlaces {
    Place step, wrap, before, after;
};

struct Layout {
    Place base, base_low, base_high, length;
    std::array<DimensionPlaces, AddressGenerator::kDimensions> dimensions;
    Place iteration_step, iteration_wrap, iteration_current;
    Place next, use_next, valid, compression, tlast_suppress;
    Place packet, packet_id, packet_type, out_of_order_id;
    Place acquire, acquire_id, acquire_value, release_id, release_value;
};

consteval Layout layout(Module m) {
    return {
        .base = place(m, "Base_Address"),
        .base_low = place(m, "Base_Address_Low"),
        .base_high = place(m, "Base_Address_High"),
        .length = place(m, "Buffer_Length"),
        .dimensions = {{
            {place(m, "D0_Stepsize"), place(m, "D0_Wrap"), place(m, "D0_Zero_Before"),
             place(m, "D0_Zero_After")},
            {place(m, "D1_Stepsize"), place(m, "D1_Wrap"), place(m, "D1_Zero_Before"),
             place(m, "D1_Zero_After")},
            {place(m, "D2_Stepsize"), place(m, "D2_Wrap"), place(m, "D2_Zero_Before"),
             place(m, "D2_Zero_After")},
            {place(m, "D3_Stepsize"), {}, {}, {}},
        }},
        .iteration_step = place(m, "Iteration_Stepsize"),
        .iteration_wrap = place(m, "Iteration_Wrap"),
        .iteration_current = place(m, "Iteration_Current"),
        .next = place(m, "Next_BD"),
        .use_next = place(m, "Use_Next_BD"),
        .valid = place(m, "Valid_BD"),
        .compression = place(m, "Enable_Compression"),
        .tlast_suppress = place(m, "TLAST_Suppress"),
        .packet = place(m, "Enable_Packet"),
        .packet_id = place(m, "Packet_ID"),
        .packet_type = place(m, "Packet_Type"),
        .out_of_order_id = place(m, "Out_Of_Order_BD_ID"),
        .acquire = place(m, "Lock_Acq_Enable"),
        .acquire_id = place(m, "Lock_Acq_ID"),
        .acquire_value = place(m, "Lock_Acq_Value"),
        .release_id = place(m, "Lock_Rel_ID"),
        .release_value = place(m, "Lock_Rel_Value"),
    };
}

constexpr std::array<Layout, 3> kLayouts = {layout(Module::kNoc), layout(Module::kMemTile),
                                            layout(Module::kMemory)};

const Layout& layout_of(TileKind kind) {
    return kLayouts[static_cast<size_t>(kind)];
}

}  // namespace

Descriptor decode_descriptor(TileKind kind, std::span<const uint32_t> words) {
    const Layout& at = layout_of(kind);
    Descriptor bd;
    bd.valid = at.valid.get(words) != 0;
    bd.base = kind == TileKind::kShim
                  ? uint64_t{at.base_high.get(words)} << 32 | at.base_low.get(words) << 2
                  : uint64_t{at.base.get(words)} * 4;
    bd.length = at.length.get(words);
    for (unsigned k = 0; k < AddressGenerator::kDimensions; ++k) {
        const DimensionPlaces& from = at.dimensions[k];
        bd.dimensions[k] = {from.step.get(words) + 1, from.wrap.get(words), from.before.get(words),
                            from.after.get(words)};
    }
    bd.iteration_step = at.iteration_step.get(words) + 1;
    bd.iteration_wrap = at.iteration_wrap.get(words) + 1;
    bd.iteration = at.iteration_current.get(words);
    if (at.use_next.get(words) != 0) {
        bd.next = static_cast<uint8_t>(at.next.get(words));
    }
    bd.compression = at.compression.get(words) != 0;
    bd.tlast_suppress = at.tlast_suppress.get(words) != 0;
    bd.packet = at.packet.get(words) != 0;
    bd.packet_id = static_cast<uint8_t>(at.packet_id.get(words));
    bd.packet_type = static_cast<uint8_t>(at.packet_type.get(words));
    bd.out_of_order_id = static_cast<uint8_t>(at.out_of_order_id.get(words));
    bd.acquire = at.acquire.get(words) != 0;
    bd.acquire_id = static_cast<uint8_t>(at.acquire_id.get(words));
    bd.acquire_value = at.acquire_value.get_signed(words);
    bd.release_id = static_cast<uint8_t>(at.release_id.get(words));
    bd.release_value = at.release_value.get_signed(words);
    return bd;
}

void count_iteration(TileKind kind, std::span<uint32_t> words) {
    const Layout& at = layout_of(kind);
    const uint32_t current = at.iteration_current.get(words);
    const uint32_t next = current == at.iteration_wrap.get(words) ? 0 : current + 1;
    uint32_t& word = words[at.iteration_current.word];
    word = (word & ~at.iteration_current.field.mask()) | at.iteration_current.field.put(next);
}

}  // namespace xdna::emu
