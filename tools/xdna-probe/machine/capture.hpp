// A machine in a folder or a .tar: the files that the probe reads, at their paths, and
// xdna-probe/facts.json and xdna-probe/kernel.log for what does not live in files.
#pragma once

#include <memory>
#include <string>

#include "tools/xdna-probe/machine/answers.hpp"
#include "tools/xdna-probe/machine/files.hpp"

namespace xdna::probe {

struct Capture {
    std::unique_ptr<Files> files;
    Answers answers;
    std::string error;  ///< not empty: it could not be opened, and why
};

/// Opens a captured machine: a directory, or a .tar that --collect wrote. A tree without
/// xdna-probe/facts.json is taken too: what it would say counts as not recorded.
Capture open_capture(const std::string& path);

/// The tree of a capture with everything in it that `answers` says; `home` is written as
/// /home/user wherever it occurs.
Tree capture_tree(const Tree& recorded, const Answers& answers, const std::string& home);

/// The tree as the bytes of a POSIX (ustar) archive.
std::string write_tar(const Tree& tree);

/// Reads such an archive (ustar, with GNU long names); false and `error` if it is none.
bool read_tar(const std::string& bytes, Tree& tree, std::string& error);

}  // namespace xdna::probe
