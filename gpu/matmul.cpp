#include "gpu/matmul.hpp"

#include <algorithm>

#include "gpu/tune.hpp"

namespace xdna::gpu {
namespace {

using detail::Choice;
using detail::Problem;
using detail::Stored;

void require_ranges(const DeviceInfo& device, const Problem& problem) {
    for (const auto& [name, s] :
         {std::pair{'a', &problem.a}, {'b', &problem.b}, {'c', &problem.c}}) {
        const std::size_t bytes = bytes_of(s->type, s->span(problem.batch));
        if (bytes > device.buffer_range) {
            throw Error(ErrorCode::kUnsupported,
                        std::string("Matmul: operand ") + name + " spans " + std::to_string(bytes) +
                            " bytes, and " + device.name + " binds at most " +
                            std::to_string(device.buffer_range));
        }
    }
    if (problem.c.type == Type::kF16 && !device.f16_storage) {
        throw Error(ErrorCode::kUnsupported,
                    "Matmul: " + device.name + " cannot store f16 (storageBuffer16BitAccess)");
    }
}

std::vector<Choice> fitting(const DeviceInfo& device, const Problem& problem,
                            const std::string& filter) {
    require_ranges(device, problem);
    auto list = detail::choices(device, problem, filter);
    if (list.empty()) {
        throw Error(ErrorCode::kUnsupported,
                    filter.empty() ? "Matmul: no kernel for this shape on " + device.name
                                   : "Matmul: no kernel called '" + filter +
                                         "' for this shape on " + device.name);
    }
    return list;
}

std::size_t bytes_of_operand(const MatmulShape& shape, const Problem& problem, char name) {
    const Stored& s = name == 'c'                        ? problem.c
                      : (name == 'a') != problem.swapped ? problem.a
                                                         : problem.b;
    return bytes_of(s.type, s.span(shape.batch));
}

}  // namespace

Matmul::Matmul(const Device& device, const MatmulShape& shape, const MatmulOptions& options) {
    const Problem problem = detail::check_shape(shape);
    auto list = fitting(device.info(), problem, options.kernel);
    Choice choice = options.tune ? detail::tuned_choice(device, shape, problem, std::move(list))
                                 : std::move(list.front());
    state_ =
        std::make_shared<detail::MatmulState>(device.state(), shape, problem, std::move(choice));
}

std::vector<std::string> Matmul::kernels(const Device& device, const MatmulShape& shape) {
    const Problem problem = detail::check_shape(shape);
    std::vector<std::string> names;
    for (Choice& choice : fitting(device.info(), problem, "")) {
        names.push_back(std::move(choice.name));
    }
    return names;
}

const MatmulShape& Matmul::shape() const {
    return state_->shape;
}
const std::string& Matmul::kernel() const {
    return state_->choice.name;
}
std::size_t Matmul::bytes_a() const {
    return bytes_of_operand(state_->shape, state_->problem, 'a');
}
std::size_t Matmul::bytes_b() const {
    return bytes_of_operand(state_->shape, state_->problem, 'b');
}
std::size_t Matmul::bytes_c() const {
    return bytes_of_operand(state_->shape, state_->problem, 'c');
}

}  // namespace xdna::gpu
