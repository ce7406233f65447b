// A context with a PDI loaded, and commands of control code and buffers on it, through libxdna.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "xdna/xdna.hpp"

namespace xdna::test {

using Bytes = std::vector<uint8_t>;

inline Bytes bytes_of(const std::vector<uint32_t>& words) {
    const auto* first = reinterpret_cast<const uint8_t*>(words.data());
    return {first, first + words.size() * 4};
}

class Session {
  public:
    /// A context of `columns` columns of the first NPU. Throws xdna::Error, as run() does.
    Session(int columns, const Bytes& pdi) : context_(device_, static_cast<uint32_t>(columns)) {
        context_.configure(std::as_bytes(std::span(pdi)));
    }

    /// Runs control code once, with these buffers in this order; each comes back as the command
    /// left it. Bytes beyond a buffer's end, to a whole word, are the BO's and not looked at.
    void run(const Bytes& code, std::span<Bytes> buffers) {
        Bo code_bo(device_, XDNA_BO_DEV, code.size());
        std::copy(code.begin(), code.end(), code_bo.span<uint8_t>().begin());
        code_bo.sync_to_device();
        std::vector<Bo> bos;
        for (const Bytes& buffer : buffers) {
            Bo& bo = bos.emplace_back(device_, XDNA_BO_SHARE, (buffer.size() + 3) / 4 * 4);
            std::copy(buffer.begin(), buffer.end(), bo.span<uint8_t>().begin());
            bo.sync_to_device();
        }
        Command command(context_);
        command.set_transaction(0, {code_bo, 0, static_cast<uint32_t>(code.size())}, bos);
        command.run();
        for (size_t i = 0; i < buffers.size(); ++i) {
            bos[i].sync_from_device();
            std::copy_n(bos[i].span<uint8_t>().begin(), buffers[i].size(), buffers[i].begin());
        }
    }

  private:
    Device device_;
    HwContext context_;
};

}  // namespace xdna::test
