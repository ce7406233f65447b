// Files that are not ours to keep: XDNA_IMAGE_SAMPLES names a folder of PDIs, control code and
// xclbins, each of which has to come back byte for byte.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "libxdna/image/aie_partition.hpp"
#include "libxdna/image/embedded_metadata.hpp"
#include "libxdna/image/pdi.hpp"
#include "libxdna/image/topology.hpp"
#include "libxdna/image/transaction.hpp"
#include "libxdna/image/xclbin.hpp"

namespace xdna::image {
namespace {

void check_pdi(const Bytes& bytes) {
    const Pdi pdi = parse_pdi(bytes);
    EXPECT_EQ(serialize(pdi), bytes);
    // What bootgen makes of one CDO, we make too.
    if (pdi.partitions.size() == 1 && cdos(pdi).size() == 1 && pdi.images.size() == 1) {
        EXPECT_EQ(
            serialize(make_pdi(*cdos(pdi)[0], pdi.images[0].name.view(), pdi.images[0].image_id)),
            bytes);
    }
}

void check_xclbin(const Bytes& bytes) {
    const Xclbin xclbin = parse_xclbin(bytes);
    EXPECT_EQ(serialize(xclbin), bytes);
    for (const XclbinSection& s : xclbin.sections) {
        SCOPED_TRACE(section_kind_name(s.kind));
        switch (s.kind) {
            case SectionKind::kMemTopology:
            case SectionKind::kGroupTopology:
                EXPECT_EQ(serialize(parse_mem_topology(s.data)), s.data);
                break;
            case SectionKind::kConnectivity:
            case SectionKind::kGroupConnectivity:
                EXPECT_EQ(serialize(parse_connectivity(s.data)), s.data);
                break;
            case SectionKind::kIpLayout:
                EXPECT_EQ(serialize(parse_ip_layout(s.data)), s.data);
                break;
            case SectionKind::kEmbeddedMetadata:
                EXPECT_FALSE(parse_embedded_metadata(s.data).kernels.empty());
                break;
            case SectionKind::kAiePartition: {
                const AiePartition partition = parse_aie_partition(s.data);
                EXPECT_EQ(serialize(partition), s.data);
                for (const PartitionPdi& pdi : partition.pdis) {
                    check_pdi(pdi.image);
                }
                break;
            }
            default:
                break;
        }
    }
}

TEST(Files, OfOthersComeBackByteForByte) {
    const char* folder = std::getenv("XDNA_IMAGE_SAMPLES");
    if (folder == nullptr) {
        GTEST_SKIP() << "XDNA_IMAGE_SAMPLES names no folder of files";
    }
    size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        const std::string extension = entry.path().extension().string();
        std::ifstream file(entry.path(), std::ios::binary);
        const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
        SCOPED_TRACE(entry.path().string());
        if (looks_like_xclbin(bytes)) {
            check_xclbin(bytes);
        } else if (extension == ".pdi") {
            check_pdi(bytes);
        } else if (looks_like_transaction(bytes)) {
            EXPECT_EQ(serialize(parse_transaction(bytes)), bytes);
        } else {
            continue;
        }
        ++files;
    }
    EXPECT_GT(files, 0U) << "nothing in " << folder;
}

}  // namespace
}  // namespace xdna::image
