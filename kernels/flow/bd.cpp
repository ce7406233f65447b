#include "kernels/flow/bd.hpp"

#include <array>
#include <stdexcept>
#include <string>

namespace xdna::flow {
namespace {

using image::Field;
using image::Module;
using image::register_row;

// A place for one value in a BD: which word, which bits. Width 0: this kind of tile has none.
struct Place {
    uint8_t word = 0;
    Field field;
};

// Where each member of a BD goes, for one kind of tile. The bits come from the register table.
struct Layout {
    size_t words;
    Place length, base, base_high, valid, use_next, next;
    Place acquire_enable, acquire_lock, acquire_value, release_lock, release_value;
    std::array<Place, 4> step, wrap, before, after;
    size_t dimensions;
    uint32_t own_memory;  // words added to an address to name the tile's own memory
    uint32_t own_locks;   // added to a lock number likewise
};

consteval Place place(Module module, uint8_t word, std::string_view name) {
    constexpr std::array<std::string_view, 8> kNames = {"DMA_BD{}_0", "DMA_BD{}_1", "DMA_BD{}_2",
                                                        "DMA_BD{}_3", "DMA_BD{}_4", "DMA_BD{}_5",
                                                        "DMA_BD{}_6", "DMA_BD{}_7"};
    return {word, image::field(module, kNames[word], name)};
}

constexpr Layout kShim = {
    .words = 8,
    .length = place(Module::kNoc, 0, "Buffer_Length"),
    .base = place(Module::kNoc, 1, "Base_Address_Low"),
    .base_high = place(Module::kNoc, 2, "Base_Address_High"),
    .valid = place(Module::kNoc, 7, "Valid_BD"),
    .use_next = place(Module::kNoc, 7, "Use_Next_BD"),
    .next = place(Module::kNoc, 7, "Next_BD"),
    .acquire_enable = place(Module::kNoc, 7, "Lock_Acq_Enable"),
    .acquire_lock = place(Module::kNoc, 7, "Lock_Acq_ID"),
    .acquire_value = place(Module::kNoc, 7, "Lock_Acq_Value"),
    .release_lock = place(Module::kNoc, 7, "Lock_Rel_ID"),
    .release_value = place(Module::kNoc, 7, "Lock_Rel_Value"),
    .step = {place(Module::kNoc, 3, "D0_Stepsize"), place(Module::kNoc, 4, "D1_Stepsize"),
             place(Module::kNoc, 5, "D2_Stepsize")},
    .wrap = {place(Module::kNoc, 3, "D0_Wrap"), place(Module::kNoc, 4, "D1_Wrap")},
    .before = {},
    .after = {},
    .dimensions = 3,
    .own_memory = 0,
    .own_locks = 0,
};

constexpr Layout kMem = {
    .words = 8,
    .length = place(Module::kMemTile, 0, "Buffer_Length"),
    .base = place(Module::kMemTile, 1, "Base_Address"),
    .base_high = {},
    .valid = place(Module::kMemTile, 7, "Valid_BD"),
    .use_next = place(Module::kMemTile, 1, "Use_Next_BD"),
    .next = place(Module::kMemTile, 1, "Next_BD"),
    .acquire_enable = place(Module::kMemTile, 7, "Lock_Acq_Enable"),
    .acquire_lock = place(Module::kMemTile, 7, "Lock_Acq_ID"),
    .acquire_value = place(Module::kMemTile, 7, "Lock_Acq_Value"),
    .release_lock = place(Module::kMemTile, 7, "Lock_Rel_ID"),
    .release_value = place(Module::kMemTile, 7, "Lock_Rel_Value"),
    .step = {place(Module::kMemTile, 2, "D0_Stepsize"), place(Module::kMemTile, 3, "D1_Stepsize"),
             place(Module::kMemTile, 4, "D2_Stepsize"), place(Module::kMemTile, 5, "D3_Stepsize")},
    .wrap = {place(Module::kMemTile, 2, "D0_Wrap"), place(Module::kMemTile, 3, "D1_Wrap"),
             place(Module::kMemTile, 4, "D2_Wrap")},
    .before = {place(Module::kMemTile, 1, "D0_Zero_Before"),
               place(Module::kMemTile, 3, "D1_Zero_Before"),
               place(Module::kMemTile, 4, "D2_Zero_Before")},
    .after = {place(Module::kMemTile, 5, "D0_Zero_After"),
              place(Module::kMemTile, 5, "D1_Zero_After"),
              place(Module::kMemTile, 5, "D2_Zero_After")},
    .dimensions = 4,
    // West neighbour's, own and east neighbour's memory and locks stand side by side. Source:
    // Xilinx/mlir-aie, lib/Targets/AIETargetCDODirect.cpp.
    .own_memory = 0x80000 / 4,
    .own_locks = 64,
};

constexpr Layout kCore = {
    .words = 6,
    .length = place(Module::kMemory, 0, "Buffer_Length"),
    .base = place(Module::kMemory, 0, "Base_Address"),
    .base_high = {},
    .valid = place(Module::kMemory, 5, "Valid_BD"),
    .use_next = place(Module::kMemory, 5, "Use_Next_BD"),
    .next = place(Module::kMemory, 5, "Next_BD"),
    .acquire_enable = place(Module::kMemory, 5, "Lock_Acq_Enable"),
    .acquire_lock = place(Module::kMemory, 5, "Lock_Acq_ID"),
    .acquire_value = place(Module::kMemory, 5, "Lock_Acq_Value"),
    .release_lock = place(Module::kMemory, 5, "Lock_Rel_ID"),
    .release_value = place(Module::kMemory, 5, "Lock_Rel_Value"),
    .step = {place(Module::kMemory, 2, "D0_Stepsize"), place(Module::kMemory, 2, "D1_Stepsize"),
             place(Module::kMemory, 3, "D2_Stepsize")},
    .wrap = {place(Module::kMemory, 3, "D0_Wrap"), place(Module::kMemory, 3, "D1_Wrap")},
    .before = {},
    .after = {},
    .dimensions = 3,
    .own_memory = 0,
    .own_locks = 0,
};

constexpr const Layout& layout(TileKind kind) {
    switch (kind) {
        case TileKind::kShim:
            return kShim;
        case TileKind::kMem:
            return kMem;
        default:
            return kCore;
    }
}

[[noreturn]] void refuse(const std::string& what, uint64_t value) {
    throw std::invalid_argument("BD " + what + " " + std::to_string(value) +
                                " does not fit this tile");
}

class Words {
  public:
    explicit Words(size_t count) : words_(count) {}

