// Kernels that only move data; the cores stay idle.
#pragma once

#include "kernels/catalog.hpp"

namespace xdna::kernels {

const Kernel& passthrough();
const Kernel& broadcast();
const Kernel& join();
const Kernel& transpose();

}  // namespace xdna::kernels
