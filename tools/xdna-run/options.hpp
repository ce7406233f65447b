// What the command line asks for.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernels/catalog.hpp"

namespace xdna::run {

struct Options {
    std::string kernel;
    std::string device;
    kernels::Shape shape;
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

}  // namespace xdna::run
