// A context with a PDI loaded, and commands of control code and buffers on it, through libxdna.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "xdna/xdna.hpp"

namespace xdna::test {

using Bytes = std::vector<uint8_t>;

class Session {
  public:
    /// A context of `columns` columns of the first NPU. Throws xdna::Error, as run() does.
    Session(int columns, const Bytes& pdi) : context_(device_, static_cast<uint32_t>(columns)) {
        context_.configure(std::as_bytes(std::span(pdi)));
    }

    /// Runs control code once, with these buffers in this order; each comes back as the command
    /// left it. Bytes beyond a buffer's end, to a whole word, are the BO's and not looked at.
    void run(const Bytes& code, std::span<Bytes> buffers);

    const Device& device() const { return device_; }
    const HwContext& context() const { return context_; }

  private:
    Device device_;
    HwContext context_;
};

/// A command that is built once and may run often. It must not outlive its session.
class Prepared {
  public:
    Prepared(const Session& session, const Bytes& code, std::span<const Bytes> buffers)
        : code_(session.device(), XDNA_BO_DEV, code.size()), command_(session.context()) {
        std::copy(code.begin(), code.end(), code_.span<uint8_t>().begin());
        code_.sync_to_device();
        // The register map: opcode 3 (run a transaction), code, its length in words, buffers.
        std::vector<uint32_t> words = {3, 0};
        const auto address = [&](uint64_t value) {
            words.push_back(static_cast<uint32_t>(value));
            words.push_back(static_cast<uint32_t>(value >> 32));
        };
        address(code_.address());
        words.push_back(static_cast<uint32_t>(code.size() / 4));
        for (const Bytes& buffer : buffers) {
            Bo& bo =
                bos_.emplace_back(session.device(), XDNA_BO_SHARE, (buffer.size() + 3) / 4 * 4);
            std::copy(buffer.begin(), buffer.end(), bo.span<uint8_t>().begin());
            bo.sync_to_device();
            address(bo.address());
        }
        command_.set_start_cu(0, words);
        command_.bind(code_);
        command_.bind(std::span<const Bo>(bos_));
    }

    void run() { command_.run(); }

    /// Copies what buffer `index` holds now.
    void copy_to(size_t index, Bytes& buffer) {
        bos_[index].sync_from_device();
        std::copy_n(bos_[index].span<uint8_t>().begin(), buffer.size(), buffer.begin());
    }

  private:
    Bo code_;
    std::vector<Bo> bos_;
    Command command_;
};

inline void Session::run(const Bytes& code, std::span<Bytes> buffers) {
    Prepared prepared(*this, code, buffers);
    prepared.run();
    for (size_t i = 0; i < buffers.size(); ++i) {
        prepared.copy_to(i, buffers[i]);
    }
}

}  // namespace xdna::test