    void put(const Place& place, uint64_t value, const std::string& what) {
        if (value > (place.field.width ? place.field.max() : 0)) {
            refuse(what, value);
        }
        if (value) {
            words_[place.word] |= place.field.put(static_cast<uint32_t>(value));
        }
    }
    // Lock values are signed 7-bit fields.
    void put_signed(const Place& place, int value, const std::string& what) {
        if (value < -64 || value > 63) {
            refuse(what, static_cast<uint64_t>(value < 0 ? -value : value));
        }
        words_[place.word] |= place.field.put(static_cast<uint32_t>(value));
    }
    std::vector<uint32_t> take() { return std::move(words_); }

  private:
    std::vector<uint32_t> words_;
};

void put_dimensions(Words& words, const Layout& to, const std::vector<Dimension>& dimensions) {
    if (dimensions.size() > to.dimensions) {
        refuse("dimension count", dimensions.size());
    }
    for (size_t i = 0; i < dimensions.size(); ++i) {
        const Dimension& dim = dimensions[i];
        const std::string name = "dimension " + std::to_string(i) + " ";
        if (dim.step == 0) {
            refuse(name + "step", 0);
        }
        if (dim.size == 0 && i + 1 < dimensions.size()) {
            refuse(name + "size", 0);
        }
        words.put(to.step[i], dim.step - 1, name + "step - 1 of");
        // The last dimension runs until the length is used up: the register may be absent or 0.
        const bool open = i + 1 == dimensions.size() && !dim.zeros_before && !dim.zeros_after;
        if (!open || (to.wrap[i].field.width && dim.size <= to.wrap[i].field.max())) {
            words.put(to.wrap[i], dim.size, name + "size");
        }
        words.put(to.before[i], dim.zeros_before, name + "zeros before");
        words.put(to.after[i], dim.zeros_after, name + "zeros after");
    }
}

}  // namespace

std::vector<uint32_t> encode_bd(TileKind kind, const Bd& bd) {
    const Layout& to = layout(kind);
    Words words(to.words);
    if (bd.words == 0) {
        refuse("length", 0);
    }
    if (bd.address % 4) {
        refuse("address (not a multiple of 4)", bd.address);
    }
    words.put(to.length, bd.words, "length");
    if (kind == TileKind::kShim) {
        // The field holds address bits 31:2 in place, so the address is split, not shifted.
        words.put(to.base, (bd.address & 0xFFFFFFFF) >> to.base.field.lsb, "address");
        words.put(to.base_high, bd.address >> 32, "address");
    } else {
        if (bd.address + uint64_t{4} > shape(kind).data_bytes) {
            refuse("address", bd.address);
        }
        words.put(to.base, bd.address / 4 + to.own_memory, "address");
    }
    put_dimensions(words, to, bd.dimensions);
    words.put(to.valid, 1, "valid bit");
    if (bd.next) {
        words.put(to.use_next, 1, "chain bit");
        words.put(to.next, static_cast<uint64_t>(*bd.next), "next BD");
    }
    if (bd.acquire) {
        words.put(to.acquire_enable, 1, "acquire bit");
        words.put(to.acquire_lock, static_cast<uint64_t>(bd.acquire->lock) + to.own_locks,
                  "acquired lock");
        // Negative: succeed when the lock holds at least that many.
        words.put_signed(to.acquire_value, -bd.acquire->count, "acquire count");
    }
    if (bd.release) {
        words.put(to.release_lock, static_cast<uint64_t>(bd.release->lock) + to.own_locks,
                  "released lock");
        words.put_signed(to.release_value, bd.release->count, "release count");
    }
    return words.take();
}

namespace {

// Register rows of one kind of tile's DMA; queue and control indexed by Direction.
struct DmaRows {
    const image::Register& bd;
    const image::Register* queue[2];
    const image::Register* control[2];
};

constexpr DmaRows kRows[] = {
    {register_row(Module::kNoc, "DMA_BD{}_0"),
     {&register_row(Module::kNoc, "DMA_S2MM_{}_Task_Queue"),
      &register_row(Module::kNoc, "DMA_MM2S_{}_Task_Queue")},
     {&register_row(Module::kNoc, "DMA_S2MM_{}_Ctrl"),
      &register_row(Module::kNoc, "DMA_MM2S_{}_Ctrl")}},
    {register_row(Module::kMemTile, "DMA_BD{}_0"),
     {&register_row(Module::kMemTile, "DMA_S2MM_{}_Start_Queue"),
      &register_row(Module::kMemTile, "DMA_MM2S_{}_Start_Queue")},
     {&register_row(Module::kMemTile, "DMA_S2MM_{}_Ctrl"),
      &register_row(Module::kMemTile, "DMA_MM2S_{}_Ctrl")}},
    {register_row(Module::kMemory, "DMA_BD{}_0"),
     {&register_row(Module::kMemory, "DMA_S2MM_{}_Start_Queue"),
      &register_row(Module::kMemory, "DMA_MM2S_{}_Start_Queue")},
     {&register_row(Module::kMemory, "DMA_S2MM_{}_Ctrl"),
      &register_row(Module::kMemory, "DMA_MM2S_{}_Ctrl")}},
};

uint32_t element(const image::Register& row, int index, const char* what) {
    if (index < 0 || static_cast<size_t>(index) >= row.count()) {
        throw std::invalid_argument("no " + std::string(what) + " " + std::to_string(index) +
                                    " in this tile");
    }
    return row.offset_of(static_cast<uint32_t>(index));
}

const DmaRows& rows(TileKind kind) {
    return kRows[static_cast<int>(kind)];
}

}  // namespace

uint32_t bd_offset(TileKind kind, int id) {
    return element(rows(kind).bd, id, "BD");
}

uint32_t queue_offset(TileKind kind, Direction direction, int channel) {
    return element(*rows(kind).queue[static_cast<int>(direction)], channel, "DMA channel");
}

uint32_t control_offset(TileKind kind, Direction direction, int channel) {
    return element(*rows(kind).control[static_cast<int>(direction)], channel, "DMA channel");
}

uint32_t task_word(TileKind kind, int bd, int repeats, bool token) {
    // The memory tile's queue holds a wider BD number; all else is alike.
    constexpr Field kToken =
        image::field(Module::kMemTile, "DMA_S2MM_{}_Start_Queue", "Enable_Token_Issue");
    constexpr Field kRepeat =
        image::field(Module::kMemTile, "DMA_S2MM_{}_Start_Queue", "Repeat_Count");
    bd_offset(kind, bd);  // checks the number
    if (repeats < 1 || static_cast<uint32_t>(repeats) > kRepeat.max() + 1) {
        refuse("repeat count", static_cast<uint64_t>(repeats));
    }
    return kToken.put(token) | kRepeat.put(static_cast<uint32_t>(repeats) - 1) |
           static_cast<uint32_t>(bd);
}

}  // namespace xdna::flow
