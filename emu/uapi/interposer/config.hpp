// What xdna-emu told this process through its environment.
#pragma once

#include <cstddef>
#include <cstdint>

#include "emu/uapi/wire.hpp"

namespace xdna::emu::door {

struct Config {
    wire::Address server;
    uint64_t secret[2];
    char root[256];  ///< directory of the entries shown, without a slash at its end
    size_t root_size;
    bool debug;
};

/// Null in a process that xdna-emu did not start: then nothing is claimed.
const Config* config();

/// With XDNA_EMU_DEBUG=1: one line on stderr that says what was claimed.
void debug(const char* call, const char* path, long result);

}  // namespace xdna::emu::door
