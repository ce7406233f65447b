// What a program in the guest and the plugin in the emulator that runs it agree on.
#pragma once

#include <cstdint>

namespace xdna::lab {

/// Since the start of the machine.
struct Counters {
    uint64_t user = 0;    ///< instructions below the kernel's half of the address space
    uint64_t kernel = 0;  ///< and in it
    uint64_t system_calls = 0;
};

/// Where a program maps a page for them. When the marker is executed they are there.
constexpr uint64_t kCountersAddress = 0x58444e410000;
/// nopl 0x414e4458(%rax,%rax,1)
constexpr uint8_t kMarker[] = {0x0f, 0x1f, 0x84, 0x00, 0x58, 0x44, 0x4e, 0x41};

}  // namespace xdna::lab
