// Files that are read and written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace xdna::run {

using Bytes = std::vector<uint8_t>;

/// Throw std::runtime_error that names the file.
Bytes read_file(const std::string& path);
void write_file(const std::string& path, std::span<const uint8_t> bytes);

/// The file of a kernel's set-up: the name itself, if it is a path, or NAME.xclbin beside the
/// program in the build tree, or where it was installed. Throws std::invalid_argument if there is
/// none.
std::filesystem::path kernel_file(const std::string& name);

/// The PDI in an xclbin, or the file itself.
Bytes read_pdi(const std::filesystem::path& path);

}  // namespace xdna::run
