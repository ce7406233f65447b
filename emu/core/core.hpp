// The AIE2 core as the array runs it.
#pragma once

#include <memory>

#include "emu/array/core_model.hpp"

namespace xdna::emu {

/// A core for `tile`, in reset. To be given to the array as its CoreFactory.
std::unique_ptr<CoreModel> make_core(Tile tile);

}  // namespace xdna::emu
