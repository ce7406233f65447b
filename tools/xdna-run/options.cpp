#include "tools/xdna-run/options.hpp"

#include <algorithm>
#include <stdexcept>

namespace xdna::run {

void check_sizes(const Options& options, const kernels::Kernel& kernel,
                 const std::set<std::string>& also) {
    std::set<std::string> known = also;
    for (const std::string_view member : kernel.takes()) {
        known.insert(option_of(member));
    }
    for (const std::string& size : options.sizes) {
        if (!known.contains(size)) {
            throw std::invalid_argument("--" + size + ": " + std::string(kernel.name()) +
                                        " takes " + shape_help(kernel));
        }
    }
}

std::string option_of(std::string_view member) {
    std::string name(member);
    std::replace(name.begin(), name.end(), '_', '-');
    return name;
}

}  // namespace xdna::run
