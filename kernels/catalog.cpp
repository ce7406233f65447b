#include "kernels/catalog.hpp"

#include <algorithm>
#include <stdexcept>

#include "kernels/attention/attention.hpp"
#include "kernels/matmul/matmul.hpp"
#include "kernels/passthrough/kernels.hpp"

namespace xdna::kernels {

void Kernel::adopt(Shape&, std::string_view name, const std::vector<uint64_t>&) const {
    throw std::invalid_argument(std::string(this->name()) + " takes no tensor for its " +
                                std::string(name) + ", only bytes");
}

std::string shape_help(const Kernel& kernel) {
    std::string text;
    for (const std::string_view member : kernel.takes()) {
        text += (text.empty() ? "" : ", ") + std::string(member);
    }
    const std::string note(kernel.shape_note());
    return note.empty() ? text : text + " (" + note + ")";
}

std::span<const Kernel* const> catalog() {
    static const auto kernels = [] {
        std::vector<const Kernel*> all = {&passthrough(), &transpose(), &broadcast(), &join()};
        for (const auto& more : {matmul_kernels(), attention_kernels()}) {
            all.insert(all.end(), more.begin(), more.end());
        }
        return all;
    }();
    return kernels;
}

const Kernel* find(std::string_view name) {
    const auto all = catalog();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const Kernel* k) { return k->name() == name; });
    return found == all.end() ? nullptr : *found;
}

}  // namespace xdna::kernels
