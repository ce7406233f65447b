#include "tools/xdna-run/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/xclbin.hpp"

namespace xdna::run {
namespace {

[[noreturn]] void fail_file(const std::string& path, const char* what) {
    throw std::runtime_error(path + ": " + what + ": " + std::strerror(errno));
}

}  // namespace

Bytes read_file(const std::string& path) {
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        throw std::runtime_error(path + ": is a directory");
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        fail_file(path, "cannot be opened");
    }
    Bytes bytes{std::istreambuf_iterator<char>(file), {}};
    if (file.bad()) {
        fail_file(path, "cannot be read");
    }
    return bytes;
}

void write_file(const std::string& path, std::span<const uint8_t> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) {
        fail_file(path, "cannot be written");
    }
}

// Kernels' files lie beside the program, in the build tree and when installed.
std::filesystem::path kernel_file(const std::string& name) {
    if (name.find('/') != std::string::npos || std::filesystem::exists(name)) {
        return name;
    }
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const char* folder : {"../kernels", "../lib/libxdna/kernels"}) {
        const auto path = program / folder / (name + ".xclbin");
        if (std::filesystem::exists(path)) {
            return path;
        }
    }
    throw std::invalid_argument("no kernel file " + name +
                                ".xclbin in kernels/ beside the program");
}

Bytes read_pdi(const std::filesystem::path& path) {
    Bytes bytes = read_file(path.string());
    if (!image::looks_like_xclbin(bytes)) {
        return bytes;
    }
    const auto xclbin = image::parse_xclbin(bytes);
    for (const auto& section : xclbin.sections) {
        if (section.kind == image::SectionKind::kAiePartition) {
            const auto partition = image::parse_aie_partition(section.data);
            if (!partition.pdis.empty()) {
                return partition.pdis[0].image;
            }
        }
    }
    throw std::runtime_error(path.string() + ": an xclbin without a PDI");
}

}  // namespace xdna::run
