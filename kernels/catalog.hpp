// The kernels of this repository, by name.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kernels/flow/design.hpp"
#include "kernels/tensor.hpp"

namespace xdna::kernels {

/// What a command is asked to work on. A kernel takes the members that its takes() names.
struct Shape {
    uint64_t bytes = 0;
    uint64_t rows = 0;
    uint64_t columns = 0;
    uint64_t m = 0;
    uint64_t n = 0;
    uint64_t k = 0;
    uint64_t heads = 0;
    uint64_t kv_heads = 0;
    uint64_t length = 0;
    bool causal = false;
    double scale = 0;  ///< what results are multiplied by
};

/// The members by name, as manifests have them.
struct ShapeMember {
    const char* name;
    std::variant<uint64_t Shape::*, bool Shape::*, double Shape::*> member;
};
inline constexpr ShapeMember kShapeMembers[] = {{"bytes", &Shape::bytes},
                                                {"rows", &Shape::rows},
                                                {"columns", &Shape::columns},
                                                {"m", &Shape::m},
                                                {"n", &Shape::n},
                                                {"k", &Shape::k},
                                                {"heads", &Shape::heads},
                                                {"kv_heads", &Shape::kv_heads},
                                                {"length", &Shape::length},
                                                {"causal", &Shape::causal},
                                                {"scale", &Shape::scale}};

struct Argument {
    std::string name;
    uint64_t bytes = 0;  ///< of the device's buffer
    bool output = false;
    /// What the bytes are, where the kernel works on tensors: see tensor.hpp.
    Tensor tensor = {};
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
    /// The members of Shape that command() reads, by their names in kShapeMembers.
    virtual std::vector<std::string_view> takes() const = 0;
    /// What there is to know about them: "of each input; a multiple of 4".
    virtual std::string_view shape_note() const { return ""; }

    /// Takes over what the shape of the tensor for input `name` says: matmul's a gives m and k.
    /// Throws std::invalid_argument for a shape that the input cannot have.
    virtual void adopt(Shape& shape, std::string_view name,
                       const std::vector<uint64_t>& sizes) const;

    /// The partition's set-up; the same for every shape.
    virtual flow::Design design() const = 0;
    /// A shape that the kernel takes, for which the build writes control code beside the set-up.
    virtual Shape example() const {
        return {.bytes = 1 << 20, .rows = 256, .columns = 256, .m = 0, .n = 0, .k = 0};
    }
    /// False where an input is more than numbers: a core may then wait for what never comes.
    virtual bool takes_any_bytes() const { return true; }
    /// The command for a shape. Throws std::invalid_argument naming the member it cannot take.
    virtual Command command(const Shape& shape) const = 0;
    /// What the outputs must hold, computed on the CPU. `inputs` in argument order; inputs and
    /// outputs of tensors without padding, as to_device() takes and from_device() gives them.
    virtual std::vector<std::vector<uint8_t>> reference(
        const Shape& shape, std::span<const std::vector<uint8_t>> inputs) const = 0;
};

/// What a kernel takes, for people: "bytes (of each input; a multiple of 4)".
std::string shape_help(const Kernel& kernel);

/// Every kernel, in the order that a list shows.
std::span<const Kernel* const> catalog();

/// The kernel of that name, or nullptr.
const Kernel* find(std::string_view name);

}  // namespace xdna::kernels
