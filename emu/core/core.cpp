#include "emu/core/core.hpp"

#include "emu/core/pipeline.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::emu {
namespace {

using image::Module;
using image::register_row;
using isa::RegisterFile;

// The debug window: rows of the core module's register map, and the register file that each shows.
// Control and status are composed words and vectors are 128-bit parts; those are done apart.
struct Window {
    const image::Register& row;
    RegisterFile file;
    uint8_t first;
};
constexpr Window kWindows[] = {
    {register_row(Module::kCore, "Core_R{}"), RegisterFile::kR, 0},
    {register_row(Module::kCore, "Core_M{}"), RegisterFile::kM, 0},
    {register_row(Module::kCore, "Core_DN{}"), RegisterFile::kDn, 0},
    {register_row(Module::kCore, "Core_DJ{}"), RegisterFile::kDj, 0},
    {register_row(Module::kCore, "Core_DC{}"), RegisterFile::kDc, 0},
    {register_row(Module::kCore, "Core_P{}"), RegisterFile::kP, 0},
    {register_row(Module::kCore, "Core_S{}"), RegisterFile::kS, 0},
    {register_row(Module::kCore, "Core_LS"), RegisterFile::kSpec, 0},
    {register_row(Module::kCore, "Core_DP"), RegisterFile::kSpec, 1},
    {register_row(Module::kCore, "Core_LR"), RegisterFile::kSpec, 2},
    {register_row(Module::kCore, "Core_LE"), RegisterFile::kSpec, 4},
    {register_row(Module::kCore, "Core_SP"), RegisterFile::kSpec, 5},
    {register_row(Module::kCore, "Core_LC"), RegisterFile::kLc, 0},
};
constexpr uint32_t kPc = register_row(Module::kCore, "Core_PC").offset;

class Core final : public CoreModel {
  public:
    void reset() override { pipeline_.reset(); }
    void program_changed() override { pipeline_.program_changed(); }
    CoreProgress run(CoreBus& bus, uint64_t now, uint64_t cycles) override {
        return pipeline_.run(bus, now, cycles);
    }

    uint32_t read_register(uint32_t offset) const override {
        if (offset == kPc) {
            return pipeline_.pc;
        }
        return pipeline_.state.scalar(atom_at(offset));
    }
    void write_register(uint32_t offset, uint32_t value) override {
        if (offset == kPc) {
            pipeline_.pc = value;
            return;
        }
        pipeline_.state.set_scalar(atom_at(offset), value);
    }

  private:
    static isa::Atom atom_at(uint32_t offset) {
        for (const Window& window : kWindows) {
            const uint32_t from = window.row.offset;
            const uint32_t stride = window.row.outer.stride ? window.row.outer.stride : 16;
            if (offset >= from && offset < from + stride * window.row.count() &&
                (offset - from) % stride == 0) {
                return core::atom_of(window.file, window.first + (offset - from) / stride);
            }
        }
        throw CoreTrap{"register " + image::register_name(image::TileKind::kCore, offset) +
                       " is not modelled"};
    }

    core::Pipeline pipeline_;
};

}  // namespace

std::unique_ptr<CoreModel> make_core(Tile) {
    auto core = std::make_unique<Core>();
    core->reset();
    return core;
}

}  // namespace xdna::emu
