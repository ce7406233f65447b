// A partition with a kernel's set-up in it: commands run on the modelled array, the firmware's
// costs included, without a driver between.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "emu/firmware/executor.hpp"
#include "kernels/catalog.hpp"

namespace xdna::kernels::test {

using Bytes = std::vector<uint8_t>;

/// One stretch of memory that starts at a device address.
class Memory final : public emu::HostMemory {
  public:
    Memory(uint64_t base, size_t bytes) : base_(base), bytes_(bytes) {}

    bool read(uint64_t address, void* to, size_t size) override {
        const std::byte* at = span(address, size);
        return at && std::memcpy(to, at, size);
    }
    bool write(uint64_t address, const void* from, size_t size) override {
        std::byte* at = span(address, size);
        return at && std::memcpy(at, from, size);
    }
    std::byte* span(uint64_t address, size_t size) override {
        const uint64_t offset = address - base_;
        return offset <= bytes_.size() && size <= bytes_.size() - offset ? &bytes_[offset]
                                                                         : nullptr;
    }

  private:
    uint64_t base_;
    std::vector<std::byte> bytes_;
};

class Npu {
  public:
    explicit Npu(const flow::Design& design) {
        context_.serial = 1;
        context_.start_column = 1;
        context_.columns = static_cast<uint32_t>(design.columns());
        context_.memory.attach(memory_);
        context_.memory.map_heap(kHeap, kHeapBytes);
        context_.cus = {static_cast<uint32_t>(emu::firmware::ContextMemory::kWindow >> 15)};
        const Bytes pdi = design.pdi();
        put(kHeap, pdi);
    }

    /// Runs a command on its inputs; returns its outputs, filled with 0xA5 before. `inputs` and the
    /// result in the order of the arguments. Throws std::runtime_error with what the array had to
    /// say where it does not succeed.
    std::vector<Bytes> run(const Command& command, std::span<const Bytes> inputs) {
        uint64_t at = kBuffers;
        const auto place = [&](size_t bytes) {
            const uint64_t here = at;
            at += (bytes + 4095) / 4096 * 4096;
            return here;
        };
        emu::firmware::Launch launch;
        const auto add = [&](uint64_t value) {
            launch.arguments.push_back(static_cast<uint32_t>(value));
            launch.arguments.push_back(static_cast<uint32_t>(value >> 32));
        };
        const uint64_t code = place(command.code.size());
        put(code, command.code);
        add(3);
        add(code);
        launch.arguments.push_back(static_cast<uint32_t>(command.code.size() / 4));
        std::vector<std::pair<uint64_t, size_t>> outputs;
        size_t input = 0;
        for (const Argument& argument : command.arguments) {
            const uint64_t here = place(argument.bytes);
            add(here);
            if (argument.output) {
                outputs.emplace_back(here, argument.bytes);
                const Bytes fill((argument.bytes + 3) / 4 * 4, 0xA5);
                put(here, fill);
            } else {
                put(here, inputs[input++]);
            }
        }
        const uint64_t start = executor_.array().cycle();
        const auto outcome = executor_.launch(context_, launch);
        cycles_ = executor_.array().cycle() - start;
        if (outcome.kind != emu::firmware::Outcome::Kind::kDone || outcome.status != 0) {
            throw std::runtime_error(outcome.problem);
        }
        std::vector<Bytes> results;
        for (const auto& [where, bytes] : outputs) {
            Bytes& result = results.emplace_back(bytes);
            memory_->read(where, result.data(), bytes);
        }
        return results;
    }

    /// Array cycles of the last command, from launch to its last token.
    uint64_t cycles() const { return cycles_; }
    emu::Array& array() { return executor_.array(); }

  private:
    void put(uint64_t address, const Bytes& bytes) {
        if (!memory_->write(address, bytes.data(), bytes.size())) {
            throw std::runtime_error("the modelled host has too little memory");
        }
    }

    static constexpr uint64_t kHeap = 0x10000000;
    static constexpr uint64_t kHeapBytes = 1 << 20;
    static constexpr uint64_t kBuffers = kHeap + kHeapBytes;
    static constexpr uint64_t kMemoryBytes = 256 << 20;

    std::shared_ptr<Memory> memory_ = std::make_shared<Memory>(kHeap, kMemoryBytes);
    emu::firmware::Executor executor_{[](const auto&, const std::string&) {}};
    emu::firmware::Context context_;
    uint64_t cycles_ = 0;
};

}  // namespace xdna::kernels::test
