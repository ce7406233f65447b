// Files on disk, and telling what they are.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libxdna/image/bytes.hpp"

namespace xdna::tools {

enum class Kind { kXclbin, kPdi, kCdo, kTransaction, kDpuSequence, kElf, kErtPacket };

std::string_view kind_name(Kind kind);         // "xclbin", "pdi", "cdo", "txn", "dpu", "elf", "ert"
const std::vector<std::string>& kind_names();  // all, for --as

// Throws std::runtime_error that names the file and the system's reason. "-" is standard input.
// A file of hexadecimal words in text (an mlir-aie instruction file) is turned into its bytes.
image::Bytes read_file(const std::string& path);

// Refuses to replace a file unless `replace`.
void write_file(const std::filesystem::path& path, image::ByteView bytes, bool replace);

// By its first bytes, or as the name `given` says. Instruction sequences and ERT packets have
// nothing to be told by and must be named. Throws std::runtime_error.
Kind recognise(image::ByteView bytes, const std::string& given);

}  // namespace xdna::tools
