// The one small interface through which every fact that lives in a file is read, so that a check
// cannot tell a running machine from a captured one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace xdna::probe {

/// A value, or the (positive) errno that stood in its place.
template <typename T>
struct Result {
    int error = 0;
    T value{};

    explicit operator bool() const { return error == 0; }
    static Result fail(int error_number) { return {error_number, {}}; }
};

enum class FileKind { kFile, kDirectory, kLink, kCharDevice, kOther };

struct FileStat {
    FileKind kind = FileKind::kOther;
    unsigned mode = 0;  ///< permission bits
    unsigned uid = 0;
    unsigned gid = 0;
    uint64_t size = 0;
    unsigned major = 0;  ///< of a character device
    unsigned minor = 0;
};

/// Files of one machine. Paths are absolute, as that machine sees them. No call throws for what it
/// finds there: every surprise is an errno.
class Files {
  public:
    virtual ~Files() = default;

    /// At most `limit` bytes from the start of a regular file; links are followed.
    virtual Result<std::string> read(const std::string& path, size_t limit) = 0;
    /// Where a symbolic link points, as written in it.
    virtual Result<std::string> read_link(const std::string& path) = 0;
    /// Names in a directory that begin with `prefix`, sorted, without "." and "..".
    virtual Result<std::vector<std::string>> list(const std::string& path,
                                                  const std::string& prefix) = 0;
    /// Of the path itself: a link is not followed (links on the way to it are).
    virtual Result<FileStat> stat(const std::string& path) = 0;
};

/// What one path of a tree held in memory is.
struct TreeEntry {
    FileStat stat;
    std::string content;  ///< of a file; the target of a link
    int read_error = 0;   ///< what reading it gave
};
using Tree = std::map<std::string, TreeEntry>;  ///< by absolute path; parents are implied

/// The machine this runs on. What would name a person or a machine is cut out on the way in
/// (redact.hpp), so that nothing later can leak it.
std::unique_ptr<Files> live_files();

/// A captured tree on disk. Links are followed inside the tree only.
std::unique_ptr<Files> directory_files(const std::string& root);

/// A captured tree in memory.
std::unique_ptr<Files> memory_files(Tree tree);

/// Passes everything on to `files` and keeps a copy of what was answered in `tree`.
std::unique_ptr<Files> recording_files(Files& files, Tree& tree);

/// The path behind up to 40 links, or ENOENT (dangling) or ELOOP.
Result<std::string> resolve(Files& files, const std::string& path);

/// First line, without white space around it; "" if it cannot be read.
std::string read_line(Files& files, const std::string& path);

/// "a/b" and "../c" made one absolute path without "." and "..".
std::string join_path(const std::string& directory, const std::string& relative);

}  // namespace xdna::probe
