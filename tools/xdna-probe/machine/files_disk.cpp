#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tools/xdna-probe/machine/files.hpp"
#include "tools/xdna-probe/machine/redact.hpp"

namespace xdna::probe {
namespace {

FileKind kind_of(mode_t mode) {
    if (S_ISREG(mode)) {
        return FileKind::kFile;
    }
    if (S_ISDIR(mode)) {
        return FileKind::kDirectory;
    }
    if (S_ISLNK(mode)) {
        return FileKind::kLink;
    }
    return S_ISCHR(mode) ? FileKind::kCharDevice : FileKind::kOther;
}

Result<std::string> read_regular(const std::string& path, size_t limit, int flags) {
    // O_NONBLOCK: a FIFO where a file is expected must not hang the probe.
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
    if (fd < 0) {
        return Result<std::string>::fail(errno);
    }
    struct stat st {};
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        const int error = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        close(fd);
        return Result<std::string>::fail(error);
    }
    Result<std::string> result;
    char buffer[16384];
    while (result.value.size() < limit) {
        const ssize_t got =
            ::read(fd, buffer, std::min(sizeof buffer, limit - result.value.size()));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            result = Result<std::string>::fail(errno);
            break;
        }
        if (got == 0) {
            break;
        }
        result.value.append(buffer, static_cast<size_t>(got));
    }
    close(fd);
    return result;
}

Result<std::string> read_link_target(const std::string& path) {
    char buffer[4096];
    const ssize_t length = readlink(path.c_str(), buffer, sizeof buffer);
    if (length < 0) {
        return Result<std::string>::fail(errno);
    }
    return {0, std::string(buffer, static_cast<size_t>(length))};
}

Result<std::vector<std::string>> list_directory(const std::string& path,
                                                const std::string& prefix) {
    Result<std::vector<std::string>> result;
    DIR* directory = opendir(path.c_str());
    if (directory == nullptr) {
        return Result<std::vector<std::string>>::fail(errno);
    }
    while (const dirent* entry = readdir(directory)) {
        const std::string name = entry->d_name;
        if (name != "." && name != ".." && name.starts_with(prefix)) {
            result.value.push_back(name);
        }
    }
    closedir(directory);
    std::sort(result.value.begin(), result.value.end());
    return result;
}

Result<FileStat> stat_path(const std::string& path) {
    struct stat st {};
    if (lstat(path.c_str(), &st) != 0) {
        return Result<FileStat>::fail(errno);
    }
    return {0,
            {kind_of(st.st_mode), st.st_mode & 07777U, st.st_uid, st.st_gid,
             static_cast<uint64_t>(st.st_size), major(st.st_rdev), minor(st.st_rdev)}};
}

class LiveFiles final : public Files {
  public:
    Result<std::string> read(const std::string& path, size_t limit) override {
        Result<std::string> content = read_regular(path, limit, 0);
        content.value = redact(path, std::move(content.value));
        return content;
    }
    Result<std::string> read_link(const std::string& path) override {
        return read_link_target(path);
    }
    Result<std::vector<std::string>> list(const std::string& path,
                                          const std::string& prefix) override {
        return list_directory(path, prefix);
    }
    Result<FileStat> stat(const std::string& path) override { return stat_path(path); }
};

class DirectoryFiles final : public Files {
  public:
    explicit DirectoryFiles(std::string root) : root_(std::move(root)) {}

    Result<std::string> read(const std::string& path, size_t limit) override {
        const Result<std::string> real = walk(path, true);
        return real ? read_regular(root_ + real.value, limit, O_NOFOLLOW)
                    : Result<std::string>::fail(real.error);
    }
    Result<std::string> read_link(const std::string& path) override {
        const Result<std::string> real = walk(path, false);
        return real ? read_link_target(root_ + real.value) : Result<std::string>::fail(real.error);
    }
    Result<std::vector<std::string>> list(const std::string& path,
                                          const std::string& prefix) override {
        const Result<std::string> real = walk(path, true);
        return real ? list_directory(root_ + real.value, prefix)
                    : Result<std::vector<std::string>>::fail(real.error);
    }
    Result<FileStat> stat(const std::string& path) override {
        const Result<std::string> real = walk(path, false);
        return real ? stat_path(root_ + real.value) : Result<FileStat>::fail(real.error);
    }

  private:
    // The kernel would follow a captured absolute link out of the tree; so each step is walked
    // here.
    Result<std::string> walk(const std::string& path, bool follow_last) {
        constexpr int kMaxLinks = 40;
        int links = 0;
        std::string rest = join_path("/", path).substr(1);
        std::string at;
        while (!rest.empty()) {
            const size_t slash = rest.find('/');
            const std::string name = rest.substr(0, slash);
            rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
            const Result<FileStat> stat = stat_path(root_ + at + "/" + name);
            if (!stat) {
                return Result<std::string>::fail(stat.error);
            }
            if (stat.value.kind != FileKind::kLink || (rest.empty() && !follow_last)) {
                at += "/" + name;
                continue;
            }
            if (++links > kMaxLinks) {
                return Result<std::string>::fail(ELOOP);
            }
            const Result<std::string> target = read_link_target(root_ + at + "/" + name);
            if (!target) {
                return Result<std::string>::fail(target.error);
            }
            rest = join_path(at, rest.empty() ? target.value : target.value + "/" + rest).substr(1);
            at.clear();
        }
        return {0, at};
    }

    std::string root_;
};

}  // namespace

std::unique_ptr<Files> live_files() {
    return std::make_unique<LiveFiles>();
}

std::unique_ptr<Files> directory_files(const std::string& root) {
    return std::make_unique<DirectoryFiles>(root);
}

}  // namespace xdna::probe
