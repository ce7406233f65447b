#include <nlohmann/json.hpp>
#include <ostream>

#include "libxdna/image/control_elf.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/xclbin_recipe.hpp"
#include "tools/xdna-image/commands.hpp"
#include "tools/xdna-image/recipe_json.hpp"

namespace xdna::tools {
namespace {

using namespace image;

class Folder {
  public:
    Folder(std::ostream& out, const std::string& path, bool force)
        : out_(out), path_(path), force_(force) {
        std::filesystem::create_directories(path_);
    }
    void put(const std::string& name, ByteView bytes) {
        write_file(path_ / name, bytes, force_);
        out_ << (path_ / name).string() << ": " << bytes.size() << " bytes\n";
    }

  private:
    std::ostream& out_;
    std::filesystem::path path_;
    bool force_;
};

// Names in a file may hold anything, a slash included.
std::string safe_name(std::string_view name) {
    std::string safe;
    for (const char c : name) {
        const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' ||
                           c == '-' || (c == '.' && !safe.empty());
        safe += plain ? c : '_';
    }
    return safe;
}

void unpack_pdi(Folder& folder, ByteView bytes, const std::string& prefix) {
    const Pdi pdi = parse_pdi(bytes);
    for (size_t i = 0; i < pdi.partitions.size(); ++i) {
        const std::string name = prefix + "partition-" + std::to_string(i);
        if (const auto* cdo = std::get_if<Cdo>(&pdi.partitions[i].data)) {
            folder.put(name + ".cdo", serialize(*cdo));
        } else {
            folder.put(name + ".bin", std::get<Bytes>(pdi.partitions[i].data));
        }
    }
}

void unpack_xclbin(Folder& folder, ByteView bytes, std::ostream& out) {
    const Xclbin xclbin = parse_xclbin(bytes);
    for (size_t i = 0; i < xclbin.sections.size(); ++i) {
        const XclbinSection& section = xclbin.sections[i];
        const std::string_view kind = section_kind_name(section.kind);
        const std::string name = kind.empty()
                                     ? "KIND_" + std::to_string(static_cast<uint32_t>(section.kind))
                                     : std::string(kind);
        const bool xml = section.kind == SectionKind::kEmbeddedMetadata;
        folder.put("section-" + std::to_string(i) + "-" + name + (xml ? ".xml" : ".bin"),
                   section.data);
    }
    const XclbinSection* section = xclbin.section(SectionKind::kAiePartition);
    if (section == nullptr) {
        return;
    }
    const AiePartition partition = parse_aie_partition(section->data);
    std::vector<std::string> files;
    for (size_t i = 0; i < partition.pdis.size(); ++i) {
        files.push_back("pdi-" + std::to_string(i) + ".pdi");
        folder.put(files.back(), partition.pdis[i].image);
    }
    try {
        const std::string json = to_json(recipe_of(xclbin), files).dump(2) + "\n";
        folder.put("recipe.json", {reinterpret_cast<const uint8_t*>(json.data()), json.size()});
    } catch (const FormatError& e) {
        out << "no recipe.json: " << e.what() << '\n';
    }
}

}  // namespace

void unpack(std::ostream& out, ByteView bytes, Kind kind, const std::string& path, bool force) {
    Folder folder(out, path, force);
    switch (kind) {
        case Kind::kXclbin:
            return unpack_xclbin(folder, bytes, out);
        case Kind::kPdi:
            return unpack_pdi(folder, bytes, "");
        case Kind::kElf: {
            const ControlElf elf = parse_control_elf(bytes);
            for (size_t i = 0; i < elf.sections.size(); ++i) {
                if (!elf.sections[i].data.empty()) {
                    folder.put("section-" + std::to_string(i) + "-" +
                                   safe_name(elf.sections[i].name) + ".bin",
                               elf.sections[i].data);
                }
            }
            return;
        }
        default:
            throw std::runtime_error("a file of this kind (" + std::string(kind_name(kind)) +
                                     ") has no parts; try dump");
    }
}

}  // namespace xdna::tools
