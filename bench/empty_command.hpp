// A context whose commands do nothing: a PDI with nothing in it, and control code of no operations.
// What is left is what a command costs in itself.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "libxdna/image/pdi.hpp"
#include "libxdna/image/transaction.hpp"
#include "xdna/xdna.hpp"

namespace xdna::bench {

class EmptyCommands {
  public:
    explicit EmptyCommands(const Device& device) : hwctx_(device, 1), code_(make_code(device)) {
        const image::Bytes empty = pdi();
        hwctx_.configure(std::as_bytes(std::span(empty)));
    }

    static image::Bytes pdi() {
        image::Cdo cdo;
        cdo.commands.push_back({image::cdo::EndMark{}, false});
        return serialize(image::make_pdi(cdo));
    }

    const HwContext& hwctx() const { return hwctx_; }
    const Bo& code() const { return code_; }

    /// A filled START_CU command: opcode 3, the control code, five buffers (none), as mlir-aie's
    /// kernels have it.
    Command make() const {
        Command command(hwctx_);
        command.set_start_cu(0, words());
        command.bind(code_);
        return command;
    }
    /// What make() puts into the register map.
    std::vector<uint32_t> words() const {
        std::vector<uint32_t> words(15);
        words[0] = 3;
        words[2] = static_cast<uint32_t>(code_.address());
        words[3] = static_cast<uint32_t>(code_.address() >> 32);
        words[4] = static_cast<uint32_t>(code_.size() / 4);
        return words;
    }

  private:
    static Bo make_code(const Device& device) {
        const image::Bytes bytes = serialize(image::Transaction{});
        Bo code(device, XDNA_BO_DEV, bytes.size());
        std::memcpy(code.memory(), bytes.data(), bytes.size());
        code.sync_to_device();
        return code;
    }

    HwContext hwctx_;
    Bo code_;
};

}  // namespace xdna::bench
