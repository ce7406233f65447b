#include "tools/xdna-probe/machine/loader_cache.hpp"

#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

// Layout: glibc, sysdeps/generic/dl-cache.h (struct cache_file_new, struct file_entry_new).
constexpr std::string_view kMagic = "glibc-ld.so.cache1.1";
constexpr size_t kCountOffset = 20;
constexpr size_t kEntriesOffset = 48;
constexpr size_t kEntrySize = 24;
constexpr size_t kKeyOffset = 4;
constexpr size_t kValueOffset = 8;

std::string string_at(std::string_view bytes, size_t offset) {
    if (offset >= bytes.size()) {
        return "";
    }
    const size_t end = bytes.find('\0', offset);
    return end == std::string_view::npos ? "" : std::string(bytes.substr(offset, end - offset));
}

}  // namespace

std::vector<LoaderEntry> loader_cache(std::string_view bytes) {
    std::vector<LoaderEntry> entries;
    // An old-format cache may come first; offsets count from the new one's magic.
    const size_t start = bytes.find(kMagic);
    if (start == std::string_view::npos) {
        for (const std::string& line : split_lines(bytes)) {
            const size_t arrow = line.find(" => ");
            if (arrow != std::string::npos) {
                entries.push_back({trim(line.substr(0, arrow)), trim(line.substr(arrow + 4))});
            }
        }
        return entries;
    }
    bytes.remove_prefix(start);
    const size_t count = le32(bytes, kCountOffset);
    for (size_t i = 0; i < count && kEntriesOffset + (i + 1) * kEntrySize <= bytes.size(); ++i) {
        const size_t at = kEntriesOffset + i * kEntrySize;
        LoaderEntry entry{string_at(bytes, le32(bytes, at + kKeyOffset)),
                          string_at(bytes, le32(bytes, at + kValueOffset))};
        if (!entry.name.empty() && !entry.path.empty()) {
            entries.push_back(std::move(entry));
        }
    }
    return entries;
}

}  // namespace xdna::probe
