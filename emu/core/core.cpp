#include "emu/core/core.hpp"

#include "emu/core/pipeline.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::emu {
namespace {

using image::Module;
using image::register_row;
using isa::RegisterFile;

// The debug window: where the core module's register map shows the cells of a register file.
struct Window {
    const image::Register& row;  // of the first cell
    RegisterFile file;
    uint8_t first;
    uint8_t count;
    uint8_t stride;  // bytes
    uint8_t size;    // bytes of a cell that are shown
};
constexpr uint8_t kWord = 4;
constexpr Window kWindows[] = {
    {register_row(Module::kCore, "Core_AMLL{}_Part{}"), RegisterFile::kAm, 0, 36, 32, 32},
    {register_row(Module::kCore, "Core_WL{}_Part{}"), RegisterFile::kW, 0, 24, 32, 32},
    {register_row(Module::kCore, "Core_R{}"), RegisterFile::kR, 0, 32, 16, kWord},
    {register_row(Module::kCore, "Core_M{}"), RegisterFile::kM, 0, 8, 16, kWord},
    {register_row(Module::kCore, "Core_DN{}"), RegisterFile::kDn, 0, 8, 16, kWord},
    {register_row(Module::kCore, "Core_DJ{}"), RegisterFile::kDj, 0, 8, 16, kWord},
    {register_row(Module::kCore, "Core_DC{}"), RegisterFile::kDc, 0, 8, 16, kWord},
    {register_row(Module::kCore, "Core_P{}"), RegisterFile::kP, 0, 8, 16, kWord},
    {register_row(Module::kCore, "Core_S{}"), RegisterFile::kS, 0, 4, 16, kWord},
    {register_row(Module::kCore, "Core_Q{}"), RegisterFile::kQh, 0, 8, 8, 8},
    {register_row(Module::kCore, "Core_LS"), RegisterFile::kSpec, 0, 1, 16, kWord},
    {register_row(Module::kCore, "Core_DP"), RegisterFile::kSpec, 1, 1, 16, kWord},
    {register_row(Module::kCore, "Core_LR"), RegisterFile::kSpec, 2, 1, 16, kWord},
    {register_row(Module::kCore, "Core_LE"), RegisterFile::kSpec, 4, 1, 16, kWord},
    {register_row(Module::kCore, "Core_SP"), RegisterFile::kSpec, 5, 1, 16, kWord},
    {register_row(Module::kCore, "Core_LC"), RegisterFile::kLc, 0, 1, 16, kWord},
};

// Core_CR and Core_SR show these bits of the control and status registers.
struct Part {
    uint8_t number;  // of the register in its file
    uint8_t from;    // its bits
    uint8_t width;
    uint8_t to;
};
constexpr Part kControlParts[] = {
    {9, 0, 2, 0},    // crSat
    {6, 0, 4, 2},    // crRnd
    {3, 0, 5, 6},    // crFPMask
    {4, 0, 1, 11},   // crMCDEn
    {7, 0, 1, 12},   // crSCDEn
    {0, 0, 1, 13},   // crVaddSign
    {11, 0, 1, 14},  // crUnpackSign
    {5, 0, 1, 15},   // crPackSign
    {10, 0, 1, 16},  // crUPSSign
    {8, 0, 1, 17},   // crSRSSign
    {2, 0, 5, 18},   // crF2IMask
    {1, 0, 5, 23},   // crF2FMask
};
constexpr Part kStatusParts[] = {
    {0, 0, 1, 0},   // srCarry
    {7, 1, 1, 1},   // srSS0: success
    {7, 0, 1, 2},   // srSS0: tlast
    {5, 1, 1, 3},   // srMS0: success
    {6, 0, 1, 4},   // srSRS_of
    {9, 0, 1, 5},   // srUPS_of
    {1, 0, 1, 6},   // srCompr_uf
    {4, 0, 5, 7},   // srFPFlags
    {3, 0, 5, 12},  // srF2IFlags
    {2, 0, 5, 17},  // srF2FFlags
    {8, 0, 1, 22},  // srSparse_of
};
constexpr uint32_t kCr = register_row(Module::kCore, "Core_CR").offset;
constexpr uint32_t kSr = register_row(Module::kCore, "Core_SR").offset;
constexpr uint32_t kPc = register_row(Module::kCore, "Core_PC").offset;

class Core final : public CoreModel {
  public:
    // CORE_ID: row 4:0, column 22:16, of which the register keeps 20 bits (silicon-questions).
    explicit Core(Tile tile) : id_(tile.row | uint32_t{tile.column} << 16) { reset(); }

    void reset() override {
        pipeline_.reset();
        pipeline_.state.set_scalar(core::atom_of(RegisterFile::kSpec, 3), id_);
    }
    void program_changed() override { pipeline_.program_changed(); }
    CoreProgress run(CoreBus& bus, uint64_t now, uint64_t cycles) override {
        return pipeline_.run(bus, now, cycles);
    }

    CoreWork work() const override { return pipeline_.work(); }
    std::vector<BundleTime> profile() const override { return pipeline_.profile(); }

    uint32_t read_register(uint32_t offset) const override {
        if (offset == kPc) {
            return pipeline_.pc;
        }
        if (offset == kCr) {
            return gather(RegisterFile::kCr, kControlParts);
        }
        if (offset == kSr) {
            return gather(RegisterFile::kSr, kStatusParts);
        }
        const Place place = place_of(offset);
        return pipeline_.state.cells(place.atom)->words[place.word];
    }
    void write_register(uint32_t offset, uint32_t value) override {
        if (offset == kPc) {
            pipeline_.pc = value;
            return;
        }
        if (offset == kCr) {
            return scatter(RegisterFile::kCr, kControlParts, value);
        }
        if (offset == kSr) {
            return scatter(RegisterFile::kSr, kStatusParts, value);
        }
        const Place place = place_of(offset);
        if (place.word == 0) {
            value &= core::State::masks()[place.atom];
        }
        pipeline_.state.cells(place.atom)->words[place.word] = value;
    }

  private:
    struct Place {
        isa::Atom atom;
        size_t word;
    };
    static Place place_of(uint32_t offset) {
        for (const Window& window : kWindows) {
            const uint32_t at = offset - window.row.offset;  // huge if it is below
            if (at < uint32_t{window.count} * window.stride && at % window.stride < window.size &&
                at % 4 == 0) {
                return {core::atom_of(window.file, window.first + at / window.stride),
                        at % window.stride / 4};
            }
        }
        throw CoreTrap{"register " + image::register_name(image::TileKind::kCore, offset) +
                       " is not modelled"};
    }

    uint32_t gather(RegisterFile file, std::span<const Part> parts) const {
        uint32_t value = 0;
        for (const Part& part : parts) {
            const uint32_t bits =
                pipeline_.state.scalar(core::atom_of(file, part.number)) >> part.from;
            value |= (bits & ((1U << part.width) - 1)) << part.to;
        }
        return value;
    }
    void scatter(RegisterFile file, std::span<const Part> parts, uint32_t value) {
        for (const Part& part : parts) {
            const isa::Atom atom = core::atom_of(file, part.number);
            const uint32_t mask = (1U << part.width) - 1;
            const uint32_t kept = pipeline_.state.scalar(atom) & ~(mask << part.from);
            pipeline_.state.set_scalar(atom, kept | (value >> part.to & mask) << part.from);
        }
    }

    core::Pipeline pipeline_;
    uint32_t id_;
};

}  // namespace

std::unique_ptr<CoreModel> make_core(Tile tile) {
    return std::make_unique<Core>(tile);
}

}  // namespace xdna::emu
