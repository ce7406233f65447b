// The kernels of this repository, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/flow/design.hpp"

namespace xdna::kernels {

/// What a command is asked to work on. A kernel takes the members that it names in `shape_help`.
struct Shape {
    uint64_t bytes = 0;
    uint64_t rows = 0;
    uint64_t columns = 0;
};

struct Argument {
    std::string name;
    uint64_t bytes = 0;
    bool output = false;
};

/// One command of a kernel: control code, and the buffers it reads and writes in the order in which
/// the packet names them. Buffers are moved in 32-bit words: a BO must hold `bytes` rounded up
/// to 4.
struct Command {
    std::vector<uint8_t> code;
    std::vector<Argument> arguments;
};

class Kernel {
  public:
    virtual ~Kernel() = default;

    virtual std::string_view name() const = 0;
    virtual std::string_view summary() const = 0;
    /// Members of Shape that command() reads: "bytes", or "rows x columns of 32-bit words".
    virtual std::string_view shape_help() const = 0;

    /// The partition's set-up; the same for every shape.
    virtual flow::Design design() const = 0;
    /// The command for a shape. Throws std::invalid_argument naming the member it cannot take.
    virtual Command command(const Shape& shape) const = 0;
    /// What the outputs must hold, computed on the CPU. `inputs` in argument order.
    virtual std::vector<std::vector<uint8_t>> reference(
        const Shape& shape, std::span<const std::vector<uint8_t>> inputs) const = 0;
};

/// Every kernel, in the order that a list shows.
std::span<const Kernel* const> catalog();

/// The kernel of that name, or nullptr.
const Kernel* find(std::string_view name);

}  // namespace xdna::kernels
