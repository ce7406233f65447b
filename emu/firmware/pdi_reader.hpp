// Finds out how long the PDI at a device address is: the messages only say where it begins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "emu/array/host_memory.hpp"

namespace xdna::emu::firmware {

/// The PDI's bytes, at most `limit` of them. False, and the reason in `problem`, where the headers
/// point out of that or the memory cannot be read.
bool read_pdi(HostMemory& memory, uint64_t address, uint64_t limit, std::vector<uint8_t>& out,
              std::string& problem);

}  // namespace xdna::emu::firmware
