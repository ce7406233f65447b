#include "kernels/flow/sequence.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/flow/design.hpp"

namespace xdna::flow {
namespace {

using image::Field;
using image::Module;

constexpr Field kController = image::field(Module::kNoc, "DMA_S2MM_{}_Ctrl", "Controller_ID");

}  // namespace

Sequence::Sequence(int columns) {
    transaction_.columns = static_cast<uint8_t>(columns);
}

void Sequence::write(uint32_t address, uint32_t value) {
    transaction_.operations.emplace_back(image::txn::Write{address, value});
}

void Sequence::write(uint32_t address, std::vector<uint32_t> words) {
    transaction_.operations.emplace_back(image::txn::BlockWrite{address, std::move(words)});
}

void Sequence::bd(Tile tile, int id, const Bd& bd) {
    write(tile.address(bd_offset(tile.kind(), id)), encode_bd(tile.kind(), bd));
}

void Sequence::bd(int column, int id, const Bd& bd, int argument) {
    const Tile shim{column, 0};
    const uint32_t address = shim.address(bd_offset(TileKind::kShim, id));
    Bd unplaced = bd;
    unplaced.address = 0;
    write(address, encode_bd(TileKind::kShim, unplaced));
    // The controller adds the argument's address to words 1 and 2; mlir-aie names word 1.
    transaction_.operations.emplace_back(image::txn::DdrPatch{
        .address = address + 4, .argument = static_cast<uint64_t>(argument), .offset = bd.address});
}

void Sequence::data(Tile tile, uint32_t address, std::vector<uint32_t> words) {
    if (address % 4 || words.empty() ||
        address + uint64_t{4} * words.size() > shape(tile.kind()).data_bytes) {
        throw std::invalid_argument(tile.name() + " has no " + std::to_string(4 * words.size()) +
                                    " bytes of data memory at " + std::to_string(address));
    }
    if (words.size() == 1) {
        write(tile.address(address), words[0]);
    } else {
        write(tile.address(address), std::move(words));
    }
}

void Sequence::start(Tile tile, Direction direction, int channel, int bd, int repeats, bool token) {
    if (token) {
        const uint32_t control = tile.address(control_offset(tile.kind(), direction, channel));
        if (token_channels_.insert(control).second) {
            transaction_.operations.emplace_back(
                image::txn::MaskWrite{control, kController.put(kControllerId), kController.mask()});
        }
    }
    write(tile.address(queue_offset(tile.kind(), direction, channel)),
          task_word(tile.kind(), bd, repeats, token));
}

void Sequence::wait(Tile tile, Direction direction, int channel) {
    transaction_.operations.emplace_back(
        image::txn::Sync{.direction = static_cast<uint8_t>(direction),
                         .row = static_cast<uint8_t>(tile.row),
                         .column = static_cast<uint8_t>(tile.column),
                         .channel = static_cast<uint8_t>(channel)});
}

std::vector<uint8_t> Sequence::code() const {
    return image::serialize(transaction_);
}

}  // namespace xdna::flow
