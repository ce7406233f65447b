#include "tools/xdna-image/container.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>

#include "libxdna/image/transaction.hpp"
#include "libxdna/image/xclbin.hpp"

namespace xdna::tools {
namespace {

using image::Bytes;
using image::ByteView;

bool starts_with(ByteView bytes, size_t at, std::initializer_list<uint8_t> what) {
    return bytes.size() >= at + what.size() &&
           std::equal(what.begin(), what.end(), bytes.begin() + static_cast<ptrdiff_t>(at));
}

[[noreturn]] void fail(const std::string& what, const std::string& path) {
    throw std::runtime_error(what + " " + path + ": " + std::strerror(errno));
}

// "06030100\n00000105\n...": one word of eight digits after the other.
bool is_hex_text(const Bytes& bytes) {
    size_t digits = 0;
    for (const uint8_t byte : bytes) {
        if (std::isxdigit(byte) != 0) {
            ++digits;
        } else if (std::isspace(byte) == 0 || digits % 8 != 0) {
            return false;
        }
    }
    return digits != 0 && digits % 8 == 0;
}

Bytes from_hex_text(const Bytes& text) {
    image::Writer writer;
    uint32_t word = 0;
    int digits = 0;
    for (const uint8_t byte : text) {
        if (std::isspace(byte) != 0) {
            continue;
        }
        const int lower = std::tolower(byte);
        word = word << 4 | static_cast<uint32_t>(lower <= '9' ? lower - '0' : lower - 'a' + 10);
        if (++digits == 8) {
            writer.write(word);
            digits = 0;
        }
    }
    return writer.take();
}

}  // namespace

const std::vector<std::string>& kind_names() {
    static const std::vector<std::string> names = {"xclbin", "pdi", "cdo", "txn",
                                                   "dpu",    "elf", "ert"};
    return names;
}

std::string_view kind_name(Kind kind) {
    return kind_names()[static_cast<size_t>(kind)];
}

Bytes read_file(const std::string& path) {
    Bytes bytes;
    if (path == "-") {
        bytes.assign(std::istreambuf_iterator<char>(std::cin), {});
    } else {
        std::error_code error;
        if (std::filesystem::is_directory(path, error)) {
            errno = EISDIR;
            fail("cannot read", path);
        }
        std::ifstream file(path, std::ios::binary);
        if (!file) {
            fail("cannot open", path);
        }
        bytes.assign(std::istreambuf_iterator<char>(file), {});
        if (file.bad()) {
            fail("cannot read", path);
        }
    }
    return is_hex_text(bytes) ? from_hex_text(bytes) : bytes;
}

void write_file(const std::filesystem::path& path, ByteView bytes, bool replace) {
    if (!replace && std::filesystem::exists(path)) {
        throw std::runtime_error(path.string() + " exists; --force replaces it");
    }
    std::ofstream file(path, std::ios::binary);
    if (!file) {
        fail("cannot create", path);
    }
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) {
        fail("cannot write", path);
    }
}

Kind recognise(ByteView bytes, const std::string& given) {
    if (!given.empty()) {
        const auto& names = kind_names();
        return static_cast<Kind>(std::find(names.begin(), names.end(), given) - names.begin());
    }
    if (image::looks_like_xclbin(bytes)) {
        return Kind::kXclbin;
    }
    if (starts_with(bytes, 0, {0x7F, 'E', 'L', 'F'})) {
        return Kind::kElf;
    }
    // The identification of the image header table, with and without bus-width words before it.
    if (starts_with(bytes, 0x28, {'I', 'D', 'P', 'P'}) ||
        starts_with(bytes, 0x38, {'I', 'D', 'P', 'P'})) {
        return Kind::kPdi;
    }
    if (starts_with(bytes, 4, {'C', 'D', 'O', 0})) {
        return Kind::kCdo;
    }
    if (image::looks_like_transaction(bytes)) {
        return Kind::kTransaction;
    }
    throw std::runtime_error(
        "the file is not an xclbin, PDI, CDO, transaction or ELF; --as dpu or --as ert reads an "
        "older "
        "instruction sequence or an ERT packet");
}

}  // namespace xdna::tools
