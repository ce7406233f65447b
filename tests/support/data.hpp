#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// Test data: tables and files of the repository, and the shared folder beside it where there is
/// one.
namespace xdna::test {

/// The repository's root: the first folder from here upwards that holds the Makefile.
inline std::filesystem::path root() {
    for (auto folder = std::filesystem::current_path();; folder = folder.parent_path()) {
        if (std::filesystem::exists(folder / "Makefile"))
            return folder;
        if (folder == folder.root_path())
            throw std::runtime_error("run the tests inside the repository");
    }
}

/// ../shared of the repository; nothing in a plain clone, where tests that need it skip.
inline std::optional<std::filesystem::path> shared() {
    auto folder = root().parent_path() / "shared";
    return std::filesystem::exists(folder) ? std::optional(folder) : std::nullopt;
}

inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The rows of a tab-separated file below its header.
inline std::vector<std::vector<std::string>> read_table(const std::filesystem::path& path) {
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line))
        throw std::runtime_error("cannot read " + path.string());
    std::vector<std::vector<std::string>> rows;
    while (std::getline(file, line)) {
        std::vector<std::string> cells;
        std::istringstream cut(line);
        for (std::string cell; std::getline(cut, cell, '\t');)
            cells.push_back(cell);
        rows.push_back(std::move(cells));
    }
    return rows;
}

inline std::vector<std::uint8_t> from_hex(std::string_view text) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes.push_back(
            static_cast<std::uint8_t>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
    return bytes;
}

}  // namespace xdna::test
