#include <algorithm>
#include <cerrno>
#include <set>

#include "tools/xdna-probe/machine/files.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

class MemoryFiles final : public Files {
  public:
    explicit MemoryFiles(Tree tree) {
        for (auto& [path, entry] : tree) {
            const std::string clean = join_path("/", path);
            for (size_t slash = clean.find('/', 1); slash != std::string::npos;
                 slash = clean.find('/', slash + 1)) {
                TreeEntry& above = tree_[clean.substr(0, slash)];
                if (above.stat.kind == FileKind::kOther) {  // implied, or known by name only
                    above.stat = {FileKind::kDirectory, 0755};
                }
            }
            tree_[clean] = std::move(entry);
        }
    }

    Result<std::string> read(const std::string& path, size_t limit) override {
        const Result<Tree::const_iterator> found = find(path, true);
        if (!found) {
            return Result<std::string>::fail(found.error);
        }
        const TreeEntry& entry = found.value->second;
        if (entry.read_error != 0) {
            return Result<std::string>::fail(entry.read_error);
        }
        if (entry.stat.kind != FileKind::kFile) {
            return Result<std::string>::fail(entry.stat.kind == FileKind::kDirectory ? EISDIR
                                                                                     : EINVAL);
        }
        return {0, entry.content.substr(0, limit)};
    }
    Result<std::string> read_link(const std::string& path) override {
        const Result<Tree::const_iterator> found = find(path, false);
        if (!found) {
            return Result<std::string>::fail(found.error);
        }
        const TreeEntry& entry = found.value->second;
        return entry.stat.kind == FileKind::kLink ? Result<std::string>{0, entry.content}
                                                  : Result<std::string>::fail(EINVAL);
    }
    Result<std::vector<std::string>> list(const std::string& path,
                                          const std::string& prefix) override {
        const Result<Tree::const_iterator> found = find(path, true);
        if (!found) {
            return Result<std::vector<std::string>>::fail(found.error);
        }
        if (found.value->second.stat.kind != FileKind::kDirectory) {
            return Result<std::vector<std::string>>::fail(ENOTDIR);
        }
        const std::string above = found.value->first + "/";
        Result<std::vector<std::string>> result;
        for (auto it = tree_.lower_bound(above + prefix);
             it != tree_.end() && it->first.starts_with(above + prefix); ++it) {
            const std::string name = it->first.substr(above.size());
            if (name.find('/') == std::string::npos) {
                result.value.push_back(name);
            }
        }
        return result;
    }
    Result<FileStat> stat(const std::string& path) override {
        const Result<Tree::const_iterator> found = find(path, false);
        return found ? Result<FileStat>{0, found.value->second.stat}
                     : Result<FileStat>::fail(found.error);
    }

  private:
    Result<Tree::const_iterator> find(const std::string& path, bool follow_last) const {
        constexpr int kMaxLinks = 40;
        int links = 0;
        std::string rest = join_path("/", path).substr(1);
        std::string at;
        auto found = tree_.end();
        while (!rest.empty()) {
            const size_t slash = rest.find('/');
            const std::string name = rest.substr(0, slash);
            rest = slash == std::string::npos ? "" : rest.substr(slash + 1);
            found = tree_.find(at + "/" + name);
            if (found == tree_.end()) {
                return Result<Tree::const_iterator>::fail(ENOENT);
            }
            const FileKind kind = found->second.stat.kind;
            if (kind == FileKind::kLink && (!rest.empty() || follow_last)) {
                if (++links > kMaxLinks) {
                    return Result<Tree::const_iterator>::fail(ELOOP);
                }
                const std::string& target = found->second.content;
                rest = join_path(at, rest.empty() ? target : target + "/" + rest).substr(1);
                at.clear();
                continue;
            }
            if (kind != FileKind::kDirectory && !rest.empty()) {
                return Result<Tree::const_iterator>::fail(ENOTDIR);
            }
            at += "/" + name;
        }
        return found == tree_.end() ? Result<Tree::const_iterator>::fail(ENOENT)
                                    : Result<Tree::const_iterator>{0, found};
    }

    Tree tree_;
};

class RecordingFiles final : public Files {
  public:
    RecordingFiles(Files& files, Tree& tree) : files_(files), tree_(tree) {}

    Result<std::string> read(const std::string& path, size_t limit) override {
        Result<std::string> content = files_.read(path, limit);
        if (content) {
            TreeEntry& entry = tree_[path];
            entry.stat.kind = FileKind::kFile;
            entry.content = content.value;
        } else if (content.error != ENOENT && content.error != ENOTDIR) {
            TreeEntry& entry = tree_[path];
            if (entry.stat.kind == FileKind::kOther) {
                entry.stat.kind = FileKind::kFile;
            }
            entry.read_error = content.error;
        }
        return content;
    }
    Result<std::string> read_link(const std::string& path) override {
        Result<std::string> target = files_.read_link(path);
        if (target) {
            TreeEntry& entry = tree_[path];
            entry.stat.kind = FileKind::kLink;
            entry.content = target.value;
        }
        return target;
    }
    Result<std::vector<std::string>> list(const std::string& path,
                                          const std::string& prefix) override {
        Result<std::vector<std::string>> names = files_.list(path, prefix);
        if (names) {
            tree_[path].stat.kind = FileKind::kDirectory;
        }
        for (const std::string& name : names.value) {
            tree_.try_emplace(path + "/" + name, TreeEntry{{FileKind::kOther}, "", 0});
        }
        return names;
    }
    Result<FileStat> stat(const std::string& path) override {
        Result<FileStat> stat = files_.stat(path);
        if (stat) {
            tree_[path].stat = stat.value;
        }
        return stat;
    }

  private:
    Files& files_;
    Tree& tree_;
};

}  // namespace

std::unique_ptr<Files> memory_files(Tree tree) {
    return std::make_unique<MemoryFiles>(std::move(tree));
}

std::unique_ptr<Files> recording_files(Files& files, Tree& tree) {
    return std::make_unique<RecordingFiles>(files, tree);
}

}  // namespace xdna::probe
