// What a tile's registers do when they are read and written.
#pragma once

#include <cstdint>
#include <optional>

#include "emu/array/fault.hpp"
#include "libxdna/image/registers.hpp"

namespace xdna::emu {

class Machine;

/// One 32-bit access, through the table of libxdna/image/registers.hpp. A fault changes nothing.
std::optional<Fault> write_register(Machine& machine, image::TileAddress at, uint32_t value);
std::optional<Fault> read_register(Machine& machine, image::TileAddress at, uint32_t& value);

}  // namespace xdna::emu
