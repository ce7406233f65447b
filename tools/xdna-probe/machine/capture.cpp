#include "tools/xdna-probe/machine/capture.hpp"

#include <cerrno>
#include <nlohmann/json.hpp>

#include "tools/xdna-probe/machine/redact.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

constexpr const char* kFactsPath = "/xdna-probe/facts.json";
constexpr const char* kLogPath = "/xdna-probe/kernel.log";
constexpr const char* kReadmePath = "/xdna-probe/README";
constexpr size_t kLargest = 64 * 1024 * 1024;
constexpr const char* kNobodysHome = "/home/user";

const char* kind_name(FileKind kind) {
    switch (kind) {
        case FileKind::kFile:
            return "file";
        case FileKind::kDirectory:
            return "directory";
        case FileKind::kLink:
            return "link";
        case FileKind::kCharDevice:
            return "char";
        case FileKind::kOther:
            break;
    }
    return "other";
}

FileKind kind_of(const std::string& name) {
    for (const FileKind kind :
         {FileKind::kFile, FileKind::kDirectory, FileKind::kLink, FileKind::kCharDevice}) {
        if (name == kind_name(kind)) {
            return kind;
        }
    }
    return FileKind::kOther;
}

unsigned number(const nlohmann::json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_number_unsigned() ? found->get<unsigned>() : 0;
}

// Owners, modes, sizes and devices do not survive an unprivileged copy, so facts.json holds them:
// {"/path": {"kind": ..., "mode": ..., "uid": ..., ...}}. They come before what the tree says.
class OverlaidFiles final : public Files {
  public:
    OverlaidFiles(std::unique_ptr<Files> below, const nlohmann::json& facts)
        : below_(std::move(below)) {
        const auto stats = facts.find("stat");
        if (stats == facts.end() || !stats->is_object()) {
            return;
        }
        for (const auto& [path, json] : stats->items()) {
            if (!json.is_object()) {
                continue;
            }
            Entry entry;
            const auto kind = json.find("kind");
            if (kind != json.end() && kind->is_string()) {
                entry.stat.kind = kind_of(kind->get<std::string>());
            }
            entry.stat.mode = number(json, "mode");
            entry.stat.uid = number(json, "uid");
            entry.stat.gid = number(json, "gid");
            entry.stat.major = number(json, "major");
            entry.stat.minor = number(json, "minor");
            const auto size = json.find("size");
            entry.stat.size =
                size != json.end() && size->is_number_unsigned() ? size->get<uint64_t>() : 0;
            const unsigned error = number(json, "read_errno");
            entry.read_error = error < 4096 ? static_cast<int>(error) : EIO;
            entries_[path] = entry;
        }
    }

    Result<std::string> read(const std::string& path, size_t limit) override {
        const auto found = entries_.find(path);
        if (found != entries_.end() && found->second.read_error != 0) {
            return Result<std::string>::fail(found->second.read_error);
        }
        return below_->read(path, limit);
    }
    Result<std::string> read_link(const std::string& path) override {
        return below_->read_link(path);
    }
    Result<std::vector<std::string>> list(const std::string& path,
                                          const std::string& prefix) override {
        return below_->list(path, prefix);
    }
    Result<FileStat> stat(const std::string& path) override {
        const auto found = entries_.find(path);
        if (found != entries_.end() && found->second.stat.kind != FileKind::kOther) {
            return {0, found->second.stat};
        }
        return below_->stat(path);
    }

