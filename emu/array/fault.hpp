// What the array reports when it is asked for what it cannot do.
#pragma once

#include <cstdint>
#include <string>

#include "emu/array/geometry.hpp"

namespace xdna::emu {

enum class FaultKind : uint8_t {
    kBadAddress,        ///< no such tile, or an offset that is not a multiple of 4
    kUnlistedRegister,  ///< the register table has nothing at this offset
    kNotModelled,       ///< real hardware would do it, this model does not
    kBadDescriptor,     ///< a BD that a channel cannot run
    kBadMemory,         ///< an address or lock that the tile cannot reach
    kHostMemory,        ///< a shim DMA address that nothing is mapped at
    kBadRoute,          ///< a packet that no switch slot matches, or data cut off by rerouting
    kCoreHalted,        ///< a core stopped on an error of its program; all else goes on
};

/// An error of a register access (returned by it), or of a running channel (see Array::run).
struct Fault {
    FaultKind kind = FaultKind::kBadAddress;
    Tile tile;
    uint32_t offset = 0;  ///< of the register concerned, bytes within the tile; 0 where none is
    std::string what;     ///< a sentence that names tile, register or channel, and value
};

}  // namespace xdna::emu
