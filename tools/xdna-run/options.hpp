// What the command line asks for.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/catalog.hpp"

namespace xdna::run {

struct Options {
    std::string kernel;
    std::string device;
    kernels::Shape shape;
    std::set<std::string> sizes;  ///< options given for the shape and the head size: "kv-heads"
    std::vector<std::string> inputs;
    std::vector<std::string> outputs;
    std::string buffers;                       ///< a folder
    std::map<std::string, std::string> files;  ///< by argument's name
    unsigned repeat = 1;
    uint64_t seed = 1;
    bool check = false;
    bool json = false;
    bool list = false;
    uint64_t head_size = 0;  ///< attention on random data
};

/// The option, without dashes, for a member of Shape: "kv-heads" for kv_heads.
std::string option_of(std::string_view member);

/// Throws std::invalid_argument for a size given to `kernel` that it does not take, nor is
/// among `also`.
void check_sizes(const Options& options, const kernels::Kernel& kernel,
                 const std::set<std::string>& also = {});

}  // namespace xdna::run
