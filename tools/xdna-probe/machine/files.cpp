#include "tools/xdna-probe/machine/files.hpp"

#include <cerrno>

#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {

std::string join_path(const std::string& directory, const std::string& relative) {
    const std::string whole = relative.starts_with('/') ? relative : directory + "/" + relative;
    std::vector<std::string> parts;
    for (std::string& part : split(whole, '/')) {
        if (part.empty() || part == ".") {
            continue;
        }
        if (part != "..") {
            parts.push_back(std::move(part));
        } else if (!parts.empty()) {
            parts.pop_back();
        }
    }
    std::string path;
    for (const std::string& part : parts) {
        path += "/" + part;
    }
    return path.empty() ? "/" : path;
}

Result<std::string> resolve(Files& files, const std::string& path) {
    constexpr int kMaxLinks = 40;  // as the kernel's MAXSYMLINKS
    std::string at = path;
    for (int links = 0; links <= kMaxLinks; ++links) {
        const Result<FileStat> stat = files.stat(at);
        if (!stat) {
            return Result<std::string>::fail(stat.error);
        }
        if (stat.value.kind != FileKind::kLink) {
            return {0, at};
        }
        const Result<std::string> target = files.read_link(at);
        if (!target) {
            return Result<std::string>::fail(target.error);
        }
        at = join_path(at.substr(0, at.rfind('/')), target.value);
    }
    return Result<std::string>::fail(ELOOP);
}

std::string read_line(Files& files, const std::string& path) {
    const Result<std::string> content = files.read(path, 4096);
    return content ? trim(content.value.substr(0, content.value.find('\n'))) : "";
}

}  // namespace xdna::probe
