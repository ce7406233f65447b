// xdna-image as its users call it.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/image/samples.hpp"

namespace xdna::image {
namespace {

namespace fs = std::filesystem;

struct Outcome {
    int status;
    std::string output;  // standard output and error
};

Outcome run(const std::string& command) {
    Outcome outcome{-1, ""};
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    if (pipe == nullptr) {
        return outcome;
    }
    std::array<char, 4096> buffer{};
    for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
        outcome.output.append(buffer.data(), n);
    }
    outcome.status = WEXITSTATUS(pclose(pipe));
    return outcome;
}

class XdnaImage : public testing::Test {
  protected:
    void SetUp() override {
        // build/tests/unit-image stands beside build/bin/xdna-image.
        tool_ = (fs::read_symlink("/proc/self/exe").parent_path() / "../bin/xdna-image").string();
        ASSERT_TRUE(fs::exists(tool_)) << "make build/bin/xdna-image first";
        std::string name = (fs::temp_directory_path() / "xdna-image-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    void TearDown() override { fs::remove_all(folder_); }

    Outcome tool(const std::string& arguments) { return run(tool_ + " " + arguments); }
    std::string path(const std::string& name) { return (folder_ / name).string(); }
    std::string put(const std::string& name, const Bytes& bytes) {
        std::ofstream(path(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        return path(name);
    }
    Bytes get(const std::string& name) {
        std::ifstream file(path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    std::string tool_;
    fs::path folder_;
};

TEST_F(XdnaImage, DumpsEveryKindOfFile) {
    const auto dumped = [&](const Bytes& bytes, const std::string& options) {
        const Outcome o = tool("dump " + put("file", bytes) + " " + options);
        EXPECT_EQ(o.status, 0) << o.output;
        return o.output;
    };
    const auto expect = [](const std::string& output, const std::string& line) {
        EXPECT_NE(output.find(line), std::string::npos) << output;
    };
    expect(dumped(serialize(samples::pdi()), ""), "(0,2) core.Core_Control & 0x2 = 0x2 {Reset 1}");
    expect(dumped(serialize(samples::cdo()), ""), "DMA_WRITE     (0,2) core.Program_Memory");
    expect(dumped(serialize(samples::transaction(false)), ""), "wait for S2MM channel 1 of (1,0)");
    expect(dumped(serialize(samples::transaction(true)), ""), "transaction 1.0");
    expect(dumped(serialize(samples::dpu_sequence()), "--as dpu"), "WRITE32");
    expect(dumped(serialize(samples::ert_packets()[0]), "--as ert"), "START_CU");
    expect(dumped(samples::control_elf(), ""), ".ctrltext+0x0: shim_dma_48, argument 3 + 64");
    const std::string xclbin = dumped(serialize(samples::xclbin()), "");
    expect(xclbin, "CU 0 MLIR_AIE:MLIRAIE");
    expect(xclbin, "section kind 999 \"mystery\"");
    expect(xclbin, "core.Program_Memory");
}

TEST_F(XdnaImage, ReadsInstructionFilesInText) {
    const std::string text = "06030100\n00000101\n00000001\n00000014\n00000005\n";
    const Outcome o = tool("dump " + put("insts.txt", Bytes(text.begin(), text.end())));
    EXPECT_EQ(o.status, 0);
    EXPECT_NE(o.output.find("0: NOOP"), std::string::npos) << o.output;
}

TEST_F(XdnaImage, PacksUnpacksAndPacksAgain) {
    const Bytes pdi = serialize(samples::pdi());
    const Outcome packed = tool("pack " + put("design.pdi", pdi) + " -o " + path("a.xclbin") +
                                " --columns 2 --buffers 3 --kernel mine");
    ASSERT_EQ(packed.status, 0) << packed.output;
    ASSERT_EQ(tool("unpack " + path("a.xclbin") + " -o " + path("parts")).status, 0);
    EXPECT_EQ(get("parts/pdi-0.pdi"), pdi);
    const Outcome again = tool("pack " + path("parts/recipe.json") + " -o " + path("b.xclbin"));
    ASSERT_EQ(again.status, 0) << again.output;
    EXPECT_EQ(get("b.xclbin"), get("a.xclbin"));
    EXPECT_EQ(tool("verify " + path("b.xclbin")).status, 0);

    // The PDI's own parts.
    ASSERT_EQ(tool("unpack " + path("design.pdi") + " -o " + path("parts")).status, 0);
    EXPECT_EQ(get("parts/partition-0.cdo"), serialize(samples::cdo()));
}

TEST_F(XdnaImage, AmdsOwnToolReadsWhatIsPacked) {
    if (run("xclbinutil --help").status != 0) {
        GTEST_SKIP() << "xclbinutil (Debian: libxrt-utils) is not installed";
    }
    ASSERT_EQ(
        tool("pack " + put("design.pdi", serialize(samples::pdi())) + " -o " + path("a.xclbin"))
            .status,
        0);
    const Outcome info = run("xclbinutil --info --input " + path("a.xclbin"));
    EXPECT_EQ(info.status, 0) << info.output;
    EXPECT_NE(info.output.find("AIE_PARTITION"), std::string::npos) << info.output;
    EXPECT_EQ(info.output.find("ERROR"), std::string::npos) << info.output;
    // It takes the partition apart as well.
    const Outcome dumped = run("cd " + folder_.string() +
                               " && xclbinutil --dump-section AIE_PARTITION:JSON:partition.json "
                               "--input a.xclbin");
    EXPECT_EQ(dumped.status, 0) << dumped.output;
    EXPECT_TRUE(fs::exists(path("partition.json"))) << dumped.output;
}

TEST_F(XdnaImage, VerifyNamesWhatIsWrong) {
    Transaction t;
    t.columns = 1;
    t.operations = {txn::DdrPatch{0x1D004, 0, 0}, txn::Write{0x0201D214, 0}};
    const Outcome o = tool("verify " + put("bad.txn", serialize(t)));
    EXPECT_EQ(o.status, 1);
    EXPECT_NE(o.output.find("no block write before it"), std::string::npos) << o.output;
    EXPECT_NE(o.output.find("outside the header's 1 columns"), std::string::npos) << o.output;

    Xclbin x = samples::xclbin();
    AiePartition p = parse_aie_partition(x.section(SectionKind::kAiePartition)->data);
    p.pdis[0].groups[0].kernel_ids = {0x123};
    for (XclbinSection& s : x.sections) {
        if (s.kind == SectionKind::kAiePartition) {
            s.data = serialize(p);
        }
    }
    lay_out(x);
    const Outcome kernel = tool("verify " + put("bad.xclbin", serialize(x)));
    EXPECT_EQ(kernel.status, 1);
    EXPECT_NE(kernel.output.find("no PDI lists its kernel id 0x901"), std::string::npos)
        << kernel.output;

    // A kernel of programmable logic, as AMD's own have it, needs none.
    for (XclbinSection& s : x.sections) {
        if (s.kind == SectionKind::kEmbeddedMetadata) {
            EmbeddedMetadata metadata = parse_embedded_metadata(s.data);
            metadata.kernels.at(0).type = "";
            s.data = serialize(metadata);
        }
    }
    lay_out(x);
    const Outcome logic = tool("verify " + put("logic.xclbin", serialize(x)));
    EXPECT_EQ(logic.status, 0) << logic.output;
}

TEST_F(XdnaImage, ErrorsNameTheFileAndThePlace) {
    Bytes pdi = serialize(samples::pdi());
    pdi[0xB0] ^= 1;
    const Outcome damaged = tool("dump " + put("damaged.pdi", pdi));
    EXPECT_EQ(damaged.status, 1);
    EXPECT_NE(damaged.output.find("damaged.pdi: PDI: image header checksum at offset 0xcc"),
              std::string::npos)
        << damaged.output;

    EXPECT_EQ(tool("dump " + path("missing")).status, 1);
    EXPECT_EQ(tool("dump " + put("text", {'h', 'i'})).status, 1);
    EXPECT_EQ(tool("dump").status, 3);
    EXPECT_EQ(tool("dump x --as nothing").status, 3);
    EXPECT_EQ(tool("--help").status, 0);

    // Nothing is replaced that was not to be.
    const std::string good = put("good.pdi", serialize(samples::pdi()));
    const Outcome kept = tool("pack " + good + " -o " + good);
    EXPECT_EQ(kept.status, 1);
    EXPECT_NE(kept.output.find("--force"), std::string::npos) << kept.output;
    EXPECT_EQ(get("good.pdi"), serialize(samples::pdi()));

    const std::string json = R"({"pdis": [], "colums": 3})";
    const Outcome misspelt =
        tool("pack " + put("r.json", Bytes(json.begin(), json.end())) + " -o " + path("r.xclbin"));
    EXPECT_EQ(misspelt.status, 1);
    EXPECT_NE(misspelt.output.find("recipe.colums: no such key"), std::string::npos)
        << misspelt.output;
}

}  // namespace
}  // namespace xdna::image
