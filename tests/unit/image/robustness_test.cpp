// Damaged containers: whatever byte is cut off or changed, a parser either refuses with an error of
// its own or reads something that it writes back exactly as it came.

#include <gtest/gtest.h>

#include <functional>

#include "libxdna/image/control_elf.hpp"
#include "tests/unit/image/samples.hpp"

namespace xdna::image {
namespace {

struct Container {
    std::string name;
    Bytes sample;
    // Parses, and writes again; nothing where there is no writer.
    std::function<std::optional<Bytes>(ByteView)> round_trip;

    friend void PrintTo(const Container& c, std::ostream* out) { *out << c.name; }
};

Bytes text(const std::string& s) {
    return {s.begin(), s.end()};
}

std::vector<Container> containers() {
    std::vector<Container> all = {
        {"Cdo", serialize(samples::cdo()), [](ByteView b) { return serialize(parse_cdo(b)); }},
        {"Pdi", serialize(samples::pdi()), [](ByteView b) { return serialize(parse_pdi(b)); }},
        {"Transaction", serialize(samples::transaction(false)),
         [](ByteView b) { return serialize(parse_transaction(b)); }},
        {"OptimizedTransaction", serialize(samples::transaction(true)),
         [](ByteView b) { return serialize(parse_transaction(b)); }},
        {"DpuSequence", serialize(samples::dpu_sequence()),
         [](ByteView b) { return serialize(parse_dpu_sequence(b)); }},
        {"Xclbin", serialize(samples::xclbin()),
         [](ByteView b) { return serialize(parse_xclbin(b)); }},
        {"ControlElf", samples::control_elf(),
         [](ByteView b) -> std::optional<Bytes> {
             ControlElf elf = parse_control_elf(b);
             for (const ElfRelocation& r : elf.relocations) {
                 apply_relocation(elf, r, 0x1234);
             }
             return std::nullopt;
         }},
    };
    const Xclbin xclbin = samples::xclbin();
    const auto section = [&](SectionKind kind) { return xclbin.section(kind)->data; };
    // Typed sections do not keep reserved bytes, so a changed one need not come back.
    all.push_back({"AiePartition", section(SectionKind::kAiePartition),
                   [](ByteView b) -> std::optional<Bytes> {
                       (void)serialize(parse_aie_partition(b));
                       return std::nullopt;
                   }});
    all.push_back(
        {"MemTopology", section(SectionKind::kMemTopology), [](ByteView b) -> std::optional<Bytes> {
             (void)serialize(parse_mem_topology(b));
             return std::nullopt;
         }});
    all.push_back({"Connectivity", section(SectionKind::kConnectivity),
                   [](ByteView b) { return serialize(parse_connectivity(b)); }});
    all.push_back(
        {"IpLayout", section(SectionKind::kIpLayout), [](ByteView b) -> std::optional<Bytes> {
             (void)serialize(parse_ip_layout(b));
             return std::nullopt;
         }});
    all.push_back({"EmbeddedMetadata", section(SectionKind::kEmbeddedMetadata),
                   [](ByteView b) -> std::optional<Bytes> {
                       (void)serialize(parse_embedded_metadata(b));
                       return std::nullopt;
                   }});
    all.push_back({"EmbeddedMetadataWithEntities",
                   text("<?x?><!-- c --><project a='&lt;&amp;&quot;'><![CDATA[]]]>t</project>"),
                   [](ByteView b) -> std::optional<Bytes> {
                       (void)parse_embedded_metadata(b);
                       return std::nullopt;
                   }});
    int index = 0;
    for (const ert::Packet& packet : samples::ert_packets()) {
        all.push_back({"ErtPacket" + std::to_string(index++), serialize(packet),
                       [](ByteView b) -> std::optional<Bytes> {
                           // A shorter count leaves the rest unread.
                           Bytes out = serialize(parse_ert_packet(b));
                           const size_t tail = b.size() - out.size();
                           out.insert(out.end(), b.end() - static_cast<ptrdiff_t>(tail), b.end());
                           return out;
                       }});
    }
    return all;
}

class Robustness : public testing::TestWithParam<Container> {
  protected:
    void check(const Bytes& damaged, const std::string& how) {
        // An exact allocation, so that the sanitizer sees a read of one byte too many.
        const std::unique_ptr<uint8_t[]> exact(new uint8_t[damaged.size()]);
        std::copy(damaged.begin(), damaged.end(), exact.get());
        try {
            const auto again = GetParam().round_trip(ByteView(exact.get(), damaged.size()));
            if (again) {
                ASSERT_EQ(*again, damaged) << how;
            }
        } catch (const FormatError& e) {
            ASSERT_FALSE(e.field().empty()) << how;
        }
    }
};

TEST_P(Robustness, TheSampleItselfComesBack) {
    const auto again = GetParam().round_trip(GetParam().sample);
    if (again) {
        EXPECT_EQ(*again, GetParam().sample);
    }
}

TEST_P(Robustness, AnyLengthIsReadOrRefused) {
    for (size_t length = 0; length < GetParam().sample.size(); ++length) {
        check(
            {GetParam().sample.begin(), GetParam().sample.begin() + static_cast<ptrdiff_t>(length)},
            "cut to " + std::to_string(length));
    }
}

TEST_P(Robustness, AnyChangedByteIsReadOrRefused) {
    Bytes bytes = GetParam().sample;
    for (size_t i = 0; i < bytes.size(); ++i) {
        for (const int change : {0x01, 0x80, 0xFF}) {
            bytes[i] ^= static_cast<uint8_t>(change);
            check(bytes, "byte " + std::to_string(i) + " ^ " + hex(static_cast<uint64_t>(change)));
            bytes[i] ^= static_cast<uint8_t>(change);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Containers, Robustness, testing::ValuesIn(containers()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace xdna::image
