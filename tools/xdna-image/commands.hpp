// The verbs of xdna-image. Each throws std::exception with a message for the user.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>

#include "tools/xdna-image/container.hpp"

namespace xdna::tools {

// Everything in the file, readably.
void dump(std::ostream& out, image::ByteView bytes, Kind kind);

// The parts of the file into a folder, which is made if it is not there: sections, PDIs, CDOs, and
// for an xclbin the recipe.json that `pack` takes.
void unpack(std::ostream& out, image::ByteView bytes, Kind kind, const std::string& folder,
            bool force);

struct PackOptions {
    std::string input;   // a PDI, or a recipe.json
    std::string output;  // the xclbin
    bool force = false;
    // For a PDI only.
    uint16_t columns = 1;
    size_t buffers = 5;
    std::string kernel = "MLIR_AIE";
    std::string instance = "MLIRAIE";
    uint32_t kernel_id = 0x901;
    uint64_t time_stamp = 0;
};
void pack(std::ostream& out, const PackOptions& options);

// True where nothing is wrong; each problem is a line.
bool verify(std::ostream& out, image::ByteView bytes, Kind kind);

}  // namespace xdna::tools
