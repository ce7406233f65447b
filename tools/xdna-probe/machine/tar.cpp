#include <algorithm>
#include <cstdio>
#include <cstring>

#include "tools/xdna-probe/machine/capture.hpp"
#include "tools/xdna-probe/machine/text.hpp"

namespace xdna::probe {
namespace {

// Header fields: POSIX.1-2017, pax, "ustar Interchange Format".
constexpr size_t kBlock = 512;
constexpr size_t kNameField = 100;
constexpr size_t kModeOffset = 100;
constexpr size_t kUidOffset = 108;
constexpr size_t kGidOffset = 116;
constexpr size_t kSizeOffset = 124;
constexpr size_t kTimeOffset = 136;
constexpr size_t kSumOffset = 148;
constexpr size_t kTypeOffset = 156;
constexpr size_t kLinkOffset = 157;
constexpr size_t kMagicOffset = 257;
constexpr size_t kPrefixOffset = 345;
constexpr size_t kPrefixField = 155;
constexpr char kTypeFile = '0';
constexpr char kTypeLink = '2';
constexpr char kTypeDirectory = '5';
constexpr char kTypeLongName = 'L';
constexpr char kTypeLongLink = 'K';

unsigned checksum(const std::string& block) {
    unsigned sum = 0;
    for (size_t i = 0; i < kBlock; ++i) {
        const bool own = i >= kSumOffset && i < kSumOffset + 8;
        sum += own ? ' ' : static_cast<unsigned char>(block[i]);
    }
    return sum;
}

void put_octal(std::string& block, size_t offset, size_t width, uint64_t value) {
    for (size_t i = width - 1; i-- > 0; value /= 8) {
        block[offset + i] = static_cast<char>('0' + value % 8);
    }
}

void append(std::string& out, const std::string& name, char type, const std::string& link,
            const std::string& content) {
    if (name.size() > kNameField) {
        append(out, "././@LongLink", kTypeLongName, "", name + '\0');
    }
    if (link.size() > kNameField) {
        append(out, "././@LongLink", kTypeLongLink, "", link + '\0');
    }
    std::string block(kBlock, '\0');
    name.copy(block.data(), kNameField);
    put_octal(block, kModeOffset, 8, type == kTypeDirectory ? 0755 : 0644);
    put_octal(block, kUidOffset, 8, 0);
    put_octal(block, kGidOffset, 8, 0);
    put_octal(block, kSizeOffset, 12, content.size());
    put_octal(block, kTimeOffset, 12, 0);
    block[kTypeOffset] = type;
    link.copy(block.data() + kLinkOffset, kNameField);
    std::string(
        "ustar\0"
        "00",
        8)
        .copy(block.data() + kMagicOffset, 8);
    put_octal(block, kSumOffset, 7, checksum(block));
    block[kSumOffset + 7] = ' ';
    out += block + content;
    out.resize((out.size() + kBlock - 1) / kBlock * kBlock, '\0');
}

std::string field(const std::string& bytes, size_t offset, size_t width) {
    const std::string whole = bytes.substr(offset, width);
    return whole.substr(0, whole.find('\0'));
}

}  // namespace

std::string write_tar(const Tree& tree) {
    std::string out;
    for (const auto& [path, entry] : tree) {
        const std::string name = path.substr(1);
        if (entry.stat.kind == FileKind::kDirectory) {
            append(out, name + "/", kTypeDirectory, "", "");
        } else if (entry.stat.kind == FileKind::kLink) {
            append(out, name, kTypeLink, entry.content, "");
        } else {
            append(out, name, kTypeFile, "", entry.content);
        }
    }
    out.append(2 * kBlock, '\0');
    return out;
}

bool read_tar(const std::string& bytes, Tree& tree, std::string& error) {
    std::string long_name;
    std::string long_link;
    size_t at = 0;
    while (at + kBlock <= bytes.size() && bytes[at] != '\0') {
        const std::string header = bytes.substr(at, kBlock);
        const auto where = " at byte " + std::to_string(at);
        const auto sum = parse_number(trim(field(header, kSumOffset, 8)), 8);
        if (field(header, kMagicOffset, 5) != "ustar" || sum != checksum(header)) {
            error = "no tar header" + where;
            return false;
        }
        const auto size = parse_number(trim(field(header, kSizeOffset, 12)), 8);
        if (!size || *size > bytes.size() - at - kBlock) {
            error = "an entry larger than the archive" + where;
            return false;
        }
        const std::string content = bytes.substr(at + kBlock, *size);
        at += kBlock + (*size + kBlock - 1) / kBlock * kBlock;

        const char type = header[kTypeOffset];
        if (type == kTypeLongName) {
            long_name = content.substr(0, content.find('\0'));
            continue;
        }
        if (type == kTypeLongLink) {
            long_link = content.substr(0, content.find('\0'));
            continue;
        }
        const std::string prefix = field(header, kPrefixOffset, kPrefixField);
        std::string name = prefix.empty() ? "" : prefix + "/";
        name += field(header, 0, kNameField);
        const std::string path = join_path("/", long_name.empty() ? name : long_name);
        TreeEntry entry;
        if (type == kTypeDirectory) {
            entry.stat = {FileKind::kDirectory, 0755};
        } else if (type == kTypeLink) {
            entry.stat = {FileKind::kLink, 0777};
            entry.content = long_link.empty() ? field(header, kLinkOffset, kNameField) : long_link;
        } else if (type == kTypeFile || type == '\0') {
            entry.stat = {FileKind::kFile, 0644};
            entry.stat.size = content.size();
            entry.content = content;
        }
        long_name.clear();
        long_link.clear();
        if (path != "/" && entry.stat.kind != FileKind::kOther) {
            tree[path] = std::move(entry);
        }
    }
    if (tree.empty()) {
        error = "an empty archive";
        return false;
    }
    return true;
}

}  // namespace xdna::probe
