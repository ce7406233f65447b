// xdna-emu --stats: what each command cost, in a file for programs or in words.
#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <string>
#include <tuple>

#include "emu/firmware/observers.hpp"

namespace xdna::emu {

/// Adds up over all commands; each is written as it ends, so that memory stays bounded.
class Statistics {
  public:
    /// JSON into the file `path`; "-": words on standard error. Throws std::system_error.
    explicit Statistics(const std::string& path);

    /// Called from one thread at a time.
    void add(const firmware::CommandReport& report);
    /// Once, after the last command.
    void finish();

  private:
    void print() const;

    std::ofstream file_;  ///< closed: words
    uint64_t commands_ = 0;
    uint64_t failed_ = 0;
    uint64_t cycles_ = 0, launch_ = 0, control_ = 0, wait_ = 0;
    std::map<unsigned, CoreActivity> cores_;  ///< by tile
    std::map<std::tuple<unsigned, Direction, unsigned>, ChannelActivity> channels_;
};

}  // namespace xdna::emu