  private:
    struct Entry {
        FileStat stat;
        int read_error = 0;
    };
    std::unique_ptr<Files> below_;
    std::map<std::string, Entry> entries_;
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    if (from.size() < 2) {  // "/" or nothing is nobody's home
        return text;
    }
    for (size_t at = text.find(from); at != std::string::npos;
         at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

std::string readme() {
    std::string text =
        "Captured by xdna-probe --collect; read it back with: xdna-probe --root DIR-OR-TAR\n\n"
        "facts.json: kernel release, numeric user and group ids, capabilities, memlock limits,\n"
        "LD_LIBRARY_PATH and XILINX_XRT, what open() of the NPU and its queries answered,\n"
        "owners and modes of the files below.\n"
        "kernel.log: lines about the NPU, its firmware, module loading and the IOMMU.\n"
        "Everything else: files of /proc, /sys, /etc, /lib as the probe read them. No user names,\n"
        "host name, serial numbers or network addresses. Of these files only a part was kept:\n";
    size_t count = 0;
    const Redaction* rows = redactions(count);
    for (size_t i = 0; i < count; ++i) {
        text += std::string("  ") + rows[i].path + ": " + rows[i].kept + "\n";
    }
    return text;
}

}  // namespace

Capture open_capture(const std::string& path) {
    Capture capture;
    std::unique_ptr<Files> direct = directory_files(path);
    const Result<std::vector<std::string>> listing = direct->list("/", "");
    if (listing) {
        capture.files = std::move(direct);
    } else if (listing.error == ENOTDIR) {
        const size_t slash = path.rfind('/');
        const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
        const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
        const Result<std::string> bytes = directory_files(folder)->read("/" + name, kLargest);
        Tree tree;
        std::string why;
        if (!bytes) {
            capture.error = path + ": " + errno_text(bytes.error);
            return capture;
        }
        if (!read_tar(bytes.value, tree, why)) {
            capture.error = path + ": neither a directory nor a tar archive (" + why + ")";
            return capture;
        }
        capture.files = memory_files(std::move(tree));
    } else {
        capture.error = path + ": " + errno_text(listing.error);
        return capture;
    }

    const Result<std::string> facts = capture.files->read(kFactsPath, kLargest);
    const nlohmann::json json = nlohmann::json::parse(facts.value, nullptr, false);
    if (facts && (json.is_discarded() || !json.is_object())) {
        capture.error = path + kFactsPath + ": not a JSON object";
        return capture;
    }
    if (facts) {
        const unsigned schema = number(json, "schema");
        if (schema != kFactsSchema) {
            capture.error = path + kFactsPath + ": schema " + std::to_string(schema) +
                            ", this probe reads schema " + std::to_string(kFactsSchema);
            return capture;
        }
        capture.answers = answers_from_json(json);
        capture.files = std::make_unique<OverlaidFiles>(std::move(capture.files), json);
    }
    for (const char* log_path : {kLogPath, "/var/log/dmesg"}) {
        const Result<std::string> log = capture.files->read(log_path, kLargest);
        if (log && capture.answers.log_lines.empty()) {
            capture.answers.log_lines = split_lines(log.value);
            if (capture.answers.log == LogState::kNotRecorded) {
                capture.answers.log = LogState::kRead;
            }
        }
    }
    return capture;
}

Tree capture_tree(const Tree& recorded, const Answers& answers, const std::string& home) {
    Tree tree;
    nlohmann::ordered_json facts = to_json(answers);
    nlohmann::ordered_json stats = nlohmann::ordered_json::object();
    for (const auto& [original, entry] : recorded) {
        const std::string path = replaced(original, home, kNobodysHome);
        TreeEntry& copy = tree[path] = entry;
        copy.content = replaced(entry.content, home, kNobodysHome);
        nlohmann::ordered_json& stat = stats[path];
        stat["kind"] = kind_name(entry.stat.kind);
        stat["mode"] = entry.stat.mode;
        stat["uid"] = entry.stat.uid;
        stat["gid"] = entry.stat.gid;
        stat["size"] = entry.stat.size;
        if (entry.stat.kind == FileKind::kCharDevice) {
            stat["major"] = entry.stat.major;
            stat["minor"] = entry.stat.minor;
        }
        if (entry.read_error != 0) {
            stat["read_errno"] = entry.read_error;
        }
        // A name that was only listed may be a directory that was read below.
        if (entry.stat.kind == FileKind::kOther) {
            const auto below = recorded.lower_bound(original + "/");
            if (below != recorded.end() && below->first.starts_with(original + "/")) {
                copy.stat.kind = FileKind::kDirectory;
            }
        }
    }
    facts["stat"] = stats;
    const auto add = [&](const char* path, std::string content) {
        tree[path] = {{FileKind::kFile, 0644}, std::move(content), 0};
    };
    const std::string dumped = facts.dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    add(kFactsPath, replaced(dumped, home, kNobodysHome) + "\n");
    std::string log;
    for (const std::string& line : answers.log_lines) {
        log += line + "\n";
    }
    add(kLogPath, replaced(log, home, kNobodysHome));
    add(kReadmePath, readme());
    return tree;
}

}  // namespace xdna::probe
