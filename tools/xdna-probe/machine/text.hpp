// Small pieces of text work that several files need.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::probe {

std::string trim(std::string_view text);
std::vector<std::string> split_lines(std::string_view text);
/// At runs of white space.
std::vector<std::string> split_words(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
/// The whole text as a number, or nothing.
std::optional<uint64_t> parse_number(std::string_view text, int base = 10);
/// Little-endian bytes at `offset`; 0 beyond the end.
uint32_t le32(std::string_view bytes, size_t offset);
uint16_t le16(std::string_view bytes, size_t offset);
/// "EACCES (13, Permission denied)".
std::string errno_text(int error);
/// Printable, valid UTF-8, one line, at most `limit` bytes: for showing what a file or log held.
std::string printable(std::string_view text, size_t limit = 400);
/// "64 MiB", "8192 KiB", "unlimited" for the largest value.
std::string size_text(uint64_t bytes);
/// <0, 0, >0 as version `a` ("6.17.0-23-generic") is older than, equal to or newer than `b`;
/// numbers are compared one by one, as far as `b` goes.
int compare_version(std::string_view a, std::string_view b);

}  // namespace xdna::probe
